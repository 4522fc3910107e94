"""
A canary in every secret, and every verb and error path looked through for it.

Which options are secrets is read from the models of all installed components, and which verbs there
are from the program, so a new one is looked at without being named here.
"""

import asyncio
import base64
import io
import os
import re
import signal
import tarfile
from asyncio.subprocess import PIPE, STDOUT, create_subprocess_exec
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from types import FrameType
from typing import Any, get_args

import aiohttp
import grpc
import pytest
from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML

from bridge.cli.app import build_app, dispatch
from bridge.config import ConfigErrors, load, render_json, render_plain
from bridge.service import Registry
from bridge.testing import trace_request
from tests.bridge_process import PROGRAM, BridgeProcess
from tests.unit.receivers.otlp.clients import call, post

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANARY = "kanarienvogel"
REGISTRY = Registry()
DEAD = "127.0.0.1:9"  # Nothing listens at the discard port.
VERB_TIMEOUT_S = 60.0
VERB_S_MAX = 15.0
BODY = trace_request().body

_numbers = iter(range(1000))


def canary() -> str:
    """Another token each time, so that one that is found tells its place."""
    return f"{CANARY}-{next(_numbers)}"


def pem() -> dict[str, str]:
    """All texts of a TLS section."""
    return {name: canary() for name in ("ca_pem", "cert_pem", "key_pem")}


def sasl(how: str = "sasl") -> dict[str, Any]:
    """A Kafka section that logs in."""
    section = {"username": "u", "password": canary()}
    return {how: {"mechanism": "PLAIN", **section} if how == "sasl" else section}


def sampling(**connection: Any) -> dict[str, Any]:
    """A sampler that writes down what it decides."""
    return {
        "policies": [{"name": "all", "type": "always_sample"}],
        "decision_topic": {"brokers": [DEAD], "topic": "decisions", **connection},
    }


RUNS: dict[str, Any] = {
    "receivers": {
        "otlp": {
            "answer_timeout": "1s",
            "protocols": {
                "grpc": {"endpoint": "127.0.0.1:0", "auth": {"authenticator": "basicauth"}},
                "http": {
                    "endpoint": "127.0.0.1:0",
                    "auth": {"authenticator": "bearertokenauth"},
                    "response_headers": {"x-secret": canary()},
                },
            },
        },
        "kafka": {"brokers": [DEAD], "auth": sasl()},
    },
    "processors": {"tail_sampling": sampling(auth=sasl())},
    "exporters": {
        "kafka": {
            "brokers": [DEAD],
            "auth": sasl(),
            "record_headers": [{"name": "tenant", "value": canary()}],
        },
        "otlp": {
            "endpoint": DEAD,
            "tls": {"insecure": True},
            "headers": {"x-key": canary()},
        },
        "otlp_http": {
            "endpoint": f"http://{DEAD}",
            "headers": {"x-key": canary()},
            "proxy_url": f"http://user:{canary()}@{DEAD}",
            "auth": {"authenticator": "basicauth/out"},
        },
    },
    "extensions": {
        "bearertokenauth": {"token": canary()},
        "basicauth": {"htpasswd": {"inline": f"anna:{canary()}"}},
        "basicauth/out": {"client_auth": {"username": "u", "password": canary()}},
    },
    "service": {
        "extensions": ["bearertokenauth", "basicauth", "basicauth/out"],
        "telemetry": {
            "logs": {"level": "debug"},
            "metrics": {"address": "127.0.0.1:0"},
        },
        "pipelines": {
            "traces/in": {"receivers": ["otlp"], "exporters": ["kafka", "otlp_http"]},
            "traces/out": {
                "receivers": ["kafka"],
                "processors": ["tail_sampling"],
                "exporters": ["otlp", "otlp_http"],
            },
        },
    },
}
"""Starts, and fails at everything that it tries."""

FAILS: dict[str, Any] = {
    "receivers": {
        "otlp": {
            "protocols": {
                name: {"endpoint": "127.0.0.1:0", "tls": pem()} for name in ("grpc", "http")
            }
        },
        "kafka": {"brokers": [DEAD], "auth": sasl("plain_text"), "tls": pem()},
    },
    "processors": {"tail_sampling": sampling(auth=sasl("plain_text"), tls=pem())},
    "exporters": {
        "kafka": {"brokers": [DEAD], "auth": sasl("plain_text"), "tls": pem()},
        "otlp": {"endpoint": DEAD, "tls": pem()},
        "otlp_http": {"endpoint": f"https://{DEAD}", "tls": pem()},
    },
    "extensions": {
        "bearertokenauth": {"tokens": [canary(), canary()]},
        "basicauth": {"htpasswd": {"inline": f"anna:$9${canary()}"}},
    },
    "service": {
        "extensions": ["bearertokenauth", "basicauth"],
        "telemetry": {"logs": {"level": "debug"}},
        "pipelines": {
            "traces/in": {"receivers": ["otlp"], "exporters": ["kafka", "otlp"]},
            "traces/out": {
                "receivers": ["kafka"],
                "processors": ["tail_sampling"],
                "exporters": ["otlp_http"],
            },
        },
    },
}
"""Does not start: no PEM is one."""

