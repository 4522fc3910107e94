"""
Tests against other people's programs, which `make interop` builds with Go first.

They are deselected without ``--interop``, and pytest says how many; with it, a program that is
missing is a failure.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests out, visibly, unless they are wanted."""
    if config.getoption("--interop"):
        return
    ours = [item for item in items if _HERE in item.path.parents]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """One node for the whole run."""
    with KafkaServer() as server:
        yield Kafka(server)
