"""Writers of messages; the whole is proved in `test_otlp_json`."""

import pytest
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
