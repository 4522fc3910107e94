"""What a client says first, and what others say instead."""

from typing import Final

from bridge.http2.frames import PREFACE, ConnectionFault, ErrorCode

_H1_METHODS: Final = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"PATCH ")
_TLS_HELLO: Final = b"\x16\x03"


def has_preface(data: bytes) -> bool:
    """
    Whether all of the preface is there, at the start of what a connection brought.

    Raises:
        ConnectionFault: If it will never be; `foreign` says which language it is, where we know it.
    """
    if data[: len(PREFACE)] == PREFACE:
        return True
    if len(data) < len(PREFACE) and PREFACE.startswith(data):
        return False
    fault = ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not an HTTP/2 client")
    if data.startswith(_H1_METHODS):
        fault.foreign = "HTTP/1"
    elif data.startswith(_TLS_HELLO):
        fault.foreign = "TLS"
    raise fault
