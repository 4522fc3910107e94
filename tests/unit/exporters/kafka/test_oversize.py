"""Records that are cut until they fit."""

from bridge.core import Signal
from bridge.exporters.kafka.encodings import encoder
from bridge.exporters.kafka.oversize import cut_to_size, describe
from bridge.testing import log_request, trace_request
from bridge.wire import count_items


def test_proto_is_cut_by_trace() -> None:
    """Parts hold whole traces, fit, and lose nothing."""
    made = trace_request(10, 3)
    encode = encoder("otlp_proto", Signal.TRACES)
    fitting, oversize = cut_to_size(Signal.TRACES, encode, True, True, made.body, 2000)

    assert oversize == []
    assert all(len(encoded.value) <= 2000 for _, encoded in fitting)
    assert sum(encoded.items for _, encoded in fitting) == made.items


def test_other_encodings_are_halved_until_they_fit() -> None:
    """Their size is only known once they are encoded."""
    made = log_request(40)
    encode = encoder("otlp_json", Signal.LOGS)
    fitting, oversize = cut_to_size(Signal.LOGS, encode, False, False, made.body, 2000)

    assert oversize == []
    assert all(len(encoded.value) <= 2000 for _, encoded in fitting)
    assert sum(count_items(Signal.LOGS, body) for body, _ in fitting) == 40
    fitting, oversize = cut_to_size(Signal.LOGS, encode, False, False, made.body, 20)
    assert fitting == []
    assert len(oversize) == 40


def test_description_names_service_and_trace() -> None:
    """What the sender needs to find the span; never an exception."""
    made = trace_request(1, 1, service="mill")

    assert describe(Signal.TRACES, made.body) == (
        f"service mill, trace {made.span_ids[0][:16].hex()}"
    )
    assert describe(Signal.LOGS, log_request(service="depot").body) == "service depot"
    assert describe(Signal.TRACES, b"\x0a\x7f") == "an unknown service"
