"""What each sampling policy may be told, in the Collector's spelling."""

from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bridge.options import Options

_STATUS_CODES = ("OK", "ERROR", "UNSET")

SIMPLE_TYPES = (
    "always_sample",
    "latency",
    "numeric_attribute",
    "probabilistic",
    "status_code",
    "string_attribute",
    "boolean_attribute",
    "rate_limiting",
    "bytes_limiting",
    "span_count",
    "trace_state",
    "trace_flags",
    "ottl_condition",
)
"""Policies that stand for themselves; every compound one may hold them."""


class LatencyOptions(Options):
    """Section ``latency``: the time from the earliest start to the latest end of a trace."""

    threshold_ms: int = 0
    """
    Milliseconds that a sampled trace lasts at least. Inclusive, but exclusive once
    `upper_threshold_ms` is set, as in the Collector.
    """

    upper_threshold_ms: int = 0
    """
    Milliseconds that a sampled trace lasts at most, inclusive; 0 for no upper bound. With it the
    length is tested after each span in the order of arrival, as in the Collector: a trace whose
    first spans fit is sampled although the whole of it is longer.
    """


class NumericAttributeOptions(Options):
    """Section ``numeric_attribute``: a whole number on any span or resource of the trace."""

    key: str = ""
    """The attribute."""

    min_value: int = 0
    """The smallest value that matches. 0 is no bound, as in the Collector: it cannot be one."""

    max_value: int = 0
    """
    The largest value that matches. 0 is no bound, as in the Collector: it cannot be one. A value
    that is no integer counts as 0.
    """

    invert_match: bool = False
    """
    Sample unless something matches, which includes traces that lack the key. Another policy may
    still sample what this one does not: use a drop policy to keep traces out.
    """

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.min_value and not self.max_value:
            raise ValueError(
                "numeric_attribute needs min_value or max_value other than 0 (0 means no bound)"
            )
        return self


class StringAttributeOptions(Options):
    """Section ``string_attribute``: a text on any span or resource of the trace."""

    key: str = ""
    """The attribute."""

    values: tuple[str, ...] = ()
    """
    Texts to look for, or RE2 patterns that may match anywhere in the text. Without patterns an
    empty text never matches.
    """

    enabled_regex_matching: bool = False
    """Read `values` as RE2 patterns."""

    cache_max_size: int = 128
    """Texts whose outcome is remembered with `enabled_regex_matching`; 0 or less for 128."""

    invert_match: bool = False
    """
    Sample unless something matches, which includes traces that lack the key. Another policy may
    still sample what this one does not: use a drop policy to keep traces out.
    """

    @model_validator(mode="after")
    def _patterns_compile(self) -> Self:
        from bridge.processors.tail_sampling.policies.attributes import compile_pattern

        if self.enabled_regex_matching:
            for value in self.values:
                compile_pattern(value)
        return self


class BooleanAttributeOptions(Options):
    """Section ``boolean_attribute``: true or false on any span or resource of the trace."""

    key: str = ""
    """The attribute."""

    value: bool = False
    """The value that matches. An attribute that is no boolean counts as false."""

    invert_match: bool = False
    """Sample unless something matches, which includes traces that lack the key."""


class ProbabilisticOptions(Options):
    """Section ``probabilistic``: a share of all traces, chosen by a hash of the trace id."""

    hash_salt: str = ""
    """
    Text that is hashed in front of the id; empty for the Collector's ``default-hash-seed``. Two
    tiers that sample after each other need different salts.
    """

    sampling_percentage: float = 0.0
    """Percent of the traces; negative for none, 100 and more for all."""


