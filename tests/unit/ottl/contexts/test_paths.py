"""Every path of every context: read, written, and refused."""

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Signal
from bridge.ottl import Cursor, OttlError, OttlSyntaxError
from bridge.ottl.compiler import Compiler
from bridge.ottl.contexts import CONTEXTS, datapoint, fields, log, metric, span, spanevent
from bridge.ottl.contexts.tracestate import MEMBERS_MAX, insert, parse
from bridge.ottl.expressions import Place
from bridge.ottl.functions import STATEMENT_FUNCTIONS
from bridge.ottl.parser import parse_statement
from bridge.ottl.values import Foreign, SpanId, Time, TraceId
from tests.unit.ottl.running import cursor_at

NUMBERS, HISTOGRAM, EXPONENTIAL, SUMMARY = "gauge", "histogram", "exponential_histogram", "summary"


def place(context: str, path: str) -> Place:
    """The place of a path."""
    target = parse_statement(f"set({path}, 1)").editor.arguments[0].value
    found = Compiler(CONTEXTS[context], STATEMENT_FUNCTIONS).value(target)
    assert isinstance(found, Place)
    return found


def at(context: str, kind: str = NUMBERS) -> Cursor:
    """A cursor at an item of the context in which every message exists and is empty."""
    if context == "log":
        return cursor_at(LogRecord(flags=1).SerializeToString(), Signal.LOGS)
    if context in ("metric", "datapoint"):
        made = Metric(name="m")
        getattr(made, kind).data_points.add(time_unix_nano=1)
        cursor = cursor_at(made.SerializeToString(), Signal.METRICS)
        cursor.part = cursor.item.points[0]
        return cursor
    made_span = Span(name="s")
    made_span.events.add(name="e")
    made_span.links.add(span_id=b"12345678")
    cursor = cursor_at(made_span.SerializeToString())
    cursor.part = cursor.item.events[0]
    cursor.part.parse()
    return cursor


ROUND_TRIPS: list[tuple[str, str, Any]] = [
    ("span", "trace_id", TraceId(b"t" * 16)),
    ("span", "trace_id.string", "ab" * 16),
    ("span", "span_id", SpanId(b"s" * 8)),
    ("span", "parent_span_id.string", "cd" * 8),
    ("span", "trace_state", "a=1,b=2"),
    ("span", "name", "é\udcff"),
    ("span", "kind", 2),
    ("span", "kind.string", "Client"),
    ("span", "kind.deprecated_string", "SPAN_KIND_SERVER"),
    ("span", "start_time_unix_nano", 5),
    ("span", "end_time_unix_nano", -5),
    ("span", "start_time", Time(7)),
    ("span", "attributes", {"a": 1}),
    ("span", 'attributes["a"]', [1, "x"]),
    ("span", "dropped_attributes_count", 3),
    ("span", "dropped_events_count", 4),
    ("span", "dropped_links_count", 5),
    ("span", "status.code", 2),
    ("span", "status.message", "bad"),
    ("span", "flags", 0xFFFFFFFF),
    ("span", "resource.attributes", {"r": 1}),
    ("span", "resource.schema_url", "http://x"),
    ("span", "resource.dropped_attributes_count", 2),
    ("span", "scope.name", "lib"),
    ("span", "instrumentation_scope.version", "1"),
    ("span", "scope.attributes", {"s": 1}),
    ("span", "scope.schema_url", "http://y"),
    ("span", 'cache["k"]', {"x": [1]}),
    ("spanevent", "name", "done"),
    ("spanevent", "time_unix_nano", 5),
    ("spanevent", "time", Time(6)),
    ("spanevent", "attributes", {"e": True}),
    ("spanevent", "dropped_attributes_count", 1),
    ("spanevent", "span.name", "outer"),
    ("log", "time_unix_nano", 5),
    ("log", "observed_time", Time(5)),
    ("log", "severity_number", 9),
    ("log", "severity_text", "INFO"),
    ("log", "body", {"a": [1, None]}),
    ("log", "body.string", "text"),
    ("log", "attributes", {"l": 1.5}),
    ("log", "flags", 5),
    ("log", "trace_id", TraceId(b"t" * 16)),
    ("log", "span_id.string", "ef" * 8),
    ("log", "event_name", "ev"),
    ("metric", "name", "n"),
    ("metric", "description", "d"),
    ("metric", "unit", "By"),
    ("metric", "metadata", {"m": 1}),
    ("datapoint", "attributes", {"p": 1}),
    ("datapoint", "start_time_unix_nano", 5),
    ("datapoint", "time", Time(5)),
    ("datapoint", "flags", 1),
    ("datapoint", "value_int", -7),
    ("datapoint", "value_double", 2.5),
    ("datapoint", "metric.name", "outer"),
]


