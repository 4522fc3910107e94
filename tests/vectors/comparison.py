"""How results are compared with the Collector's: by the rules of the vectors' README."""

import base64
import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

_NUMBERS = ("Nano", "intValue", "asInt", "count", "zeroCount")


def load(name: str) -> dict[str, Any]:
    """The content of a vector file."""
    loaded: dict[str, Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def undollar(config: Any) -> Any:
    """A config as it is after the Collector read its YAML: ``$$`` stands for one ``$``."""
    if isinstance(config, str):
        return config.replace("$$", "$")
    if isinstance(config, list):
        return [undollar(one) for one in config]
    if isinstance(config, dict):
        return {key: undollar(value) for key, value in config.items()}
    return config


def normal(node: Any, *, unordered_points: bool = False) -> Any:
    """*node* without what does not count: attribute order, absent defaults, spelling of ints."""
    if isinstance(node, list):
        return [normal(one, unordered_points=unordered_points) for one in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("attributes", "metadata"):
            shown: Any = _pairs(value)
        elif key == "body":
            shown = _value(value)
        else:
            shown = normal(value, unordered_points=unordered_points)
        if key.endswith(_NUMBERS) and isinstance(shown, str | int):
            shown = int(shown)
        if key in ("bucketCounts",):
            shown = [int(one) for one in shown]
        if key in ("asDouble", "sum", "min", "max", "value", "quantile", "zeroThreshold"):
            shown = float(shown) if not isinstance(shown, dict) else shown
        if key == "explicitBounds":
            shown = [float(one) for one in shown]
        if key == "dataPoints" and unordered_points:
            shown = sorted(shown, key=lambda one: json.dumps(one, sort_keys=True))
        if _counts(key, shown):
            result[key] = shown
    return result


def _counts(key: str, value: Any) -> bool:
    """Whether a field differs from an absent one."""
    if key in ("asInt", "asDouble", "gauge", "sum", "histogram", "summary"):
        return True
    if key == "exponentialHistogram":
        return True
    return value not in (None, 0, 0.0, "", [], {}, False, ["empty"])


def _pairs(pairs: list[dict[str, Any]]) -> list[Any]:
    shown = [[pair.get("key", ""), _value(pair.get("value", {}))] for pair in pairs or []]
    return sorted(shown, key=lambda pair: json.dumps(pair, sort_keys=True))


def _value(value: dict[str, Any]) -> Any:
    if not value:
        return ["empty"]
    ((kind, inner),) = value.items()
    if kind == "intValue":
        return ["int", int(inner)]
    if kind == "doubleValue":
        return ["double", repr(float(inner) + 0.0)]
    if kind == "arrayValue":
        return ["list", [_value(one) for one in inner.get("values", [])]]
    if kind == "kvlistValue":
        return ["map", _pairs(inner.get("values", []))]
    if kind == "bytesValue":
        return ["bytes", base64.b64decode(inner).hex()]
    return [kind, inner]
