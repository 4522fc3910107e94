"""The archive; what a running bridge gives to it is in tests/integration/test_bundle.py."""

import json
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.config import Problem
from bridge.service.bundling import (
    SECTION_BYTES_MAX,
    Section,
    gather_broken,
    scrubbed,
    without_data,
    write_archive,
)
from bridge.service.redaction import MASK, Scrubber

MADE_AT = datetime(2026, 11, 28, 7, 0, tzinfo=UTC)


def read(path: Path) -> dict[str, str]:
    """The files of an archive by their names, without the folder."""
    with tarfile.open(path) as archive:
        return {
            entry.name.partition("/")[2]: file.read().decode()
            for entry in archive.getmembers()
            if (file := archive.extractfile(entry)) is not None
        }


def test_archive_has_a_manifest_and_what_could_be_had(tmp_path: Path) -> None:
    """Readable by its owner only; what is missing is named with the reason."""
    path = tmp_path / "bundle.tar.gz"
    write_archive(path, [Section("a.txt", "text"), Section("b.txt", error="away")], MADE_AT)
    files = read(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(files) == {"manifest.json", "a.txt"}
    assert files["a.txt"] == "text"
    assert json.loads(files["manifest.json"])["files"] == {"a.txt": "ok", "b.txt": "away"}


def test_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Nor is a link followed that somebody put there."""
    path = tmp_path / "bundle.tar.gz"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_archive(path, [], MADE_AT)
    assert not (tmp_path / "elsewhere").exists()


def test_sections_are_scrubbed_and_bounded() -> None:
    """Their errors too."""
    big = "x" * (SECTION_BYTES_MAX + 1)
    found = scrubbed(
        [Section("a", "the canary sings", "canary away"), Section("b", big)], Scrubber(["canary"])
    )

    assert (found[0].text, found[0].error) == (f"the {MASK} sings", f"{MASK} away")
    assert len(found[1].text) < len(big) + 100
    assert "cut off" in found[1].text[-60:]


def test_previews_of_data_are_left_out() -> None:
    """At any depth."""
    status = {"dead_letters": {"latest": [{"reason": "x", "preview": "data"}]}, "preview": 1}

    assert without_data(status) == {"dead_letters": {"latest": [{"reason": "x"}]}}


def test_broken_configuration_gives_what_is_wrong_and_no_line_of_it() -> None:
    """The values of environment variables are not there either, only their names."""
    problem = Problem("BR-1002", "the text is not valid YAML")
    sections = gather_broken([problem], {"MY_TOKEN": "canary-1", "PLAIN": "value-2"})
    texts = {one.name: one.text for one in sections}

    assert json.loads(texts["validate.json"])["problems"][0]["code"] == "BR-1002"
    assert texts["environment.txt"] == "MY_TOKEN\nPLAIN\n"
    assert not any("canary-1" in text or "value-2" in text for text in texts.values())
    assert {"versions.json", "machine.json"} <= texts.keys()
