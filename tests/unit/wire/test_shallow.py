"""Taking requests apart and putting them together."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core import Malformed, Signal
from bridge.wire.shallow import encode_resource, encode_scope, parse
from tests.unit.wire.samples import ORDERS, REQUESTS, encode, requests


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(Signal))
def test_parse_then_encode_is_the_same_request(
    data: st.DataObject, order: str, signal: Signal
) -> None:
    """Apart and together again, every request is what it was, presence of fields included."""
    request = data.draw(requests(signal))
    again = b"".join(
        encode_resource(head, [encode_scope(scope_head, items) for scope_head, items in scopes])
        for head, _, scopes in parse(encode(request, order))
    )

    assert request == REQUESTS[signal].FromString(again)


@given(body=st.binary(max_size=100))
def test_parse_of_any_bytes_is_exact_or_malformed(body: bytes) -> None:
    """Bytes that parse give the same items as the schema with repeated envelopes."""
    try:
        parsed = parse(body)
    except Malformed:
        return
    again = b"".join(
        encode_resource(head, [encode_scope(scope_head, items) for scope_head, items in scopes])
        for head, _, scopes in parsed
    )
    assert [resource[1:] for resource in parsed] == [resource[1:] for resource in parse(again)]


def test_parse_keeps_an_empty_resource_that_is_there() -> None:
    """The Collector always writes resource and scope, also empty ones: they stay."""
    assert parse(b"\x0a\x06\x12\x02\x0a\x00\x0a\x00") == [(b"\x0a\x00", b"", [(b"\x0a\x00", [])])]
