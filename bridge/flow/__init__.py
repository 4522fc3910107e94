"""
What happens to a batch between stages: joining, branching, repeating, taking turns.

Deciding modules (accumulator, backoff) are synchronous and pure; the stages around them only wait.
"""

from bridge.flow.accumulator import Limits, Reason
from bridge.flow.admission import ByteBudget
from bridge.flow.batching import Batching, Grouping
from bridge.flow.chunks import (
    Chunk,
    JoinedRecords,
    LaneLimits,
    ReadRecord,
    consecutive,
    offsets_of,
)
from bridge.flow.compression import Compression, compress, compress_now, decompress
from bridge.flow.dead_letter import (
    DeadLetters,
    Letter,
    SourceRecord,
    Unreadable,
    letter_headers,
    read_letter,
)
from bridge.flow.fan_out import BRANCH_BACKOFF, FanOut
from bridge.flow.in_flight import InFlight
from bridge.flow.islands import METADATA_CHARS_MAX, Log, decode_islands, encode_islands
from bridge.flow.lanes import Lane
from bridge.flow.ledger import OF_GATHERING, OF_KAFKA, OF_OTLP, Account, Column, imbalance
from bridge.flow.otlp_answers import (
    REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX,
    grpc_error,
    http_error,
    make_receipt,
    receipt_of,
    status_message,
)
from bridge.flow.retrying import Backoff, Health, Retrying
from bridge.flow.seldom import Seldom
from bridge.flow.sending import Sending
from bridge.flow.watermark import Run, Watermark

__all__ = [
    # Admitting.
    "ByteBudget",
    # Joining.
    "Batching",
    "Grouping",
    "Limits",
    "Reason",
    # Branching.
    "FanOut",
    "BRANCH_BACKOFF",
    # The ledger.
    "Account",
    "Column",
    "OF_GATHERING",
    "OF_KAFKA",
    "OF_OTLP",
    "imbalance",
    # Repeating and taking turns.
    "Retrying",
    "Backoff",
    "Health",
    "InFlight",
    # Saying things now and then.
    "Seldom",
    # All of it, around one attempt to reach a backend.
    "Sending",
    "Compression",
    "compress",
    "compress_now",
    "decompress",
    # What an OTLP backend answers.
    "grpc_error",
    "http_error",
    "receipt_of",
    "make_receipt",
    "status_message",
    "REQUEST_BYTES_MAX",
    "RESPONSE_BYTES_MAX",
    # The book of a partition, and what is read ahead of it.
    "Watermark",
    "Run",
    "Log",
    "encode_islands",
    "decode_islands",
    "METADATA_CHARS_MAX",
    "Lane",
    "LaneLimits",
    "Chunk",
    "JoinedRecords",
    "consecutive",
    "offsets_of",
    "ReadRecord",
    # Records that will never be delivered.
    "SourceRecord",
    "Unreadable",
    "Letter",
    "DeadLetters",
    "letter_headers",
    "read_letter",
]
