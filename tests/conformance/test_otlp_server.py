"""The rules of OTLP 1.11 for servers, one test each (S1 to S28), by both transports."""

import gzip
import json
import zlib
from typing import Any

import grpc
import pytest
import zstandard
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from bridge.core import Overloaded, Receipt, Refused, Signal, Unavailable
from bridge.receivers.otlp import OtlpReceiverOptions
from bridge.testing import FakeStage, log_request, metric_request, trace_request
from tests.unit.receivers.otlp.clients import (
    EXPORT_PATHS,
    JSON,
    PROTOBUF,
    Answer,
    Http,
    call,
    details_of,
    post,
    running,
)

MADE = {
    Signal.TRACES: trace_request(2, 2),
    Signal.METRICS: metric_request(),
    Signal.LOGS: log_request(),
}
REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}
RESPONSES: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}
SPANS = MADE[Signal.TRACES].body
SPAN_JSON = (
    b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5B8EFFF798038103d269b633813fc60c",'
    b'"spanId":"EEE19B7EC3C1B174","name":"a","kind":2,"startTimeUnixNano":"1544712660000000000",'
    b'"endTimeUnixNano":1544712661000000000,"somethingNew":{"a":[1]},"trace_id":"ignored"}]}]}]}'
)
SIGNALS = pytest.mark.parametrize("signal", list(Signal))


def status_of(answer: Answer) -> Status:
    """The ``google.rpc.Status`` in the body, in the encoding that the header names."""
    if answer.headers["content-type"] == PROTOBUF:
        return Status.FromString(answer.body)
    assert answer.headers["content-type"] == JSON
    return json_format.Parse(answer.body, Status())


async def refuse(target: str, body: bytes, **options: Any) -> tuple[grpc.StatusCode, Status]:
    """The code and the details of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(target, body, **options)
    return error.value.code(), Status.FromString(details_of(error.value))


@SIGNALS
async def test_s1_none_and_gzip_are_accepted(signal: Signal) -> None:
    """On every signal and transport, and zstd, zlib and deflate over HTTP."""
    made = MADE[signal]
    path = f"/v1/{signal.value}"
    async with running() as run:
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            await call(run.grpc, made.body, EXPORT_PATHS[signal], compression=compression)
        for encoding, body in (
            ("identity", made.body),
            ("gzip", gzip.compress(made.body)),
            ("GZIP", gzip.compress(made.body[:10]) + gzip.compress(made.body[10:])),
            ("zstd", zstandard.compress(made.body)),
            ("deflate", zlib.compress(made.body)),
        ):
            answer = await post(run.http, body, PROTOBUF, path, Content_Encoding=encoding)
            assert answer.status == 200

        assert {batch.body for batch in run.stage.taken} == {made.body}
        assert len(run.stage.taken) == 7


@SIGNALS
async def test_s2_success_is_the_right_response_without_partial_success(signal: Signal) -> None:
    """The message of that signal; `partial_success` is unset, not empty."""
    made, path = MADE[signal], f"/v1/{signal.value}"
    as_json = json_format.MessageToJson(REQUESTS[signal]()).encode()
    async with running() as run:
        over_grpc = await call(run.grpc, made.body, EXPORT_PATHS[signal])
        over_http = await post(run.http, made.body, PROTOBUF, path)
        over_json = await post(run.http, as_json, JSON, path)

    for body in (over_grpc, over_http.body):
        assert not RESPONSES[signal].FromString(body).HasField("partial_success")
    assert over_json.body == b"{}"


@SIGNALS
async def test_s3_empty_request_is_a_success(signal: Signal) -> None:
    """Without a byte, without an item, and as an empty JSON object."""
    path = f"/v1/{signal.value}"
    async with running() as run:
        await call(run.grpc, b"", EXPORT_PATHS[signal])
        empty = await post(run.http, b"", PROTOBUF, path)
        empty_json = await post(run.http, b"{}", JSON, path)

        assert (empty.status, empty_json.status) == (200, 200)
        assert run.stage.offered == []


async def test_s4_partial_success_has_the_exact_count() -> None:
    """And a message, in the request's encoding."""
    async with running(FakeStage(otherwise=Receipt(3, "span too large"))) as run:
        answers = [
            ExportTraceServiceResponse.FromString(await call(run.grpc, SPANS)),
            ExportTraceServiceResponse.FromString((await post(run.http, SPANS)).body),
            json_format.Parse(
                (await post(run.http, SPAN_JSON, JSON)).body, ExportTraceServiceResponse()
            ),
        ]

    for answer in answers:
        assert answer.partial_success.rejected_spans == 3
        assert answer.partial_success.error_message == "span too large"


