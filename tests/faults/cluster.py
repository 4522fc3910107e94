"""Three Kafka nodes for the whole run, each behind a proxy of ours at its second address."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.faults.proxy import Proxy
from tests.kafka_client import Kafka
from tests.kafka_server import KafkaServer, Node, free_port

NODES = 3
HEAP_MIB = 256
REACHED_TIMEOUT_S = 60.0


class ProxiedKafka(KafkaServer):
    """
    A cluster whose listener PROXIED is advertised at ports of ours.

    Clients that begin there are sent on to proxies too, as long as `proxies` runs.
    """

    def __init__(self, nodes: int = NODES) -> None:
        super().__init__(
            nodes=nodes,
            heap_mib=HEAP_MIB,
            listeners=("PROXIED",),
            properties={
                "listener.security.protocol.map": (
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT"
                ),
                "unclean.leader.election.enable": "false",
                "auto.create.topics.enable": "false",
                "auto.leader.rebalance.enable": "false",
                # A pause of 45 s must end a session, and a restart must not take minutes.
                "broker.session.timeout.ms": "6000",
                "replica.lag.time.max.ms": "5000",
            },
        )
        self.proxy_ports = {number: free_port() for number in range(1, nodes + 1)}
        self._stopped: set[int] = set()

    @property
    def proxied_bootstrap(self) -> str:
        """Addresses of the proxies, separated by commas."""
        return ",".join(f"127.0.0.1:{port}" for port in self.proxy_ports.values())

    @asynccontextmanager
    async def proxies(self, seed: int = 0) -> AsyncIterator[dict[int, Proxy]]:
        """One proxy for each node, by its number."""
        made = {
            node.number: Proxy(
                ("127.0.0.1", node.ports["PROXIED"]), self.proxy_ports[node.number], seed
            )
            for node in self.members
        }
        try:
            for proxy in made.values():
                await proxy.start()
            yield made
        finally:
            for proxy in made.values():
                await proxy.stop()

    def heal(self) -> None:
        """Bring every node back. Blocks until the cluster answers."""
        for node in self.members:
            if node.process is not None and psutil.Process(node.pid).status() == "stopped":
                self.resume(node.number)
        dead = [node.number for node in self.members if node.process is None]
        for number in dead:
            self.restart(number, wait=False)
        self.wait_ready()

    def _advertised(self, node: Node) -> dict[str, int]:
        return {**super()._advertised(node), "PROXIED": self.proxy_ports[node.number]}


class Cluster(Kafka):
    """The cluster with what fault scenarios ask of it."""

    server: ProxiedKafka

    async def place_topic(
        self, replicas: Mapping[int, Sequence[int]], configs: Mapping[str, str] | None = None
    ) -> str:
        """Create a topic whose partitions live on the named nodes, and give its name back."""
        name = self.unique("placed")
        topic = NewTopic(
            name,
            -1,
            -1,
            replica_assignments={p: list(nodes) for p, nodes in replicas.items()},
            topic_configs=dict(configs or {}),
        )
        async with self.admin() as admin:
            await admin.create_topics([topic])
        await self.wait_led(name)
        return name

    async def add_partitions(self, topic: str, total: int) -> None:
        """Grow *topic* to *total* partitions."""
        from aiokafka.admin import NewPartitions

        async with self.admin() as admin:
            await admin.create_partitions({topic: NewPartitions(total)})

    async def delete_topic(self, topic: str) -> None:
        """Delete *topic*."""
        async with self.admin() as admin:
            await admin.delete_topics([topic])

    async def leaders(self, topic: str) -> dict[int, int]:
        """The node that leads each partition; -1 for none."""
        async with self.admin() as admin:
            (found,) = await admin.describe_topics([topic])
        return {entry["partition"]: entry["leader"] for entry in found["partitions"]}

    async def in_sync(self, topic: str) -> dict[int, list[int]]:
        """The in-sync replicas of each partition."""
        async with self.admin() as admin:
            (found,) = await admin.describe_topics([topic])
        return {entry["partition"]: sorted(entry["isr"]) for entry in found["partitions"]}

    async def wait_led(self, topic: str, timeout_s: float = REACHED_TIMEOUT_S) -> None:
        """Wait until every partition of *topic* has a leader."""
        await self._wait(topic, lambda leaders: min(leaders.values()) > 0, timeout_s)

    async def wait_in_sync(
        self, topic: str, replicas: int, timeout_s: float = REACHED_TIMEOUT_S
    ) -> None:
        """Wait until every partition of *topic* has *replicas* in-sync replicas."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                if {len(nodes) for nodes in (await self.in_sync(topic)).values()} == {replicas}:
                    return
            except (KafkaError, OSError, ValueError):
                pass
            await asyncio.sleep(0.3)
        raise AssertionError(f"{topic} has not {replicas} replicas in sync after {timeout_s} s")

    async def coordinator(self, group: str) -> int:
        """The node that coordinates *group*."""
        async with self.admin() as admin:
            return int(await admin.find_coordinator(group))

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An admin client on the nodes that run."""
        client = AIOKafkaAdminClient(
            bootstrap_servers=self.server.bootstrap, request_timeout_ms=5000, retry_backoff_ms=100
        )
        await client.start()
        try:
            yield client
        finally:
            await client.close()

    async def _wait(self, topic: str, reached: object, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                leaders = await self.leaders(topic)
                if leaders and reached(leaders):  # type: ignore[operator]  # a predicate
                    return
            except (KafkaError, OSError, ValueError):
                pass
            await asyncio.sleep(0.2)
        raise AssertionError(f"{topic} did not get there in {timeout_s} s")
