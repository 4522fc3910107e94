"""A broker that refuses is asked less and less often."""

from typing import Any

from bridge.kafka.reconnecting import PAUSE_MAX_S, pace_connections


class Connection:
    """Is open, or not."""

    def __init__(self) -> None:
        self.is_open = True
        self.closed = False
        self.is_reset = False
        self._writer = self.transport = self

    def is_closing(self) -> bool:
        """Whether the peer is gone."""
        return self.is_reset

    def close(self) -> None:
        """Forget it."""
        self.is_open, self.closed = False, True

    def connected(self) -> bool:
        """Whether it is open."""
        return self.is_open


class Client:
    """Stands for aiokafka's: connects when its brokers let it."""

    def __init__(self) -> None:
        self.attempts: list[int] = []
        self.refusing: set[int] = set()
        self._conns: dict[tuple[int, int], Connection] = {}

    async def _get_conn(self, node_id: int, *, group: int = 0) -> Connection | None:
        known = self._conns.get((node_id, group))
        if known is not None and known.connected():
            return known
        self.attempts.append(node_id)
        if node_id in self.refusing:
            return None
        made = self._conns[node_id, group] = Connection()
        return made


class Time:
    """Says what it is set to."""

    now_s = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


def paced() -> tuple[Any, Time]:
    """A client with pauses that are as long as they can be."""
    client, time = Client(), Time()
    pace_connections(client, time, lambda: 1.0)
    return client, time


async def test_refusing_broker_is_asked_about_once_a_second_in_the_end() -> None:
    """However often its connection is wanted."""
    client, time = paced()
    client.refusing = {1}
    for _ in range(1000):
        assert await client._get_conn(1, group=0) is None
        time.now_s += 0.01

    assert len(client.attempts) < 10 / PAUSE_MAX_S + 6


async def test_other_brokers_and_open_connections_are_not_held_up() -> None:
    """Only what would be a new connection to the same broker waits."""
    client, _ = paced()
    open_one = await client._get_conn(1, group=0)
    client.refusing = {1}
    assert await client._get_conn(1, group=1) is None

    assert await client._get_conn(1, group=0) is open_one
    assert await client._get_conn(2, group=0) is not None
    assert client.attempts == [1, 1, 2]


async def test_broker_that_is_back_begins_anew() -> None:
    """After one success the next failure waits for the shortest pause again."""
    client, time = paced()
    client.refusing = {1}
    for _ in range(5):
        await client._get_conn(1, group=0)
        time.now_s += PAUSE_MAX_S
    client.refusing = set()
    made = await client._get_conn(1, group=0)
    made.is_open = False
    client.refusing = {1}
    attempts = len(client.attempts)
    for _ in range(2):
        await client._get_conn(1, group=0)
        time.now_s += 0.11

    assert len(client.attempts) == attempts + 2


async def test_connection_that_was_reset_is_not_written_to() -> None:
    """Its end was not read yet, so it looks connected; writing would raise."""
    client, time = paced()
    made = await client._get_conn(1, group=0)
    made.is_reset = True

    assert await client._get_conn(1, group=0) is None
    assert made.closed
    time.now_s += PAUSE_MAX_S
    assert await client._get_conn(1, group=0) not in (None, made)
