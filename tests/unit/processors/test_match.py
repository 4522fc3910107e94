"""The older matchers: include and exclude properties."""

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from pydantic import ValidationError

from bridge.core import Signal
from bridge.ottl import Cursor
from bridge.processors._match import (
    AttributeMatch,
    MatchProperties,
    SeverityMatch,
    Skip,
    attribute_set,
    log_matcher,
    metric_matcher,
    span_matcher,
    text_set,
)
from tests.unit.ottl.running import a_span, cursor_at

HELD = {"s": "text", "i": 5, "f": 1.5, "b": True, "l": [1], "d": b"\x01"}


def span_cursor(**resource: Any) -> Cursor:
    """A span of a server."""
    return cursor_at(a_span(HELD, name=b"GET /a", kind=2), **resource)


def log_cursor(**fields: Any) -> Cursor:
    """A log record."""
    record = LogRecord(**fields)
    record.body.string_value = "the body"
    return cursor_at(record.SerializeToString(), Signal.LOGS, **{"service.name": "shop"})


@pytest.mark.parametrize(
    ("properties", "answer"),
    [
        ({"span_names": ["GET /a"]}, True),
        ({"span_names": ["GET"]}, False),
        ({"span_names": ["GET"], "match_type": "regexp"}, True),
        ({"span_names": "GET /a"}, True),
        ({"services": ["shop", "web"]}, True),
        ({"services": ["web"]}, False),
        ({"span_kinds": ["SPAN_KIND_SERVER"]}, True),
        ({"span_kinds": ["CLIENT$"], "match_type": "regexp"}, False),
        ({"attributes": [{"key": "i", "value": 5}]}, True),
        ({"attributes": [{"key": "i", "value": 5.0}]}, False),
        ({"attributes": [{"key": "i"}, {"key": "none"}]}, False),
        ({"attributes": [{"key": "i", "value": "^5$"}], "match_type": "regexp"}, True),
        ({"attributes": [{"key": "b", "value": "true"}], "match_type": "regexp"}, True),
        ({"attributes": [{"key": "f", "value": "1.5"}], "match_type": "regexp"}, True),
        ({"attributes": [{"key": "l", "value": ".*"}], "match_type": "regexp"}, False),
        ({"attributes": [{"key": "none", "value": ".*"}], "match_type": "regexp"}, False),
        ({"resources": [{"key": "service.name", "value": "shop"}]}, True),
        ({"libraries": [{"name": ""}]}, True),
        ({"libraries": [{"name": "", "version": "2"}]}, False),
        ({"span_names": ["GET /a"], "services": ["web"]}, False),
    ],
)
def test_span_has_the_properties(properties: dict[str, Any], answer: bool) -> None:
    """All properties, any value of each."""
    wanted = MatchProperties.model_validate({"match_type": "strict", **properties})

    assert span_matcher(wanted)(span_cursor(**{"service.name": "shop"})) is answer


def test_service_without_a_name_has_the_collectors() -> None:
    """So that a config can speak of it."""
    wanted = MatchProperties(match_type="strict", services=["<nil-service-name>"])

    assert span_matcher(wanted)(span_cursor())


@pytest.mark.parametrize(
    ("properties", "fields", "answer"),
    [
        ({"log_bodies": ["the body"]}, {}, True),
        ({"log_bodies": ["^the"], "match_type": "regexp"}, {}, True),
        ({"log_severity_texts": ["WARN"]}, {"severity_text": "WARN"}, True),
        ({"log_severity_number": {"min": "WARN"}}, {"severity_number": 12}, False),
        ({"log_severity_number": {"min": "WARN"}}, {"severity_number": 13}, True),
        ({"log_severity_number": {"min": "warn2"}}, {"severity_number": 14}, True),
        ({"log_severity_number": {"min": 9}}, {}, False),
        ({"log_severity_number": {"min": 9, "match_undefined": True}}, {}, True),
        ({"resources": [{"key": "service.name"}]}, {}, True),
    ],
)
def test_log_has_the_properties(
    properties: dict[str, Any], fields: dict[str, Any], answer: bool
) -> None:
    """Text of the body, and the least severity."""
    wanted = MatchProperties.model_validate({"match_type": "strict", **properties})

    assert log_matcher(wanted)(log_cursor(**fields)) is answer


def test_metric_has_a_name() -> None:
    """Properties of the resource change nothing, as in the Collector."""
    cursor = cursor_at(Metric(name="m").SerializeToString(), Signal.METRICS)
    resources = [AttributeMatch(key="x")]
    named = metric_matcher(MatchProperties(match_type="strict", metric_names=["m", "n"]))

    assert named is not None
    assert named(cursor)
    assert metric_matcher(MatchProperties(match_type="strict", resources=resources)) is None


@pytest.mark.parametrize(
    ("make", "properties", "message"),
    [
        (span_matcher, {"log_bodies": ["x"]}, "log_bodies is not a property of spans"),
        (span_matcher, {}, "at least one of services"),
        (span_matcher, {"span_kinds": ["SERVER"]}, "none of SPAN_KIND_INTERNAL"),
        (span_matcher, {"span_names": ["("], "match_type": "regexp"}, "not valid"),
        (
            span_matcher,
            {"attributes": [{"key": "a", "value": 1}], "match_type": "regexp"},
            "must be a text",
        ),
        (log_matcher, {"span_names": ["x"]}, "not a property of logs"),
        (log_matcher, {}, "at least one of attributes"),
        (metric_matcher, {"services": ["x"]}, "not a property of metrics"),
        (metric_matcher, {}, "at least one of metric_names"),
    ],
)
def test_senseless_properties_are_refused(
    make: Any, properties: dict[str, Any], message: str
) -> None:
    """Those of another signal, none at all, or patterns that are none."""
    wanted = MatchProperties.model_validate({"match_type": "strict", **properties})

    with pytest.raises(ValueError, match=message):
        make(wanted)


def test_severity_is_a_name_or_a_number() -> None:
    """Nothing is the lowest."""
    assert [SeverityMatch(min=one).number for one in ("TRACE", "FATAL4", 7, "0", "")] == [
        1,
        24,
        7,
        0,
        0,
    ]
    with pytest.raises(ValidationError, match="no severity"):
        SeverityMatch(min="LOUD")


def test_sets_answer_for_any_of_their_values() -> None:
    """By patterns too; nothing wanted is always there."""
    assert text_set(["a", "b"], "strict")("b")
    assert not text_set([], "regexp")("a")
    assert attribute_set([], "strict")(span_cursor().item.attributes)


@pytest.mark.parametrize(
    ("include", "exclude", "skipped"),
    [
        (None, None, False),
        (True, None, False),
        (False, None, True),
        (True, True, True),
        (None, False, False),
        (False, True, True),
    ],
)
def test_skip_is_what_include_lacks_or_exclude_has(
    include: bool | None, exclude: bool | None, skipped: bool
) -> None:
    """Nothing is skipped where neither is given."""

    def says(answer: bool | None) -> Any:
        return None if answer is None else lambda cursor: answer

    assert Skip(says(include), says(exclude)).hold(span_cursor()) is skipped
