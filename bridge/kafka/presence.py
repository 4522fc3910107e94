"""Whether topics exist, asked without bringing them into being."""

from collections.abc import Collection

import aiokafka.errors as kafka
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.metadata import MetadataRequest


async def missing_topics(client: AIOKafkaClient, topics: Collection[str]) -> frozenset[str]:
    """
    Which of *topics* do not exist. The public ways of asking create them where brokers allow it.

    Raises:
        TopicAuthorizationFailedError: If we may not see one of them.
        KafkaError, OSError: If no broker answers.
    """
    node = client.get_random_node()
    if node is None:
        raise kafka.NoBrokersAvailable("no broker is known")
    answer = await client.send(node, MetadataRequest(sorted(topics), False))
    found = {topic: kafka.for_code(code) for code, topic, _, _ in answer.topics}
    for topic, error in found.items():
        if error is kafka.TopicAuthorizationFailedError:
            raise error(topic)
    absent = (None, kafka.UnknownTopicOrPartitionError)
    return frozenset(topic for topic in topics if found.get(topic) in absent)
