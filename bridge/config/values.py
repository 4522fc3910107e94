"""The values that are in force, each with the place that it comes from."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, SecretBytes, SecretStr, TypeAdapter

from bridge.config.fields import Field, fields
from bridge.config.loaded import KINDS, LoadedConfig
from bridge.config.nodes import ListNode, MapNode, Node
from bridge.config.position import Position
from bridge.config.scalars import resolve
from bridge.options import format_duration

DEFAULT = "default"
"""Where a value comes from that nobody wrote."""

REDACTED = "********"

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*")


@dataclass(frozen=True, slots=True)
class Value:
    """
    One value in force.

    `path` are the keys from the root, list indexes included; `value` a scalar or an empty list or
    map; `origin` is ``file:line``, with the reference in brackets that it came through, or
    ``default``.
    """

    path: tuple[str | int, ...]
    value: object
    origin: str


def values(config: LoadedConfig, *, redacted: bool = True) -> Iterator[Value]:
    """
    All values of all components and of the service, in the order of the sections.

    Args:
        redacted:
            Whether secrets are shown as asterisks. Empty ones are shown as empty in any case.
    """
    dump = _Dump(redacted)
    for kind in KINDS:
        for component_id, component in getattr(config, kind).items():
            node = _child(_child(config.tree, kind), str(component_id))
            plain = dump.plain(component.options)
            yield from _leaves(plain, node, (kind, str(component_id)))
    service = _child(config.tree, "service")
    if config.extensions:
        listed = [str(name) for name in config.extensions]
        yield from _leaves(listed, _child(service, "extensions"), ("service", "extensions"))
    for name, pipeline in config.pipelines.items():
        lists = {
            key: [str(member) for member in getattr(pipeline, key)]
            for key in ("receivers", "processors", "exporters")
        }
        node = _child(_child(service, "pipelines"), str(name))
        yield from _leaves(lists, node, ("service", "pipelines", str(name)))
    yield from _telemetry(config, _child(service, "telemetry"), dump)


def to_tree(found: Sequence[Value]) -> dict[str, object]:
    """The same values as dictionaries and lists in each other."""
    root: dict[str, object] = {}
    for value in found:
        current: dict[str | int, object] = root  # type: ignore[assignment]  # only keys of text here
        *parents, last = value.path
        for step in parents:
            current = current.setdefault(step, {})  # type: ignore[assignment]  # made by us
        current[last] = value.value
    return {key: _lists(value) for key, value in root.items()}


def to_yaml(found: Sequence[Value], *, origin: bool) -> str:
    """The same values as YAML, with their origins as comments if *origin* is true."""
    lines: list[tuple[str, str]] = []
    previous: tuple[str | int, ...] = ()
    for value in found:
        shared = 0
        while shared < min(len(previous), len(value.path) - 1) and (
            previous[shared] == value.path[shared]
        ):
            shared += 1
        for depth in range(shared, len(value.path)):
            step = value.path[depth]
            head = "-" if isinstance(step, int) else f"{_scalar(step)}:"
            text = f"{'  ' * depth}{head}"
            if depth == len(value.path) - 1:
                lines.append((f"{text} {_scalar(value.value)}", value.origin))
            else:
                lines.append((text, ""))
        previous = value.path
    width = min(60, max((len(text) for text, where in lines if where), default=0))
    return "\n".join(
        f"{text:<{width}}  # {where}" if origin and where else text for text, where in lines
    )


def _telemetry(config: LoadedConfig, node: Node | None, dump: "_Dump") -> Iterator[Value]:
    address = config.telemetry.metrics_address
    plain: dict[str, object] = {
        "logs": {"level": config.telemetry.logs.level, "encoding": config.telemetry.logs.encoding},
        "metrics": {"address": f"{address[0]}:{address[1]}"} if address else {"level": "none"},
    }
    if config.telemetry.traces is not None:
        plain["traces"] = dump.plain(config.telemetry.traces)
    yield from _leaves(plain, node, ("service", "telemetry"))


class _Dump:
    """Models to what their YAML would be: durations with units, secrets hidden."""

    def __init__(self, redacted: bool) -> None:
        self._redacted = redacted

    def plain(self, value: object) -> object:
        if isinstance(value, BaseModel):
            return {name: self._field(value, field) for name, field in fields(type(value)).items()}
        if isinstance(value, SecretStr | SecretBytes):
            secret = value.get_secret_value()
            return REDACTED if self._redacted and secret else secret
        if isinstance(value, Mapping):
            return {str(key): self.plain(part) for key, part in value.items()}
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
            return [self.plain(part) for part in value]
        if value is None or isinstance(value, str | int | float | bool):
            return value
        return TypeAdapter(type(value)).dump_python(value, mode="json")

    def _field(self, model: BaseModel, field: Field) -> object:
        value = getattr(model, field.own_name)
        if field.is_duration and isinstance(value, float | int):
            return format_duration(value)
        return self.plain(value)


def _child(node: Node | None, key: str | int) -> Node | None:
    if isinstance(node, MapNode) and isinstance(key, str) and key in node.entries:
        return node.entries[key].value
    if isinstance(node, ListNode) and isinstance(key, int) and key < len(node.items):
        return node.items[key]
    return None


def _leaves(plain: object, node: Node | None, path: tuple[str | int, ...]) -> Iterator[Value]:
    if plain is None:
        return  # Unset. Written as null it would switch a section on.
    if isinstance(plain, dict) and plain:
        for key, part in plain.items():
            yield from _leaves(part, _child(node, key), (*path, key))
    elif isinstance(plain, list) and plain:
        for index, part in enumerate(plain):
            found = _child(node, index) if isinstance(node, ListNode) else node
            yield from _leaves(part, found, (*path, index))
    else:
        yield Value(path, plain, DEFAULT if node is None else _origin(node.position))


def _origin(position: Position) -> str:
    place = position.source.name
    if not place.startswith("--set"):
        place = f"{place}:{position.line}"
    return f"{place} ({position.via})" if position.via else place


def _lists(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_lists(part) for part in value.values()]
    return {key: _lists(part) for key, part in value.items()}


def _scalar(value: object) -> str:
    """A scalar as YAML, quoted only where it would be read as something else."""
    if isinstance(value, str):
        plain = resolve(value) == value and _PLAIN.fullmatch(value) is not None
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)
