"""What policies read of spans: columns of all spans at once, and attributes span by span."""

from collections.abc import Sequence

from bridge.processors._gathering.schema import (
    BOOL,
    BYTES,
    FIXED32,
    FIXED64,
    INT32,
    INT64,
    Field,
    Reader,
    make_reader,
)

_ATTRIBUTE: dict[str, Sequence[Field]] = {
    "KeyValue": [Field("key", 1, BYTES), Field("value", 2, "Value")],
    # Text is read as bytes, since senders do not always write UTF-8.
    "Value": [Field("text", 1, BYTES), Field("flag", 2, BOOL), Field("number", 3, INT64)],
}

SPAN_ATTRIBUTES = make_reader(
    {
        "Scope": [Field("spans", 2, "Span", repeated=True)],
        "Span": [Field("attributes", 9, "KeyValue", repeated=True)],
        **_ATTRIBUTE,
    }
)
"""The attributes of each of some framed spans."""

RESOURCE_ATTRIBUTES = make_reader(
    {
        "Head": [Field("resource", 1, "Resource")],
        "Resource": [Field("attributes", 1, "KeyValue", repeated=True)],
        **_ATTRIBUTE,
    }
)
"""The attributes in the head of a resource."""

EXACT_TIMES = make_reader(
    {
        "Scope": [Field("spans", 2, "Span", repeated=True)],
        "Span": [Field("start", 7, FIXED64), Field("end", 8, FIXED64)],
    }
)
"""Start and end of each of some framed spans, also where they are absent."""


def column_reader(columns: frozenset[str]) -> Reader:
    """A reader of framed spans that gives the named columns of `COLUMNS` under ``.span``."""
    span: list[Field] = [COLUMNS[name] for name in sorted(columns)]
    messages: dict[str, Sequence[Field]] = {"Scope": [Field("span", 2, "Span")], "Span": span}
    if "status" in columns:
        messages["Status"] = [Field("code", 3, INT32, repeated=True)]
    return make_reader(messages)


COLUMNS = {
    "trace_state": Field("trace_state", 3, BYTES, repeated=True),
    "start": Field("start", 7, FIXED64, repeated=True),
    "end": Field("end", 8, FIXED64, repeated=True),
    "status": Field("status", 15, "Status"),
    "flags": Field("flags", 16, FIXED32, repeated=True),
}
"""What policies may want of all spans at once."""
