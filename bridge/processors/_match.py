"""
The Collector's older matchers: include and exclude properties, strict or by regular expression.

Properties are ANDed, the values of one property are ORed. Skipped is what include does not match,
or exclude does.
"""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, model_validator

from bridge.options import Options
from bridge.ottl import Cursor, Needles
from bridge.ottl.attributes import Attributes, Key
from bridge.ottl.codec import decode
from bridge.ottl.glance import Probe
from bridge.ottl.gotext import attribute_text, format_float
from bridge.ottl.regex import remember
from bridge.ottl.values import same
from bridge.processors._texts import Texts

MatchType = Literal["strict", "regexp"]

SPAN_KINDS = ("INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")

SEVERITIES = {
    **{str(number): number for number in range(1, 25)},
    **{
        f"{level}{step + 1 if step else ''}": 4 * index + step + 1
        for index, level in enumerate(("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"))
        for step in range(4)
    },
}


class AttributeMatch(Options):
    """An attribute that must be there, with a value if one is given."""

    key: str = Field(min_length=1)
    """The attribute's key."""
    value: Any = None
    """Its value: compared with its type if strict, a pattern if regexp. Any if it is not given."""


class RegexpCache(Options):
    """How the Collector caches answers of patterns; ours are always remembered, within bounds."""

    cacheenabled: bool = False
    """Accepted, without effect."""
    cachemaxnumentries: int = 0
    """Accepted, without effect."""


class LibraryMatch(Options):
    """An instrumentation scope."""

    name: str
    """Its name."""
    version: str | None = None
    """Its version; any if it is not given."""


class SeverityMatch(Options):
    """A lowest severity."""

    min: str | int = ""
    """A name such as WARN or a number from 1 to 24; whatever is below does not match."""
    match_undefined: bool = False
    """Whether records without a severity match."""

    @model_validator(mode="after")
    def _check(self) -> "SeverityMatch":
        if self.number is None:
            raise ValueError(f"min {self.min!r} is no severity: write TRACE to FATAL4, or 1 to 24")
        return self

    @property
    def number(self) -> int | None:
        """The lowest severity number; `None` for an unknown name."""
        text = str(self.min).upper()
        return 0 if text in ("", "0") else SEVERITIES.get(text)


class MatchProperties(Options):
    """What an item must have; at least one property has to be given."""

    match_type: MatchType
    """strict compares, regexp searches by RE2 patterns."""
    regexp: RegexpCache | None = None
    """Accepted, without effect."""
    services: Texts = Field(default_factory=list)
    """Values of the resource attribute service.name."""
    span_names: Texts = Field(default_factory=list)
    """Names of spans."""
    span_kinds: Texts = Field(default_factory=list)
    """Kinds of spans, such as SPAN_KIND_SERVER."""
    log_bodies: Texts = Field(default_factory=list)
    """Bodies of log records, as text."""
    log_severity_texts: Texts = Field(default_factory=list)
    """Severity texts of log records."""
    log_severity_number: SeverityMatch | None = None
    """The lowest severity of log records."""
    metric_names: Texts = Field(default_factory=list)
    """Names of metrics."""
    attributes: list[AttributeMatch] = Field(default_factory=list)
    """Attributes of the item that must all match."""
    resources: list[AttributeMatch] = Field(default_factory=list)
    """Attributes of the resource that must all match."""
    libraries: list[LibraryMatch] = Field(default_factory=list)
    """Instrumentation scopes."""


Matcher = Callable[[Cursor], bool]


def text_set(values: list[str], match_type: MatchType) -> Callable[[str], bool]:
    """
    Whether a text is one of *values*, or matches one.

    Raises:
        ValueError: If a pattern is not valid.
    """
    if match_type == "strict":
        return frozenset(values).__contains__
    patterns = [remember(value) for value in values]
    return lambda text: any(matches(text) for matches in patterns)


def attribute_set(
    wanted: list[AttributeMatch], match_type: MatchType
) -> Callable[[Attributes], bool]:
    """
    Whether attributes meet all of *wanted*.

    Raises:
        ValueError: If a pattern is not valid, or no text.
    """
    tests = [_attribute(one, match_type) for one in wanted]
    return lambda attributes: all(test(attributes) for test in tests)


def _attribute(wanted: AttributeMatch, match_type: MatchType) -> Callable[[Attributes], bool]:
    key, value = Key(wanted.key), wanted.value
    if value is None:
        return lambda attributes: attributes.find(key) >= 0
    if match_type == "strict":
        return lambda attributes: (
            (raw := attributes.get_raw(key)) is not None and same(decode(raw), value)
        )
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - pydantic wants ValueError
            f"the value of {wanted.key!r} must be a text for match_type regexp"
        )
    matches = remember(value)

    def test(attributes: Attributes) -> bool:
        raw = attributes.get_raw(key)
        text = None if raw is None else _simple_text(decode(raw))
        return text is not None and matches(text)

    return test


