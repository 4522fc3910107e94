"""
Kafka behind our own contracts: connection settings, supervised producing, consuming.

aiokafka is imported here and in no other folder; its faults are handled here
(`bridge/kafka/producer.py`, `bridge/kafka/consumer.py`), and its errors become ours in
`bridge/kafka/errors.py`.

The door opens name by name: who produces does not load what consumes, nor the other way round.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.kafka.backlog import Backlog, BacklogLimits
    from bridge.kafka.client import ClientConfig, connection_kwargs, why_unreachable
    from bridge.kafka.codecs import Codec, Compression, codec
    from bridge.kafka.consumer import Fetching, Membership, Subscription
    from bridge.kafka.dead_letter import DeadLetterWriter
    from bridge.kafka.decision_topic import DecidedTrace, DecisionTopic
    from bridge.kafka.embedded_guard import guard_of
    from bridge.kafka.errors import is_denied, map_kafka_error
    from bridge.kafka.flusher import Flusher, FlushEvents, FlushOptions
    from bridge.kafka.following import Finished, Follower
    from bridge.kafka.inspection import (
        NO_COORDINATOR,
        ClusterFacts,
        GroupFacts,
        PartitionFacts,
        TopicFacts,
        inspect_cluster,
    )
    from bridge.kafka.lag import PartitionLag, read_lag
    from bridge.kafka.lane_runner import LaneHandler, Windows
    from bridge.kafka.letter_box import Filed, LetterBox
    from bridge.kafka.offsets import (
        OffsetMove,
        ResetTarget,
        describe_group,
        plan_reset,
        reset_offsets,
    )
    from bridge.kafka.packing import Entry, Share, SharedEntry
    from bridge.kafka.partitioners import Hasher, partition_of, placer, trace_partitions
    from bridge.kafka.producer import Opening, Producer
    from bridge.kafka.raw_producer import RawProducer, Written
    from bridge.kafka.record_batch import Headers, OutRecord, encoded_size, value_bytes_max
    from bridge.kafka.record_sample import SampledRecord, sample_records
    from bridge.kafka.retained import Stretch, read_retained
    from bridge.kafka.session import SourceOptions
    from bridge.kafka.shares import open_shares
    from bridge.kafka.skipping import read_skips, write_skip
    from bridge.kafka.source import KafkaSource
    from bridge.kafka.splitting import split_for_partitions, split_joined
    from bridge.kafka.ticket import RETRY_AFTER_S, Expiry, Ticket
    from bridge.kafka.topics import Topic, TopicBook
    from bridge.kafka.trouble import Troubles
else:
    from bridge.core import door

    __getattr__ = door(
        __name__,
        {
            "backlog": "Backlog BacklogLimits",
            "client": "ClientConfig connection_kwargs why_unreachable",
            "codecs": "Codec Compression codec",
            "consumer": "Fetching Membership Subscription",
            "dead_letter": "DeadLetterWriter",
            "decision_topic": "DecidedTrace DecisionTopic",
            "embedded_guard": "guard_of",
            "errors": "is_denied map_kafka_error",
            "flusher": "Flusher FlushEvents FlushOptions",
            "following": "Finished Follower",
            "inspection": (
                "NO_COORDINATOR ClusterFacts GroupFacts PartitionFacts TopicFacts inspect_cluster"
            ),
            "lag": "PartitionLag read_lag",
            "lane_runner": "LaneHandler Windows",
            "letter_box": "Filed LetterBox",
            "offsets": "OffsetMove ResetTarget describe_group plan_reset reset_offsets",
            "packing": "Entry Share SharedEntry",
            "partitioners": "Hasher partition_of placer trace_partitions",
            "producer": "Opening Producer",
            "raw_producer": "RawProducer Written",
            "record_batch": "Headers OutRecord encoded_size value_bytes_max",
            "record_sample": "SampledRecord sample_records",
            "retained": "Stretch read_retained",
            "session": "SourceOptions",
            "shares": "open_shares",
            "skipping": "read_skips write_skip",
            "source": "KafkaSource",
            "splitting": "split_for_partitions split_joined",
            "ticket": "RETRY_AFTER_S Expiry Ticket",
            "topics": "Topic TopicBook",
            "trouble": "Troubles",
        },
    )

__all__ = [
    "Backlog",
    "BacklogLimits",
    # The connection.
    "ClientConfig",
    "connection_kwargs",
    "why_unreachable",
    # How far a group is.
    "read_lag",
    "PartitionLag",
    # Where a group goes on.
    "describe_group",
    "plan_reset",
    "reset_offsets",
    "ResetTarget",
    "OffsetMove",
    # What a cluster says of itself.
    "inspect_cluster",
    "ClusterFacts",
    "TopicFacts",
    "PartitionFacts",
    "GroupFacts",
    "NO_COORDINATOR",
    "sample_records",
    "SampledRecord",
    "Follower",
    "Finished",
    # What a log still holds.
    "read_retained",
    "Stretch",
    # What goes wrong.
    "map_kafka_error",
    "is_denied",
    # Keys and partitions.
    "Hasher",
    "partition_of",
    "trace_partitions",
    "placer",
    "split_for_partitions",
    "split_joined",
    # Record batches.
    "Compression",
    "Codec",
    "codec",
    "Headers",
    "OutRecord",
    "value_bytes_max",
    "encoded_size",
    # Producing.
    "Opening",
    "Producer",
    "RawProducer",
    "Written",
    "Topic",
    "TopicBook",
    "Flusher",
    "FlushOptions",
    "FlushEvents",
    "Entry",
    "SharedEntry",
    "Share",
    "open_shares",
    "Ticket",
    "Expiry",
    "RETRY_AFTER_S",
    "guard_of",
    # Consuming.
    "KafkaSource",
    "SourceOptions",
    "Membership",
    "Fetching",
    "Subscription",
    "Windows",
    "LaneHandler",
    "Troubles",
    # Dead letters.
    "DeadLetterWriter",
    "DecisionTopic",
    "DecidedTrace",
    "LetterBox",
    "Filed",
    "read_skips",
    "write_skip",
]
