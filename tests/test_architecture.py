"""
The rules of the source, checked on the source.

What may be long or untested for a reason stands in ``tests/architecture.toml``.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from fnmatch import filter as fnfilter
from fnmatch import fnmatch
from functools import cache

import pytest

from tests.source_tree import ROOT, Module, length, modules

ORDER = (
    ("core",),
    ("options",),
    ("wire",),
    ("flow",),
    ("http2",),
    ("http1",),
    ("kafka",),
    ("ottl",),
    ("receivers", "processors", "exporters", "extensions"),
    ("config",),
    ("telemetry",),
    ("service",),
    ("testing",),
    ("cli",),
)
"""From the bottom: a room imports from rooms before it, and none of its own step."""

COMPONENTS = ORDER[8]
LAZY_TESTING = "bridge/cli/"
"""Where `bridge.testing` may be imported inside functions: the demo sends and receives."""

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

MODULES = modules()
EXCEPTIONS = tomllib.loads((ROOT / "tests/architecture.toml").read_text())
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}

# Put together here, so that this file does not hold what it forbids.
MARKERS = re.compile(
    "|".join(rf"\b{a}{b}\b" for a, b in (("TO", "DO"), ("FIX", "ME"), ("X", "XX")))
)
HOMES = re.compile(r"/(?:ho" r"me|Us" r"ers|ro" r"ot|work)/[\w.]+")
ISSUE = re.compile(r"#\d+")


def test_imports_follow_the_order_of_rooms() -> None:
    """A room imports only rooms before it, lazily too; rooms of one step do not meet."""
    wrong = [
        f"{module.place}:{found.line} imports {found.target}"
        for module in MODULES
        if module.room in RANK
        for found in module.imports
        if not _may_import(module, _room(found.target))
    ]

    assert not wrong, _listed(wrong)


def test_every_room_has_a_place_in_the_order() -> None:
    """A new folder is put into the order before anything can be in it."""
    folders = {module.room for module in MODULES if module.name.count(".") >= 1}

    assert folders - RANK.keys() == {"__main__"}


def test_components_of_one_kind_do_not_import_each_other() -> None:
    """A component can be taken out without breaking its neighbours."""
    wrong = [
        f"{module.place}:{found.line} imports {found.target}"
        for module in MODULES
        if module.room in COMPONENTS and module.name.count(".") >= 2
        for found in module.imports
        if found.target.startswith(f"bridge.{module.room}.")
        and found.target.split(".")[2] != module.name.split(".")[2]
        # Helpers that several components of a kind share say so by their underscore.
        and not found.target.split(".")[2].startswith("_")
    ]

    assert not wrong, _listed(wrong)


def test_testing_is_imported_by_no_production_module() -> None:
    """Only the demo uses the testing kit, and only once it runs."""
    wrong = [
        f"{module.place}:{found.line}"
        for module in MODULES
        if module.room != "testing"
        for found in module.imports
        if _room(found.target) == "testing"
        and not (found.lazy and module.place.startswith(LAZY_TESTING))
    ]

    assert not wrong, _listed(wrong)


def test_core_imports_the_standard_library_only() -> None:
    """The contracts depend on nothing that must be installed."""
    foreign = {
        f"{module.place}: {name}"
        for module in MODULES
        if module.room == "core"
        for name in module.foreign - sys.stdlib_module_names
    }

    assert foreign == set()


def test_aiokafka_is_imported_in_one_room() -> None:
    """Its faults are handled in one place, so that nobody meets them elsewhere."""
    rooms = {module.room for module in MODULES if "aiokafka" in module.foreign}

    assert rooms <= {"kafka"}


def test_modules_import_without_a_cycle() -> None:
    """Every module can be imported first."""
    graph = {module.name: _imported_modules(module) for module in MODULES}

    assert _cycle(graph) == []


def test_rooms_are_entered_by_their_door() -> None:
    """Below the components, other rooms import what a room's `__init__` exports."""
    wrong = [
        f"{module.place}:{found.line} imports {found.target}"
        for module in MODULES
        for found in module.imports
        if _room(found.target) != module.room
        and _room(found.target) in RANK
        and found.via.count(".") > 1
        and not _side_door(found.target)
    ]

    assert not wrong, _listed(wrong)


