"""Commits of what lanes finished."""

import aiokafka.errors as kafka
import pytest

from bridge.core import Denied, Unavailable
from bridge.flow import Lane, decode_islands
from bridge.kafka.commit import Committer
from bridge.kafka.embedded_guard import EmbeddedGuard
from bridge.testing import RecordingMetrics
from tests.unit.kafka.consuming import LIMITS, ONE, TWO, FakeClient, as_read, record


def _lane(partition: int = 0, read: int = 3) -> Lane:
    lane = Lane("spans", partition, 1, LIMITS)
    lane.open(0)
    lane.admit(as_read(record(offset) for offset in range(read)))
    return lane


def _committer(
    client: FakeClient,
    metrics: RecordingMetrics,
    islands: bool = True,
    guard: EmbeddedGuard | None = None,
) -> Committer:
    return Committer(
        client,  # type: ignore[arg-type]  # A fake of what is asked of it.
        metrics,
        {"receiver": "kafka"},
        group="processing",
        principal="User:bridge",
        islands=islands,
        guard=guard,
    )


async def test_committer_commits_lowest_unfinished_with_islands() -> None:
    """All lanes go in one request, each with what is finished beyond its offset."""
    client, metrics = FakeClient(), RecordingMetrics()
    one, two = _lane(0), _lane(1)
    one.finish([0, 2])
    two.finish([0, 1, 2])

    await _committer(client, metrics).commit([one, two])

    (request,) = client.commits
    assert (request[ONE][0], decode_islands(request[ONE][1], 1, 9)) == (1, ((2, 3),))
    assert request[TWO] == (3, "")
    assert metrics.value("bridge_kafka_receiver_commits") == 1


async def test_committer_commits_changes_only() -> None:
    """What was committed already is not sent again; nothing to say asks nobody."""
    client = FakeClient()
    committer = _committer(client, RecordingMetrics())
    lane = _lane()

    await committer.commit([lane])
    await committer.commit([lane])
    lane.finish([0])
    await committer.commit([lane])

    assert [request[ONE][0] for request in client.commits] == [0, 1]


async def test_committer_leaves_ended_assignments_alone() -> None:
    """Lanes that are closed, or not open yet, commit nothing."""
    client = FakeClient()
    closed = _lane()
    closed.close()

    await _committer(client, RecordingMetrics()).commit([closed, Lane("spans", 1, 1, LIMITS)])

    assert client.commits == []


async def test_committer_too_late_is_no_error() -> None:
    """When the group went on without us, the new owner reads again: counted, nothing raised."""
    client, metrics = FakeClient(), RecordingMetrics()
    client.commit_errors.append(kafka.CommitFailedError("rebalanced"))
    lane = _lane()

    await _committer(client, metrics).commit([lane])

    assert lane.last_commit is None
    assert metrics.value("bridge_kafka_receiver_commit_failures") == 1


async def test_committer_shortens_metadata_that_brokers_refuse() -> None:
    """A broker with a smaller limit costs islands, not commits."""
    client = FakeClient()
    committer = _committer(client, RecordingMetrics())
    lane = _lane(read=9)
    lane.finish([1, 3, 5, 7])
    for _ in range(7):  # 4096 characters halve to 32, which hold one run and the rest of the text.
        client.commit_errors.append(kafka.OffsetMetadataTooLargeError())
        await committer.commit([lane])

    await committer.commit([lane])

    assert len(client.commits[0][ONE][1]) <= 32


async def test_committer_without_islands_writes_no_metadata() -> None:
    """`islands: false` leaves the metadata empty."""
    client = FakeClient()
    lane = _lane()
    lane.finish([2])

    await _committer(client, RecordingMetrics(), islands=False).commit([lane])

    assert client.commits == [{ONE: (0, "")}]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (kafka.GroupAuthorizationFailedError("processing"), Denied),
        (TimeoutError(), Unavailable),
    ],
)
async def test_committer_failure_is_translated(error: Exception, expected: type[Exception]) -> None:
    """What the brokers say comes in our words, with the group's name."""
    client = FakeClient()
    client.commit_errors.append(error)

    with pytest.raises(expected, match="commit offsets of group processing"):
        await _committer(client, RecordingMetrics()).commit([_lane()])


async def test_committer_tells_the_embedded_broker_what_it_may_forget() -> None:
    """Commits free the room of the embedded broker."""
    guard = EmbeddedGuard()
    guard.admit("spans", 0, 10)
    guard.written("spans", 0, 10, 3)
    lane = _lane()
    lane.finish([0, 1, 2])

    await _committer(FakeClient(), RecordingMetrics(), guard=guard).commit([lane])

    assert guard.held("spans", 0) == (0, 0)
