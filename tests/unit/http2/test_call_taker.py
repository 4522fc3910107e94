"""Whole calls on a connection: taken and answered as if each frame had been looked at."""

import random
from itertools import groupby

import pytest

from bridge.core import ACCEPTED
from bridge.flow import ByteBudget
from bridge.http2 import GrpcCalls, GrpcHandler, Http2Limits, WholeCall, message_response
from bridge.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
)
from bridge.http2.head import encode_fields
from bridge.http2.state import ConnectionState
from bridge.http2.stream import Stream
from bridge.http2.whole_call import SettledCalls
from bridge.testing import ManualClock
from tests.unit.http2.test_call_finder import call, prefixed
from tests.unit.http2.wire import OPENING, REQUEST

GRPC = (b"content-type", b"application/grpc")
BLOCK = encode_fields((*REQUEST, GRPC))
OK = message_response(b"")


async def _method(_: object) -> object:
    raise NotImplementedError


class Accepting:
    """A method that says yes to everything."""

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """Settle at once."""
        for each in calls:
            each.settle(ACCEPTED)
        return []

    def answer(self, calls: list[WholeCall]) -> None:
        """Say OK."""
        for each in calls:
            each.response = OK


class Side:
    """A connection with its handler; *whole* says whether calls are taken whole."""

    def __init__(
        self, *, whole: bool, limits: Http2Limits | None = None, budget_bytes: int = 1 << 20
    ) -> None:
        self.clock = ManualClock()
        self.budget = ByteBudget(budget_bytes)
        self.handler = GrpcHandler(
            {b"/a/B": _method},  # type: ignore[dict-item]
            clock=self.clock,
            budget=self.budget,
            message_bytes_max=1000,
            answer_s=4.0,
        )
        self.calls = GrpcCalls(
            {b"/a/B": Accepting()},
            clock=self.clock,
            budget=self.budget,
            message_bytes_max=1000,
            answer_s=4.0,
        )
        self.woken = 0
        self.settled = SettledCalls(self._wake)
        self.state = ConnectionState(
            self.handler,
            limits or Http2Limits(),
            0.0,
            (self.calls, self.settled) if whole else None,
        )
        self.taken_whole = 0
        self.messages: list[tuple[int, bytes, object]] = []
        self.receive(OPENING)

    def _wake(self) -> None:
        self.woken += 1

    def receive(self, data: bytes) -> list[Stream]:
        """Take bytes; what became complete and is open."""
        complete = [each for each in self.state.receive(data) if not each.closed]
        self.taken_whole += sum(each.whole for each in complete)
        for each in complete:
            self.messages.append((each.id, each.take_body(5), each.context))
        return complete

    def answer(self, streams: list[Stream]) -> None:
        """Answer in order, each in its way; whole calls that follow each other together."""
        for whole, group in groupby(streams, lambda each: isinstance(each, WholeCall)):
            if whole:
                self._answer_calls([each for each in group if isinstance(each, WholeCall)])
                continue
            for each in group:
                self.handler.release(each)
                self.state.respond(each, OK)

    def _answer_calls(self, calls: list[WholeCall]) -> None:
        for each in calls:
            each.context = 0  # Their bodies are taken already.
        assert self.calls.begin(calls) == []
        settled, self.settled.calls = self.settled.calls, []
        self.calls.answer(settled)
        self.state.registry.close_all(self.state.sender.respond_to_calls(settled))

    def dropped(self) -> list[int]:
        """The ids of streams that were dropped, whose charge is given back."""
        found, self.state.dropped = self.state.dropped, []
        for each in found:
            self.handler.release(each)
        return sorted(each.id for each in found)

    def shown(self) -> dict[str, object]:
        """All that may differ and must not."""
        state = self.state
        return {
            "out": b"".join(state.sender.out),
            "open": sorted(state.registry.open),
            "last": state.registry.last_id,
            "remembered": state.registry._recent | state.registry._older,
            "window": state._window_bytes,
            "useful": state.budget.useful,
            "resets": state.budget._resets,
            "controls": state.budget._controls,
            "fault": state.fault and (state.fault.code, str(state.fault)),
            "tail": state._tail,
            "budget": self.budget.used_bytes,
            "refusals": self.budget.refusals,
            "messages": self.messages,
            "send window": state.sender._window_bytes,
        }


