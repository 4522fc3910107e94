"""Heads recognised by their bytes: what is learnt, and what is found."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.http1 import Head, Http1Limits
from bridge.http1.known_heads import KnownHeads
from bridge.http1.state import ConnectionState
from tests.unit.http1.gate import OK, FakeHandler, chunked, post

TEXT = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %b\r\nAccept: *\r\n\r\n"
HEAD = Head(b"POST", b"/a", ((b"Host", b"x"), (b"Accept", b"*")), "1.1")


class Forgetful(KnownHeads):
    """Learns nothing: everything goes through the parser."""

    __slots__ = ()

    def learn(self, data: bytes, position: int, head: Head, content_length: int) -> None:
        """Do not."""


def learnt(text: bytes = TEXT % b"5", head: Head = HEAD, length: int = 5) -> KnownHeads:
    """The heads of a connection after *text* was read as *head*."""
    known = KnownHeads(Http1Limits())
    known.learn(text, 0, head, length)
    return known


@pytest.mark.parametrize("number", [b"1", b"5", b"48213", b"0005", b"9999999999"])
def test_head_is_found_with_any_length(number: bytes) -> None:
    """Only the number differs from what was learnt; the body begins behind the empty line."""
    data = b"before" + TEXT % number + b"body"

    found = learnt().find(data, 6)

    assert found == (HEAD, int(number), len(data) - 4)


@pytest.mark.parametrize(
    "data",
    [
        TEXT % b"",
        TEXT % b"0",
        TEXT % b"-5",
        TEXT % b"+5",
        TEXT % b"1_0",
        TEXT % b" 5",
        TEXT % b"5 ",
        TEXT % b"5, 5",
        TEXT % "\u0665".encode(),
        TEXT % b"12345678901",
        (TEXT % b"5")[:-1],
        (TEXT % b"5").replace(b"Accept", b"accept"),
        (TEXT % b"5").replace(b"Host: x", b"Host: y"),
        b"\r\n" + TEXT % b"5",
        b"",
    ],
)
def test_what_differs_in_anything_else_is_not_found(data: bytes) -> None:
    """The parser has the say over it."""
    assert learnt().find(data) is None


def test_head_over_its_limit_is_not_found() -> None:
    """A longer number may make it too long."""
    text = TEXT % b"5"
    known = KnownHeads(Http1Limits(head_bytes_max=len(text)))
    known.learn(text, 0, HEAD, 5)

    assert known.find(text) is not None
    assert known.find(TEXT % b"55") is None


@pytest.mark.parametrize(
    "text",
    [
        chunked(b"hello"),
        post(b"hello", "Expect: 100-continue"),
        post(b"hello", "Upgrade: h2c", "Connection: Upgrade"),
        post(b"hello", "Connection: close"),
        post(b"hello", version="1.0"),
        post(b"hello", "Connection: keep-alive", version="1.0"),
        post(b"hello", method="GET"),
        post(b"hello", method="PUT"),
        post(b""),
    ],
)
def test_what_is_not_plain_is_not_learnt(text: bytes) -> None:
    """However often it comes: bodies and connections of these are read by other rules."""
    state = ConnectionState(FakeHandler(), Http1Limits(), 0.0)
    for _ in range(3):
        state.receive(text)
        while (request := state.next_request()) is not None:
            state.respond(request, OK)

    assert state._known.find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace(b"\r\n", b"\n") % b"5" + b"he\r\n\r\n",
        TEXT.replace(b"Host: x", b"Host: x\n y") % b"5",
        TEXT.replace(b"Host: x", b"Host: x\r y") % b"5",
        TEXT.replace(b"Host: x", b"Content-Length: 5") % b"5",
        TEXT.replace(b"Content-Length", b"Content-Size") % b"5",
        TEXT % b"6",
        b"\r\n\r\n" + TEXT % b"5",
    ],
)
def test_what_is_not_what_the_parser_read_is_not_learnt(text: bytes) -> None:
    """Lines that we and the parser might tell apart in another way, or another length."""
    assert learnt(text)._shapes == []


def test_learning_is_bounded() -> None:
    """A client whose heads all differ costs no memory."""
    known = KnownHeads(Http1Limits(cached_heads_max=3))

    for number in range(100):
        known.learn((TEXT % b"5").replace(b"/a", b"/%d" % number), 0, HEAD, 5)

    assert 1 <= len(known._shapes) <= 3


def test_first_request_is_not_learnt() -> None:
    """Connections of one request pay nothing for it; from the second on it is known."""
    state = ConnectionState(FakeHandler(), Http1Limits(), 0.0)

    state.receive(post(b"one"))
    once = state._known.find(post(b"one"))
    state.receive(post(b"two"))

    assert once is None
    assert state._known.find(post(b"three")) is not None


REQUESTS = [
    post(b"hello"),
    post(b"hello world"),
    post(b""),
    post(b"x" * 300),
    post(b"x" * 1_100),
    post(b"hello", "Connection: close"),
    post(b"hello", "Expect: 100-continue"),
    post(b"hello", "Upgrade: h2c", "Connection: Upgrade"),
    post(b"hello", "A: b", target="/other"),
    post(b"hello", method="GET"),
    post(b"hello", version="1.0"),
    post(b"hello").replace(b": 5", b": 05"),
    post(b"hello").replace(b": 5", b": 5, 5"),
    post(b"hello").replace(b"\r\n", b"\n"),
    post(b"a" * 50, *(f"F{number}: {'v' * 30}" for number in range(40))),
    chunked(b"he", b"llo"),
    b"\r\n",
    b"nonsense\r\n\r\n",
]


STEPS = st.tuples(
    st.sampled_from(REQUESTS[:4]) | st.sampled_from(REQUESTS),
    # Where it is cut, if it is; whether it waits for the next; how many may be served then.
    st.none() | st.integers(1, 1_200),
    st.booleans(),
    st.integers(0, 3),
)
HELLO, CLOSE, LONG = REQUESTS[0], REQUESTS[5], REQUESTS[4]


@given(st.lists(STEPS, min_size=1, max_size=14))
@example([(HELLO, None, False, 1)] * 2 + [(CLOSE, None, False, 0), (HELLO, None, False, 3)])
@example([(LONG, None, False, 1)] * 2 + [(LONG, 90, False, 1)])
@example([(HELLO, None, False, 1)] * 2 + [(HELLO, None, True, 0)] * 6)
@example([(HELLO, None, False, 0)] * 3 + [(HELLO, None, True, 0), (HELLO, None, False, 0)])
def test_known_heads_change_nothing(steps: list[tuple[bytes, int | None, bool, int]]) -> None:
    """Random requests in random pieces: the same is served, answered, refused and ended."""
    limits = Http1Limits(head_bytes_max=1_000, pipelined_max=3, kept_alive_bytes_max=200)
    states = []
    for kind in (KnownHeads, Forgetful):
        handler = FakeHandler()
        handler.limit_bytes = 1_000
        state = ConnectionState(handler, limits, 0.0)
        state.date = "now"
        state._known = kind(limits)
        states.append(state)
    waiting = b""

    for request, cut, waits, count in steps:
        waiting += request
        if waits:
            continue
        for piece in (waiting[:cut], waiting[cut:] if cut is not None else b""):
            left, right = (outcome_of(state, piece, count) for state in states)
            assert left == right
        waiting = b""


def outcome_of(state: ConnectionState, piece: bytes, count: int) -> object:
    """What there is to see of a connection after *piece*, and what it served of *count*."""
    if piece:
        state.receive(piece)
    served = []
    while len(served) < count and (request := state.next_request()) is not None:
        served.append((request.head.fields, request.content_length, request.take_body()))
        state.respond(request, OK)
    queue = [(each.complete, each.received_bytes, each.refused) for each in state.queue]
    dropped = [each.received_bytes for each in state.dropped]
    ends = (state.closing, state.lingering, state.fault, state.idle, state.receiving_head)
    return served, b"".join(state.out), queue, dropped, ends, state._broken
