"""What a server grants its client, and how far the client goes."""

import pytest

from bridge.http2.client_peer import FRAME_SENT_BYTES_MAX
from bridge.http2.frames import (
    ACK,
    DATA,
    PING,
    SETTINGS,
    STREAM_ID_MAX,
    WINDOW_BYTES_MAX,
    WINDOW_UPDATE,
    ErrorCode,
    frame,
    settings,
    window_update,
)
from tests.unit.http2.server_side import answer, call, connect, farewell, reset, written


def sizes(state) -> list[int]:
    """Lengths of the DATA frames that were written."""
    return [len(f.payload) for f in written(state) if f.kind == DATA]


def test_message_stops_at_the_stream_window_and_goes_on() -> None:
    """A window update lets the rest through, and no more than it says."""
    state = connect(s4=100)
    stream = call(state, b"x" * 250)

    assert sizes(state) == [100]
    state.receive(window_update(stream.id, 100))
    assert state.pump(1 << 20) is False
    assert sizes(state) == [100]
    state.receive(window_update(stream.id, 1000))
    state.pump(1 << 20)
    assert sizes(state) == [50]


def test_connection_window_holds_for_all_calls_together() -> None:
    """65,535 bytes until the server says more."""
    state = connect(s4=1 << 20)
    call(state, b"x" * 60_000)
    call(state, b"y" * 60_000)

    assert sum(sizes(state)) == 65_535
    state.receive(window_update(0, 10))
    state.pump(1 << 20)
    assert sizes(state) == [10]


def test_call_without_window_does_not_block_the_next() -> None:
    """Each call has a window of its own."""
    state = connect(s4=10)
    call(state, b"x" * 50)
    call(state, b"y" * 10)

    assert [(f.stream_id, len(f.payload)) for f in written(state) if f.kind == DATA] == [
        (1, 10),
        (3, 10),
    ]


def test_changed_initial_window_moves_the_windows_of_open_calls() -> None:
    """Also below zero: then nothing goes until it is above again."""
    state = connect(s4=100)
    stream = call(state, b"x" * 300)
    sizes(state)
    state.receive(settings({4: 40}))

    assert stream.send_window_bytes == -60
    state.pump(1 << 20)
    assert sizes(state) == []
    state.receive(settings({4: 130}))
    state.pump(1 << 20)
    assert sizes(state) == [30]


def test_pump_stops_at_its_bound_and_says_that_there_is_more() -> None:
    """So that the socket is asked between."""
    state = connect(s4=1 << 20)
    state.open([], b"x" * 50_000)

    assert state.pump(20_000) is True
    assert sizes(state) == [16_384, 16_384]
    assert state.pump(20_000) is False


@pytest.mark.parametrize(
    ("says", "sent"), [(20_000, 20_000), ((1 << 24) - 1, FRAME_SENT_BYTES_MAX)]
)
def test_larger_frames_go_to_servers_that_take_them(says: int, sent: int) -> None:
    """Up to a bound of ours, since another call must get its turn."""
    state = connect(s4=1 << 22, s5=says)
    state.receive(window_update(0, 1 << 22))
    call(state, b"x" * (1 << 20))

    assert sizes(state)[0] == sent


def test_ping_is_answered_and_sent() -> None:
    """The same eight bytes come back; an acknowledgement is not answered."""
    state = connect()
    state.receive(frame(PING, 0, 0, b"12345678") + frame(PING, ACK, 0, b"whatever"))
    state.ping(b"abcdefgh")

    assert [(f.flags, f.payload) for f in written(state)] == [(ACK, b"12345678"), (0, b"abcdefgh")]


def test_settings_are_acknowledged_and_an_acknowledgement_is_not() -> None:
    """Whatever is in them; unknown ones are ignored."""
    state = connect()
    state.receive(settings({3: 7, 99: 1}) + frame(SETTINGS, ACK, 0))

    assert [(f.kind, f.flags) for f in written(state)] == [(SETTINGS, ACK)]
    assert state.peer.streams_max == 7


def test_room_follows_what_the_server_takes() -> None:
    """MAX_CONCURRENT_STREAMS counts calls under way."""
    state = connect(s3=1)
    assert state.has_room
    call(state)

    assert not state.has_room
    state.receive(answer(1))
    assert state.has_room


def test_stream_ids_run_out() -> None:
    """2^30 calls, then another connection must take over."""
    state = connect()
    state.peer._last_id = STREAM_ID_MAX - 2

    assert state.peer.take_stream_id() == STREAM_ID_MAX
    assert state.peer.exhausted
    assert not state.has_room


def test_smaller_header_table_is_confirmed_once() -> None:
    """RFC 7541, section 4.2: before the next block."""
    state = connect(s1=0)
    call(state)
    call(state)
    first, second = [f.payload for f in written(state) if f.kind == 1]

    assert first == b"\x20" + second


def test_farewell_with_a_reason_is_told() -> None:
    """What the server says of us, made harmless for logs."""
    state = connect()
    state.receive(farewell(0, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings\n"))

    assert state.peer.leaving == "is going away (ENHANCE_YOUR_CALM: too_many_pings?)"


def test_unknown_frames_and_late_ones_are_ignored() -> None:
    """Extensions, and what crossed with the end of a call."""
    state = connect()
    call(state)
    state.receive(answer(1))
    state.receive(frame(0xBE, 0, 0, b"x") + window_update(1, 5) + reset(1, 8) + frame(2, 0, 1, b""))

    assert state.fault is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(PING, 0, 0, b"short"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(PING, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
        (frame(SETTINGS, 0, 0, b"x"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(SETTINGS, ACK, 0, bytes(6)), ErrorCode.FRAME_SIZE_ERROR),
        (settings({2: 1}), ErrorCode.PROTOCOL_ERROR),
        (settings({4: WINDOW_BYTES_MAX + 1}), ErrorCode.FLOW_CONTROL_ERROR),
        (settings({5: 100}), ErrorCode.PROTOCOL_ERROR),
        (window_update(0, 0), ErrorCode.PROTOCOL_ERROR),
        (window_update(0, WINDOW_BYTES_MAX), ErrorCode.FLOW_CONTROL_ERROR),
        (window_update(9, 1), ErrorCode.PROTOCOL_ERROR),
        (frame(WINDOW_UPDATE, 0, 0, b"x"), ErrorCode.FRAME_SIZE_ERROR),
        (reset(9, 1), ErrorCode.PROTOCOL_ERROR),
        (frame(7, 0, 0, b"short"), ErrorCode.FRAME_SIZE_ERROR),
        (frame(7, 0, 1, bytes(8)), ErrorCode.PROTOCOL_ERROR),
    ],
)
def test_broken_control_frame_ends_the_connection(raw: bytes, code: ErrorCode) -> None:
    """By the code that RFC 9113 names."""
    state = connect()
    state.receive(raw)

    assert state.fault is not None
    assert state.fault.code is code


@pytest.mark.parametrize("increment", [0, WINDOW_BYTES_MAX])
def test_broken_window_update_ends_its_call(increment: int) -> None:
    """And no other."""
    state = connect()
    stream, other = call(state), call(state)

    assert state.receive(window_update(stream.id, increment)) == [stream]
    assert stream.outcome == "failed"
    assert state.receive(answer(other.id)) == [other]
