"""OTLP over HTTP/1.1: paths, content types, statuses."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from bridge.core import (
    ACCEPTED,
    NO_METADATA,
    SETTLED,
    BridgeError,
    Clock,
    Denied,
    Metadata,
    Outcome,
    Overloaded,
    Pending,
    Receipt,
    Signal,
    TooLarge,
)
from bridge.flow import ByteBudget
from bridge.http1 import Head, Request, Response
from bridge.http2 import (
    EXPIRY_GRACE_S,
    UNDECIDED,
    UNDECIDED_BYTES_MAX,
    Code,
    Field,
    decompress,
)
from bridge.receivers.otlp.authentication import Authenticator, challenge_of
from bridge.receivers.otlp.config import HttpOptions
from bridge.receivers.otlp.cors import CorsPolicy
from bridge.receivers.otlp.intake import Intake, Outcomes, to_metadata
from bridge.receivers.otlp.status import Verdict, encode_response, expired, fault, judge
from bridge.wire import otlp_json

_PROTOBUF: Final = b"application/x-protobuf"
_JSON: Final = b"application/json"
_REJECTED_KEYS: Final = {
    Signal.TRACES: "rejectedSpans",
    Signal.METRICS: "rejectedDataPoints",
    Signal.LOGS: "rejectedLogRecords",
}
_EXTRA_FIELDS: Final[dict[int, tuple[Field, ...]]] = {
    405: ((b"allow", b"POST"),),
}


@dataclass(slots=True)
class _Route:
    """What a head says, worked out once."""

    intake: Intake | None
    content_type: bytes
    encoding: str
    verdict: Verdict | None
    preflight: Response | None


@dataclass(slots=True)
class _Call:
    """One complete request."""

    intake: Intake
    body: bytes
    deadline_at: float
    metadata: Metadata


class OtlpHttpHandler:
    """
    Judges and answers requests.

    Attributes:
        ok: The answer to protobuf of which everything was taken, but for what browsers are told.

    Args:
        intakes:
            By path; paths of signals that no pipeline wants are not among them.
        where:
            The config section, for error texts.
    """

    def __init__(
        self,
        config: HttpOptions,
        intakes: Mapping[bytes, Intake],
        outcomes: Outcomes,
        *,
        clock: Clock,
        budget: ByteBudget,
        answer_s: float,
        where: str,
        authenticator: Authenticator | None = None,
    ) -> None:
        self._config = config
        self._intakes = intakes
        self._outcomes = outcomes
        self._clock = clock
        self._budget = budget
        self._answer_s = answer_s
        self._where = where
        self._authenticator = authenticator
        challenge = challenge_of(authenticator).encode("latin-1")
        self._extra_fields: dict[int, tuple[Field, ...]] = {
            **_EXTRA_FIELDS,
            401: ((b"www-authenticate", challenge),),
        }
        self._cors = CorsPolicy(config.cors) if config.cors is not None else None
        self._encodings = frozenset(name.encode() for name in config.compression_algorithms)
        self._fields: tuple[Field, ...] = tuple(
            (name.lower().encode("latin-1"), value.get_secret_value().encode("latin-1"))
            for name, value in config.response_headers.items()
        )
        self.ok = self._respond(200, _PROTOBUF, b"")
        self._ok_json = self._respond(200, _JSON, b"{}")

    @property
    def bad_request(self) -> Response:
        """The answer to what is no HTTP."""
        return self._refuse_blindly(Code.INVALID_ARGUMENT, 400, "malformed HTTP request")

    @property
    def head_too_large(self) -> Response:
        """The answer to a head over its limits."""
        text = f"request head too large: shorten it or raise {self._where}.max_header_size"
        return self._refuse_blindly(Code.RESOURCE_EXHAUSTED, 431, text)

    @property
    def timed_out(self) -> Response:
        """The answer to a request that does not arrive."""
        return self._refuse_blindly(Code.DEADLINE_EXCEEDED, 408, "the request did not arrive")

    def failure(self, request: Request) -> Response:
        """The answer when we failed unforeseen: retryable, since the data may be fine."""
        return self._finish(request, self._say(fault(), self._route(request.head).content_type))

    def expired(self, request: Request) -> Response:
        """The answer when nobody behind us answered in time."""
        return self._finish(request, self._say(expired(), self._route(request.head).content_type))

    def admit(self, request: Request) -> Response | None:
        """Judge by the head; charge the declared length."""
        head = request.head
        route = head.note
        if not isinstance(route, _Route):
            route = head.note = self._find_route(head)
            head.plain = self._is_plain(head, route)
        request.keep_alive = request.keep_alive and self._config.keep_alives_enabled
        if route.preflight is not None:
            return route.preflight
        verdict = route.verdict
        if verdict is None and self._authenticator is not None:
            verdict = self._authenticate(request)
        if verdict is None:
            verdict = self._charge(request, request.content_length or 0)
            if verdict is None:
                return None
        return self._finish(request, self._say(verdict, route.content_type))

    def admit_more(self, request: Request, more_bytes: int) -> Response | None:
        """Charge a piece of a chunked body."""
        verdict = self._charge(request, more_bytes)
        if verdict is None:
            return None
        return self._finish(request, self._say(verdict, self._route(request.head).content_type))

    def begin(
        self, request: Request, answer: Callable[[Request, Response], None]
    ) -> Pending | None:
        """Deliver the body without a task, where the stage behind can do without."""
        if isinstance(request.context, asyncio.Future):
            return None  # It is not known yet whether the sender may send.
        call = self._unwrap(request)
        if not isinstance(call, _Call):
            answer(request, call)
            return SETTLED
        request.context = call
        try:
            return call.intake.begin(
                call.body, call.deadline_at, call.metadata, partial(self._settled, request, answer)
            )
        except BridgeError as error:
            answer(request, self.to_response(request, error))
            return SETTLED

    def _settled(
        self, request: Request, answer: Callable[[Request, Response], None], outcome: Outcome
    ) -> None:
        if outcome is not None:
            answer(request, self.to_response(request, outcome))

    async def handle(self, request: Request) -> Response:
        """Deliver the body, unless `begin` has, and answer with the receipt."""
        call = request.context
        if isinstance(call, asyncio.Future):
            request.deadline_at = self._clock.monotonic() + self._answer_s + EXPIRY_GRACE_S
            error = await asyncio.shield(call)
            if error is not None:
                content_type = self._route(request.head).content_type
                return self._finish(request, self._say(_keep_out(error), content_type))
        if not isinstance(call, _Call):
            unwrapped = self._unwrap(request)
            if not isinstance(unwrapped, _Call):
                return unwrapped
            call = unwrapped
        try:
            receipt = await call.intake.take(call.body, call.deadline_at, call.metadata)
        except BridgeError as error:
            return self.to_response(request, error)
        return self.to_response(request, receipt)

    def _unwrap(self, request: Request) -> "_Call | Response":
        """What *request* asks for, or why it is refused."""
        deadline_at = self._clock.monotonic() + self._answer_s
        request.deadline_at = deadline_at + EXPIRY_GRACE_S
        head = request.head
        route = self._route(head)
        intake = route.intake
        assert intake is not None  # noqa: S101 - admit refused the others
        metadata = to_metadata(head.fields) if self._config.include_metadata else NO_METADATA
        try:
            body = request.take_body()
            if route.encoding and body:
                body = self._decompress(request, route.encoding, body)
            if route.content_type == _JSON:
                body = otlp_json.decode(intake.signal, body, intake.limits.values_max)
        except BridgeError as error:
            return self.to_response(request, error)
        return _Call(intake, body, deadline_at, metadata)

    def to_response(self, request: Request, outcome: Receipt | BridgeError) -> Response:
        """What is said of how the delivery of *request* ended; counted."""
        route = self._route(request.head)
        if isinstance(outcome, BridgeError):
            return self._finish(request, self._say(judge(outcome), route.content_type))
        if outcome is ACCEPTED:
            self._outcomes.ok.value += 1
            response = self._ok_json if route.content_type == _JSON else self.ok
        else:
            assert route.intake is not None  # noqa: S101 - admit refused the others
            response = self._answer(outcome, route.content_type, route.intake.signal)
        return response if self._cors is None else self._finish(request, response)

    def release(self, request: Request) -> None:
        """Give back what the request was charged."""
        if request.charge_bytes:
            self._budget.release(request.charge_bytes)
            request.charge_bytes = 0

    def _route(self, head: Head) -> _Route:
        route = head.note
        return route if isinstance(route, _Route) else self._find_route(head)

    def _find_route(self, head: Head) -> _Route:
        value = head.get(b"content-type") or b""
        content_type = value.partition(b";")[0].strip().lower()
        encoding = (head.get(b"content-encoding") or b"").strip().lower()
        if encoding == b"identity":
            encoding = b""
        return _Route(
            self._intakes.get(head.path),
            content_type,
            encoding.decode("latin-1"),
            self._judge_head(head, content_type, encoding),
            self._cors.preflight(head) if self._cors is not None else None,
        )

    def _is_plain(self, head: Head, route: _Route) -> bool:
        """Whether nothing is asked of a request of *head* but how long its body is."""
        questions = (
            route.verdict is not None
            or route.preflight is not None
            or route.encoding
            or route.content_type != _PROTOBUF
            or head.target not in self._intakes
            or self._authenticator is not None
            or not self._config.keep_alives_enabled
            or (self._cors is not None and head.get(b"origin") is not None)
        )
        return not questions

    def _judge_head(self, head: Head, content_type: bytes, encoding: bytes) -> Verdict | None:
        if head.path not in self._intakes:
            path = head.path.decode("latin-1")[:200]
            known = ", ".join(sorted(path.decode() for path in self._intakes))
            return _unsupported(404, f"404 nothing at {path}; signals are taken at: {known}")
        if head.method != b"POST":
            return _unsupported(405, "405 method not allowed, supported: [POST]")
        if content_type not in (_PROTOBUF, _JSON):
            return _unsupported(
                415,
                "415 unsupported media type, supported: [application/json, application/x-protobuf]",
            )
        if encoding not in self._encodings:
            known = ", ".join(sorted(name.decode() for name in self._encodings if name))
            return _unsupported(415, f"415 unsupported content-encoding, supported: [{known}]")
        return None

    def _authenticate(self, request: Request) -> Verdict | None:
        if self._authenticator is not None:
            try:
                decision = self._authenticator.authenticate(to_metadata(request.head.fields))
            except BridgeError as error:
                return _keep_out(error)
            if decision is not None:
                body_bytes = request.content_length
                if body_bytes is None or body_bytes > UNDECIDED_BYTES_MAX:
                    return judge(Overloaded(UNDECIDED, retry_after_s=1.0))
                request.context = decision
        return None

    def _charge(self, request: Request, more_bytes: int) -> Verdict | None:
        body_bytes = request.received_bytes + more_bytes
        if body_bytes > self._config.body_bytes_max:
            return judge(self._too_large(f"body of {body_bytes} bytes"))
        try:
            self._budget.acquire(more_bytes)
        except Overloaded as error:
            return judge(error)
        request.charge_bytes += more_bytes
        return None

    def _decompress(self, request: Request, encoding: str, body: bytes) -> bytes:
        def charge(more_bytes: int) -> None:
            self._budget.acquire(more_bytes)
            request.charge_bytes += more_bytes

        try:
            return decompress(encoding, body, self._config.body_bytes_max, charge)
        except TooLarge as error:
            raise self._too_large(str(error)) from error

    def _too_large(self, what: str) -> TooLarge:
        return TooLarge(
            f"{what}, allowed are {self._config.body_bytes_max}: send smaller batches or raise "
            f"{self._where}.max_request_body_size"
        )

    def _answer(self, receipt: Receipt, content_type: bytes, signal: Signal) -> Response:
        counter = self._outcomes.partial if receipt.rejected_items else self._outcomes.ok
        counter.value += 1
        if content_type == _PROTOBUF:
            body = encode_response(receipt.rejected_items, receipt.message)
            return self._respond(200, _PROTOBUF, body)
        return self._respond(200, _JSON, _encode_json(receipt, signal))

    def _say(self, verdict: Verdict, content_type: bytes) -> Response:
        self._outcomes.count(verdict)
        fields = self._extra_fields.get(verdict.http_status, ())
        if verdict.retry_after_header is not None:
            fields = (*fields, (b"retry-after", verdict.retry_after_header))
        if content_type == _PROTOBUF:
            return self._respond(verdict.http_status, _PROTOBUF, verdict.to_protobuf(), fields)
        return self._respond(verdict.http_status, _JSON, verdict.to_json(), fields)

    def _refuse_blindly(self, code: Code, status: int, text: str) -> Response:
        return self._say(Verdict(code, status, text, "malformed"), _JSON)

    def _respond(
        self, status: int, content_type: bytes, body: bytes, fields: tuple[Field, ...] = ()
    ) -> Response:
        return Response(status, ((b"content-type", content_type), *fields, *self._fields), body)

    def _finish(self, request: Request, response: Response) -> Response:
        if self._cors is None:
            return response
        fields = self._cors.fields(request.head)
        return response.with_fields(fields) if fields else response


def _keep_out(error: BridgeError) -> Verdict:
    if isinstance(error, Denied):
        return Verdict(Code.UNAUTHENTICATED, 401, str(error), "unauthenticated")
    return judge(error)  # It could not look: the sender shall keep its data.


def _unsupported(status: int, text: str) -> Verdict:
    code = Code.UNIMPLEMENTED if status in (404, 405) else Code.INVALID_ARGUMENT
    return Verdict(code, status, text, "unsupported")


def _encode_json(receipt: Receipt, signal: Signal) -> bytes:
    partial: dict[str, str] = {}
    if receipt.rejected_items:
        partial[_REJECTED_KEYS[signal]] = str(receipt.rejected_items)
    if receipt.message:
        partial["errorMessage"] = receipt.message
    return json.dumps({"partialSuccess": partial} if partial else {}).encode()
