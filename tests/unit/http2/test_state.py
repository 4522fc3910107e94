"""One connection: bytes in, requests and bytes out."""

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from bridge.http2 import Http2Limits, Response
from bridge.http2.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    frame,
    rst_stream,
)
from bridge.http2.state import ConnectionState
from tests.unit.http2.wire import (
    OK,
    OPENING,
    OVERRUN,
    REFUSED,
    FakeGate,
    connect,
    data,
    headers,
    read,
)

ENDED = END_HEADERS | END_STREAM


def test_opening_sends_settings_and_acknowledges_the_peers() -> None:
    """Our settings and the larger window come first, then the acknowledgement."""
    state = ConnectionState(FakeGate(), Http2Limits(), 0.0)
    state.receive(OPENING)

    kinds = [(sent.kind, sent.flags) for sent in read(state)]

    assert kinds == [(SETTINGS, 0), (WINDOW_UPDATE, 0), (SETTINGS, ACK)]


@given(st.lists(st.integers(1, 60), max_size=30))
def test_request_is_the_same_however_it_is_cut(sizes: list[int]) -> None:
    """Bytes may arrive in any pieces."""
    stream_bytes = OPENING + headers(1) + data(1, b"hello ") + data(1, b"world", end=True)
    state = ConnectionState(FakeGate(), Http2Limits(), 0.0)
    complete, position = [], 0

    for size in [*sizes, len(stream_bytes)]:
        complete += state.receive(stream_bytes[position : position + size])
        position += size

    assert [stream.take_body() for stream in complete] == [b"hello world"]
    assert state.fault is None


def test_answer_is_head_body_and_trailers() -> None:
    """The three parts go out in order and the last ends the stream."""
    state, _ = connect()
    (stream,) = state.receive(headers(1, flags=ENDED))

    state.respond(stream, OK)
    state.respond(stream, OK)

    sent = read(state)
    assert [each.kind for each in sent] == [HEADERS, DATA, HEADERS]
    assert [each.flags for each in sent] == [END_HEADERS, 0, ENDED]
    assert not state.registry.open


def test_gate_sees_the_prefix_before_the_body() -> None:
    """The gate is asked once, with the first bytes, however they are cut."""
    state, gate = connect()

    state.receive(headers(1) + data(1, b"\0\0"))
    assert gate.prefixes == []
    state.receive(data(1, b"\0\0\3a") + data(1, b"bc", end=True))

    assert gate.prefixes == [b"\0\0\0\0\3"]


def test_refusal_by_body_is_answered_at_once() -> None:
    """A body that is not wanted is stopped: answer, RST_STREAM, and what comes is ignored."""
    state, gate = connect()
    gate.refuse_body = REFUSED

    complete = state.receive(headers(1) + data(1, b"\0\xff\xff\xff\xff"))
    sent = read(state)
    complete += state.receive(data(1, b"more") + data(1, b"last", end=True))

    assert [(each.kind, each.stream_id) for each in sent] == [(HEADERS, 1), (RST_STREAM, 1)]
    assert sent[1].code == ErrorCode.NO_ERROR
    assert complete == []
    assert state.fault is None


def test_refusal_by_head_waits_for_the_end_of_the_request() -> None:
    """Most clients read answers only when they have sent everything; nothing is buffered."""
    state, gate = connect()
    gate.refuse_head = REFUSED

    state.receive(headers(1) + data(1, b"x" * 1_000))
    assert read(state) == []
    stream = state.registry.open[1]
    state.receive(data(1, b"", end=True))

    assert stream.parts == []
    assert [each.kind for each in read(state)] == [HEADERS]


def test_refusal_by_head_does_not_wait_for_ever() -> None:
    """After a bounded number of thrown away bytes the answer goes out and the stream is reset."""
    state, gate = connect(Http2Limits(discarded_bytes_max=1_000))
    gate.refuse_head = REFUSED

    state.receive(headers(1) + data(1, b"x" * 1_001))

    assert [each.kind for each in read(state)] == [HEADERS, RST_STREAM]


def test_body_longer_than_admitted_is_refused() -> None:
    """Not a byte more than what was charged is kept."""
    state, gate = connect()
    gate.limit_bytes = 8

    state.receive(headers(1) + data(1, b"12345678") + data(1, b"9"))

    sent = read(state)
    assert OVERRUN.head == sent[0].payload
    assert [stream.id for stream in state.dropped] == [1]


def test_streams_beyond_the_limit_are_refused() -> None:
    """The peer hears REFUSED_STREAM and may try again; the others go on."""
    state, _ = connect(Http2Limits(concurrent_streams_max=2))

    state.receive(headers(1) + headers(3) + headers(5))

    sent = read(state)
    assert [(each.stream_id, each.code) for each in sent] == [(5, ErrorCode.REFUSED_STREAM)]
    assert sorted(state.registry.open) == [1, 3]


