"""The Kafka receiver: reads topics as a member of a consumer group."""

from bridge.core import ReceiverFactory
from bridge.receivers.kafka.config import KafkaReceiverOptions
from bridge.receivers.kafka.encodings import find_decoder
from bridge.receivers.kafka.reading import RecordReader
from bridge.receivers.kafka.receiver import KafkaReceiver
from bridge.receivers.kafka.topics import TopicPlan, plan_topics

__all__ = [
    "FACTORY",
    "KafkaReceiver",
    "KafkaReceiverOptions",
    "RecordReader",
    "TopicPlan",
    "find_decoder",
    "plan_topics",
]

FACTORY = ReceiverFactory("kafka", KafkaReceiverOptions, KafkaReceiver)
"""What the entry point ``kafka`` names."""
