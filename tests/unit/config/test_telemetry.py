"""``service.telemetry``"""

import pytest

from bridge.config.problems import Problem
from bridge.config.telemetry import LogSettings, Telemetry, read_telemetry
from tests.unit.config.fakes import tree


def _read(text: str) -> tuple[Telemetry, list[Problem]]:
    entry = tree(f"telemetry: {text}").entries["telemetry"]
    return read_telemetry(entry.key, entry.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("localhost", 8888)),
        ("{metrics: {level: none}}", None),
        ("{metrics: {level: Detailed}}", ("localhost", 8888)),
        ("{metrics: {address: '0.0.0.0:9999'}}", ("0.0.0.0", 9999)),
        ("{metrics: {address: ':9999'}}", ("0.0.0.0", 9999)),
        ("{metrics: {readers: []}}", None),
        (
            "{metrics: {readers: [{pull: }, {pull: {exporter: {prometheus: {port: 2}}}}]}}",
            ("localhost", 2),
        ),
        (
            "{metrics: {readers: [{pull: {exporter: {prometheus: {host: h, port: 1}}}}]}}",
            ("h", 1),
        ),
        ("{metrics: {readers: [{pull: {exporter: {prometheus: }}}]}}", ("localhost", 8888)),
        (
            "{metrics: {address: 'a:1', readers: [{pull: {exporter: {prometheus: {port: 0}}}}]}}",
            ("localhost", 0),
        ),
    ],
)
def test_telemetry_metrics_address(text: str, address: tuple[str, int] | None) -> None:
    """Readers win over the older address, and level none over both."""
    telemetry, problems = _read(text)

    assert (telemetry.metrics_address, problems) == (address, [])


@pytest.mark.parametrize(
    ("text", "logs"),
    [
        ("{}", LogSettings("info", "console")),
        ("{logs: {level: DEBUG, encoding: json}}", LogSettings("debug", "json")),
        ("{logs: {level: fatal}}", LogSettings("error", "console")),
    ],
)
def test_telemetry_logs(text: str, logs: LogSettings) -> None:
    """Levels in any case; the three above error are error."""
    telemetry, problems = _read(text)

    assert (telemetry.logs, problems) == (logs, [])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{resource: {a: b}}", "service.telemetry.resource"),
        ("{logs: {sampling: {}}}", "service.telemetry.logs.sampling"),
        ("{metrics: {views: []}}", "service.telemetry.metrics.views"),
        ("{metrics: {readers: [{periodic: {}}]}}", "service.telemetry.metrics.readers.periodic"),
        (
            "{metrics: {readers: [{pull: {exporter: {prometheus: {without_units: true}}}}]}}",
            "service.telemetry.metrics.readers.pull.exporter.prometheus.without_units",
        ),
    ],
)
def test_telemetry_key_without_effect_is_a_warning(text: str, path: str) -> None:
    """It is named, and everything else is read."""
    _, problems = _read(text)

    assert [(problem.code, problem.path) for problem in problems] == [("BR-2002", path)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{logs: {level: loud}}", "BR-1302"),
        ("{logs: {level: 5}}", "BR-1302"),
        ("{metrics: {level: 5}}", "BR-1302"),
        ("{metrics: {address: x}}", "BR-1304"),
        ("[]", "BR-1202"),
    ],
)
def test_telemetry_wrong_value_is_an_error(text: str, code: str) -> None:
    """What is honoured must be right; the defaults stand in for the rest of the run."""
    telemetry, problems = _read(text)

    assert [problem.code for problem in problems] == [code]
    assert telemetry == Telemetry()
