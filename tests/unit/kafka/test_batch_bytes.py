"""The bytes around records: alike in both forms, and what others read."""

from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import load_compiled
from bridge.kafka import batch_bytes

COMPILED = load_compiled("bridge.kafka")
needs_compiler = pytest.mark.skipif(
    COMPILED is None, reason="installed without a C compiler: there is no compiled form"
)
INT32, INT64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)


@needs_compiler
@given(
    key=st.none() | st.binary(max_size=300),
    value_bytes=st.integers(0, 2**31 - 1),
    tail_bytes=st.integers(0, 2**20),
    delta_ms=INT64,
    number=st.integers(0, 2**31 - 1),
)
def test_heads_of_records_are_alike(
    key: bytes | None, value_bytes: int, tail_bytes: int, delta_ms: int, number: int
) -> None:
    """At every length of every number."""
    assert COMPILED is not None
    arguments = key, value_bytes, tail_bytes, delta_ms, number

    assert batch_bytes.head_in_python(*arguments) == COMPILED.record_head(*arguments)


@needs_compiler
@given(
    attributes=st.integers(0, 7),
    count=st.integers(0, 2**31 - 1),
    times=st.tuples(INT64, INT64),
    producer=st.tuples(INT64, st.integers(-1, 2**15 - 1), INT32),
    pieces=st.lists(st.binary(max_size=100), max_size=5),
)
def test_batches_are_alike(
    attributes: int, count: int, times: Any, producer: Any, pieces: list[bytes]
) -> None:
    """Checksum included."""
    arguments = attributes, count, *times, *producer, pieces

    assert batch_bytes.frame_in_python(*arguments) == _compiled_frame(*arguments)


def _compiled_frame(*arguments: Any) -> bytes:
    assert COMPILED is not None
    try:
        framed: bytes = COMPILED.frame_batch(*arguments)
    except NotImplementedError:
        pytest.skip("this processor has no instruction for the checksum")
    return framed


def test_batch_is_what_others_read() -> None:
    """aiokafka's reader finds the records, the producer and a checksum that is right."""
    pieces = []
    for number, (key, value) in enumerate([(None, b"one"), (b"key", b"two")]):
        pieces += [batch_bytes.record_head(key, len(value), 1, 7 * number, number), value, b"\0"]
    batch = DefaultRecordBatch(batch_bytes.frame_batch(0, 2, 1000, 1007, 77, 3, 5, pieces))

    assert batch.validate_crc()
    assert (batch.producer_id, batch.producer_epoch, batch.base_sequence) == (77, 3, 5)
    assert [(one.offset, one.timestamp, one.key, one.value) for one in batch] == [
        (0, 1000, None, b"one"),
        (1, 1007, b"key", b"two"),
    ]


@needs_compiler
def test_compiled_form_refuses_what_it_cannot_hold() -> None:
    """Sizes beyond a record's, and pieces that are no bytes."""
    assert COMPILED is not None
    for sizes in ((-1, 0), (0, -1), (2**31, 0), (0, 2**40)):
        with pytest.raises(OverflowError):
            COMPILED.record_head(None, *sizes, 0, 0)
    for pieces in ([None], ["text"], [b"", bytearray(b"x")]):
        with pytest.raises((TypeError, NotImplementedError)):
            COMPILED.frame_batch(0, 1, 0, 0, -1, -1, -1, pieces)
