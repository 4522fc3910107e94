"""The server's half of a connection by hand, for the client's state machine."""

from bridge.http2 import ClientState, ClientStream
from bridge.http2.client_state import CLIENT_LIMITS
from bridge.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    frame,
    settings,
)
from bridge.http2.head import encode_fields
from bridge.http2.limits import Http2Limits
from tests.unit.http2.wire import Frame, parse

FIELDS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/x"),
    (b":authority", b"backend"),
    (b"authorization", b"Bearer s3cret"),
]
HEAD = ((b":status", b"200"), (b"content-type", b"application/grpc"))
DONE = ((b"grpc-status", b"0"),)


def connect(
    answer_bytes_max: int = 1000, limits: Http2Limits = CLIENT_LIMITS, **values: int
) -> ClientState:
    """A connection whose opening is over; *values* are the server's settings by number ``s<n>``."""
    state = ClientState(answer_bytes_max, 100.0, limits)
    assert state.receive(settings({int(name[1:]): value for name, value in values.items()})) == []
    written(state)
    return state


def call(state: ClientState, message: bytes = b"hello", prefix: bytes = b"") -> ClientStream:
    """A call, written as far as the windows allow."""
    stream = state.open(FIELDS, message, prefix)
    state.pump(1 << 30)
    return stream


def written(state: ClientState) -> list[Frame]:
    """The frames that were written since the last look."""
    out = b"".join(state.out)
    state.out.clear()
    return parse(out.removeprefix(PREFACE))


def head(stream_id: int, fields=HEAD, flags: int = END_HEADERS) -> bytes:
    """A HEADERS frame."""
    return frame(HEADERS, flags, stream_id, encode_fields(fields))


def data(stream_id: int, body: bytes, flags: int = 0) -> bytes:
    """A DATA frame."""
    return frame(DATA, flags, stream_id, body)


def trailers(stream_id: int, fields=DONE) -> bytes:
    """The last HEADERS frame."""
    return head(stream_id, fields, END_HEADERS | END_STREAM)


def answer(stream_id: int, body: bytes = b"yes") -> bytes:
    """A whole answer."""
    return head(stream_id) + data(stream_id, body) + trailers(stream_id)


def reset(stream_id: int, code: int) -> bytes:
    """An RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def farewell(last_id: int, code: int = 0, text: bytes = b"") -> bytes:
    """A GOAWAY frame."""
    return frame(GOAWAY, 0, 0, last_id.to_bytes(4, "big") + code.to_bytes(4, "big") + text)
