"""Tail sampling decides and finishes the same with and without the compiled forms."""

import gc
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridge.core import Batch, Malformed, Origin, Signal
from bridge.processors._gathering import (
    Moment,
    Telemetry,
    deciding,
    intake,
    native,
    oddities,
    request,
    request_grouped,
    traces_of,
)
from bridge.processors._gathering.request import request_of
from bridge.processors.tail_sampling import TailSamplingOptions, build_engine, judge, view
from bridge.processors.tail_sampling.telemetry import shared_figures
from bridge.testing import FakeCustody, Order, kafka_batch, make_settings

ROOT = Path(__file__).resolve().parents[4]

WALL_MS = 2_000_000_000_000
NS = 1_000_000_000_000_000_000
TIMED = "sampling_policy_execution"  # How often a policy was timed differs by form.

POLICIES: list[list[dict[str, Any]]] = [
    [
        {"name": "slow", "type": "latency", "latency": {"threshold_ms": 300}},
        {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
        {"name": "some", "type": "probabilistic", "probabilistic": {"sampling_percentage": 30}},
    ],
    [
        {"name": "many", "type": "span_count", "span_count": {"min_spans": 3, "max_spans": 5}},
        {"name": "flagged", "type": "trace_flags"},
    ],
    [{"name": "all", "type": "always_sample"}],
    [
        {
            "name": "between",
            "type": "latency",
            "latency": {"threshold_ms": 3, "upper_threshold_ms": 400},
        },
        {"name": "unset", "type": "status_code", "status_code": {"status_codes": ["OK"]}},
    ],
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_traces": 12},
    {"sample_on_first_match": True, "maximum_trace_size_bytes": 700},
    {"decision_cache": {"sampled_cache_size": 3, "non_sampled_cache_size": 4}},
    {"decision_wait_after_root_received": "1s"},
]


def bodies(dice: random.Random, count: int) -> list[bytes]:
    """Requests of all sorts: odd ids, absent times, several scopes, both orders; some broken."""
    ids = [dice.randbytes(16) for _ in range(count // 2)] + [b"", bytes(16), b"short"]
    made = []
    for _ in range(count):
        message = ExportTraceServiceRequest()
        for _ in range(dice.randrange(3)):
            group = message.resource_spans.add()
            group.resource.attributes.add(key="k").value.string_value = str(dice.randrange(3))
            for _ in range(dice.randrange(3)):
                scope = group.scope_spans.add()
                scope.scope.name = str(dice.randrange(2))
                for _ in range(dice.randrange(5)):
                    start = NS + dice.randrange(500_000_000)
                    scope.spans.add(
                        trace_id=dice.choice(ids),
                        span_id=dice.randbytes(8) if dice.random() < 0.9 else b"same",
                        start_time_unix_nano=start if dice.random() < 0.95 else 0,
                        end_time_unix_nano=start + dice.randrange(400_000_000),
                        parent_span_id=b"p" * 8 if dice.random() < 0.9 else b"",
                        flags=dice.randrange(2),
                        status={"code": dice.choice([0, 0, 0, 1, 2])}
                        if dice.random() < 0.5
                        else None,
                    )
        body = dice.choice(list(Order)).encode(message)
        if dice.random() < 0.05:
            # A status with a field of another type, which is no valid span for who looks at it.
            body += b"\x0a\x09\x12\x07\x12\x05\x7a\x03\x18\x96\x96"
        made.append(body)
    return made


def transcript(seed: int, changes: dict[str, Any]) -> list[object]:
    """What an engine does with a random topic."""
    dice = random.Random(seed)
    options = TailSamplingOptions.model_validate(
        {"decision_wait": "5s", "policies": POLICIES[seed % len(POLICIES)], **changes}
    )
    settings = make_settings("tail_sampling")
    telemetry = Telemetry(settings, "tail_sampling", shared_figures(settings.metrics))
    engine = build_engine(options, settings, telemetry)
    noted: list[tuple[bytes, bool]] = []
    if seed % 2:
        engine.decider.note = lambda lane, trace_id, sampled: noted.append((trace_id, sampled))
    custody, offset, stamp_ms = FakeCustody(), 0, WALL_MS - 60_000
    seen: list[object] = []
    sent: list[Any] = []
    for turn in range(25):
        own = bodies(dice, dice.randrange(1, 6))
        stamps = [stamp_ms := stamp_ms + dice.choice([-50, 0, 7, 400, 3_000]) for _ in own]
        try:
            spans = sum(count for _, count in traces_of(b"".join(own)).values())
        except Malformed:
            spans = 0
        batch = kafka_batch(
            Signal.TRACES,
            *own,
            items=spans,
            custody=custody,
            first_offset=offset,
            timestamps_ms=stamps,
        )
        offset += len(own)
        if dice.random() < 0.2:
            batch = Batch(Signal.TRACES, batch.body, spans, Origin("otlp"))
        now = Moment(turn * 0.4, WALL_MS)
        try:
            engine.take(batch, now, context=turn < 3 and batch.origin.custody is not None)
        except Malformed:
            seen.append("malformed")
        if dice.random() < 0.3:
            engine.tick(now)
        if taken := engine.take_kept(1 << 30):
            sent.append(taken)
            seen.append(sorted(trace.trace_id for _, trace in taken))
        if sent and dice.random() < 0.7:
            taken = sent.pop()
            if dice.random() < 0.3:
                engine.give_back(taken)
            else:
                body = request_of([trace for _, trace in taken])
                assert body == request_grouped(trace.parts for _, trace in taken)
                seen.append(len(body))
                engine.delivered(taken)
        seen.append(_state(engine))
        assert telemetry.account.imbalance == 0
    engine.decide_all("shutdown", Moment(20.0, WALL_MS))
    seen += [_state(engine), sorted(noted), _figures(settings)]
    engine.end_all()
    return [*seen, repr(engine.ledger), engine.held_spans()]


@contextmanager
def in_python() -> Iterator[None]:
    """Without the compiled forms of what is decided."""
    modules: list[Any] = [intake, deciding, oddities, judge, view, request]
    before = [module.compiled for module in modules]
    for module in modules:
        module.compiled = None
    try:
        yield
    finally:
        for module, compiled in zip(modules, before, strict=True):
            module.compiled = compiled


def _state(engine: Any) -> list[object]:
    finished: list[int] = []
    dropped: dict[int, int] = {}
    for held in engine.ledger.take_finished():
        finished += held.finished
        dropped |= held.dropped
        held.finished, held.dropped = [], {}
    for held in engine.ledger.take_completed():
        engine.closed(held)
    lanes = [(repr(lane), lane.clock_ms, lane.next_due_ms) for lane in engine.lanes.values()]
    return [sorted(finished), dropped, repr(engine), engine.held_spans(), lanes]


def _figures(settings: Any) -> dict[str, object]:
    counters = settings.metrics._counters
    return {repr(key): counter.value for key, counter in counters.items() if TIMED not in repr(key)}


@pytest.mark.skipif(native.compiled is None, reason="the compiled forms were not built")
@pytest.mark.parametrize("changes", OPTIONS, ids=lambda changes: "-".join(changes) or "plain")
def test_both_forms_decide_and_finish_the_same(changes: dict[str, Any]) -> None:
    """Whatever comes: every decision, offset, figure and byte in memory is the same."""
    seeds = range(40)
    compiled = [transcript(seed, changes) for seed in seeds]
    with in_python():
        for seed, found in zip(seeds, compiled, strict=True):
            assert transcript(seed, changes) == found


@pytest.mark.skipif(native.compiled is None, reason="the compiled forms were not built")
def test_compiled_form_leaves_nothing_behind() -> None:
    """No collector of cycles looks at what it makes: everything goes with its last reference."""
    # In a process of its own: here every engine of a test is kept, to be asked for its ledger.
    program = f"import {__name__} as forms; forms.print_grown_bytes()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    expected, grown = map(int, done.stdout.split()[-2:])

    assert expected < 5_000  # Traces are of the compiled type here as well.
    assert grown < expected + 5_000  # One trace, of hundreds that there were, takes 300.


def print_grown_bytes() -> None:
    """What stays of ten games, without and with the compiled forms."""
    with in_python():
        expected = _grown_bytes()
    print(expected, _grown_bytes())


def _grown_bytes() -> int:
    transcript(0, {})
    gc.collect()
    tracemalloc.start()
    try:
        transcript(0, {})
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            transcript(0, {})
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
