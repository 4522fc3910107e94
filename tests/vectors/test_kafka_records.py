"""The records that a real Collector writes, for the same configuration and input."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bridge.core import Batch, Deadline, Origin, Signal, SystemClock
from bridge.exporters.kafka import KafkaExporter, KafkaExporterConfig
from bridge.testing import make_settings
from bridge.wire import count_items, otlp_json
from tests.unit.kafka.fake_cluster import FakeCluster, StoredRecord
from tests.vectors.comparison import normal

VECTORS = json.loads((Path(__file__).parent / "data" / "kafka_records.json").read_text())
CASES = {case["id"]: case for case in VECTORS["cases"]}
LOSES_DATA = "producer-01"
PARTITIONS = 12


def config_of(case: dict[str, Any]) -> KafkaExporterConfig:
    """The case's configuration with the Collector's defaults where ours differ."""
    section = json.loads(json.dumps(case["config"]))
    section.setdefault("partition_traces_by_id", False)
    if case["subject"] == "message_key" and "partition_traces_by_id" not in case["config"]:
        section["partition_traces_by_id"] = False
    section.setdefault("producer", {}).setdefault("packing", "trace")
    section["allowed_topics"] = ["^vec-.*$"]
    return KafkaExporterConfig.model_validate(section)


def batch_of(case: dict[str, Any]) -> Batch:
    """The case's input as a batch, headers as metadata."""
    signal = Signal(case["signal"])
    fixture = VECTORS["fixtures"][case["input"]["fixture"]]
    body = otlp_json.decode(signal, json.dumps(fixture).encode())
    headers = case["input"].get("headers", {})
    metadata = {name.lower(): (value,) for name, value in headers.items()}
    deadline = Deadline.after(10, SystemClock())
    return Batch(signal, body, count_items(signal, body), Origin("test", deadline), metadata)


async def written_by(case: dict[str, Any]) -> list[StoredRecord]:
    """What the exporter writes for a case."""
    cluster = FakeCluster(any_topic=PARTITIONS)
    signal = Signal(case["signal"])
    exporter = KafkaExporter(
        config_of(case), make_settings("kafka"), frozenset({signal}), cluster.opening()
    )
    await exporter.start()
    await exporter.deliver(batch_of(case))
    await exporter.stop(Deadline.after(5, SystemClock()))
    return cluster.written


def comparable(record: StoredRecord, expected: dict[str, Any], signal: Signal) -> str:
    """One written record in the form of the vectors, as text that can be sorted."""
    shown: dict[str, Any] = {
        "topic": record.topic,
        "key": None if record.key is None else record.key.hex(),
        "partition": record.partition,
        "headers": [[name, value.decode()] for name, value in record.headers],
    }
    encoding = "hex"
    if signal is Signal.LOGS and "value" not in expected["records"][0]:
        try:
            shown["text"] = record.value.decode()
            encoding = "text"
        except UnicodeDecodeError:
            shown["hex"] = record.value.hex()
    else:
        encoding = "value"
        try:
            shown["value"] = normal(json.loads(record.value))
        except ValueError:
            shown["value"] = normal(json.loads(otlp_json.encode(signal, record.value)))
    assert encoding
    return json.dumps(shown, sort_keys=True)


@pytest.mark.parametrize("name", [name for name in CASES if name != LOSES_DATA])
async def test_records_of_case_equal_the_collectors(name: str) -> None:
    """Topic, key, partition, headers and value of every record are the Collector's."""
    case = CASES[name]
    expected = case["expect"]
    if expected.get("error"):
        with pytest.raises(ValidationError):
            config_of(case)
        return
    signal = Signal(case["signal"])
    written = await written_by(case)
    assert expected["count"] == len(written)
    wanted = []
    for record in expected["records"]:
        shown = {k: v for k, v in record.items() if k != "items"}
        if "value" in shown:
            shown["value"] = normal(shown["value"])
        wanted.append(json.dumps(shown, sort_keys=True))
    anywhere = {record["partition"] for record in expected["records"]} == {None}
    keyless = {record["key"] for record in expected["records"]} == {None}
    if anywhere or not keyless:
        for record in written:
            assert 0 <= record.partition < PARTITIONS
            if record.key is None or anywhere:
                record.partition = None  # type: ignore[assignment]  # any one is right

    assert sorted(wanted) == sorted(comparable(record, expected, signal) for record in written)


async def test_records_above_the_limit_are_written_in_parts() -> None:
    """Where the Collector acknowledges and loses a large record, every span arrives."""
    case = json.loads(json.dumps(CASES[LOSES_DATA]))
    case["config"]["producer"]["max_message_bytes"] = 1024
    sent = batch_of(case)
    written = await written_by(case)

    assert len(written) > 1
    assert sent.items == sum(count_items(Signal.TRACES, record.value) for record in written)
