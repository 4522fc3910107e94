"""An HTTP/2 client by hand: frames to send, frames read back, a gate that does as it is told."""

from dataclasses import dataclass

from bridge.http2 import Http2Limits, Response, Stream
from bridge.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
)
from bridge.http2.head import encode_fields
from bridge.http2.state import ConnectionState

OK = Response.of_fields(((b":status", b"200"),), b"done", ((b"grpc-status", b"0"),))
REFUSED = Response.of_fields(((b":status", b"200"), (b"grpc-status", b"14")))
OVERRUN = Response.of_fields(((b":status", b"200"), (b"grpc-status", b"3")))
REQUEST = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/a/B"),
    (b":authority", b"localhost"),
)
OPENING = PREFACE + frame(SETTINGS, 0, 0)


@dataclass(frozen=True)
class Frame:
    """A frame read back."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    @property
    def code(self) -> int:
        """The error code of RST_STREAM or GOAWAY."""
        return int.from_bytes(
            self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8], "big"
        )


class FakeGate:
    """Admits everything unless told otherwise; five bytes of prefix, as gRPC."""

    prefix_bytes = 5
    volatile_fields = frozenset({b"grpc-timeout"})
    overrun = OVERRUN

    def __init__(self, limit_bytes: int = 1 << 20) -> None:
        self.limit_bytes = limit_bytes
        self.refuse_head: Response | None = None
        self.refuse_body: Response | None = None
        self.admitted: list[Stream] = []
        self.prefixes: list[bytes] = []

    def admit(self, stream: Stream) -> Response | None:
        """Note the stream."""
        self.admitted.append(stream)
        return self.refuse_head

    def admit_body(self, stream: Stream, prefix: bytes) -> Response | None:
        """Note the prefix."""
        self.prefixes.append(prefix)
        stream.body_bytes_max = self.limit_bytes
        return self.refuse_body


def connect(
    limits: Http2Limits | None = None, gate: FakeGate | None = None
) -> tuple[ConnectionState, FakeGate]:
    """A connection whose opening is over."""
    gate = gate or FakeGate()
    state = ConnectionState(gate, limits or Http2Limits(), 100.0)
    state.receive(OPENING)
    state.sender.out.clear()
    return state, gate


def headers(
    stream_id: int, *more: tuple[bytes, bytes], flags: int = END_HEADERS, block: bytes | None = None
) -> bytes:
    """A HEADERS frame of `REQUEST` and *more* fields."""
    payload = encode_fields((*REQUEST, *more)) if block is None else block
    return frame(HEADERS, flags, stream_id, payload)


def data(stream_id: int, payload: bytes, *, end: bool = False) -> bytes:
    """A DATA frame."""
    return frame(DATA, END_STREAM if end else 0, stream_id, payload)


def read(state: ConnectionState) -> list[Frame]:
    """What the connection wrote since the last look."""
    out = b"".join(state.sender.out)
    state.sender.out.clear()
    return parse(out)


def parse(out: bytes) -> list[Frame]:
    """The frames in *out*."""
    frames = []
    while out:
        length = int.from_bytes(out[:3], "big")
        stream_id = int.from_bytes(out[5:9], "big")
        frames.append(Frame(out[3], out[4], stream_id, out[9 : 9 + length]))
        out = out[9 + length :]
    return frames
