"""From options to policies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.processors.tail_sampling.policies.attributes import (
    BooleanAttribute,
    NumericAttribute,
    StringAttribute,
)
from bridge.processors.tail_sampling.policies.compound import And, Drop, Not
from bridge.processors.tail_sampling.policies.rates import (
    BytesLimiting,
    Composite,
    Now,
    RateLimiting,
    Share,
)
from bridge.processors.tail_sampling.policies.simple import (
    AlwaysSample,
    Latency,
    Probabilistic,
    SpanCount,
    StatusCode,
    TraceFlags,
    TraceState,
)
from bridge.processors.tail_sampling.policy import Policy
from bridge.processors.tail_sampling.policy_options import (
    AndOptions,
    CompositeOptions,
    CompositeSubPolicyOptions,
    NegatablePolicyOptions,
    OttlConditionOptions,
    PolicyOptions,
    SimplePolicyOptions,
)


@dataclass(frozen=True, slots=True)
class Times:
    """The clocks that policies with a rate run on: one that never jumps, and the wall's seconds."""

    steady: Now
    wall: Now


def compile_policy(options: SimplePolicyOptions, times: Times) -> Policy:
    """The policy that *options* describe."""
    if options.type == "not" and isinstance(options, NegatablePolicyOptions) and options.not_:
        return Not(compile_policy(options.not_.not_sub_policy, times))
    if isinstance(options, CompositeSubPolicyOptions | PolicyOptions) and options.type == "and":
        return _and(options.and_ or AndOptions(), times)
    if isinstance(options, PolicyOptions) and options.type == "drop":
        subs = options.drop.drop_sub_policy if options.drop else ()
        return Drop([compile_policy(sub, times) for sub in subs])
    if isinstance(options, PolicyOptions) and options.type == "composite":
        return _composite(options.composite or CompositeOptions(), times)
    return _SIMPLE[options.type](options.section(), times)


def _and(options: AndOptions, times: Times) -> Policy:
    return And([compile_policy(sub, times) for sub in options.and_sub_policy])


def _composite(options: CompositeOptions, times: Times) -> Policy:
    total = options.max_total_spans_per_second
    subs = options.composite_sub_policy
    rates = {
        allocation.policy: int(
            allocation.percent / 100 * total if allocation.percent > 0 else total / len(subs)
        )
        for allocation in options.rate_allocation
        if subs
    }
    shares = [Share(compile_policy(sub, times), rates.get(sub.name, 0)) for sub in subs]
    return Composite(total, shares, times.wall)


def _ottl_condition(options: OttlConditionOptions) -> Policy:
    # The language takes longer to import than all of the sampler, and most files do without it.
    from bridge.processors.tail_sampling.policies.ottl import OttlCondition

    return OttlCondition(options.span, options.spanevent, options.error_mode)


_SIMPLE: dict[str, Callable[[Any, Times], Policy]] = {
    "always_sample": lambda own, times: AlwaysSample(),
    "latency": lambda own, times: Latency(own.threshold_ms, own.upper_threshold_ms),
    "numeric_attribute": lambda own, times: NumericAttribute(
        own.key, own.min_value, own.max_value, invert=own.invert_match
    ),
    "probabilistic": lambda own, times: Probabilistic(own.hash_salt, own.sampling_percentage),
    "status_code": lambda own, times: StatusCode(own.status_codes),
    "string_attribute": lambda own, times: StringAttribute(
        own.key,
        own.values,
        regex=own.enabled_regex_matching,
        cache_max_size=own.cache_max_size,
        invert=own.invert_match,
    ),
    "boolean_attribute": lambda own, times: BooleanAttribute(
        own.key, own.value, invert=own.invert_match
    ),
    "rate_limiting": lambda own, times: RateLimiting(
        own.spans_per_second, own.burst_capacity, times.steady
    ),
    "bytes_limiting": lambda own, times: BytesLimiting(
        own.bytes_per_second, own.burst_capacity, times.steady
    ),
    "span_count": lambda own, times: SpanCount(own.min_spans, own.max_spans),
    "trace_state": lambda own, times: TraceState(own.key, own.values),
    "trace_flags": lambda own, times: TraceFlags(),
    "ottl_condition": lambda own, times: _ottl_condition(own),
}
