"""OTLP over gRPC, without sockets."""

from hpack import Decoder

from bridge.core import ACCEPTED, NO_METADATA, Overloaded, Receipt, Signal, TooLarge
from bridge.flow import OF_OTLP, Account
from bridge.http2 import Call, Head, message_response
from bridge.receivers.otlp.grpc_service import OtlpAnswers, export_path, make_export, metadata_of
from bridge.receivers.otlp.intake import Intake, Outcomes
from bridge.testing import FakeStage, RecordingMetrics, make_settings, trace_request

HEAD = Head(b"POST", b"/p", b"localhost:4317", ((b"x-a", b"1"),), None)


def make_call() -> Call:
    """A call with one span."""
    return Call(trace_request().body, HEAD, ((b"grpc-timeout", b"1S"),), 0.0, 0)


def test_paths_are_those_of_otlp() -> None:
    """One service a signal."""
    assert export_path(Signal.METRICS) == (
        b"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    )


def test_metadata_has_the_authority_and_the_volatile_fields() -> None:
    """Nothing that the client sent is lost by how we keep it."""
    assert metadata_of(make_call()) == {
        ":authority": ("localhost:4317",),
        "x-a": ("1",),
        "grpc-timeout": ("1S",),
    }


async def test_export_answers_and_counts() -> None:
    """OK is a constant; a receipt with something to say is a message; an error is a status."""
    metrics = RecordingMetrics()
    settings = make_settings("otlp", metrics=metrics)
    stage = FakeStage(ACCEPTED, Receipt(1, "x"), Receipt(0, "y"), Overloaded("full"))
    outcomes = Outcomes(settings, "grpc")
    export = make_export(
        Intake(
            Signal.TRACES,
            stage,
            settings,
            "grpc",
            1_000,
            Account(settings.metrics, "receivers/otlp", Signal.TRACES, OF_OTLP),
        ),
        outcomes,
        OtlpAnswers(outcomes, "receivers.otlp.protocols.grpc"),
        include_metadata=False,
    )

    bodies = [(await export(make_call())).body for _ in range(4)]

    assert bodies[0] == message_response(b"").body
    assert bodies[1].endswith(b"\x08\x01\x12\x01x")
    assert bodies[2].endswith(b"\x12\x01y")
    assert bodies[3] == b""
    assert [
        metrics.value("bridge_receiver_requests", outcome=outcome)
        for outcome in ("ok", "partial", "overloaded")
    ] == [2, 1, 1]
    assert stage.taken[0].metadata is NO_METADATA


def test_too_large_names_the_key_to_raise() -> None:
    """And carries no retry hint."""
    outcomes = Outcomes(make_settings("otlp"), "grpc")

    response = OtlpAnswers(outcomes, "receivers.otlp.protocols.grpc").too_large(TooLarge("big"))

    fields = dict(Decoder().decode(response.head, raw=True))
    assert fields[b"grpc-status"] == b"8"
    assert b"receivers.otlp.protocols.grpc.max_recv_msg_size_mib" in fields[b"grpc-message"]
    assert b"RetryInfo" not in fields[b"grpc-status-details-bin"]
