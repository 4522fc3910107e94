"""
The actions on attributes that the attributes and resource processors share.

Actions run in order over one map of attributes; each sees what those before it did.
"""

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, model_validator

from bridge.core import Metadata
from bridge.options import Options
from bridge.ottl import OttlError
from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.codec import decode, encode, split_pair
from bridge.ottl.gotext import attribute_text, parse_float, parse_int
from bridge.ottl.regex import compile_pattern, remember, to_bytes, to_text
from bridge.ottl.signature import truncated

METADATA_PREFIX = "metadata."
_UNAVAILABLE = ("client.address", "auth.")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


ActionName = Annotated[
    Literal["insert", "update", "upsert", "delete", "hash", "extract", "convert"],
    BeforeValidator(_lower),
]


class ActionOptions(Options):
    """One action on one attribute, or on all whose keys match a pattern."""

    action: ActionName
    """insert (if missing), update (if there), upsert (both), delete, hash, extract, convert."""
    key: str = ""
    """The attribute that is changed, or read by extract."""
    value: Any = None
    """What insert, update and upsert put; any type, lists and maps too."""
    from_attribute: str = ""
    """The attribute whose value they put; nothing happens if it is missing."""
    from_context: str = ""
    """
    The request metadata they put: ``metadata.<key>``, or the plain key. Several values are joined
    by ``;``. Needs include_metadata at the receiver; a Kafka receiver gives the record's headers.
    """
    default_value: Any = None
    """What they put if from_attribute and from_context find nothing."""
    pattern: str = ""
    """An RE2 pattern: of keys for delete and hash, with named groups of the value for extract."""
    converted_type: Literal["", "int", "double", "string"] = ""
    """What convert makes of the value."""

    @model_validator(mode="after")
    def _check(self) -> "ActionOptions":
        if not self.key and not (self.action in ("delete", "hash") and self.pattern):
            raise ValueError(f"{self.action} needs a key")
        _CHECKS.get(self.action, _check_put)(self)
        return self


def _check_put(action: ActionOptions) -> None:
    sources = _sources(action)
    if not sources and action.default_value is None:
        raise ValueError(
            f"{action.action} {action.key!r} needs one of value, from_attribute, from_context "
            "and default_value"
        )
    if len(sources) > 1:
        raise ValueError(f"{action.action} {action.key!r} takes only one of {', '.join(sources)}")
    _refuse(action, "pattern", "converted_type")
    if action.from_context.startswith(_UNAVAILABLE):
        raise ValueError(
            f"from_context {action.from_context!r} is not available: only metadata.<key> is"
        )
    for value in (action.value, action.default_value):
        try:
            encode(value)
        except OttlError as error:
            raise ValueError(f"{action.action} {action.key!r}: {error}") from error


def _check_keys(action: ActionOptions) -> None:
    _refuse(action, "value", "from_attribute", "converted_type")
    if action.pattern:
        compile_pattern(action.pattern)


def _check_extract(action: ActionOptions) -> None:
    _refuse(action, "value", "from_attribute", "from_context", "converted_type")
    if not action.pattern:
        raise ValueError(f"extract from {action.key!r} needs a pattern")
    compiled = compile_pattern(action.pattern)
    if not compiled.groups or len(compiled.groupindex) < compiled.groups:
        raise ValueError(
            f"the pattern of extract from {action.key!r} needs named groups only: (?P<name>...)"
        )


def _check_convert(action: ActionOptions) -> None:
    _refuse(action, "value", "from_attribute", "from_context", "pattern")
    if not action.converted_type:
        raise ValueError(f"convert {action.key!r} needs converted_type: int, double or string")


_CHECKS: dict[str, Callable[[ActionOptions], None]] = {
    "delete": _check_keys,
    "hash": _check_keys,
    "extract": _check_extract,
    "convert": _check_convert,
}


def _sources(action: ActionOptions) -> list[str]:
    names = ("value", "from_attribute", "from_context")
    return [name for name in names if _is_given(action, name)]


def _is_given(action: ActionOptions, name: str) -> bool:
    """An empty text is a value to put, but no name of anything."""
    given = getattr(action, name)
    return given is not None and (given != "" or name == "value")


def _refuse(action: ActionOptions, *names: str) -> None:
    for name in names:
        if _is_given(action, name):
            raise ValueError(f"{action.action} does not use {name}")


Act = Callable[[Attributes, Metadata], None]


