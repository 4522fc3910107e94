"""What a server grants and says of the connection: windows, settings, pings, resets, farewell."""

from typing import Final

from bridge.http2.budget import ActivityBudget
from bridge.http2.client_stream import ClientStream
from bridge.http2.frames import (
    ACK,
    FRAME_BYTES_MAX,
    GOAWAY,
    HEADER_TABLE_BYTES,
    PING,
    RST_STREAM,
    SETTING_ENABLE_PUSH,
    SETTING_HEADER_TABLE_SIZE,
    SETTING_INITIAL_WINDOW_SIZE,
    SETTING_MAX_CONCURRENT_STREAMS,
    SETTING_MAX_FRAME_SIZE,
    SETTINGS,
    SETTINGS_ACK,
    STREAM_ID_MAX,
    WINDOW_BYTES_INITIAL,
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

STREAMS_MAX_INITIAL: Final = 100
"""Calls at once before the server has said how many it takes; what RFC 9113 recommends at least."""

FRAME_SENT_BYTES_MAX: Final = 256 << 10
"""Of one frame of ours to a server that takes larger ones: another call must get its turn."""

_EMPTY_TABLE: Final = b"\x20"
"""Table size update to 0: owed once after the server shrank its table, since we use none."""

_DEBUG_CHARS_MAX: Final = 100


class ClientPeer:
    """
    The server's side of a connection, as far as it is known.

    Attributes:
        out: What goes out, of calls and of the connection.
        leaving: Why the server takes no more calls; empty while it does.
    """

    def __init__(self, streams: dict[int, ClientStream], budget: ActivityBudget) -> None:
        self.out: list[bytes | memoryview] = []
        self.leaving = ""
        self.streams_max = STREAMS_MAX_INITIAL
        self.initial_window_bytes = WINDOW_BYTES_INITIAL
        self._streams = streams
        self._budget = budget
        self._window_bytes = WINDOW_BYTES_INITIAL
        self._frame_bytes_max = FRAME_BYTES_MAX
        self._block_prefix = b""
        self._last_id = -1

    @property
    def exhausted(self) -> bool:
        """Whether the stream ids are used up."""
        return self._last_id >= STREAM_ID_MAX - 1

    def take_stream_id(self) -> int:
        """The id of the next call."""
        self._last_id += 2
        return self._last_id

    def take_block_prefix(self) -> bytes:
        """What the next header block owes the server's settings."""
        prefix, self._block_prefix = self._block_prefix, b""
        return prefix

    def ping(self, payload: bytes) -> None:
        """Send a PING."""
        self.out.append(frame(PING, 0, 0, payload))

    def check_known(self, stream_id: int) -> None:
        """
        Refuse frames of calls that never were.

        Raises:
            ConnectionFault: If we did not open *stream_id*.
        """
        if not stream_id & 1 or stream_id > self._last_id:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} is idle")

    def pump(self, bytes_max: int) -> bool:
        """Write messages within the windows; whether *bytes_max* ended it."""
        for stream in self._streams.values():
            while left := stream.unsent_bytes:
                size = min(
                    left, self._window_bytes, stream.send_window_bytes, self._frame_bytes_max
                )
                if size <= 0:
                    break
                if bytes_max <= 0:
                    return True
                stream.write_frame(self.out, size)
                stream.send_window_bytes -= size
                self._window_bytes -= size
                self._budget.useful += 1
                bytes_max -= size
            if self._window_bytes <= 0:
                break
        return False

    def on_frame(
        self, kind: int, flags: int, stream_id: int, payload: bytes, now: float
    ) -> list[ClientStream]:
        """
        Act on a control frame; unknown kinds are ignored.

        Returns:
            The calls that it ended.

        Raises:
            ConnectionFault: If it breaks the connection's rules or its budget.
            StreamFault: If it breaks one stream's.
        """
        self._budget.control(now)
        if kind == WINDOW_UPDATE:
            expect_size(payload, 4)
            self._grow(stream_id, int.from_bytes(payload, "big") & STREAM_ID_MAX)
        elif kind == PING:
            expect_connection(stream_id)
            expect_size(payload, 8)
            if not flags & ACK:
                self.out.append(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS:
            self._on_settings(flags, stream_id, payload)
        elif kind == RST_STREAM:
            return self._on_reset(stream_id, payload)
        elif kind == GOAWAY:
            return self._on_goaway(stream_id, payload)
        return []

    def _grow(self, stream_id: int, increment_bytes: int) -> None:
        if stream_id == 0:
            self._window_bytes += increment_bytes
            if not increment_bytes:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "window update of 0")
            if self._window_bytes > WINDOW_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window too large")
            return
        self.check_known(stream_id)
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if not increment_bytes:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "window update of 0")
        stream.send_window_bytes += increment_bytes
        if stream.send_window_bytes > WINDOW_BYTES_MAX:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "stream window too large")

    def _on_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        expect_connection(stream_id)
        if flags & ACK:
            expect_size(payload, 0)
            return
        for key, value in read_settings(payload):
            self._apply(key, value)
        self.out.append(SETTINGS_ACK)

    def _apply(self, key: int, value: int) -> None:
        if key == SETTING_INITIAL_WINDOW_SIZE:
            if value > WINDOW_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "initial window too large")
            change, self.initial_window_bytes = value - self.initial_window_bytes, value
            for stream in self._streams.values():
                stream.send_window_bytes += change
                if stream.send_window_bytes > WINDOW_BYTES_MAX:
                    raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "stream window too large")
        elif key == SETTING_MAX_FRAME_SIZE:
            if not FRAME_BYTES_MAX <= value < 1 << 24:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "MAX_FRAME_SIZE out of range")
            self._frame_bytes_max = min(value, FRAME_SENT_BYTES_MAX)
        elif key == SETTING_MAX_CONCURRENT_STREAMS:
            self.streams_max = value
        elif key == SETTING_HEADER_TABLE_SIZE and value < HEADER_TABLE_BYTES:
            self._block_prefix = _EMPTY_TABLE
        elif key == SETTING_ENABLE_PUSH and value:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "servers cannot enable pushing")

    def _on_reset(self, stream_id: int, payload: bytes) -> list[ClientStream]:
        expect_size(payload, 4)
        self.check_known(stream_id)
        stream = self._streams.pop(stream_id, None)
        if stream is None:
            return []
        code = int.from_bytes(payload, "big")
        refused = code == ErrorCode.REFUSED_STREAM
        stream.outcome = "unprocessed" if refused else "failed"
        stream.reason = "refused the stream" if refused else f"reset the stream: {_name(code)}"
        return [stream]

    def _on_goaway(self, stream_id: int, payload: bytes) -> list[ClientStream]:
        expect_connection(stream_id)
        if len(payload) < 8:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY too short")
        last_id = int.from_bytes(payload[:4], "big") & STREAM_ID_MAX
        code = int.from_bytes(payload[4:8], "big")
        self.leaving = "is going away"
        if code:
            text = payload[8:].decode("ascii", "replace")[:_DEBUG_CHARS_MAX]
            detail = "".join(char if char.isprintable() else "?" for char in text)
            self.leaving += f" ({_name(code)}{': ' if detail else ''}{detail})"
        beyond = [number for number in self._streams if number > last_id]
        ended = [self._streams.pop(number) for number in beyond]
        for stream in ended:
            stream.outcome, stream.reason = "unprocessed", self.leaving
        return ended


def _name(code: int) -> str:
    return ErrorCode(code).name if code in ErrorCode._value2member_map_ else str(code)
