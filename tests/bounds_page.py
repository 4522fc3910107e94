"""
The page of bounds, made from the models: ``python tests/bounds_page.py > docs/bounds.md``.

It has every number and every time in the options of every component, found by its type, so that
none is forgotten; what bounds nothing is left out by name and with its reason.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from pydantic import BaseModel

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bridge.config.fields import Field, element, fields, leaves, models_in  # noqa: E402 - the same
from bridge.options import format_duration  # noqa: E402 - the same
from bridge.service import Registry  # noqa: E402 - the same
from bridge.service.registry import KINDS  # noqa: E402 - the same

NO_BOUNDS: Final = {
    r"tail_sampling\.policies\.": "what is sampled, not what is held",
    r"\.probabilistic_sampler\.": "what is sampled, not what is held",
    r"severity_number\.min$": "what is matched",
    r"\.level$|compression_level$": "CPU against bytes",
    r"\.debug\.sampling_": "what is shown",
    r"multiplier$|randomization_factor$": "the form of a wait, whose bounds are listed",
}
"""Numbers that bound nothing, by their place, and what they set instead."""

NO_EFFECT: Final = re.compile(r"Accepted (?:for|without)|Accepted, without|Without effect")
"""In the description of an option that is taken for the Collector's sake alone."""

HEAD: Final = """# Bounds

Every number and every time that bounds something: what is held, how long it waits, how often it is
tried. Each is set at its place in the configuration, or for one run with
`--set receivers.kafka.max_in_flight_mib=16`. Where 0 stands for no bound, its line says so; all of
it is told by `otlp-bridge explain receivers.kafka.max_in_flight_mib`. What strangers can do, and
the tests that show the limits of it: [limits](limits.md).

This page is generated: `python tests/bounds_page.py > docs/bounds.md`.
"""


def numbers(model: type[BaseModel]) -> Iterator[tuple[str, Field]]:
    """Every option of *model* that is a number or a time, with its dotted place."""
    yield from _numbers(model, "", set())


def _numbers(
    model: type[BaseModel], above: str, seen: set[type[BaseModel]]
) -> Iterator[tuple[str, Field]]:
    # A policy holds policies: what was shown is not shown again below itself.
    seen = {*seen, model}
    for name, field in fields(model).items():
        place = f"{above}{name}"
        inner = element(field.annotation)
        below = models_in(field.annotation) + ([] if inner is None else models_in(inner))
        for deeper in below:
            if deeper not in seen:
                yield from _numbers(deeper, f"{place}.", seen)
        if not below and (field.is_duration or {int, float} & set(leaves(field.annotation))):
            yield place, field


def is_bound(place: str, field: Field) -> bool:
    """Whether the option at a whole *place* bounds something."""
    if NO_EFFECT.search(field.description):
        return False
    return not any(re.search(pattern, place) for pattern in NO_BOUNDS)


def components() -> Iterator[tuple[str, type[BaseModel]]]:
    """What is installed with the bridge, as `receivers.otlp`; second names are left out."""
    registry = Registry()
    seen: set[tuple[str, str]] = set()
    for kind in KINDS:
        for name in registry.types(kind):
            factory = registry.factory(kind, name)
            model = cast(type[BaseModel], factory.config)
            if (kind, factory.type_name) not in seen and model.__module__.startswith("bridge."):
                seen.add((kind, factory.type_name))
                yield f"{kind}.{factory.type_name}", model


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_section(name, model) for name, model in components())


def _section(name: str, model: type[BaseModel]) -> str:
    rows = [
        f"| `{place}` | {_default(field)} | {_unit(place, field)} | {_meaning(field)} |\n"
        for place, field in numbers(model)
        if is_bound(f"{name}.{place}", field)
    ]
    head = f"\n## {name}\n\n| option | default | unit | meaning |\n|---|--:|---|---|\n"
    return head + "".join(rows) if rows else ""


def _default(field: Field) -> str:
    value = field.default
    if value is None:
        return "-"
    if field.is_duration:
        return format_duration(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:,}"


_UNITS: Final = (
    (r"mib|megabytes", "MiB"),
    (r"kib", "KiB"),
    (r"_per_10s$", "in 10 s"),
    (r"_per_s$", "a second"),
    (r"bytes|(?:header|fetch|body)_size", "bytes"),
    (r"percent", "%"),
    (r"_days", "days"),
    (r"max_age", "s"),
)


def _unit(place: str, field: Field) -> str:
    if field.is_duration:
        return "time"
    name = place.rpartition(".")[2]
    return next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "count")


def _meaning(field: Field) -> str:
    """The first sentence of the description, and what 0 means where it is the default."""
    text = " ".join(field.description.split()).replace("|", "\\|")
    first, *others = re.split(r"(?<=\.) (?=[A-Z0-9`])", text)
    zero = [one for one in others if re.search(r"\b0\b", one)] if field.default == 0 else []
    return " ".join([first, *zero])


if __name__ == "__main__":
    sys.stdout.write(page())
