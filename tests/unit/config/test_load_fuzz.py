"""Whatever the text, a configuration is loaded or refused with its problems."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import ConfigErrors, load, render_json, render_plain
from tests.unit.config.fakes import FakeFactories

LINES = """
receivers:
  otlp:
    endpoint: ${A}
    topics: [a, b]
    policies: [{name: x, rate: 0.5}]
  kafka/in: {port: 1}
processors:
  batch:
  tail_sampling: {num_traces: 5, decision_wait: 1s}
exporters:
  debug: &anchor {tls: {insecure: true}, headers: {a: b}}
  kafka: *anchor
  broken:
extensions:
  health_check: {auth: {authenticator: x}}
service:
  extensions: [health_check]
  telemetry:
    logs: {level: debug}
    metrics: {readers: [{pull: {exporter: {prometheus: }}}]}
  pipelines:
    traces/in:
      receivers: [otlp, kafka/in]
      processors: [batch, tail_sampling]
      exporters: [debug, kafka]
""".splitlines()

_FRAGMENTS = st.sampled_from(
    ["", ":", "- ", "{}", "[]", "null", "5", "true", "text", "${A}", "${", "$$", "<<: ", "*anchor",
     "&x ", "'", "  ", "\t", "!!int ", "/", ",", "#", "otlp", "${env:B:-[1]}", "|"]
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES) - 1), st.integers(0, 30), st.integers(0, 12), _FRAGMENTS
        ),
        max_size=4,
    )
)
def test_load_damaged_text_is_loaded_or_refused(edits: list[tuple[int, int, int, str]]) -> None:
    """Cutting out and putting in anywhere never raises anything else, and can be rendered."""
    lines = list(LINES)
    for number, start, length, fragment in edits:
        line = lines[number]
        lines[number] = line[:start] + fragment + line[start + length :]
    try:
        problems = load([f"yaml:{chr(10).join(lines)}"], [], FakeFactories(), {"A": "[1"}).warnings
    except ConfigErrors as error:
        problems = error.problems

        assert any(problem.is_error for problem in problems)
    assert len(render_json(problems)) == len(problems)
    assert render_plain(problems)
