"""The rights in a broker's answer."""

from types import SimpleNamespace

import aiokafka.errors as kafka
import pytest

from bridge.kafka.inspection import ask, sorted_partitions
from bridge.kafka.inspection_protocol import (
    GroupRightsRequest,
    RightsRequest,
    decode_operations,
)


def test_bits_are_operations_by_their_number() -> None:
    """3 is Read, 8 is Describe (Kafka's AclOperation)."""
    assert decode_operations(1 << 3 | 1 << 8) == {"Read", "Describe"}
    assert decode_operations(0) == frozenset()


def test_brokers_that_do_not_tell_are_not_guessed() -> None:
    """The smallest number stands for not being asked."""
    assert decode_operations(-(1 << 31)) is None


def test_requests_are_written_as_the_protocol_says() -> None:
    """Metadata version 8: topics, no creation, no cluster rights, topic rights."""
    versions = {3: (0, 13), 15: (0, 6)}

    assert RightsRequest(["ab"]).prepare(versions).encode() == b"\0\0\0\1\0\2ab\0\0\1"
    assert RightsRequest(None).prepare(versions).encode() == b"\xff\xff\xff\xff\0\0\1"
    assert GroupRightsRequest("g").prepare(versions).encode() == b"\0\0\0\1\0\1g\1"


def test_partitions_are_read_from_either_version() -> None:
    """Version 8 has a leader epoch between the leader and its replicas."""
    new = [(0, 1, 5, 7, [5, 6], [5], []), (0, 0, 6, 7, [5, 6], [5, 6], [])]
    old = [(0, 1, 5, [5, 6], [5], []), (0, 0, 6, [5, 6], [5, 6], [])]

    assert sorted_partitions(new) == sorted_partitions(old)
    assert [(one.partition, one.in_sync) for one in sorted_partitions(new)] == [(0, 2), (1, 1)]


class OldBroker:
    """A client of brokers that know no request of the new versions."""

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal
        self.asked: list[object] = []
        self.cluster = SimpleNamespace(brokers=lambda: [SimpleNamespace(nodeId=1)])

    async def send(self, node: int, request: object) -> str:
        self.asked.append(request)
        if isinstance(request, RightsRequest):
            raise self.refusal
        return "answer"


@pytest.mark.parametrize(
    "refusal", [NotImplementedError("no version"), kafka.IncompatibleBrokerVersion("old")]
)
async def test_old_brokers_are_asked_in_their_own_version(refusal: Exception) -> None:
    """Without the rights, which they cannot tell; what has no older form is an error."""
    client = OldBroker(refusal)

    assert await ask(client, RightsRequest([]), "older") == "answer"
    assert client.asked[1] == "older"
    with pytest.raises(kafka.IncompatibleBrokerVersion):
        await ask(client, RightsRequest([]))
