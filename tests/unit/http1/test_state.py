"""One connection: bytes in, requests and bytes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http1 import Http1Limits, Response
from bridge.http1.state import ConnectionState
from tests.unit.http1.gate import OK, FakeHandler, chunked, post, statuses


def connect(limits: Http1Limits | None = None) -> tuple[ConnectionState, FakeHandler]:
    """A new connection."""
    handler = FakeHandler()
    state = ConnectionState(handler, limits or Http1Limits(), 100.0)
    state.date = "now"
    return state, handler


def out(state: ConnectionState) -> bytes:
    """What was written since the last look."""
    written = b"".join(state.out)
    state.out.clear()
    return written


def serve(state: ConnectionState) -> list[bytes]:
    """Answer everything that can be; the bodies."""
    bodies = []
    while (request := state.next_request()) is not None:
        bodies.append(request.take_body())
        state.respond(request, OK)
    return bodies


@given(
    st.sampled_from(
        [
            post(b"hello"),
            chunked(b"he", b"llo"),
            post(b"hello", "Upgrade: h2c", "Connection: Upgrade"),
        ]
    ),
    st.lists(st.integers(1, 50), max_size=20),
)
def test_request_is_the_same_however_it_is_cut(sent: bytes, sizes: list[int]) -> None:
    """Bytes may arrive in any pieces, with a declared length, in chunks, or offering an upgrade."""
    state, _ = connect()
    position, bodies = 0, []

    for size in [*sizes, len(sent) * 2]:
        state.receive((sent * 2)[position : position + size])
        bodies += serve(state)
        position += size

    assert bodies == [b"hello", b"hello"]
    assert statuses(out(state)) == [200, 200]
    assert not state.closing


def test_pipelined_requests_are_answered_in_order() -> None:
    """The second waits for the first, whatever it is."""
    state, handler = connect()
    state.receive(post(b"one"))
    handler.refusal = Response(404, (), b"")
    state.receive(post(b"two"))
    nothing = out(state)

    serve(state)

    assert nothing == b""
    assert statuses(out(state)) == [200, 404]


def test_pipelined_requests_are_bounded() -> None:
    """Too many at once end the connection after those before them were answered."""
    state, _ = connect(Http1Limits(pipelined_max=3))

    state.receive(post(b"x") * 50)
    bodies = serve(state)

    assert len(bodies) == 4
    assert statuses(out(state)) == [200] * 4 + [400]
    assert state.closing


def test_request_too_large_is_refused_by_its_head() -> None:
    """Nothing of the body is waited for, the rest is read away and the connection closes."""
    state, _ = connect()
    head = post(b"")[:-4].replace(b"Content-Length: 0", b"Content-Length: 99999999") + b"\r\n\r\n"

    state.receive(head)
    answer = out(state)
    state.receive(b"x" * 1_000)

    assert statuses(answer) == [413]
    assert b"connection: close" in answer
    assert state.closing
    assert state.lingering
    assert state.lingered_bytes == 1_000


def test_refused_request_with_a_short_body_keeps_the_connection() -> None:
    """The body is thrown away, the answer follows it, the next request is served."""
    state, handler = connect()
    handler.refusal = Response(404, (), b"")
    state.receive(post(b"x" * 1_000)[:-10])
    early = out(state)
    state.receive(b"x" * 10)
    handler.refusal = None
    state.receive(post(b"next"))

    assert early == b""
    assert serve(state) == [b"next"]
    assert statuses(out(state)) == [404, 200]


def test_refused_request_read_away_ends_lingering() -> None:
    """Once the body is complete, nothing is waited for any more."""
    state, handler = connect(Http1Limits(kept_alive_bytes_max=10))
    handler.refusal = Response(404, (), b"")

    state.receive(post(b"x" * 20)[:-5])
    lingering = state.lingering
    state.receive(b"x" * 5)

    assert lingering
    assert state.closing
    assert not state.lingering


def test_chunked_body_is_counted() -> None:
    """A body without a declared length is refused when it exceeds the limit."""
    state, handler = connect()
    handler.limit_bytes = 10

    state.receive(chunked(b"x" * 6, b"x" * 6))

    assert statuses(out(state)) == [413]
    assert state.dropped


@pytest.mark.parametrize(
    "sent",
    [
        chunked(b"x", trailer=b"a: " + b"b" * 100_000 + b"\r\n"),
        chunked(b"x").replace(b"1\r\nx", b"1;" + b"e" * 100_000 + b"\r\nx"),
    ],
    ids=["trailer", "extension"],
)
def test_chunk_framing_is_bounded(sent: bytes) -> None:
    """Trailers and extensions that no body limit counts cannot grow without end."""
    state, _ = connect()

    for start in range(0, len(sent), 10_000):
        state.receive(sent[start : start + 10_000])

    assert statuses(out(state)) == [400]
    assert state.closing


def test_head_in_many_pieces_is_bounded() -> None:
    """A head that never ends is refused near its limit."""
    state, _ = connect(Http1Limits(head_bytes_max=2_000))
    state.receive(b"POST /a HTTP/1.1\r\nHost: x\r\n")

    for number in range(100):
        state.receive(b"X-%d: %s\r\n" % (number, b"v" * 90))

    assert statuses(out(state)) == [431]
    assert state.closing


def test_head_with_one_endless_field_is_bounded() -> None:
    """The parser keeps a field until it is complete: it never gets more than the limit."""
    state, _ = connect(Http1Limits(head_bytes_max=2_000))

    state.receive(b"POST /a HTTP/1.1\r\nX: " + b"v" * 500_000)

    assert statuses(out(state)) == [431]


@pytest.mark.parametrize("piece_bytes", [1 << 20, 1_500, 700])
def test_head_larger_than_its_limit_is_refused_however_it_is_cut(piece_bytes: int) -> None:
    """Also one that comes at once, or whose last piece completes it."""
    state, _ = connect(Http1Limits(head_bytes_max=2_000))
    sent = post(b"", "X: " + "v" * 2_100)

    for start in range(0, len(sent), piece_bytes):
        state.receive(sent[start : start + piece_bytes])

    assert statuses(out(state)) == [431]
    assert state.closing or not state.queue[0].keep_alive


@pytest.mark.parametrize("cut_bytes", [10, 60, 1_900])
def test_head_behind_a_large_body_is_counted_from_where_it_begins(cut_bytes: int) -> None:
    """What came before it in the same piece is another request's."""
    state, _ = connect(Http1Limits(head_bytes_max=2_000))
    first, second = post(b"x" * 50_000), post(b"", "X: " + "v" * 1_800)
    sent = first + second

    state.receive(sent[: len(first) + cut_bytes])
    state.receive(sent[len(first) + cut_bytes :])

    assert serve(state) == [b"x" * 50_000, b""]
    assert statuses(out(state)) == [200, 200]


