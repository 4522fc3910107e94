"""Log bodies alone, one record each."""

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from bridge.core import Malformed
from bridge.exporters.kafka.encodings.encoding import Encoded
from bridge.exporters.kafka.encodings.go_json import to_json


def encode_raw(body: bytes, items: int) -> list[Encoded]:
    """
    The body of each log record: bytes as they are, everything else as JSON. Empty ones give none.

    Raises:
        Malformed: If the request cannot be read, or a number is none that JSON has.
    """
    try:
        data = LogsData.FromString(body)
    except DecodeError as error:
        raise Malformed("the logs are no valid protobuf") from error
    values = (
        _raw(record.body)
        for resource in data.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    )
    return [Encoded(value, 1) for value in values if value is not None]


def _raw(value: AnyValue) -> bytes | None:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "bytes_value":
        return value.bytes_value
    return to_json(value).encode()
