"""OTLP over HTTP, without sockets."""

import json
from typing import Any

from bridge.core import Receipt, Signal
from bridge.flow import OF_OTLP, Account, ByteBudget
from bridge.http1 import Head, Request, Response
from bridge.receivers.otlp.config import HttpOptions
from bridge.receivers.otlp.http_service import OtlpHttpHandler
from bridge.receivers.otlp.intake import Intake, Outcomes
from bridge.testing import FakeStage, ManualClock, log_request, make_settings


class Fixture:
    """A handler in front of a stage of logs."""

    def __init__(self, stage: FakeStage | None = None, **options: Any) -> None:
        self.stage = stage or FakeStage()
        self.budget = ByteBudget(10_000)
        self.settings = make_settings("otlp", clock=ManualClock())
        self.handler = OtlpHttpHandler(
            HttpOptions.model_validate(options),
            {
                b"/v1/logs": Intake(
                    Signal.LOGS,
                    self.stage,
                    self.settings,
                    "http",
                    1_000,
                    Account(self.settings.metrics, "receivers/otlp", Signal.LOGS, OF_OTLP),
                )
            },
            Outcomes(self.settings, "http"),
            clock=self.settings.clock,
            budget=self.budget,
            answer_s=4.0,
            where="receivers.otlp.protocols.http",
        )

    def request(self, *fields: tuple[bytes, bytes], length: int | None = 0) -> Request:
        """A request of protobuf with *fields*."""
        content_type = (b"content-type", b"application/x-protobuf")
        if length is None:
            fields = (*fields, (b"transfer-encoding", b"chunked"))
        return Request(Head(b"POST", b"/v1/logs", (content_type, *fields), "1.1"), length, 0.0)


def test_declared_length_is_charged_and_given_back() -> None:
    """Once, however often it is released."""
    fixture = Fixture()
    request = fixture.request(length=600)

    refusal = fixture.handler.admit(request)
    held = fixture.budget.used_bytes
    fixture.handler.release(request)
    fixture.handler.release(request)

    assert refusal is None
    assert held == 600
    assert fixture.budget.used_bytes == 0


def test_chunks_are_charged_as_they_come() -> None:
    """Until the budget is used up: then the sender hears when to return."""
    fixture = Fixture()
    request = fixture.request(length=None)

    fixture.handler.admit(request)
    first = fixture.handler.admit_more(request, 8_000)
    second = fixture.handler.admit_more(request, 8_000)

    assert first is None
    assert second is not None
    assert second.status == 503
    assert b"retry-after" in second.head
    assert fixture.budget.used_bytes == 8_000


def test_routes_are_worked_out_once_a_head() -> None:
    """The second request with the same head finds the first one's route."""
    fixture = Fixture()
    request = fixture.request()
    fixture.handler.admit(request)
    route = request.head.note

    fixture.handler.admit(Request(request.head, 0, 0.0))

    assert route is not None
    assert request.head.note is route


def test_keep_alives_can_be_switched_off() -> None:
    """Each answer then closes its connection."""
    fixture = Fixture(keep_alives_enabled=False)
    request = fixture.request()

    fixture.handler.admit(request)

    assert not request.keep_alive


async def answer_of(fixture: Fixture, request: Request, body: bytes) -> Response:
    """The answer to *body*."""
    fixture.handler.admit(request)
    request.add(body)
    return await fixture.handler.handle(request)


async def test_response_headers_are_on_every_answer() -> None:
    """Also on errors, and those of CORS for browsers that may read them."""
    fixture = Fixture(
        response_headers={"X-Served-By": "bridge"}, cors={"allowed_origins": ["https://a.org"]}
    )
    origin = (b"origin", b"https://a.org")

    good = await answer_of(fixture, fixture.request(origin), log_request().body)
    bad = await answer_of(fixture, fixture.request(origin), b"\xff")
    stranger = await answer_of(fixture, fixture.request(), b"")

    for response in (good, bad):
        assert b"x-served-by: bridge\r\n" in response.head
        assert b"access-control-allow-origin: https://a.org\r\n" in response.head
    assert (good.status, bad.status) == (200, 400)
    assert b"access-control" not in stranger.head


async def test_partial_success_in_json_has_the_signals_key() -> None:
    """With the count as a string, as OTLP/JSON has 64-bit numbers."""
    fixture = Fixture(FakeStage(otherwise=Receipt(2, "too large")))
    head = Head(b"POST", b"/v1/logs", ((b"content-type", b"application/json"),), "1.1")
    body = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},{}]}]}]}'

    response = await answer_of(fixture, Request(head, len(body), 0.0), body)

    assert json.loads(response.body) == {
        "partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "too large"}
    }


def test_answers_to_what_is_no_request_are_json() -> None:
    """Nobody knows in which encoding they would be read."""
    fixture = Fixture()
    answers = (
        fixture.handler.bad_request,
        fixture.handler.head_too_large,
        fixture.handler.timed_out,
    )

    assert [answer.status for answer in answers] == [400, 431, 408]
    for answer in answers:
        assert json.loads(answer.body)["message"]
