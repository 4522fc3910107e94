"""Answers within the windows that the peer grants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.http2 import Http2Limits, Response
from bridge.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADERS,
    RST_STREAM,
    SETTING_HEADER_TABLE_SIZE,
    SETTING_INITIAL_WINDOW_SIZE,
    WINDOW_BYTES_MAX,
    ErrorCode,
    settings,
    window_update,
)
from bridge.http2.state import ConnectionState
from tests.unit.http2.wire import OK, connect, headers, read

ENDED = END_HEADERS | END_STREAM


def body_of(state: ConnectionState) -> tuple[bytes, list[int]]:
    """The DATA written since the last look, and the kinds of all frames."""
    sent = read(state)
    return b"".join(each.payload for each in sent if each.kind == DATA), [
        each.kind for each in sent
    ]


def test_answer_larger_than_the_window_waits_for_more() -> None:
    """Only what the windows admit is sent; the rest follows their growth, then the trailers."""
    state, _ = connect()
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 3}))
    (stream,) = state.receive(headers(1, flags=ENDED))

    state.respond(stream, Response(b"\x88", b"0123456789", b"\0\1a\1b"))
    first = body_of(state)
    state.receive(window_update(1, 4))
    second = body_of(state)
    state.receive(window_update(1, 100))
    third = body_of(state)

    assert first[0] == b"012"
    assert second == (b"3456", [DATA])
    assert third == (b"789", [DATA, HEADERS])
    assert not state.registry.open


def test_initial_window_changed_moves_open_streams() -> None:
    """A later SETTINGS admits what an earlier one held back, after its acknowledgement."""
    state, _ = connect()
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 0}))
    (stream,) = state.receive(headers(1, flags=ENDED))
    state.respond(stream, OK)
    read(state)

    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 100}))

    assert body_of(state)[0] == b"done"


@given(st.integers(1, 200_000), st.lists(st.integers(1, 70_000), min_size=1, max_size=40))
def test_answer_arrives_whole_whatever_the_windows_do(size: int, growths: list[int]) -> None:
    """Frames stay within their maximum, windows are never exceeded, nothing is lost or repeated."""
    state, _ = connect()
    (stream,) = state.receive(headers(1, flags=ENDED))
    body = bytes(range(256)) * (size // 256 + 1)
    state.respond(stream, Response(b"\x88", body[:size], b"\0\1a\1b"))
    granted, got = 65_535, b""

    for growth in growths:
        sent = read(state)
        assert all(len(each.payload) <= FRAME_BYTES_MAX for each in sent)
        got += b"".join(each.payload for each in sent if each.kind == DATA)
        assert len(got) <= granted
        granted += growth
        state.receive(window_update(1, growth) + window_update(0, growth))
    got += body_of(state)[0]

    assert body[: min(size, granted)] == got
    assert (size <= granted) == (not state.registry.open)


@pytest.mark.parametrize("stream_id", [0, 1])
def test_window_beyond_its_maximum_is_an_error(stream_id: int) -> None:
    """2^31-1 bytes is the most that a window may hold."""
    state, _ = connect()
    state.receive(headers(1))

    state.receive(window_update(stream_id, WINDOW_BYTES_MAX))

    assert read(state)[-1].code == ErrorCode.FLOW_CONTROL_ERROR
    assert (stream_id == 0) == (state.fault is not None)


@pytest.mark.parametrize("stream_id", [0, 1])
def test_window_growth_of_zero_is_an_error(stream_id: int) -> None:
    """A growth of nothing is a mistake of the peer."""
    state, _ = connect()
    state.receive(headers(1))

    state.receive(window_update(stream_id, 0))

    assert read(state)[-1].code == ErrorCode.PROTOCOL_ERROR


def test_smaller_header_table_is_confirmed_once() -> None:
    """The first block after it carries the table's new size, as RFC 7541 4.2 demands."""
    state, _ = connect()
    state.receive(settings({SETTING_HEADER_TABLE_SIZE: 0}))
    read(state)
    first, second = state.receive(headers(1, flags=ENDED) + headers(3, flags=ENDED))

    state.respond(first, OK)
    state.respond(second, OK)

    blocks = [each.payload for each in read(state) if each.flags == END_HEADERS]
    assert [b"\x20" + OK.head, OK.head] == blocks


def test_blocked_answer_of_a_dropped_stream_is_forgotten() -> None:
    """Windows that grow later send nothing for it."""
    state, _ = connect(Http2Limits())
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 0}))
    (stream,) = state.receive(headers(1, flags=ENDED))
    state.respond(stream, OK)
    state.reset(stream, ErrorCode.CANCEL)
    read(state)

    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 100}))

    assert body_of(state)[0] == b""
    assert state.sender.blocked == {}


def test_answer_in_parts_keeps_the_stream_until_the_last() -> None:
    """One head, any number of bodies, then the trailers; windows count all of it."""
    state, _ = connect()
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 9}))
    (stream,) = state.receive(headers(1, flags=ENDED))
    read(state)
    parts = [
        Response(b"\x88", b"one", ends=False),
        Response(b"", b"two", ends=False),
        Response(b"", b"", b"\0\1a\1b"),
    ]
    sent = []
    for part in parts:
        state.respond_in_parts(stream, part)
        sent.append([(each.kind, each.flags, each.payload) for each in read(state)])

    assert sent == [
        [(HEADERS, END_HEADERS, b"\x88"), (DATA, 0, b"one")],
        [(DATA, 0, b"two")],
        [(HEADERS, ENDED, b"\0\1a\1b")],
    ]
    assert stream.send_window_bytes == 3
    assert not state.registry.open
    state.respond_in_parts(stream, parts[1])
    assert read(state) == []


def test_part_that_waits_for_the_window_does_not_end_the_stream() -> None:
    """When it is out, the next one may come."""
    state, _ = connect()
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 1}))
    (stream,) = state.receive(headers(1, flags=ENDED))
    state.respond_in_parts(stream, Response(b"\x88", b"one", ends=False))
    assert body_of(state)[0] == b"o"
    state.receive(window_update(1, 100))
    assert body_of(state)[0] == b"ne"
    assert state.registry.open
    state.respond_in_parts(stream, Response(b"", b"two"))
    assert body_of(state)[0] == b"two"
    assert not state.registry.open


def test_peer_that_leaves_no_room_for_parts_loses_its_stream() -> None:
    """What it does not read is not kept for it without end."""
    state, _ = connect()
    state.receive(settings({SETTING_INITIAL_WINDOW_SIZE: 0}))
    (stream,) = state.receive(headers(1, flags=ENDED))
    state.respond_in_parts(stream, Response(b"\x88", b"one", ends=False))
    state.respond_in_parts(stream, Response(b"", b"two", ends=False))
    assert body_of(state)[1][-1] == RST_STREAM
    assert state.dropped == [stream]
    assert not state.sender.blocked