def test_windows_are_replenished_as_data_arrives() -> None:
    """At half a window the peer gets the rest back, for stream and connection."""
    limits = Http2Limits(stream_window_bytes=20_000, connection_window_bytes=65_536)
    state, _ = connect(limits)

    state.receive(headers(1) + data(1, b"x" * 11_000))
    first = read(state)
    state.receive(data(1, b"x" * 9_000) + headers(3) + data(3, b"x" * 14_000))

    assert [(each.stream_id, int.from_bytes(each.payload, "big")) for each in first] == [
        (1, 11_000)
    ]
    assert (0, 34_000) in [
        (each.stream_id, int.from_bytes(each.payload, "big")) for each in read(state)
    ]


def test_window_exceeded_by_a_stream_resets_it() -> None:
    """A peer that sends more than it may is stopped."""
    state, _ = connect(Http2Limits(stream_window_bytes=100))
    state.receive(headers(1))

    state.receive(data(1, b"x" * 101))

    sent = read(state)
    assert sent[-1].code == ErrorCode.FLOW_CONTROL_ERROR
    assert sent[-1].kind == RST_STREAM


def test_window_exceeded_by_a_connection_ends_it() -> None:
    """The connection's window counts data of streams that are gone."""
    state, _ = connect(Http2Limits(connection_window_bytes=65_535, stream_window_bytes=1 << 20))
    state._window_bytes = 10

    state.receive(headers(1) + data(1, b"x" * 11))

    assert state.fault is not None
    assert state.fault.code == ErrorCode.FLOW_CONTROL_ERROR


def test_padding_is_removed_and_counted() -> None:
    """Padding is no part of the body."""
    state, _ = connect()

    (stream,) = state.receive(headers(1) + frame(DATA, END_STREAM | PADDED, 1, b"\x03hello\0\0\0"))

    assert stream.take_body() == b"hello"


def test_content_length_that_is_not_true_resets_the_stream() -> None:
    """A body shorter than declared is no request."""
    state, _ = connect()

    complete = state.receive(headers(1, (b"content-length", b"6")) + data(1, b"hello", end=True))

    assert complete == []
    assert read(state)[-1].code == ErrorCode.PROTOCOL_ERROR


def test_reset_by_the_peer_drops_the_stream() -> None:
    """The request is handed to the protocol for cancelling, its bytes are let go."""
    state, _ = connect()
    (stream,) = state.receive(headers(1) + data(1, b"hello", end=True))

    state.receive(rst_stream(1, ErrorCode.CANCEL))
    state.respond(stream, OK)

    assert [stream] == state.dropped
    assert read(state) == []


def test_rapid_resets_end_the_connection() -> None:
    """Opening and cancelling without end is answered with ENHANCE_YOUR_CALM."""
    state, _ = connect(Http2Limits(resets_max_per_10s=10))

    for number in range(11):
        stream_id = 2 * number + 1
        state.receive(headers(stream_id) + rst_stream(stream_id, ErrorCode.CANCEL))

    goodbye = read(state)[-1]
    assert (goodbye.kind, goodbye.code) == (GOAWAY, ErrorCode.ENHANCE_YOUR_CALM)


def test_resets_are_forgiven_after_a_period() -> None:
    """Ten seconds later the count begins anew."""
    state, _ = connect(Http2Limits(resets_max_per_10s=10))

    for number in range(30):
        state.now += 1.0
        stream_id = 2 * number + 1
        state.receive(headers(stream_id) + rst_stream(stream_id, ErrorCode.CANCEL))

    assert state.fault is None


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, 0, 0, b"12345678"),
        frame(SETTINGS, 0, 0),
        frame(0x77, 0, 0, b"unknown"),
        data(1, b""),
    ],
)
def test_frames_without_data_are_bounded(flood: bytes) -> None:
    """Pings, settings, unknown and empty frames cost a peer its connection in the end."""
    state, _ = connect(Http2Limits(control_frames_max_per_10s=50))
    state.receive(headers(1))

    state.receive(flood * 60)

    assert state.fault is not None
    assert state.fault.code == ErrorCode.ENHANCE_YOUR_CALM


def test_pings_between_requests_are_no_flood() -> None:
    """A client that measures the link with each answer is not taken for an attacker."""
    state, _ = connect(Http2Limits(control_frames_max_per_10s=10))

    for number in range(100):
        stream_id = 2 * number + 1
        for stream in state.receive(
            headers(stream_id, flags=ENDED) + frame(PING, 0, 0, b"12345678") * 2
        ):
            state.respond(stream, OK)

    assert state.fault is None


def test_trailers_of_a_request_end_it() -> None:
    """A second HEADERS with END_STREAM completes the request."""
    state, _ = connect()

    (stream,) = state.receive(
        headers(1) + data(1, b"hello") + headers(1, flags=ENDED, block=b"\0\3x-a\1b")
    )

    assert stream.take_body() == b"hello"


def test_trailers_without_the_end_are_malformed() -> None:
    """There are no heads in the middle of a request."""
    state, _ = connect()

    state.receive(headers(1) + headers(1, block=b"\0\3x-a\1b"))

    assert read(state)[-1].code == ErrorCode.PROTOCOL_ERROR
    assert [stream.id for stream in state.dropped] == [1]


