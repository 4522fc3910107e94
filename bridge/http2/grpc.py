"""
gRPC over the HTTP/2 server: routes, message framing, statuses, deadlines.

Requests have one message; answers too, except those of `GrpcHandler`'s streams.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Final

from bridge.core import SETTLED, Clock, Malformed, Overloaded, Pending, TooLarge
from bridge.flow import ByteBudget
from bridge.http2.call_finder import PREFIX_BYTES
from bridge.http2.compression import decompress
from bridge.http2.grpc_answers import Code, status_response
from bridge.http2.grpc_calls import EXPIRY_GRACE_S
from bridge.http2.grpc_timeout import timeout_s
from bridge.http2.head import Head
from bridge.http2.header_decoder import Field
from bridge.http2.stream import Response, Stream

_ENCODINGS: Final = ("gzip", "zstd")
_NOT_GRPC: Final = (
    b"This port speaks gRPC: POST with content-type application/grpc. "
    b"Send OTLP over HTTP to the http endpoint, which is port 4318 by default.\n"
)

_PREFIX: Final = Struct(">BI")


@dataclass(slots=True)
class Call:
    """One complete call. `message` is decompressed; `deadline_at` is on the clock's scale."""

    message: bytes
    head: Head
    volatile: tuple[Field, ...]
    deadline_at: float
    wire_bytes: int


Method = Callable[[Call], Awaitable[Response]]
"""Answers a call. Errors of the bridge it maps itself; what it raises is answered as failure."""

Beginning = Callable[[Call, Callable[[Response], None]], Pending | None]
"""
Answers a call as a `Method` does, but by a call now or later; `None` if it takes a task.

One of `GrpcHandler`'s streams is answered by several calls: `opening_response`, `further_response`
as often as need be, and `closing_response`.

Nothing is called once the pending answer was cancelled.
"""

Decision = Callable[[], Awaitable[Response | None]]
"""Waits until it is known whether a request is let in; a response refuses it."""

Guard = Callable[[Stream], Response | Decision | None]
"""
Looks at a request's head before anything is buffered; a response refuses it.

What it cannot decide at once, it decides before the method is called; until then messages of more
than `UNDECIDED_BYTES_MAX` are asked to come again, so that strangers cannot fill the memory.
"""

UNDECIDED_BYTES_MAX = 1 << 20

UNDECIDED = "the credentials are still being checked: send it again in a moment"


class Answers:
    """
    The refusals that the framing needs, asked for once each time one is given.

    Override to count them, or to add details such as a ``RetryInfo``.
    """

    def malformed(self, error: Malformed) -> Response:
        """The message breaks the framing or its compression."""
        return status_response(Code.INVALID_ARGUMENT, str(error))

    def too_large(self, error: TooLarge) -> Response:
        """The message exceeds the limit, as sent or decompressed."""
        return status_response(Code.RESOURCE_EXHAUSTED, str(error))

    def overloaded(self, error: Overloaded) -> Response:
        """The budget is used up."""
        return status_response(Code.UNAVAILABLE, str(error))

    def unimplemented(self, text: str) -> Response:
        """No such method or encoding."""
        return status_response(Code.UNIMPLEMENTED, text)

    def failure(self) -> Response:
        """A fault of ours; retryable, since the data may be fine."""
        return status_response(Code.UNAVAILABLE, "internal fault; the data was not taken")

    def expired(self) -> Response:
        """Nobody behind us answered in time."""
        return status_response(Code.UNAVAILABLE, "not acknowledged in time")


@dataclass(slots=True)
class _Route:
    method: Method
    beginning: Beginning | None
    encoding: str
    refusal: Response | None
    streams: bool


