"""
Checks Kubernetes resources: each by its schema, and the configurations in ConfigMaps by the bridge.

Run by deploy/check with the Python of .cache/deploy-tools.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

VERSION = "1.37"
BRIDGE = ".venv/bin/otlp-bridge"
ENVIRONMENT = {
    "KAFKA_BROKERS": "kafka:9092",
    "BACKEND": "backend:4317",
    "POD_IP": "10.0.0.1",
    "NODE_NAME": "node",
    "KAFKA_PASSWORD": "secret",
}
"""What the pods are given."""
DEFINED = ("PodMonitor", "ScaledObject")
"""Kinds that Kubernetes does not know by itself; tools/set-up fetches their definitions."""

Resource = dict[str, Any]


def resources(paths: list[str]) -> Iterator[tuple[str, Resource]]:
    """Every resource with its place."""
    for path in paths:
        for resource in yaml.safe_load_all(Path(path).read_text()):
            if resource is not None:
                name = resource["metadata"]["name"]
                yield f"{path}: {resource['kind']} {name}", resource


def defined_schema(kind: str) -> Any:
    """The schema in the resource definition of its maker; `None` if it was not fetched."""
    found = sorted(Path(".cache/deploy-go").glob(f"{kind.lower()}-*.yaml"))
    if not found:
        return None
    (version,) = yaml.safe_load(found[-1].read_text())["spec"]["versions"]
    schema = _closed(version["schema"]["openAPIV3Schema"])
    # metadata is an open object there, checked by the server alone.
    schema["properties"]["metadata"].pop("additionalProperties", None)
    return schema


def _closed(schema: Any) -> Any:
    """The same schema, taking no key that it does not name: the server would drop it."""
    if isinstance(schema, dict):
        closed = {key: _closed(value) for key, value in schema.items()}
        open_ended = schema.get("x-kubernetes-preserve-unknown-fields")
        if "properties" in schema and "type" in schema and not open_ended:
            closed.setdefault("additionalProperties", False)
        return closed
    if isinstance(schema, list):
        return [_closed(value) for value in schema]
    return schema


def problem_of(resource: Resource) -> str:
    """What is wrong with a resource; empty if nothing is."""
    kind = resource["kind"]
    try:
        if kind in DEFINED:
            schema = defined_schema(kind)
            if schema is None:
                return "NOT CHECKED, since there is no Go to fetch its schema"
            jsonschema.validate(resource, schema)
        else:
            kubernetes_validate.validate(resource, VERSION, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        where = "/".join(map(str, error.path))
        return f"{where}: {error.message}"
    return ""


def config_problem(resource: Resource) -> str:
    """What the bridge says of the configuration in a ConfigMap."""
    if resource["kind"] != "ConfigMap":
        return ""
    command = [BRIDGE, "validate", "--config", "yaml:" + resource["data"]["config.yaml"]]
    environment = {**os.environ, **ENVIRONMENT}
    told = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    return told.stderr if told.returncode else ""


def main() -> int:
    """Check the files named on the command line; 1 if something is wrong."""
    failed = False
    count = 0
    for where, resource in resources(sys.argv[1:]):
        count += 1
        for problem in filter(None, (problem_of(resource), config_problem(resource))):
            print(f"{where}: {problem}")
            failed = failed or not problem.startswith("NOT CHECKED")
    print(f"{count} resources checked")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
