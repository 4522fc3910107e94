"""Shares are counted down alike by the compiled form and the one in Python."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import load_compiled
from bridge.kafka import shares as in_use

COMPILED = load_compiled("bridge.kafka")
needs_compiler = pytest.mark.skipif(
    COMPILED is None, reason="installed without a C compiler: there is no compiled form"
)


class Python:
    """The functions in Python under the names of the compiled ones."""

    Tally = in_use.PureTally
    open_shares = staticmethod(in_use.open_in_python)
    doubt_shares = staticmethod(in_use.doubt_in_python)
    acknowledge_shares = staticmethod(in_use.acknowledge_in_python)
    all_live = staticmethod(in_use.all_live_in_python)


FORMS = [
    pytest.param(Python, id="python"),
    pytest.param(COMPILED, id="compiled", marks=needs_compiler),
]


def a_request(form: Any) -> Any:
    """A tally as tickets inherit it, with slots and arguments of its own."""

    class Request(form.Tally):  # type: ignore[misc]
        __slots__ = ("name",)

        def __init__(self, name: str) -> None:
            self.name = name

    return Request("a")


@pytest.mark.parametrize("form", FORMS)
def test_request_closes_with_its_last_share(form: Any) -> None:
    """It waits for whoever adds entries too, and its items move from doubt to written."""
    one = a_request(form)
    first, second = [(one, 5, 10)], [(one, 7, 30)]
    for shares in (first, second):
        form.open_shares(shares)
        form.doubt_shares(shares, 1)
    one.open_entries -= 1  # All entries are known.

    assert one.in_doubt_items == 12
    assert form.acknowledge_shares(first) == []
    assert (one.in_doubt_items, one.acknowledged_items) == (7, 5)
    assert [one] == form.acknowledge_shares(second)
    assert (one.in_doubt_items, one.acknowledged_items, one.open_entries) == (0, 12, 0)


@pytest.mark.parametrize("form", FORMS)
def test_doubt_that_is_taken_back_leaves_nothing(form: Any) -> None:
    """A batch that certainly was not written is no possible duplicate."""
    one = a_request(form)
    form.doubt_shares([(one, 5, 10)], 1)
    form.doubt_shares([(one, 5, 10)], -1)

    assert (one.in_doubt_items, one.acknowledged_items, one.open_entries) == (0, 0, 1)


@pytest.mark.parametrize("form", FORMS)
def test_one_dead_request_makes_shares_not_all_live(form: Any) -> None:
    """Whoever gave up is seen wherever it stands."""
    one, other = a_request(form), a_request(form)
    shares = [(one, 1, 1), (other, 1, 2)]

    assert form.all_live(shares)
    assert form.all_live([])
    other.live = False
    assert not form.all_live(shares)


@needs_compiler
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 2**40), st.sampled_from("odka")), max_size=40
    )
)
def test_both_forms_count_alike(steps: list[tuple[int, int, str]]) -> None:
    """Whatever comes in whatever order, the numbers and who is closed are the same."""
    seen = []
    for form in (Python, COMPILED):
        requests = [a_request(form) for _ in range(4)]
        closed = []
        for number, items, step in steps:
            shares = [(requests[number], items, 0), (requests[0], 1, 0)]
            if step == "o":
                form.open_shares(shares)
            elif step == "a":
                closed.append([requests.index(one) for one in form.acknowledge_shares(shares)])
            else:
                form.doubt_shares(shares, 1 if step == "d" else -1)
        counts = [(o.open_entries, o.acknowledged_items, o.in_doubt_items) for o in requests]
        seen.append((closed, counts))

    assert seen[0] == seen[1]


@needs_compiler
@pytest.mark.parametrize(
    "shares",
    [
        (),
        [None],
        [()],
        [(object(), 1, 1)],
        [(1, 1)],
        [("a", 1, 1)],
    ],
)
@pytest.mark.parametrize("name", ["open_shares", "acknowledge_shares", "all_live", "doubt_shares"])
def test_compiled_form_refuses_what_is_no_share(name: str, shares: Any) -> None:
    """A fault of ours is an error, not a write to memory that is something else."""
    call = getattr(COMPILED, name)
    with pytest.raises(TypeError):
        call(shares, 1) if name == "doubt_shares" else call(shares)


@needs_compiler
def test_compiled_form_refuses_items_beyond_64_bits() -> None:
    """As it cannot count them."""
    assert isinstance(COMPILED, ModuleType)
    one = a_request(COMPILED)
    with pytest.raises(OverflowError):
        COMPILED.open_shares([(one, 1 << 70, 1)])

    assert one.open_entries == 1


def test_compiled_form_is_used_where_there_is_one() -> None:
    """Both hang on one switch."""
    expected = in_use.PureTally if COMPILED is None else COMPILED.Tally

    assert expected is in_use.Tally