CONFIGS = {"runs": RUNS, "fails": FAILS}


def leaves(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from leaves(part)


def secrets_in(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where a model holds secrets."""
    for name, field in model.model_fields.items():
        for kind in leaves(field.annotation):
            if kind is SecretStr:
                yield (*path, name)
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from secrets_in(kind, (*path, name))


def all_secrets() -> set[tuple[str, ...]]:
    """Kind, type and path of every secret of the components of this distribution."""
    return {
        (kind, REGISTRY.factory(kind, entry.name).type_name, *path)
        for kind in ("receivers", "processors", "exporters", "extensions")
        for entry in entry_points(group=f"otlp_bridge.{kind}")
        if entry.value.startswith("bridge.")
        for path in secrets_in(REGISTRY.factory(kind, entry.name).config)
    }


def placed(config: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Kind, type and path of every option that a canary stands in."""

    def walk(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                yield from walk(inner, (*path, key))
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner, path)
        elif CANARY in str(value):
            yield path[:-1] if path[-1].startswith("x-") else path

    for kind in ("receivers", "processors", "exporters", "extensions"):
        for name, options in config.get(kind, {}).items():
            for path in walk(options, ()):
                yield (kind, name.partition("/")[0], *path)


def text_of(config: Any, *, flow: bool = False) -> str:
    """YAML, each key on a line of its own, or as few lines as possible."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style = flow
    yaml.width = 100_000 if flow else 80
    out = io.StringIO()
    yaml.dump(config, out)
    return out.getvalue()


def test_every_secret_has_a_canary() -> None:
    """A component with a new secret must be put into the configurations above."""
    expected = all_secrets()
    found = {path for config in CONFIGS.values() for path in placed(config)}

    assert expected - found == set()
    assert found - expected == set()


def broken(config: Any) -> Iterator[Any]:
    """The configuration with one mistake at a time beside or in a secret."""

    def variants(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            if any(isinstance(inner, str) and CANARY in inner for inner in value.values()):
                yield {**value, "zzz": 1}
                yield {**value, "": [2]}
            for key, inner in value.items():
                for other in variants(inner):
                    yield {**value, key: other}
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                for other in variants(inner):
                    yield [*value[:index], other, *value[index + 1 :]]
        elif isinstance(value, str) and CANARY in value:
            yield {"deep": value}
            yield [value, {"x": value}]
            yield f"{value}\n- second: {value}\n"

    yield from variants(config)


@pytest.mark.parametrize("flow", [False, True], ids=["block", "flow"])
@pytest.mark.parametrize("name", CONFIGS)
def test_mistakes_beside_secrets_are_shown_without_them(name: str, flow: bool) -> None:
    """Whatever is wrong, the offending line is shown with asterisks."""
    seen = 0
    for config in broken(CONFIGS[name]):
        text = text_of(config, flow=flow)
        try:
            problems = load([f"yaml:{text}"], [], REGISTRY, {}).warnings
        except ConfigErrors as error:
            problems = error.problems
            seen += 1
        shown = render_plain(problems) + str(render_json(problems))
        assert CANARY not in shown, shown
    assert seen > 20


@pytest.mark.parametrize("name", CONFIGS)
def test_broken_yaml_is_shown_without_secrets(name: str) -> None:
    """A file that is cut off anywhere is no YAML, or another configuration."""
    text = text_of(CONFIGS[name], flow=True)
    for match in re.finditer(CANARY, text):
        for cut in (match.end(), match.end() + 4, match.start() - 1):
            with pytest.raises(ConfigErrors) as caught:
                load([f"yaml:{text[:cut]}"], [], REGISTRY, {})
            shown = render_plain(caught.value.problems) + str(render_json(caught.value.problems))
            assert CANARY not in shown, shown


async def output_of(*arguments: str) -> str:
    """All that a verb prints until it ends, or is ended."""
    process = await create_subprocess_exec(
        PROGRAM,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "400"},
    )
    try:
        async with asyncio.timeout(VERB_TIMEOUT_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        out, _ = await process.communicate()
    return out.decode(errors="replace")


def verbs(app: Any, *before: str) -> Iterator[tuple[str, ...]]:
    """All verbs of the program, those of a group by themselves."""
    names = [name for name in app if not name.startswith("-")]
    if not names:
        yield before
    for name in names:
        yield from verbs(app[name], *before, name)


VERBS = sorted(verbs(build_app()))
ENDLESS = {("demo",), ("run",)}


@contextmanager
def interrupted(after_s: float) -> Iterator[None]:
    """What a person does with a verb that does not end by itself."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def output_in_process(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """All that a verb prints, and what it ends with."""
    with interrupted(VERB_S_MAX):
        try:
            code: object = dispatch(arguments)
        except (KeyboardInterrupt, SystemExit) as end:
            code = repr(end)
    out, err = capfd.readouterr()
    return f"{out}{err}\n{code}"


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What is in the files of *folder*, and in the archives among them."""
    for file in filter(Path.is_file, folder.rglob("*")):
        yield file.name, file.read_bytes()
        if tarfile.is_tarfile(file):
            with tarfile.open(file) as archive:
                for member in archive:
                    part = archive.extractfile(member)
                    yield f"{file.name}: {member.name}", part.read() if part else b""


def test_verbs_are_found() -> None:
    """Also those that stand below another."""
    assert {("validate",), ("config", "show"), ("dlq", "list")} <= set(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids="-".join)
def test_no_verb_tells_a_secret(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    verb: tuple[str, ...],
) -> None:
    """Each, in text, in JSON and in files, with what runs and with what cannot start."""
    if verb in ENDLESS:
        pytest.skip("looked at while it runs, below")
    folder = tmp_path / "written"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name, config in CONFIGS.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(text_of(config))
        for more in ((), ("--output", "json")):
            text = output_in_process(capfd, *verb, "--config", str(file), *more)
            assert CANARY not in text, text
    for written, content in contents(folder):
        assert CANARY.encode() not in content, written
    if verb == ("bundle",):
        assert any(folder.iterdir())


def test_value_of_the_command_line_is_not_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A secret that is laid over the configuration is one there too."""
    file = tmp_path / "config.yaml"
    file.write_text(text_of(RUNS))
    for key in ("extensions.basicauth.htpasswd.inline", "exporters.otlp.headers.x-key"):
        text = output_in_process(
            capfd, "validate", "--config", str(file), "--set", f"{key}=[{canary()}"
        )
        assert CANARY not in text, text


async def test_configuration_that_cannot_start_tells_no_secret(tmp_path: Path) -> None:
    """PEM texts that are none, hashes of unknown kinds: each is named, none is shown."""
    for kind, component in (
        *(("receivers", name) for name in FAILS["receivers"]),
        *(("processors", name) for name in FAILS["processors"]),
        *(("exporters", name) for name in FAILS["exporters"]),
        *(("extensions", name) for name in FAILS["extensions"]),
    ):
        # One broken component at a time, so that each has its say.
        config = {**RUNS, kind: {**RUNS[kind], component: FAILS[kind][component]}}
        file = tmp_path / f"{component}.yaml"
        file.write_text(text_of(config))
        text = await output_of("run", "--config", str(file), "--shutdown-timeout", "1s")
        assert CANARY not in text, text


async def test_running_bridge_tells_no_secret(tmp_path: Path) -> None:
    """At debug level, refusing strangers, failing at brokers, backends and a proxy."""
    token = RUNS["extensions"]["bearertokenauth"]["token"]
    password = RUNS["extensions"]["basicauth"]["htpasswd"]["inline"].partition(":")[2]
    pair = base64.b64encode(f"anna:{password}".encode()).decode()
    bridge = BridgeProcess(text_of(RUNS), tmp_path, arguments=("--shutdown-timeout", "2s"))
    try:
        await bridge.start()
        host, _, port = bridge.endpoints["receivers/otlp/http"].rpartition(":")
        address = host, int(port)
        target = bridge.endpoints["receivers/otlp/grpc"]
        answers = [
            await post(address, BODY, Authorization=f"Bearer {shown}")
            for shown in (token, f"{token}x", "", f"{CANARY}-wrong")
        ]
        assert [answer.status for answer in answers] == [503, 401, 401, 401]
        assert all(CANARY.encode() not in answer.body for answer in answers)
        for shown in (f"Basic {pair}", f"Basic {pair[:-4]}", "Basic x"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(target, BODY, metadata=(("authorization", shown),))
            assert CANARY not in (refused.value.details() or "")
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{bridge.endpoints['metrics']}/metrics") as response,
        ):
            assert CANARY not in await response.text()
        bridge.send_signal(15)
        await bridge.wait()
    finally:
        await bridge.kill()

    output = (tmp_path / "bridge.log").read_text(errors="replace")
    assert "debug" in output
    assert CANARY not in output
    assert pair not in output