def warmed(side: Side) -> None:
    """Let the handler know the head."""
    side.answer(side.receive(call(1, b"first", block=BLOCK)))
    side.state.sender.out.clear()


def test_calls_are_taken_whole_and_answered_together() -> None:
    """Once the head is known, no frame is looked at by itself."""
    side = Side(whole=True)
    warmed(side)

    streams = side.receive(b"".join(call(each, b"data", block=BLOCK) for each in (3, 5, 7)))

    assert [each.id for each in streams] == [3, 5, 7]
    assert side.taken_whole == 3
    assert side.budget.used_bytes == 12
    side.answer(streams)
    assert side.woken == 1
    assert b"".join(each.to_bytes(4, "big").join(OK.segments) for each in (3, 5, 7)) == b"".join(
        side.state.sender.out
    )
    assert side.budget.used_bytes == 0
    assert not side.state.registry.open


def test_a_call_over_the_budget_is_refused_alone() -> None:
    """Those before it are taken, and it gets the answer that it would get in any way."""
    sides = [Side(whole=whole, budget_bytes=100) for whole in (True, False)]
    for side in sides:
        warmed(side)
        side.receive(
            call(3, b"a" * 60, block=BLOCK)
            + call(5, b"b" * 60, block=BLOCK)
            + call(7, b"c" * 40, block=BLOCK)
        )

    assert [message[0] for message in sides[0].messages] == [1, 3, 7]
    assert sides[0].taken_whole == 1
    assert sides[0].budget.refusals == 1
    assert sides[1].shown() == sides[0].shown()


def test_streams_beyond_the_limit_are_refused() -> None:
    """The limit counts calls that are open, however they came."""
    limits = Http2Limits(concurrent_streams_max=3)
    sides = [Side(whole=whole, limits=limits) for whole in (True, False)]
    for side in sides:
        warmed(side)
        side.receive(b"".join(call(each, b"a", block=BLOCK) for each in range(3, 13, 2)))

    assert sides[0].taken_whole == 3
    assert sorted(sides[0].state.registry.open) == [3, 5, 7]
    assert sides[1].shown() == sides[0].shown()


def test_a_window_that_is_exceeded_ends_the_connection() -> None:
    """Whole calls are charged to the connection's window as frames are."""
    limits = Http2Limits(connection_window_bytes=65_535, stream_window_bytes=1 << 20)
    sides = [Side(whole=whole, limits=limits) for whole in (True, False)]
    for side in sides:
        warmed(side)
        side.state._window_bytes = 20
        side.state._limits = Http2Limits(connection_window_bytes=20)
        side.receive(call(3, b"0123456789", block=BLOCK))

    assert sides[0].state._window_bytes == sides[1].state._window_bytes
    assert sides[1].shown() == sides[0].shown()


@pytest.mark.parametrize("initial_bytes", [0, 4])
def test_answers_wait_for_the_peers_window(initial_bytes: int) -> None:
    """An answer that its windows do not admit is written when they do."""
    side = Side(whole=True)
    warmed(side)
    side.receive(frame(SETTINGS, 0, 0, b"\0\4" + initial_bytes.to_bytes(4, "big")))
    side.state.sender.out.clear()

    side.answer(side.receive(call(3, b"a", block=BLOCK)))

    assert list(side.state.registry.open) == [3]
    assert side.taken_whole == 1
    side.receive(frame(WINDOW_UPDATE, 0, 3, (5).to_bytes(4, "big")))
    assert not side.state.registry.open
    assert b"".join(side.state.sender.out).endswith(OK.trailers)


