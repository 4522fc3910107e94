"""Warnings, and references between components."""

import pytest

from bridge.config import ConfigErrors, load
from tests.unit.config.fakes import FakeFactories

DEFAULT = "traces: {receivers: [otlp], exporters: [debug]}"


def _codes(components: str, pipelines: str = DEFAULT) -> list[tuple[str, str]]:
    text = f"""
receivers: {{otlp: , kafka: }}
exporters: {{debug: , kafka: }}
{components}
service: {{pipelines: {{{pipelines}}}}}
"""
    try:
        problems = load([f"yaml:{text}"], [], FakeFactories(), {"A": "secret"}).warnings
    except ConfigErrors as error:
        problems = error.problems
    return [(problem.code, problem.message) for problem in problems]


def _without_unused(components: str, pipelines: str) -> list[str]:
    return [code for code, _ in _codes(components, pipelines) if code != "BR-2001"]


def test_hints_unused_component_is_named() -> None:
    """Also an extension that the service does not list."""

    assert _codes("extensions: {health_check: }\nprocessors: {filter: }") == [
        ("BR-2001", "no pipeline uses receiver kafka"),
        ("BR-2001", "no pipeline uses processor filter"),
        ("BR-2001", "no pipeline uses exporter kafka"),
        ("BR-2001", "service.extensions does not list extension health_check"),
    ]


def test_hints_unused_is_silent_while_references_are_wrong() -> None:
    """The right names would all look unused."""
    found = _codes("", "traces: {receivers: [oltp], exporters: [debug]}")

    assert [code for code, _ in found] == ["BR-1406"]


@pytest.mark.parametrize(
    ("processors", "receivers", "exporters", "codes"),
    [
        ("memory_limiter, batch", "otlp", "debug", []),
        ("batch, memory_limiter", "otlp", "debug", ["BR-2003"]),
        ("batch", "otlp", "kafka", ["BR-2004"]),
        ("batch", "otlp", "'kafka', debug", []),
        ("batch, tail_sampling", "kafka", "debug", ["BR-2004"]),
        ("batch/cap, tail_sampling", "kafka", "debug", ["BR-2004"]),
        ("batch/cap, filter, groupbytrace", "kafka", "debug", ["BR-2004", "BR-2008"]),
        ("groupbytrace, filter, tail_sampling", "kafka", "debug", ["BR-2011"]),
        ("batch, tail_sampling", "otlp", "debug", ["BR-2005"]),
        ("tail_sampling", "otlp, kafka", "debug", ["BR-2005"]),
        ("tail_sampling, batch", "kafka", "debug", []),
        ("batch, filter", "otlp", "debug", ["BR-2008"]),
        ("filter, batch", "otlp", "debug", []),
    ],
)
def test_hints_of_processor_order(
    processors: str, receivers: str, exporters: str, codes: list[str]
) -> None:
    """What stands where it does little."""
    components = (
        "processors: {batch: , batch/cap: {send_batch_max_size: 5}, "
        "filter: , memory_limiter: , tail_sampling: , groupbytrace: }"
    )
    lists = f"receivers: [{receivers}], processors: [{processors}], exporters: [{exporters}]"
    pipeline = f"traces: {{{lists}}}"

    assert _without_unused(components, pipeline) == codes


def test_hints_capped_batch_is_kept() -> None:
    """A cap is a promise about sizes downstream."""
    pipeline = "traces: {receivers: [otlp], processors: [batch], exporters: [kafka]}"

    assert _without_unused("processors: {batch: {send_batch_max_size: 5}}", pipeline) == []


def test_hints_num_traces_names_the_rate() -> None:
    """Traces held over the time that they are held."""
    components = "processors: {tail_sampling: {num_traces: 3000, decision_wait: 30s}}"
    pipeline = "traces: {receivers: [kafka], processors: [tail_sampling], exporters: [debug]}"
    (message,) = [text for code, text in _codes(components, pipeline) if code == "BR-2006"]

    assert "above 100 new traces a second" in message


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ("{password: hunter2}", ["BR-2007"]),
        ("{password: '${A}'}", []),
        ("{password: ''}", []),
        ("{tls: {key_pem: abc}}", ["BR-2007"]),
        ("{headers: {authorization: Bearer x}}", ["BR-2007"]),
        ("{headers: {x-tenant: acme}}", []),
        ("{endpoint: '0.0.0.0:1'}", ["BR-2009"]),
        ("{endpoint: ':1'}", ["BR-2009"]),
        ("{endpoint: '[::]:1'}", ["BR-2009"]),
        ("{endpoint: '0.0.0.0:1', tls: {cert_file: c.pem}}", []),
        ("{endpoint: '0.0.0.0:1', tls: {cert_pem: '${A}', key_pem: '${A}'}}", []),
        ("{endpoint: '0.0.0.0:1', tls: {insecure: true}}", ["BR-2009"]),
        ("{endpoint: 'localhost:1'}", []),
    ],
)
def test_hints_of_options(options: str, codes: list[str]) -> None:
    """Secrets in the file, and listening to everybody."""
    pipeline = "traces: {receivers: [otlp/x], exporters: [debug]}"
    text = f"receivers::otlp/x: {options}"

    assert _without_unused(text, pipeline) == codes


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_hints_health_may_be_asked_by_everybody(host: str) -> None:
    """Probes come from outside the pod, and learn nothing that TLS would hide."""
    pipeline = "traces: {receivers: [otlp], exporters: [debug]}"
    text = f"extensions: {{health_check: {{endpoint: '{host}:13133'}}}}"

    assert "BR-2009" not in [code for code, _ in _codes(text, pipeline)]


def test_hints_broken_component_is_left_out() -> None:
    """Its own problems come first."""
    components = "processors: {tail_sampling: {num_traces: x}}"
    pipeline = "traces: {receivers: [kafka], processors: [tail_sampling], exporters: [debug]}"

    assert _without_unused(components, pipeline) == ["BR-1302"]


def test_hints_authenticator_must_run() -> None:
    """An extension that is not listed cannot check anybody."""
    pipeline = "traces: {receivers: [otlp/x], exporters: [debug]}"
    listed = "extensions: {health_check: }\nservice::extensions: [health_check]\n"
    receiver = "receivers::otlp/x: {auth: {authenticator: health_check}}"

    assert _without_unused(receiver, pipeline) == ["BR-1409"]
    assert _without_unused(listed + receiver, pipeline) == []


def test_hints_find_ids_with_blanks() -> None:
    """The Collector takes them, so the warning has its place all the same."""
    components = "processors: {'a b': , 'batch / x': , filter: }"
    lists = "receivers: [otlp], processors: ['batch / x', filter], exporters: [debug]"

    assert _without_unused(components, f"traces: {{{lists}}}") == ["BR-1203", "BR-2008"]
    assert _without_unused(components, f"'traces / a': {{{lists}}}") == ["BR-1203", "BR-2008"]
