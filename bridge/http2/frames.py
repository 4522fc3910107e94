"""The HTTP/2 frame vocabulary: numbers, builders, and the two kinds of protocol error."""

from enum import IntEnum
from struct import Struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

FRAME_HEAD: Final = Struct(">HBBBI")
"""Length (upper 16 and lower 8 bits), type, flags, stream id."""

FRAME_HEAD_BYTES: Final = 9

_SETTING: Final = Struct(">HI")

FRAME_BYTES_MAX: Final = 16_384
"""What we accept and send: the protocol's initial maximum, which every known client uses."""

WINDOW_BYTES_INITIAL: Final = 65_535
WINDOW_BYTES_MAX: Final = 2**31 - 1
STREAM_ID_MAX: Final = 2**31 - 1
HEADER_TABLE_BYTES: Final = 4_096

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

SETTING_HEADER_TABLE_SIZE: Final = 0x1
SETTING_ENABLE_PUSH: Final = 0x2
SETTING_MAX_CONCURRENT_STREAMS: Final = 0x3
SETTING_INITIAL_WINDOW_SIZE: Final = 0x4
SETTING_MAX_FRAME_SIZE: Final = 0x5
SETTING_MAX_HEADER_LIST_SIZE: Final = 0x6


class ErrorCode(IntEnum):
    """RFC 9113, section 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ConnectionFault(Exception):
    """The peer broke the connection's rules: GOAWAY with *code*, then close."""

    foreign = ""
    """The language of a peer that speaks none of ours."""

    def __init__(self, code: ErrorCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class StreamFault(Exception):
    """
    The peer broke one stream's rules: RST_STREAM with *code*; its neighbours go on.

    `weight` says for how many resets it counts: more than one if finding out was dear.
    """

    def __init__(self, stream_id: int, code: ErrorCode, reason: str, weight: int = 1) -> None:
        super().__init__(reason)
        self.stream_id = stream_id
        self.code = code
        self.weight = weight


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """One frame as bytes."""
    size = len(payload)
    return FRAME_HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(_SETTING.pack(key, value) for key, value in values.items())
    return frame(SETTINGS, 0, 0, payload)


SETTINGS_ACK: Final = frame(SETTINGS, ACK, 0)


def window_update(stream_id: int, increment_bytes: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, increment_bytes.to_bytes(4, "big"))


def rst_stream(stream_id: int, code: ErrorCode) -> bytes:
    """An RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway(last_stream_id: int, code: ErrorCode, reason: str = "") -> bytes:
    """A GOAWAY frame; *reason* goes along as debug data."""
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big")
    return frame(GOAWAY, 0, 0, payload + reason.encode("ascii", "replace")[:256])


def expect_size(payload: bytes, size: int) -> None:
    """
    Check the length of a control frame.

    Raises:
        ConnectionFault: If it is not *size* bytes.
    """
    if len(payload) != size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame of a broken length")


def expect_connection(stream_id: int) -> None:
    """
    Check that a frame is about the connection.

    Raises:
        ConnectionFault: If it names a stream.
    """
    if stream_id:
        raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "frame belongs to stream 0")


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """
    The settings of a SETTINGS frame, in their order: number and value.

    Raises:
        ConnectionFault: If the frame ends within one.
    """
    if len(payload) % _SETTING.size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a broken length")
    return list(_SETTING.iter_unpack(payload))
