"""From Kafka records to entries of a lane: decoding, counting, headers. Pure."""

from collections.abc import Sequence
from types import MappingProxyType

import structlog

from bridge.core import NO_METADATA, Malformed, Metadata, Permanent, Signal
from bridge.flow import ReadRecord, SourceRecord
from bridge.receivers.kafka.encodings import Decode, otlp_proto
from bridge.receivers.kafka.header_extraction import HeaderAttributes
from bridge.wire import RequestLimits, count_items, count_many

log = structlog.get_logger()

PACKING_HEADER = "bridge-packing"
"""What our exporter marks packed records with: of no meaning to a pipeline."""

_DEFAULT_LIMITS = RequestLimits()

Headers = Sequence[tuple[str, bytes | None]]


class RecordReader:
    """
    Reads the records of one topic.

    Every header becomes metadata (lower-case name), as do ``kafka.topic`` and
    ``kafka.partition``. Only records with equal headers are joined later, so a batch has one
    answer for each; ``kafka.offset`` differs in every record and is set for batches of one.
    """

    def __init__(
        self,
        signal: Signal,
        decode: Decode,
        attributes: HeaderAttributes | None,
        limits: RequestLimits = _DEFAULT_LIMITS,
    ) -> None:
        self.signal = signal
        self._limits = limits
        self._decode = decode
        self._attributes = attributes
        # What changes: the last metadata made, since neighbours mostly share theirs.
        self._known: tuple[str, int, Headers] | None = None
        self._metadata: Metadata = NO_METADATA

    def read_all(self, records: Sequence[SourceRecord]) -> list[ReadRecord]:
        """
        The entries of *records*, in order, as `read` gives them.

        What is OTLP already is counted at once; whatever is odd about a record is for `read`.
        """
        if self._decode is not otlp_proto or self._attributes is not None:
            return [self.read(record) for record in records]
        bodies = [record.value for record in records]
        counts = count_many(self.signal, bodies, self._limits)
        entries: list[ReadRecord] = []
        headers, metadata = None, NO_METADATA
        for record, body, items in zip(records, bodies, counts, strict=True):
            if items is None or body is None:
                entries.append(self.read(record))
                continue
            if record.headers is not headers:
                # The same object for neighbours with the same headers, of one partition.
                headers, metadata = record.headers, self._metadata_of(record)
            entries.append(
                ReadRecord(record.offset, record.timestamp, body, items, metadata, record)
            )
        return entries

    def read(self, record: SourceRecord) -> ReadRecord:
        """The entry of one record; with a fault if it is not what it should be."""
        metadata = self._metadata_of(record)
        try:
            body = self._decode(record)
            # Before anything decodes it to objects.
            items = count_items(self.signal, body, self._limits)
            if self._attributes is not None:
                body = self._attributes.add(body, record.headers)
        except Permanent as error:
            fault: Permanent = error
        except Exception as error:
            # A decoder that stumbles must not stop the reading of every partition, again and
            # again at the same record: the record is set aside with what it was.
            log.exception("kafka_decoder_failed", topic=record.topic, offset=record.offset)
            fault = Malformed(f"the record cannot be decoded: {error!r}")
        else:
            return ReadRecord(record.offset, record.timestamp, body, items, metadata, record)
        return ReadRecord(record.offset, record.timestamp, b"", 0, metadata, record, fault)

    def _metadata_of(self, record: SourceRecord) -> Metadata:
        key = (record.topic, record.partition, record.headers)
        if key != self._known:
            self._known = key
            self._metadata = _metadata(record)
        return self._metadata


def _metadata(record: SourceRecord) -> Metadata:
    values: dict[str, list[str]] = {}
    for name, content in record.headers:
        if name != PACKING_HEADER:
            text = (content or b"").decode(errors="replace")
            values.setdefault(name.lower(), []).append(text)
    values["kafka.topic"] = [record.topic]
    values["kafka.partition"] = [str(record.partition)]
    return MappingProxyType({name: tuple(texts) for name, texts in values.items()})


def with_offset(metadata: Metadata, offset: int) -> Metadata:
    """*metadata* of a batch that holds the one record at *offset*."""
    return MappingProxyType({**metadata, "kafka.offset": (str(offset),)})
