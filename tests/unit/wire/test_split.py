"""Splitting loses nothing, invents nothing, and puts each trace where it belongs."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core import Malformed, Signal
from bridge.wire import (
    Piece,
    count_items,
    split_by_partition,
    split_by_resource,
    split_by_trace,
    split_many_by_partition,
    trace_ids,
)
from tests.unit.wire.samples import ORDERS, REQUESTS, encode, flat_items, merged, requests

WITH_TRACES = (Signal.TRACES, Signal.LOGS)
slow = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)


def place(ids: Sequence[bytes]) -> list[int]:
    """A stand-in for a partitioner: the first byte decides."""
    return [(trace_id[0] if trace_id else 7) % 3 for trace_id in ids]


def ids_of(signal: Signal, body: bytes) -> set[bytes]:
    """The trace ids in a body by the official classes."""
    request = REQUESTS[signal].FromString(body)
    if signal is Signal.TRACES:
        scopes = [scope for resource in request.resource_spans for scope in resource.scope_spans]
        return {span.trace_id for scope in scopes for span in scope.spans}
    scopes = [scope for resource in request.resource_logs for scope in resource.scope_logs]
    return {record.trace_id for scope in scopes for record in scope.log_records}


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(WITH_TRACES))
def test_split_by_partition_keeps_every_item_once(
    data: st.DataObject, order: str, signal: Signal
) -> None:
    """The pieces together hold the same items in the same envelopes, each in its partition."""
    request = data.draw(requests(signal))
    pieces = split_by_partition(signal, encode(request, order), place)

    assert flat_items(signal, request) == flat_items(
        signal, merged(signal, [piece.body for piece in pieces.values()])
    )
    for partition, piece in pieces.items():
        assert {partition} == set(place(list(ids_of(signal, piece.body))))
        assert piece.items == count_items(signal, piece.body)


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(WITH_TRACES))
def test_split_by_trace_gives_one_trace_a_piece(
    data: st.DataObject, order: str, signal: Signal
) -> None:
    """Each piece holds one id from one scope; nothing is lost and no two pieces are alike."""
    request = data.draw(requests(signal))
    pieces = split_by_trace(signal, encode(request, order))

    assert flat_items(signal, request) == flat_items(
        signal, merged(signal, [piece.body for piece in pieces])
    )
    for piece in pieces:
        assert {piece.trace_id} == ids_of(signal, piece.body)
        assert piece.items == count_items(signal, piece.body)


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(Signal))
def test_split_by_resource_joins_to_the_same_request(
    data: st.DataObject, order: str, signal: Signal
) -> None:
    """The pieces are the resources, empty ones included, in order."""
    request = data.draw(requests(signal))
    pieces = split_by_resource(encode(request, order))

    assert request == merged(signal, [body for _, body in pieces])


@slow
@given(bodies=st.lists(st.one_of(st.binary(max_size=40), st.none()), max_size=5))
def test_split_of_many_keeps_broken_bodies_apart(bodies: list[bytes | None]) -> None:
    """A broken body is reported at its own place; its neighbours are split as if alone."""
    request = REQUESTS[Signal.TRACES]()
    request.resource_spans.add().scope_spans.add().spans.add(trace_id=bytes([4]) * 16)
    good = request.SerializeToString()
    inputs = [good if body is None else body for body in bodies]
    results = split_many_by_partition(Signal.TRACES, inputs, place)

    assert len(inputs) == len(results)
    for body, result in zip(inputs, results, strict=True):
        if body == good:
            assert {1: Piece(good, 1)} == result
        else:
            assert isinstance(result, dict | Malformed)


def test_split_of_broken_span_names_the_problem() -> None:
    """A span that is cut off makes the whole request malformed."""
    with pytest.raises(Malformed, match="span is no valid"):
        split_by_trace(Signal.TRACES, b"\x0a\x06\x12\x04\x12\x02\x0a\x10")


def unknown_field_body() -> tuple[Any, bytes]:
    """A resource that comes in two parts, with a repeated schema URL and unknown fields."""
    request = REQUESTS[Signal.TRACES]()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="a").value.int_value = 1
    resource.schema_url = "https://example.com/first"
    scope = resource.scope_spans.add()
    scope.scope.name = "grind"
    for number in (1, 2, 3):
        scope.spans.add(trace_id=bytes([number]) * 16)
    second = REQUESTS[Signal.TRACES]().resource_spans.add()
    second.resource.attributes.add(key="b").value.int_value = 2
    second.schema_url = "https://example.com/last"
    content = resource.SerializeToString() + second.SerializeToString() + b"\xa2\x06\x02hi"
    body = b"\x0a" + bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    return REQUESTS[Signal.TRACES].FromString(body), body


def test_split_merges_a_repeated_resource_and_keeps_unknown_fields() -> None:
    """Messages that come in parts are merged as protobuf says; unknown fields stay with them."""
    request, body = unknown_field_body()
    pieces = split_by_partition(Signal.TRACES, body, place)

    assert {0, 1, 2} == set(pieces)
    for piece in pieces.values():
        (resource,) = REQUESTS[Signal.TRACES].FromString(piece.body).resource_spans
        assert request.resource_spans[0].resource == resource.resource
        assert resource.schema_url == "https://example.com/last"
        assert b"\xa2\x06\x02hi" in piece.body


def test_split_reads_ids_of_the_pieces_it_made() -> None:
    """Pieces can be split again: replaying records after a change of the partition count works."""
    _, body = unknown_field_body()
    (piece,) = split_by_partition(Signal.TRACES, body, lambda ids: [0] * len(ids)).values()

    assert Piece(piece.body, 3) == piece
    assert {0, 1, 2} == set(split_by_partition(Signal.TRACES, piece.body, place))
    assert len(trace_ids(Signal.TRACES, [b"", b"", b""])) == 3
