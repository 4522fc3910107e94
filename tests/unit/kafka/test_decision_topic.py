"""Decisions as records; with a broker: tests/integration/test_sampling_rules.py."""

from types import SimpleNamespace

import pytest

from bridge.core import Deadline, SystemClock, Unavailable
from bridge.kafka import decision_topic
from bridge.kafka.decision_topic import DecidedTrace, DecisionTopic, _decoded

TRACE = bytes(range(16))


@pytest.mark.parametrize(("value", "sampled"), [(b"sampled", True), (b"not_sampled", False)])
def test_decision_is_read_as_it_was_written(value: bytes, sampled: bool) -> None:
    """The key is the hex id, the value says what was decided, the timestamp when."""
    record = SimpleNamespace(key=TRACE.hex().encode(), value=value, timestamp=7)

    assert _decoded(record) == DecidedTrace(TRACE, sampled, 7)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b"sampled"),
        (b"\xff\xfe", b"sampled"),
        (b"abcd", b"sampled"),
        (TRACE.hex().encode(), b"maybe"),
        (TRACE.hex().encode(), None),
    ],
)
def test_record_of_somebody_else_is_passed_over(key: bytes | None, value: bytes | None) -> None:
    """Nothing that is no decision of ours decides anything."""
    assert _decoded(SimpleNamespace(key=key, value=value, timestamp=7)) is None


async def test_decisions_without_a_broker_are_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing and reading end in time, and closing is safe at any moment."""
    monkeypatch.setattr(decision_topic, "WRITE_TIMEOUT_S", 1.0)
    connection = {"bootstrap_servers": ["127.0.0.1:1"]}
    topic = DecisionTopic(connection, "decisions", span_s=60.0, create=True)
    with pytest.raises(Unavailable, match="write decisions to decisions"):
        await topic.write("spans", {0: [DecidedTrace(TRACE, True, 1)]})
    with pytest.raises(Unavailable, match="read decisions from decisions"):
        await topic.read("spans", 0, 1.0)
    deadline = Deadline.after(1.0, SystemClock())
    await topic.stop(deadline)
    await topic.stop(deadline)
