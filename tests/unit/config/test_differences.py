"""Defaults that are not the Collector's."""

from bridge.config import differences, other_differences
from bridge.core import ExporterFactory
from bridge.options import Options
from bridge.service import Registry
from tests.unit.config.fakes import FakeFactories, never


def test_differences_are_read_from_the_models() -> None:
    """Every key of the list exists in the installed components, with the value that runs."""
    found = {difference.key: difference.ours for difference in differences(Registry())}

    assert found["exporters.kafka.producer.required_acks"] == "all"
    assert found["exporters.kafka.partition_traces_by_id"] == "true"
    assert found["exporters.kafka.producer.packing"] == "partition"
    assert found["exporters.kafka.producer.allow_auto_topic_creation"] == "false"
    assert found["receivers.kafka.message_marking.after"] == "true"
    assert found["receivers.kafka.initial_offset"] == "earliest"
    assert found["receivers.kafka.dead_letter"] == "unset"
    assert found["processors.tail_sampling.num_traces"] == "0"


def test_differences_never_equal_the_collectors_value() -> None:
    """A line without a difference would be wrong."""

    assert all(one.ours != one.collectors for one in differences(Registry()))
    assert all(one.ours != one.collectors for one in other_differences(Registry()))


def test_other_differences_come_from_descriptions() -> None:
    """Nested sections too, each component once, aliases and broken ones left out."""
    found = {one.key: one for one in other_differences(FakeFactories())}

    assert found["exporters.debug.timeout"].collectors == "10s"
    assert found["exporters.debug.timeout"].reason == "Seconds for one attempt."
    assert "exporters.poor.endpoint" not in found
    assert "receivers.otlp.timeout" in found


class _Endless(Options):
    size: int = 1
    """Size. The Collector: 2."""

    inner: "_Endless | None" = None
    """The same again."""


def test_other_differences_of_a_recursive_model_end() -> None:
    """Sections in themselves are followed to a bound."""
    factories = FakeFactories()
    factories.known["exporters"]["endless"] = ExporterFactory("endless", _Endless, never)

    assert len(other_differences(factories)) < 1000
