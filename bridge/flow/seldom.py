"""How often the same thing may be said. Pure."""


class Seldom:
    """
    Lets each key through once in an interval: what always fails must not fill the log.

    Args:
        interval_s:
            Seconds of silence after a key was let through.
        keys_max:
            Keys remembered at most; when there are more, all are forgotten and may speak again.
    """

    def __init__(self, interval_s: float, *, keys_max: int) -> None:
        self._interval_s = interval_s
        self._keys_max = keys_max
        # What changes: until when each key is silent.
        self._silent_until_s: dict[str, float] = {}

    def lets(self, key: str, now_s: float) -> bool:
        """Whether *key* may speak now; if so, it is silent for the interval."""
        if now_s < self._silent_until_s.get(key, 0.0):
            return False
        if len(self._silent_until_s) >= self._keys_max:
            self._silent_until_s.clear()
        self._silent_until_s[key] = now_s + self._interval_s
        return True