def _simple_text(value: Any) -> str | None:
    """The text of a value that patterns look at; `None` for bytes, lists, maps and nil."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value, exponent_from=float("inf"), exponent_below=0.0)
    return str(value) if isinstance(value, str | int) else None


def span_matcher(properties: MatchProperties) -> Matcher:
    """
    Whether a span has the properties.

    Raises:
        ValueError: If they are not about spans, or a pattern is not valid.
    """
    _refuse(
        properties,
        "spans",
        ("log_bodies", "log_severity_texts", "log_severity_number", "metric_names"),
    )
    _require(
        properties,
        ("services", "span_names", "attributes", "libraries", "resources", "span_kinds"),
    )
    match_type = properties.match_type
    tests: list[Matcher] = []
    if properties.services:
        services = text_set(properties.services, match_type)
        key = Key("service.name")

        def of_service(cursor: Cursor) -> bool:
            raw = cursor.resource.attributes.get_raw(key)
            # The name that the Collector gives a resource without one.
            return services("<nil-service-name>" if raw is None else attribute_text(decode(raw)))

        tests.append(of_service)
    if properties.span_names:
        names = text_set(properties.span_names, match_type)
        tests.append(lambda cursor: names(_text(cursor.item.message.name)))
    if properties.span_kinds:
        tests.append(_kinds(properties.span_kinds, match_type))
    return _all([*tests, *_surroundings(properties)])


def _kinds(kinds: list[str], match_type: MatchType) -> Matcher:
    known = [f"SPAN_KIND_{kind}" for kind in SPAN_KINDS]
    unknown = [kind for kind in kinds if kind not in known]
    if match_type == "strict" and unknown:
        raise ValueError(f"span kind {unknown[0]!r} is none of {', '.join(known)}")
    wanted = text_set(kinds, match_type)
    texts = ["SPAN_KIND_UNSPECIFIED", *known]

    def test(cursor: Cursor) -> bool:
        number = cursor.item.message.kind
        return wanted(texts[number] if 0 <= number < len(texts) else "")

    return test


def log_matcher(properties: MatchProperties) -> Matcher:
    """
    Whether a log record has the properties.

    Raises:
        ValueError: If they are not about logs, or a pattern is not valid.
    """
    _refuse(properties, "logs", ("span_names", "services", "span_kinds", "metric_names"))
    _require(
        properties,
        (
            "attributes",
            "libraries",
            "resources",
            "log_bodies",
            "log_severity_texts",
            "log_severity_number",
        ),
    )
    tests: list[Matcher] = []
    if properties.log_bodies:
        bodies = text_set(properties.log_bodies, properties.match_type)
        tests.append(lambda cursor: bodies(attribute_text(decode(cursor.item.message.body))))
    if properties.log_severity_texts:
        texts = text_set(properties.log_severity_texts, properties.match_type)
        tests.append(lambda cursor: texts(_text(cursor.item.message.severity_text)))
    if properties.log_severity_number is not None:
        tests.append(_severity(properties.log_severity_number))
    return _all([*tests, *_surroundings(properties)])


def _severity(severity: SeverityMatch) -> Matcher:
    lowest = severity.number or 0

    def test(cursor: Cursor) -> bool:
        number = cursor.item.message.severity_number
        return severity.match_undefined if number == 0 else number >= lowest

    return test


def metric_matcher(properties: MatchProperties) -> Matcher | None:
    """
    Whether a metric has one of the names; `None` if none is given.

    As in the Collector the properties of the resource may stand here, and change nothing.

    Raises:
        ValueError: If the properties are not about metrics, or a pattern is not valid.
    """
    others = set(MatchProperties.model_fields) - {
        "match_type",
        "regexp",
        "metric_names",
        "resources",
    }
    _refuse(properties, "metrics", tuple(sorted(others)))
    _require(properties, ("metric_names", "resources"))
    if not properties.metric_names:
        return None
    names = text_set(properties.metric_names, properties.match_type)
    return lambda cursor: names(_text(cursor.item.message.name))


def _surroundings(properties: MatchProperties) -> list[Matcher]:
    """The properties that spans and logs share: libraries, resource, attributes."""
    tests: list[Matcher] = []
    for library in properties.libraries:
        name = text_set([library.name], properties.match_type)
        tests.append(lambda cursor, name=name: name(_text(cursor.scope.message.name)))  # type: ignore[misc]  # binds now
        if library.version is not None:
            version = text_set([library.version], properties.match_type)
            tests.append(
                lambda cursor, version=version: version(_text(cursor.scope.message.version))  # type: ignore[misc]  # binds now
            )
    if properties.resources:
        resources = attribute_set(properties.resources, properties.match_type)
        tests.append(lambda cursor: resources(cursor.resource.attributes))
    if properties.attributes:
        attributes = attribute_set(properties.attributes, properties.match_type)
        tests.append(lambda cursor: attributes(cursor.item.attributes))
    return tests


def _all(tests: list[Matcher]) -> Matcher:
    return lambda cursor: all(test(cursor) for test in tests)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _refuse(properties: MatchProperties, of: str, names: tuple[str, ...]) -> None:
    given = [name for name in names if getattr(properties, name)]
    if given:
        raise ValueError(f"{given[0]} is not a property of {of}")


def _require(properties: MatchProperties, names: tuple[str, ...]) -> None:
    if not any(getattr(properties, name) for name in names):
        raise ValueError(f"at least one of {', '.join(names)} must be given")


class Skip:
    """
    What include does not match or exclude does; fulfils `bridge.ottl.filtering.Decider`.

    Nothing is skipped where neither is given.
    """

    needles: Needles | None = None
    probe: Probe | None = None
    outer: Matcher | None = None

    def __init__(self, include: Matcher | None, exclude: Matcher | None) -> None:
        self._include = include
        self._exclude = exclude

    def hold(self, cursor: Cursor) -> bool:
        """Whether the item at hand is skipped."""
        if self._include is not None and not self._include(cursor):
            return True
        return self._exclude is not None and self._exclude(cursor)
