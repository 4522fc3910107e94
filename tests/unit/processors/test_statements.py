"""Errors of OTTL texts as faults of a section."""

import pytest
from pydantic import ValidationError

from bridge.options import OptionFaults
from bridge.processors._statements import check_conditions, check_texts
from bridge.processors.filter import FilterOptions
from bridge.processors.tail_sampling.policy_options import OttlConditionOptions
from bridge.processors.transform import TransformOptions


def places(model: type, config: dict[str, object]) -> list[tuple[str | int, ...]]:
    """Where the faults of *config* are."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(config)  # type: ignore[attr-defined]  # a pydantic model
    found: list[tuple[str | int, ...]] = []
    for detail in caught.value.errors():
        cause = detail["ctx"]["error"]
        assert isinstance(cause, OptionFaults)
        found += [(*detail["loc"], *fault.location) for fault in cause.faults]
    return found


def test_check_conditions_takes_all_or_tells_all() -> None:
    """The place is the index in the list."""
    check_conditions("span", ["kind == 1"])
    with pytest.raises(OptionFaults) as caught:
        check_conditions("span", ["kind = 1", "kind == 1", "kin == 1"])

    assert [(fault.location, fault.offset) for fault in caught.value.faults] == [
        ((0,), 5),
        ((2,), 0),
    ]
    assert caught.value.faults[0].text == "kind = 1"


def test_check_texts_joins_the_faults_of_several_groups() -> None:
    """Nothing is told if nothing is wrong."""
    check_texts([])
    with pytest.raises(OptionFaults) as caught:
        check_texts(
            [
                (lambda place: ("first", *place), lambda: check_bad("a")),
                (lambda place: ("second", *place), lambda: check_bad("b")),
            ]
        )

    assert [fault.location[0] for fault in caught.value.faults] == ["first", "second"]


def check_bad(name: str) -> None:
    """Compile something that cannot be."""
    from bridge.ottl import Conditions

    Conditions("span", [f"{name} == 1"])


def test_transform_places_plain_statements_behind_groups() -> None:
    """Their index is that in the whole list, where groups stand too."""
    config = {
        "trace_statements": [
            {"context": "span", "statements": ["set(name, 1", 'set(name, "")'], "conditions": "x"},
            "set(span.name, Nope())",
            "set(span.nam, 1)",
        ],
        "log_statements": [{"context": "span", "statements": "set(name, 1)"}],
    }

    assert places(TransformOptions, config) == [
        ("trace_statements", 0, "conditions", 0),
        ("trace_statements", 0, "statements", 0),
        ("trace_statements", 1),
        ("trace_statements", 2),
        ("log_statements", 0, "context"),
    ]


def test_filter_places_conditions_of_all_generations() -> None:
    """In groups, plain, and by context."""
    assert places(
        FilterOptions,
        {
            "trace_conditions": [{"context": "log", "conditions": []}, {"conditions": ["span.x"]}],
            "log_conditions": ["log.body == 1", "log.bod == 1"],
            "metrics": {"metric": ["nam == 1"], "datapoint": "x == 1"},
        },
    ) == [
        ("trace_conditions", 0, "context"),
        ("trace_conditions", 1, "conditions", 0),
        ("log_conditions", 1),
        ("metrics", "metric", 0),
        ("metrics", "datapoint", 0),
    ]


def test_tail_sampling_places_conditions_in_their_lists() -> None:
    """Of spans and of events."""
    config: dict[str, object] = {"span": ["kind == 1", "kin == 1"], "spanevent": ["x == 1"]}

    assert places(OttlConditionOptions, config) == [("span", 1), ("spanevent", 0)]
