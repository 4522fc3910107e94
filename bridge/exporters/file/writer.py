"""
Appending whole records to a file: all of a record or nothing of it.

Blocking and synchronous; the exporter runs it in a thread.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from bridge.exporters.file.options import FileOptions

_MIB = 1024 * 1024
_DAY_S = 86_400.0


class RecordWriter:
    """
    The open file of one exporter. Not for concurrent use.

    Args (from `options`):
        append, rotation, fsync: As the user set them.
    """

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self._path = Path(options.path)
        # The open file and its length up to the last whole record.
        self._fd: int | None = None
        self._size = 0

    def open(self) -> None:
        """
        Open the file, making its folder if that is wanted.

        Raises:
            OSError: If it cannot be written.
        """
        if self._options.create_directory:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        keep = self._options.append or self._options.rotation is not None
        # A reopening after an error must never empty what was acknowledged before.
        self._open(0 if keep else os.O_TRUNC)

    def write(self, records: list[bytes]) -> None:
        """
        Append *records* and bring them to where the options promise.

        Raises:
            OSError: If that fails; nothing of *records* is in the file then.
        """
        if self._fd is None:
            self._open(0)
        self._rotate_if_full(sum(map(len, records)))
        data = memoryview(b"".join(records))
        fd, start = self._fd, self._size
        assert fd is not None  # noqa: S101 - opened above
        try:
            while data:
                data = data[os.write(fd, data) :]
            if self._options.fsync:
                os.fsync(fd)
        except OSError:
            self._cut(fd, start)
            raise
        self._size = os.lseek(fd, 0, os.SEEK_END)

    def close(self) -> None:
        """Close the file; safe twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self, more_flags: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | more_flags
        self._fd = os.open(self._path, flags, 0o600)
        self._size = os.lseek(self._fd, 0, os.SEEK_END)

    def _cut(self, fd: int, size: int) -> None:
        """Take a torn record back. If even that fails, the next write begins with a fresh look."""
        try:
            os.ftruncate(fd, size)
        except OSError:
            self.close()

    def _rotate_if_full(self, more_bytes: int) -> None:
        rotation = self._options.rotation
        if rotation is None or not self._size:
            return
        if self._size + more_bytes <= rotation.max_megabytes * _MIB:
            return
        self.close()
        os.rename(self._path, self._backup_name())
        self._open(0)
        self._delete_old()

    def _backup_name(self) -> Path:
        rotation = self._options.rotation
        local = rotation is not None and rotation.localtime
        now = datetime.fromtimestamp(time.time(), UTC)
        if local:
            now = now.astimezone()
        stem, suffix = self._path.stem, self._path.suffix
        while True:
            stamp = now.strftime("%Y-%m-%dT%H-%M-%S.") + f"{now.microsecond // 1000:03d}"
            name = self._path.with_name(f"{stem}-{stamp}{suffix}")
            if not name.exists():
                return name
            now = now.replace(microsecond=(now.microsecond + 1000) % 1_000_000)

    def _delete_old(self) -> None:
        rotation = self._options.rotation
        if rotation is None:
            return
        pattern = f"{self._path.stem}-*{self._path.suffix}"
        backups = sorted(self._path.parent.glob(pattern), reverse=True)
        too_many = backups[rotation.max_backups :] if rotation.max_backups else []
        oldest_s = time.time() - rotation.max_days * _DAY_S
        for backup in backups:
            too_old = bool(rotation.max_days) and backup.stat().st_mtime < oldest_s
            if too_old or backup in too_many:
                backup.unlink(missing_ok=True)
