"""What the peer says of the connection itself: settings, pings, windows, resets, its farewell."""

from dataclasses import dataclass, field

from bridge.http2.budget import ActivityBudget
from bridge.http2.frames import (
    ACK,
    GOAWAY,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTING_ENABLE_PUSH,
    SETTING_HEADER_TABLE_SIZE,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_FRAME_SIZE,
    SETTINGS,
    SETTINGS_ACK,
    STREAM_ID_MAX,
    WINDOW_BYTES_MAX,
    WINDOW_UPDATE,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    expect_connection,
    expect_size,
    frame,
    read_settings,
)
from bridge.http2.registry import StreamRegistry
from bridge.http2.sender import Sender
from bridge.http2.stream import Stream

_FRAME_SIZE_MIN, _FRAME_SIZE_MAX = 16_384, 16_777_215


@dataclass(slots=True)
class Gone:
    """Streams that a control frame ended: `reset` by the peer, or `answered` in full."""

    reset: list[Stream] = field(default_factory=list)
    answered: list[Stream] = field(default_factory=list)


class Peer:
    """Takes control frames of one connection."""

    def __init__(self, sender: Sender, registry: StreamRegistry, budget: ActivityBudget) -> None:
        self._sender = sender
        self._registry = registry
        self._budget = budget
        self._ping_payload: bytes | None = None

    @property
    def ping_acknowledged(self) -> bool:
        """Whether no PING of ours is waiting for its answer."""
        return self._ping_payload is None

    def ping(self, payload: bytes) -> None:
        """Send a PING with these eight bytes."""
        self._ping_payload = payload
        self._sender.out.append(frame(PING, 0, 0, payload))

    def on_frame(self, kind: int, flags: int, stream_id: int, payload: bytes, now: float) -> Gone:
        """
        Act on any frame but DATA, HEADERS and CONTINUATION; unknown kinds are ignored.

        Raises:
            ConnectionFault: If the frame breaks the connection's rules or its budget.
            StreamFault: If it breaks one stream's.
        """
        gone = Gone()
        self._budget.control(now)
        if kind == WINDOW_UPDATE:
            expect_size(payload, 4)
            increment = int.from_bytes(payload, "big") & STREAM_ID_MAX
            gone.answered = self._sender.grow_window(stream_id, increment)
        elif kind == PING:
            self._on_ping(flags, stream_id, payload)
        elif kind == SETTINGS:
            gone.answered = self._on_settings(flags, stream_id, payload)
        elif kind == RST_STREAM:
            gone.reset = self._on_reset(stream_id, payload, now)
        elif kind == PRIORITY:
            _on_priority(stream_id, payload)
        elif kind == PUSH_PROMISE:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "clients do not push")
        elif kind == GOAWAY and stream_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY belongs to stream 0")
        return gone

    def _on_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect_connection(stream_id)
        expect_size(payload, 8)
        if not flags & ACK:
            self._sender.out.append(frame(PING, ACK, 0, payload))
        elif payload == self._ping_payload:
            self._ping_payload = None

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> list[Stream]:
        expect_connection(stream_id)
        if flags & ACK:
            expect_size(payload, 0)
            return []
        changes = read_settings(payload)
        answered: list[Stream] = []
        # The acknowledgement goes ahead of data that only the new window admits.
        self._sender.out.append(SETTINGS_ACK)
        for key, value in changes:
            answered += self._apply(key, value)
        return answered

    def _apply(self, key: int, value: int) -> list[Stream]:
        if key == SETTING_INITIAL_WINDOW_SIZE:
            if value > WINDOW_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "initial window too large")
            return self._sender.change_initial_window(value)
        if key == SETTING_HEADER_TABLE_SIZE:
            self._sender.change_header_table(value)
        elif key == SETTING_ENABLE_PUSH and value > 1:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "ENABLE_PUSH is 0 or 1")
        elif key == SETTING_MAX_FRAME_SIZE and not _FRAME_SIZE_MIN <= value <= _FRAME_SIZE_MAX:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range")
        return []

    def _on_reset(self, stream_id: int, payload: bytes, now: float) -> list[Stream]:
        expect_size(payload, 4)
        if stream_id == 0 or stream_id > self._registry.last_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} is idle")
        stream = self._registry.open.get(stream_id)
        if stream is None:
            return []
        self._budget.reset(now)
        return [stream]


def _on_priority(stream_id: int, payload: bytes) -> None:
    if stream_id == 0:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY belongs to a stream")
    if len(payload) != 5:
        raise StreamFault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY of a broken length")
    if int.from_bytes(payload[:4], "big") & STREAM_ID_MAX == stream_id:
        raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "stream depends on itself")
