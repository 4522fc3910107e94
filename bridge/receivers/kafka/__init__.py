"""The Kafka receiver: reads topics as a member of a consumer group."""

from bridge.core import ReceiverFactory
from bridge.receivers.kafka.config import KafkaReceiverOptions
from bridge.receivers.kafka.receiver import KafkaReceiver

__all__ = ["FACTORY", "KafkaReceiver", "KafkaReceiverOptions"]

FACTORY = ReceiverFactory("kafka", KafkaReceiverOptions, KafkaReceiver)
"""What the entry point ``kafka`` names."""
