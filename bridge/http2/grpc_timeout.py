"""The deadline that a gRPC client sends along."""

from typing import Final

from bridge.http2.header_decoder import Field

_DIGITS_MAX: Final = 8
_UNITS_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def timeout_s(fields: tuple[Field, ...]) -> float:
    """The seconds that ``grpc-timeout`` grants; infinity if it is missing or not well formed."""
    for name, value in fields:
        if name == b"grpc-timeout":
            unit_s, digits = _UNITS_S.get(value[-1:]), value[:-1]
            if unit_s and digits.isdigit() and len(digits) <= _DIGITS_MAX:
                return int(digits) * unit_s
    return float("inf")