@pytest.mark.parametrize(("context", "path", "value"), ROUND_TRIPS)
def test_path_gives_what_was_put(context: str, path: str, value: Any) -> None:
    """Also after the item was written and read again; the same value is no change."""
    cursor, found = at(context), place(context, path)
    found.set(cursor, value)

    assert found.get(cursor) == value
    assert type(found.get(cursor)) is type(value)
    changed = {name: getattr(cursor, name).changed for name in ("resource", "scope", "item")}
    assert any(changed.values()) or path.startswith("cache")
    if path.startswith("cache"):
        return
    assert cursor.payload is not None
    body = cursor.payload.dump()
    assert body is not cursor.payload.body


@pytest.mark.parametrize(("context", "path", "value"), ROUND_TRIPS)
def test_path_of_another_type_is_refused(context: str, path: str, value: Any) -> None:
    """On the item; what takes any value is left out."""
    found = place(context, path)
    if path == "body" or "[" in path:
        found.set(at(context), 5)
        return
    wrong = 5 if not isinstance(value, int) else "x"

    with pytest.raises(OttlError):
        found.set(at(context), wrong)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        (HISTOGRAM, "count", 5),
        (HISTOGRAM, "sum", 1.5),
        (HISTOGRAM, "bucket_counts", [1, 2]),
        (HISTOGRAM, "explicit_bounds", [1.0, 2.5]),
        (EXPONENTIAL, "scale", -2),
        (EXPONENTIAL, "zero_count", 3),
        (EXPONENTIAL, "positive.offset", -1),
        (EXPONENTIAL, "positive.bucket_counts", [1]),
        (EXPONENTIAL, "negative.bucket_counts", [2]),
        (SUMMARY, "sum", 2.5),
        (SUMMARY, "count", 2),
    ],
)
def test_path_of_some_points_only(kind: str, path: str, value: Any) -> None:
    """Other points read nil and cannot be written."""
    cursor, found = at("datapoint", kind), place("datapoint", path)
    found.set(cursor, value)

    assert found.get(cursor) == value
    numbers = at("datapoint", NUMBERS)
    assert found.get(numbers) is None
    with pytest.raises(OttlError, match="no such field"):
        found.set(numbers, value)
    with pytest.raises(OttlError):
        found.set(cursor, "x")


def test_metric_fields_depend_on_its_type() -> None:
    """Nil where there is no such thing; the type cannot be changed."""
    assert place("metric", "type").get(at("metric", HISTOGRAM)) == metric.TYPES.index("histogram")
    for path, value in (("aggregation_temporality", 2), ("is_monotonic", True)):
        assert place("metric", path).get(at("metric", NUMBERS)) is None
        sums, found = at("metric", "sum"), place("metric", path)
        found.set(sums, value)
        assert found.get(sums) == value
    points = place("metric", "data_points")
    source, target = at("metric", NUMBERS), at("metric", NUMBERS)
    target.item.remove({0})
    points.set(target, points.get(source))
    assert target.item.point_count == 1
    with pytest.raises(OttlError, match="points"):
        points.set(at("metric", SUMMARY), points.get(source))


def test_span_takes_lists_of_its_own_kind() -> None:
    """Of another span; set to themselves they are gone, as in the Collector."""
    for path in ("events", "links"):
        found, source, target = place("span", path), at("span"), cursor_at(b"")
        value = found.get(source)
        assert isinstance(value, Foreign)
        found.set(target, value)
        assert found.get(target).parts == value.parts
        found.set(source, value)
        assert found.get(source).parts == ()
        with pytest.raises(OttlError, match=path):
            found.set(target, Foreign("status", ()))


@pytest.mark.parametrize(
    ("context", "path", "value"),
    [
        ("span", "trace_id.string", "xy"),
        ("span", "span_id.string", "0" * 15),
        ("span", "flags", -1),
        ("span", "flags", 2**32),
        ("span", "kind.string", "Nobody"),
        ("spanevent", "event_index", 1),
        ("log", 'body["x"]', 1),
    ],
)
def test_value_that_does_not_fit_fails(context: str, path: str, value: Any) -> None:
    """The item stays as it was."""
    cursor = at(context)
    with pytest.raises(OttlError):
        place(context, path).set(cursor, value)

    assert not cursor.item.changed


