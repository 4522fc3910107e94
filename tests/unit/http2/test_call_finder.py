"""Calls that have arrived whole: what is one, and that both forms find the same."""

import random
from collections.abc import Callable

import pytest

from bridge.http2 import call_finder
from bridge.http2.call_finder import FoundCall, find_calls_in_python
from bridge.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADERS,
    PADDED,
    PING,
    frame,
)

Find = Callable[[bytes, int, int, int, int, int], list[FoundCall]]
WIDE = (100, 1 << 20, 1 << 24)
"""Bounds that nothing here reaches."""

FORMS = [pytest.param(find_calls_in_python, id="python")]
if call_finder.find_calls is not find_calls_in_python:
    FORMS.append(pytest.param(call_finder.find_calls, id="compiled"))


@pytest.fixture(params=FORMS)
def find(request: pytest.FixtureRequest) -> Find:
    """Either form."""
    form: Find = request.param
    return form


def prefixed(message: bytes, compressed: int = 0) -> bytes:
    """A message of gRPC."""
    return bytes((compressed,)) + len(message).to_bytes(4, "big") + message


def call(
    stream_id: int, message: bytes, *, block: bytes = b"head", size: int = 50, flag: int = 0
) -> bytes:
    """A call whose body comes in frames of *size* bytes."""
    body = prefixed(message, flag)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    frames = [frame(DATA, 0, stream_id, piece) for piece in pieces[:-1]]
    frames.append(frame(DATA, END_STREAM, stream_id, pieces[-1]))
    return frame(HEADERS, END_HEADERS, stream_id, block) + b"".join(frames)


@pytest.mark.parametrize("size", [1, 3, 5, 7, 50, 1000])
def test_calls_are_found_in_order(find: Find, size: int) -> None:
    """Each with its block, its message without the prefix, and where its body lies."""
    first = call(1, b"a" * 60, size=size)
    second = call(5, b"", block=b"", size=size, flag=1)
    before = b"xyz"

    found = find(before + first + second, 3, 0, *WIDE)

    assert found == [
        (1, b"head", 0, b"a" * 60, 3 + 9 + 4, 3 + len(first)),
        (5, b"", 1, b"", 3 + len(first) + 9, 3 + len(first) + len(second)),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        frame(PING, 0, 0, bytes(8)),
        frame(DATA, END_STREAM, 3, prefixed(b"no head")),
        frame(HEADERS, 0, 3, b"head") + frame(CONTINUATION, END_HEADERS, 3, b""),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, b"head"),
        frame(HEADERS, END_HEADERS | PADDED, 3, b"\0head"),
        call(2, b"even"),
        call(1, b"again"),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 3, b""),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 3, b"\0\0\0\0"),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 3, b"\2\0\0\0\0"),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 3, b"\0\0\0\0\2a"),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 3, b"\0\0\0\0\0a"),
        frame(HEADERS, END_HEADERS, 3, b"head") + frame(DATA, END_STREAM, 5, prefixed(b"a")),
        frame(HEADERS, END_HEADERS, 3, b"head")
        + frame(DATA, END_STREAM | PADDED, 3, b"\0" + prefixed(b"a")),
        frame(HEADERS, END_HEADERS, 3, b"head")
        + frame(DATA, 0, 3, prefixed(b"a"))
        + frame(HEADERS, END_HEADERS | END_STREAM, 3, b"trailer"),
        frame(HEADERS, END_HEADERS, 3, b"head")
        + frame(DATA, END_STREAM, 3, prefixed(bytes(FRAME_BYTES_MAX))),
        frame(HEADERS, END_HEADERS, 3, bytes(FRAME_BYTES_MAX + 1))
        + frame(DATA, END_STREAM, 3, prefixed(b"a")),
    ],
)
def test_the_search_ends_at_anything_odd(find: Find, odd: bytes) -> None:
    """What is no such call is left, and so is everything after it."""
    before = call(1, b"whole")

    found = find(before + odd + call(7, b"after"), 0, 0, *WIDE)

    assert [(each[0], each[3]) for each in found] == [(1, b"whole")]


