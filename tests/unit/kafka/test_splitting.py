"""Requests are split for partitions, compiled or not, with the same result."""

import pytest

from bridge.core import Malformed, Signal
from bridge.kafka import Hasher, split_for_partitions, split_joined, trace_partitions
from bridge.testing import Order, trace_request
from bridge.wire import count_items, native


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("hasher", ["sarama_compat", "murmur2"])
def test_split_puts_every_trace_on_its_partition(order: Order, hasher: Hasher) -> None:
    """Spans arrive on the partition of their trace, whoever wrote them."""
    made = trace_request(traces=40, spans_per_trace=3, order=order)
    (pieces,) = split_for_partitions(Signal.TRACES, [made.body], 12, hasher)
    assert isinstance(pieces, dict)

    assert made.items == sum(piece.items for piece in pieces.values())
    for trace_id in made.trace_ids:
        (partition,) = trace_partitions([trace_id], 12, hasher)
        assert trace_id in pieces[partition].body
        assert not any(trace_id in piece.body for p, piece in pieces.items() if p != partition)


def test_split_reports_broken_bodies_at_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """One broken request costs its neighbours nothing, with the compiled form and without."""
    good, broken = trace_request().body, b"\x0a\x06\x12\x04\x12\x02\x0a\x10"
    for compiled in (True, False):
        if not compiled:
            monkeypatch.setattr(native, "_compiled", None)
        first, second, third = split_for_partitions(
            Signal.TRACES, [good, broken, good], 3, "sarama_compat"
        )
        assert first == third
        assert isinstance(first, dict)
        assert isinstance(second, Malformed)


def test_split_of_logs_without_a_trace_goes_where_it_is_told() -> None:
    """Log records that name no trace have no key: any one partition will do for them."""
    body = b"\x0a\x06\x12\x04\x12\x00\x12\x00"
    (pieces,) = split_for_partitions(Signal.LOGS, [body], 12, "sarama_compat", nameless=7)
    assert isinstance(pieces, dict)

    assert list(pieces) == [7]
    assert count_items(Signal.LOGS, pieces[7].body) == 2


@pytest.mark.skipif(not native.available(), reason="joining is the compiled form's alone")
def test_joined_logs_without_a_trace_go_where_they_are_told() -> None:
    """Together with those that hash there; without a place for them nothing is joined."""
    trace_id = bytes(range(1, 17))
    nameless = b"\x0a\x06\x12\x04\x12\x02\x10\x09"
    assert count_items(Signal.LOGS, nameless) == 1
    named = b"\x0a\x18\x12\x16\x12\x14\x10\x09\x4a\x10" + trace_id
    (home,) = trace_partitions([trace_id], 3, "sarama_compat")
    bodies = [nameless, named]
    joined = split_joined(
        Signal.LOGS, bodies, ["a", "b"], 3, "sarama_compat", bytes_max=99, nameless=home
    )

    assert [(home, nameless, 1, [("a", 1, 8)]), (home, named, 1, [("b", 1, 26)])] == joined
    assert split_joined(Signal.LOGS, bodies, [0, 1], 3, "sarama_compat", bytes_max=99) is None
