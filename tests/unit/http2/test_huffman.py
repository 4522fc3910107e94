"""The Huffman code against the reference implementation."""

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
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
