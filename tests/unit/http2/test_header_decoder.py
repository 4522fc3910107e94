"""HPACK decoding against the reference implementation."""

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from bridge.http2.frames import ConnectionFault, ErrorCode
from bridge.http2.header_decoder import HeaderDecoder

NAMES = st.sampled_from([b":path", b"te", b"grpc-timeout", b"user-agent", b"x-a", b"x-b"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=12)


@given(st.lists(FIELDS, max_size=12), st.booleans(), st.sampled_from([4096, 200, 60, 0]))
def test_decoder_reads_what_the_reference_writes(
    blocks: list[list[tuple[bytes, bytes]]], huffman: bool, table_bytes: int
) -> None:
    """Blocks of one connection come back as they were, whatever the table holds by then."""
    encoder, decoder = Encoder(), HeaderDecoder()
    encoder.header_table_size = table_bytes

    for fields in blocks:
        block = encoder.encode(fields, huffman=huffman)

        assert fields == decoder.decode(block)


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_decoder_agrees_with_the_reference_on_garbage(blocks: list[bytes]) -> None:
    """Any bytes give what the reference gives, or an error where it gives one."""
    reference, decoder = Decoder(), HeaderDecoder()

    for block in blocks:
        try:
            expected = [tuple(field) for field in reference.decode(block, raw=True)]
        except (HPACKError, IndexError):
            with pytest.raises(ConnectionFault) as fault:
                decoder.decode(block)
            assert fault.value.code == ErrorCode.COMPRESSION_ERROR
            return
        assert expected == decoder.decode(block)


def test_decoder_version_stands_still_while_the_table_does() -> None:
    """Only a block that changes the table changes the version."""
    encoder, decoder = Encoder(), HeaderDecoder()
    first = encoder.encode([(b"x-a", b"1")])
    second = encoder.encode([(b"x-a", b"1")])

    decoder.decode(first)
    version = decoder.version
    decoder.decode(second)

    assert version == 1
    assert decoder.version == 1


def test_decoder_runaway_integer_is_refused() -> None:
    """An integer that never ends is an error, not a loop."""
    with pytest.raises(ConnectionFault):
        HeaderDecoder().decode(b"\x7f" + b"\xff" * 100 + b"\x00")
