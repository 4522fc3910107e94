"""The file exporter: whole records, answered after the write, and a disk that fails."""

import asyncio
import errno
import json
import os

import pytest
import zstandard
from pydantic import ValidationError

from bridge.core import (
    ACCEPTED,
    Batch,
    ConfigError,
    Deadline,
    Denied,
    Interrupted,
    Malformed,
    Origin,
    Signal,
    SystemClock,
    Unavailable,
)
from bridge.exporters.file import FACTORY, FileOptions, Rotation
from bridge.exporters.file.writer import RecordWriter
from bridge.testing import make_settings, sample

CLOCK = SystemClock()


def a_batch(items: int = 2, seed: int = 0) -> Batch:
    made = sample(Signal.TRACES, items, seed=seed)
    return Batch(Signal.TRACES, made.body, items, Origin("x"))


class Running:
    """A started exporter that is stopped at the end."""

    def __init__(self, path, **keys: object) -> None:
        self.settings = make_settings("file", clock=CLOCK)
        options = FileOptions.model_validate({"path": str(path), **keys})
        self.exporter = FACTORY.create(options, self.settings, frozenset(Signal))

    async def __aenter__(self):
        await self.exporter.start()
        return self.exporter

    async def __aexit__(self, *_: object) -> None:
        await self.exporter.stop(Deadline.after(2, CLOCK))


def framed(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


async def test_file_has_a_line_for_each_batch(tmp_path) -> None:
    """When deliver returns, the file holds the batch as one line of OTLP/JSON."""
    path = tmp_path / "out.json"
    async with Running(path) as exporter:
        assert await exporter.deliver(a_batch(2)) is ACCEPTED
        (line,) = path.read_text().splitlines()
    spans = json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]

    assert len(spans) == 2
    assert path.stat().st_mode & 0o777 == 0o600


async def test_file_proto_is_framed(tmp_path) -> None:
    """Protobuf requests follow their size and are the bytes that came."""
    path = tmp_path / "out.pb"
    mine = [a_batch(seed=1), a_batch(seed=2)]
    async with Running(path, format="proto", fsync=True) as exporter:
        for batch in mine:
            await exporter.deliver(batch)

    assert framed(path.read_bytes()) == [batch.body for batch in mine]


async def test_file_zstd_compresses_each_record(tmp_path) -> None:
    """Each record can be decompressed by itself."""
    path = tmp_path / "out"
    async with Running(path, format="proto", compression="zstd") as exporter:
        await exporter.deliver(a_batch(50))

    (record,) = framed(path.read_bytes())
    assert zstandard.decompress(record) == a_batch(50).body


async def test_file_concurrent_batches_are_all_written(tmp_path) -> None:
    """What arrives during a write is the next write; nothing is lost or mixed."""
    path = tmp_path / "out.pb"
    mine = [a_batch(seed=seed) for seed in range(50)]
    async with Running(path, format="proto") as exporter:
        await asyncio.gather(*(exporter.deliver(batch) for batch in mine))

    assert sorted(framed(path.read_bytes())) == sorted(batch.body for batch in mine)


@pytest.mark.parametrize(("append", "kept"), [(True, b"old\n"), (False, b"")])
async def test_file_is_continued_or_emptied(tmp_path, append, kept) -> None:
    """append decides about what was there before."""
    path = tmp_path / "out"
    path.write_bytes(b"old\n")
    async with Running(path, append=append):
        pass

    assert path.read_bytes() == kept


async def test_file_in_missing_folder(tmp_path) -> None:
    """A missing folder fails the start, unless it is to be made."""
    path = tmp_path / "new" / "out"
    with pytest.raises(ConfigError, match="cannot write"):
        await Running(path).exporter.start()

    async with Running(path, create_directory=True) as exporter:
        await exporter.deliver(a_batch())
    assert path.stat().st_size > 0


async def test_file_broken_batch_spares_its_neighbours(tmp_path) -> None:
    """A batch that cannot be encoded is malformed; those written with it are not."""
    path = tmp_path / "out"
    broken = Batch(Signal.TRACES, b"\xff\xff", 1, Origin("x"))
    async with Running(path) as exporter:
        first = asyncio.create_task(exporter.deliver(a_batch()))
        found = await asyncio.gather(
            first,
            *(exporter.deliver(batch) for batch in (a_batch(), broken, a_batch())),
            return_exceptions=True,
        )

    assert [type(one).__name__ for one in found].count("Malformed") == 1
    assert isinstance(found[2], Malformed)
    assert len(path.read_text().splitlines()) == 3


