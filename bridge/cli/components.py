"""``otlp-bridge components``"""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge import __version__
from bridge.cli.exit_codes import EXIT_OK, EXIT_UNAVAILABLE
from bridge.cli.output import Output, print_json
from bridge.config import KINDS, BrokenComponentError, FactorySource, load_factory
from bridge.core import Signal


@dataclass(frozen=True, slots=True)
class Listed:
    """One component: its type, other names of it, and how stable it is; or why it cannot load."""

    kind: str
    name: str
    aliases: tuple[str, ...] = ()
    stability: str = ""
    signals: tuple[str, ...] = ()
    error: str = ""


def components(*, output: Output = "text") -> int:
    """
    List the installed components with their stability and the signals that they support.

    Exit codes: 0 listed, 64 wrong usage.

    Parameters
    ----------
    output
        The Collector's YAML for people, or JSON.
    """
    from bridge.service import Registry  # Not for --help.

    found = list(list_components(Registry()))
    if output == "json":
        print_json(
            {
                "version": __version__,
                **{kind: [_data(one) for one in found if one.kind == kind] for kind in KINDS},
            }
        )
    else:
        print("\n".join(_lines(found)))
    return EXIT_UNAVAILABLE if any(one.error for one in found) else EXIT_OK


def list_components(factories: FactorySource) -> Iterator[Listed]:
    """Every component once, by kind and name; other spellings of a type are its aliases."""
    for kind in KINDS:
        seen: dict[int, list[str]] = {}
        loaded = {}
        for name in factories.types(kind):
            try:
                factory = load_factory(factories, kind, name)
            except BrokenComponentError as error:
                yield Listed(kind, name, error=str(error))
                continue
            seen.setdefault(id(factory), []).append(name)
            loaded[id(factory)] = factory
        for key, names in seen.items():
            factory = loaded[key]
            main = factory.type_name if factory.type_name in names else names[0]
            others = {*names, *factory.aliases} - {main}
            signals: frozenset[Signal] = getattr(factory, "signals", frozenset())
            yield Listed(
                kind=kind,
                name=main,
                aliases=tuple(sorted(others)),
                stability=factory.stability.value,
                signals=tuple(signal.value for signal in Signal if signal in signals),
            )


def _data(one: Listed) -> dict[str, object]:
    data: dict[str, object] = {"name": one.name, "aliases": list(one.aliases)}
    if one.error:
        return {**data, "error": one.error}
    return {**data, "stability": one.stability, "signals": list(one.signals)}


def _lines(found: list[Listed]) -> Iterator[str]:
    yield "buildinfo:"
    yield "    command: otlp-bridge"
    yield f"    version: {__version__}"
    for kind in KINDS:
        yield f"{kind}:"
        for one in found:
            if one.kind != kind:
                continue
            yield f"    - name: {one.name}"
            if one.aliases:
                yield f"      aliases: [{', '.join(one.aliases)}]"
            if one.error:
                yield f"      error: {one.error!r}"
            elif one.signals:
                yield "      stability:"
                yield from (f"        {signal}: {one.stability}" for signal in one.signals)
            else:
                yield f"      stability: {one.stability}"