def test_the_search_ends_where_the_bytes_do(find: Find) -> None:
    """A call is found with its last byte and not before."""
    text = call(1, b"a" * 120)

    assert [find(text[:end], 0, 0, *WIDE) for end in range(len(text))] == [[]] * len(text)
    assert len(find(text, 0, 0, *WIDE)) == 1


@pytest.mark.parametrize(
    ("bounds", "count"),
    [
        ((2, 1 << 20, 1 << 20), 2),
        ((0, 1 << 20, 1 << 20), 0),
        ((-1, 1 << 20, 1 << 20), 0),
        ((100, 10, 1 << 20), 3),
        ((100, 9, 1 << 20), 0),
        ((100, 1 << 20, 45), 3),
        ((100, 1 << 20, 44), 2),
        ((100, 1 << 20, -1), 0),
    ],
)
def test_bounds_hold(find: Find, bounds: tuple[int, int, int], count: int) -> None:
    """No more calls, no longer messages and no more bytes than were asked for."""
    text = b"".join(call(stream_id, b"0123456789") for stream_id in (1, 3, 5))

    assert count == len(find(text, 0, 0, *bounds))


def test_streams_that_were_are_not_found(find: Find) -> None:
    """Ids must be greater than the last one."""
    assert find(call(7, b"a"), 0, 7, *WIDE) == []
    assert len(find(call(7, b"a"), 0, 5, *WIDE)) == 1


def test_the_reserved_bit_is_ignored(find: Find) -> None:
    """As everywhere: senders must leave it 0, receivers must not look."""
    text = frame(HEADERS, END_HEADERS, 1 | 1 << 31, b"") + frame(DATA, 1, 1, prefixed(b"a"))

    assert [each[0] for each in find(text, 0, 0, *WIDE)] == [1]


@pytest.mark.parametrize("position", [-1, 5])
def test_a_position_outside_is_an_error(find: Find, position: int) -> None:
    """Nothing is read before or behind the bytes."""
    with pytest.raises(ValueError, match="outside"):
        find(b"four", position, 0, *WIDE)


def strange_text(chance: random.Random) -> bytes:
    """Calls, with a few bytes changed, cut out or put in."""
    calls = [
        call(
            chance.choice((1, 3, 5, 7, 9)) + 2 * number,
            chance.randbytes(chance.choice((0, 1, 40, 300))),
            block=chance.randbytes(chance.randrange(5)),
            size=chance.choice((1, 4, 6, 60, 1000)),
            flag=chance.randrange(2),
        )
        for number in range(chance.randrange(1, 6))
    ]
    text = bytearray(b"".join(calls))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(text) or 1)
        kind = chance.randrange(4)
        if kind == 0:
            text[at : at + 1] = bytes((chance.randrange(256),))
        elif kind == 1:
            del text[at : at + chance.randrange(20)]
        elif kind == 2:
            text[at:at] = chance.randbytes(chance.randrange(20))
        else:
            del text[at:]
    return bytes(text)


def strange_bounds(chance: random.Random, size: int) -> tuple[int, int, int, int, int]:
    """Position and bounds for `strange_text`."""
    return (
        chance.choice((0, 0, 0, chance.randrange(size + 1))),
        chance.choice((0, 0, 3)),
        chance.choice((100, 100, 2)),
        chance.choice((1 << 20, 1 << 20, 40)),
        chance.choice((1 << 24, 1 << 24, 100)),
    )


@pytest.mark.skipif(len(FORMS) == 1, reason="the compiled form is not in use")
def test_both_forms_find_the_same() -> None:
    """In calls with anything done to them."""
    chance = random.Random(7)
    found_calls = 0
    for _ in range(20_000):
        text = strange_text(chance)
        bounds = strange_bounds(chance, len(text))
        expected = find_calls_in_python(text, *bounds)
        found_calls += len(expected)

        assert expected == call_finder.find_calls(text, *bounds), (text, bounds)
    assert found_calls > 5_000
