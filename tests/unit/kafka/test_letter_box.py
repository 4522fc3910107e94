"""How letters are given back; with a broker: tests/integration."""

from dataclasses import replace

import pytest

from bridge.core import Malformed, Refused, Signal
from bridge.flow import Letter
from bridge.kafka.letter_box import Outgoing, plan_replay
from bridge.kafka.partitioners import partition_of
from bridge.testing import trace_request
from bridge.wire import count_items

BODY = trace_request(30).body
LETTER = Letter(
    "spans", 3, 7, 8, 1000, b"key", BODY, (("tenant", b"a"),), Signal.TRACES, "otlp_proto",
    "processing", "Refused", "odd", 0.0,
)  # fmt: skip
PACKED = replace(LETTER, key=None, headers=(("bridge-packing", b"partition"),))


def test_replay_of_a_record_goes_to_its_partition() -> None:
    """Key, headers, time and partition are those of the original."""
    (record,) = plan_replay(LETTER, 12, "sarama_compat")

    assert record == Outgoing("spans", 3, b"key", BODY, (("tenant", b"a"),), 1000)


def test_replay_of_a_trace_key_goes_where_the_key_belongs_now() -> None:
    """When the topic has grown, the trace's other spans are elsewhere."""
    key = b"4dfa6c46609c4772e24ca0f8d430c36f"

    (record,) = plan_replay(replace(LETTER, key=key), 7, "murmur2")

    assert record.partition == partition_of(key, 7, "murmur2")


def test_replay_of_a_packed_record_is_split() -> None:
    """Every trace goes where the present number of partitions puts it."""
    records = plan_replay(PACKED, 5, "sarama_compat")

    assert len({record.partition for record in records}) == len(records) > 1
    assert sum(count_items(Signal.TRACES, record.value) for record in records) == 30
    assert {(record.key, record.headers) for record in records} == {(None, PACKED.headers)}


def test_replay_of_packed_metrics_is_not_split() -> None:
    """Metrics belong to no trace: they go back as they were."""
    (record,) = plan_replay(replace(PACKED, signal=Signal.METRICS), 12, "sarama_compat")

    assert (record.partition, record.value) == (3, BODY)


def test_replay_without_the_original_is_refused() -> None:
    """A damaged batch has nothing to give back."""
    with pytest.raises(Refused, match="no original"):
        plan_replay(replace(LETTER, offset_stop=12, value=b""), 12, "sarama_compat")


def test_replay_to_a_partition_that_is_gone_is_refused() -> None:
    """A topic that was made anew with fewer partitions is not guessed about."""
    with pytest.raises(Refused, match="only 2 partitions"):
        plan_replay(LETTER, 2, "sarama_compat")


def test_replay_of_packed_garbage_is_refused() -> None:
    """What cannot be split cannot be placed."""
    with pytest.raises(Malformed):
        plan_replay(replace(PACKED, value=b"\xff\xff"), 12, "sarama_compat")
