"""Requests as lines that people compare: OTLP/JSON in the layout of YAML, attributes as maps."""

import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Literal

from bridge.core import Malformed, Signal
from bridge.wire import otlp_json

_SIGNALS = {
    "resourceSpans": Signal.TRACES,
    "resourceMetrics": Signal.METRICS,
    "resourceLogs": Signal.LOGS,
}
_ITEMS = {"spans": "span", "logRecords": "record", "metrics": "metric"}
_CONTEXT_LINES = 2


def read_request(path: Path | None) -> tuple[Signal, bytes]:
    """
    A request as OTLP/JSON from a file, or from standard input if *path* is `None`.

    Raises:
        Malformed: If it cannot be read or is none.
    """
    try:
        text = sys.stdin.read() if path is None else path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, ValueError) as error:
        raise Malformed(str(error)) from error
    return parse_request(document)


def parse_request(document: Any) -> tuple[Signal, bytes]:
    """
    A request from OTLP/JSON, whose signal its first key tells. Attributes may also be plain maps.

    Raises:
        Malformed: If it is none.
    """
    known = [key for key in _SIGNALS if isinstance(document, dict) and key in document]
    if len(known) != 1:
        raise Malformed(f"a request has one of the keys {', '.join(_SIGNALS)}")
    signal = _SIGNALS[known[0]]
    return signal, otlp_json.decode(signal, json.dumps(_expanded(document)).encode())


def _expanded(node: Any) -> Any:
    """*node* with its maps of attributes and its plain bodies as OTLP/JSON spells them."""
    if isinstance(node, list):
        return [_expanded(one) for one in node]
    if not isinstance(node, dict):
        return node
    expanded: dict[str, Any] = {}
    for key, value in node.items():
        if key == "attributes" and isinstance(value, dict):
            expanded[key] = _pairs(value)
        elif key == "body" and isinstance(value, str):
            expanded[key] = _value(value)
        else:
            expanded[key] = _expanded(value)
    return expanded


def _pairs(attributes: dict[str, Any]) -> list[Any]:
    return [{"key": str(key), "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(one) for one in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": str(value)}


def show_json(signal: Signal, body: bytes) -> Any:
    """The request as OTLP/JSON."""
    return json.loads(otlp_json.encode(signal, body))


@dataclass(frozen=True, slots=True)
class Line:
    """A line, and the item that it is a part of."""

    text: str
    item: str


def lines_of(signal: Signal, body: bytes) -> list[Line]:
    """The request line by line. The order of attributes means nothing: they are sorted."""
    return lines_of_json(show_json(signal, body)) if body else []


def lines_of_json(request: dict[str, Any]) -> list[Line]:
    """The same of a request that is OTLP/JSON already."""
    return list(_walk(request, 0, ""))


def _walk(node: Any, depth: int, item: str) -> Iterator[Line]:
    pad = "  " * depth
    for key, value in node.items():
        if key in ("attributes", "metadata"):
            yield Line(f"{pad}{key}:", item)
            shown = sorted((one.get("key", ""), _shown(one.get("value", {}))) for one in value)
            for name, text in shown:
                yield Line(f"{pad}  {name}: {text}", item)
        elif key == "body":
            yield Line(f"{pad}body: {_shown(value)}", item)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield Line(f"{pad}{key}:", item)
            yield from _elements(key, value, depth, item)
        elif isinstance(value, dict) and value:
            yield Line(f"{pad}{key}:", item)
            yield from _walk(value, depth + 1, item)
        else:
            yield Line(f"{pad}{key}: {json.dumps(value, ensure_ascii=False)}", item)


def _elements(key: str, elements: list[Any], depth: int, item: str) -> Iterator[Line]:
    pad = "  " * (depth + 1)
    for number, element in enumerate(elements, 1):
        inner = item
        if key in _ITEMS:
            inner = f"{_ITEMS[key]} {number} {json.dumps(element.get('name', ''))}"
        lines = list(_walk(element, depth + 2, inner)) or [Line("  " * (depth + 2), inner)]
        yield Line(f"{pad}- {lines[0].text[len(pad) + 2 :]}", inner)
        yield from lines[1:]


def _shown(value: dict[str, Any]) -> str:
    """An ``AnyValue`` as JSON; bytes as their hex digits."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def _plain(value: dict[str, Any]) -> Any:
    for kind, inner in value.items():
        match kind:
            case "intValue":
                return int(inner)
            case "arrayValue":
                return [_plain(one) for one in inner.get("values", [])]
            case "kvlistValue":
                pairs = inner.get("values", [])
                return {one.get("key", ""): _plain(one.get("value", {})) for one in pairs}
            case "bytesValue":
                return f"bytes {base64.b64decode(inner).hex()}"
            case _:
                return inner
    return None


Change = Literal["item", "same", "removed", "added"]


def compare(before: list[Line], after: list[Line]) -> Iterator[tuple[Change, str]]:
    """What is different, with a few lines around and the item that it is in."""
    # Numbers of items move when one is dropped: only the texts count.
    texts = [line.text for line in before], [line.text for line in after]
    matcher = SequenceMatcher(None, *texts, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        changed = next(code for code in group if code[0] != "equal")
        first = before[changed[1]] if changed[1] < changed[2] else after[changed[3]]
        yield "item", first.item or "request"
        for tag, start, stop, new_start, new_stop in group:
            if tag == "equal":
                for line in before[start:stop]:
                    yield "same", line.text
                continue
            for line in before[start:stop]:
                yield "removed", line.text
            for line in after[new_start:new_stop]:
                yield "added", line.text
