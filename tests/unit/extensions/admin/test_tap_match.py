"""Which items a tap shows."""

import pytest

from bridge.core import Signal
from bridge.extensions.admin.tap_match import TapMatcher
from bridge.testing import Made, log_request, metric_request, trace_request
from bridge.wire import count_items

TRACES = trace_request(traces=4, spans_per_trace=3, service="shop", failed_share=1.0)


def matched(where: str, made: Made) -> int:
    """How many items met the condition; the cut request holds exactly those."""
    found = TapMatcher(where).match(made.signal, made.body, made.items)
    if found is None:
        return 0
    assert count_items(made.signal, found.body) == found.items
    return found.items


@pytest.mark.parametrize(
    ("where", "items"),
    [
        ("", 12),
        ('service.name == "shop"', 12),
        ('service.name == "other"', 0),
        ('service.name != "shop"', 0),
        ('service.name != "other"', 12),
        ("status.code == 2", 4),
        ('resource.attributes["service.name"] == "shop" and status.code == 2', 4),
        ("span.status.code == 2", 4),
        # A condition that fails for an item shows nothing of it.
        ('Int(attributes["absent"]) > 1', 0),
    ],
)
def test_condition_or_attribute_chooses_spans(where: str, items: int) -> None:
    """In OTTL, or as an attribute of the resource or the span and its value."""
    assert matched(where, TRACES) == items


@pytest.mark.parametrize("made", [log_request(3), metric_request(3)])
def test_attribute_chooses_of_every_signal(made: Made) -> None:
    """The resource's attributes are there for all."""
    assert matched('service.name == "checkout"', made) > 0
    assert matched('service.name == "nobody"', made) == 0


def test_condition_of_one_signal_shows_nothing_of_others() -> None:
    """Spans have a status, log records have none."""
    matcher = TapMatcher("status.code == 2")
    made = log_request(3)

    assert matcher.match(Signal.LOGS, made.body, made.items) is None


@pytest.mark.parametrize("where", ["foo(", "name ==", 'service.name = "x"'])
def test_condition_that_cannot_run_is_told(where: str) -> None:
    """Before anything is watched."""
    with pytest.raises(ValueError, match=r"line 1, column|unknown|unexpected"):
        TapMatcher(where)
