"""Readers that know only what they are asked for."""

import pytest
from google.protobuf.message import DecodeError

from bridge.processors._gathering.schema import FIXED64, PARENT_IDS, TRACE_IDS, Field, make_reader
from tests.unit.processors._gathering.conftest import request, trace_id


def test_reader_merges_spans_into_columns() -> None:
    """A singular message whose fields are repeated collects them over all its occurrences."""
    body = request((trace_id(1), 1), (trace_id(2), 2)) + request((trace_id(3), 3))

    assert [trace_id(n) for n in (1, 2, 3)] == list(TRACE_IDS(body).resource.scope.span.trace_id)


def test_reader_of_framed_spans_gives_parent_ids() -> None:
    """What is framed without an envelope is read as well."""
    framed = b"\x12\x0a\x22\x08parent00\x12\x00"

    assert list(PARENT_IDS(framed).span.parent_span_id) == [b"parent00"]


def test_reader_refuses_broken_bytes() -> None:
    """Bytes that are no protobuf raise what protobuf raises."""
    reader = make_reader({"Root": [Field("time", 7, FIXED64)]})

    with pytest.raises(DecodeError):
        reader(b"\x39\x01")