@pytest.mark.parametrize(
    ("opening", "foreign"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1"),
        (b"\x16\x03\x01\x02\x00", "TLS"),
        (b"\0" * 24, ""),
    ],
)
def test_foreign_peer_is_named(opening: bytes, foreign: str) -> None:
    """What is no HTTP/2 ends the connection, and is recognised where that helps the user."""
    state = ConnectionState(FakeGate(), Http2Limits(), 0.0)

    state.receive(opening)

    assert state.fault is not None
    assert foreign == state.fault.foreign


def test_preface_may_arrive_in_pieces() -> None:
    """An incomplete preface is waited for."""
    state = ConnectionState(FakeGate(), Http2Limits(), 0.0)

    state.receive(PREFACE[:10])
    assert state.receiving_head
    state.receive(PREFACE[10:])

    assert state.fault is None
    assert not state.receiving_head


def test_goaway_then_no_new_streams() -> None:
    """After the farewell is final, streams are refused; those before it are finished."""
    state, _ = connect()
    (stream,) = state.receive(headers(1, flags=ENDED))

    state.announce_end()
    (late,) = state.receive(headers(3, flags=ENDED))
    state.refuse_new()
    refused = state.receive(headers(5, flags=ENDED))
    state.respond(stream, OK)
    state.respond(late, OK)

    sent = read(state)
    assert refused == []
    assert [int.from_bytes(each.payload[:4], "big") for each in sent if each.kind == GOAWAY] == [
        2**31 - 1,
        3,
    ]
    assert [each.stream_id for each in sent if each.kind == RST_STREAM] == [5]
    assert {1, 3} == {each.stream_id for each in sent if each.flags == ENDED}


def test_frame_larger_than_allowed_is_refused_unread() -> None:
    """The length alone is enough: nothing of it is waited for."""
    state, _ = connect()

    state.receive((FRAME_BYTES_MAX + 1).to_bytes(3, "big") + b"\0\0\0\0\0\1")

    assert state.fault is not None
    assert state.fault.code == ErrorCode.FRAME_SIZE_ERROR


def test_nothing_is_read_after_a_fault() -> None:
    """A connection that is over takes no more requests."""
    state, _ = connect()
    state.receive(frame(PING, 0, 1, b"12345678"))

    complete = state.receive(headers(1, flags=ENDED))

    assert complete == []


@given(st.binary(max_size=300))
def test_garbage_never_raises(garbage: bytes) -> None:
    """Whatever comes after the opening, the connection answers or ends; it does not fail."""
    state, _ = connect()

    for stream in state.receive(garbage):
        state.respond(stream, OK)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10), st.integers(0, 255), st.integers(0, 7), st.binary(max_size=20)
        ),
        max_size=30,
    )
)
def test_frames_in_any_order_never_raise(
    frames: list[tuple[int, int, int, bytes]],
) -> None:
    """Well-formed frames of every kind, flag and stream in any order end in an orderly way."""
    state, _ = connect()
    open_before = state.receive(headers(1))

    for kind, flags, stream_id, payload in frames:
        open_before += state.receive(frame(kind, flags, stream_id, payload))
    for stream in open_before:
        state.respond(stream, OK)

    assert all(not stream.closed for stream in state.registry.open.values())


def test_repr_of_a_stream_shows_its_state() -> None:
    """What a log line shows of a stream."""
    state, _ = connect()
    state.receive(headers(1) + data(1, b"hello"))

    assert repr(state.registry.open[1]) == "<Stream 1 open, 5 bytes received>"


def test_response_without_a_body_is_one_frame() -> None:
    """Trailers-only answers end the stream with their head."""
    state, _ = connect()
    (stream,) = state.receive(headers(1, flags=ENDED))

    state.respond(stream, Response(b"\x88"))

    assert [(each.kind, each.flags) for each in read(state)] == [(HEADERS, ENDED)]


def test_header_list_too_large_resets_its_stream() -> None:
    """Somebody's long cookie costs one call; its neighbours and the connection go on."""
    state, _ = connect(Http2Limits(header_list_bytes_max=2000, resets_max_per_10s=10))
    for number in range(8):
        state.receive(headers(2 * number + 1, (b"cookie", b"x" * 3000), flags=ENDED))

    assert state.fault is None
    assert [sent.code for sent in read(state)] == [ErrorCode.ENHANCE_YOUR_CALM] * 8
    (stream,) = state.receive(headers(101, flags=ENDED))
    assert stream.id == 101


def test_header_lists_that_unfold_end_the_connection() -> None:
    """Each byte refers to the same large field: the second of such blocks is the last."""
    state, _ = connect(Http2Limits(header_list_bytes_max=2000, resets_max_per_10s=10))
    block = Encoder().encode([(":method", "POST"), ("x-bomb", "b" * 3_000)])
    state.receive(headers(1, flags=ENDED, block=bytes(block)))
    for stream_id in (3, 5):
        state.receive(headers(stream_id, flags=ENDED, block=b"\x83" + b"\xbe" * 10))

    assert state.fault is not None
    assert state.fault.code is ErrorCode.ENHANCE_YOUR_CALM
