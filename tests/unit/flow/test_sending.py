"""The chain around one attempt: counts, splitting, joining, and the order of things."""

import asyncio

import pytest

from bridge.core import ACCEPTED, Receipt, Refused, Signal, TooLarge, Unavailable
from bridge.flow import Sending
from bridge.options import RetryOnFailure, SendingQueue
from bridge.testing import builders


def sending(stage, settings, *, bytes_max=1 << 20, queue=None, **retry) -> Sending:
    return Sending(
        stage.deliver,
        settings,
        retry=RetryOnFailure.model_validate(retry),
        queue=SendingQueue.model_validate(queue or {}),
        request_bytes_max=bytes_max,
    )


async def test_success_is_counted_as_sent(settings, told, a_batch, figures) -> None:
    """Items that the backend took are sent; those it rejected are counted apart and not resent."""
    stage = told([ACCEPTED, Receipt(2, "old")])
    way = sending(stage, settings)

    assert await way.deliver(a_batch(items=5)) is ACCEPTED
    assert await way.deliver(a_batch(items=5)) == Receipt(2, "old")

    assert figures.value("otelcol_exporter_sent_spans", exporter="otlp/backend") == 8
    assert figures.value("bridge_exporter_rejected_items", signal="traces") == 2
    assert len(stage.got) == 2


async def test_failure_is_counted_once(clock, settings, told, a_batch, figures) -> None:
    """Only the last outcome counts, whatever attempts came before."""
    stage = told([Unavailable("x"), Refused("no")])
    task = asyncio.create_task(sending(stage, settings).deliver(a_batch(items=5)))
    await clock.advance(60)

    with pytest.raises(Refused):
        await task
    assert figures.value("otelcol_exporter_send_failed_spans") == 5
    assert figures.value("bridge_exporter_retries") == 1


async def test_empty_batch_is_not_sent(settings, told, a_batch) -> None:
    """An envelope that filters emptied is not worth a request."""
    stage = told()

    assert await sending(stage, settings).deliver(a_batch(b"\x0a\x00", 0)) is ACCEPTED
    assert stage.got == []


async def test_oversize_request_is_split(settings, told, a_batch) -> None:
    """A request above the limit goes in pieces that keep it and hold all items."""
    made = builders.sample(Signal.TRACES, 50)
    stage = told()
    limit = len(made.body) // 4
    way = sending(stage, settings, bytes_max=limit)

    assert await way.deliver(a_batch(made.body, 50)) is ACCEPTED
    assert sum(batch.items for batch in stage.got) == 50
    assert len(stage.got) > 3
    assert all(len(batch.body) <= limit for batch in stage.got)
    sent = [span for batch in stage.got for span in builders.span_ids(batch.body)]
    assert sorted(sent) == sorted(made.span_ids)


async def test_oversize_item_is_too_large(settings, told, a_batch) -> None:
    """One item above the limit is refused; a waiting sender's other items still go."""
    big = builders.trace_request(1, padding_bytes=5000)
    small = builders.sample(Signal.TRACES, 3, seed=1)
    body = small.body + big.body
    stage = told()
    way = sending(stage, settings, bytes_max=3000)

    receipt = await way.deliver(a_batch(body, 4, deadline_s=4))
    assert receipt.rejected_items == 1
    assert "max_request_bytes" in receipt.message
    assert sum(batch.items for batch in stage.got) == 3
    with pytest.raises(TooLarge):
        await way.deliver(a_batch(body, 4))


async def test_only_the_failed_piece_is_repeated(clock, settings, told, a_batch) -> None:
    """Pieces that were taken are not sent again when another one fails."""
    made = builders.sample(Signal.TRACES, 20)
    stage = told([ACCEPTED, Unavailable("x")])
    way = sending(stage, settings, bytes_max=len(made.body) // 2 + 200)
    task = asyncio.create_task(way.deliver(a_batch(made.body, 20)))
    await clock.advance(60)

    assert await task is ACCEPTED
    assert [batch.body for batch in stage.got][1] == [batch.body for batch in stage.got][2]
    assert len(stage.got) == 3


async def test_queue_batch_joins(settings, told, a_batch) -> None:
    """sending_queue.batch joins what is delivered at the same time."""
    stage = told()
    way = sending(stage, settings, queue={"batch": {"min_size": 100}})
    await asyncio.gather(*(way.deliver(a_batch(items=3)) for _ in range(4)))

    assert [batch.items for batch in stage.got] == [12]


async def test_disabled_queue_batch_does_not_join(settings, told, a_batch) -> None:
    """A batch block that is switched off changes nothing."""
    stage = told()
    way = sending(stage, settings, queue={"batch": {"enabled": False}})
    await asyncio.gather(*(way.deliver(a_batch(items=3)) for _ in range(4)))

    assert len(stage.got) == 4


async def test_waiting_between_attempts_holds_no_turn(clock, settings, told, a_batch) -> None:
    """While one delivery waits for its next attempt, others use the turn."""
    stage = told([Unavailable("x")])
    way = sending(stage, settings, queue={"num_consumers": 1})
    failing = asyncio.create_task(way.deliver(a_batch()))
    await clock.advance(1)

    assert await way.deliver(a_batch()) is ACCEPTED
    await clock.advance(60)
    assert await failing is ACCEPTED
