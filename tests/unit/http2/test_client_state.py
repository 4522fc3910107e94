"""A client's connection: calls out, answers back, and servers that break the rules."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.http2 import ClientState
from bridge.http2.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    frame,
)
from bridge.http2.head import encode_fields
from bridge.http2.limits import Http2Limits
from tests.unit.http2.server_side import (
    DONE,
    FIELDS,
    HEAD,
    answer,
    call,
    connect,
    data,
    farewell,
    head,
    reset,
    trailers,
    written,
)


def test_opening_is_a_preface_and_settings() -> None:
    """Pushing is switched off; the connection's window is opened for answers."""
    state = ClientState(1000, 0.0)
    raw = b"".join(state.out)

    assert raw.startswith(PREFACE)
    assert [f.kind for f in written(state)] == [SETTINGS, WINDOW_UPDATE]


def test_call_is_headers_and_data_with_the_prefix_first() -> None:
    """The message is not copied in front of the socket."""
    state = connect()
    message = b"x" * 100
    stream = state.open(FIELDS, message, b"12345")
    state.pump(1 << 20)

    assert any(isinstance(part, memoryview) and part.obj is message for part in state.out)
    first, second = written(state)
    assert (first.kind, first.flags, first.stream_id) == (HEADERS, END_HEADERS, stream.id)
    assert (second.kind, second.flags) == (DATA, END_STREAM)
    assert second.payload == b"12345" + message


def test_call_without_a_message_ends_with_its_headers() -> None:
    """No empty frame follows."""
    state = connect()
    call(state, b"")

    (only,) = written(state)
    assert only.flags == END_HEADERS | END_STREAM


def test_long_headers_are_continued() -> None:
    """No frame is longer than every server takes."""
    state = connect()
    state.open([*FIELDS, (b"x-long", b"v" * 40_000)], b"m")
    state.pump(1 << 20)

    kinds = [(f.kind, f.flags, len(f.payload) <= FRAME_BYTES_MAX) for f in written(state)]
    assert kinds == [
        (HEADERS, 0, True),
        (CONTINUATION, 0, True),
        (CONTINUATION, END_HEADERS, True),
        (DATA, END_STREAM, True),
    ]


def test_answer_has_headers_body_and_trailers() -> None:
    """In several frames, with padding and an interim answer before."""
    state = connect()
    stream = call(state)
    padded = frame(DATA, PADDED, stream.id, b"\x03es000")
    interim = head(stream.id, ((b":status", b"103"),))
    ended = state.receive(
        interim + head(stream.id) + data(stream.id, b"y") + padded + trailers(stream.id)
    )

    assert ended == [stream]
    assert stream.outcome == "answered"
    assert stream.answer.headers == dict(HEAD)
    assert (bytes(stream.answer.body), stream.answer.trailers) == (b"yes", dict(DONE))
    assert state.streams == {}


def test_answer_may_be_trailers_only() -> None:
    """gRPC's form of an error without a message."""
    state = connect()
    stream = call(state)

    assert state.receive(trailers(stream.id, (*HEAD, (b"grpc-status", b"14")))) == [stream]
    assert stream.answer.headers[b"grpc-status"] == b"14"


def test_answers_in_fragments_of_header_blocks() -> None:
    """HEADERS and CONTINUATION make one block."""
    state = connect()
    stream = call(state)
    block = encode_fields(HEAD)
    pieces = frame(HEADERS, 0, stream.id, block[:5]) + frame(
        CONTINUATION, END_HEADERS, stream.id, block[5:]
    )

    assert state.receive(pieces + data(stream.id, b"a", END_STREAM)) == [stream]
    assert stream.answer.headers == dict(HEAD)


