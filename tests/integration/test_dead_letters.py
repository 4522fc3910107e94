"""Dead letters on a real Kafka: from the receiver's refusal to the replay, by the command."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from bridge.cli.app import dispatch
from bridge.core import Denied, Refused, Signal
from bridge.flow import Letter
from bridge.kafka import DeadLetterWriter, LetterBox, placer, read_skips, write_skip
from bridge.testing import trace_request
from bridge.wire import count_items, trace_ids
from tests.kafka_client import Kafka

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def connection(kafka: Kafka) -> dict[str, Any]:
    return {"bootstrap_servers": kafka.bootstrap.split(",")}


def letter(topic: str, **changes: Any) -> Letter:
    """A letter from partition 1 of *topic*."""
    made = {
        "topic": topic,
        "partition": 1,
        "offset": 7,
        "offset_stop": 8,
        "timestamp_ms": 1_750_000_000_000,
        "key": b"key",
        "value": trace_request(20).body,
        "headers": (("tenant", b"a"),),
        "signal": Signal.TRACES,
        "encoding": "otlp_proto",
        "group": "processing",
        "error": "Refused",
        "reason": "too odd",
        "first_seen_s": 1_750_000_100.0,
    }
    return Letter(**{**made, **changes})


async def file_letters(kafka: Kafka, *letters: Letter) -> str:
    """A new topic with *letters*."""
    topic = await kafka.create_topic(partitions=1)
    writer = DeadLetterWriter(connection(kafka), topic)
    for entry in letters:
        await writer.put(entry)
    await writer._close(5.0)
    return topic


async def test_letter_box_gives_back_what_was_put(kafka: Kafka) -> None:
    """Letters come out as they went in; a record of somebody else is shown as such."""
    wanted = letter("spans")
    topic = await file_letters(kafka, wanted)
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, b"something else")
    await producer.stop()

    async with LetterBox(connection(kafka), topic) as box:
        found = [filed async for filed in box.letters()]
        one = await box.letter_at(0, 0)
        with pytest.raises(Refused, match="the partition holds 0 to 1"):
            await box.letter_at(0, 2)

    assert [wanted, None] == [filed.letter for filed in found]
    assert one.letter == wanted
    assert one.place == f"{topic}/0@0"


async def test_letter_box_replays_to_the_original_partition(kafka: Kafka) -> None:
    """A record with a key of its own goes back to its partition with key, headers and time."""
    target = await kafka.create_topic(partitions=3)
    topic = await file_letters(kafka, letter(target))

    async with LetterBox(connection(kafka), topic) as box:
        filed = await box.letter_at(0, 0)
        assert filed.letter is not None
        assert await box.replay(filed.letter, "sarama_compat") == 1

    (record,) = await kafka.read_all(target)
    assert (record.partition, record.key, record.timestamp) == (1, b"key", 1_750_000_000_000)
    assert (record.value, record.headers) == (trace_request(20).body, (("tenant", b"a"),))


async def test_letter_box_splits_packed_records_anew(kafka: Kafka) -> None:
    """Each trace of a packed record goes where the present number of partitions puts it."""
    target = await kafka.create_topic(partitions=5)
    packed = letter(target, key=None, headers=(("bridge-packing", b"partition"),))
    topic = await file_letters(kafka, packed)

    async with LetterBox(connection(kafka), topic) as box:
        filed = await box.letter_at(0, 0)
        assert filed.letter is not None
        await box.replay(filed.letter, "sarama_compat")

    records = await kafka.read_all(target)
    place = placer(5, "sarama_compat")
    assert sum(count_items(Signal.TRACES, record.value) for record in records) == 20
    assert all(record.headers == (("bridge-packing", b"partition"),) for record in records)
    for record in records:
        assert set(place(ids_of(record.value))) == {record.partition}


def ids_of(body: bytes) -> list[bytes]:
    """The trace ids of a request."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest.FromString(body)
    spans = [
        span.SerializeToString()
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return trace_ids(Signal.TRACES, spans)


async def test_writer_without_topic_says_what_to_type(kafka: Kafka) -> None:
    """A missing topic of dead letters is not created; the error has the command."""
    name = kafka.unique("letters")
    writer = DeadLetterWriter(connection(kafka), name)

    with pytest.raises(Denied) as caught:
        await writer.put(letter("spans"))

    assert f"--create --topic {name}" in caught.value.hint


async def test_skip_requests_are_remembered_together(kafka: Kafka) -> None:
    """Several requests for one partition stand side by side; other partitions have none."""
    topic, group = await kafka.create_topic(partitions=2), kafka.unique("group")
    for offset in (5, 3, 5):
        await write_skip(connection(kafka), group, topic, 0, offset)

    found = await read_skips(connection(kafka), group, [(topic, 0), (topic, 1)])

    assert found == {(topic, 0): (3, 5)}


async def test_dlq_verbs_list_show_replay_and_skip(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does all four, with JSON for machines."""
    target = await kafka.create_topic(partitions=3)
    letters = await file_letters(kafka, letter(target), letter(target, offset_stop=9, value=b""))
    group = kafka.unique("group")
    config = tmp_path / "bridge.yaml"
    config.write_text(
        f"""
receivers:
  kafka:
    brokers: [{kafka.bootstrap}]
    group_id: {group}
    traces: {{topics: [{target}]}}
    dead_letter: {{topic: {letters}}}
exporters:
  nop: {{}}
service:
  pipelines:
    traces: {{receivers: [kafka], exporters: [nop]}}
"""
    )

    async def run(*words: str) -> tuple[int, Any]:
        arguments = ["dlq", *words, "--config", str(config), "--output", "json"]
        code = await asyncio.to_thread(dispatch, arguments)
        return code, json.loads(capsys.readouterr().out)

    listed = await run("list")
    shown = await run("show", f"{letters}/0@0")
    replayed = await run("replay", "--all")
    skipped = await run("skip", f"{target}/1@7")

    assert [f"{target}/1@7"] * 2 == [entry["from"] for entry in listed[1]]
    assert (shown[0], shown[1]["reason"], shown[1]["key"]) == (0, "too odd", "key")
    assert [entry["records"] for entry in replayed[1]] == [1, 0]
    assert (replayed[0], "no original" in replayed[1][1]["error"]) == (69, True)
    assert (skipped[0], skipped[1]["ok"]) == (0, True)
    assert await read_skips(connection(kafka), group, [(target, 1)]) == {(target, 1): (7,)}
    assert len(await kafka.read_all(target)) == 1
