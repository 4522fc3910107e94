"""
How fetched bytes become records inside aiokafka's consumer: by our reader instead of its own.

aiokafka has no door for this. The one method of its fetcher that makes records of an answer gets a
copy with two names replaced, for this consumer alone; everything around it, from positions to
pausing, stays aiokafka's.
"""

import types
from collections.abc import Iterator
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher as theirs
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, Fetcher, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from bridge.kafka.record_reader import batch_heads, is_readable, read_batch

_METHOD = "_proc_fetch_request"


def read_by_ourselves(fetcher: Fetcher) -> None:
    """
    Let *fetcher* make records by `bridge.kafka.record_reader`.

    To be called before it fetches. Old formats of records, and readers of committed transactions
    only, go aiokafka's own way.
    """
    function = getattr(Fetcher, _METHOD)
    names = {**vars(theirs), "MemoryRecords": _KeptBytes, "PartitionRecords": _OurRecords}
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    setattr(fetcher, _METHOD, types.MethodType(copy, fetcher))


def bytes_of(result: object) -> int:
    """Bytes, as fetched, that a result which waits to be handed out holds; 0 for an error."""
    records = getattr(getattr(result, "_partition_records", None), "_records", None)
    return len(records.data) if isinstance(records, _KeptBytes) else 0


class _KeptBytes(MemoryRecords):  # type: ignore[misc] # Untyped there.
    """aiokafka's view of an answer, which hides the bytes that it is made of."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _OurRecords(PartitionRecords):  # type: ignore[misc] # Untyped there.
    """The records of one partition, read batch by batch as they are asked for."""

    _records: _KeptBytes
    _tp: TopicPartition
    _isolation_level: int
    _records_iterator: Iterator[Any] | None
    next_fetch_offset: int

    def __iter__(self) -> Iterator[Any]:
        return self._records_iterator if self._records_iterator is not None else iter(())

    def _unpack_records(self) -> Iterator[Any]:
        data = self._records.data
        if self._isolation_level != READ_UNCOMMITTED or not is_readable(data):
            yield from super()._unpack_records()
            return
        topic, partition = self._tp
        for head in batch_heads(data):
            if not head.is_control:
                for record in read_batch(topic, partition, data, head, self.next_fetch_offset):
                    self.next_fetch_offset = record.offset + 1
                    yield record
            # Compaction may have taken the last records: the next fetch begins behind them.
            self.next_fetch_offset = max(self.next_fetch_offset, head.next_offset)
