"""Configurations that people start from: samples of ``init`` and those in ``deploy/``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from bridge.cli.app import dispatch
from bridge.cli.init import Mode, sample
from bridge.options import parse_endpoint

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
EVERYWHERE = ("", "0.0.0.0", "::", "${env:POD_IP}")
MODES: tuple[Mode, ...] = ("sidecar", "gateway", "processing")
ENVIRONMENT = {
    "KAFKA_BROKERS": "kafka:9092",
    "BACKEND": "backend:4317",
    "POD_IP": "10.0.0.1",
    "NODE_NAME": "node",
    "KAFKA_PASSWORD": "secret",
    "OTLP_TOKEN": "secret",
}

Document = dict[str, Any]
_yaml = YAML(typ="safe")


def _manifests() -> Iterator[tuple[str, Document]]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        for resource in _yaml.load_all(path.read_text()):
            yield path.stem, resource


def _configs() -> Iterator[tuple[str, str]]:
    for mode in MODES:
        yield f"init {mode}", sample(mode)
    for name in ("ingest", "processing"):
        yield f"compose {name}", (DEPLOY / f"compose/{name}.yaml").read_text()
    for name, resource in _manifests():
        if resource["kind"] == "ConfigMap":
            yield f"kubernetes {name}", resource["data"]["config.yaml"]
    chart = DEPLOY / "helm/otlp-bridge"
    values = _yaml.load((chart / "values.yaml").read_text())
    yield "helm", json.dumps(values["config"])
    processing = _yaml.load((chart / "ci/processing-values.yaml").read_text())
    yield "helm processing", json.dumps(processing["alternateConfig"])


CONFIGS = dict(_configs())
every_config = pytest.mark.parametrize("name", CONFIGS)


def _endpoint(text: str) -> tuple[str, int]:
    """Host as it is written, and port."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def _listened_at(config: Document) -> dict[str, int]:
    """What a configuration listens at: the place in it, and the port."""
    places = {
        f"receivers.otlp.{name}": protocol["endpoint"]
        for name, protocol in config["receivers"].get("otlp", {}).get("protocols", {}).items()
    }
    places |= {
        f"extensions.{name}": options["endpoint"]
        for name, options in config["extensions"].items()
        if "endpoint" in options
    }
    metrics = config["service"].get("telemetry", {}).get("metrics", {})
    places["metrics"] = metrics.get("address", "localhost:8888")
    return {place: _endpoint(text)[1] for place, text in places.items()}


@every_config
def test_configuration_is_accepted(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the bridge, with the environment that its deployment gives it."""
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    code = dispatch(["validate", "--config", f"yaml:{CONFIGS[name]}", "--output", "json"])

    assert code == 0, capsys.readouterr().out


@every_config
def test_status_page_is_there_and_not_for_strangers(name: str) -> None:
    """It asks for no password, so it listens for the machine, the pod or the container alone."""
    config = _yaml.load(CONFIGS[name])
    host, port = _endpoint(config["extensions"]["admin"]["endpoint"])

    assert {"admin", "health_check"} <= set(config["service"]["extensions"])
    assert host not in EVERYWHERE
    assert port == (13144 if name == "init processing" else 13134)
    if not name.startswith("compose"):
        assert host == "localhost"


def test_both_tiers_run_on_one_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Processing takes no port of a sidecar or gateway, and is one with it as one process too."""
    ports = {mode: _listened_at(_yaml.load(sample(mode))) for mode in MODES}
    files = []
    for mode in ("sidecar", "processing"):
        files += ["--config", str(tmp_path / f"{mode}.yaml")]
        assert dispatch(["init", "--mode", mode, "--file", files[-1]]) == 0
    capsys.readouterr()
    code = dispatch(["validate", *files])
    told = capsys.readouterr().out

    for ingest in ("sidecar", "gateway"):
        assert set(ports["processing"].values()) & set(ports[ingest].values()) == set()
    assert code == 0
    assert "ok: 4 pipelines, 0 warnings" in told


@pytest.mark.parametrize("name", ["daemonset", "gateway", "processing", "sidecar"])
def test_ports_and_probes_are_those_of_the_configuration(name: str) -> None:
    """What a manifest names is listened at, and the kubelet reaches what it asks."""
    (workload,) = [
        one
        for stem, one in _manifests()
        if stem == name and one["kind"] in ("Deployment", "DaemonSet")
    ]
    template = workload["spec"]["template"]
    pod = template["spec"]
    (container,) = [
        one
        for one in pod.get("initContainers", []) + pod["containers"]
        if one["name"] == "otlp-bridge"
    ]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    config = _yaml.load(CONFIGS[f"kubernetes {name}"])
    listened = _listened_at(config)
    health = _endpoint(config["extensions"]["health_check"]["endpoint"])

    assert health[0] in EVERYWHERE
    assert ports["health"] == health[1]
    assert ports["metrics"] == listened["metrics"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(ports["metrics"])
    assert set(ports.values()) <= set(listened.values())
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe in container:
            assert container[probe]["httpGet"]["port"] in ports
    assert {"startupProbe", "livenessProbe"} <= set(container)


def test_compose_publishes_what_the_tiers_listen_at() -> None:
    """To this machine only, and each port once."""
    services = _yaml.load((DEPLOY / "compose/compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    for name in ("ingest", "processing"):
        config = _yaml.load(CONFIGS[f"compose {name}"])
        inner = {int(port.rsplit(":", 1)[1]) for port in services[name]["ports"]}
        host, port = _endpoint(config["extensions"]["admin"]["endpoint"])

        assert services[name]["hostname"] == host
        assert port in inner
        assert inner <= set(_listened_at(config).values())
    outer = [parse_endpoint(port.rsplit(":", 1)[0]) for port in published]
    assert {endpoint.host for endpoint in outer} == {"127.0.0.1"}
    assert len({endpoint.port for endpoint in outer}) == len(outer)
