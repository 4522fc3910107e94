"""Writing dead letters to a topic."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiokafka.errors as kafka
from aiokafka import AIOKafkaProducer

from bridge.core import Deadline
from bridge.flow import Letter, letter_headers
from bridge.kafka.closing import close_client
from bridge.kafka.errors import map_kafka_error
from bridge.kafka.presence import missing_topics

PUT_TIMEOUT_S = 20.0
"""Seconds for one letter, with connecting; afterwards whoever has it tries again."""

_CLOSE_TIMEOUT_S = 5.0
_RECORD_BYTES_MAX = 256 * 1024 * 1024  # The topic's max.message.bytes shall decide, not the client.


class DeadLetterWriter:
    """
    Letters into one topic, each acknowledged by all in-sync replicas. Fulfils `DeadLetters`.

    The producer is made with the first letter: most processes never write one.
    """

    def __init__(self, connection: Mapping[str, Any], topic: str, principal: str = "") -> None:
        self.topic = topic
        self._connection = connection
        self._principal = principal
        # What changes: the producer in use; replaced after any failure, since letters are rare and
        # a producer that failed may stay in a state that it does not leave.
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def put(self, letter: Letter) -> None:
        """
        Write *letter* and wait until it is safe. May write it twice if an answer was lost.

        Raises:
            Unavailable: If it was not acknowledged in time.
            TooLarge, Refused: If the topic does not take it.
            Denied: If the topic is missing or we may not write to it.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(PUT_TIMEOUT_S):
                    await self._send(letter)
            except (kafka.KafkaError, OSError) as error:
                await self._close(_CLOSE_TIMEOUT_S)
                raise map_kafka_error(
                    error,
                    what=f"write a dead letter to {self.topic}",
                    topic=self.topic,
                    principal=self._principal,
                ) from error

    async def stop(self, deadline: Deadline) -> None:
        """Close the connection. Safe twice."""
        await self._close(min(_CLOSE_TIMEOUT_S, deadline.remaining_s))

    async def _send(self, letter: Letter) -> None:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                **self._connection,
                acks="all",
                compression_type="zstd",
                max_request_size=_RECORD_BYTES_MAX,
            )
            await self._producer.start()
            if await missing_topics(self._producer.client, [self.topic]):
                raise kafka.UnknownTopicOrPartitionError(self.topic)
        await self._producer.send_and_wait(
            self.topic,
            # aiokafka refuses a record without both; an empty value stands for a damaged batch.
            letter.value if letter.value is not None or letter.key is not None else b"",
            letter.key,
            headers=[(name, content) for name, content in letter_headers(letter)],
        )

    async def _close(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Bounded: `stop` waits for batches that nobody waits for any more.
            await close_client(producer, timeout_s)
