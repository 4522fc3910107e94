"""Asking whichever broker answers."""

from types import SimpleNamespace
from typing import Any

import aiokafka.errors as kafka
import pytest

from bridge.kafka.asking import send_to_any, until_answered


class Client:
    """Knows brokers 1, 2 and 3, of which only some answer."""

    def __init__(self, *answering: int) -> None:
        self.answering = answering
        self.asked: list[int] = []
        nodes = [SimpleNamespace(nodeId=node) for node in (1, 2, 3)]
        self.cluster = SimpleNamespace(brokers=lambda: nodes)

    async def send(self, node: int, request: Any) -> str:
        self.asked.append(node)
        if node not in self.answering:
            raise kafka.NodeNotReadyError(f"node id {node}")
        return f"{request} by {node}"


@pytest.mark.parametrize("answering", [1, 2, 3])
async def test_question_is_answered_by_the_one_broker_that_is_there(answering: int) -> None:
    """Each is asked once at most."""
    client = Client(answering)

    assert await send_to_any(client, "metadata") == f"metadata by {answering}"  # type: ignore[arg-type]
    assert len(client.asked) == len(set(client.asked))


async def test_question_that_nobody_answers_fails_as_the_last_one_did() -> None:
    """All were asked."""
    client = Client()
    with pytest.raises(kafka.NodeNotReadyError):
        await send_to_any(client, "metadata")  # type: ignore[arg-type]

    assert sorted(client.asked) == [1, 2, 3]


async def test_question_is_repeated_while_a_broker_is_away() -> None:
    """And not for another reason: a refusal is an answer."""
    outcomes: list[Any] = [kafka.NodeNotReadyError(), kafka.KafkaConnectionError(), "topics"]

    async def ask() -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await until_answered(ask) == "topics"
    outcomes.append(kafka.TopicAuthorizationFailedError())
    with pytest.raises(kafka.TopicAuthorizationFailedError):
        await until_answered(ask)
