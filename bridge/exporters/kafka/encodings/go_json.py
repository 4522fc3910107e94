"""Values as the Collector's Go code writes them: as JSON, and as plain text."""

import base64
import json
import math
from collections.abc import Iterable
from decimal import Decimal

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from bridge.core import Malformed

# Go escapes these also inside of strings, so that JSON may stand in HTML.
_ESCAPED = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_PLAIN_MIN, _PLAIN_MAX = 1e-6, 1e21  # Outside of these, floats have an exponent.


def to_json(value: AnyValue) -> str:
    """
    JSON with sorted keys and no blanks; bytes as base64.

    Raises:
        Malformed: If there is a number that JSON cannot write.
    """
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _quoted(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        return _number(value.double_value)
    if kind == "bytes_value":
        return f'"{base64.b64encode(value.bytes_value).decode()}"'
    if kind == "array_value":
        return f"[{','.join(to_json(element) for element in value.array_value.values)}]"
    if kind == "kvlist_value":
        return map_to_json(value.kvlist_value.values)
    return "null"


def map_to_json(pairs: Iterable[KeyValue]) -> str:
    """
    A JSON object of *pairs*.

    Raises:
        Malformed: If there is a number that JSON cannot write.
    """
    values = {pair.key: pair.value for pair in pairs}
    inside = ",".join(f"{_quoted(key)}:{to_json(values[key])}" for key in sorted(values))
    return f"{{{inside}}}"


def to_text(value: AnyValue) -> str:
    """
    Text as it is, nothing for no value, and JSON without quotes for the rest.

    Raises:
        Malformed: If there is a number that JSON cannot write inside of a list or map.
    """
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    if kind == "string_value":
        return value.string_value
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and not math.isfinite(value.double_value):
        return "json: unsupported value: " + _go_name(value.double_value)
    return to_json(value)


def _go_name(number: float) -> str:
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)


def _number(number: float) -> str:
    if not math.isfinite(number):
        raise Malformed(f"{number} is a number that JSON has no way to write")
    if number == 0:
        return "-0" if math.copysign(1, number) < 0 else "0"
    digits = Decimal(repr(number))
    if _PLAIN_MIN <= abs(number) < _PLAIN_MAX:
        text = f"{digits:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, _, exponent = f"{digits.normalize():e}".partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].rjust(2, '0')}".replace("e-0", "e-")
