"""The page of verbs, made from their functions: ``python tests/verbs_page.py > docs/verbs.md``."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import cyclopts

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bridge.cli.app import _VERBS  # noqa: E402 - the same

HEAD: Final = """# Verbs

What `otlp-bridge` can be told, as `otlp-bridge VERB --help` says it too. Options are written with
two dashes, as `--config`; an argument is written as it is. Every verb takes `--output json`.

This page is generated: `python tests/verbs_page.py > docs/verbs.md`.
"""

_PARAMETERS: Final = re.compile(r"^Parameters\n-+\n", re.MULTILINE)


def verbs() -> Iterator[tuple[str, Callable[..., int]]]:
    """Every verb by what is typed, with the function behind it; verbs of verbs singly."""
    for name, target, _ in _VERBS:
        module, _, attribute = target.partition(":")
        behind: Any = getattr(importlib.import_module(module), attribute)
        if isinstance(behind, cyclopts.App):
            for own in behind:
                if not own.startswith("-"):
                    yield f"{name} {own}", behind[own].default_command
        else:
            yield name, behind


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_section(name, function) for name, function in sorted(verbs()))


def _section(name: str, function: Callable[..., int]) -> str:
    prose, *parameters = _PARAMETERS.split(inspect.getdoc(function) or "", maxsplit=1)
    # Code is marked as in Markdown; nothing else of reST is in these texts.
    text = prose.strip().replace("``", "`")
    rows = "".join(
        f"- {_written(one, function)}: {told}\n" for one, told in _told("".join(parameters))
    )
    return f"\n## {name}\n\n{text}\n\n{rows}"


def _told(parameters: str) -> Iterator[tuple[str, str]]:
    """Names and meanings of a numpydoc section."""
    for name, told in re.findall(r"^(\w+)\n((?:[ ].*\n?|\n)+)", parameters, re.MULTILINE):
        yield name, " ".join(told.split()).replace("``", "`")


def _written(name: str, function: Callable[..., int]) -> str:
    kind = inspect.signature(function).parameters[name].kind
    word = name.rstrip("_").replace("_", "-")
    if kind is inspect.Parameter.KEYWORD_ONLY or name in ("config", "set_"):
        return f"`--{word}`"
    return f"`{word.upper()}` or `--{word}`"


if __name__ == "__main__":
    sys.stdout.write(page())
