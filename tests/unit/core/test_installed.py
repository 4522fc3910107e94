"""Entry points and versions, as `importlib.metadata` finds them."""

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import pytest

from bridge.core import InstalledEntry, installed_entries, installed_version
from bridge.core.installed import parse_entries

TEXT = """
# A comment = of somebody
[console_scripts]
tool = package.cli:main

[otlp_bridge.receivers]
one = package.one:FACTORY
two=package.two:Some.FACTORY [extra]
# three = package.three:FACTORY

[ otlp_bridge.exporters ]
one = package:FACTORY
"""


def _install(folder: Path, name: str, version: str, text: str, kind: str = "dist-info") -> None:
    info = folder / f"{name}-{version}.{kind}"
    info.mkdir(parents=True)
    file = "METADATA" if kind == "dist-info" else "PKG-INFO"
    (info / file).write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(text)


def test_entries_are_those_that_importlib_finds() -> None:
    """All groups of all distributions that are installed here, whoever wrote them."""
    groups = importlib.metadata.entry_points().groups
    theirs = {
        (entry.group, entry.name, entry.value)
        for group in groups
        for entry in importlib.metadata.entry_points(group=group)
    }
    ours = installed_entries("")

    assert {(entry.group, entry.name, entry.value) for entry in ours} == theirs
    assert {"otlp_bridge.receivers", "console_scripts"} <= set(groups)


def test_versions_are_those_that_importlib_finds() -> None:
    """Of each distribution on the path."""
    names = {one.metadata["Name"] for one in importlib.metadata.distributions()}

    assert {name: installed_version(name) for name in names} == {
        name: importlib.metadata.version(name) for name in names
    }
    assert "otlp-kafka-bridge" in names


def test_entries_are_read_by_group() -> None:
    """Comments and other groups are left out; spaces do not matter."""
    assert [
        InstalledEntry("otlp_bridge.receivers", "one", "package.one:FACTORY"),
        InstalledEntry("otlp_bridge.receivers", "two", "package.two:Some.FACTORY [extra]"),
        InstalledEntry("otlp_bridge.exporters", "one", "package:FACTORY"),
    ] == list(parse_entries(TEXT, "otlp_bridge."))


def test_entry_loads_what_it_names() -> None:
    """A module, an attribute of it, or one of that; extras are no part of the name."""
    assert InstalledEntry("g", "n", "pathlib:Path.joinpath [fast]").load() is Path.joinpath
    assert InstalledEntry("g", "n", "zipfile").load() is zipfile
    with pytest.raises(AttributeError):
        InstalledEntry("g", "n", "zipfile:Nothing").load()
    with pytest.raises(ModuleNotFoundError):
        InstalledEntry("g", "n", "no_such_module_anywhere:FACTORY").load()


def test_first_distribution_on_the_path_counts(tmp_path: Path) -> None:
    """Its modules are what `import` finds, whatever else has the name; a name is spelled freely."""
    _install(tmp_path / "a", "Some_Plugin", "2", "[g]\nnew = a:b\n")
    _install(tmp_path / "b", "some.plugin", "1", "[g]\nold = a:b\n")
    _install(tmp_path / "b", "other", "3", "[g]\nother = a:b\n", kind="egg-info")
    path = [str(tmp_path / name) for name in ("missing", "a", "b", "a")]

    assert [entry.name for entry in installed_entries("g", path)] == ["new", "other"]
    assert installed_version("some-plugin", path) == "2"
    assert installed_version("other", path) == "3"
    assert installed_version("nobody", path) is None


def test_zip_file_on_the_path_is_read_too(tmp_path: Path) -> None:
    """Python imports from it, so its components count."""
    _install(tmp_path / "folder", "plain", "1", "[g]\nplain = a:b\n")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("zipped-1.dist-info/METADATA", "Name: zipped\nVersion: 1\n")
        archive.writestr("zipped-1.dist-info/entry_points.txt", "[g]\nzipped = a:b\n")
    path = [str(tmp_path / "app.zip"), str(tmp_path / "folder")]

    assert [entry.name for entry in installed_entries("g", path)] == ["zipped", "plain"]


def test_other_finders_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As programs have them that carry their packages in one file."""
    _install(tmp_path, "bundled", "7", "[g]\nbundled = a:b\n")

    class Finder:
        """Has one distribution, wherever one looks."""

        @staticmethod
        def find_spec(*_: object) -> None:
            """No module."""

        @staticmethod
        def find_distributions(
            context: importlib.metadata.DistributionFinder.Context,
        ) -> list[importlib.metadata.Distribution]:
            """The one."""
            if context.name not in (None, "bundled"):
                return []
            return [importlib.metadata.PathDistribution(tmp_path / "bundled-7.dist-info")]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])

    assert "bundled" in [entry.name for entry in installed_entries("g")]
    assert installed_version("bundled") == "7"
    assert installed_version("nobody-has-this") is None
