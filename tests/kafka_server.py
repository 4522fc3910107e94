"""
A real Apache Kafka for tests: fetched once with Maven, started on free ports, ended by process id.

    from tests.kafka_server import KafkaServer

    with KafkaServer() as server:               # one node, KRaft
        server.bootstrap                        # "127.0.0.1:23456"

    with KafkaServer(nodes=3, heap_mib=256) as server:
        server.kill(2)                          # kill -9 of the second node
        server.restart(2)                       # the same ports, the same data

By hand: ``.venv/bin/python tests/kafka_server.py`` prints the address and stays until ctrl-C.
Standard library only, so that set-up and benchmarks can use it before anything is installed.
"""

import argparse
import atexit
import base64
import contextlib
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.kafka_jars import KafkaServerError, fetch_kafka, find_java

START_TIMEOUT_S = 90.0
"""A node is up in 4 s on a free core; the rest is for machines that share theirs."""

STOP_TIMEOUT_S = 20.0
_WORKER, _WORKERS_MAX = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), 16
PORTS = range(20_000, 32_000)[_WORKER::_WORKERS_MAX]
"""
Below the ephemeral range, so that no outgoing connection takes a port while its node is down; for
each process of a test run its own, so that none takes that of another's stopped node.
"""

_taken: set[int] = set()


@dataclass(frozen=True, slots=True)
class User:
    """A SCRAM user, created when the storage is formatted; PLAIN accepts it too."""

    name: str
    password: str
    mechanism: str = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files of the brokers: certificate chain with its private key, and the authority."""

    keystore: Path
    ca: Path
    client_auth: str = "none"


@dataclass(slots=True)
class Node:
    """One broker and controller. `process` is None while it is down."""

    number: int
    ports: dict[str, int]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    guard: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the node printed, of all its lives."""
        return self.folder / "node.log"

    @property
    def pid(self) -> int:
        """The process id of a running node."""
        if self.process is None:
            raise KafkaServerError(f"node {self.number} is down")
        return self.process.pid