def test_body_of_a_log_is_indexed_if_it_can_be() -> None:
    """A map or a list; text is none."""
    cursor = at("log")
    place("log", "body").set(cursor, {"a": {"b": 1}})
    found = place("log", 'body["a"]["b"]')
    found.set(cursor, 2)

    assert found.get(cursor) == 2
    assert place("log", "body").get(cursor) == {"a": {"b": 2}}


def test_missing_ids_are_zeros() -> None:
    """And zeros are written as a missing id."""
    cursor, found = at("span"), place("span", "span_id")
    assert found.get(cursor) == SpanId(8)

    found.set(cursor, SpanId(b"12345678"))
    found.set(cursor, SpanId(8))

    assert cursor.item.message.span_id == b""


def test_ints_are_cut_to_their_field() -> None:
    """As Go's conversions do."""
    cursor, found = at("span"), place("span", "kind")
    found.set(cursor, 2**32 + 1)
    assert found.get(cursor) == 1
    found.set(cursor, 2**31)

    assert found.get(cursor) == -(2**31)


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ("span", "status.nope"),
        ("span", "name.x"),
        ("span", 'name["x"]'),
        ("span", 'attributes["a"].x'),
        ("span", "metric.name"),
        ("log", "span.name"),
        ("resource", "scope.name"),
        ("span", 'trace_state["a"]["b"]'),
        ("datapoint", "positive.nope"),
        ("span", "scope.cache"),
    ],
)
def test_unknown_path_is_refused_at_start(context: str, path: str) -> None:
    """Also one of a context that does not enclose this one."""
    with pytest.raises(OttlSyntaxError):
        place(context, path)


def test_every_field_is_met() -> None:
    """A path that is added to a context needs its line here."""
    tested = {(context, path.split("[")[0].split(".")[0]) for context, path, _ in ROUND_TRIPS}
    apart = {
        "span": {"events", "links", "end_time", "parent_span_id", "status"},
        "spanevent": {"event_index"},
        "log": {"observed_time_unix_nano", "time", "dropped_attributes_count", "span_id"},
        "metric": {"type", "aggregation_temporality", "is_monotonic", "data_points"},
        "datapoint": {
            "exemplars",
            "quantile_values",
            "count",
            "sum",
            "bucket_counts",
            "explicit_bounds",
            "scale",
            "zero_count",
            "positive",
            "negative",
            "time_unix_nano",
            "start_time",
        },
    }
    for module in (span, spanevent, log, metric, datapoint):
        missing = set(module.FIELDS) - apart[module.NAME]
        assert {path for context, path in tested if context == module.NAME} >= missing


def test_trace_state_is_read_and_written_by_its_keys() -> None:
    """A new value comes first; what is no trace state is nil and stays."""
    cursor = at("span")
    whole, one = place("span", "trace_state"), place("span", 'trace_state["a"]')
    assert one.get(cursor) == ""
    one.set(cursor, "1")
    place("span", 'trace_state["b"]').set(cursor, "2")
    one.set(cursor, "3")
    assert (whole.get(cursor), one.get(cursor)) == ("a=3,b=2", "3")
    one.set(cursor, "not,valid")
    assert whole.get(cursor) == "a=3,b=2"

    whole.set(cursor, "no state")
    one.set(cursor, "4")

    assert (whole.get(cursor), one.get(cursor)) == ("no state", None)


def test_trace_state_is_bounded() -> None:
    """By the number of its members; the last one gives way."""
    full = ",".join(f"k{number}=v" for number in range(MEMBERS_MAX))
    members = parse(full)
    assert members is not None
    written = insert(members, "new", "v")
    assert written is not None

    assert written.startswith("new=v,k0=v")
    assert len(written.split(",")) == MEMBERS_MAX
    assert parse(full + ",one=more") is None
    assert parse("a=1,a=2") is None
    assert insert([], "Bad Key", "v") is None


def test_end_and_look_up_name_what_is_wrong() -> None:
    """The segment that has no place."""
    segment = fields.Segment("name", (), 4)
    with pytest.raises(OttlSyntaxError) as caught:
        fields.end((segment, fields.Segment("x", (), 9)))
    assert caught.value.offset == 9
    with pytest.raises(OttlSyntaxError, match="it has a, b"):
        fields.look_up(
            {"b": fields.text("item", "b"), "a": fields.text("item", "a")}, (segment,), "c"
        )
