"""The file exporter: returns when the file has the batch."""

import asyncio
import copy
import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from bridge.core import (
    ACCEPTED,
    Batch,
    ConfigError,
    Deadline,
    DeliveryError,
    Denied,
    Interrupted,
    Receipt,
    Settings,
    Signal,
    State,
    Status,
    Unavailable,
)
from bridge.exporters.file.options import FileOptions
from bridge.exporters.file.writer import RecordWriter
from bridge.flow import Health, compress_now
from bridge.wire import otlp_json

log = structlog.get_logger()

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
PENDING_BYTES_MAX = 64 * 1024 * 1024
"""Bytes that wait for the disk; more is refused with a hint instead of filling the memory."""


class FileExporter:
    """
    Appends batches to one file, whole records only.

    What arrives while a write is under way is the next write, so that one flush serves many.
    """

    def __init__(
        self, options: FileOptions, settings: Settings, signals: frozenset[Signal]
    ) -> None:
        self._options = options
        self._settings = settings
        self._health = Health(settings)
        self._writer = RecordWriter(options)
        # One thread of its own: a disk that hangs must not use up the threads of others.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"file-{settings.id.name}")
        labels = {"exporter": str(settings.id)}
        self._sent, self._failed = (
            {
                signal: settings.metrics.counter(
                    f"otelcol_exporter_{outcome}_{signal.items}", labels
                )
                for signal in Signal
            }
            for outcome in ("sent", "send_failed")
        )
        # What waits for the next write, and the write under way.
        self._waiting: list[tuple[Batch, asyncio.Future[None]]] = []
        self._waiting_bytes = 0
        self._write: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """
        Open the file.

        Raises:
            ConfigError: If it cannot be written.
        """
        try:
            await self._in_thread(self._writer.open)
        except (OSError, TimeoutError) as error:
            raise ConfigError(
                f"exporters/{self._settings.id}: cannot write {self._options.path}: {error}"
            ) from error
        self._settings.report(Status(State.OK))

    async def stop(self, deadline: Deadline) -> None:
        """Finish the writes that wait until *deadline* and close the file."""
        if self._stopped:
            return
        self._stopped = True
        if self._write is not None:
            await asyncio.wait([self._write], timeout=deadline.remaining_s)
        # In the writing thread, so that a write which hangs never meets a closed file.
        closed = self._thread.submit(self._writer.close)
        self._thread.shutdown(wait=False)
        await asyncio.wait([asyncio.wrap_future(closed)], timeout=deadline.remaining_s)

    async def deliver(self, batch: Batch) -> Receipt:
        """
        Append *batch* and wait until the file has it, on disk if `fsync` is set.

        Raises:
            Unavailable: If the disk is full, hangs, or too much waits for it.
            Denied: If we may not write the file.

        Cancellation:
            The batch may or may not be written.
        """
        if not batch.items:
            return ACCEPTED
        if self._stopped:
            raise Interrupted(f"{self._settings.id} is stopped")
        if self._waiting_bytes > PENDING_BYTES_MAX:
            raise Unavailable(f"{self._options.path}: {self._waiting_bytes} bytes wait already")
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((batch, written))
        self._waiting_bytes += len(batch.body)
        if self._write is None:
            self._write = asyncio.get_running_loop().create_task(self._write_waiting())
        try:
            await written
        except DeliveryError:
            self._failed[batch.signal].add(batch.items)
            raise
        self._sent[batch.signal].add(batch.items)
        return ACCEPTED

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting, self._waiting_bytes = self._waiting, [], 0
                await self._write_together(taken)
        finally:
            self._write = None

    async def _write_together(self, taken: list[tuple[Batch, asyncio.Future[None]]]) -> None:
        try:
            await self._in_thread(self._encode_and_write, [batch for batch, _ in taken])
        except DeliveryError as error:
            if len(taken) == 1:
                self._settle(taken, error)
                return
            for entry in taken:  # One that cannot be encoded must not spoil the others.
                await self._write_together([entry])
        except OSError as error:  # TimeoutError is one.
            self._settle(taken, self._translate(error))
        except Exception as error:
            log.exception("file_write_fault", exporter=str(self._settings.id))
            self._settle(taken, Unavailable(f"unexpected {type(error).__name__} while writing"))
        else:
            self._health.succeeded()
            self._settle(taken, None)

    def _settle(
        self, taken: list[tuple[Batch, asyncio.Future[None]]], error: DeliveryError | None
    ) -> None:
        for _, written in taken:
            if written.done():
                continue
            if error is None:
                written.set_result(None)
            else:
                own = copy.copy(error)  # A shared one would grow a traceback for each caller.
                own.__cause__ = error
                written.set_exception(own)

    def _translate(self, error: OSError) -> DeliveryError:
        path = self._options.path
        translated: DeliveryError
        if error.errno in _FORBIDDEN:
            denied = Denied(f"{path}: {error.strerror}", hint=f"allow us to write {path}")
            self._health.denied(denied)
            translated = denied
        else:
            reason = "the disk is full" if error.errno in _FULL else error.strerror or "no answer"
            unavailable = Unavailable(f"{path}: {reason}")
            self._health.failed(unavailable, durable=False)
            translated = unavailable
        translated.__cause__ = error
        return translated

    async def _in_thread(self, function: Callable[..., None], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._options.write_timeout):
            await loop.run_in_executor(self._thread, function, *arguments)

    def _encode_and_write(self, batches: list[Batch]) -> None:
        self._writer.write([self._encode(batch) for batch in batches])

    def _encode(self, batch: Batch) -> bytes:
        options = self._options
        data = batch.body
        if options.format == "json":
            data = otlp_json.encode(batch.signal, data)
        if options.compression == "zstd":
            data = compress_now("zstd", data)
        if options.framed:
            return len(data).to_bytes(4, "big") + data
        return data + b"\n"
