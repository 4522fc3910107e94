"""The outgoing side of a connection: responses within the windows that the peer grants."""

from dataclasses import dataclass
from typing import Final

from bridge.http2.frames import (
    DATA,
    END_STREAM,
    FRAME_BYTES_MAX,
    HEADER_TABLE_BYTES,
    WINDOW_BYTES_INITIAL,
    WINDOW_BYTES_MAX,
    ConnectionFault,
    ErrorCode,
    StreamFault,
    frame,
    settings,
    window_update,
)
from bridge.http2.frames import SETTING_INITIAL_WINDOW_SIZE as INITIAL_WINDOW_SIZE
from bridge.http2.frames import SETTING_MAX_CONCURRENT_STREAMS as MAX_CONCURRENT_STREAMS
from bridge.http2.frames import SETTING_MAX_HEADER_LIST_SIZE as MAX_HEADER_LIST_SIZE
from bridge.http2.limits import Http2Limits
from bridge.http2.registry import StreamRegistry
from bridge.http2.stream import Response, Stream
from bridge.http2.whole_call import WholeCall

_EMPTY_TABLE: Final = b"\x20"
"""Table size update to 0: owed once after the peer shrank its table, since we use none."""


@dataclass(slots=True)
class _Pending:
    stream: Stream
    response: Response
    sent_bytes: int = 0


class Sender:
    """
    Writes responses into `out`; what the peer's windows do not admit yet waits in order.

    `blocked` holds the waiting ones: at most one a stream, so at most the concurrent streams.
    """

    def __init__(self, limits: Http2Limits, registry: StreamRegistry) -> None:
        self.out: list[bytes] = []
        self.initial_window_bytes = WINDOW_BYTES_INITIAL
        self.blocked: dict[int, _Pending] = {}
        self._registry = registry
        self._window_bytes = WINDOW_BYTES_INITIAL
        self._block_prefix = b""
        self.out.append(
            settings(
                {
                    MAX_CONCURRENT_STREAMS: limits.concurrent_streams_max,
                    INITIAL_WINDOW_SIZE: limits.stream_window_bytes,
                    MAX_HEADER_LIST_SIZE: limits.header_list_bytes_max,
                }
            )
        )
        self.out.append(window_update(0, limits.connection_window_bytes - WINDOW_BYTES_INITIAL))

    def respond(self, stream: Stream, response: Response) -> bool:
        """
        Write *response*, or as much as the windows admit.

        Returns:
            Whether all of it is written; otherwise `grow_window` tells when it is.
        """
        size = len(response.body)
        if (
            size > self._window_bytes
            or size > stream.send_window_bytes
            or size > FRAME_BYTES_MAX
            or self._block_prefix
        ):
            return self._respond_in_pieces(stream, response)
        self._window_bytes -= size
        self.out.append(stream.id.to_bytes(4, "big").join(response.segments))
        return True

    def respond_to_calls(self, calls: list[WholeCall]) -> list[WholeCall]:
        """
        Write the response of each of *calls* that has one and is open, as `respond` does.

        Returns:
            Those whose response is written entirely.
        """
        done: list[WholeCall] = []
        out, segments, size = self.out, None, 0
        last: Response | None = None
        for call in calls:
            response = call.response
            if response is None or call.closed or call.answered:
                continue
            call.answered = True
            if response is not last:
                last, segments, size = response, response.segments, len(response.body)
            if (
                segments is None
                or size > self._window_bytes
                or size > call.send_window_bytes
                or size > FRAME_BYTES_MAX
                or self._block_prefix
            ):
                if not self._respond_in_pieces(call, response):
                    continue
            else:
                self._window_bytes -= size
                out.append(call.id.to_bytes(4, "big").join(segments))
            done.append(call)
        return done

    def respond_in_parts(self, stream: Stream, part: Response) -> bool:
        """The same for one part of several; only while none of *stream* waits."""
        return self._respond_in_pieces(stream, part)

    def forget(self, stream: Stream) -> None:
        """Write nothing more for *stream*."""
        self.blocked.pop(stream.id, None)

    def grow_window(self, stream_id: int, increment_bytes: int) -> list[Stream]:
        """
        Take a WINDOW_UPDATE.

        Returns:
            Streams whose response is now written entirely.

        Raises:
            ConnectionFault: If a window grows beyond 2^31-1 bytes, or the stream never was.
            StreamFault: The same of one stream's window, or a growth of 0.
        """
        if stream_id == 0:
            if increment_bytes == 0:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "window update of 0")
            self._window_bytes += increment_bytes
            if self._window_bytes > WINDOW_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window too large")
            return self._pump()
        stream = self._registry.open.get(stream_id)
        if stream is None:
            if stream_id > self._registry.last_id:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} is idle")
            return []
        if increment_bytes == 0:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "window update of 0")
        stream.send_window_bytes += increment_bytes
        if stream.send_window_bytes > WINDOW_BYTES_MAX:
            raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "stream window too large")
        return self._pump()

    def change_initial_window(self, window_bytes: int) -> list[Stream]:
        """Take SETTINGS_INITIAL_WINDOW_SIZE, which moves the windows of all open streams."""
        change = window_bytes - self.initial_window_bytes
        self.initial_window_bytes = window_bytes
        for stream in self._registry.open.values():
            stream.send_window_bytes += change
            if stream.send_window_bytes > WINDOW_BYTES_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "stream window too large")
        return self._pump()

    def change_header_table(self, table_bytes: int) -> None:
        """Take SETTINGS_HEADER_TABLE_SIZE: a smaller table must be confirmed once."""
        if table_bytes < HEADER_TABLE_BYTES:
            self._block_prefix = _EMPTY_TABLE

    def _respond_in_pieces(self, stream: Stream, response: Response) -> bool:
        if response.head:
            head = self._block_prefix + response.head
            self._block_prefix = b""
            prefix = len(head).to_bytes(3, "big") + response.head_prefix[3:]
            self.out.append(prefix + stream.id.to_bytes(4, "big") + head)
        pending = _Pending(stream, response)
        if self._advance(pending):
            return True
        self.blocked[stream.id] = pending
        return False

    def _pump(self) -> list[Stream]:
        done: list[Stream] = []
        if self.blocked:
            for pending in list(self.blocked.values()):
                if self._advance(pending):
                    del self.blocked[pending.stream.id]
                    if pending.response.ends:
                        done.append(pending.stream)
        return done

    def _advance(self, pending: _Pending) -> bool:
        stream, response = pending.stream, pending.response
        body = response.body
        while pending.sent_bytes < len(body):
            room = min(self._window_bytes, stream.send_window_bytes, FRAME_BYTES_MAX)
            if room <= 0:
                return False
            piece = body[pending.sent_bytes : pending.sent_bytes + room]
            pending.sent_bytes += len(piece)
            self._window_bytes -= len(piece)
            stream.send_window_bytes -= len(piece)
            last = pending.sent_bytes == len(body) and response.ends and not response.trailers
            self.out.append(frame(DATA, END_STREAM if last else 0, stream.id, piece))
        if response.trailers:
            stream_id = stream.id.to_bytes(4, "big")
            self.out.append(response.trailers_prefix + stream_id + response.trailers)
        return True
