"""Attributes on spans and resources: the Collector's tables."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.processors.tail_sampling.policies.attributes import StringAttribute, compile_pattern
from tests.unit.processors.tail_sampling.conftest import span, view_of

LOW, HIGH = -(1 << 31), (1 << 31) - 1
Samples = Callable[..., bool]


def ask(
    samples: Samples,
    kind: str,
    on: str,
    attribute: tuple[str, Any],
    *,
    invert: bool,
    **section: Any,
) -> bool:
    """Put one attribute on the span or the resource and ask for key ``example``."""
    key, value = attribute
    spans = [span(), span(attributes={key: value} if on == "span" else {})]
    resource = {key: value} if on == "resource" else {}
    return samples(kind, spans, resource, key="example", invert_match=invert, **section)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("on", ["span", "resource"])
@pytest.mark.parametrize(
    ("key", "value", "bounds", "matches"),
    [
        ("other", LOW, (LOW, HIGH), False),
        ("example", LOW, (LOW, HIGH), True),
        ("example", HIGH, (LOW, HIGH), True),
        ("example", LOW - 1, (LOW, HIGH), False),
        ("example", HIGH + 1, (LOW, HIGH), False),
        ("example", 200, (100, 0), True),
        ("example", 50, (100, 0), False),
        ("example", 50, (0, 100), True),
        ("example", 200, (0, 100), False),
        ("example", 150, (100, 200), True),
        ("example", 50, (100, 200), False),
        ("example", "150", (100, 200), False),
        ("example", "no number", (-1, 1), True),
        ("example", 0.5, (-1, 1), True),
    ],
)
def test_numeric_attribute(
    samples: Samples,
    on: str,
    key: str,
    value: Any,
    bounds: tuple[int, int],
    matches: bool,
    invert: bool,
) -> None:
    """Bounds are inclusive, 0 is none, and what is no integer counts as 0."""
    low, high = bounds
    sampled = ask(
        samples, "numeric_attribute", on, (key, value), invert=invert, min_value=low, max_value=high
    )

    assert (matches is not invert) is sampled


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("on", ["span", "resource"])
@pytest.mark.parametrize(
    ("key", "value", "values", "regex", "matches"),
    [
        ("other", "value", ["value"], False, False),
        ("example", "non_matching", ["value"], False, False),
        ("example", "value", ["value"], False, True),
        ("example", "value", ["other", "value"], False, True),
        ("example", "value", [], False, False),
        ("example", "value", [""], False, False),
        ("example", 5, ["5"], False, False),
        ("example", "grpc.health.v1.HealthCheck", ["v[0-9]+.HealthCheck$"], True, True),
        ("example", "grpc.health.v1.HealthCheck", ["v[a-z]+.HealthCheck$"], True, False),
        ("example", "grpc.health.v1.HealthCheck", ["no", "health"], True, True),
        ("example", "grpc.health.v1.HealthCheck", [], True, False),
        ("other", "value", ["v.*"], True, False),
        ("example", "Röd", ["^R.d$"], True, True),
    ],
)
def test_string_attribute(
    samples: Samples,
    on: str,
    key: str,
    value: Any,
    values: list[str],
    regex: bool,
    matches: bool,
    invert: bool,
) -> None:
    """Exact or by pattern; inverted, a trace that lacks the key is sampled."""
    sampled = ask(
        samples,
        "string_attribute",
        on,
        (key, value),
        invert=invert,
        values=values,
        enabled_regex_matching=regex,
        cache_max_size=0,
    )

    assert (matches is not invert) is sampled


def test_string_attribute_empty_text_matches_on_resources_only(samples: Samples) -> None:
    """The Collector asks its patterns about an empty text of a resource, never of a span."""
    section = {"key": "example", "values": ["^$"], "enabled_regex_matching": True}

    assert not samples("string_attribute", [span(attributes={"example": ""})], **section)
    assert samples("string_attribute", [span()], {"example": ""}, **section)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("on", ["span", "resource"])
@pytest.mark.parametrize(
    ("key", "value", "wanted", "matches"),
    [
        ("other", True, True, False),
        ("example", False, True, False),
        ("example", True, True, True),
        ("example", False, False, True),
        ("example", "text", False, True),
        ("example", "text", True, False),
    ],
)
def test_boolean_attribute(
    samples: Samples,
    on: str,
    key: str,
    value: Any,
    wanted: bool,
    matches: bool,
    invert: bool,
) -> None:
    """What is no boolean counts as false."""
    sampled = ask(samples, "boolean_attribute", on, (key, value), invert=invert, value=wanted)

    assert (matches is not invert) is sampled


def test_attribute_that_comes_twice_counts_once(samples: Samples) -> None:
    """The first one is the attribute."""
    twice = span(attributes={"example": "first"})
    twice.attributes.add(key="example").value.string_value = "second"

    assert samples("string_attribute", [twice], key="example", values=["first"])
    assert not samples("string_attribute", [twice], key="example", values=["second"])


def test_attribute_key_that_occurs_as_a_value_is_no_attribute(samples: Samples) -> None:
    """Finding the bytes of the key only means that it is worth looking."""
    spans = [span(attributes={"other": "example"})]

    assert not samples("string_attribute", spans, key="example", values=["example"])


def test_string_attribute_remembers_within_its_bound() -> None:
    """Outcomes of patterns are kept for so many texts."""
    policy = StringAttribute("k", ["a"], regex=True, cache_max_size=2, invert=False)
    for text in ("a", "b", "c", "a", "b"):
        policy.evaluate(view_of(policy, [span(attributes={"k": text})]))

    assert len(policy._remembered) <= 2


def test_pattern_that_is_none_is_refused_by_name() -> None:
    """The message shows the pattern."""
    with pytest.raises(ValueError, match=r"invalid regex `\(`"):
        compile_pattern("(")
