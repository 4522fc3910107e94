"""Heads that repeat are judged once, and never mistaken."""

from collections import deque

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from bridge.http2 import Http2Limits
from bridge.http2.frames import (
    END_HEADERS,
    HAS_PRIORITY,
    PADDED,
    ConnectionFault,
    ErrorCode,
    StreamFault,
)
from bridge.http2.head import encode_fields
from bridge.http2.head_reader import BlockAssembler, HeadReader
from tests.unit.http2.wire import REQUEST

VOLATILE = frozenset({b"grpc-timeout"})


def make_reader(**limits: int) -> HeadReader:
    """A reader that keeps timeouts out of the shared heads."""
    return HeadReader(Http2Limits(**limits), VOLATILE)


def test_head_repeated_is_shared() -> None:
    """Equal fields give the same head, however they are coded and whatever the timeout is."""
    reader, encoder = make_reader(), Encoder()
    seen = set()

    for timeout in (b"1S", b"2S", b"2S", b"3S"):
        block = encoder.encode([*REQUEST, (b"grpc-timeout", timeout)])
        head, volatile = reader.read(1, block)
        seen.add(id(head))
        assert ((b"grpc-timeout", timeout),) == volatile

    assert len(seen) == 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40), st.booleans())
def test_heads_are_those_of_their_blocks(choices: list[tuple[int, int]], indexing: bool) -> None:
    """With every history of the table and of the memories, a block gives its own fields."""
    reader, encoder = make_reader(cached_heads_max=3), Encoder()
    if not indexing:
        encoder.header_table_size = 80

    for value, timeout in choices:
        fields = ((b"x-a", b"%d" % value), (b"grpc-timeout", b"%dS" % timeout))
        head, volatile = reader.read(1, encoder.encode([*REQUEST, *fields]))

        assert fields[:1] == head.fields
        assert fields[1:] == volatile


def test_head_list_too_large_resets_the_stream_only() -> None:
    """The table stays intact: the next request on the connection is read."""
    reader, encoder = make_reader(header_list_bytes_max=1_000), Encoder()
    large = encoder.encode([*REQUEST, (b"x-a", b"v" * 900)])
    small = encoder.encode([*REQUEST, (b"x-b", b"v")])

    with pytest.raises(StreamFault) as fault:
        reader.read(1, large)

    assert fault.value.code == ErrorCode.ENHANCE_YOUR_CALM
    assert reader.read(3, small)[0].fields == ((b"x-b", b"v"),)


def test_volatile_fields_are_checked_too() -> None:
    """A value kept out of the shared head still may not hold CR or LF."""
    with pytest.raises(StreamFault):
        make_reader().read(1, encode_fields((*REQUEST, (b"grpc-timeout", b"1\r\n"))))


def test_block_in_fragments_is_joined() -> None:
    """HEADERS and CONTINUATION give one block, without padding and priority."""
    assembler = BlockAssembler(Http2Limits())

    first = assembler.begin(3, PADDED | HAS_PRIORITY, b"\x02\0\0\0\1\x10ab\0\0")
    second = assembler.proceed(3, 0, b"cd")
    third = assembler.proceed(3, END_HEADERS, b"ef")

    assert (first, second, third) == (None, None, b"abcdef")
    assert not assembler.open


@pytest.mark.parametrize("stream_id", [3, 5])
def test_continuation_out_of_place_is_a_connection_error(stream_id: int) -> None:
    """Without a HEADERS of its stream before it, CONTINUATION ends the connection."""
    assembler = BlockAssembler(Http2Limits())
    if stream_id == 5:
        assembler.begin(3, 0, b"a")

    with pytest.raises(ConnectionFault) as fault:
        assembler.proceed(stream_id, END_HEADERS, b"b")

    assert fault.value.code == ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize("fragment", [b"", b"x" * 10_000])
def test_continuation_flood_is_stopped(fragment: bytes) -> None:
    """Neither endless fragments nor endless bytes are gathered."""
    assembler = BlockAssembler(Http2Limits())
    assembler.begin(1, 0, b"")

    with pytest.raises(ConnectionFault) as fault:
        deque((assembler.proceed(1, 0, fragment) for _ in range(100)), maxlen=0)

    assert fault.value.code == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    ("flags", "payload"),
    [
        (PADDED, b""),
        (PADDED, b"\x05abc"),
        (HAS_PRIORITY, b"\0\0\0\1"),
        (HAS_PRIORITY, b"\0\0\0\3\x10ab"),
    ],
)
def test_headers_with_broken_padding_or_priority_end_the_connection(
    flags: int, payload: bytes
) -> None:
    """Padding and priority must fit, and no stream depends on itself."""
    with pytest.raises(ConnectionFault):
        BlockAssembler(Http2Limits()).begin(3, flags | END_HEADERS, payload)
