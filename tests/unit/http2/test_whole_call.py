"""A call that has arrived whole, as an object."""

from bridge.core import ACCEPTED, Unavailable
from bridge.http2 import Head, WholeCall
from bridge.http2.whole_call import SettledCalls

HEAD = Head(b"POST", b"/a/B", b"", (), None)


class Waking:
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.count = 0
        self.settled = SettledCalls(self.wake)

    def wake(self) -> None:
        """Count."""
        self.count += 1

    def call(self, stream_id: int = 1) -> WholeCall:
        """A call that settles here."""
        return WholeCall(stream_id, HEAD, (), b"message", 0, self.settled)


def test_the_first_that_settles_wakes() -> None:
    """The others join it."""
    waking = Waking()
    calls = [waking.call(each) for each in (1, 3)]

    for each in calls:
        each.settle(ACCEPTED)

    assert waking.settled.calls == calls
    assert waking.count == 1
    assert [each.outcome for each in calls] == [ACCEPTED, ACCEPTED]


def test_only_faults_of_ours_are_kept_for_the_log() -> None:
    """What the bridge itself says is an answer, nothing more."""
    waking = Waking()
    known, fault = Unavailable("away"), RuntimeError("oh")

    waking.call().fail(known)
    waking.call(3).fail(fault)

    assert [known, fault] == [each.outcome for each in waking.settled.calls]
    assert waking.settled.faults == [fault]


def test_the_body_is_given_once() -> None:
    """And not held afterwards."""
    call = Waking().call()

    assert call.take_body(5) == b"message"
    assert call.take_body(5) == b""
