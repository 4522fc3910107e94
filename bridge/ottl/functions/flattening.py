"""The editor that lifts nested maps and lists to the top."""

from typing import Any

from bridge.ottl.errors import OttlError
from bridge.ottl.expressions import Cursor, Place, Run
from bridge.ottl.functions.editors import map_of
from bridge.ottl.functions.registry import function, maybe, need
from bridge.ottl.signature import Kind

FLATTENED_MAX = 10_000
"""Keys that `flatten` lets a map have."""


@function(
    "flatten",
    need("target", Kind.MAP_PLACE),
    maybe("prefix", Kind.TEXT),
    maybe("depth", Kind.NUMBER),
    maybe("resolve_conflicts", Kind.FLAG),
)
def flatten(
    target: Place,
    prefix: str = "",
    depth: int | None = None,
    resolve_conflicts: bool = False,
) -> Run:
    """Lift nested maps and lists to the top with dotted keys."""
    if depth is not None and depth < 1:
        raise ValueError(f"depth {depth} must be greater than 0")

    def run(cursor: Cursor) -> None:
        flat = _Flat(depth, resolve_conflicts)
        flat.add_map(map_of(target, cursor), prefix, 0)
        target.set(cursor, flat.result)

    return run


class _Flat:
    """The map that `flatten` builds."""

    def __init__(self, depth: int | None, resolve: bool) -> None:
        self.result: dict[str, Any] = {}
        self._seen: dict[str, int] = {}
        self._depth = depth
        self._resolve = resolve

    def _deeper(self, depth: int) -> bool:
        return self._depth is None or depth < self._depth

    def add_map(self, values: dict[str, Any], prefix: str, depth: int) -> None:
        start = f"{prefix}." if prefix else ""
        for name, value in values.items():
            self._add(name, value, start, depth)

    def _add(self, name: str, value: Any, start: str, depth: int) -> None:
        if isinstance(value, dict) and self._deeper(depth):
            self.add_map(value, start + name, depth + 1)
        elif isinstance(value, list) and self._deeper(depth):
            for index, inner in enumerate(value):
                self._add_element(start + name, index, inner, depth)
        else:
            self._put(start + name, value)

    def _add_element(self, name: str, index: int, value: Any, depth: int) -> None:
        if isinstance(value, dict) and self._deeper(depth + 1):
            self.add_map(value, f"{name}.{index}", depth + 2)
        elif isinstance(value, list) and self._deeper(depth + 1):
            # The Collector forgets the dot here; its keys are what people's dashboards have.
            for place, inner in enumerate(value):
                self._add(str(place), inner, f"{name}.{index}", depth + 3)
        elif self._resolve:
            self._put(name, value)
        else:
            self._put(f"{name}.{index}", value)

    def _put(self, name: str, value: Any) -> None:
        if self._resolve:
            if name in self.result:
                count = self._seen.get(name, 0)
                self._seen[name] = count + 1
                name = f"{name}.{count}"
            else:
                self._seen[name] = 0
        self.result[name] = value
        if len(self.result) > FLATTENED_MAX:
            raise OttlError(f"a flattened map may have {FLATTENED_MAX} keys")
