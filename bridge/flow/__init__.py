"""
What happens to a batch between stages: joining, branching, repeating, taking turns.

Deciding modules (accumulator, backoff) are synchronous and pure; the stages around them only wait.
"""

from bridge.flow.accumulator import Limits, Reason
from bridge.flow.batching import Batching, Grouping
from bridge.flow.fan_out import BRANCH_BACKOFF, FanOut
from bridge.flow.in_flight import InFlight
from bridge.flow.retrying import Backoff, Health, Retrying

__all__ = [
    # Joining.
    "Batching",
    "Grouping",
    "Limits",
    "Reason",
    # Branching.
    "FanOut",
    "BRANCH_BACKOFF",
    # Repeating and taking turns.
    "Retrying",
    "Backoff",
    "Health",
    "InFlight",
]