async def test_file_refuses_after_stop(tmp_path) -> None:
    """A stopped exporter gives data back."""
    running = Running(tmp_path / "out")
    async with running as exporter:
        pass
    await exporter.stop(Deadline.after(1, CLOCK))

    with pytest.raises(Interrupted):
        await exporter.deliver(a_batch())


async def test_file_empty_batch_is_not_written(tmp_path) -> None:
    """An envelope without items leaves no line."""
    path = tmp_path / "out"
    async with Running(path) as exporter:
        assert await exporter.deliver(Batch(Signal.TRACES, b"", 0, Origin("x"))) is ACCEPTED

    assert path.read_bytes() == b""


class Disk:
    """os.write that fails after *room* bytes."""

    def __init__(self, monkeypatch, room: int, number: int = errno.ENOSPC) -> None:
        self.room, self.number = room, number
        self.real = os.write
        monkeypatch.setattr("bridge.exporters.file.writer.os.write", self.write)

    def write(self, fd: int, data) -> int:
        if not self.room:
            raise OSError(self.number, os.strerror(self.number))
        written = self.real(fd, bytes(data[: self.room]))
        self.room -= written
        return written


async def test_file_full_disk_leaves_no_torn_record(tmp_path, monkeypatch) -> None:
    """When the disk is full nothing of the record stays, and later it is written whole."""
    path = tmp_path / "out"
    async with Running(path) as exporter:
        await exporter.deliver(a_batch(seed=1))
        before = path.read_bytes()
        disk = Disk(monkeypatch, room=10)
        with pytest.raises(Unavailable, match="disk is full"):
            await exporter.deliver(a_batch(seed=2))
        assert path.read_bytes() == before
        disk.room = 1 << 20
        assert await exporter.deliver(a_batch(seed=2)) is ACCEPTED

    assert len(path.read_text().splitlines()) == 2
    assert path.read_bytes().startswith(before)


async def test_file_forbidden_write_is_a_denial(tmp_path, monkeypatch) -> None:
    """Missing rights are about us: held and reported, never dropped."""
    running = Running(tmp_path / "out")
    async with running as exporter:
        Disk(monkeypatch, room=0, number=errno.EROFS)
        with pytest.raises(Denied) as caught:
            await exporter.deliver(a_batch())

    assert "allow us to write" in caught.value.hint
    assert running.settings.host.reported[-1].state.name == "PERMANENT"


async def test_file_hanging_disk_times_out(tmp_path, monkeypatch) -> None:
    """A write that hangs fails after write_timeout, and the loop goes on meanwhile."""
    import threading

    release = threading.Event()
    real = os.write

    def hang(fd: int, data) -> int:
        release.wait(5)
        return real(fd, data)

    async with Running(tmp_path / "out", write_timeout="100ms") as exporter:
        monkeypatch.setattr("bridge.exporters.file.writer.os.write", hang)
        with pytest.raises(Unavailable, match="no answer"):
            await exporter.deliver(a_batch())
        release.set()


async def test_file_fault_reaches_every_caller(tmp_path, monkeypatch) -> None:
    """An unexpected exception leaves nobody waiting."""

    def fault(self, records) -> None:
        raise RuntimeError("bug")

    async with Running(tmp_path / "out") as exporter:
        monkeypatch.setattr(RecordWriter, "write", fault)
        found = await asyncio.gather(
            *(exporter.deliver(a_batch()) for _ in range(3)), return_exceptions=True
        )

    assert [type(error) for error in found] == [Unavailable] * 3


def test_file_section_refuses_nonsense() -> None:
    """append makes no sense together with rotation, and a path is needed."""
    with pytest.raises(ValidationError, match="rotation appends always"):
        FileOptions(path="x", append=True, rotation=Rotation())
    with pytest.raises(ValidationError, match="path"):
        FileOptions.model_validate({})
    with pytest.raises(ValidationError, match="above 0"):
        FileOptions.model_validate({"path": "x", "write_timeout": "0s"})
