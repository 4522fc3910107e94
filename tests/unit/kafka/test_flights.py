"""A flight tells its outcome, and which it is."""

from aiokafka import TopicPartition

from bridge.kafka.flights import Flight, Lane
from bridge.kafka.raw_producer import Written


def test_flight_tells_what_became_of_it() -> None:
    """Whoever hears of it can see whether the lane still waits for this one."""
    heard: list[tuple[Flight, Written | BaseException]] = []
    lane = Lane(TopicPartition("spans", 3))
    flight = Flight(lambda *outcome: heard.append(outcome), lane, [], [], 0.0)
    lane.flight = flight
    written = Written(5, 10, 40, 0.1)
    flight.landed(written)

    assert [(flight, written)] == heard
    assert lane is flight.lane
    assert len(lane.entries) == 0
