"""Log bodies alone."""

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings.raw import encode_raw


def test_raw_gives_a_record_for_each_body() -> None:
    """Bytes as they are, text as JSON, nothing for no body."""
    data = LogsData()
    records = data.resource_logs.add().scope_logs.add().log_records
    records.add().body.bytes_value = b"\xff\x00"
    records.add().body.string_value = 'say "x"'
    records.add()
    values = [record.value for record in encode_raw(data.SerializeToString(), 3)]

    assert values == [b"\xff\x00", b'"say \\"x\\""']


def test_raw_of_broken_bytes_is_malformed() -> None:
    """Nothing else comes out."""
    with pytest.raises(Malformed):
        encode_raw(b"\x0a\x7f", 1)
