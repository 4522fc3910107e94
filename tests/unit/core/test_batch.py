"""The unit that travels."""

from bridge.core import NO_METADATA, Batch, Deadline, Origin, Signal, SystemClock


def test_with_body_keeps_origin_and_metadata() -> None:
    """A changed body is a new batch; the old one is untouched."""
    origin = Origin("otlp")
    before = Batch(Signal.TRACES, b"a", 1, origin, {"tenant": ("x",)})
    after = before.with_body(b"bc", 2)

    assert (after.body, after.items, after.origin, after.metadata) == (
        b"bc",
        2,
        origin,
        {"tenant": ("x",)},
    )
    assert before.body == b"a"
    assert Batch(Signal.LOGS, b"", 0, origin).metadata is NO_METADATA


def test_origin_without_deadline_is_durable() -> None:
    """Only a sender that waits makes a batch transient."""

    assert Origin("kafka").durable
    assert not Origin("otlp", Deadline.after(4, SystemClock())).durable


def test_signal_items_are_the_collectors_nouns() -> None:
    """Metric names are built from these nouns."""

    assert [signal.items for signal in Signal] == ["spans", "metric_points", "log_records"]
