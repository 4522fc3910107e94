"""
A lean HTTP/2 server for unary requests with gRPC framing on it, and the client's half of it.

`state` is the connection as a pure state machine, `protocol` its asyncio side, `server` the
listeners and timers (used by `bridge/http1` as well), `grpc` the framing of messages;
`client_state` is a connection as its client sees it. Nothing here knows OTLP.
"""

from bridge.http2.body import Body
from bridge.http2.client_state import ClientState
from bridge.http2.client_stream import Answer, ClientStream
from bridge.http2.compression import decompress
from bridge.http2.frames import PREFACE, ErrorCode, goaway, settings
from bridge.http2.gate import Handler
from bridge.http2.grpc import (
    UNDECIDED,
    UNDECIDED_BYTES_MAX,
    Answers,
    Beginning,
    Call,
    Decision,
    GrpcHandler,
    Guard,
    Method,
)
from bridge.http2.grpc_answers import (
    Code,
    closing_response,
    further_response,
    message_response,
    opening_response,
    status_response,
)
from bridge.http2.grpc_calls import EXPIRY_GRACE_S, GrpcCalls
from bridge.http2.head import Head
from bridge.http2.header_decoder import Field
from bridge.http2.limits import Http2Limits, Timeouts
from bridge.http2.protocol import Http2Protocol
from bridge.http2.quiet_log import QuietLog
from bridge.http2.server import Connection, Server
from bridge.http2.stream import Response, Stream
from bridge.http2.whole_call import WholeCall, WholeMethod

__all__ = [
    # Serving.
    "Server",
    "Connection",
    "Http2Protocol",
    "Handler",
    "Stream",
    "Body",
    "Response",
    "Head",
    "Field",
    # What HTTP/1 servers tell HTTP/2 clients.
    "PREFACE",
    "ErrorCode",
    "goaway",
    "settings",
    # Calling.
    "ClientState",
    "ClientStream",
    "Answer",
    # gRPC.
    "GrpcHandler",
    "GrpcCalls",
    "EXPIRY_GRACE_S",
    "WholeCall",
    "WholeMethod",
    "Answers",
    "Decision",
    "Guard",
    "UNDECIDED",
    "UNDECIDED_BYTES_MAX",
    "Method",
    "Beginning",
    "Call",
    "Code",
    "closing_response",
    "further_response",
    "message_response",
    "opening_response",
    "status_response",
    # Bounds.
    "Http2Limits",
    "Timeouts",
    "decompress",
    "QuietLog",
]
