"""The last log lines."""

import json

from bridge.telemetry.events import EVENTS_MAX, keep_event, recent_events


def test_events_are_bounded_and_the_oldest_go() -> None:
    """Memory does not grow with the log."""
    for number in range(EVENTS_MAX + 10):
        keep_event(None, "info", {"event": "counted", "number": number})

    events = recent_events()

    assert len(events) == EVENTS_MAX
    assert (events[0]["number"], events[-1]["number"]) == (10, EVENTS_MAX + 9)


def test_event_is_passed_on_unchanged_and_kept_as_json_has_it() -> None:
    """Objects become text, long texts are cut, tracebacks are left to the log."""
    event = {"event": "odd", "what": {1, 2}, "text": "x" * 900, "exc_info": ValueError("no")}

    assert keep_event(None, "error", event) is event

    kept = recent_events()[-1]
    assert json.loads(json.dumps(kept)) == kept
    assert kept.keys() == {"event", "what", "text"}
    assert len(kept["text"]) == 503
