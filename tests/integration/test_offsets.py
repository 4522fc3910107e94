"""``otlp-bridge offsets`` on a real broker."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.cli.app import dispatch
from bridge.flow import encode_islands
from tests.kafka_client import Kafka

pytestmark = pytest.mark.kafka

STAMP_MS = 1_700_000_000_000


@dataclass
class Shell:
    """Runs the verb on a topic with two partitions of ten and four records, a second apart."""

    kafka: Kafka
    topic: str
    group: str
    config: Path
    capsys: pytest.CaptureFixture[str]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        line = ["offsets", words[0], "--config", str(self.config), *words[1:]]
        code = await asyncio.to_thread(dispatch, line)
        told = self.capsys.readouterr()
        return code, told.out, told.err

    async def commit(self, offset: int, metadata: str = "") -> None:
        """Commit in partition 0, as a member would that has gone since."""
        async with self.kafka.consumer(group_id=self.group) as consumer:
            place = TopicPartition(self.topic, 0)
            consumer.assign([place])
            await consumer.commit({place: (offset, metadata)})

    async def committed(self) -> dict[int, int]:
        """By partition."""
        return await self.kafka.committed(self.group, self.topic)


@pytest.fixture
async def shell(kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Records stamped from `STAMP_MS` on."""
    settings = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    topic = await kafka.create_topic(partitions=2, configs=settings)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for partition, count in ((0, 10), (1, 4)):
        for number in range(count):
            stamp_ms = STAMP_MS + number * 1000
            await producer.send_and_wait(topic, b"x", partition=partition, timestamp_ms=stamp_ms)
    await producer.stop()
    group = kafka.unique("group")
    config = tmp_path / "bridge.yaml"
    config.write_text(
        f"""
receivers:
  kafka: {{brokers: [{kafka.bootstrap}], group_id: {group}, traces: {{topics: [{topic}]}}}}
exporters:
  nop: {{}}
service:
  pipelines:
    traces: {{receivers: [kafka], exporters: [nop]}}
"""
    )
    return Shell(kafka, topic, group, config, capsys)


async def test_show_tells_commits_and_members(shell: Shell) -> None:
    """Without joining; what was finished beyond the commit is counted."""
    await shell.commit(3, encode_islands(3, ((6, 8),)))
    code, text, _ = await shell.run("show")
    _, document, _ = await shell.run("show", "--output", "json")
    (receiver,) = json.loads(document)

    assert code == 0
    assert f"group {shell.group} has no members" in text
    assert [row["committed"] for row in receiver["partitions"]] == [3, None]
    assert [row["beyond"] for row in receiver["partitions"]] == [2, 0]
    assert (receiver["group"], receiver["members"]) == (shell.group, [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--to-earliest"], {0: 0, 1: 0}),
        (["--to-latest"], {0: 10, 1: 4}),
        (["--to-offset", "4"], {0: 4, 1: 4}),
        (["--to-time", "2023-11-14T22:13:22Z"], {0: 2, 1: 2}),
        (["--to-time", "2023-11-14T22:13:26"], {0: 6, 1: 4}),
        (["--to-time", "1h"], {0: 10, 1: 4}),
    ],
)
async def test_reset_moves_every_partition(
    words: list[str], expected: dict[int, int], shell: Shell
) -> None:
    """To what is named; the islands of the old commit are gone with it."""
    assert datetime.fromtimestamp(STAMP_MS / 1000, UTC).isoformat() == "2023-11-14T22:13:20+00:00"
    await shell.commit(3, encode_islands(3, ((6, 8),)))
    code, text, errors = await shell.run("reset", *words, "--yes")

    assert (code, errors) == (0, "")
    assert await shell.committed() == expected
    assert f"group {shell.group} goes on at the new offsets" in text
    (receiver,) = json.loads((await shell.run("show", "--output", "json"))[1])
    assert [row["beyond"] for row in receiver["partitions"]] == [0, 0]


async def test_dry_run_shows_and_changes_nothing(shell: Shell) -> None:
    """Records delivered again and skipped, by partition and in sum."""
    await shell.commit(3)
    code, text, _ = await shell.run("reset", "--to-offset", "2", "--dry-run")
    _, document, _ = await shell.run("reset", "--to-latest", "--dry-run", "--output", "json")
    told = json.loads(document)

    assert code == 0
    assert "1 records are delivered again, 2 are skipped for good" in text
    assert "nothing was changed" in text
    assert [(row["again"], row["skipped"]) for row in told["partitions"]] == [(0, 7), (0, 4)]
    assert told["changed"] is False
    assert await shell.committed() == {0: 3}


async def test_one_partition_is_reset_alone(shell: Shell) -> None:
    """The others stay where they are."""
    await shell.commit(3)
    place = ["--topic", shell.topic, "--partition", "1"]
    code, _, _ = await shell.run("reset", "--to-offset", "2", *place, "--yes")

    assert code == 0
    assert await shell.committed() == {0: 3, 1: 2}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--to-earliest"], 64, "nothing was changed"),
        (["--to-earliest", "--to-latest"], 64, "name one of"),
        ([], 64, "name one of"),
        (["--to-time", "yesterday"], 64, "'yesterday' is neither a time"),
        (["--to-offset", "-1"], 64, "must not be negative"),
        (["--to-latest", "--partition", "1"], 64, "--partition needs --topic"),
        (["--to-offset", "5", "--yes"], 69, "has the offsets 0 to 4, not 5"),
        (["--to-latest", "--topic", "elsewhere", "--yes"], 78, "does not read topic elsewhere"),
        (["--to-latest", "--receiver", "kafka/x", "--yes"], 78, "no Kafka receiver kafka/x"),
    ],
)
async def test_what_makes_no_sense_changes_nothing(
    words: list[str], code: int, told: str, shell: Shell
) -> None:
    """A script that does not confirm is refused, not waited for."""
    await shell.commit(3)
    found, _, errors = await shell.run("reset", *words)

    assert (found, told in errors) == (code, True), errors
    assert await shell.committed() == {0: 3}


async def test_partition_that_does_not_exist_is_told(shell: Shell) -> None:
    """By its name."""
    place = ["--topic", shell.topic, "--partition", "7"]
    code, _, errors = await shell.run("reset", "--to-latest", *place, "--yes")

    assert code == 78
    assert f"{shell.topic}/7 does not exist" in errors


async def test_active_group_is_left_alone(shell: Shell) -> None:
    """Its members would commit over it; who they are is said, and how to go on."""
    joined: dict[str, Any] = {"bootstrap_servers": shell.kafka.bootstrap, "group_id": shell.group}
    consumer = AIOKafkaConsumer(shell.topic, client_id="app-7", enable_auto_commit=False, **joined)
    await consumer.start()
    try:
        while not consumer.assignment():  # noqa: ASYNC110 - nothing tells when it has joined
            await asyncio.sleep(0.05)
        code, _, errors = await shell.run("reset", "--to-latest", "--yes")
        shown, _, _ = await shell.run("reset", "--to-latest", "--dry-run")
    finally:
        await consumer.stop()

    assert (code, shown) == (69, 0)
    assert "has 1 member (app-7@127.0.0.1)" in errors
    assert "kubectl scale --replicas=0" in errors
    assert await shell.committed() == {}
    after, _, _ = await shell.run("reset", "--to-latest", "--yes")
    assert (after, await shell.committed()) == (0, {0: 10, 1: 4})
