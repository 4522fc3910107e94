"""Telling the group how far we are: lowest unfinished offsets, with islands in the metadata."""

import asyncio
from collections.abc import Iterable

import aiokafka.errors as kafka
import structlog
from aiokafka import TopicPartition

from bridge.core import DeliveryError, Metrics
from bridge.flow import METADATA_CHARS_MAX, Lane, encode_islands
from bridge.kafka.consumer import ConsumerClient
from bridge.kafka.embedded_guard import EmbeddedGuard
from bridge.kafka.errors import map_kafka_error

log = structlog.get_logger()


class Committer:
    """
    Commits what lanes finished. One commit at a time, so that none spans two assignments.

    Args:
        islands:
            Whether to write them; not for topics whose metadata another tool owns.
        guard:
            The embedded broker's, which is told what it may forget.
    """

    def __init__(
        self,
        client: ConsumerClient,
        metrics: Metrics,
        labels: dict[str, str],
        *,
        group: str,
        principal: str,
        islands: bool,
        guard: EmbeddedGuard | None,
    ) -> None:
        self._client = client
        self._group = group
        self._principal = principal
        self._guard = guard
        self._commits = metrics.counter("bridge_kafka_receiver_commits", labels)
        self._failures = metrics.counter("bridge_kafka_receiver_commit_failures", labels)
        # What changes: how long the metadata may be, and who is committing.
        self._chars_max = METADATA_CHARS_MAX if islands else 0
        self._turn = asyncio.Lock()

    async def commit(self, lanes: Iterable[Lane]) -> None:
        """
        Commit what changed since the last time in *lanes*.

        A commit of a group that moved on without us is no error: the new owner reads it again.

        Raises:
            Unavailable: If the brokers did not take it; nothing is lost by trying again later.
            Denied: If we may not commit.
        """
        async with self._turn:
            wanted = {
                (lane, offset, metadata)
                for lane in lanes
                if lane.opened and not lane.closed
                for offset, metadata in [self._progress(lane)]
                if (offset, metadata) != lane.last_commit
            }
            if wanted:
                await self._send(wanted)

    async def _send(self, wanted: set[tuple[Lane, int, str]]) -> None:
        offsets = {
            TopicPartition(lane.topic, lane.partition): (offset, metadata)
            for lane, offset, metadata in wanted
        }
        try:
            await self._client.commit(offsets)
        except kafka.OffsetMetadataTooLargeError:
            self._chars_max //= 2
            log.warning(
                "commit_metadata_shortened",
                chars_max=self._chars_max,
                reason="the brokers' offset.metadata.max.bytes is below the default of 4096",
            )
            return
        except (kafka.CommitFailedError, kafka.IllegalStateError) as error:
            self._failures.add()
            log.info("commit_came_too_late", group=self._group, reason=str(error))
            return
        except (kafka.KafkaError, OSError) as error:
            self._failures.add()
            raise self._translate(error) from error
        self._commits.add()
        for lane, offset, metadata in wanted:
            lane.last_commit = (offset, metadata)
            if self._guard is not None:
                self._guard.committed(lane.topic, lane.partition, offset)

    def _progress(self, lane: Lane) -> tuple[int, str]:
        offset = lane.book.committed
        if not self._chars_max:
            return offset, ""
        return offset, encode_islands(offset, lane.book.islands(), chars_max=self._chars_max)

    def _translate(self, error: BaseException) -> DeliveryError:
        return map_kafka_error(
            error,
            what=f"commit offsets of group {self._group}",
            group=self._group,
            principal=self._principal,
        )
