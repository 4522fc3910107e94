"""The part that all processors that change batches share, and their shared option type."""

import pytest
from pydantic import TypeAdapter

from bridge.core import Batch, Deadline, Malformed, Refused, Signal, Unavailable
from bridge.ottl import OttlError
from bridge.processors._rewrite import Change
from bridge.processors._stage import RewritingStage
from bridge.processors._texts import Texts
from bridge.testing import FakeStage, ManualClock, make_settings, otlp_origin


def stage_of(change: Change, downstream: FakeStage) -> RewritingStage:
    """A stage with that change."""
    return RewritingStage(make_settings("filter/x"), downstream, lambda batch: change)


def a_batch() -> Batch:
    """Three items."""
    return Batch(Signal.TRACES, b"abc", 3, otlp_origin(ManualClock()))


async def test_stage_delivers_what_is_left() -> None:
    """The same object if nothing changed."""
    sink, batch = FakeStage(), a_batch()
    await stage_of(lambda body: (b"ab", -1), sink).deliver(batch)
    await stage_of(lambda body: (body, 0), sink).deliver(batch)

    assert [(one.body, one.items) for one in sink.taken] == [(b"ab", 2), (b"abc", 3)]
    assert sink.taken[1] is batch


async def test_stage_finishes_a_batch_of_which_nothing_is_left() -> None:
    """A named rule dropped it: nobody downstream hears of it."""
    sink = FakeStage()

    receipt = await stage_of(lambda body: (b"", -3), sink).deliver(a_batch())

    assert (receipt.dropped_items, receipt.rejected_items) == (3, 0)
    assert sink.offered == []


@pytest.mark.parametrize(
    ("raised", "error"), [(OttlError("no"), Refused), (Malformed("bad"), Malformed)]
)
async def test_stage_translates_errors_of_the_change(
    raised: Exception, error: type[Exception]
) -> None:
    """A statement that propagates refuses the data, with the component's name; cause chained."""

    def change(body: bytes) -> tuple[bytes, int]:
        raise raised

    with pytest.raises(error, match=r"no|bad") as caught:
        await stage_of(change, FakeStage()).deliver(a_batch())

    assert error is Malformed or ("filter/x" in str(caught.value))
    assert error is Malformed or caught.value.__cause__ is raised


async def test_stage_hands_refusals_of_downstream_on() -> None:
    """Untouched."""
    sink = FakeStage(otherwise=Unavailable("away"))

    with pytest.raises(Unavailable, match="away"):
        await stage_of(lambda body: (b"ab", -1), sink).deliver(a_batch())


async def test_stage_starts_and_stops_with_nothing_in_hand() -> None:
    """Twice too."""
    stage, clock = stage_of(lambda body: (body, 0), FakeStage()), ManualClock()
    await stage.start()
    for _ in range(2):
        await stage.stop(Deadline.after(1.0, clock))

    assert stage.rewritten(a_batch()) is not None


def test_texts_take_one_text_for_a_list() -> None:
    """As the Collector does."""
    adapter: TypeAdapter[list[str]] = TypeAdapter(Texts)

    assert adapter.validate_python("a") == ["a"]
    assert adapter.validate_python(["a", "b"]) == ["a", "b"]
    with pytest.raises(ValueError, match="list"):
        adapter.validate_python(5)
