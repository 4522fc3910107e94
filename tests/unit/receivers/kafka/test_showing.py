"""What the status page shows of a Kafka receiver."""

import json

import pytest

from bridge.core import Malformed, Unavailable
from bridge.flow import Lane
from bridge.receivers.kafka.showing import LETTERS_MAX, Showing, preview, state_of
from tests.unit.receivers.kafka.lanes import started


def _lane() -> Lane:
    lane, _ = started(2)
    return lane


def test_lane_that_holds_names_the_record_and_why() -> None:
    """The first of them, since it is what is to be skipped."""
    lane = _lane()
    lane.get_stuck(1, "later")
    lane.get_stuck(0, "too odd")

    assert state_of(lane) == {
        "state": "holding",
        "offset": 0,
        "reason": "too odd",
        "committed_offset": 0,
    }


def test_lane_that_drains_is_no_longer_ours() -> None:
    """Another member will have it."""
    lane = _lane()
    lane.drain()

    assert state_of(lane, "away")["state"] == "draining"


def test_lane_that_is_tried_again_says_with_what_error() -> None:
    """Until a delivery arrives."""
    showing, lane = Showing(), _lane()
    showing.opened(lane)
    showing.failed(lane, Unavailable("away"))
    (told,) = showing.details()["partitions"]
    assert (told["state"], told["reason"]) == ("retrying", "away")

    showing.succeeded(lane)

    assert showing.details()["partitions"][0]["state"] == "flowing"


@pytest.mark.parametrize(
    ("lane", "word"),
    [
        (started(1, items=1)[0], "max_in_flight_batches"),
        (started(2000)[0], "max_in_flight_mib"),
    ],
)
def test_lane_that_is_paused_says_which_bound_it_met(lane: Lane, word: str) -> None:
    """So that the reader knows the key."""
    lane.paused = True
    told = state_of(lane)

    assert told["state"] == "paused"
    assert word in told["reason"]


def test_lane_with_nothing_to_do_is_idle() -> None:
    """Everything that the log held was delivered."""
    lane, chunk = started(1, at_end=lambda lane: True)
    lane.finish([0])
    lane.end(chunk)

    assert state_of(lane) == {"state": "idle", "reason": "", "committed_offset": 1}


def test_letters_are_bounded_counted_by_reason_and_json() -> None:
    """The newest stay; the counts are of all."""
    showing = Showing()
    lane, chunk = started(1)
    for number in range(LETTERS_MAX + 3):
        showing.dead_lettered(lane, chunk.entries[0], Malformed(f"odd {number}"), 5.0)

    told = showing.details()["dead_letters"]

    assert told["by_reason"] == {"Malformed": LETTERS_MAX + 3}
    assert len(told["latest"]) == LETTERS_MAX
    assert told["latest"][-1]["error"] == f"odd {LETTERS_MAX + 2}"
    assert told["latest"][-1]["preview"] == "body"
    assert json.loads(json.dumps(told)) == told


def test_closed_lane_is_shown_no_more() -> None:
    """Its next owner shows it."""
    showing, lane = Showing(), _lane()
    showing.opened(lane)
    showing.failed(lane, Unavailable("away"))

    showing.closed(lane)

    assert showing.details()["partitions"] == []
    assert showing.failing == {}


def test_preview_shows_text_and_dots() -> None:
    """Control characters would reach a terminal."""
    assert preview(b"GET\x1b[2J\xff/") == "GET.[2J./"
    assert preview(b"x" * 201) == "x" * 200 + "..."
