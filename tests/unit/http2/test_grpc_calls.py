"""Whole gRPC calls, begun and answered together."""

from bridge.core import ACCEPTED
from bridge.flow import ByteBudget
from bridge.http2 import GrpcCalls, Head, WholeCall, message_response
from bridge.http2.grpc_calls import EXPIRY_GRACE_S
from bridge.http2.whole_call import SettledCalls
from bridge.testing import ManualClock

OK = message_response(b"")


class Method:
    """Notes what it is asked, and declines calls of these streams."""

    def __init__(self, *declined: int) -> None:
        self.declined = declined
        self.begun: list[list[int]] = []
        self.answered: list[list[int]] = []

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """Begin those that are not declined."""
        self.begun.append([each.id for each in calls])
        return [each for each in calls if each.id in self.declined]

    def answer(self, calls: list[WholeCall]) -> None:
        """Say OK."""
        self.answered.append([each.id for each in calls])


def make_call(
    stream_id: int, path: bytes = b"/a/B", timeout: bytes = b"", flag: int = 0
) -> WholeCall:
    """A call of ten bytes."""
    volatile = ((b"grpc-timeout", timeout),) if timeout else ()
    settled = SettledCalls(lambda: None)
    call = WholeCall(
        stream_id, Head(b"POST", path, b"", (), None), volatile, bytes(10), flag, settled
    )
    call.charge_bytes = 10
    return call


def make_calls(budget: ByteBudget, **methods: Method) -> tuple[GrpcCalls, ManualClock]:
    """The methods ``/a/<name>``."""
    clock = ManualClock()
    paths = {f"/a/{name}".encode(): method for name, method in methods.items()}
    calls = GrpcCalls(paths, clock=clock, budget=budget, message_bytes_max=100, answer_s=4.0)
    return calls, clock


def test_each_method_gets_its_calls_in_order() -> None:
    """What it declines, what is compressed and what is nobody's is given back."""
    first, second = Method(9), Method()
    calls, _ = make_calls(ByteBudget(100), B=first, C=second)

    rest = calls.begin(
        [
            make_call(1),
            make_call(3, b"/a/C"),
            make_call(5),
            make_call(7, flag=1),
            make_call(9),
            make_call(11, b"/a/D"),
        ]
    )

    assert first.begun == [[1, 5, 9]]
    assert second.begun == [[3]]
    assert sorted(each.id for each in rest) == [7, 9, 11]


def test_deadlines_are_the_nearer_one() -> None:
    """The client's, if it is before ours; the stream's own is a little later."""
    calls, clock = make_calls(ByteBudget(100), B=Method())
    made = [make_call(1), make_call(3, timeout=b"1S"), make_call(5, timeout=b"9S")]

    calls.begin(made)

    now = clock.monotonic()
    assert [each.answer_by - now for each in made] == [4.0, 1.0, 4.0]
    assert all(each.deadline_at == each.answer_by + EXPIRY_GRACE_S for each in made)


def test_what_was_charged_is_given_back_once() -> None:
    """With the answer, or before it, by whoever drops the stream."""
    budget, method = ByteBudget(100), Method()
    calls, _ = make_calls(budget, B=method)
    assert calls.room_bytes == 100
    calls.charge(30)
    assert calls.room_bytes == 70
    made = [make_call(each) for each in (1, 3, 5)]
    calls.begin(made)
    budget.release(made[1].charge_bytes)
    made[1].charge_bytes = 0
    for each in made:
        each.settle(ACCEPTED)

    calls.answer(made)

    assert method.answered == [[1, 3, 5]]
    assert budget.used_bytes == 0
    assert all(each.pending is None for each in made)
