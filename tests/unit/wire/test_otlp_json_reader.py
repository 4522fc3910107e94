"""Writers of messages; the whole is proved in `test_otlp_json`."""

import contextlib
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest as Logs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Metrics,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest as Traces,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bridge.core import Malformed
from bridge.wire.otlp_json_reader import message_writer


def test_writer_is_made_once_a_type() -> None:
    """Tables are kept."""
    assert message_writer(Span.DESCRIPTOR) is message_writer(Span.DESCRIPTOR)


def test_writer_leaves_defaults_out() -> None:
    """As protobuf does for fields whose presence means nothing."""
    assert message_writer(Span.DESCRIPTOR)({"name": "", "kind": 0, "traceId": ""}, 1) == b""


def test_writer_names_the_field_that_does_not_fit() -> None:
    """The sender finds it."""
    with pytest.raises(Malformed, match=r"Span\.kind must be an integer"):
        message_writer(Span.DESCRIPTOR)({"kind": "soon"}, 1)


def messages(descriptor: Descriptor, known: dict[str, Descriptor]) -> dict[str, Descriptor]:
    """*descriptor* and all that it holds, by name."""
    if descriptor.full_name not in known:
        known[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                messages(field.message_type, known)
    return known


WRONG = ({}, {"a": 1}, [], [[]], [{}], True, -1, 1.5, 10**30, "\x00", "zz")
"""A value of each kind that JSON has, of which some fit nowhere."""


@pytest.mark.parametrize("request_type", [Traces, Metrics, Logs])
def test_writer_of_any_field_takes_or_refuses_any_kind_of_value(request_type: Any) -> None:
    """A sender's mistake is named as such, whichever field it is in."""
    for descriptor in messages(request_type.DESCRIPTOR, {}).values():
        write = message_writer(descriptor)
        for field in descriptor.fields:
            for value in WRONG:
                for given in (value, [value]):
                    with contextlib.suppress(Malformed):
                        write({field.json_name: given}, 1)
