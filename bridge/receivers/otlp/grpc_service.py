"""The three OTLP services over gRPC."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    SETTLED,
    BridgeError,
    Denied,
    Malformed,
    Metadata,
    Outcome,
    Overloaded,
    Pending,
    Receipt,
    Signal,
    TooLarge,
)
from bridge.http2 import (
    Answers,
    Beginning,
    Call,
    Code,
    Decision,
    Guard,
    Method,
    Response,
    Stream,
    WholeCall,
    message_response,
    status_response,
)
from bridge.receivers.otlp.authentication import Authenticator
from bridge.receivers.otlp.health import CHECK_PATH
from bridge.receivers.otlp.intake import Intake, Outcomes, to_metadata
from bridge.receivers.otlp.status import Verdict, encode_response, expired, fault, judge

SERVICES: Final = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
_OK: Final = message_response(b"")
_Made = TypeVar("_Made")


def export_path(signal: Signal) -> bytes:
    """The path of the Export method of *signal*."""
    return f"/{SERVICES[signal]}/Export".encode()


class OtlpAnswers(Answers):
    """Refusals of the framing, counted and with their details."""

    def __init__(self, outcomes: Outcomes, where: str) -> None:
        self._outcomes = outcomes
        self._where = where

    def malformed(self, error: Malformed) -> Response:
        """INVALID_ARGUMENT."""
        return self._say(judge(error))

    def too_large(self, error: TooLarge) -> Response:
        """RESOURCE_EXHAUSTED without a retry hint: the same message would never pass."""
        text = f"{error}: send smaller batches or raise {self._where}.max_recv_msg_size_mib"
        return self._say(judge(TooLarge(text)))

    def overloaded(self, error: Overloaded) -> Response:
        """UNAVAILABLE with a retry hint."""
        return self._say(judge(error))

    def unimplemented(self, text: str) -> Response:
        """UNIMPLEMENTED. Made once for many requests, so it is not counted."""
        return status_response(Code.UNIMPLEMENTED, text)

    def failure(self) -> Response:
        """UNAVAILABLE: the data may be fine."""
        return self._say(fault())

    def expired(self) -> Response:
        """UNAVAILABLE."""
        return self._say(expired())

    def unauthenticated(self, error: Denied) -> Response:
        """UNAUTHENTICATED."""
        return self._say(Verdict(Code.UNAUTHENTICATED, 401, str(error), "unauthenticated"))

    def of_error(self, error: BridgeError) -> Response:
        """What `judge` says."""
        return self._say(judge(error))

    def _say(self, verdict: Verdict) -> Response:
        self._outcomes.count(verdict)
        return status_response(verdict.code, verdict.message, verdict.to_protobuf())


def make_export(
    intake: Intake, outcomes: Outcomes, answers: OtlpAnswers, *, include_metadata: bool
) -> Method:
    """The Export method of one signal."""

    async def export(call: Call) -> Response:
        metadata = metadata_of(call) if include_metadata else NO_METADATA
        try:
            receipt = await intake.take(call.message, call.deadline_at, metadata)
        except BridgeError as error:
            return answers.of_error(error)
        if receipt is ACCEPTED:
            outcomes.ok.value += 1
            return _OK
        return _answer_receipt(receipt, outcomes)

    return export


def make_beginning(
    intake: Intake, outcomes: Outcomes, answers: OtlpAnswers, *, include_metadata: bool
) -> Beginning:
    """The Export method of one signal, without a task where the stage behind can do without."""

    def settled(answer: Callable[[Response], None], outcome: Outcome) -> None:
        if outcome is ACCEPTED:
            outcomes.ok.value += 1
            answer(_OK)
        elif isinstance(outcome, Receipt):
            answer(_answer_receipt(outcome, outcomes))
        elif outcome is not None:
            answer(answers.of_error(outcome))

    def begin(call: Call, answer: Callable[[Response], None]) -> Pending | None:
        metadata = metadata_of(call) if include_metadata else NO_METADATA
        try:
            return intake.begin(call.message, call.deadline_at, metadata, partial(settled, answer))
        except BridgeError as error:
            answer(answers.of_error(error))
            return SETTLED

    return begin


class WholeExports:
    """The Export method of one signal, for calls that have arrived whole."""

    def __init__(
        self, intake: Intake, outcomes: Outcomes, answers: OtlpAnswers, *, include_metadata: bool
    ) -> None:
        self._intake = intake
        self._outcomes = outcomes
        self._answers = answers
        self._metadata_of = metadata_of if include_metadata else None

    def begin(self, calls: list[WholeCall]) -> list[WholeCall]:
        """Begin to deliver *calls*; gives those that must go the way of other requests."""
        return self._intake.begin_calls(calls, self._metadata_of)

    def answer(self, calls: list[WholeCall]) -> None:
        """Set the response of each of *calls*, and count them."""
        accepted = items = 0
        for call in calls:
            if call.outcome is ACCEPTED:
                accepted += 1
                items += call.items
                call.response = _OK
            else:
                self._answer_other(call, call.outcome)
        self._intake.accepted(items)
        self._outcomes.ok.value += accepted

    def _answer_other(self, call: WholeCall, outcome: Outcome | Exception) -> None:
        self._intake.left(call.items, outcome)
        if isinstance(outcome, Receipt):
            call.response = _answer_receipt(outcome, self._outcomes)
        elif isinstance(outcome, BridgeError):
            call.response = self._answers.of_error(outcome)
        elif outcome is not None:
            call.response = self._answers.failure()


def make_guard(authenticator: Authenticator, answers: OtlpAnswers) -> Guard:
    """Let in who *authenticator* knows; health checks are open."""

    def refuse(error: BridgeError) -> Response:
        if isinstance(error, Denied):
            return answers.unauthenticated(error)
        return answers.of_error(error)  # It could not look: the sender shall keep its data.

    def guard(stream: Stream) -> Response | Decision | None:
        if stream.head.path == CHECK_PATH:
            return None
        try:
            decision = authenticator.authenticate(metadata_of(stream))
        except BridgeError as error:
            return refuse(error)
        if decision is None:
            return None

        async def decide() -> Response | None:
            error = await asyncio.shield(decision)
            return None if error is None else refuse(error)

        return decide

    return guard


def make_methods(
    intakes: Mapping[Signal, Intake], make: Callable[[Intake], _Made]
) -> dict[bytes, _Made]:
    """Export of each signal that some pipeline wants, by path."""
    return {export_path(signal): make(intake) for signal, intake in intakes.items()}


def metadata_of(request: Call | Stream) -> Metadata:
    """The metadata of a request; like gRPC's, it includes the authority."""
    head = request.head
    return to_metadata(((b":authority", head.authority),), head.fields, request.volatile)


def _answer_receipt(receipt: Receipt, outcomes: Outcomes) -> Response:
    counter = outcomes.partial if receipt.rejected_items else outcomes.ok
    counter.value += 1
    return message_response(encode_response(receipt.rejected_items, receipt.message))