class StatusCodeOptions(Options):
    """Section ``status_code``: a status on any span of the trace."""

    status_codes: tuple[str, ...] = ()
    """One or more of ``OK``, ``ERROR`` and ``UNSET``, in upper case."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.status_codes:
            raise ValueError("status_code needs at least one of OK, ERROR, UNSET")
        for name in self.status_codes:
            if name not in _STATUS_CODES:
                raise ValueError(f'unknown status code "{name}", supported: OK, ERROR, UNSET')
        return self


class RateLimitingOptions(Options):
    """Section ``rate_limiting``: a token bucket of spans, per worker process."""

    spans_per_second: int = Field(default=0, ge=0)
    """Spans that come in each second, measured on this machine's clock."""

    burst_capacity: int = Field(default=0, ge=0)
    """Spans that the bucket holds; 0 for twice the rate. A larger trace never passes."""


class BytesLimitingOptions(Options):
    """Section ``bytes_limiting``: a token bucket of OTLP bytes, per worker process."""

    bytes_per_second: int = Field(default=0, ge=0)
    """Bytes of OTLP protobuf that come in each second, measured on this machine's clock."""

    burst_capacity: int = Field(default=0, ge=0)
    """Bytes that the bucket holds; 0 for twice the rate. A larger trace never passes."""


class SpanCountOptions(Options):
    """Section ``span_count``: how many spans the trace has."""

    min_spans: int = 0
    """The smallest number that matches."""

    max_spans: int = 0
    """The largest number that matches; 0 for no bound."""


class TraceStateOptions(Options):
    """Section ``trace_state``: an entry of the W3C ``tracestate`` of any span."""

    key: str = ""
    """The entry."""

    values: tuple[str, ...] = ()
    """Values to look for; empty ones, and those too long for a tracestate, never match."""


class OttlConditionOptions(Options):
    """Section ``ottl_condition``: any condition that holds on any span or span event."""

    error_mode: Literal["ignore", "silent", "propagate", ""] = ""
    """
    What a condition that fails at run time does: ``ignore``, ``silent`` and the default count it as
    false; ``propagate`` ends this policy for this trace, counted as an error; others still decide.
    """

    span: tuple[str, ...] = ()
    """Conditions on a span."""

    spanevent: tuple[str, ...] = ()
    """Conditions on an event of a span."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.span and not self.spanevent:
            raise ValueError("ottl_condition needs at least one condition under span or spanevent")
        return self

    @field_validator("span", "spanevent")
    @classmethod
    def _compiles(cls, texts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        from bridge.processors._statements import check_conditions

        check_conditions(info.field_name or "", texts)
        return texts


class RateAllocationOptions(Options):
    """An entry of ``rate_allocation``."""

    policy: str = ""
    """Name of the sub-policy."""

    percent: int = 0
    """Percent of the composite's total rate; 0 or less for an equal share of it."""


_OWN_SECTION: dict[str, type[Options]] = {
    "latency": LatencyOptions,
    "numeric_attribute": NumericAttributeOptions,
    "probabilistic": ProbabilisticOptions,
    "status_code": StatusCodeOptions,
    "string_attribute": StringAttributeOptions,
    "boolean_attribute": BooleanAttributeOptions,
    "rate_limiting": RateLimitingOptions,
    "bytes_limiting": BytesLimitingOptions,
    "span_count": SpanCountOptions,
    "trace_state": TraceStateOptions,
    "ottl_condition": OttlConditionOptions,
}


