"""``service.telemetry.traces``"""

import pytest

from bridge.config.problems import Problem
from bridge.config.telemetry import Telemetry, read_telemetry
from bridge.config.telemetry_traces import RATIO
from tests.unit.config.fakes import tree


def _read(traces: str) -> tuple[Telemetry, list[Problem]]:
    entry = tree(f"telemetry: {{traces: {traces}}}").entries["telemetry"]
    return read_telemetry(entry.key, entry.value)


def _sent_by(otlp: str, more: str = "", sampler: str = "") -> str:
    batch = f"batch: {{{more}exporter: {{otlp: {{{otlp}}}}}}}"
    return f"{{{sampler}processors: [{{{batch}}}]}}"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{processors: []}",
        "{processors: [{batch: }]}",
        _sent_by("endpoint: 'http://b:4318'", sampler="level: None, "),
        _sent_by("endpoint: 'http://b:4318'", sampler="sampler: {always_off: {}}, "),
    ],
)
def test_traces_are_off_unless_something_sends(text: str) -> None:
    """Then nothing of them is left in the settings, so that nothing of it runs."""
    telemetry, problems = _read(text)

    assert (telemetry.traces, problems) == (None, [])


@pytest.mark.parametrize(
    ("otlp", "target", "place"),
    [
        ("endpoint: 'http://b:4318'", "http://b:4318/v1/traces", ("b", 4318)),
        ("endpoint: 'https://b/'", "https://b/v1/traces", ("b", 443)),
        ("endpoint: 'http://b/otel/t'", "http://b/otel/t", ("b", 80)),
        ("endpoint: 'b:4318', insecure: true", "http://b:4318/v1/traces", ("b", 4318)),
        ("endpoint: 'b:4318'", "https://b:4318/v1/traces", ("b", 4318)),
        ("endpoint: 'b:4317', protocol: grpc", "b:4317", ("b", 4317)),
        ("endpoint: 'http://b:4317', protocol: grpc/protobuf", "http://b:4317", ("b", 4317)),
    ],
)
def test_traces_endpoint_is_read_as_the_collector_does(
    otlp: str, target: str, place: tuple[str, int]
) -> None:
    """A URL without a path gets the one of OTLP; without a scheme `insecure` decides."""
    telemetry, problems = _read(_sent_by(otlp))

    assert problems == []
    assert telemetry.traces is not None
    assert telemetry.traces.otlp is not None
    assert (telemetry.traces.otlp.target, telemetry.traces.otlp.host_and_port) == (target, place)


@pytest.mark.parametrize(
    ("sampler", "ratio"),
    [
        ("", RATIO),
        ("sampler: {always_on: {}}, ", 1.0),
        ("sampler: {trace_id_ratio_based: {ratio: 0.2}}, ", 0.2),
        ("sampler: {trace_id_ratio_based: {}}, ", RATIO),
        ("sampler: {parent_based: {root: {always_on: {}}}}, ", 1.0),
        ("sampler: {parent_based: {root: {trace_id_ratio_based: {ratio: 0.5}}}}, ", 0.5),
        ("sampler: {parent_based: {}}, ", RATIO),
    ],
)
def test_traces_sampler_gives_a_ratio(sampler: str, ratio: float) -> None:
    """The parent of a request is not known, so the root of a parent-based sampler decides."""
    telemetry, problems = _read(_sent_by("endpoint: 'http://b:1'", sampler=sampler))

    assert problems == []
    assert telemetry.traces is not None
    assert telemetry.traces.sampler.ratio() == ratio


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (_sent_by("protocol: grpc"), "endpoint"),
        (_sent_by("protocol: grpc, endpoint: b"), "port is missing"),
        (_sent_by("protocol: http/json, endpoint: 'http://b:1'"), "protocol"),
        (_sent_by("endpoint: 'ftp://b:1'"), "http:// or https://"),
        (_sent_by("endpoint: 'http://b:1'", "max_queue_size: 2, "), "exceeds max_queue_size"),
        ("{sampler: {always_on: {}, always_off: {}}}", "of samplers there is one"),
        ("{sampler: {trace_id_ratio_based: {ratio: 2}}}", "ratio"),
        (
            "{processors: [&a {batch: {exporter: {otlp: {endpoint: 'http://a:1'}}}}, *a]}",
            "several processors send",
        ),
    ],
)
def test_traces_errors_say_what_is_wrong(text: str, part: str) -> None:
    """With a position, as all errors of a configuration."""
    telemetry, problems = _read(text)

    assert telemetry.traces is None
    assert [problem.is_error for problem in problems] == [True]
    assert part in problems[0].message


def test_traces_keys_without_effect_are_warned_of() -> None:
    """They may stay."""
    more = "sampler: {parent_based: {remote_parent_sampled: {}}}, propagators: [b3], "
    telemetry, problems = _read(_sent_by("endpoint: 'http://b:1'", sampler=more))

    assert telemetry.traces is not None
    assert {problem.code for problem in problems} == {"BR-2002"}
    assert [problem.path for problem in problems] == [
        "service.telemetry.traces.sampler.parent_based.remote_parent_sampled",
        "service.telemetry.traces.propagators",
    ]
