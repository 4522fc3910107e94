"""--config and --set."""

from pathlib import Path

import pytest

from bridge.config.nodes import to_plain
from bridge.config.parsing import TEXT_BYTES_MAX
from bridge.config.position import Source
from bridge.config.problems import Problem
from bridge.config.sources import Unreadable, read_set, read_source, read_text


def test_source_path_is_read(tmp_path: Path) -> None:
    """With and without a scheme, and without a byte order mark."""
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1")

    assert Source(str(file), "a: 1") == read_source(str(file), {})
    assert Source(str(file), "a: 1") == read_source(f"file:{file}", {})


def test_source_variable_and_text_are_read() -> None:
    """The Collector's other two schemes."""

    assert Source("env:CONFIG", "a: 1") == read_source("env:CONFIG", {"CONFIG": "a: 1"})
    assert Source("yaml:", "a: 1") == read_source("yaml:a: 1", {})


@pytest.mark.parametrize(
    ("uri", "code", "part"),
    [
        ("env:CONFIG", "BR-1001", "not set"),
        ("https://a/b", "BR-1007", "https"),
        ("s3:b", "BR-1007", "s3"),
        ("file:", "BR-1001", "cannot read"),
    ],
)
def test_source_that_cannot_be_had_is_a_problem(uri: str, code: str, part: str) -> None:
    """The message names what was asked for."""
    found = read_source(uri, {})
    assert isinstance(found, Problem)

    assert code == found.code
    assert part in found.message


def test_source_misspelt_path_names_its_neighbours(tmp_path: Path) -> None:
    """The file that was meant is usually there."""
    (tmp_path / "bridge.yaml").write_text("a: 1")
    found = read_source(str(tmp_path / "brige.yaml"), {})
    assert isinstance(found, Problem)

    assert "bridge.yaml" in found.fix


def test_source_missing_folder_is_named(tmp_path: Path) -> None:
    """The folder is the mistake then."""
    found = read_source(str(tmp_path / "none" / "a.yaml"), {})
    assert isinstance(found, Problem)

    assert f"no folder {tmp_path}/none" in found.fix


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """With the line of the first wrong byte."""
    file = tmp_path / "a"
    file.write_bytes(b"a: 1\nb: \xff\n")

    with pytest.raises(Unreadable, match="line 2"):
        read_text(str(file))


def test_text_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """It is not read to its end."""
    file = tmp_path / "a"
    file.write_bytes(b"#" * (TEXT_BYTES_MAX + 1))

    with pytest.raises(Unreadable, match="larger"):
        read_text(str(file))


def test_text_of_a_folder_is_refused(tmp_path: Path) -> None:
    """Opening it fails, which is no crash."""
    with pytest.raises(Unreadable, match="cannot read"):
        read_text(str(tmp_path))


@pytest.mark.parametrize(
    ("option", "tree"),
    [
        ("processors.batch.timeout=2s", {"processors": {"batch": {"timeout": "2s"}}}),
        ("processors::batch/a.b::size=2", {"processors": {"batch/a.b": {"size": 2}}}),
        ("a=[1, b]", {"a": [1, "b"]}),
        ("a.b={c: 1}", {"a": {"b": {"c": 1}}}),
        ("a='1'", {"a": "1"}),
        ("a=", {"a": None}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_set_is_a_tree(option: str, tree: object) -> None:
    """Keys with dots or double colons; the value is YAML."""
    node, problems = read_set(option)
    assert node is not None

    assert (tree, []) == (to_plain(node), problems)


@pytest.mark.parametrize("option", ["a", "=1", "a..b=1", "a=[", ""])
def test_set_that_is_none_is_a_problem(option: str) -> None:
    """It is said at the option itself."""
    node, problems = read_set(option)

    assert node is None
    assert [problem.code for problem in problems] == ["BR-1008"]


def test_text_that_may_not_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the user who would need the permission."""

    def deny(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)

    with pytest.raises(Unreadable, match="no permission") as caught:
        read_text("/a")
    assert "uid" in caught.value.hint
