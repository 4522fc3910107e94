"""Ids, new ones and given ones."""

import time
import uuid

import pytest

from bridge.ottl import OttlError, OttlSyntaxError
from bridge.ottl.values import ProfileId, SpanId, TraceId
from tests.unit.ottl.running import a_span, cursor_at, value_of


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [("TraceID", TraceId, 16), ("SpanID", SpanId, 8), ("ProfileID", ProfileId, 16)],
)
def test_id_is_made_of_bytes_or_hex(name: str, kind: type[bytes], size: int) -> None:
    """As a literal, or from an attribute."""
    wanted = kind(bytes(range(size)))
    cursor = cursor_at(a_span({"b": bytes(range(size)), "h": wanted.hex(), "short": "ab"}))

    for text in (f"0x{wanted.hex()}", f'"{wanted.hex()}"', 'attributes["b"]', 'attributes["h"]'):
        found = value_of(f"{name}({text})", cursor)
        assert (type(found), found) == (kind, wanted)
    with pytest.raises(OttlSyntaxError, match=f"{size} bytes"):
        value_of(f"{name}(0x01)")
    with pytest.raises(OttlSyntaxError, match="hex"):
        value_of(f'{name}("{"zz" * size}")')
    with pytest.raises(OttlError, match=f"{2 * size} hex digits"):
        value_of(f'{name}(attributes["short"])', cursor)
    with pytest.raises(OttlError, match="not 0"):
        value_of(f'{name}(attributes["none"])', cursor)


def test_uuids_are_new_and_of_their_version() -> None:
    """Version 7 begins with the time."""
    random, timed = uuid.UUID(value_of("UUID()")), uuid.UUID(value_of("UUIDv7()"))

    assert (random.version, timed.version, timed.variant) == (4, 7, uuid.RFC_4122)
    assert value_of("UUID()") != str(random)
    assert abs((timed.int >> 80) / 1000 - time.time()) < 60


@pytest.mark.parametrize(
    ("parent", "is_root"), [(b"", True), (bytes(8), True), (b"12345678", False)]
)
def test_root_span_has_no_parent(parent: bytes, is_root: bool) -> None:
    """An id of zeros is none."""
    assert value_of("IsRootSpan()", cursor_at(a_span(parent_span_id=parent))) is is_root
