"""Traces by their messages, and policies by their configuration."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.processors._gathering import Decision, Parts
from bridge.processors._gathering.scan import scan
from bridge.processors._gathering.trace import HeldBatch, HeldRecord
from bridge.processors.tail_sampling.policies import Times, compile_policy
from bridge.processors.tail_sampling.policy import Policy
from bridge.processors.tail_sampling.policy_options import PolicyOptions
from bridge.processors.tail_sampling.schema import column_reader
from bridge.processors.tail_sampling.view import TraceView
from bridge.testing.builders import any_value

TRACE_ID = bytes(range(1, 17))


class HandTime:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def span(
    trace_id: bytes = TRACE_ID,
    *,
    attributes: dict[str, Any] | None = None,
    events: Iterable[str] = (),
    **fields: Any,
) -> Span:
    """A span with some fields; times are nanoseconds."""
    made = Span(trace_id=trace_id, span_id=b"spanspan", **fields)
    for key, value in (attributes or {}).items():
        made.attributes.add(key=key).value.CopyFrom(any_value(value))
    for name in events:
        made.events.add(name=name)
    return made


def parts(*groups: Iterable[Span], resource: dict[str, Any] | None = None) -> tuple[Parts, int]:
    """The ranges of one trace whose spans came in so many records, and their number."""
    made: Parts = []
    count = 0
    for spans in groups:
        message = ExportTraceServiceRequest()
        group = message.resource_spans.add()
        for key, value in (resource or {}).items():
            group.resource.attributes.add(key=key).value.CopyFrom(any_value(value))
        group.scope_spans.add().spans.extend(spans)
        body = message.SerializeToString()
        record = HeldRecord(HeldBatch(None, 1), 0)
        for _, head, scope, ranges in scan(body):
            for _, start, stop, spans_in_range in ranges:
                made += ((body, head, scope, record), start, stop)
                count += spans_in_range
    return made, count


def view_of(
    policy: Policy, *groups: Iterable[Span], resource: dict[str, Any] | None = None
) -> TraceView:
    """A trace as the policy sees it."""
    view = TraceView(column_reader(policy.columns))
    made, count = parts(*groups, resource=resource)
    view.show(TRACE_ID, made, count)
    return view


@pytest.fixture
def now() -> HandTime:
    return HandTime()


@pytest.fixture
def policy(now: HandTime) -> Callable[..., Policy]:
    """A maker of policies from what would stand in the file."""

    def make(kind: str, name: str = "p", **section: Any) -> Policy:
        config: dict[str, Any] = {"name": name, "type": kind}
        if section:
            config[kind] = section
        return compile_policy(PolicyOptions.model_validate(config), Times(now, now))

    return make


@pytest.fixture
def samples(policy: Callable[..., Policy]) -> Callable[..., bool]:
    """Whether a policy samples a trace of one group of spans."""

    def ask(kind: str, spans: Iterable[Span], resource: Any = None, **section: Any) -> bool:
        made = policy(kind, **section)
        return made.evaluate(view_of(made, spans, resource=resource)) is Decision.SAMPLED

    return ask
