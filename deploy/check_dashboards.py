"""Prints the queries of Grafana dashboards as recording rules, for promtool to read them."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h"}
"""Those that stand where a duration does; the others stand in quotes."""


def queries(dashboard: Path) -> Iterator[str]:
    """Every expression of every panel."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield expression


def main(files: list[str]) -> None:
    """One group with a rule for each query; JSON is YAML too."""
    rules = [
        {"record": f"query:{number}", "expr": expression}
        for number, expression in enumerate(
            expression for file in files for expression in queries(Path(file))
        )
    ]
    print(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}))


if __name__ == "__main__":
    main(sys.argv[1:])
