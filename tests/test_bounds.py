"""The page of bounds has every number of every component, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tests.bounds_page import NO_BOUNDS, NO_EFFECT, components, is_bound, numbers, page

ROOT = Path(__file__).parents[1]
COMPONENTS = dict(components())
DURATION = "ns|us|µs|ms|s|m|h"


def test_bounds_page_is_up_to_date() -> None:
    """See `bounds_page.py` for how it is made."""
    assert page() == (ROOT / "docs/bounds.md").read_text()


def test_bounds_of_all_our_kinds_of_component_are_there() -> None:
    """Those that have an option which bounds something."""
    found = set(re.findall(r"^## (\S+)$", page(), re.MULTILINE))

    assert {"receivers.kafka", "receivers.otlp", "exporters.kafka", "exporters.otlp"} <= found
    assert {"processors.tail_sampling", "processors.batch", "extensions.admin"} <= found


def _schema_numbers(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Names and descriptions of what is a number or a time by the JSON Schema of *model*."""
    schema = model.model_json_schema()
    for definition in (schema, *schema.get("$defs", {}).values()):
        for name, prop in definition.get("properties", {}).items():
            if any(_is_number(part) for part in (prop, *prop.get("anyOf", []))):
                yield name, prop.get("description", "")


def _is_number(part: dict[str, Any]) -> bool:
    return part.get("type") in ("integer", "number") or DURATION in part.get("pattern", "")


@pytest.mark.parametrize("name", COMPONENTS)
def test_no_number_of_the_schema_is_missing(name: str) -> None:
    """Found another way than the page finds them: by the JSON Schema that pydantic makes."""
    model = COMPONENTS[name]
    section = page().partition(f"## {name}\n")[2].partition("\n## ")[0]
    shown = {place.rpartition(".")[2] for place in re.findall(r"^\| `(\S+)`", section, re.M)}
    places = [f"{name}.{place}" for place, _ in numbers(model)]
    left_out = {
        place.rpartition(".")[2]
        for place in places
        if any(re.search(pattern, place) for pattern in NO_BOUNDS)
    }
    wanted = {key for key, told in _schema_numbers(model) if not NO_EFFECT.search(told)}

    assert wanted - shown - left_out == set()


def test_every_reason_to_leave_out_leaves_something_out() -> None:
    """A pattern that matches nothing hides the next option of its name."""
    places = [
        f"{name}.{place}" for name, model in COMPONENTS.items() for place, _ in numbers(model)
    ]

    assert [one for one in NO_BOUNDS if not any(re.search(one, place) for place in places)] == []


def test_default_of_zero_is_explained() -> None:
    """Where 0 is the default, the line says what it stands for, or there is no option to bound."""
    silent = [
        f"{name}.{place}"
        for name, model in COMPONENTS.items()
        for place, field in numbers(model)
        if field.default == 0
        and is_bound(f"{name}.{place}", field)
        and not re.search(r"\b0\b", field.description)
    ]

    assert silent == []