async def test_s5_warning_has_no_count_and_a_message() -> None:
    """Everything was taken, and there is something to say."""
    async with running(FakeStage(otherwise=Receipt(0, "mind the clock"))) as run:
        answer = ExportTraceServiceResponse.FromString(await call(run.grpc, SPANS))

        assert answer.partial_success.rejected_spans == 0
        assert answer.partial_success.error_message == "mind the clock"
        assert run.value("bridge_receiver_requests", outcome="ok") == 1


def test_s6_limits_are_64_mib_by_default_and_configurable() -> None:
    """The recommended default, on both transports."""
    options = OtlpReceiverOptions.model_validate({"protocols": {"grpc": None, "http": None}})

    assert options.protocols.grpc is not None
    assert options.protocols.http is not None
    assert options.protocols.grpc.max_recv_msg_size_mib == 64
    assert options.protocols.http.body_bytes_max == 64 << 20


async def test_s7_response_is_small_whatever_was_said() -> None:
    """Texts of the stages behind are cut."""
    async with running(FakeStage(otherwise=Refused("x" * 10_000_000))) as run:
        _, status = await refuse(run.grpc, SPANS)
        answer = await post(run.http, SPANS)

    assert len(status.message) < 10_000
    assert len(answer.body) < 10_000


async def test_s8_attribute_values_of_every_kind_are_accepted() -> None:
    """Empty, bytes, mixed arrays and nested maps."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="a")
    span.attributes.add(key="empty")
    span.attributes.add(key="bytes").value.bytes_value = b"\0\xff"
    array = span.attributes.add(key="array").value.array_value
    array.values.add(int_value=1)
    array.values.add(string_value="a")
    array.values.add().kvlist_value.values.add(key="k").value.double_value = 1.5
    async with running() as run:
        await call(run.grpc, request.SerializeToString())
        await post(run.http, json_format.MessageToJson(request).encode(), JSON)

        first, second = (ExportTraceServiceRequest.FromString(b.body) for b in run.stage.taken)
        assert first == second == request


async def test_s9_unknown_fields_are_ignored() -> None:
    """In protobuf they are passed on, in JSON they are left out."""
    unknown = b"\xba\x3e\x03abc"
    async with running() as run:
        await call(run.grpc, SPANS + unknown)
        answer = await post(run.http, SPAN_JSON, JSON)

        assert answer.status == 200
        assert run.stage.taken[0].body == SPANS + unknown


async def test_s10_empty_envelopes_are_no_error() -> None:
    """Resources and scopes without an item."""
    async with running() as run:
        answer = await post(run.http, b'{"resourceSpans":[{"scopeSpans":[{}]},{}]}', JSON)
        await call(run.grpc, b"\x0a\x02\x12\x00")

        assert answer.status == 200


async def test_s11_unknown_signals_are_unimplemented() -> None:
    """Profiles of a newer client: UNIMPLEMENTED and 404, and the connection lives on."""
    path = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
    async with running() as run:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(run.grpc, b"", path)
        http = await Http.connect(run.http)
        unknown = await http.post(b"", PROTOBUF, "/v1development/profiles")
        known = await http.post(SPANS)
        http.close()

    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert (unknown.status, known.status) == (404, 200)


async def test_s12_oversize_is_resource_exhausted_without_a_retry() -> None:
    """As sent and decompressed; the text names the key to raise."""
    async with running(grpc_options={"max_recv_msg_size_mib": 1}) as run:
        raw, raw_status = await refuse(run.grpc, bytes((1 << 20) + 1))
        packed, packed_status = await refuse(
            run.grpc, bytes((1 << 20) + 1), compression=grpc.Compression.Gzip
        )

    assert raw is packed is grpc.StatusCode.RESOURCE_EXHAUSTED
    for status in (raw_status, packed_status):
        assert list(status.details) == []
        assert "receivers.otlp.protocols.grpc.max_recv_msg_size_mib" in status.message


async def test_s13_trouble_that_passes_is_unavailable_with_retry_info() -> None:
    """When the stage says how long, the sender hears it."""
    async with running(FakeStage(otherwise=Unavailable("away", retry_after_s=2.0))) as run:
        code, status = await refuse(run.grpc, SPANS)

    info = RetryInfo()
    assert code is grpc.StatusCode.UNAVAILABLE
    assert status.details[0].Unpack(info)
    assert 1 <= info.retry_delay.seconds <= 2


async def test_s14_bad_data_is_an_invalid_argument() -> None:
    """With BadRequest details."""
    async with running() as run:
        code, status = await refuse(run.grpc, b"\xff\xff\xff")

    details = BadRequest()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert status.details[0].Unpack(details)
    assert details.field_violations[0].description


@pytest.mark.parametrize("error", [Overloaded("full"), RuntimeError("ours"), Refused("no")])
async def test_s15_never_unknown_and_never_internal(error: Exception) -> None:
    """Both would make clients drop data that may be fine, or hide that it is not."""
    async with running(FakeStage(otherwise=error)) as run:
        code, _ = await refuse(run.grpc, SPANS)

    assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)


async def test_s16_throttling_is_unavailable_not_resource_exhausted() -> None:
    """RESOURCE_EXHAUSTED without RetryInfo would be final."""
    async with running(FakeStage(otherwise=Overloaded("full", retry_after_s=1.0))) as run:
        code, status = await refuse(run.grpc, SPANS)

    assert code is grpc.StatusCode.UNAVAILABLE
    assert status.details[0].Is(RetryInfo.DESCRIPTOR)


def test_s17_grpc_listens_at_4317_of_localhost() -> None:
    """Nobody from outside reaches it by default."""
    grpc_options = OtlpReceiverOptions.model_validate({"protocols": {"grpc": None}}).protocols.grpc

    assert grpc_options is not None
    assert grpc_options.endpoint == "localhost:4317"


async def test_s18_paths_and_methods() -> None:
    """POST at three paths; 405 for other methods, 404 for other paths."""
    async with running() as run:
        for signal in Signal:
            taken = await post(run.http, MADE[signal].body, PROTOBUF, f"/v1/{signal.value}")
            assert taken.status == 200
        method = await post(run.http, b"", PROTOBUF, "/v1/traces", "GET")
        path = await post(run.http, b"", PROTOBUF, "/v1/trace")

    assert (method.status, path.status) == (405, 404)
    assert method.headers["allow"] == "post"
    http_options = OtlpReceiverOptions.model_validate({"protocols": {"http": None}}).protocols.http
    assert http_options is not None
    assert http_options.endpoint == "localhost:4318"


@pytest.mark.parametrize(
    ("content_type", "answered"),
    [
        ("application/x-protobuf", PROTOBUF),
        ("Application/X-Protobuf", PROTOBUF),
        ("application/json", JSON),
        ("application/json; charset=utf-8", JSON),
    ],
)
async def test_s19_response_has_the_type_of_the_request(content_type: str, answered: str) -> None:
    """Whatever its case and parameters."""
    body = SPAN_JSON if answered == JSON else SPANS
    async with running() as run:
        answer = await post(run.http, body, content_type)

    assert answer.status == 200
    assert answer.headers["content-type"] == answered


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_s19_other_types_are_unsupported(content_type: str) -> None:
    """415, with the types that are."""
    async with running() as run:
        answer = await post(run.http, SPANS, content_type)

    assert answer.status == 415
    assert "application/x-protobuf" in status_of(answer).message


async def test_s20_partial_success_is_200() -> None:
    """It is no error: nothing is to be sent again."""
    async with running(FakeStage(otherwise=Receipt(1, "too large"))) as run:
        answer = await post(run.http, SPANS)

    assert answer.status == 200


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
@pytest.mark.parametrize(
    ("error", "http_status", "code"),
    [(Unavailable("away"), 503, 14), (Refused("no"), 400, 3), (Overloaded("full"), 503, 14)],
)
async def test_s21_errors_have_a_status_body(
    content_type: str, error: Exception, http_status: int, code: int
) -> None:
    """In the request's encoding, with the text."""
    body = SPAN_JSON if content_type == JSON else SPANS
    async with running(FakeStage(otherwise=error)) as run:
        answer = await post(run.http, body, content_type)

    status = status_of(answer)
    assert answer.headers["content-type"] == content_type
    assert (answer.status, status.code, status.message) == (http_status, code, str(error))


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"\xff\xff\xff", PROTOBUF), (b"{", JSON), (b"[]", JSON)]
)
async def test_s22_undecodable_is_400_with_bad_request(body: bytes, content_type: str) -> None:
    """And details that say where."""
    async with running() as run:
        answer = await post(run.http, body, content_type)

    details = BadRequest()
    assert answer.status == 400
    assert status_of(answer).details[0].Unpack(details)


