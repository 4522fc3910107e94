"""The package's source as facts: modules, what they import, how long things are."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bridge"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One import of something inside the package."""

    target: str
    """The dotted module, or module and name, as written, made absolute."""
    via: str
    """The module that the statement names: ``bridge.core`` in ``from bridge.core import x``."""
    line: int
    lazy: bool
    """Inside a function, or only for the type checker."""


@dataclass(frozen=True)
class Module:
    """One source file of the package; generated ones are not among them."""

    path: Path

    @property
    def place(self) -> str:
        """The path from the repository's root, with forward slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """The dotted name; a package goes by its own name."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def room(self) -> str:
        """The folder below `bridge`, or the file's own name at the top."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else ""

    @cached_property
    def text(self) -> str:
        """The source."""
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.text, self.place)

    @property
    def line_count(self) -> int:
        """Physical lines."""
        return self.text.count("\n")

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import of modules of the package."""
        lazy = {id(node) for owner in _lazy_owners(self.tree) for node in ast.walk(owner)}
        return tuple(
            Import(target, _via(node, target), getattr(node, "lineno", 0), id(node) in lazy)
            for node in ast.walk(self.tree)
            for target in _targets(node)
            if target.split(".")[0] == "bridge"
        )

    @cached_property
    def foreign(self) -> frozenset[str]:
        """Top-level names of everything imported from outside the package."""
        return frozenset(
            target.split(".")[0] for node in ast.walk(self.tree) for target in _targets(node)
        ) - {"bridge"}

    def functions(self) -> Iterator[tuple[str, FunctionNode]]:
        """Every function and method with its qualified name."""
        yield from _functions(self.tree, "")

    def classes(self) -> Iterator[tuple[str, ast.ClassDef]]:
        """Every class at the top of the module."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                yield node.name, node

    @property
    def has_logic(self) -> bool:
        """Whether anything in it could be tested: a function with more in it than a constant."""
        return any(not _is_trivial(function) for _, function in self.functions())


def modules() -> list[Module]:
    """All modules of the package but generated ones, by name."""
    found = (
        Module(path)
        for path in PACKAGE.rglob("*.py")
        if not path.name.endswith("_pb2.py") and "__pycache__" not in path.parts
    )
    return sorted(found, key=lambda module: module.name)


def length(node: FunctionNode) -> int:
    """Lines of a function, decorators and docstring left out."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (node.end_lineno or node.lineno) - body[0].lineno + 1 + (body[0].lineno > node.lineno)


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _via(node: ast.AST, target: str) -> str:
    return node.module or target if isinstance(node, ast.ImportFrom) else target


def _lazy_owners(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from node.body


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FunctionNode):
            yield f"{prefix}{child.name}", child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _is_trivial(function: FunctionNode) -> bool:
    """A body of a docstring, ``...``, ``pass`` or nothing else."""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in function.body
    )
