"""The decision about one item, and what is noted in it."""

from typing import Any

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from pydantic import ValidationError

from bridge.core import Signal
from bridge.ottl import Node
from bridge.processors.probabilistic_sampler.carriers import RecordCarrier, SpanCarrier
from bridge.processors.probabilistic_sampler.options import SamplerOptions, to_single
from bridge.processors.probabilistic_sampler.sampler import Sampler, Verdict
from tests.unit.ottl.running import a_span, cursor_at

LUCKY, UNLUCKY = b"t" * 9 + b"\xff" * 7, b"t" * 9 + bytes(7)


def span(trace_id: bytes = LUCKY, state: str = "", **attributes: Any) -> Node:
    """A span."""
    item: Node = cursor_at(a_span(attributes, trace_id=trace_id, trace_state=state.encode())).item
    return item


def record(trace_id: bytes = b"", **attributes: Any) -> Node:
    """A log record; two underscores stand for a dot."""
    made = LogRecord(trace_id=trace_id)
    for key, value in attributes.items():
        field = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(made.attributes.add(key=key.replace("__", ".")).value, field, value)
    item: Node = cursor_at(made.SerializeToString(), Signal.LOGS).item
    return item


def judge(item: Node, signal: Signal = Signal.TRACES, **options: Any) -> Verdict:
    """The verdict of a sampler with such options."""
    return Sampler(SamplerOptions.model_validate(options), signal).judge(item)


def state_of(item: Node) -> str:
    """Its trace state."""
    text: str = item.message.trace_state.decode()
    return text


def test_equalizing_brings_all_to_one_threshold() -> None:
    """And notes it; a higher one that was passed before stays."""
    half = {"mode": "equalizing", "sampling_percentage": 50}
    lucky, unlucky = span(LUCKY), span(UNLUCKY)

    assert judge(lucky, **half) == Verdict(True, "trace_id_w3c")
    assert state_of(lucky) == "ot=th:8"
    assert judge(unlucky, **half) == Verdict(False, "trace_id_w3c")
    assert state_of(unlucky) == ""
    passed = span(LUCKY, "ot=th:c,a=1")
    assert judge(passed, **half).kept
    assert state_of(passed) == "ot=th:c,a=1"


def test_proportional_keeps_a_share_of_what_arrives() -> None:
    """Half of a quarter is an eighth."""
    item = span(LUCKY, "ot=th:c")

    assert judge(item, mode="proportional", sampling_percentage=50).kept
    assert state_of(item) == "ot=th:e"


def test_explicit_randomness_goes_before_the_trace_id() -> None:
    """So that several traces can be kept together."""
    item = span(UNLUCKY, "ot=rv:ffffffffffffff")

    assert judge(item, mode="equalizing", sampling_percentage=1) == Verdict(
        True, "sampling_randomness"
    )


def test_hash_mode_notes_its_randomness() -> None:
    """What newer samplers marked is not for it."""
    item = span(LUCKY)

    assert judge(item, sampling_percentage=100) == Verdict(True, "trace_id_hash")
    assert state_of(item).startswith("ot=rv:")
    marked = span(LUCKY, "ot=th:0")
    assert not judge(marked, sampling_percentage=100).kept
    assert judge(marked, sampling_percentage=100, fail_closed=False).kept


@pytest.mark.parametrize("mode", ["hash_seed", "equalizing", "proportional"])
@pytest.mark.parametrize(
    ("trace_id", "state"),
    [(b"", ""), (bytes(16), ""), (LUCKY, "ot=th:zz"), (LUCKY, "no state"), (UNLUCKY, "ot=th:8")],
)
def test_what_cannot_be_decided_fails_closed_or_open(
    mode: str, trace_id: bytes, state: str
) -> None:
    """No trace id, an unreadable state, or one that contradicts itself."""
    options = {"mode": mode, "sampling_percentage": 99}

    assert not judge(span(trace_id, state), **options).kept
    assert judge(span(trace_id, state), fail_closed=False, **options).kept


