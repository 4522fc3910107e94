"""Whole calls on a connection: taken together, and answered together."""

from bridge.http2.call_finder import PREFIX_BYTES, FoundCall, find_calls
from bridge.http2.frames import FRAME_HEAD_BYTES, StreamFault
from bridge.http2.head import Head
from bridge.http2.head_reader import HeadReader
from bridge.http2.header_decoder import Field
from bridge.http2.limits import Http2Limits
from bridge.http2.registry import StreamRegistry
from bridge.http2.sender import Sender
from bridge.http2.stream import Stream
from bridge.http2.whole_call import CallHandler, SettledCalls, WholeCall

Odd = StreamFault | tuple[int, Head, tuple[Field, ...]]
"""Why taking stopped at a head that was read: it is malformed, or must go another way."""


class CallTaker:
    """
    Opens streams for calls that have arrived whole.

    It takes only what the state machine would take as well, with the same marks left in
    *registry*, and stops at whatever needs another answer than "go on".

    Attributes:
        charged_bytes: What the calls of the last `take` take from the connection's window.
        useful_frames: How many frames they were.
        odd: What it stopped at, although its head was read.
    """

    def __init__(
        self,
        handler: CallHandler,
        settled: SettledCalls,
        limits: Http2Limits,
        registry: StreamRegistry,
        heads: HeadReader,
        sender: Sender,
    ) -> None:
        self._handler = handler
        self._settled = settled
        self._limits = limits
        self._registry = registry
        self._heads = heads
        self._sender = sender
        self.charged_bytes = 0
        self.useful_frames = 0
        self.odd: Odd | None = None

    def take(
        self, data: bytes, position: int, window_bytes: int, now: float, complete: list[Stream]
    ) -> int:
        """
        Take the whole calls that lie in *data* from *position* on.

        Returns:
            Where they end, or where the body of `odd` begins.

        Raises:
            ConnectionFault: If a head cannot be decoded.
        """
        self.charged_bytes = self.useful_frames = 0
        self.odd = None
        registry, limits = self._registry, self._limits
        found = find_calls(
            data,
            position,
            registry.last_id,
            limits.concurrent_streams_max - len(registry.open),
            self._handler.message_bytes_max,
            min(window_bytes, limits.stream_window_bytes),
        )
        if not found:
            return position
        return self._open(found, position, now, complete)

    def _open(
        self, found: list[FoundCall], position: int, now: float, complete: list[Stream]
    ) -> int:
        registry, settled = self._registry, self._settled
        streams, read = registry.open, self._heads.read
        known = self._heads.known_blocks
        send_window_bytes = self._sender.initial_window_bytes
        room_bytes = self._handler.room_bytes
        message_bytes = count = frames = 0
        try:
            for stream_id, block, compressed, message, body_at, end in found:
                registry.last_id = stream_id
                frames += 1
                try:
                    head, volatile = known.get(block) or read(stream_id, block)
                except StreamFault as fault:
                    position, self.odd = body_at, fault
                    break
                size = len(message)
                if not head.plain or message_bytes + size > room_bytes:
                    position, self.odd = body_at, (stream_id, head, volatile)
                    break
                call = WholeCall(stream_id, head, volatile, message, compressed, settled)
                call.send_window_bytes = send_window_bytes
                call.progress_at = now
                call.charge_bytes = size
                call.received_bytes = call.body_bytes_max = size + PREFIX_BYTES
                streams[stream_id] = call
                complete.append(call)
                message_bytes += size
                count += 1
                frames += (end - body_at - size - PREFIX_BYTES) // FRAME_HEAD_BYTES
                position = end
        finally:
            self.charged_bytes = message_bytes + count * PREFIX_BYTES
            self.useful_frames = frames
            if message_bytes:
                self._handler.charge(message_bytes)
        return position
