"""Putting a request through processors."""

import os

import pytest

from bridge.cli.trial import find_processors, put_through
from bridge.config import LoadedConfig, load
from bridge.core import ConfigError, Signal
from bridge.service import Registry
from bridge.testing import trace_request

CONFIG = """yaml:
receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}
processors:
  filter/all: {trace_conditions: ['span.name != ""']}
  batch: {timeout: 50s}
  probabilistic_sampler: {sampling_percentage: 100}
exporters: {debug: }
service:
  pipelines:
    traces/x: {receivers: [otlp], processors: [batch, filter/all], exporters: [debug]}
"""


@pytest.fixture
def loaded() -> LoadedConfig:
    """A configuration with one pipeline."""
    return load([CONFIG], (), Registry(), os.environ)


def test_find_processors_of_a_pipeline_keeps_their_order(loaded: LoadedConfig) -> None:
    """As data passes through them."""

    assert list(map(str, find_processors(loaded, [], "traces/x"))) == ["batch", "filter/all"]


def test_find_processors_without_a_name_lists_the_pipelines(loaded: LoadedConfig) -> None:
    """Nothing is guessed."""

    with pytest.raises(ConfigError, match="one of the pipelines traces/x"):
        find_processors(loaded, [], "")


def test_put_through_dropped_request_has_no_bytes(loaded: LoadedConfig) -> None:
    """All items came in, none went out; the wait of the batch processor took no time."""
    made = trace_request(spans_per_trace=3)

    outcome = put_through(loaded, find_processors(loaded, [], "traces/x"), Signal.TRACES, made.body)

    assert (outcome.body, outcome.items_before, outcome.items_after) == (b"", made.items, 0)


def test_put_through_wrong_signal_is_a_config_error(loaded: LoadedConfig) -> None:
    """The processor is named."""
    sampler = find_processors(loaded, ["probabilistic_sampler"], "")

    with pytest.raises(ConfigError, match="probabilistic_sampler does not take metrics"):
        put_through(loaded, sampler, Signal.METRICS, b"")
