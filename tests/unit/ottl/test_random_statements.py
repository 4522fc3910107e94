"""Whatever a statement is made of, only OTTL's own errors come out of it."""

import contextlib
import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core import Signal
from bridge.ottl import Cursor, ErrorMode, OttlError, OttlSyntaxError, Payload, Statements
from bridge.ottl.functions import FUNCTIONS
from bridge.wire import otlp_json
from tests.vectors.comparison import load

_BODIES = [
    (Signal.TRACES, load("ottl_traces")["fixtures"]["single"], "span"),
    (Signal.TRACES, load("ottl_traces")["fixtures"]["odd"], "span"),
    (Signal.LOGS, load("ottl_logs_metrics")["fixtures"]["logs"], "log"),
    (Signal.METRICS, load("ottl_logs_metrics")["fixtures"]["metrics"], "datapoint"),
]
REQUESTS = [
    (signal, otlp_json.decode(signal, json.dumps(request).encode()), context)
    for signal, request, context in _BODIES
]
LITERALS = (
    '"text"', '""', '"%Y-%m-%d"', '"(a)|b"', '"$1"', '"{\\"a\\": [1, {\\"b\\": null}]}"', "0", "1",
    "-1", "9223372036854775807", "1.5", "-0.0", "1e300", "true", "false", "nil", "0x0102", "[]",
    '[1, "a", nil]', '{"a": {"b": [1]}}', "{}", '["a", "b"]',
)  # fmt: skip
PATHS = {
    "span": (
        "span.name", "span.kind", "span.attributes", 'span.attributes["s"]', 'span.attributes["n"]',
        'span.attributes["map"]["x"]', 'span.attributes["list"][0]', "span.events", "span.links",
        "span.status", "span.trace_id", "span.start_time", "span.trace_state", "span.flags",
        "resource.attributes", "scope.name", 'span.cache["c"]',
    ),
    "log": (
        "log.body", 'log.body["card"]["brand"]', "log.body[1]", "log.attributes", "log.time",
        'log.attributes["gps"]', "log.severity_number", "log.severity_text", "log.span_id",
        'log.attributes["blob"]', "log.body.string", "resource.attributes",
    ),
    "datapoint": (
        "datapoint.attributes", "datapoint.value_int", "datapoint.value_double", "metric.name",
        "datapoint.bucket_counts", "datapoint.explicit_bounds", "datapoint.exemplars",
        "datapoint.quantile_values", "datapoint.positive", "metric.data_points", "metric.type",
        "metric.metadata", "datapoint.count", "datapoint.flags",
    ),
}  # fmt: skip
EDITORS = [name for name in FUNCTIONS if name[0].islower()]
CONVERTERS = [name for name in FUNCTIONS if name[0].isupper()]
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class Writer:
    """Writes statements of one context from a seed."""

    def __init__(self, seed: int, context: str) -> None:
        self._dice = random.Random(seed)
        self._paths = PATHS[context]

    def statement(self) -> str:
        """An editor, half of them with a condition."""
        name = self._dice.choice(EDITORS) if self._dice.random() < 0.6 else "set"
        where = f" where {self.condition(2)}" if self._dice.random() < 0.5 else ""
        return self._call(name, 2) + where

    def condition(self, depth: int) -> str:
        """A comparison, a converter, or several joined."""
        roll = self._dice.random()
        if depth and roll < 0.3:
            joint = self._dice.choice((" and ", " or "))
            return f"({self.condition(depth - 1)}{joint}{self.condition(depth - 1)})"
        if depth and roll < 0.4:
            return f"not ({self.condition(depth - 1)})"
        if roll < 0.6:
            return self._call(self._dice.choice(CONVERTERS), depth)
        return f"{self._value(depth)} {self._dice.choice(COMPARISONS)} {self._value(depth)}"

    def _call(self, name: str, depth: int) -> str:
        parameters = FUNCTIONS[name].parameters
        given = [one for one in parameters if not one.optional or self._dice.random() < 0.5]
        place = name[0].islower()
        values = []
        for index, _ in enumerate(given):
            path = place and index == 0 and self._dice.random() < 0.9
            values.append(self._dice.choice(self._paths) if path else self._value(depth))
        return f"{name}({', '.join(values)})"

    def _value(self, depth: int) -> str:
        roll = self._dice.random()
        if depth and roll < 0.3:
            return self._call(self._dice.choice(CONVERTERS), depth - 1)
        if depth and roll < 0.4:
            operator = self._dice.choice("+-*/")
            return f"{self._value(0)} {operator} {self._value(depth - 1)}"
        return self._dice.choice(self._paths if roll < 0.7 else LITERALS)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(REQUESTS), st.sampled_from(list(ErrorMode)))
def test_random_statement_raises_nothing_but_ottl_errors(
    seed: int, request: tuple[Signal, bytes, str], mode: ErrorMode
) -> None:
    """At start or on an item; and what comes out is still a request."""
    signal, body, context = request
    writer = Writer(seed, context)
    payload = Payload(body, signal)
    compiled = []
    while len(compiled) < 3:
        try:
            compiled.append(Statements(signal, [writer.statement()], mode))
        except OttlSyntaxError:
            continue
    for statements in compiled:
        try:
            statements.run(Cursor(payload))
        except OttlError:
            assert mode is ErrorMode.PROPAGATE

    Payload(payload.dump(), signal).count()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_random_text_is_a_statement_or_a_syntax_error(text: str) -> None:
    """Never anything else."""
    with contextlib.suppress(OttlSyntaxError):
        Statements(Signal.TRACES, [text], ErrorMode.IGNORE)
