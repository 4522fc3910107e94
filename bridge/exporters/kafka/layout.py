"""
What records a route's requests become: one for all that share a partition, or the Collector's.

Three layouts, chosen once for each signal:
- packed: one record for each partition, with the traces of many requests in it;
- joined: no key, so any partition will do, and requests share records;
- separate: keyed records as the Collector writes them, each request by itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from bridge.core import Permanent, Signal
from bridge.exporters.kafka.config import JAEGER, KafkaExporterConfig
from bridge.exporters.kafka.encodings import Encode, Encoded, encoder
from bridge.kafka import Hasher, partition_of, split_for_partitions
from bridge.wire import (
    count_items,
    resource_key,
    split_by_resource,
    split_by_trace,
    trace_key,
)

PACKING_HEADER = ("bridge-packing", b"partition")


class Kind(Enum):
    """The three layouts."""

    PACKED = "packed"
    JOINED = "joined"
    SEPARATE = "separate"


class Key(Enum):
    """What the records of the separate layout are keyed by, if metadata gives no key."""

    NONE = "none"
    TRACE = "trace"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Layout:
    """How one signal's requests become records."""

    signal: Signal
    kind: Kind
    key: Key
    encode: Encode
    is_proto: bool
    copied_bytes_max: int


class Placed(NamedTuple):
    """
    A record to be: its partition, the OTLP request that it holds, and its key.

    `partition` is `None` where any will do.
    """

    partition: int | None
    body: bytes
    encoded: Encoded
    key: bytes | None

    def at(self, partition: int | None) -> "Placed":
        """The same record on another partition."""
        return self._replace(partition=partition)


def layout_of(config: KafkaExporterConfig, signal: Signal) -> Layout:
    """The layout that *config* asks for."""
    options = config.of(signal)
    by_resource = {
        Signal.METRICS: config.partition_metrics_by_resource_attributes,
        Signal.LOGS: config.partition_logs_by_resource_attributes,
    }
    by_trace = {Signal.TRACES: config.by_trace, Signal.LOGS: config.partition_logs_by_trace_id}
    key = Key.NONE
    if by_trace.get(signal):
        key = Key.TRACE
    elif by_resource.get(signal):
        key = Key.RESOURCE
    is_proto = options.encoding == "otlp_proto"
    kind = Kind.SEPARATE
    packs = config.producer.packing == "partition" and not options.message_key_from_metadata_key
    if packs and key is Key.TRACE and not config.round_robin:
        kind = Kind.PACKED if is_proto or options.encoding == "otlp_json" else Kind.SEPARATE
    elif packs and key is Key.NONE and is_proto and options.encoding not in JAEGER:
        kind = Kind.JOINED
    copied_bytes_max = config.producer.max_copied_bytes
    encode = encoder(options.encoding, signal, copied_bytes_max)
    return Layout(signal, kind, key, encode, is_proto, copied_bytes_max)


class Placing:
    """Gives records their partitions by one partitioner's rules."""

    def __init__(self, config: KafkaExporterConfig, choose: Callable[[str, int], int]) -> None:
        """*choose* picks one of so many partitions of a topic where no key decides."""
        self.hasher = config.hasher
        self._round_robin = config.round_robin
        self._choose = choose
        self._turn = 0

    def of_key(self, key: bytes | None, partitions: int) -> int | None:
        """The partition of a key; `None` without one, or where keys do not decide."""
        if self._round_robin:
            self._turn = (self._turn + 1) % partitions
            return self._turn
        return None if key is None else partition_of(key, partitions, self.hasher)

    def of_keyless(self, topic: str, partitions: int) -> int:
        """The partition of what has no key, the same for all that is flushed together."""
        return self._choose(topic, partitions)


def place_packed(
    layout: Layout, bodies: Sequence[bytes], partitions: int, hasher: Hasher, keyless: int
) -> list[list[Placed] | Permanent]:
    """The records of each of *bodies*, one for each partition that it touches."""
    nameless = None if layout.signal is Signal.TRACES else keyless
    results: list[list[Placed] | Permanent] = []
    for pieces in split_for_partitions(
        layout.signal,
        bodies,
        partitions,
        hasher,
        nameless=nameless,
        copied_bytes_max=layout.copied_bytes_max,
    ):
        if isinstance(pieces, Permanent):
            results.append(pieces)
            continue
        results.append(
            [
                Placed(partition, piece.body, encoded, None)
                for partition, piece in pieces.items()
                for encoded in layout.encode(piece.body, piece.items)
            ]
        )
    return results


def place_separate(
    layout: Layout,
    body: bytes,
    items: int,
    partitions: int,
    message_key: bytes | None,
    placing: Placing,
) -> Iterator[Placed]:
    """
    The records of *body* as the Collector writes them.

    A key by trace or resource goes before one from metadata, and that before the encoding's own.

    Raises:
        Malformed: If *body* cannot be read.
        TooLarge: If the records would copy more than the layout allows.
    """
    for key, piece, count in _cut(layout, body, items):
        for encoded in layout.encode(piece, count):
            chosen = key if key is not None else message_key
            if chosen is None:
                chosen = encoded.key
            yield Placed(placing.of_key(chosen, partitions), piece, encoded, chosen)


def _cut(layout: Layout, body: bytes, items: int) -> Iterator[tuple[bytes | None, bytes, int]]:
    if layout.key is Key.TRACE:
        for piece in split_by_trace(layout.signal, body, layout.copied_bytes_max):
            key: bytes | None = trace_key(piece.trace_id)
            if not key and layout.signal is Signal.LOGS:
                key = None
            yield key, piece.body, piece.items
    elif layout.key is Key.RESOURCE:
        for resource, part in split_by_resource(body):
            yield resource_key(resource), part, count_items(layout.signal, part)
    else:
        yield None, body, items