class SimplePolicyOptions(Options):
    """A policy that holds no other one."""

    name: str = Field(min_length=1)
    """Name in metrics and logs; unique among the policies of one processor."""

    type: str
    """The kind of policy; its section has the same name."""

    latency: LatencyOptions | None = None
    """For type ``latency``."""

    numeric_attribute: NumericAttributeOptions | None = None
    """For type ``numeric_attribute``."""

    probabilistic: ProbabilisticOptions | None = None
    """For type ``probabilistic``."""

    status_code: StatusCodeOptions | None = None
    """For type ``status_code``."""

    string_attribute: StringAttributeOptions | None = None
    """For type ``string_attribute``."""

    boolean_attribute: BooleanAttributeOptions | None = None
    """For type ``boolean_attribute``."""

    rate_limiting: RateLimitingOptions | None = None
    """For type ``rate_limiting``."""

    bytes_limiting: BytesLimitingOptions | None = None
    """For type ``bytes_limiting``."""

    span_count: SpanCountOptions | None = None
    """For type ``span_count``."""

    trace_state: TraceStateOptions | None = None
    """For type ``trace_state``."""

    ottl_condition: OttlConditionOptions | None = None
    """For type ``ottl_condition``."""

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """The kinds that may stand at this place."""
        return SIMPLE_TYPES

    @model_validator(mode="after")
    def _known_type(self) -> Self:
        known = self.types()
        if self.type not in known:
            raise ValueError(
                f"unknown sampling policy type {self.type}, possible here: {', '.join(known)}"
            )
        section = _OWN_SECTION.get(self.type)
        if section is not None and getattr(self, self.type) is None:
            # Defaults that cannot work, such as an empty list of codes, are refused here.
            section.model_validate({})
        return self

    def section(self) -> Any:
        """The section of this policy's type, with its defaults if it was not written."""
        written = getattr(self, self.type, None)
        if written is None and self.type in _OWN_SECTION:
            return _OWN_SECTION[self.type]()
        return written


class NotOptions(Options):
    """Section ``not``: the opposite of one simple policy."""

    not_sub_policy: SimplePolicyOptions
    """The policy whose sampled and not sampled are swapped."""


class NegatablePolicyOptions(SimplePolicyOptions):
    """A simple policy, or ``not`` around one."""

    not_: NotOptions | None = Field(default=None, alias="not")
    """For type ``not``."""

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """The kinds that may stand at this place."""
        return (*SIMPLE_TYPES, "not")

    @model_validator(mode="after")
    def _not_is_there(self) -> Self:
        if self.type == "not" and self.not_ is None:
            raise ValueError("a policy of type not needs not: {not_sub_policy: {...}}")
        return self


class AndOptions(Options):
    """Section ``and``: all sub-policies must sample."""

    and_sub_policy: tuple[NegatablePolicyOptions, ...] = ()
    """The policies; an empty list samples everything."""


class DropOptions(Options):
    """Section ``drop``: what all sub-policies sample is not sampled, whatever others say."""

    drop_sub_policy: tuple[NegatablePolicyOptions, ...] = ()
    """The policies; an empty list drops everything."""


class CompositeSubPolicyOptions(SimplePolicyOptions):
    """A simple policy or an ``and``, inside a composite."""

    and_: AndOptions | None = Field(default=None, alias="and")
    """For type ``and``."""

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """The kinds that may stand at this place."""
        return (*SIMPLE_TYPES, "and")


class CompositeOptions(Options):
    """Section ``composite``: several policies under a common rate, per worker process."""

    max_total_spans_per_second: int = 0
    """Spans a second that each sub-policy may sample at most, and of which percents are taken."""

    policy_order: tuple[str, ...] = ()
    """Accepted and ignored, as in the Collector: the order of `composite_sub_policy` counts."""

    composite_sub_policy: tuple[CompositeSubPolicyOptions, ...] = ()
    """
    The policies. The first that samples a trace decides: if its own rate is used up, the trace is
    not sampled, and no later one is asked.
    """

    rate_allocation: tuple[RateAllocationOptions, ...] = ()
    """Each sub-policy's part of the rate. One that is missing here samples nothing."""


class PolicyOptions(NegatablePolicyOptions):
    """An entry of ``policies``."""

    and_: AndOptions | None = Field(default=None, alias="and")
    """For type ``and``."""

    drop: DropOptions | None = None
    """For type ``drop``."""

    composite: CompositeOptions | None = None
    """For type ``composite``."""

    @classmethod
    def types(cls) -> tuple[str, ...]:
        """The kinds that may stand at this place."""
        return (*SIMPLE_TYPES, "and", "not", "drop", "composite")
