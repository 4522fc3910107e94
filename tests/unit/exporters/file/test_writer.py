"""The record writer: rotation and what is kept."""

import os
import time

from bridge.exporters.file import FileOptions
from bridge.exporters.file.writer import RecordWriter

MIB = 1024 * 1024


def writer(path, **rotation: object) -> RecordWriter:
    options = FileOptions.model_validate(
        {"path": str(path), "rotation": {"max_megabytes": 1, **rotation}}
    )
    made = RecordWriter(options)
    made.open()
    return made


def backups(folder) -> list[str]:
    return sorted(name for name in os.listdir(folder) if name != "out.json")


def test_writer_sets_full_files_aside(tmp_path) -> None:
    """A file that would exceed max_megabytes is renamed with the time and a new one begun."""
    one = writer(tmp_path / "out.json")
    one.write([b"a" * (MIB - 10)])
    one.write([b"b" * 20])
    one.close()

    assert (tmp_path / "out.json").read_bytes() == b"b" * 20
    (backup,) = backups(tmp_path)
    assert backup.startswith("out-")
    assert backup.endswith(".json")
    assert (tmp_path / backup).stat().st_size == MIB - 10


def test_writer_keeps_so_many_backups(tmp_path) -> None:
    """The oldest beyond max_backups are deleted."""
    one = writer(tmp_path / "out.json", max_backups=2)
    for _ in range(5):
        one.write([b"x" * MIB])
    one.close()

    assert len(backups(tmp_path)) == 2


def test_writer_deletes_old_backups(tmp_path) -> None:
    """Files set aside longer than max_days ago go."""
    old = tmp_path / "out-2020-01-01T00-00-00.000.json"
    old.write_bytes(b"old")
    os.utime(old, (time.time() - 3 * 86400,) * 2)
    one = writer(tmp_path / "out.json", max_days=2)
    one.write([b"x" * MIB])
    one.write([b"x" * MIB])
    one.close()

    assert not old.exists()
    assert len(backups(tmp_path)) == 1


def test_writer_writes_larger_records_whole(tmp_path) -> None:
    """A record beyond the limit goes into a file of its own rather than being cut."""
    one = writer(tmp_path / "out.json", localtime=True)
    one.write([b"x" * (3 * MIB)])
    one.close()
    one.close()

    assert (tmp_path / "out.json").stat().st_size == 3 * MIB
    assert backups(tmp_path) == []


def test_writer_reopens_without_emptying(tmp_path) -> None:
    """After an error closed the file, writing goes on behind what was there."""
    path = tmp_path / "out.json"
    one = RecordWriter(FileOptions(path=str(path)))
    one.open()
    one.write([b"first\n"])
    one.close()
    one.write([b"second\n"])
    one.close()

    assert path.read_bytes() == b"first\nsecond\n"
