"""The real Kafka of the test run. Not being able to start it is a failure, never a skip."""

import gc
from collections.abc import Iterator

import pytest

from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One node for the whole run; every test makes topics and groups with names of its own."""
    with KafkaServer() as server:
        yield Kafka(server)


@pytest.fixture
def sockets_left_open() -> Iterator[None]:
    """
    For tests that are refused by a broker: aiokafka leaves the socket of a failed handshake open.

    It is gone with the next collection, which must not come in a test that knows nothing of it.
    The test's mark has to ignore what the collection complains of.
    """
    yield
    gc.collect()