def compile_actions(actions: Sequence[ActionOptions]) -> Act:
    """One function that runs *actions* in order over a map of attributes."""
    acts = [_COMPILERS[action.action](action) for action in actions]

    def run(attributes: Attributes, metadata: Metadata) -> None:
        for act in acts:
            act(attributes, metadata)

    return run


def _source(action: ActionOptions) -> Callable[[Attributes, Metadata], bytes | None]:
    """Finds the serialized value that is put; `None` if there is none."""
    if action.value is not None:
        fixed = encode(action.value)
        return lambda attributes, metadata: fixed
    default = None if action.default_value is None else encode(action.default_value)
    if action.from_context:
        name = action.from_context.removeprefix(METADATA_PREFIX).lower()

        def from_context(attributes: Attributes, metadata: Metadata) -> bytes | None:
            values = metadata.get(name)
            return encode(";".join(values)) if values else default

        return from_context
    if action.from_attribute:
        key = Key(action.from_attribute)

        def from_attribute(attributes: Attributes, metadata: Metadata) -> bytes | None:
            found = attributes.get_raw(key)
            return default if found is None else found

        return from_attribute
    return lambda attributes, metadata: default


def _put(action: ActionOptions) -> Act:
    source, key = _source(action), Key(action.key)
    if_missing, if_there = action.action != "update", action.action != "insert"

    def act(attributes: Attributes, metadata: Metadata) -> None:
        value = source(attributes, metadata)
        if value is None:
            return
        if if_there if attributes.find(key) >= 0 else if_missing:
            attributes.put(key, key.raw_pair(value))

    return act


def _delete(action: ActionOptions) -> Act:
    key = Key(action.key)
    matches = remember(action.pattern) if action.pattern else None
    answers: dict[bytes, bool] = {}

    def act(attributes: Attributes, metadata: Metadata) -> None:
        attributes.remove(key)
        if matches is not None:
            attributes.keep(lambda name: not matches(name), answers)

    return act


def _hash(action: ActionOptions) -> Act:
    key = Key(action.key)
    matches = remember(action.pattern) if action.pattern else None

    def act(attributes: Attributes, metadata: Metadata) -> None:
        if attributes.find(key) >= 0:
            attributes.set(key, hashed(attributes.get(key)))
        if matches is None:
            return
        for pair in list(attributes.pairs):
            name, value = split_pair(pair)
            if matches(name):
                attributes.set(Key(name), hashed(decode(value)))

    return act


def hashed(value: Any) -> str:
    """
    The SHA-256 of a value in hex, as the Collector takes it.

    Numbers are hashed as eight little-endian bytes, a bool as one; bytes, lists, maps and nil have
    no hash and give an empty text.
    """
    match value:
        case str():
            data = to_bytes(value)
        case bool():
            data = bytes([value])
        case int():
            data = struct.pack("<q", value)
        case float():
            data = struct.pack("<d", value)
        case _:
            return ""
    return hashlib.sha256(data).hexdigest()


def _extract(action: ActionOptions) -> Act:
    key, compiled = Key(action.key), compile_pattern(action.pattern)
    numbers = sorted((number, name) for name, number in compiled.groupindex.items())
    targets = [(number, Key(to_text(name))) for number, name in numbers]

    def act(attributes: Attributes, metadata: Metadata) -> None:
        value = attributes.get(key)
        found = compiled.search(to_bytes(value)) if type(value) is str else None
        if found is None:
            return
        for number, target in targets:
            attributes.set(target, to_text(found.group(number) or b""))

    return act


def _convert(action: ActionOptions) -> Act:
    key, convert = Key(action.key), _CONVERSIONS[action.converted_type]

    def act(attributes: Attributes, metadata: Metadata) -> None:
        if attributes.find(key) >= 0:
            attributes.set(key, convert(attributes.get(key)))

    return act


def _to_int(value: Any) -> Any:
    try:
        match value:
            case bool():
                return int(value)
            case float():
                return truncated(value)
            case str():
                return parse_int(value)
    except OttlError:
        pass
    return value


def _to_double(value: Any) -> Any:
    try:
        match value:
            case bool() | int():
                return float(value)
            case str():
                return parse_float(value)
    except OttlError:
        pass
    return value


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "int": _to_int,
    "double": _to_double,
    "string": attribute_text,
}

_COMPILERS: dict[str, Callable[[ActionOptions], Act]] = {
    "insert": _put,
    "update": _put,
    "upsert": _put,
    "delete": _delete,
    "hash": _hash,
    "extract": _extract,
    "convert": _convert,
}