def test_head_behind_small_requests_is_counted_from_where_it_begins() -> None:
    """A piece as large as the limit may hold many requests and a part of the next one's head."""
    state, _ = connect(Http1Limits(head_bytes_max=2_000))
    small, last = post(b"x" * 300), post(b"", "X: " + "v" * 1_800)
    count = 1_900 // len(small)
    sent = small * count + last

    state.receive(sent[:1_990])
    state.receive(sent[1_990:])

    assert serve(state) == [b"x" * 300] * count + [b""]
    assert statuses(out(state)) == [200] * (count + 1)


def test_head_with_too_many_fields_is_refused() -> None:
    """The count is bounded as well as the bytes."""
    state, _ = connect(Http1Limits(head_fields_max=10))

    state.receive(post(b"", *(f"X-{number}: v" for number in range(10))))

    assert statuses(out(state)) == [431]


def test_expectation_is_met_after_admission() -> None:
    """100 Continue is said when the body is wanted, and not when it is not."""
    state, handler = connect()
    head = post(b"x" * 100, "Expect: 100-continue")[:-100]

    state.receive(head)
    wanted = out(state)
    state.receive(b"x" * 100)
    serve(state)
    out(state)
    handler.refusal = Response(413, (), b"")
    state.receive(head)
    unwanted = out(state)

    assert wanted == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert statuses(unwanted) == [413]
    assert state.closing


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        chunked().replace(b"Host: x", b"Upgrade: h2c\r\nConnection: Upgrade"),
    ],
)
def test_broken_request_is_answered_and_closed(sent: bytes) -> None:
    """Once, and nothing after it is read."""
    state, _ = connect()

    state.receive(sent)
    state.receive(post(b"next"))

    assert statuses(out(state)) == [400]
    assert state.closing
    assert serve(state) == []


def test_broken_request_waits_for_the_one_before_it() -> None:
    """Answers stay in order."""
    state, _ = connect()

    state.receive(post(b"one") + b"NONSENSE\r\n\r\n")
    early = out(state)
    serve(state)

    assert early == b""
    assert statuses(out(state)) == [200, 400]


@pytest.mark.parametrize(
    ("opening", "answered"),
    [(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True), (b"\x16\x03\x01\x02\x00\x01", False)],
)
def test_foreign_peer_is_recognised(opening: bytes, answered: bool) -> None:
    """HTTP/2 clients get a GOAWAY that they can read, TLS clients only their end."""
    state, _ = connect()

    state.receive(opening)

    assert state.closing
    assert state.fault
    assert (b"HTTP/1.1" in out(state)) is answered


def test_draining_closes_with_the_next_answer() -> None:
    """Requests that were sent ahead are not answered: the peer sends them again elsewhere."""
    state, _ = connect()
    state.receive(post(b"one") + post(b"two"))

    state.draining = True
    bodies = serve(state)

    assert bodies == [b"one"]
    assert b"connection: close" in out(state)
    assert len(state.dropped) == 1


def test_lost_connection_drops_everything() -> None:
    """Charges of all requests are given back."""
    state, _ = connect()
    state.receive(post(b"one") + post(b"two")[:-1])

    state.drop_all()

    assert len(state.dropped) == 2
    assert state.next_request() is None
    assert state.receiving is None


def test_heads_that_repeat_are_shared() -> None:
    """Whatever the length of the body is."""
    state, _ = connect()

    state.receive(post(b"one") + post(b"three"))

    first, second = state.queue
    assert first.head is second.head
    assert (first.content_length, second.content_length) == (3, 5)


@given(st.binary(max_size=400))
def test_garbage_never_raises(garbage: bytes) -> None:
    """Whatever comes, the connection answers or ends; it does not fail."""
    state, _ = connect()

    state.receive(garbage)
    state.receive(post(b"x") + garbage)
    serve(state)


def test_requests_after_the_last_one_are_not_admitted() -> None:
    """Whatever comes in the bytes that end a refused body: nothing is charged for it, or said."""
    state, handler = connect(Http1Limits(kept_alive_bytes_max=10))
    handler.refusal = Response(413, (), b"large")
    state.receive(post(b"x" * 20)[:-5])
    handler.refusal = None

    state.receive(b"x" * 5 + post(b"late") + b"nonsense")

    assert state.closing
    assert not state.queue
    assert not state.receiving_head
    assert state.fault == ""
    assert statuses(out(state)) == [413]
