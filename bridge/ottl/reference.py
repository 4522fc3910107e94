"""
The page "Your OTTL here", made from the tables that the compiler uses: ``python -m
bridge.ottl.reference`` prints it, and a test holds ``docs/ottl.md`` to it.
"""

from collections.abc import Iterator

from bridge.ottl.contexts import CONTEXTS
from bridge.ottl.functions import FUNCTIONS
from bridge.ottl.signature import Function

_HEAD = """\
# Your OTTL here

The `filter` and `transform` processors read the Collector's statements and conditions, with its
answers: 491 cases of a real Collector are in `tests/vectors`. A function or path that is not on
this page is an error when the file is read, with its line and column. Patterns are RE2; `$1` and
`${name}` in replacements (`$$1` and `$${name}` in YAML) are as in the Collector.

Left out: the XML family, grok, UserAgent, CEF/CLF/ELF/LEEF, IsValidLuhn, CommunityID, and the
exemplar and profile contexts.

This page is generated: `python -m bridge.ottl.reference > docs/ottl.md`.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_paths(), *_functions()]) + "\n"


def _paths() -> Iterator[str]:
    yield "## Paths\n"
    yield "| context | paths |"
    yield "|---|---|"
    for name, context in sorted(CONTEXTS.items()):
        paths = ", ".join(f"`{name}.{path}`" for path in sorted(context.fields(name)) if path)
        yield f"| {name} | {paths} |"
    yield ""


def _functions() -> Iterator[str]:
    editors = {name: found for name, found in FUNCTIONS.items() if name[:1].islower()}
    converters = {name: found for name, found in FUNCTIONS.items() if name[:1].isupper()}
    for title, group in (("Editors", editors), ("Converters", converters)):
        yield f"## {title}\n"
        yield "| function | what it does |"
        yield "|---|---|"
        yield from (_row(group[name]) for name in sorted(group))
        yield ""


def _row(function: Function) -> str:
    shown = ", ".join(str(parameter) for parameter in function.parameters)
    summary = function.summary.replace("|", "\\|")
    return f"| `{function.name}({shown})` | {summary} |"


if __name__ == "__main__":
    print(page(), end="")
