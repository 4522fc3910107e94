"""How far a group is, asked of the real Kafka."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from bridge.cli.app import dispatch
from bridge.flow import encode_islands
from bridge.kafka import read_lag
from tests.kafka_client import Kafka

pytestmark = pytest.mark.kafka


async def fill(kafka: Kafka, topic: str, **counts: int) -> None:
    """Write so many records to the partitions p0, p1, ..."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    for name, count in counts.items():
        for _ in range(count):
            await producer.send_and_wait(topic, b"x", partition=int(name[1:]))
    await producer.stop()


async def commit(kafka: Kafka, group: str, **places: Any) -> None:
    """Commit as a member would that has gone since."""
    async with kafka.consumer(group_id=group, enable_auto_commit=False) as consumer:
        offsets = {TopicPartition(*place): value for place, value in places["at"].items()}
        consumer.assign(list(offsets))
        await consumer.commit(offsets)


async def test_lag_counts_what_is_not_finished(kafka: Kafka) -> None:
    """From the commit to the end, without what was finished beyond; a new group has all to go."""
    topic = await kafka.create_topic(partitions=3)
    await fill(kafka, topic, p0=10, p1=4)
    group = kafka.unique("group")
    islands = encode_islands(3, ((6, 8),))
    await commit(kafka, group, at={(topic, 0): (3, islands)})
    connection = {"bootstrap_servers": kafka.bootstrap}
    found = await read_lag(connection, group, [topic, "absent"])

    assert [(one.committed, one.end, one.records, one.beyond) for one in found] == [
        (3, 10, 5, 2),
        (None, 4, 4, 0),
        (None, 0, 0, 0),
    ]
    assert all(one.seconds is not None and 0 <= one.seconds < 60 for one in found[:2])
    assert found[2].seconds is None


async def test_lag_of_a_topic_that_is_not_there_is_none(kafka: Kafka) -> None:
    """The client is closed right after it was started; that used to end in a traceback."""
    assert await read_lag({"bootstrap_servers": kafka.bootstrap}, "nobody", ["absent"]) == []


async def test_lag_of_a_pattern_covers_all_topics_that_match(kafka: Kafka) -> None:
    """And brings none into being."""
    topic = await kafka.create_topic(partitions=1)
    found = await read_lag(
        {"bootstrap_servers": kafka.bootstrap}, "nobody", [], [re.compile(f"^{topic}$")]
    )

    assert [(one.topic, one.partition, one.records) for one in found] == [(topic, 0, 0)]


async def test_lag_verb_shows_each_partition(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table for people, JSON for machines; a receiver that is not there is told."""
    topic = await kafka.create_topic(partitions=2)
    await fill(kafka, topic, p1=3)
    config = tmp_path / "bridge.yaml"
    config.write_text(
        f"""
receivers:
  kafka: {{brokers: [{kafka.bootstrap}], group_id: nobody, traces: {{topics: [{topic}]}}}}
exporters:
  nop: {{}}
service:
  pipelines:
    traces: {{receivers: [kafka], exporters: [nop]}}
"""
    )

    async def run(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(dispatch, ["lag", "--config", str(config), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    code, text, _ = await run()
    _, document, _ = await run("--output", "json")
    (receiver,) = json.loads(document)
    wrong, _, advice = await run("--receiver", "kafka/other")
    _, missing, _ = await run("--set", "receivers.kafka.traces.topics=[absent]")

    assert code == 0
    assert "kafka: group nobody has 3 records to go in 2 partitions" in text
    assert [one["records"] for one in receiver["partitions"]] == [0, 3]
    assert receiver["missing_topics"] == []
    assert "kafka: there is no topic absent: otlp-bridge doctor" in missing
    assert (wrong, "there is kafka" in advice) == (78, True)
