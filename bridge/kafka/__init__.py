"""
Kafka behind our own contracts: connection settings, supervised producing, consuming.

aiokafka is imported here and in no other folder; its faults are handled here
(`bridge/kafka/producer.py`, `bridge/kafka/consumer.py`), and its errors become ours in
`bridge/kafka/errors.py`.
"""

from bridge.kafka.client import ClientConfig, connection_kwargs, why_unreachable
from bridge.kafka.errors import is_denied, map_kafka_error

__all__ = [
    # The connection.
    "ClientConfig",
    "connection_kwargs",
    "why_unreachable",
    # What goes wrong.
    "map_kafka_error",
    "is_denied",
]
