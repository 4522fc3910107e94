"""How much a peer may make us do without sending data."""

from typing import Final

from bridge.http2.frames import ConnectionFault, ErrorCode
from bridge.http2.limits import Http2Limits

_PERIOD_S: Final = 10.0


class ActivityBudget:
    """
    Counts resets and control frames in periods of ten seconds.

    `useful` counts frames that brought data in this period; each buys some control frames.

    Source:
        CVE-2023-44487 (rapid reset), CVE-2019-9512 to 9518 (floods).
    """

    __slots__ = ("_began_at", "_controls", "_limits", "_resets", "useful")

    def __init__(self, limits: Http2Limits, now: float) -> None:
        self._limits = limits
        self._began_at = now
        self._controls = 0
        self._resets = 0
        self.useful = 0

    def control(self, now: float) -> None:
        """
        Count a frame that brings no data.

        Raises:
            ConnectionFault: ENHANCE_YOUR_CALM, over the limit.
        """
        self._roll(now)
        self._controls += 1
        limits = self._limits
        allowed = limits.control_frames_max_per_10s
        if self._controls > allowed + self.useful * limits.control_frames_per_useful_frame:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many control frames")

    def reset(self, now: float, weight: int = 1) -> None:
        """
        Count a stream that ended before its answer, *weight* times.

        Raises:
            ConnectionFault: ENHANCE_YOUR_CALM, over the limit.
        """
        self._roll(now)
        self._resets += weight
        if self._resets > self._limits.resets_max_per_10s:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many resets")

    def _roll(self, now: float) -> None:
        if now - self._began_at >= _PERIOD_S:
            self._began_at = now
            self._controls = self._resets = self.useful = 0
