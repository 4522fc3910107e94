"""Our bytes of a produce request and its response are those that aiokafka writes and reads."""

from io import BytesIO
from typing import Any

import pytest
from aiokafka.protocol import produce
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.produce_request import (
    API_KEY,
    VERSIONS,
    Result,
    decode_produced,
    encode_produce,
)

PIECES = st.lists(
    st.tuples(st.sampled_from(["spans", "logs", "métriques"]), st.integers(0, 300), st.binary()),
    max_size=8,
)
RESULTS = st.lists(
    st.tuples(
        st.text(max_size=9),
        st.lists(st.tuples(st.integers(0, 300), st.integers(-1, 90), st.integers(-1, 1 << 62))),
    ),
    max_size=4,
)


@pytest.mark.parametrize("version", VERSIONS)
@given(pieces=PIECES, acks=st.sampled_from([-1, 1]), number=st.integers(0, (1 << 31) - 1))
def test_request_equals_aiokafkas(
    version: int, pieces: list[tuple[str, int, bytes]], acks: int, number: int
) -> None:
    """Topics in the order in which they come first, their partitions in order."""
    topics: dict[str, list[tuple[int, bytes]]] = {}
    for topic, partition, batch in pieces:
        topics.setdefault(topic, []).append((partition, batch))
    request = produce.ProduceRequest(None, acks, 9000, list(topics.items())).prepare(
        {API_KEY: (version, version)}
    )
    header = request.build_request_header(correlation_id=number, client_id="me")
    expected = header.encode() + request.encode()

    found = encode_produce(
        pieces,
        version=version,
        correlation_id=number,
        client_id="me",
        acks=acks,
        timeout_ms=9000,
    )

    assert found == len(expected).to_bytes(4, "big") + expected


@pytest.mark.parametrize("version", VERSIONS)
@given(results=RESULTS)
def test_response_is_read_as_aiokafka_reads_it(
    version: int, results: list[tuple[str, list[tuple[int, int, int]]]]
) -> None:
    """Each result with its topic; times and log starts are passed over."""
    tail = (-1, 7) if version >= 5 else (-1,)
    kind: Any = getattr(produce, f"ProduceResponse_v{version}")
    data = kind(
        [(topic, [(*found, *tail) for found in partitions]) for topic, partitions in results], 0
    ).encode()
    assert kind.decode(BytesIO(data)).topics is not None

    assert decode_produced(data, version) == [
        Result(topic, *found) for topic, partitions in results for found in partitions
    ]


@given(data=st.binary(max_size=80), version=st.sampled_from(VERSIONS))
def test_response_that_is_none_is_an_error(data: bytes, version: int) -> None:
    """Whatever comes is read or refused with `ValueError`."""
    try:
        found = decode_produced(data, version)
    except ValueError:
        return
    assert all(isinstance(one, Result) for one in found)


def test_response_cut_anywhere_is_an_error() -> None:
    """No result is made up from what did not come."""
    made = [("t", [(3, 0, 5, -1, 7), (4, 0, 6, -1, 7)])]
    data = produce.ProduceResponse_v7(made, 0).encode()[:-4]  # Without the throttle time.

    assert decode_produced(data, 7) == [Result("t", 3, 0, 5), Result("t", 4, 0, 6)]
    for end in range(len(data)):
        with pytest.raises(ValueError, match="no response"):
            decode_produced(data[:end], 7)
