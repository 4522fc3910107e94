"""Work that brings no data is bounded."""

import pytest

from bridge.http2 import Http2Limits
from bridge.http2.budget import ActivityBudget
from bridge.http2.frames import ConnectionFault

LIMITS = Http2Limits(
    resets_max_per_10s=3, control_frames_max_per_10s=5, control_frames_per_useful_frame=2
)


def test_resets_over_the_limit_are_a_fault() -> None:
    """Three pass, the fourth does not."""
    budget = ActivityBudget(LIMITS, 0.0)
    for _ in range(3):
        budget.reset(1.0)

    with pytest.raises(ConnectionFault):
        budget.reset(1.0)


def test_useful_frames_buy_control_frames() -> None:
    """Two for each, beyond the five that are free."""
    budget = ActivityBudget(LIMITS, 0.0)
    budget.useful = 1
    for _ in range(7):
        budget.control(1.0)

    with pytest.raises(ConnectionFault):
        budget.control(1.0)


def test_period_ends_after_ten_seconds() -> None:
    """Everything is counted anew, what was useful as well."""
    budget = ActivityBudget(LIMITS, 0.0)
    budget.useful = 100
    for _ in range(5):
        budget.control(9.9)
    for _ in range(5):
        budget.control(10.0)

    with pytest.raises(ConnectionFault):
        budget.control(19.9)