def test_doors_open_on_what_the_type_checker_sees() -> None:
    """A door that opens name by name says so twice; both lists and `__all__` are one."""
    doors = [module for module in MODULES if _door(module)]

    assert {module.name for module in doors} >= {"bridge.kafka"}
    for module in doors:
        seen = {
            (entry.via, entry.target.rpartition(".")[2]) for entry in module.imports if entry.lazy
        }
        opened = {
            (f"{module.name}.{place}", name)
            for place, names in (_door(module) or {}).items()
            for name in names.split()
        }
        names = [name for _, name in opened]

        assert seen == opened
        assert sorted(names) == sorted(_exported(module))
        # Importing a module of the package puts it there under its own name.
        assert not {f"{module.name}.{name}" for name in names} & {each.name for each in MODULES}


def test_modules_stay_short() -> None:
    """No module over 400 lines; the listed ones shrink."""
    ceilings = EXCEPTIONS["module_lines"]
    long = {m.place: m.line_count for m in MODULES if m.line_count > MODULE_LINES_MAX}

    assert _over(long, ceilings) == {}
    assert _slack(long, ceilings) == {}


def test_functions_stay_short() -> None:
    """No function over 70 lines; the listed ones shrink."""
    ceilings = EXCEPTIONS["function_lines"]
    long = {
        f"{module.place}::{name}": length(node)
        for module in MODULES
        for name, node in module.functions()
        if length(node) > FUNCTION_LINES_MAX
    }

    assert _over(long, ceilings) == {}
    assert _slack(long, ceilings) == {}


def test_modules_with_logic_have_their_tests() -> None:
    """`tests/unit` mirrors `bridge`: a module's test stands at its place, or a reason is listed."""
    excused = EXCEPTIONS["untested"]
    untested = {module.place for module in MODULES if module.has_logic and not _has_tests(module)}

    unexcused = {place for place in untested if not any(fnmatch(place, e) for e in excused)}
    needless = {entry for entry in excused if not fnfilter(untested, entry)}
    assert not unexcused, _listed(unexcused)
    assert not needless, _listed(needless)


def test_public_names_have_docstrings() -> None:
    """Every module, public class and public function says what it promises."""
    silent = []
    for module in MODULES:
        if any(part.startswith("_") for part in module.name.split(".")[1:]):
            continue
        if not ast.get_docstring(module.tree):
            silent.append(f"{module.place}: module")
        for name, node in (*module.classes(), *module.functions()):
            public = not any(part.startswith("_") for part in name.split("."))
            # A function inside a function is a detail of it.
            nested = name.count(".") >= 2 or _inside_function(module, name)
            if public and not nested and not ast.get_docstring(node) and not _overrides(node):
                silent.append(f"{module.place}:{node.lineno} {name}")

    assert not silent, _listed(silent)


@pytest.mark.parametrize(
    ("pattern", "what"), [(MARKERS, "marker without an issue"), (HOMES, "path of one machine")]
)
def test_text_is_free_of_leftovers(pattern: re.Pattern[str], what: str) -> None:
    """No marker without an issue number, and no path that exists on one machine only."""
    found = [
        f"{name}:{number} {what}: {line.strip()[:80]}"
        for name in _texts()
        for number, line in enumerate(_lines(name), start=1)
        if pattern.search(line) and not ISSUE.search(line)
    ]

    assert not found, _listed(found)


def _listed(found: Iterable[str]) -> str:
    return "\n".join(sorted(found))


def _room(target: str) -> str:
    parts = target.split(".")
    return parts[1] if len(parts) > 1 else ""


def _may_import(module: Module, room: str) -> bool:
    if room == module.room or room not in RANK:
        return True
    return RANK[room] < RANK[module.room]


