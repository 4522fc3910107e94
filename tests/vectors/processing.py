"""One vector case through one of our processors."""

import json
import re
from typing import Any

from pydantic import ValidationError

from bridge.core import Batch, Malformed, ProcessorFactory, Refused, Signal
from bridge.ottl import Payload
from bridge.testing import FakeStage, ManualClock, make_settings, otlp_origin
from bridge.wire import count_items, otlp_json
from tests.vectors.comparison import normal, undollar

_LONE = re.compile("[\udc80-\udcff]")

SIGNALS = {
    "resourceSpans": Signal.TRACES,
    "resourceMetrics": Signal.METRICS,
    "resourceLogs": Signal.LOGS,
}


async def outcome_of(
    factory: ProcessorFactory[Any], config: dict[str, Any], request: dict[str, Any]
) -> Any:
    """What the processor makes of *request*: normal output, ``dropped``, ``start`` or ``run``."""
    signal = SIGNALS[next(iter(request))]
    try:
        options = factory.config.model_validate(undollar(config))
    except ValidationError:
        return "start"
    clock = ManualClock()
    downstream = FakeStage()
    settings = make_settings(factory.type_name, clock=clock)
    processor = factory.create(options, settings, signal, downstream)
    body = otlp_json.decode(signal, json.dumps(request).encode())
    batch = Batch(signal, body, count_items(signal, body), otlp_origin(clock))
    try:
        await processor.deliver(batch)
    except (Refused, Malformed):
        return "run"
    if not downstream.taken:
        return "dropped"
    (taken,) = downstream.taken
    assert count_items(signal, taken.body) == taken.items
    unordered = "aggregate_on" in json.dumps(config)
    return normal(
        json.loads(otlp_json.encode(signal, _shown(signal, taken.body))), unordered_points=unordered
    )


def _shown(signal: Signal, body: bytes) -> bytes:
    """*body* with U+FFFD for each byte of an attribute that is no UTF-8, as the vectors show it."""
    try:
        otlp_json.encode(signal, body)
    except Malformed:
        payload = Payload(body, signal)
        for resource in payload.resources:
            for scope in resource.scopes:
                for item in scope.items:
                    item.attributes.rewrite_texts(lambda text: _LONE.sub("\ufffd", text))
        return payload.dump()
    return body


def expected_of(case: dict[str, Any]) -> Any:
    """The same shape from what the Collector answered."""
    expect = case["expect"]
    if expect.get("dropped"):
        return "dropped"
    if expect.get("error"):
        return expect["at"]
    unordered = "aggregate_on" in json.dumps(case["config"])
    return normal(expect["output"], unordered_points=unordered)
