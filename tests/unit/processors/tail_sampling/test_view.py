"""A trace as policies see it."""

import pytest

from bridge.processors.tail_sampling.schema import column_reader
from bridge.processors.tail_sampling.view import PolicyError, TraceView, resource_attributes
from tests.unit.processors.tail_sampling.conftest import TRACE_ID, parts, span

ALL = frozenset({"start", "end", "status", "flags", "trace_state"})


def view(*groups: list[object], **options: object) -> TraceView:
    made = TraceView(column_reader(ALL))
    made.show(TRACE_ID, *parts(*groups, **options))  # type: ignore[arg-type]  # Spans and a resource.
    return made


def test_view_times_of_spans_that_lack_one() -> None:
    """A time that is absent reads 0, and no other span's time takes its place."""
    first, second = span(start_time_unix_nano=5), span(start_time_unix_nano=7, end_time_unix_nano=9)

    assert view([first, second]).times() == ([5, 7], [0, 9])
    assert view([second], [second]).times() == ([7, 7], [9, 9])


def test_view_gives_distinct_resources() -> None:
    """In the order of arrival."""
    made = view([span()], [span()], resource={"a": "b"})

    (head,) = made.resources()
    (attribute,) = resource_attributes(head)
    assert (attribute.key, attribute.value.text) == (b"a", b"b")


def test_view_forgets_the_trace_before() -> None:
    """What was read belongs to one trace."""
    made = view([span(start_time_unix_nano=5)])
    made.times()
    before = (made.framed, made.request)
    made.show(TRACE_ID, *parts([span(start_time_unix_nano=6, end_time_unix_nano=8)]))

    assert made.times() == ([6], [8])
    assert before != (made.framed, made.request)


def test_view_of_bytes_that_cannot_be_decoded() -> None:
    """Whoever asks gets an error for this trace only."""
    made = view([span()])
    body = b"\x12\x04\x4a\x02\x0a\x7f"  # An attribute whose key is cut off.
    chunk = (body, b"", b"", made.parts[0][3])
    made.show(TRACE_ID, [chunk, 0, len(body)], 1)

    with pytest.raises(PolicyError):
        made.span_attributes()
    assert made.times() == ([0], [0])
