"""Writing dead letters, against the in-process broker."""

from collections.abc import AsyncIterator

import pytest

from bridge.core import Deadline, Signal, SystemClock, Unavailable
from bridge.flow import Letter
from bridge.kafka import DeadLetterWriter, LetterBox
from bridge.kafka import dead_letter as module
from bridge.kafka.embedded import EmbeddedBroker

LETTER = Letter(
    "spans", 3, 7, 8, 1000, None, None, (("tenant", b"a"),), Signal.TRACES, "otlp_proto",
    "processing", "Refused", "odd", 0.0,
)  # fmt: skip


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    """A running broker with a topic for letters."""
    broker = EmbeddedBroker({"letters": 1})
    await broker.start()
    yield broker
    await broker.stop()


async def test_writer_letters_can_be_read(broker: EmbeddedBroker) -> None:
    """A letter is safe when `put` returns; without key and value it has an empty value."""
    connection = {"bootstrap_servers": broker.bootstrap}
    writer = DeadLetterWriter(connection, "letters")
    await writer.put(LETTER)
    deadline = Deadline.after(5.0, SystemClock())
    await writer.stop(deadline)
    await writer.stop(deadline)

    async with LetterBox(connection, "letters") as box:
        (filed,) = [filed async for filed in box.letters()]

    assert filed.letter is not None
    assert (filed.letter.key, filed.letter.value) == (None, b"")
    assert filed.letter.reason == "odd"


async def test_writer_without_broker_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter that is not acknowledged is not kept: whoever has it tries again."""
    monkeypatch.setattr(module, "PUT_TIMEOUT_S", 2.0)
    writer = DeadLetterWriter({"bootstrap_servers": "127.0.0.1:1"}, "letters")

    with pytest.raises(Unavailable, match="write a dead letter to letters"):
        await writer.put(LETTER)
