"""Changing bytes while records stay told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import Batch, Signal
from bridge.processors._rewrite import rewrite
from bridge.testing import ManualClock, kafka_batch, otlp_origin


def shorten(body: bytes) -> tuple[bytes, int]:
    """A change that drops every x; the same object if there is none."""
    left = body.replace(b"x", b"")
    return (body, 0) if left == body else (left, len(left) - len(body))


def places(batch: Batch) -> list[tuple[int, bytes]]:
    """Each record's offset and its bytes."""
    return [
        (record.offset, batch.body[record.body_start : record.body_stop])
        for record in batch.origin.records
    ]


def test_rewrite_without_records_changes_the_whole() -> None:
    """Nothing changed is the same batch, nothing left is none."""
    batch = Batch(Signal.TRACES, b"axb", 3, otlp_origin(ManualClock()))
    changed = rewrite(batch, shorten)

    assert changed is not None
    assert (changed.body, changed.items) == (b"ab", 2)
    assert rewrite(batch, lambda body: (body, 0)) is batch
    assert rewrite(batch, lambda body: (b"", -3)) is None


@given(st.lists(st.text("abx", max_size=4).map(str.encode), min_size=1, max_size=5))
def test_rewrite_changes_record_by_record(bodies: list[bytes]) -> None:
    """A record of which nothing is left stays listed: it still has to be finished."""
    batch = kafka_batch(Signal.TRACES, *bodies, items=sum(map(len, bodies)), first_offset=7)
    changed = rewrite(batch, shorten)
    left = [body.replace(b"x", b"") for body in bodies]

    if left == bodies:
        assert changed is batch
    elif not any(left):
        assert changed is None
    else:
        assert changed is not None
        assert places(changed) == list(enumerate(left, 7))
        assert changed.items == sum(map(len, left))
        assert changed.origin.custody is batch.origin.custody
        assert [r.timestamp_ms for r in changed.origin.records] == [
            r.timestamp_ms for r in batch.origin.records
        ]


def test_rewrite_raises_what_the_change_raises() -> None:
    """Half a change is none."""

    def fail(body: bytes) -> tuple[bytes, int]:
        if body == b"b":
            raise ValueError("wrong")
        return b"z", 0

    batch = kafka_batch(Signal.TRACES, b"a", b"b", items=2)
    with pytest.raises(ValueError, match="wrong"):
        rewrite(batch, fail)

    assert places(batch) == [(0, b"a"), (1, b"b")]