async def test_s23_oversize_is_413() -> None:
    """Declared, counted and decompressed; the text names the key to raise."""
    async with running(http_options={"max_request_body_size": 1_000}) as run:
        declared = await post(run.http, bytes(1_001))
        packed = await post(run.http, gzip.compress(bytes(1_001)), Content_Encoding="gzip")
        http = await Http.connect(run.http)
        http.send(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1_001)
        )
        counted = await http.read()
        http.close()

    for answer in (declared, packed, counted):
        assert answer.status == 413
        assert "receivers.otlp.protocols.http.max_request_body_size" in status_of(answer).message


async def test_s24_overload_is_503_with_retry_after() -> None:
    """In whole seconds, at least one."""
    async with running(FakeStage(otherwise=Overloaded("full", retry_after_s=0.1))) as run:
        answer = await post(run.http, SPANS)

    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"


async def test_s25_responses_are_not_compressed() -> None:
    """They are too short to gain from it; nobody has to ask."""
    async with running() as run:
        answer = await post(run.http, SPANS, Accept_Encoding="gzip")

    assert "content-encoding" not in answer.headers


async def test_s26_json_is_read_as_otlp_has_it() -> None:
    """Hex ids in any case, numbers and strings for 64 bits, unknown keys ignored."""
    async with running() as run:
        await post(run.http, SPAN_JSON, JSON)

        request = ExportTraceServiceRequest.FromString(run.stage.taken[0].body)
        span = request.resource_spans[0].scope_spans[0].spans[0]
        assert span.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
        assert span.span_id.hex() == "eee19b7ec3c1b174"
        assert (span.kind, span.name) == (2, "a")
        assert span.end_time_unix_nano - span.start_time_unix_nano == 1_000_000_000


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("snappy", SPANS, 415),
        ("gzip", SPANS, 400),
        ("gzip", gzip.compress(SPANS)[:-5], 400),
        ("zstd", zstandard.compress(SPANS)[:-5], 400),
        ("zstd", b"\x28\xb5\x2f\xfd", 400),
    ],
)
async def test_s27_bad_content_encoding_is_refused(encoding: str, body: bytes, status: int) -> None:
    """Unknown ones by name, broken ones as bad data, both with a status body."""
    async with running() as run:
        answer = await post(run.http, body, Content_Encoding=encoding)

        assert answer.status == status
        assert status_of(answer).message
        assert run.stage.offered == []


async def test_s28_connections_are_kept() -> None:
    """Across successes and errors, until the client ends them."""
    async with running() as run:
        http = await Http.connect(run.http)
        statuses = [
            (await http.post(SPANS)).status,
            (await http.post(b"\xff")).status,
            (await http.post(SPANS, "text/plain")).status,
            (await http.post(json.dumps({}).encode(), JSON)).status,
        ]
        last = await http.post(SPANS, Connection="close")

        assert statuses == [200, 400, 415, 200]
        assert last.status == 200
        assert await http.closed()
        http.close()