@dataclass(slots=True)
class KafkaServer:
    """
    A cluster of one or more nodes, each broker and controller.

    Args:
        nodes: 1, or 3 for tests that take nodes away.
        heap_mib: Java heap of each node.
        properties: Added to ``server.properties``; they win over what stands here.
        listeners: Besides PLAINTEXT: any of SSL, SASL_SSL, SASL_PLAINTEXT.
        users: Who may log in at the SASL listeners.
        tls: Needed by SSL and SASL_SSL.
        port: Of the first node's PLAINTEXT listener, instead of a free one.
    """

    nodes: int = 1
    heap_mib: int = 384
    properties: Mapping[str, str] = field(default_factory=dict)
    listeners: Sequence[str] = ()
    users: Sequence[User] = ()
    tls: Tls | None = None
    port: int | None = None
    java_options: Sequence[str] = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
    members: list[Node] = field(default_factory=list, init=False)
    _folder: Path | None = field(default=None, init=False)

    @property
    def bootstrap(self) -> str:
        """Addresses of the PLAINTEXT listeners, separated by commas."""
        return self.bootstrap_of("PLAINTEXT")

    def bootstrap_of(self, listener: str) -> str:
        """Addresses of another listener, such as SASL_SSL."""
        return ",".join(f"127.0.0.1:{node.ports[listener]}" for node in self.members)

    def start(self) -> Self:
        """
        Fetch what is missing, format the storage, start all nodes and wait until they answer.

        Raises:
            KafkaServerError: If Java or Maven is missing, or a node does not come up; the text
                ends with what the node printed last.
        """
        libs, java = fetch_kafka(), find_java()
        self._folder = Path(tempfile.mkdtemp(prefix="otlp-bridge-kafka-"))
        atexit.register(self.stop)
        kinds = ("PLAINTEXT", "CONTROLLER", *self.listeners)
        for number in range(1, self.nodes + 1):
            folder = self._folder / str(number)
            folder.mkdir()
            self.members.append(Node(number, {kind: free_port() for kind in kinds}, folder))
        if self.port is not None:
            self.members[0].ports["PLAINTEXT"] = self.port
        try:
            self._format(java, libs)
            for node in self.members:
                self._launch(node, java, libs)
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all nodes and remove their data. Safe twice."""
        atexit.unregister(self.stop)
        for node in self.members:
            if node.process is not None:
                # No orderly end: the data is thrown away.
                node.process.kill()
        for node in self.members:
            _reap(node)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def kill(self, number: int = 1) -> None:
        """End one node as a power cut would."""
        node = self.members[number - 1]
        if node.process is not None:
            node.process.kill()
        _reap(node)

    def shut_down(self, number: int = 1) -> None:
        """End one node in order: its leaderships move first."""
        node = self.members[number - 1]
        if node.process is not None:
            node.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                node.process.wait(STOP_TIMEOUT_S)
            node.process.kill()
        _reap(node)

    def pause(self, number: int = 1) -> None:
        """Stop one node's clock: it keeps its connections and answers nothing."""
        _signal(self.members[number - 1], signal.SIGSTOP)

    def resume(self, number: int = 1) -> None:
        """Let a paused node go on."""
        _signal(self.members[number - 1], signal.SIGCONT)

    def restart(self, number: int = 1, *, wait: bool = True) -> None:
        """Start a node that is down, on its old ports and data."""
        node = self.members[number - 1]
        if node.process is not None:
            raise KafkaServerError(f"node {number} is running")
        self._launch(node, find_java(), fetch_kafka())
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """
        Wait until every running node answers and knows all the others that run.

        Raises:
            KafkaServerError: If a node ended, or it takes longer than *timeout_s* seconds.
        """
        deadline = time.monotonic() + timeout_s
        running = [node for node in self.members if node.process is not None]
        for node in running:
            while _brokers_known(node.ports["PLAINTEXT"]) < len(running):
                ended = node.process is not None and node.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    why = "ended" if ended else f"did not answer within {timeout_s:g} s"
                    tail = node.log.read_text(errors="replace")[-3000:]
                    raise KafkaServerError(f"Kafka node {node.number} {why}:\n{tail}")
                time.sleep(0.1)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _format(self, java: str, libs: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        cluster = f"A{cluster[1:]}"  # A leading dash would be read as an option.
        users = [
            word
            for user in self.users
            for word in (
                "--add-scram",
                f"{user.mechanism}=[name={user.name},password={user.password}]",
            )
        ]
        for node in self.members:
            settings = node.folder / "server.properties"
            lines = self._properties(node)
            settings.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
            command = [java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
            command += ["-cp", f"{libs}/*", "kafka.tools.StorageTool", "format"]
            command += ["-t", cluster, "-c", str(settings), *users]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            if done.returncode:
                raise KafkaServerError(f"formatting failed:\n{done.stdout}\n{done.stderr}"[-3000:])

    def _properties(self, node: Node) -> dict[str, str]:
        quorum = ",".join(f"{n.number}@127.0.0.1:{n.ports['CONTROLLER']}" for n in self.members)
        address = "{0}://127.0.0.1:{1}".format
        replicas = str(min(self.nodes, 3))
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(node.number),
            "controller.quorum.voters": quorum,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listeners": ",".join(address(kind, port) for kind, port in node.ports.items()),
            "advertised.listeners": ",".join(
                address(kind, port) for kind, port in self._advertised(node).items()
            ),
            "listener.security.protocol.map": ",".join(
                f"{kind}:{'PLAINTEXT' if kind == 'CONTROLLER' else kind}" for kind in node.ports
            ),
            "log.dirs": str(node.folder / "data"),
            "num.partitions": "12",
            "default.replication.factor": replicas,
            "min.insync.replicas": "2" if self.nodes >= 3 else "1",
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": "1",
            "share.coordinator.state.topic.num.partitions": "2",
            # Groups in tests form at once instead of waiting for more members.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
        }
        return {**lines, **self._security(), **self.properties}

    def _advertised(self, node: Node) -> dict[str, int]:
        """Where clients and other brokers are told to find each listener of *node*."""
        return {kind: port for kind, port in node.ports.items() if kind != "CONTROLLER"}

    def _security(self) -> dict[str, str]:
        lines: dict[str, str] = {}
        if self.tls is not None:
            lines["ssl.keystore.type"] = lines["ssl.truststore.type"] = "PEM"
            lines["ssl.keystore.location"] = str(self.tls.keystore)
            lines["ssl.truststore.location"] = str(self.tls.ca)
            lines["ssl.client.auth"] = self.tls.client_auth
        if self.users:
            lines["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        module = "org.apache.kafka.common.security"
        plain = " ".join(f'user_{user.name}="{user.password}"' for user in self.users)
        for kind in self.listeners:
            if kind.startswith("SASL"):
                prefix = f"listener.name.{kind.lower()}"
                for scram in ("scram-sha-256", "scram-sha-512"):
                    lines[f"{prefix}.{scram}.sasl.jaas.config"] = (
                        f"{module}.scram.ScramLoginModule required;"
                    )
                lines[f"{prefix}.plain.sasl.jaas.config"] = (
                    f"{module}.plain.PlainLoginModule required {plain};"
                )
        return lines

    def _launch(self, node: Node, java: str, libs: Path) -> None:
        command = [java, f"-Xmx{self.heap_mib}m", *self.java_options]
        command += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{libs}/*"]
        command += ["kafka.Kafka", str(node.folder / "server.properties")]
        with node.log.open("ab") as log:
            node.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=node.folder,
                # Keys on the terminal, such as ctrl-C, are for us: we end the nodes by id.
                start_new_session=True,
            )
        # When we are killed, the pipe closes and the guard ends the node that we no longer can.
        script = 'cat >/dev/null; kill -9 "$1"; rm -rf "$2"'
        node.guard = subprocess.Popen(
            ["sh", "-c", script, "guard", str(node.pid), str(node.folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _signal(node: Node, number: signal.Signals) -> None:
    if node.process is None:
        raise KafkaServerError(f"node {node.number} is down")
    node.process.send_signal(number)


def _reap(node: Node) -> None:
    """Wait for a node that was told to end; its guard first, so that it never hits a reused id."""
    if node.guard is not None:
        node.guard.kill()
        node.guard.wait(STOP_TIMEOUT_S)
        if node.guard.stdin is not None:
            node.guard.stdin.close()
        node.guard = None
    if node.process is not None:
        node.process.wait(STOP_TIMEOUT_S)
        node.process = None


def free_port() -> int:
    """A port that nobody listens at and that this process did not give out yet."""
    while True:
        port = random.choice(PORTS)
        if port in _taken:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _taken.add(port)
            return port


def _brokers_known(port: int) -> int:
    """How many live brokers the node at *port* names in a metadata answer; 0 without an answer."""
    # Metadata version 4: header with correlation and client id, no topics, no creation of any.
    request = struct.pack(">hhih5si?", 3, 4, 1, 5, b"probe", 0, False)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.settimeout(2.0)
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as stream:
                (length,) = struct.unpack(">i", stream.read(4))
                answer = stream.read(length)
        # Correlation id, throttle time, then the array of brokers.
        return int(struct.unpack_from(">iii", answer)[2])
    except (OSError, struct.error):
        return 0


def main() -> None:
    """Start a cluster by hand."""
    parser = argparse.ArgumentParser(description="A real Kafka on free ports, until ctrl-C.")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--heap-mib", type=int, default=384)
    parser.add_argument("--fetch-only", action="store_true", help="only fill .cache/kafka")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments = parser.parse_args()
    if arguments.fetch_only:
        find_java()
        print(fetch_kafka())
        return
    properties = dict(re.split("=", text, maxsplit=1) for text in arguments.set)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = KafkaServer(arguments.nodes, arguments.heap_mib, properties)
    with contextlib.suppress(KeyboardInterrupt), server:
        print(server.bootstrap, flush=True)
        print("nodes:", *(node.pid for node in server.members), file=sys.stderr, flush=True)
        signal.pause()


if __name__ == "__main__":
    try:
        main()
    except KafkaServerError as error:
        sys.exit(str(error))
