"""HPACK decoding against the reference implementation, in both forms."""

import random

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hypothesis import given
from hypothesis import strategies as st

from bridge.core import load_compiled
from bridge.http2.frames import ConnectionFault, ErrorCode
from bridge.http2.header_decoder import HeaderDecoder

NAMES = st.sampled_from([b":path", b"te", b"grpc-timeout", b"user-agent", b"x-a", b"x-b"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=12)
COMPILED = load_compiled("bridge.http2")
FORMS = [None, COMPILED] if COMPILED is not None else [None]
both_forms = pytest.mark.parametrize("form", FORMS, ids=["python", "compiled"][: len(FORMS)])


@both_forms
@given(st.lists(FIELDS, max_size=12), st.booleans(), st.sampled_from([4096, 200, 60, 0]))
def test_decoder_reads_what_the_reference_writes(
    form, blocks: list[list[tuple[bytes, bytes]]], huffman: bool, table_bytes: int
) -> None:
    """Blocks of one connection come back as they were, whatever the table holds by then."""
    encoder, decoder = Encoder(), HeaderDecoder(form)
    encoder.header_table_size = table_bytes

    for fields in blocks:
        block = encoder.encode(fields, huffman=huffman)

        assert fields == decoder.decode(block)


@both_forms
@given(st.lists(st.binary(max_size=80), max_size=6))
def test_decoder_agrees_with_the_reference_on_garbage(form, blocks: list[bytes]) -> None:
    """Any bytes give what the reference gives, or an error where it gives one."""
    reference, decoder = Decoder(), HeaderDecoder(form)

    for block in blocks:
        try:
            expected = [tuple(field) for field in reference.decode(block, raw=True)]
        except (HPACKError, IndexError):
            with pytest.raises(ConnectionFault) as fault:
                decoder.decode(block)
            assert fault.value.code == ErrorCode.COMPRESSION_ERROR
            return
        assert expected == decoder.decode(block)


@both_forms
def test_decoder_version_stands_still_while_the_table_does(form) -> None:
    """Only a block that changes the table changes the version."""
    encoder, decoder = Encoder(), HeaderDecoder(form)
    first = encoder.encode([(b"x-a", b"1")])
    second = encoder.encode([(b"x-a", b"1")])

    decoder.decode(first)
    version = decoder.version
    decoder.decode(second)

    assert version == 1
    assert decoder.version == 1


@both_forms
def test_decoder_runaway_integer_is_refused(form) -> None:
    """An integer that never ends is an error, not a loop."""
    with pytest.raises(ConnectionFault):
        HeaderDecoder(form).decode(b"\x7f" + b"\xff" * 100 + b"\x00")


STRANGE_NAMES = (b":path", b"te", b"grpc-timeout", b"user-agent", b"x-a")


def strange_value(chance: random.Random) -> bytes:
    """One that repeats, one that does not, or anything."""
    timeout = b"%du" % chance.randrange(10**7)
    return chance.choice((b"trailers", timeout, b"", chance.randbytes(90)))


def strange_blocks(chance: random.Random) -> list[bytes]:
    """What an encoder wrote for one connection, with a few bytes changed."""
    encoder = Encoder()
    if chance.random() < 0.3:
        encoder.header_table_size = chance.choice((0, 60, 200, 4096))
    blocks = []
    for _ in range(chance.randrange(1, 12)):
        fields = [
            (chance.choice(STRANGE_NAMES), strange_value(chance))
            for _ in range(chance.randrange(8))
        ]
        block = bytearray(encoder.encode(fields, huffman=chance.random() < 0.7))
        if block and chance.random() < 0.1:
            block[chance.randrange(len(block))] = chance.randrange(256)
        if chance.random() < 0.03:
            block = block[: chance.randrange(len(block) + 1)]
        if chance.random() < 0.05:
            block[:0] = chance.choice((b"\x20", b"\x3f\x10", b"\x3f\xe1\x1f", b"\x3f\xe2\x1f"))
        blocks.append(bytes(block))
    return blocks


def decoded_by(decoder: HeaderDecoder, block: bytes) -> object:
    """The fields and what the table holds afterwards; `None` if it is no block."""
    try:
        fields = decoder.decode(block)
    except ConnectionFault:
        return None
    table = decoder._entries, decoder._table_bytes, decoder._table_bytes_max
    return fields, *table, decoder.version


@pytest.mark.skipif(COMPILED is None, reason="the compiled form is not in use")
def test_both_forms_leave_the_same_table() -> None:
    """Blocks of a connection, right and wrong ones, decode alike to the first that is wrong."""
    chance = random.Random(3)
    right = wrong = 0
    for _ in range(800):
        decoders = HeaderDecoder(None), HeaderDecoder(COMPILED)
        for block in strange_blocks(chance):
            expected, found = (decoded_by(each, block) for each in decoders)

            assert expected == found, block
            if expected is None:
                wrong += 1
                break
            right += 1
    assert right > 800
    assert wrong > 80


@pytest.mark.skipif(COMPILED is None, reason="the compiled form is not in use")
def test_the_compiled_form_refuses_what_it_cannot_read() -> None:
    """Arguments of other types are errors, not faults of memory."""
    decode = HeaderDecoder(COMPILED)._compiled.decode_block  # type: ignore[union-attr]
    steps = bytes(3 * 4096)

    for arguments in (
        (b"\x82", (), 0, 4096, (), steps),
        (b"\x82", [], 0, 4096, [], steps),
        (b"\x82", [], 0, 4096, (), steps[1:]),
        (b"\x81", [], 0, 4096, (), steps, None),
        (b"\x7e\x00", [1], 0, 4096, ((b"", b""),) * 61, steps),
        (b"\x7e\x00", [()], 0, 4096, ((b"", b""),) * 61, steps),
        (b"\x40\x00\x00", [("a", "b")], 5000, 4096, (), steps),
    ):
        with pytest.raises((TypeError, IndexError, SystemError)):
            decode(*arguments)
