"""The loop that fetches, and what it does about errors."""

import asyncio
from collections.abc import Callable, Sequence

import aiokafka.errors as kafka
import structlog
from aiokafka import TopicPartition

from bridge.core import Clock
from bridge.flow import Lane, SourceRecord
from bridge.kafka.consumer import ConsumerClient, Records
from bridge.kafka.errors import is_denied
from bridge.kafka.lane_runner import LaneRunner
from bridge.kafka.trouble import Troubles
from bridge.kafka.unreadable import SUSPICION_S, Suspect

log = structlog.get_logger()

POLL_TIMEOUT_S = 0.5
"""Seconds that one poll waits for records. Only errors and rebalances depend on it."""

BUSY_POLL_TIMEOUT_S = 0.02
"""The same while damaged batches are searched, which must not wait for the healthy partitions."""

PROBE_TIMEOUT_S = 0.2
ERROR_PAUSE_S = 1.0

POLL_BYTES_AIM = 1024 * 1024
"""
Bytes of records that one poll shall bring. aiokafka counts records only, so their number follows
from the sizes seen; a fetch of 1 MiB may hold ten times that once it is decompressed.
"""

_RECORDS_MAX = 2000
_MEMORY = 0.8  # Share of the old average in the new one.


class Poller:
    """
    Brings records to lanes. It polls also while all partitions are paused, or the broker would
    take us for dead (K12 of the reference).

    Args:
        reopen:
            Called with partitions whose position the log does not have.
    """

    def __init__(
        self,
        client: ConsumerClient,
        runner: LaneRunner,
        troubles: Troubles,
        clock: Clock,
        reopen: Callable[[list[TopicPartition]], None],
    ) -> None:
        self._client = client
        self._runner = runner
        self._troubles = troubles
        self._clock = clock
        self._reopen = reopen
        self.may_run = asyncio.Event()
        # What changes: partitions under suspicion, the average record, and whether gaps at the
        # ends of logs are to be taken as read.
        self._suspects: dict[TopicPartition, Suspect] = {}
        self._record_bytes = 4096.0
        self._advance = False

    async def run(self) -> None:
        """
        Poll until cancelled.

        Raises:
            KafkaError: If the consumer is beyond repair and another one is needed.
        """
        await self.may_run.wait()
        while True:
            await self._poll()
            if routine := self._client.broken:
                raise kafka.KafkaError(f"the Kafka client's {routine} routine ended")
            for partition in list(self._suspects):
                await self._probe(partition)

    def advance_soon(self) -> None:
        """Take what lies between the last records read and the position as read, when possible."""
        self._advance = True

    async def _poll(self) -> None:
        wanted: list[TopicPartition] = []
        if self._suspects:
            wanted = [tp for tp in self._client.assignment() if tp not in self._suspects]
            if not wanted:
                if any(not lane.paused for lane in self._runner.lanes.values()):
                    return  # The probes wait.
                wanted = list(self._suspects)  # All are paused: nothing comes, but we are seen.
        timeout_s = BUSY_POLL_TIMEOUT_S if self._suspects else POLL_TIMEOUT_S
        records_max = max(1, min(_RECORDS_MAX, int(POLL_BYTES_AIM / self._record_bytes)))
        try:
            found = await self._client.poll(wanted, timeout_s, records_max)
        except Exception as error:  # noqa: BLE001 - decompressing raises whatever the codec does
            self._rewind()
            if not isinstance(error, kafka.KafkaError):
                self._raise_unless_about_data(error)
                self._suspect_all(error)
            else:
                await self._failed(error)
        else:
            await self._take(found)

    async def _take(self, found: Records) -> None:
        # Which lane records belong to is settled before anything else can run: after a rebalance
        # the same partition has another lane, and records of the old one would leave a gap in it.
        lanes = self._runner.lanes
        taken = [(lanes[tp], records) for tp, records in found.items() if tp in lanes]
        for lane, records in taken:
            self._learn_size(records)
            self._runner.take(lane, records)
            await asyncio.sleep(0)  # A fetch of many partitions must not starve heartbeats.
        if self._advance:
            self._advance = False
            self._advance_books()

    def _advance_books(self) -> None:
        # Everything that was fetched has just been admitted, so a position beyond it means that
        # there was nothing to read: control records, or what compaction left of a batch.
        for partition, lane in self._runner.lanes.items():
            position = self._client.position(partition)
            if lane.opened and position is not None and partition not in self._suspects:
                lane.book.advance(position)

    def _learn_size(self, records: Sequence[SourceRecord]) -> None:
        if records:
            size = sum([len(record.value or b"") for record in records]) / len(records)
            self._record_bytes = max(1.0, _MEMORY * self._record_bytes + (1 - _MEMORY) * size)

    def _rewind(self) -> None:
        """
        Go back to where the lanes are: a poll that fails throws away what it had drained before.

        Without this the next records would leave a gap, and gaps count as finished.
        """
        for partition, lane in self._runner.lanes.items():
            suspect = self._suspects.get(partition)
            if lane.opened and (suspect is None or suspect.damaged_from is None):
                self._client.seek(partition, lane.position)

    def _raise_unless_about_data(self, error: Exception) -> None:
        """What a dead consumer raises says nothing about records, and is raised for ever."""
        if self._client.broken:
            raise error

    async def _failed(self, error: kafka.KafkaError) -> None:
        self._raise_unless_about_data(error)
        if isinstance(error, kafka.NoOffsetForPartitionError):
            return  # We seek where to begin ourselves.
        if isinstance(error, kafka.OffsetOutOfRangeError):
            gone = [tp for tp in error.args[0] if tp in self._runner.lanes]
            log.warning("kafka_position_out_of_range", partitions=[f"{t}/{p}" for t, p in gone])
            self._reopen(gone)
        elif isinstance(error, kafka.CorruptRecordException | kafka.UnsupportedCodecError):
            self._suspect_all(error)
        elif self._troubles_only(error):
            self._troubles.raised("group", error, what="read from Kafka")
            await self._clock.sleep(ERROR_PAUSE_S)
        else:
            raise error

    def _troubles_only(self, error: kafka.KafkaError) -> bool:
        """Whether the same consumer may go on once somebody, or time, has mended it."""
        known = kafka.InconsistentGroupProtocolError | kafka.RecordTooLargeError
        return bool(error.retriable) or is_denied(error) or isinstance(error, known)

    def _suspect_all(self, error: Exception) -> None:
        log.warning("kafka_batch_unreadable", error=repr(error))
        until_s = self._clock.monotonic() + SUSPICION_S
        for partition, lane in self._runner.lanes.items():
            if lane.opened:
                self._suspects.setdefault(partition, Suspect(until_s))

    async def _probe(self, partition: TopicPartition) -> None:
        """Read one record of a suspect, or find one offset that cannot be read."""
        suspect, lane = self._suspects[partition], self._runner.lanes.get(partition)
        if lane is None or lane.closed or not lane.opened:
            del self._suspects[partition]
            return
        if lane.paused:
            return
        try:
            found = await self._client.poll([partition], PROBE_TIMEOUT_S, 1)
        except kafka.CorruptRecordException as error:
            self._damaged(partition, lane, suspect, error)
        except kafka.KafkaError as error:
            self._rewind()
            await self._failed(error)
        except Exception as error:  # noqa: BLE001 - decompressing raises whatever the codec does
            self._damaged(partition, lane, suspect, error)
        else:
            self._probed(partition, lane, suspect, found.get(partition, ()))

    def _damaged(
        self, partition: TopicPartition, lane: Lane, suspect: Suspect, error: Exception
    ) -> None:
        self._raise_unless_about_data(error)
        position, end = self._client.position(partition), self._client.high_watermark(partition)
        if position is not None and not lane.closed:
            # What was not even fetched cannot be damaged, and must not be skipped over.
            if end is None or position >= end[0]:
                raise error
            self._client.seek(partition, suspect.failed_at(position, self._clock.monotonic()))

    def _probed(
        self,
        partition: TopicPartition,
        lane: Lane,
        suspect: Suspect,
        records: Sequence[SourceRecord],
    ) -> None:
        if self._runner.lanes.get(partition) is not lane:
            return
        end = self._client.high_watermark(partition)
        if not records and not suspect.over(end[0] if end else None, self._clock.monotonic()):
            return
        stop = records[0].offset if records else suspect.cursor
        entry = suspect.entry(lane, stop)
        if entry is not None:
            self._runner.take_entries(lane, [entry])
            lane.book.advance(stop)
        if entry is not None or not records:
            del self._suspects[partition]
        if records:
            self._runner.take(lane, records)
