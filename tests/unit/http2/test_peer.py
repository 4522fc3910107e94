"""Control frames and the errors in them."""

import pytest

from bridge.http2.frames import (
    ACK,
    DATA,
    GOAWAY,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING_ENABLE_PUSH,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_FRAME_SIZE,
    SETTINGS,
    WINDOW_UPDATE,
    ErrorCode,
    frame,
    settings,
)
from tests.unit.http2.wire import connect, headers, read

PROTOCOL, SIZE, FLOW = (
    ErrorCode.PROTOCOL_ERROR,
    ErrorCode.FRAME_SIZE_ERROR,
    ErrorCode.FLOW_CONTROL_ERROR,
)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(PING, 0, 1, b"12345678"), PROTOCOL),
        (frame(PING, 0, 0, b"1234567"), SIZE),
        (frame(SETTINGS, 0, 1), PROTOCOL),
        (frame(SETTINGS, ACK, 0, b"123456"), SIZE),
        (frame(SETTINGS, 0, 0, b"12345"), SIZE),
        (settings({SETTING_ENABLE_PUSH: 2}), PROTOCOL),
        (settings({SETTING_INITIAL_WINDOW_SIZE: 2**31}), FLOW),
        (settings({SETTING_MAX_FRAME_SIZE: 16_383}), PROTOCOL),
        (settings({SETTING_MAX_FRAME_SIZE: 2**24}), PROTOCOL),
        (frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL),
        (frame(RST_STREAM, 0, 9, bytes(4)), PROTOCOL),
        (frame(RST_STREAM, 0, 1, bytes(3)), SIZE),
        (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL),
        (frame(PUSH_PROMISE, 0, 1, bytes(4)), PROTOCOL),
        (frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL),
        (frame(WINDOW_UPDATE, 0, 0, bytes(3)), SIZE),
        (frame(WINDOW_UPDATE, 0, 9, b"\0\0\0\1"), PROTOCOL),
        (frame(DATA, 0, 0, b"x"), PROTOCOL),
        (frame(DATA, 0, 9, b"x"), PROTOCOL),
        (headers(2), PROTOCOL),
    ],
)
def test_broken_control_frame_ends_the_connection(sent: bytes, code: ErrorCode) -> None:
    """Each is answered with GOAWAY and the code that RFC 9113 names."""
    state, _ = connect()
    state.receive(headers(1))

    state.receive(sent)

    goodbye = read(state)[-1]
    assert (GOAWAY, code) == (goodbye.kind, goodbye.code)
    assert state.fault is not None


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(PRIORITY, 0, 1, bytes(4)), SIZE),
        (frame(PRIORITY, 0, 1, b"\0\0\0\1\0"), PROTOCOL),
    ],
)
def test_broken_priority_resets_its_stream(sent: bytes, code: ErrorCode) -> None:
    """The connection goes on."""
    state, _ = connect()
    state.receive(headers(1))

    state.receive(sent)

    reset = read(state)[-1]
    assert (RST_STREAM, 1, code) == (reset.kind, reset.stream_id, reset.code)
    assert state.fault is None


def test_ping_is_echoed() -> None:
    """With the same eight bytes."""
    state, _ = connect()

    state.receive(frame(PING, 0, 0, b"12345678"))

    (pong,) = read(state)
    assert (pong.kind, pong.flags, pong.payload) == (PING, ACK, b"12345678")


def test_ping_of_ours_is_acknowledged_by_its_own_bytes() -> None:
    """Another PING's answer does not count."""
    state, _ = connect()
    state.ping(b"alive\0\0\0")

    state.receive(frame(PING, ACK, 0, b"12345678"))
    assert not state.ping_acknowledged
    state.receive(frame(PING, ACK, 0, b"alive\0\0\0"))

    assert state.ping_acknowledged


def test_unknown_frames_and_settings_are_ignored() -> None:
    """Extensions do not disturb."""
    state, _ = connect()

    state.receive(frame(0xAA, 0xFF, 77, b"whatever") + settings({0xAAAA: 1}))

    assert state.fault is None


def test_goaway_of_the_peer_is_taken() -> None:
    """A peer may say farewell and still wait for its answers."""
    state, _ = connect()
    state.receive(headers(1))

    state.receive(frame(GOAWAY, 0, 0, bytes(8)))

    assert state.fault is None
    assert 1 in state.registry.open
