"""Which streams are open, and what is remembered of those that are not."""

from collections.abc import Sequence
from typing import Final

from bridge.http2.frames import ConnectionFault, ErrorCode, StreamFault
from bridge.http2.stream import Stream

_REMEMBERED_MAX: Final = 1_000
"""Streams a generation: frames that cross our RST_STREAM arrive within a round trip."""


class StreamRegistry:
    """
    The streams of one connection.

    Of closed streams it is remembered whether we ended them before the peer did: frames that
    were on their way then are no fault.
    """

    __slots__ = ("_older", "_recent", "last_id", "open")

    def __init__(self) -> None:
        self.open: dict[int, Stream] = {}
        self.last_id = 0
        self._recent: dict[int, bool] = {}
        self._older: dict[int, bool] = {}

    def close(self, stream: Stream, *, by_us: bool) -> None:
        """Forget an open stream."""
        del self.open[stream.id]
        self.remember(stream.id, by_us=by_us)

    def close_all(self, streams: Sequence[Stream]) -> None:
        """Forget open streams that have ended and are answered in full."""
        still_open, recent = self.open, self._recent
        for stream in streams:
            stream.closed = True
            del still_open[stream.id]
            if len(recent) >= _REMEMBERED_MAX:
                self._older, self._recent = recent, {}
                recent = self._recent
            recent[stream.id] = False

    def remember(self, stream_id: int, *, by_us: bool) -> None:
        """Note how a stream ended."""
        if len(self._recent) >= _REMEMBERED_MAX:
            self._older, self._recent = self._recent, {}
        self._recent[stream_id] = by_us

    def ended_by_us(self, stream_id: int) -> bool | None:
        """Whether we ended that stream first; `None` if it is not remembered."""
        known = self._recent.get(stream_id)
        return self._older.get(stream_id) if known is None else known

    def check_stray(self, stream_id: int, stream: Stream | None) -> None:
        """
        Judge DATA or HEADERS for a stream that takes no more; return if they may be ignored.

        Raises:
            StreamFault: STREAM_CLOSED, for a request that has ended and waits for its answer.
            ConnectionFault: For streams that ended, or never were.
        """
        if stream is not None:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the request has ended")
        ended_by_us = self.ended_by_us(stream_id)
        if ended_by_us:
            return
        if ended_by_us is None:
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} is not open")
        raise ConnectionFault(ErrorCode.STREAM_CLOSED, f"stream {stream_id} is closed")
