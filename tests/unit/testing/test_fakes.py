"""Metrics, settings and custody of tests."""

import pytest

from bridge.core import ComponentId, ConfigError, Signal, State, Status
from bridge.testing import (
    FakeCustody,
    FakeHost,
    RecordingMetrics,
    kafka_batch,
    make_settings,
)


def test_metrics_value_sums_series_that_fit() -> None:
    """Labels narrow the sum; a name that nobody counted is zero."""
    metrics = RecordingMetrics()
    metrics.counter("requests", {"transport": "grpc", "code": "0"}).add(2)
    metrics.counter("requests", {"transport": "http", "code": "0"}).add(3)

    assert metrics.value("requests") == 5
    assert metrics.value("requests", transport="grpc") == 2
    assert metrics.value("other") == 0


def test_metrics_same_series_is_the_same_object() -> None:
    """The order of labels makes no difference."""
    metrics = RecordingMetrics()

    first = metrics.counter("x", {"a": "1", "b": "2"})

    assert metrics.counter("x", {"b": "2", "a": "1"}) is first


def test_metrics_gauge_is_read_when_asked_and_forgotten() -> None:
    """A gauge shows the current value until its series is dropped."""
    metrics, depth = RecordingMetrics(), [1]
    metrics.gauge("depth", {"topic": "t"}, lambda: depth[0])
    depth[0] = 4

    shown = metrics.value("depth", topic="t")
    metrics.forget("depth", {"topic": "t"})

    assert shown == 4
    assert metrics.names() == set()


def test_settings_reports_reach_the_host() -> None:
    """What a component reports can be read back."""
    host = FakeHost()
    settings = make_settings("kafka/backup", host=host)

    settings.report(Status(State.RECOVERABLE, "broker away"))

    assert (settings.id.name, host.state) == ("backup", State.RECOVERABLE)


def test_host_without_extension_refuses() -> None:
    """An extension that is not there is a config error, as in the real host."""
    with pytest.raises(ConfigError, match="no extension oauth2"):
        FakeHost().extension(ComponentId("oauth2"))


def test_kafka_batch_records_cover_its_body() -> None:
    """Each record names the bytes that it brought."""
    custody = FakeCustody()
    batch = kafka_batch(Signal.TRACES, b"ab", b"cde", items=2, custody=custody, first_offset=7)

    records = batch.origin.records

    assert [batch.body[r.body_start : r.body_stop] for r in records] == [b"ab", b"cde"]
    assert [r.offset for r in records] == [7, 8]
    assert batch.origin.durable
