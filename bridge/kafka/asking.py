"""Asking whichever broker answers, where any of them can."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiokafka.errors as kafka
from aiokafka.client import AIOKafkaClient

Answer = TypeVar("Answer")

UNREACHED = (
    kafka.NodeNotReadyError,
    kafka.KafkaConnectionError,
    kafka.RequestTimedOutError,
)
"""What is raised if the broker that was asked is away; another may answer."""

_PAUSE_S = 0.1


async def until_answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """
    Ask again while the broker that was asked is away.

    aiokafka's admin client picks one at random for each question: with one of three away, every
    third question fails. The caller bounds the time.
    """
    while True:
        try:
            return await ask()
        except UNREACHED:
            await asyncio.sleep(_PAUSE_S)


async def send_to_any(client: AIOKafkaClient, request: Any) -> Any:
    """
    The answer of the first broker, in random order, that gives one.

    Raises:
        KafkaError: That of the last broker if none does.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    if not nodes:
        raise kafka.NoBrokersAvailable("no broker is known")
    random.shuffle(nodes)
    for node in nodes[:-1]:
        try:
            return await client.send(node, request)
        except UNREACHED:
            continue
    return await client.send(nodes[-1], request)