class GrpcHandler:
    """
    Turns streams into calls of *methods* (by full path) and back.

    Args:
        beginnings:
            Of the methods, by the same paths, those that may do without a task.
        streams:
            Paths of those whose answers go on until the peer or the server ends them: they have no
            deadline of ours.
        budget:
            Charged with the declared length before a message is buffered, and with what
            decompression makes of it.
        message_bytes_max:
            Limit of a message, as sent and decompressed.
        answer_s:
            Seconds after which a call that has no shorter `grpc-timeout` ends.
        expiry_grace_s:
            Seconds after the deadline until the call is answered over the method's head.
    """

    prefix_bytes = PREFIX_BYTES
    volatile_fields = frozenset({b"grpc-timeout", b"traceparent", b"tracestate", b"x-request-id"})

    def __init__(
        self,
        methods: Mapping[bytes, Method],
        *,
        clock: Clock,
        budget: ByteBudget,
        message_bytes_max: int,
        answer_s: float,
        expiry_grace_s: float = EXPIRY_GRACE_S,
        answers: Answers | None = None,
        guard: Guard | None = None,
        beginnings: Mapping[bytes, Beginning] | None = None,
        streams: Collection[bytes] = (),
    ) -> None:
        self._methods = methods
        self._beginnings = beginnings or {}
        self._streams = streams
        self._clock = clock
        self._budget = budget
        self._message_bytes_max = message_bytes_max
        self._answer_s = answer_s
        self._expiry_grace_s = expiry_grace_s
        self._answers = answers or Answers()
        self._guard = guard

    @property
    def overrun(self) -> Response:
        """The answer to a body longer than its message."""
        return self._answers.malformed(Malformed("more than one message in a unary call"))

    @property
    def failure(self) -> Response:
        """The answer when a method raises."""
        return self._answers.failure()

    @property
    def expired(self) -> Response:
        """The answer when a call's deadline has passed."""
        return self._answers.expired()

    def admit(self, stream: Stream) -> Response | None:
        """Refuse what is no call of a known method, or what the guard does not let in."""
        route = stream.head.note
        if not isinstance(route, _Route):
            head = stream.head
            route = head.note = self._find_route(head)
            questions = route.refusal or self._guard or head.content_length is not None
            head.plain = not questions
        if route.refusal is not None:
            return route.refusal
        if self._guard is None:
            return None
        verdict = self._guard(stream)
        if verdict is None or isinstance(verdict, Response):
            return verdict
        stream.decision = verdict
        return None

    def admit_body(self, stream: Stream, prefix: bytes) -> Response | None:
        """Check the declared length and charge the budget with it."""
        compressed, message_bytes = _PREFIX.unpack(prefix)
        if compressed > 1:
            return self._answers.malformed(Malformed("the message's first byte must be 0 or 1"))
        if message_bytes > self._message_bytes_max:
            return self._answers.too_large(
                TooLarge(f"message of {message_bytes} bytes, allowed are {self._message_bytes_max}")
            )
        try:
            if stream.decision is not None and message_bytes > UNDECIDED_BYTES_MAX:
                raise Overloaded(UNDECIDED, retry_after_s=1.0)
            self._budget.acquire(message_bytes)
        except Overloaded as error:
            return self._answers.overloaded(error)
        stream.context = compressed
        stream.charge_bytes = message_bytes
        stream.body_bytes_max = PREFIX_BYTES + message_bytes
        return None

    def begin(self, stream: Stream, answer: Callable[[Stream, Response], None]) -> Pending | None:
        """Unwrap the message and begin the method, if it can do without a task."""
        route = stream.head.note
        assert isinstance(route, _Route)  # noqa: S101 - admit set it
        if stream.decision is not None:
            return None
        call = self._unwrap(stream, route)
        if not isinstance(call, Call):
            answer(stream, call)
            return SETTLED
        if route.beginning is not None:
            pending = route.beginning(call, partial(answer, stream))
            if pending is not None:
                if route.streams:
                    stream.deadline_at = None
                return pending
        stream.context = call
        return None

    async def handle(self, stream: Stream) -> Response:
        """Unwrap the message, unless `begin` has, and call the method."""
        route = stream.head.note
        assert isinstance(route, _Route)  # noqa: S101 - admit set it
        if stream.decision is not None:
            stream.deadline_at = self._clock.monotonic() + self._answer_s + self._expiry_grace_s
            if (refusal := await stream.decision()) is not None:
                return refusal
        call = stream.context
        if not isinstance(call, Call):
            unwrapped = self._unwrap(stream, route)
            if not isinstance(unwrapped, Call):
                return unwrapped
            call = unwrapped
        return await route.method(call)

    def _unwrap(self, stream: Stream, route: _Route) -> Call | Response:
        """The call that *stream* carries, or why it is none."""
        now = self._clock.monotonic()
        deadline_at = now + self._answer_s
        if stream.volatile:
            deadline_at = min(deadline_at, now + timeout_s(stream.volatile))
        stream.deadline_at = deadline_at + self._expiry_grace_s
        wire_bytes = stream.received_bytes
        try:
            if wire_bytes != stream.body_bytes_max or not stream.admitted:
                raise _incomplete(stream)
            message = stream.take_body(PREFIX_BYTES)
            if stream.context:
                message = self._decompress(stream, route.encoding, message)
        except Malformed as error:
            return self._answers.malformed(error)
        except TooLarge as error:
            return self._answers.too_large(error)
        except Overloaded as error:
            return self._answers.overloaded(error)
        return Call(message, stream.head, stream.volatile, deadline_at, wire_bytes)

    def release(self, stream: Stream) -> None:
        """Give back what the stream was charged."""
        if stream.charge_bytes:
            self._budget.release(stream.charge_bytes)
            stream.charge_bytes = 0

    def _find_route(self, head: Head) -> _Route:
        refusal: Response | None = None
        content_type = head.get(b"content-type") or b""
        encoding = (head.get(b"grpc-encoding") or b"identity").decode("latin-1").lower()
        method = self._methods.get(head.path)
        if head.method != b"POST":
            refusal = _plain_response(b"405", (b"allow", b"POST"))
        elif not _is_grpc(content_type):
            refusal = _plain_response(b"415")
        elif method is None:
            path = head.path.decode("latin-1")[:200]
            refusal = self._answers.unimplemented(f"unknown method {path}")
        elif encoding != "identity" and encoding not in _ENCODINGS:
            refusal = self._answers.unimplemented(
                f"unknown grpc-encoding {encoding[:50]}; known are identity, gzip and zstd"
            )
        return _Route(
            method or _no_method,
            self._beginnings.get(head.path),
            encoding,
            refusal,
            head.path in self._streams,
        )

    def _decompress(self, stream: Stream, encoding: str, message: bytes) -> bytes:
        if encoding == "identity":
            raise Malformed("the message is marked as compressed, but grpc-encoding is missing")

        def charge(more_bytes: int) -> None:
            self._budget.acquire(more_bytes)
            stream.charge_bytes += more_bytes

        return decompress(encoding, message, self._message_bytes_max, charge)


def _incomplete(stream: Stream) -> Malformed:
    if not stream.admitted:
        return Malformed("the call carries no message")
    return Malformed(
        f"the message ends after {stream.received_bytes - PREFIX_BYTES} of "
        f"{stream.body_bytes_max - PREFIX_BYTES} bytes"
    )


async def _no_method(call: Call) -> Response:
    """Stand where a route refuses: `admit` lets nothing through to it."""
    raise NotImplementedError(call.head.path)


def _plain_response(status: bytes, *fields: Field) -> Response:
    return Response.of_fields(
        ((b":status", status), (b"content-type", b"text/plain"), *fields), _NOT_GRPC
    )


def _is_grpc(content_type: bytes) -> bool:
    kind = content_type.split(b";", 1)[0].strip().lower()
    return kind in (b"application/grpc", b"application/grpc+proto")
