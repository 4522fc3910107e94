"""The accumulator: what goes when, by events alone."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.flow import Limits, Reason
from bridge.flow.accumulator import Accumulator, Part


def limits(**changes: float) -> Limits:
    values = {
        "items": 100,
        "items_max": 0,
        "body_bytes": 1000,
        "timeout_s": 0.2,
        "pending_bytes_max": 5000,
    }
    return Limits(**{**values, **changes})  # type: ignore[arg-type]  # the sizes are whole


def part(items: int = 1, size: int = 1) -> Part[str]:
    return Part("caller", b"x" * size, items)


def sizes(flushes) -> list[list[int]]:
    return [[p.items for p in flush.parts] for flush in flushes]


def test_accumulator_flushes_at_its_size() -> None:
    """Reaching the number of items sends everything that waits, in order."""
    held = Accumulator[str](limits())
    assert held.add("g", [part(40)], 0.0) == []
    assert held.add("g", [part(50)], 0.0) == []

    (flush,) = held.add("g", [part(10)], 0.0)

    assert sizes([flush]) == [[40, 50, 10]]
    assert flush.reason is Reason.SIZE
    assert held.pending_bytes == 0


def test_accumulator_flushes_at_its_bytes() -> None:
    """Reaching the number of bytes sends too, and a flush never joins beyond it."""
    held = Accumulator[str](limits())
    held.add("g", [part(1, 600)], 0.0)

    flushes = held.add("g", [part(1, 600)], 0.0)

    assert [len(flush.parts) for flush in flushes] == [1]
    assert held.pending_bytes == 600


def test_accumulator_keeps_the_cap() -> None:
    """With a cap, no flush of several parts exceeds it."""
    held = Accumulator[str](limits(items_max=100))

    flushes = held.add("g", [part(60), part(60), part(60)], 0.0)

    assert sizes(flushes) == [[60], [60]]
    assert sizes(held.take_all()) == [[60]]


def test_accumulator_sends_idle_groups_only() -> None:
    """A group of which something is under way waits; another one does not."""
    held = Accumulator[str](limits())
    held.add("a", [part()], 0.0)
    assert len(held.take_idle()) == 1
    held.add("a", [part()], 0.0)
    held.add("b", [part()], 0.0)

    assert [flush.key for flush in held.take_idle()] == ["b"]
    held.finished("a")
    assert [flush.key for flush in held.take_idle()] == ["a"]


def test_accumulator_sends_what_is_due() -> None:
    """The oldest part decides when a group must go."""
    held = Accumulator[str](limits())
    held.add("g", [part()], 10.0)
    held.add("g", [part()], 10.15)
    assert held.next_due_s() == 10.2
    assert held.take_due(10.19) == []

    (flush,) = held.take_due(10.2)

    assert flush.reason is Reason.TIMEOUT
    assert len(flush.parts) == 2
    assert held.next_due_s() is None


def test_accumulator_forgets_withdrawn_parts() -> None:
    """A part whose caller is gone is not sent; one under way cannot be taken back."""
    held = Accumulator[str](limits())
    gone, sent = part(), part()
    held.add("g", [gone], 0.0)
    assert held.withdraw("g", gone)
    assert held.groups == 0
    held.add("g", [sent], 0.0)
    held.take_idle()

    assert not held.withdraw("g", sent)
    held.finished("g")
    assert held.groups == 0


def test_accumulator_bounds_all_groups_together() -> None:
    """Over the total of bytes the oldest group goes, whatever its size."""
    held = Accumulator[str](limits(pending_bytes_max=1000))
    held.add("old", [part(1, 500)], 0.0)
    held.add("new", [part(1, 400)], 1.0)

    (flush,) = held.add("new", [part(1, 200)], 1.0)

    assert (flush.key, flush.reason) == ("old", Reason.MEMORY)
    assert held.pending_bytes == 600


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 130), st.integers(1, 1200)), max_size=60),
    st.sampled_from([0, 120]),
    st.randoms(),
)
def test_accumulator_neither_loses_nor_repeats(adds, cap, random) -> None:
    """Whatever happens in whatever order, each part goes exactly once and all bounds hold."""
    held = Accumulator[str](limits(items_max=cap))
    put, flushes = [], []
    for now, (key, items, size) in enumerate(adds):
        new = part(items, size)
        put.append(new)
        flushes += held.add(key, [new], float(now))
        event = random.randrange(4)
        if event == 0:
            flushes += held.take_idle()
        elif event == 1:
            flushes += held.take_due(now - 0.5)
        elif event == 2 and flushes and (flush := random.choice(flushes)).key in held._groups:
            group = held._groups[flush.key]
            if group.in_flight:
                held.finished(flush.key)
        assert held.pending_bytes <= 5000
    flushes += held.take_all()

    out = [p for flush in flushes for p in flush.parts]
    assert sorted(map(id, put)) == sorted(map(id, out))
    assert held.pending_bytes == 0
    for flush in flushes:
        if len(flush.parts) > 1:
            assert sum(len(p.body) for p in flush.parts) <= 1000
            assert not cap or sum(p.items for p in flush.parts) <= cap
