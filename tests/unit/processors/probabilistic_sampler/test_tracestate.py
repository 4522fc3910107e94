"""The trace state as far as samplers read and write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.processors.probabilistic_sampler.tracestate import (
    LENGTH_MAX,
    MEMBERS_MAX,
    OURS_LENGTH_MAX,
    TraceState,
)

RV = "0123456789abcd"


def test_state_reads_ours_and_keeps_the_rest() -> None:
    """Ours is written first, its own unknown values last."""
    state = TraceState(f"a=1, ot=th:8;x:y;rv:{RV} ,b@c=2")

    assert (state.valid, state.threshold, state.randomness) == (True, 8 << 52, int(RV, 16))
    assert str(state) == f"ot=rv:{RV};th:8;x:y,a=1,b@c=2"


def test_state_is_changed() -> None:
    """Set, raised and taken away; without anything of ours the member goes."""
    state = TraceState("a=1")
    state.set_threshold(12 << 52)
    state.set_randomness(5)
    assert str(state) == "ot=rv:00000000000005;th:c,a=1"

    state.set_threshold(None)
    state.set_randomness(None)
    assert str(state) == "a=1"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("ot=th:xyz", ""),
        ("ot=rv:123", ""),
        ("ot=th", ""),
        ("a=1,ot=;", "a=1"),
        ("no equals", ""),
        ("a=1,Bad=2", ""),
        ("a=" + "x" * LENGTH_MAX, ""),
        ("ot=x:" + "y" * OURS_LENGTH_MAX, ""),
        (f"{'k' * 257}=v", ""),
        (f"{'t' * 242}@s=v", ""),
    ],
)
def test_state_that_is_not_valid_says_so(text: str, written: str) -> None:
    """What could not be read is gone once it is written."""
    state = TraceState(text)

    assert not state.valid
    assert str(state) == written


def test_state_is_bounded_in_members() -> None:
    """Those beyond are gone; a comma at the end makes none."""
    full = ",".join(f"k{number}=v" for number in range(MEMBERS_MAX))

    assert TraceState(full).valid
    assert TraceState(full + ",").valid
    more = TraceState(full + ",last=v")
    assert not more.valid
    assert "last" not in str(more)


@pytest.mark.parametrize("text", ["", ",", " , a=1 ,"])
def test_empty_members_are_no_fault(text: str) -> None:
    """They are left out."""
    assert TraceState(text).valid


@given(st.text("aot=:;,rvh018 @", max_size=30))
def test_any_text_is_read(text: str) -> None:
    """And what is valid and written is read again alike."""
    state = TraceState(text)
    again = TraceState(str(state))

    assert again.valid
    assert (again.threshold, again.randomness) == (state.threshold, state.randomness)
    assert str(again) == str(state)
