"""
The Collector's ``sending_queue``, with another meaning: nothing is acknowledged from a queue.

The keys that make up the Collector's queue are read so that existing files work; what they mean
here is how many deliveries run and wait at the same time.
"""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from bridge.options.base import Options
from bridge.options.duration import Duration

Sizer = Literal["requests", "items", "bytes"]


class BatchPartition(Options):
    """``sending_queue.batch.partition``: what must be equal in one batch."""

    metadata_keys: tuple[str, ...] = ()
    """Request metadata whose values must be equal for data to be joined; case does not matter."""


class QueueBatch(Options):
    """``sending_queue.batch``: join deliveries before they are sent."""

    enabled: bool = True
    """Whether to join at all."""

    flush_timeout: Duration = 0.2
    """Seconds that data waits for company at most; it goes at once when nothing is under way."""

    min_size: int = Field(default=8192, ge=0)
    """Size, in units of `sizer`, at which a batch goes without waiting."""

    max_size: int = Field(default=0, ge=0)
    """Size, in units of `sizer`, that no batch exceeds; 0 for no limit."""

    sizer: Literal["items", "bytes"] = "items"
    """Unit of the sizes: spans, data points and log records, or bytes of OTLP protobuf."""

    partition: BatchPartition = BatchPartition()
    """What keeps data apart."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.flush_timeout < 0:
            raise ValueError("flush_timeout must not be negative")
        if self.max_size and self.max_size < self.min_size:
            raise ValueError(f"max_size {self.max_size} is below min_size {self.min_size}")
        if self.max_size and self.sizer == "bytes":
            raise ValueError(
                "max_size is supported with sizer: items only; requests are split by "
                "max_request_bytes in any case"
            )
        return self


class SendingQueue(Options):
    """The Collector's ``sending_queue``; custody does not depend on any of its keys."""

    enabled: bool = True
    """No effect on custody: a delivery is answered when the backend answered, in any case."""

    num_consumers: int = Field(default=10, ge=1, le=1000)
    """Deliveries that are under way to the backend at the same time."""

    queue_size: int = Field(default=1000, ge=1)
    """
    Deliveries that may wait for their turn, in units of `sizer`. Above it, data that came in by
    OTLP is refused with a hint to come back; data from Kafka waits where it is.
    """

    sizer: Sizer = "requests"
    """Unit of `queue_size`: deliveries, items (spans, data points, log records) or bytes."""

    block_on_overflow: bool = False
    """Let data that came in by OTLP wait instead of refusing it, until its sender's deadline."""

    wait_for_result: bool = True
    """No effect: every delivery waits for its result."""

    batch: QueueBatch | None = None
    """Join deliveries before they are sent; unset leaves them as they come."""

    storage: str | None = None
    """Refused: Kafka is the durable queue."""

    @field_validator("storage")
    @classmethod
    def _no_storage(cls, name: str | None) -> str | None:
        if name:
            raise ValueError(
                "a persistent sending queue does not exist here, since Kafka is the durable "
                "queue: nothing is acknowledged or committed before the backend answered. "
                "Remove storage"
            )
        return name
