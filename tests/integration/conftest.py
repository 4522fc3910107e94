"""The real Kafka of the test run. Not being able to start it is a failure, never a skip."""

from collections.abc import Iterator

import pytest

from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One node for the whole run; every test makes topics and groups with names of its own."""
    with KafkaServer() as server:
        yield Kafka(server)
