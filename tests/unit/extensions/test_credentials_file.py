"""Files with credentials, read again when they change."""

from pathlib import Path

import pytest

from bridge.core import ConfigError
from bridge.extensions import _credentials_file
from bridge.extensions._credentials_file import LOOK_EVERY_S, CredentialsFile


class Watch:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_changed_file_is_read_at_the_next_look_and_not_before(tmp_path: Path) -> None:
    """A look a second, however many requests come."""
    path = tmp_path / "file"
    path.write_text("one")
    watch = Watch()
    file = CredentialsFile(str(path), str.upper, "key", watch)
    path.write_text("three")
    seen = [file.value()]
    watch.now_s = LOOK_EVERY_S
    seen.append(file.value())

    assert seen == ["ONE", "THREE"]


def test_file_that_was_removed_keeps_what_it_held(tmp_path: Path) -> None:
    """Half a deployment locks nobody out."""
    path = tmp_path / "file"
    path.write_text("one")
    watch = Watch()
    file = CredentialsFile(str(path), str, "key", watch)
    path.unlink()
    watch.now_s = LOOK_EVERY_S

    assert file.value() == "one"


def test_file_that_is_no_text_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the key that names it."""
    path = tmp_path / "file"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"key: .* is no UTF-8 text"):
        CredentialsFile(str(path), str, "key")
    monkeypatch.setattr(_credentials_file, "FILE_BYTES_MAX", 1)
    with pytest.raises(ConfigError, match=r"key: .* is larger than 1 B"):
        CredentialsFile(str(path), str, "key")
