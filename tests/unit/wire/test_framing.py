"""Lengths as varints."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.wire.framing import ITEM, Prefixes, varint, varint_size
from tests.unit.wire import samples


@given(value=st.integers(0, 2**40))
def test_varint_equals_a_second_encoder(value: int) -> None:
    """The encoding and its size are right for every length."""
    assert samples.varint(value) == varint(value)
    assert len(varint(value)) == varint_size(value)


def test_prefix_is_tag_then_length() -> None:
    """Field 2 of 300 bytes, the second time from the table."""
    assert ITEM[300] == b"\x12\xac\x02"
    assert ITEM[300] == b"\x12\xac\x02"


def test_prefix_table_stays_bounded() -> None:
    """A table forgets nothing but takes no more than its maximum."""
    table = Prefixes(1)
    for length in range(70_000):
        table[length]

    assert len(table) <= 65_536