def strange_piece(chance: random.Random, stream_id: int) -> bytes:
    """A call of some kind, or some other frame."""
    kind = chance.randrange(24)
    message = chance.randbytes(chance.choice((0, 3, 30, 300, 990, 1005)))
    if kind < 10:
        return call(stream_id, message, block=BLOCK, size=chance.choice((7, 100, 2000)))
    odd_block = chance.choice(
        (
            encode_fields((*REQUEST, GRPC, (b"grpc-timeout", b"%dm" % chance.randrange(99)))),
            encode_fields(REQUEST),
            encode_fields((*REQUEST, GRPC, (b"content-length", b"8"))),
            encode_fields((*REQUEST, GRPC, (b"x", b"a" * chance.choice((5, 40_000))))),
            encode_fields((*REQUEST, GRPC, (b"Upper", b"case"))),
            b"\x40\x01a\x01b" + BLOCK,
            BLOCK + b"\x40\x01a\x01" + bytes((97 + chance.randrange(9),)),
            b"\x3f\x00" + BLOCK,
            b"\xff",
        )
    )
    if kind < 15:
        return call(stream_id, message, block=odd_block, flag=chance.randrange(2))
    head = frame(HEADERS, END_HEADERS, stream_id, BLOCK)
    return chance.choice(
        (
            frame(PING, 0, 0, bytes(8)),
            frame(RST_STREAM, 0, max(1, stream_id - 2), bytes(4)),
            frame(PRIORITY, 0, stream_id, bytes(5)),
            frame(WINDOW_UPDATE, 0, 0, (1000).to_bytes(4, "big")),
            frame(SETTINGS, 0, 0, b"\0\4" + chance.randrange(9).to_bytes(4, "big")),
            frame(SETTINGS, 0, 0, b"\0\1" + bytes(4)),
            head + frame(DATA, 0, stream_id, prefixed(message)[:50]),
            head + frame(DATA, END_STREAM | PADDED, stream_id, b"\1" + prefixed(message) + b"\0"),
            head + frame(DATA, END_STREAM, stream_id, prefixed(message) + b"more"),
            frame(HEADERS, END_HEADERS | END_STREAM, stream_id, BLOCK),
            frame(DATA, END_STREAM, stream_id, b"stray"),
            frame(DATA, 0, max(1, stream_id - 4), b"late"),
            call(max(1, stream_id - 2), b"an id again", block=BLOCK),
            call(stream_id + 1, b"even", block=BLOCK),
        )
    )


@pytest.mark.parametrize("seed", range(8))
def test_nothing_differs_from_looking_at_each_frame(seed: int) -> None:
    """The same bytes leave the same marks, whatever they are and however they are cut."""
    chance = random.Random(seed)
    taken_whole = faults = 0
    for _ in range(250):
        limits = Http2Limits(concurrent_streams_max=chance.choice((4, 100)), resets_max_per_10s=50)
        budget_bytes = chance.choice((1500, 1 << 20))
        whole, framed = (
            Side(whole=each, limits=limits, budget_bytes=budget_bytes) for each in (True, False)
        )
        for side in (whole, framed):
            warmed(side)
        text = b"".join(strange_piece(chance, 3 + 2 * number) for number in range(12))
        cuts = sorted(chance.randrange(len(text)) for _ in range(chance.randrange(3)))
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
            answered = chance.random() < 0.7
            for side in (whole, framed):
                streams = side.receive(text[start:end])
                if answered:
                    side.answer(streams)
            assert framed.shown() == whole.shown()
            assert framed.dropped() == whole.dropped()
            assert framed.budget.used_bytes == whole.budget.used_bytes
        taken_whole += whole.taken_whole
        faults += whole.state.fault is not None
        for side in (whole, framed):
            side.state.drop_all()
            side.dropped()
            assert side.budget.used_bytes == 0
    assert taken_whole > 150
    assert 20 < faults < 230
