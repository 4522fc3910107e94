"""The transform processor gives what a Collector gave, on traces."""

from typing import Any

import pytest

from bridge.processors.transform import FACTORY
from tests.vectors.comparison import load
from tests.vectors.processing import expected_of, outcome_of

_VECTORS = load("ottl_traces")


@pytest.mark.parametrize("case", _VECTORS["cases"], ids=lambda case: case["id"])
async def test_transform_case_gives_collectors_answer(case: dict[str, Any]) -> None:
    """Output, refusal at start and refusal at run time are the Collector's."""
    request = _VECTORS["fixtures"][case["input"]["fixture"]]

    outcome = await outcome_of(FACTORY, case["config"], request)

    assert expected_of(case) == outcome, case["about"]
