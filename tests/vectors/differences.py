"""What a processor did, as the leaves of its output that its input has not."""

from collections.abc import Iterator
from typing import Any


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a `normal` request with the way to it; attributes go by their keys."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}/{key}")
        if not node:
            yield path, {}
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}/{index}")
    elif _is_pairs(node):
        for key, value in node:
            yield f"{path}/{key}", value
    else:
        yield path, node


def _is_pairs(node: Any) -> bool:
    return (
        isinstance(node, list)
        and bool(node)
        and all(
            isinstance(one, list) and len(one) == 2 and isinstance(one[1], list) for one in node
        )
    )


def differences(before: Any, after: Any) -> dict[str, Any]:
    """What *after* has that *before* has not, and what is gone."""
    old, new = dict(leaves(before)), dict(leaves(after))
    found: dict[str, Any] = {
        path: value for path, value in new.items() if path not in old or old[path] != value
    }
    gone = [path for path in old if path not in new]
    return {**found, "gone": gone} if gone else found
