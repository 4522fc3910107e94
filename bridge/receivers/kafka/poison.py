"""Records that can never be delivered: to the dead letters, dropped by rule, or held."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from bridge.core import Denied, Permanent, Retryable, Settings, State, Status
from bridge.flow import (
    Backoff,
    Column,
    DeadLetters,
    Health,
    Lane,
    Letter,
    ReadRecord,
    SourceRecord,
    Unreadable,
)
from bridge.kafka import Troubles
from bridge.receivers.kafka.route import DENIED_INTERVAL_S, Route, describe
from bridge.receivers.kafka.showing import Showing

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PoisonRules:
    """
    What is done with poison.

    Args:
        letters: Where it goes; `None` for nowhere.
        drop: Drop it, counted, when it cannot go there. False holds the partition.
        group: The consumer group, for letters.
    """

    letters: DeadLetters | None
    drop: bool
    group: str


class Poison:
    """Sets records aside, so that their partition may go on, or holds it."""

    def __init__(
        self,
        settings: Settings,
        rules: PoisonRules,
        backoff: Backoff,
        troubles: Troubles,
        showing: Showing,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._clock = settings.clock
        self._rules = rules
        self._backoff = backoff
        self._troubles = troubles
        self._showing = showing
        self._draw = draw
        self._health = Health(settings, "dead_letter")

    async def set_aside(
        self, lane: Lane, entry: ReadRecord, error: Permanent, route: Route, first_seen_s: float
    ) -> None:
        """
        Finish the record of *entry*, or let it hold *lane*.

        Args:
            first_seen_s:
                When we first had it, in seconds since the Unix epoch.
        """
        letters = self._rules.letters
        if letters is not None:
            letter = self._letter(lane, entry, error, route, first_seen_s)
            try:
                if not await self._write(lane, letters, letter):
                    return
            except Permanent as refusal:
                error = refusal
            else:
                route.figures.dead_lettered.add()
                self._showing.dead_lettered(lane, entry, error, self._clock.wall())
                reason = str(error)
                log.warning("kafka_record_dead_lettered", **describe(lane, entry), reason=reason)
                lane.set_aside([entry.offset], Column.DEAD_LETTERED)
                return
        if self._rules.drop:
            route.figures.drop(lane, [entry], "on_permanent_error", error)
        elif not lane.draining:
            self._hold(lane, entry, error)

    async def _write(self, lane: Lane, letters: DeadLetters, letter: Letter) -> bool:
        """
        Write *letter*, trying again without end.

        Returns:
            Whether it is written; `False` if the lane drains before.

        Raises:
            Permanent: If it can never be written.
        """
        failures = 0
        while not lane.draining:
            try:
                await letters.put(letter)
            except Denied as error:
                self._health.denied(error)
                wait_s = DENIED_INTERVAL_S * (0.5 + self._draw() / 2)
            except Retryable as error:
                failures += 1
                self._health.failed(error, durable=True)
                wait_s = self._backoff.wait_s(failures, error.retry_after_s, self._draw())
            else:
                self._health.succeeded()
                return True
            await self._clock.sleep(wait_s)
        return False

    def _hold(self, lane: Lane, entry: ReadRecord, error: Permanent) -> None:
        where = f"{lane.topic}/{lane.partition}@{entry.offset}"
        hint = f"otlp-bridge dlq skip {where}, or set dead_letter: {{topic: TOPIC}}"
        log.error("kafka_partition_held", **describe(lane, entry), reason=str(error), hint=hint)
        lane.get_stuck(entry.offset, str(error))
        self._troubles.set(
            Status(
                State.PERMANENT,
                f"{where} can never be delivered and holds its partition: {error}",
                hint,
                f"{lane.topic}/{lane.partition}",
            )
        )

    def _letter(
        self, lane: Lane, entry: ReadRecord, error: Permanent, route: Route, first_seen_s: float
    ) -> Letter:
        record = entry.record
        return Letter(
            lane.topic,
            lane.partition,
            entry.offset,
            offset_stop(record),
            record.timestamp,
            record.key,
            record.value,
            tuple(record.headers),
            route.signal,
            route.encoding,
            self._rules.group,
            type(error).__name__,
            str(error),
            first_seen_s,
        )


def offset_stop(record: SourceRecord) -> int:
    """The offset after *record*, or after the last one that it stands for."""
    return record.offset_stop if isinstance(record, Unreadable) else record.offset + 1