@given(cuts=st.lists(st.integers(1, 30), max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_cutting_of_the_bytes_gives_the_same_answers(cuts: list[int]) -> None:
    """Sockets know no frames."""
    state = connect()
    one, other = call(state), call(state)
    rest = answer(3, b"b" * 50) + answer(1, b"a" * 50)
    ended = []
    for cut in cuts:
        ended += state.receive(rest[:cut])
        rest = rest[cut:]
    ended += state.receive(rest)

    assert ended == [other, one]
    assert [bytes(s.answer.body[:1]) for s in ended] == [b"b", b"a"]


@given(noise=st.binary(max_size=80), kind=st.integers(0, 10), flags=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise(noise: bytes, kind: int, flags: int) -> None:
    """Whatever a server sends ends calls or the connection, and nothing else."""
    state = connect()
    call(state)
    for stream_id in (0, 1, 3):
        state.receive(frame(kind, flags, stream_id, noise))
    state.receive(noise)

    assert state.fault is None or state.fault.code in ErrorCode


def test_answer_too_large_is_cut_off() -> None:
    """The server is told to stop, and its other calls go on."""
    state = connect(answer_bytes_max=10)
    stream, other = call(state), call(state)
    written(state)

    (ended,) = state.receive(head(1) + data(1, b"x" * 11))
    assert (ended, ended.outcome) == (stream, "too_large")
    assert [(f.kind, f.stream_id) for f in written(state)] == [(RST_STREAM, 1)]
    assert state.receive(data(1, b"x") + answer(3)) == [other]


def test_answer_before_the_end_of_the_message_stops_it() -> None:
    """What the server does not want is not sent."""
    state = connect(s4=10)
    stream = call(state, b"x" * 100)

    assert state.receive(answer(1)) == [stream]
    assert stream.outcome == "answered"
    assert [f.kind for f in written(state)][-1] == RST_STREAM


def test_cancelled_call_is_reset_once_and_forgotten() -> None:
    """Its answer may still be on its way."""
    state = connect()
    stream = call(state)
    written(state)
    state.cancel(stream)
    state.cancel(stream)

    assert [(f.kind, f.code) for f in written(state)] == [(RST_STREAM, ErrorCode.CANCEL)]
    assert state.receive(answer(1)) == []
    assert state.fault is None


def test_windows_of_answers_are_kept_open() -> None:
    """Large answers come through: both windows are refilled when half is used."""
    state = connect(answer_bytes_max=1 << 20, limits=Http2Limits(connection_window_bytes=100_000))
    call(state)
    written(state)
    state.receive(head(1))
    for _ in range(5):
        state.receive(data(1, b"x" * 16_000))

    grown = [(f.stream_id, int.from_bytes(f.payload, "big")) for f in written(state)]
    assert grown == [(1, 48_000), (0, 64_000)]


def _faulty(state: ClientState, stream_id: int) -> list[tuple[str, bytes, ErrorCode]]:
    return [
        ("long", b"\xff\xff\xff" + bytes(6), ErrorCode.FRAME_SIZE_ERROR),
        ("data on 0", data(0, b"x"), ErrorCode.PROTOCOL_ERROR),
        ("idle data", data(stream_id + 2, b"x"), ErrorCode.PROTOCOL_ERROR),
        ("even", head(2), ErrorCode.PROTOCOL_ERROR),
        ("idle head", head(stream_id + 2), ErrorCode.PROTOCOL_ERROR),
        ("push", frame(PUSH_PROMISE, END_HEADERS, 1, bytes(4)), ErrorCode.PROTOCOL_ERROR),
        ("lone", frame(CONTINUATION, END_HEADERS, 1, b""), ErrorCode.PROTOCOL_ERROR),
        (
            "inside",
            frame(HEADERS, 0, 1, b"") + frame(PING, 0, 0, bytes(8)),
            ErrorCode.PROTOCOL_ERROR,
        ),
        ("hpack", frame(HEADERS, END_HEADERS, 1, b"\xff\xff\x7f"), ErrorCode.COMPRESSION_ERROR),
        ("padding", frame(DATA, PADDED, 1, b"\x05a"), ErrorCode.PROTOCOL_ERROR),
    ]


@pytest.mark.parametrize("number", range(10))
def test_broken_rule_ends_the_connection(number: int) -> None:
    """GOAWAY says which rule; nothing more is read."""
    state = connect()
    stream = call(state)
    written(state)
    name, raw, code = _faulty(state, stream.id)[number]
    state.receive(raw)

    assert state.fault is not None, name
    assert state.fault.code is code
    (last,) = [f for f in written(state) if f.kind == GOAWAY]
    assert last.code == code
    assert state.receive(answer(1)) == []


def test_first_frame_must_be_settings() -> None:
    """Anything else is no HTTP/2 server."""
    state = ClientState(1000, 0.0)
    state.receive(frame(PING, 0, 0, bytes(8)))

    assert state.fault is not None
    assert "SETTINGS" in str(state.fault)


@pytest.mark.parametrize(
    "raw",
    [
        data(1, b"x"),
        head(1, ((b"x", b"y"),)),
        head(1) + head(1),
        trailers(1, ((b":status", b"100"),)),
        head(1, ((b":status", b"200"), (b"a", b"b\0c"))),
        head(1, ((b":status", b"200"), *(((b"n%d" % n), b"v" * 5000) for n in range(3)))),
    ],
)
def test_broken_answer_ends_its_call_alone(raw: bytes) -> None:
    """The neighbour's answer still comes."""
    state = connect(limits=Http2Limits(header_list_bytes_max=10_000))
    broken, sound = call(state), call(state)

    ended = state.receive(raw + answer(3))
    assert ended == [broken, sound]
    assert [s.outcome for s in ended] == ["failed", "answered"]
    assert "protocol" in broken.reason


def test_floods_end_the_connection() -> None:
    """Frames that bring nothing are counted, whatever their kind."""
    makes: list[Callable[[int], bytes]] = [
        lambda _: frame(PING, 0, 0, bytes(8)),
        lambda _: frame(SETTINGS, 0, 0),
        lambda _: data(1, b""),
        lambda _: head(1, ((b":status", b"100"),)),
    ]
    for make in makes:
        state = connect(limits=Http2Limits(control_frames_max_per_10s=50))
        call(state)
        state.receive(head(1) if make(0)[3] == DATA else b"")
        for number in range(200):
            state.receive(make(number))

        assert state.fault is not None
        assert state.fault.code is ErrorCode.ENHANCE_YOUR_CALM


def test_stream_window_exceeded_ends_the_call() -> None:
    """A server that sends more than it may."""
    state = connect(answer_bytes_max=1 << 20)
    stream = call(state)
    state.receive(head(1))
    stream.window_bytes = 10

    assert state.receive(data(1, b"x" * 11)) == [stream]
    assert stream.outcome == "failed"


def test_connection_window_exceeded_ends_the_connection() -> None:
    """The same for all calls together."""
    state = connect(limits=Http2Limits(connection_window_bytes=65_535))
    call(state)
    state.receive(head(1))
    state._window_bytes = 5
    state.receive(data(1, b"x" * 6))

    assert state.fault is not None
    assert state.fault.code is ErrorCode.FLOW_CONTROL_ERROR


def test_farewell_leaves_room_for_nothing_more() -> None:
    """The calls that were taken are answered; `has_room` is over."""
    state = connect()
    taken, other = call(state), call(state)
    (ended,) = state.receive(farewell(1))

    assert (ended, ended.outcome) == (other, "unprocessed")
    assert not state.has_room
    assert state.receive(answer(1)) == [taken]


def test_reset_ends_the_call() -> None:
    """REFUSED_STREAM promises that nothing was done; anything else does not."""
    state = connect()
    call(state)
    call(state)
    ended = state.receive(reset(1, ErrorCode.REFUSED_STREAM) + reset(3, ErrorCode.INTERNAL_ERROR))

    assert [(s.outcome, s.reason) for s in ended] == [
        ("unprocessed", "refused the stream"),
        ("failed", "reset the stream: INTERNAL_ERROR"),
    ]
