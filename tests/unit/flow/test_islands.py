"""Islands as commit metadata: what comes back, and what is thrown away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.flow.islands import METADATA_CHARS_MAX, Log, decode_islands, encode_islands
from bridge.flow.watermark import Run

END = 10**15


@st.composite
def _islands(draw: st.DrawFn) -> tuple[int, tuple[Run, ...]]:
    base = draw(st.integers(0, 10**12))
    position, runs = base, []
    for distance, length in draw(
        st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)), max_size=50)
    ):
        start = position + distance
        position = start + length
        runs.append((start, position))
    return base, tuple(runs)


@given(_islands())
def test_islands_round_trip_gives_the_same_runs(case: tuple[int, tuple[Run, ...]]) -> None:
    """What was written comes back, in ASCII and within the limit."""
    base, runs = case

    text = encode_islands(base, runs)

    assert text.isascii()
    assert len(text) <= METADATA_CHARS_MAX
    assert (decode_islands(text, base, END) if runs else ()) == runs


@given(_islands(), st.integers(0, 300))
def test_islands_short_of_room_keep_the_first_runs(
    case: tuple[int, tuple[Run, ...]], chars_max: int
) -> None:
    """Runs that do not fit are left out at the end, so that less is skipped and never more."""
    base, runs = case

    text = encode_islands(base, runs, chars_max=chars_max)

    assert len(text) <= chars_max
    if text:
        kept = decode_islands(text, base, END)
        assert kept == runs[: len(kept)]


def test_islands_many_runs_fit_the_default_limit() -> None:
    """Brokers refuse more than 4,096 characters: some 1,500 small runs fit."""
    runs = [(2 * index + 1, 2 * index + 2) for index in range(5000)]

    text = encode_islands(0, runs)

    assert len(text) <= 4096
    assert len(decode_islands(text, 0, END)) > 1400


@given(_islands(), st.data())
def test_islands_damaged_text_is_refused(
    case: tuple[int, tuple[Run, ...]], data: st.DataObject
) -> None:
    """Any change of a character is noticed."""
    base, runs = case
    text = encode_islands(base, runs or ((base + 1, base + 2),))
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != text[at]))

    with pytest.raises(ValueError, match=r"bridge|written|damaged"):
        decode_islands(text[:at] + other + text[at + 1 :], base, END)


@pytest.mark.parametrize("text", ["", "b1.", "something of another tool", "b1.-.-.0.AQE.00000000"])
def test_islands_foreign_text_is_refused(text: str) -> None:
    """Metadata that another tool wrote is no island."""
    with pytest.raises(ValueError, match="no metadata of this bridge"):
        decode_islands(text, 0, END)


def test_islands_of_another_commit_are_refused() -> None:
    """When somebody moved the group's offset, the runs do not belong to it any more."""
    text = encode_islands(5, [(7, 9)])

    with pytest.raises(ValueError, match="written for a commit of 5, not of 6"):
        decode_islands(text, 6, END)


def test_islands_beyond_the_end_of_the_log_are_refused() -> None:
    """A log that was cut back holds other records at these offsets now."""
    text = encode_islands(5, [(7, 9)])

    assert decode_islands(text, 5, 9) == ((7, 9),)
    with pytest.raises(ValueError, match="the log ends at 8"):
        decode_islands(text, 5, 8)


@pytest.mark.parametrize(
    ("written", "found", "reason"),
    [
        (Log("a"), Log("b"), "created anew"),
        (Log(None, 3), Log(None, 4), "another leader"),
    ],
)
def test_islands_of_another_log_are_refused(written: Log, found: Log, reason: str) -> None:
    """A topic of the same name that was created anew shares no record with the old one."""
    text = encode_islands(5, [(7, 9)], written)

    with pytest.raises(ValueError, match=reason):
        decode_islands(text, 5, END, found)


def test_islands_of_unknown_log_are_taken() -> None:
    """Where a client cannot tell topic id and epoch, the other checks decide."""
    text = encode_islands(5, [(7, 9)])

    assert decode_islands(text, 5, END, Log("a", 3)) == ((7, 9),)
