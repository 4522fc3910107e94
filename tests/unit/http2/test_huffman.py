"""The Huffman code against the reference implementation."""

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import (
    HUFFMAN_COMPLETE,
    HUFFMAN_EMIT_SYMBOL,
    HUFFMAN_FAIL,
    HUFFMAN_TABLE,
)
from hpack.huffman_table import decode_huffman as decode_reference
from hypothesis import given
from hypothesis import strategies as st

from bridge.http2.huffman import decode_huffman, packed_steps


@given(st.binary(max_size=100))
def test_huffman_undoes_the_encoder(text: bytes) -> None:
    """Every text survives."""
    coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)

    assert text == decode_huffman(coded)


@given(st.binary(max_size=30))
def test_huffman_agrees_with_the_reference_on_garbage(coded: bytes) -> None:
    """Wrong codes and wrong padding are errors exactly where the reference says so."""
    try:
        expected = decode_reference(coded)
    except HPACKDecodingError:
        with pytest.raises(HPACKDecodingError):
            decode_huffman(coded)
        return
    assert expected == decode_huffman(coded)


def test_packed_steps_are_three_bytes_each() -> None:
    """256 states of 16 half bytes; any half byte may be the first."""
    steps = packed_steps()

    assert len(steps) == 3 * 256 * 16
    assert not any(steps[3 * half + 1] & 4 for half in range(16))
    assert set(steps[1::3]) <= {0, 1, 2, 3, 4}


def test_steps_are_those_of_the_reference() -> None:
    """Whatever its numbers, each state that can be reached does the same with each half byte."""
    steps, met, pending = packed_steps(), {0: 0}, [0]
    while pending:
        state = pending.pop()
        for nibble in range(16):
            at = 3 * (16 * state + nibble)
            following, flags, symbol = steps[at : at + 3]
            expected, said, theirs = HUFFMAN_TABLE[16 * met[state] + nibble]

            assert bool(said & HUFFMAN_FAIL) == bool(flags & 4)
            if flags & 4:
                continue
            assert bool(said & HUFFMAN_COMPLETE) == bool(flags & 1)
            assert bool(said & HUFFMAN_EMIT_SYMBOL) == bool(flags & 2)
            assert not flags & 2 or theirs == symbol
            if following not in met:
                met[following] = expected
                pending.append(following)
            assert expected == met[following]

    assert len(set(met.values())) == len(met) == 256
