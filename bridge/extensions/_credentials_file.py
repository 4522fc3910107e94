"""A file with credentials that is read again when it changes."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from bridge.core import ConfigError
from bridge.options import fingerprint

log = structlog.get_logger()

T = TypeVar("T")

FILE_BYTES_MAX = 1 << 20
LOOK_EVERY_S = 1.0
"""Seconds between two looks at whether the file changed."""


class CredentialsFile(Generic[T]):
    """
    What *parse* makes of the text of *path*, kept up to date.

    A changed file takes effect within `LOOK_EVERY_S`. One that cannot be used any more changes
    nothing and is logged, so that half a deployment does not lock everybody out.

    Raises:
        ConfigError: If the file cannot be read or parsed at the beginning. *what* names its key.
    """

    def __init__(
        self,
        path: str,
        parse: Callable[[str], T],
        what: str,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = Path(path)
        self._parse = parse
        self._what = what
        self._now_s = now_s
        # What changes: what the file held, what it looked like, and when it was looked at.
        self._seen = fingerprint((str(self._path),))
        self._value = self._read()
        self._looked_at_s = now_s()

    def value(self) -> T:
        """What the file holds; cheap, since it is asked for each request."""
        now_s = self._now_s()
        if now_s - self._looked_at_s >= LOOK_EVERY_S:
            self._looked_at_s = now_s
            seen = fingerprint((str(self._path),))
            if seen != self._seen:
                self._seen = seen
                self._take()
        return self._value

    def _take(self) -> None:
        try:
            self._value = self._read()
        except ConfigError as error:
            log.warning("credentials_reload_failed", reason=str(error))
        else:
            log.info("credentials_reloaded", path=str(self._path))

    def _read(self) -> T:
        try:
            with self._path.open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
            if len(data) > FILE_BYTES_MAX:
                raise ConfigError(f"{self._what}: {self._path} is larger than {FILE_BYTES_MAX} B")
            return self._parse(data.decode())
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"{self._what}: cannot read {self._path}: {reason}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._what}: {self._path} is no UTF-8 text") from error
