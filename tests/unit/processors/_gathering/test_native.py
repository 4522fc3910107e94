"""The compiled forms give what the Python forms give."""

import random
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core import Malformed
from bridge.processors._gathering import native
from bridge.processors._gathering.scan import count_spans_in_python, scan_in_python
from bridge.processors.tail_sampling.policies import simple
from bridge.processors.tail_sampling.schema import column_reader
from bridge.processors.tail_sampling.view import TraceView
from bridge.testing import Order, trace_request
from tests.unit.processors.tail_sampling.conftest import TRACE_ID, parts, span

compiled: Any = native.load()

needs_compiled = pytest.mark.skipif(compiled is None, reason="the compiled forms were not built")


def test_load_obeys_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """``OTLP_BRIDGE_PURE`` leaves the Python forms in place."""
    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert native.load() is None


def both(body: bytes) -> None:
    """Both forms agree, or the compiled one leaves the matter to the other."""
    try:
        expected: Any = scan_in_python(body)
    except Malformed:
        expected = Malformed
    try:
        found: Any = compiled.scan(body)
    except ValueError:
        found = Malformed
    assert found in (None, expected)


@needs_compiled
@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("padding", [0, 200, 20_000])
def test_compiled_scan_finds_the_same(order: Order, padding: int) -> None:
    """Ranges and heads are equal, for both orders of fields."""
    body = b"".join(
        trace_request(5, 3, order=order, seed=seed, padding_bytes=padding).body for seed in range(4)
    )

    assert scan_in_python(body) == compiled.scan(body)


@needs_compiled
@pytest.mark.parametrize("padding", [0, 200, 20_000])
def test_compiled_count_of_every_range_is_what_the_scan_found(padding: int) -> None:
    """Both forms; lengths of one, two and three bytes."""
    body = trace_request(5, 7, seed=padding, padding_bytes=padding, interleaved=False).body
    for _, _, _, ranges in scan_in_python(body):
        for _, start, stop, spans in ranges:
            assert spans == compiled.count(body, start, stop)
            assert spans == count_spans_in_python(body, start, stop)


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=40), start=st.integers(-3, 45), stop=st.integers(-3, 45))
def test_compiled_count_of_noise_agrees_or_decides_nothing(
    body: bytes, start: int, stop: int
) -> None:
    """What is no range of framed spans is left to the Python form."""
    found = compiled.count(body, start, stop)

    if found is not None:
        assert 0 <= start <= stop <= len(body)
        assert found == count_spans_in_python(body, start, stop)


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.integers(0, 3))
def test_compiled_scan_of_damaged_bodies_agrees(seed: int, cuts: int) -> None:
    """Whatever is changed in a body, both forms find the same or refuse it."""
    dice = random.Random(seed)
    body = bytearray(trace_request(2, 2, seed=seed % 7, attribute_count=1).body)
    for _ in range(cuts):
        body[dice.randrange(len(body))] = dice.randrange(256)
    if dice.random() < 0.2:
        del body[dice.randrange(len(body)) :]

    both(bytes(body))


@needs_compiled
@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=40))
def test_compiled_scan_of_noise_agrees(body: bytes) -> None:
    """Noise too."""
    both(body)


@needs_compiled
@settings(max_examples=100, deadline=None)
@given(
    fields=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "start_time_unix_nano": st.integers(0, 2**64 - 1),
                "end_time_unix_nano": st.integers(0, 2**64 - 1),
                "flags": st.integers(0, 2**32 - 1),
                "status": st.fixed_dictionaries({}, optional={"code": st.integers(0, 2)}),
            },
        ),
        min_size=1,
        max_size=5,
    )
)
def test_compiled_facts_equal_the_columns(fields: list[dict[str, Any]]) -> None:
    """Bounds, codes and flags of any spans, with fields absent and present."""
    made, count = parts([span(**one) for one in fields])
    views = []
    for form in (compiled, None):
        view = TraceView(column_reader(frozenset({"start", "end", "status", "flags"})))
        view.show(TRACE_ID, made, count)
        with mock.patch("bridge.processors.tail_sampling.view.compiled", form):
            views.append((view.bounds_ns(), view.status_codes(), view.flagged()))

    assert views[1] == views[0]


@needs_compiled
def test_compiled_facts_refuse_what_is_no_range() -> None:
    """A range outside of its body is a fault, and never followed."""
    made, _ = parts([span()])
    with pytest.raises(ValueError, match="no range"):
        compiled.facts([made[0], 0, len(made[0][0]) + 1])
    with pytest.raises(ValueError, match="broken"):
        compiled.facts([made[0], made[1], made[2] - 1])
    with pytest.raises(TypeError):
        compiled.facts([made[0]])


@needs_compiled
@given(data=st.binary(max_size=40), state=st.integers(0, 2**64 - 1))
def test_compiled_hash_equals_the_python_form(data: bytes, state: int) -> None:
    """The hash decides about traces in both forms alike."""
    expected = state
    for byte in data:
        expected = (expected ^ byte) * 0x100000001B3 % (1 << 64)

    assert expected == compiled.fnv1a_64(data, state) == simple.fnv1a_64(data, state)
