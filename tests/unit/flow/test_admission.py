"""The byte budget at the door."""

import pytest

from bridge.core import Overloaded
from bridge.flow import ByteBudget


def test_budget_full_refuses_with_a_hint() -> None:
    """What does not fit is refused at once, says when to come back and is charged nothing."""
    budget = ByteBudget(100, retry_after_s=3.0)
    budget.acquire(90)

    with pytest.raises(Overloaded) as refused:
        budget.acquire(11)

    assert refused.value.retry_after_s == 3.0
    assert budget.used_bytes == 90
    assert budget.refusals == 1


def test_budget_released_takes_again() -> None:
    """Bytes given back can be charged again, up to the limit itself."""
    budget = ByteBudget(100)
    budget.acquire(100)
    budget.release(100)

    budget.acquire(100)

    assert repr(budget) == "<ByteBudget 100 of 100 bytes in use>"