def _imported_modules(module: Module) -> set[str]:
    """Modules that importing *module* imports, packages on the way left out."""
    names = {other.name for other in MODULES}
    found = set()
    for entry in module.imports:
        if entry.lazy:
            continue
        target = entry.target
        while target not in names and "." in target:
            target = target.rpartition(".")[0]
        # A package's own modules may reach its door only by an import of it, which is a cycle.
        if target != module.name:
            found.add(target)
    return found


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if cycle := visit(target, [*path, name]):
                return cycle
        done.add(name)
        return []

    for name in sorted(graph):
        if cycle := visit(name, []):
            return cycle
    return []


def _door(module: Module) -> dict[str, str] | None:
    """What `bridge.core.door` is told in *module*; `None` if it is not asked there."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "door":
            told: dict[str, str] = ast.literal_eval(node.args[1])
            return told
    return None


def _exported(module: Module) -> list[str]:
    """`__all__` of *module*."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


def _side_door(target: str) -> bool:
    """What stands apart on purpose: components are entered one by one, testing has kits."""
    parts = target.split(".")
    return parts[1] in (*COMPONENTS, "testing", "ottl") or parts[2] in _APART


_APART = {"bundling", "contracts", "doctor", "embedded", "embedded_guard", "otlp_json", "probe"}
"""Modules that their room's door leaves out, because most importers never need them."""


def _over(found: dict[str, int], ceilings: dict[str, int]) -> dict[str, int]:
    return {name: lines for name, lines in found.items() if lines > ceilings.get(name, 0)}


def _slack(found: dict[str, int], ceilings: dict[str, int]) -> dict[str, int]:
    """Ceilings that could be lower, or are needed no more."""
    return {name: lines for name, lines in ceilings.items() if found.get(name, 0) < lines}


def _has_tests(module: Module) -> bool:
    """A test of its name stands at its place, or a test of its room imports it."""
    relative = module.path.relative_to(ROOT / "bridge")
    own = relative.parent.name if relative.stem == "__init__" else relative.stem
    folder = ROOT / "tests/unit" / relative.parent
    name = f"test_{own}"
    named = (path.stem for path in folder.glob("test_*.py"))
    return any(stem == name or stem.startswith(f"{name}_") for stem in named) or (
        module.name in _imported_by_tests(module.room)
    )


@cache
def _imported_by_tests(room: str) -> frozenset[str]:
    """The modules that unit tests of *room* import from, through the doors of their rooms too."""
    tests = [Module(path) for path in (ROOT / "tests/unit" / room).rglob("*.py")]
    targets = {found.target for test in tests for found in test.imports}
    doors = {
        f"{module.name}.{found.target.rpartition('.')[2]}": found.target
        for module in MODULES
        if module.path.stem == "__init__"
        for found in module.imports
    }
    while more := {doors[target] for target in targets if target in doors} - targets:
        targets |= more
    names = {module.name for module in MODULES}
    return frozenset(target if target in names else target.rpartition(".")[0] for target in targets)


def _inside_function(module: Module, name: str) -> bool:
    owner = name.rpartition(".")[0]
    return bool(owner) and owner in {found for found, _ in module.functions()}


def _overrides(node: ast.AST) -> bool:
    """Whether a function carries `@override` or is an overload: its documentation is elsewhere."""
    decorators = getattr(node, "decorator_list", [])
    return any("override" in ast.dump(d) or "overload" in ast.dump(d) for d in decorators)


def _texts() -> list[str]:
    """Source and documentation of the repository, committed or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    kinds = (".py", ".md", ".toml", ".yaml", ".yml", ".sh", ".proto", ".lark", "Makefile")
    return [
        name
        for name in listed.stdout.splitlines()
        if name.endswith(kinds) and (ROOT / name).exists() and not name.endswith("_pb2.py")
    ]


def _lines(name: str) -> list[str]:
    return (ROOT / name).read_text(errors="replace").splitlines()