@pytest.mark.parametrize(
    ("priority", "kept"), [(1, True), (0, False), ("2.5", True), ("0", False), (0.5, True)]
)
def test_priority_of_a_span_overrides(priority: Any, kept: bool) -> None:
    """Whatever the share is."""
    for percentage in (0, 50, 100):
        for trace_id in (LUCKY, UNLUCKY):
            item = span(trace_id)
            item.attributes.set(_key("sampling.priority"), priority)
            verdict = judge(item, mode="equalizing", sampling_percentage=percentage)
            assert verdict == Verdict(kept, "sampling_priority")


@pytest.mark.parametrize("priority", [-1, "x", True, None])
def test_priority_that_is_none_is_passed_over(priority: Any) -> None:
    """The trace id decides."""
    item = span(LUCKY)
    item.attributes.set(_key("sampling.priority"), priority)

    assert judge(item, mode="equalizing", sampling_percentage=50).policy == "trace_id_w3c"


def _key(text: str) -> Any:
    from bridge.ottl.attributes import Key

    return Key(text)


def test_log_is_decided_by_its_trace_or_an_attribute() -> None:
    """The policy says which."""
    options = {"sampling_percentage": 100, "from_attribute": "user"}

    assert judge(record(LUCKY, user="u"), Signal.LOGS, **options).policy == "trace_id_hash"
    assert judge(record(user="u"), Signal.LOGS, **options) == Verdict(True, "user")
    by_record = {**options, "attribute_source": "record"}
    assert judge(record(LUCKY, user="u"), Signal.LOGS, **by_record).policy == "user"
    assert judge(record(), Signal.LOGS, **options) == Verdict(False, "missing_randomness")
    assert judge(record(user=""), Signal.LOGS, **options).policy == "missing_randomness"


def test_log_asks_for_its_own_percentage() -> None:
    """By the attribute that the config names."""
    options = {"mode": "equalizing", "sampling_percentage": 1, "sampling_priority": "p"}

    assert judge(record(LUCKY, p=100), Signal.LOGS, **options).kept
    assert not judge(record(UNLUCKY, p=50), Signal.LOGS, **options).kept
    assert judge(record(LUCKY, p=0), Signal.LOGS, **options).policy == "trace_id_w3c"


def test_log_carries_its_sampling_in_attributes() -> None:
    """Written when it is kept."""
    item = record(LUCKY)
    assert judge(item, Signal.LOGS, mode="equalizing", sampling_percentage=50).kept

    assert item.attributes.to_map() == {"sampling.threshold": "8"}
    carrier = RecordCarrier(record(sampling__threshold="c", sampling__randomness="f" * 14))
    assert (carrier.valid, carrier.threshold, carrier.randomness) == (True, 12 << 52, 2**56 - 1)
    assert not RecordCarrier(record(sampling__threshold="zz")).valid
    carrier.clear_threshold()
    carrier.raise_threshold(8 << 52)
    carrier.set_randomness(1)
    carrier.store()
    assert carrier.threshold is None


def test_span_carrier_writes_only_what_changed() -> None:
    """A span that is kept with nothing to note keeps its bytes."""
    item = span(LUCKY, "ot=th:8")
    carrier = SpanCarrier(item)
    carrier.raise_threshold(4 << 52)
    carrier.store()
    assert not item.changed

    carrier.raise_threshold(12 << 52)
    carrier.store()
    assert state_of(item) == "ot=th:c"


@pytest.mark.parametrize(
    "options",
    [
        {"sampling_percentage": float("nan")},
        {"sampling_percentage": 1e-20},
        {"hash_seed": -1},
        {"sampling_precision": 0},
        {"attribute_source": "span"},
    ],
)
def test_senseless_options_are_refused(options: dict[str, Any]) -> None:
    """When the file is read."""
    with pytest.raises(ValidationError):
        SamplerOptions.model_validate(options)


def test_percentage_has_the_collectors_precision() -> None:
    """32 bits, and at most all."""
    assert SamplerOptions(sampling_percentage=33.3).sampling_percentage == to_single(33.3)
    assert SamplerOptions(sampling_percentage=500).sampling_percentage == 100.0
