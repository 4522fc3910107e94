"""One config for several workers."""

import pickle
from collections.abc import Callable, Sequence

import pytest

from bridge.config import LoadedConfig, load
from bridge.core import ComponentId, ConfigError
from bridge.service.registry import Registry
from bridge.service.worker_link import WorkerPlan
from bridge.service.worker_plan import (
    check_sharable,
    parent_config,
    rate_limited,
    with_ports,
    worker_config,
)

GATEWAY = """
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:0"}}, http: {{endpoint: "[::1]:4318"}}}}}}
  kafka: {{group_instance_id: "{instance}", max_in_flight_total_mib: 100}}
processors:
  batch: {{}}
  memory_limiter: {{limit_mib: 1000}}
  tail_sampling:
    policies:
      - name: both
        type: and
        and: {{and_sub_policy: [{{name: r, type: {policy}}}]}}
exporters:
  kafka: {{}}
  file: {{path: spans.json}}
extensions: {{health_check: {{}}, basicauth/x: {{client_auth: {{username: a, password: b}}}}}}
service:
  extensions: [health_check, basicauth/x]
  pipelines:
    traces/in: {{receivers: [otlp], processors: [memory_limiter, batch], exporters: [kafka]}}
    traces/out:
      receivers: [{source}]
      processors: [tail_sampling]
      exporters: [{sink}]
"""


def _load(
    source: str = "kafka",
    sink: str = "kafka",
    instance: str = "box",
    policy: str = "rate_limiting, rate_limiting: {spans_per_second: 9}",
    sets: Sequence[str] = (),
) -> LoadedConfig:
    text = GATEWAY.format(source=source, sink=sink, instance=instance, policy=policy)
    return load([f"yaml:{text}"], sets, Registry(), {})


def test_worker_config_divides_totals_and_leaves_other_bounds() -> None:
    """Two workers get a half each of what bounds the process, rounded down."""
    found = worker_config(_load(), 1, 2)
    otlp = found.receivers[ComponentId("otlp")].options
    kafka = found.receivers[ComponentId("kafka")].options
    assert otlp.max_in_flight_mib == 128
    assert otlp.protocols.grpc.max_connections == 4096
    assert (kafka.max_in_flight_total_mib, kafka.max_in_flight_mib) == (50, 8)
    assert found.processors[ComponentId("memory_limiter")].options.limit_mib == 500
    assert found.processors[ComponentId("batch")].options.pending_max_mib == 32
    producer = found.exporters[ComponentId("kafka")].options.producer
    assert producer.max_buffered_bytes == 32 << 20


def test_worker_config_gives_each_worker_its_names_at_kafka() -> None:
    """Static members of one group must differ, or they fence each other."""
    found = worker_config(_load(), 2, 3).receivers[ComponentId("kafka")].options
    assert (found.client_id, found.group_instance_id) == ("otel-collector-2", "box-2")


def test_worker_config_keeps_dynamic_membership() -> None:
    """No instance id stays none: ``-2`` alone would make the member static."""
    found = worker_config(_load(instance=""), 2, 3)
    assert found.receivers[ComponentId("kafka")].options.group_instance_id == ""


def test_configs_split_extensions_between_parent_and_workers() -> None:
    """Health answers once, in the parent; what pipelines use is where they run."""
    config = _load()
    parent, worker = parent_config(config), worker_config(config, 0, 2)
    assert [str(id_) for id_ in parent.extensions] == ["health_check"]
    assert [str(id_) for id_ in worker.extensions] == ["basicauth/x"]
    assert (len(parent.pipelines), len(worker.pipelines)) == (0, 2)
    assert worker.telemetry.metrics_address is None
    assert parent.telemetry.metrics_address == ("localhost", 8888)


def test_worker_config_default_is_never_less_than_a_worker_needs() -> None:
    """64 workers of the default configuration start: each can hold a largest request."""
    options = worker_config(_load(), 0, 64).receivers[ComponentId("otlp")].options
    assert options.max_in_flight_mib == options.share_min("max_in_flight_mib") == 128


def test_worker_config_too_small_share_says_what_to_set() -> None:
    """A bound that someone wrote is not exceeded in silence."""
    config = _load(sets=("receivers.otlp.max_in_flight_mib=200",))
    with pytest.raises(
        ConfigError, match=r"receivers/otlp: max_in_flight_mib is 200, .*set it to 256 or more"
    ):
        worker_config(config, 0, 2)


def test_worker_plan_survives_the_way_to_the_worker() -> None:
    """A plan is what it was after pickling, secrets and all."""
    config = worker_config(_load(), 0, 2)
    found = pickle.loads(pickle.dumps(WorkerPlan(0, config, 25.0)))
    assert found.config.receivers == config.receivers
    assert found.config.extensions == config.extensions
    assert found.config.pipelines == config.pipelines


def test_with_ports_gives_all_workers_the_reserved_endpoints() -> None:
    """Every OTLP listener is reserved once, and shared."""
    asked: list[tuple[str, str, str]] = []

    def reserve(endpoint: str, transport: str, where: str) -> str:
        asked.append((endpoint, transport, where))
        return "127.0.0.1:77"

    options = with_ports(_load(), reserve).receivers[ComponentId("otlp")].options
    assert asked == [
        ("127.0.0.1:0", "tcp", "receivers.otlp.protocols.grpc"),
        ("[::1]:4318", "tcp", "receivers.otlp.protocols.http"),
    ]
    assert options.reuse_port
    assert options.protocols.http.endpoint == options.protocols.grpc.endpoint == "127.0.0.1:77"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": "otlp"}, "tail_sampling needs all spans of a trace in one process, but otlp"),
        ({"sink": "file"}, "write over each other in the file of file"),
    ],
)
def test_check_sharable_refuses_what_workers_cannot_do_together(
    change: dict[str, str], message: str
) -> None:
    """Split traces and a shared file are found before anything starts."""
    with pytest.raises(ConfigError, match=message):
        check_sharable(_load(**change))


def test_check_sharable_accepts_kafka_in_between() -> None:
    """The consumer group gives whole traces to one worker."""
    check_sharable(_load())


@pytest.mark.parametrize(
    ("load_config", "expected"),
    [(_load, ["tail_sampling"]), (lambda: _load(policy="always_sample"), [])],
)
def test_rate_limited_finds_policies_within_policies(
    load_config: Callable[[], LoadedConfig], expected: list[str]
) -> None:
    """A rate inside an ``and`` policy counts for each worker too."""
    assert rate_limited(load_config()) == expected
