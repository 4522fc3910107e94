"""Policies that look for an attribute on any span or resource of a trace."""

from collections.abc import Sequence
from typing import Any

import re2

from bridge.processors._gathering import Decision
from bridge.processors.tail_sampling.policy import NO_COLUMNS
from bridge.processors.tail_sampling.view import TraceView, resource_attributes

_HEADS_REMEMBERED_MAX = 4096  # Resources are few; a head takes some hundred bytes.
_TEXTS_REMEMBERED = 128  # The Collector's default.
_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


def compile_pattern(text: str) -> Any:
    """
    Compile an RE2 pattern.

    Raises:
        ValueError: If it is none.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text.encode(), options)
    except re2.error as error:
        raise ValueError(f"invalid regex `{text}`: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


class AttributePolicy:
    """
    Samples traces in which a value under *key* matches; or, inverted, those in which none does.

    A key that does not occur in the encoded bytes of a span is on none of its attributes, so most
    traces are answered by a search for its bytes.
    """

    columns = NO_COLUMNS

    def __init__(self, key: str, *, invert: bool) -> None:
        self._key = key.encode()
        self._invert = invert
        # What changes: whether resources match, by their encoded heads.
        self._heads: dict[bytes, bool] = {}

    def evaluate(self, view: TraceView) -> Decision:
        """Look at the resources, then at the spans."""
        matches = self._any_resource(view) or self._any_span(view)
        return Decision.SAMPLED if matches is not self._invert else Decision.NOT_SAMPLED

    def _any_resource(self, view: TraceView) -> bool:
        known = self._heads
        for head in view.resources():
            matches = known.get(head)
            if matches is None:
                value = _find(resource_attributes(head), self._key) if self._key in head else None
                matches = value is not None and self.matches(value, on_span=False)
                if len(known) >= _HEADS_REMEMBERED_MAX:
                    known.clear()
                known[head] = matches
            if matches:
                return True
        return False

    def _any_span(self, view: TraceView) -> bool:
        if self._key not in view.framed:
            return False
        for attributes in view.span_attributes():
            value = _find(attributes, self._key)
            if value is not None and self.matches(value, on_span=True):
                return True
        return False

    def matches(self, value: Any, *, on_span: bool) -> bool:
        """Whether a value that stands under the key is looked for."""
        raise NotImplementedError


def _find(attributes: Any, key: bytes) -> Any:
    """The value of the first attribute with *key*, which is the one that counts."""
    for attribute in attributes:
        if attribute.key == key:
            return attribute.value
    return None


class NumericAttribute(AttributePolicy):
    """Samples by an integer within bounds; a value that is no integer counts as 0."""

    def __init__(self, key: str, min_value: int, max_value: int, *, invert: bool) -> None:
        super().__init__(key, invert=invert)
        self._min = min_value or _INT64_MIN
        self._max = max_value or _INT64_MAX

    def matches(self, value: Any, *, on_span: bool) -> bool:
        """Whether the number is within the bounds."""
        return bool(self._min <= value.number <= self._max)


class BooleanAttribute(AttributePolicy):
    """Samples by a boolean; a value that is none counts as false."""

    def __init__(self, key: str, value: bool, *, invert: bool) -> None:
        super().__init__(key, invert=invert)
        self._value = value

    def matches(self, value: Any, *, on_span: bool) -> bool:
        """Whether it is the value."""
        return bool(value.flag is self._value)


class StringAttribute(AttributePolicy):
    """Samples by a text that equals one of some values, or that one of some patterns matches."""

    def __init__(
        self, key: str, values: Sequence[str], *, regex: bool, cache_max_size: int, invert: bool
    ) -> None:
        super().__init__(key, invert=invert)
        self._patterns = [compile_pattern(value) for value in values] if regex else None
        self._values = {value.encode() for value in values if value}
        self._remembered_max = cache_max_size if cache_max_size > 0 else _TEXTS_REMEMBERED
        # What changes: the outcome for texts that were tried.
        self._remembered: dict[bytes, bool] = {}

    def matches(self, value: Any, *, on_span: bool) -> bool:
        """Whether the text is looked for; one that is no text counts as empty."""
        text: bytes = value.text
        if on_span and not text:
            return False
        if self._patterns is None:
            return text in self._values
        known = self._remembered.get(text)
        if known is None:
            known = any(pattern.search(text) for pattern in self._patterns)
            if len(self._remembered) >= self._remembered_max:
                self._remembered.clear()
            self._remembered[text] = known
        return known
