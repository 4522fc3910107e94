"""The compiled forms give what the Python forms give, or leave the decision to them."""

import contextlib
from collections.abc import Callable, Sequence

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.core import Malformed, Signal, TooLarge
from bridge.wire import Place, RequestLimits, fnv1a_32, murmur2, native, trace_key
from bridge.wire.count import count_in_python
from bridge.wire.limits import UNLIMITED
from bridge.wire.shallow import parse
from bridge.wire.split import split_by_partition
from tests.unit.wire.samples import ORDERS, encode, flat_items, merged, requests

WITH_TRACES = (Signal.TRACES, Signal.LOGS)
PARTITIONS = 5
slow = settings(suppress_health_check=[HealthCheck.too_slow], max_examples=100, deadline=None)

pytestmark = pytest.mark.skipif(
    not native.available(), reason="installed without a C compiler: there is no compiled form"
)


def place(signal: Signal, *, java: bool) -> Place:
    """Partitions by the definition: the hash of the text of the id."""

    def partitions(ids: Sequence[bytes]) -> list[int]:
        found = []
        for trace_id in ids:
            key = trace_key(trace_id)
            if not key and signal is Signal.LOGS:
                found.append(-1)
            elif java:
                found.append((murmur2(key) & 0x7FFFFFFF) % PARTITIONS)
            else:
                hashed = fnv1a_32(key)
                found.append(abs(hashed - (hashed >> 31 << 32)) % PARTITIONS)
        return found

    return partitions


def items_of(body: bytes) -> list[bytes]:
    """The encoded items of a request, in order."""
    return [item for _, _, scopes in parse(body) for _, items in scopes for item in items]


def check(signal: Signal, body: bytes, *, java: bool) -> str:
    """Hold both forms against each other; says which way it went."""
    try:
        compiled = native.split(signal, body, PARTITIONS, murmur2=java)
    except Malformed:
        with pytest.raises(Malformed):
            split_by_partition(signal, body, place(signal, java=java))
        return "malformed"
    if compiled is None:
        return "left to Python"
    expected = split_by_partition(signal, body, place(signal, java=java))

    assert {number: piece.items for number, piece in expected.items()} == {
        number: items for number, _, items in compiled
    }
    for number, piece, _ in compiled:
        assert items_of(expected[number].body) == items_of(piece)
        with contextlib.suppress(DecodeError):  # What neither form looks at may be damaged.
            assert flat_items(signal, merged(signal, [expected[number].body])) == flat_items(
                signal, merged(signal, [piece])
            )
    return "equal"


def verdict(count: Callable[[], int | None]) -> int | str | None:
    """What a count says; which of several faults of a request is found first does not matter."""
    try:
        return count()
    except (Malformed, TooLarge):
        return "refused"


def check_count(signal: Signal, body: bytes, limits: RequestLimits) -> None:
    """Hold both ways of counting against each other, refusals included."""
    expected = verdict(lambda: count_in_python(signal, body, limits))

    assert expected == verdict(lambda: native.count(signal, body, limits))
    found = expected if isinstance(expected, int) else None
    assert native.count_many(signal, [None, body, body], limits) == [None, found, found]


@slow
@given(
    data=st.data(),
    order=st.sampled_from(ORDERS),
    signal=st.sampled_from(WITH_TRACES),
    java=st.booleans(),
)
def test_native_split_equals_python(
    data: st.DataObject, order: str, signal: Signal, java: bool
) -> None:
    """For requests as senders write them both forms give the same pieces and counts."""
    request = data.draw(requests(signal))

    assert check(signal, encode(request, order), java=java) == "equal"


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(WITH_TRACES))
def test_native_split_of_damaged_bytes_agrees(
    data: st.DataObject, order: str, signal: Signal
) -> None:
    """Cut, overwritten and inserted bytes are malformed to both, or mean the same to both."""
    body = bytearray(encode(data.draw(requests(signal)), order))
    for _ in range(data.draw(st.integers(1, 4))):
        if not body:
            break
        at = data.draw(st.integers(0, len(body) - 1))
        how = data.draw(st.sampled_from(["cut", "set", "insert", "truncate"]))
        if how == "cut":
            del body[at]
        elif how == "set":
            body[at] = data.draw(st.integers(0, 255))
        elif how == "insert":
            body[at:at] = data.draw(st.binary(max_size=4))
        else:
            del body[at:]

    assert check(signal, bytes(body), java=False)


@given(st.binary(max_size=60))
def test_native_split_of_any_bytes_agrees(body: bytes) -> None:
    """Whatever comes in, nothing but an answer or Malformed comes out."""
    for signal in WITH_TRACES:
        assert check(signal, body, java=False)


@slow
@given(
    data=st.data(),
    signal=st.sampled_from(WITH_TRACES),
    java=st.booleans(),
    bytes_max=st.integers(0, 2000),
)
def test_native_many_split_at_once_are_the_pieces_of_each(
    data: st.DataObject, signal: Signal, java: bool, bytes_max: int
) -> None:
    """Shares are the bodies' own pieces in their order, and only a single one exceeds the limit."""
    orders = data.draw(st.lists(st.sampled_from(ORDERS), max_size=5))
    bodies = [encode(data.draw(requests(signal)), order) for order in orders]
    names = [f"caller {number}" for number in range(len(bodies))]
    joined = native.split_many(signal, bodies, names, PARTITIONS, murmur2=java, bytes_max=bytes_max)
    assert joined is not None
    found: dict[int, list[tuple[str, bytes, int]]] = {}
    for partition, value, items, shares in joined:
        assert len(value) <= bytes_max or len(shares) == 1
        assert items == sum(count for _, count, _ in shares)
        assert shares[-1][2] == len(value)
        start = 0
        for name, count, stop in shares:
            found.setdefault(partition, []).append((name, value[start:stop], count))
            start = stop
    expected: dict[int, list[tuple[str, bytes, int]]] = {}
    for name, body in zip(names, bodies, strict=True):
        for partition, piece, items in native.split(signal, body, PARTITIONS, murmur2=java) or []:
            expected.setdefault(partition, []).append((name, piece, items))

    assert expected == found
    assert sorted(found) == list(found)


def test_native_many_with_a_broken_one_are_left_to_the_caller() -> None:
    """Who sent the broken one is found by splitting each."""
    bodies = [b"", b"\x0a\x05\x01"]

    assert native.split_many(Signal.TRACES, bodies, [1, 2], 3, murmur2=False, bytes_max=9) is None


def test_native_odd_encodings_are_left_to_python() -> None:
    """Groups, which protobuf allows and nobody writes, are not split in C."""
    group = b"\x0a\x02\x2b\x2c"

    assert native.split(Signal.TRACES, group, PARTITIONS, murmur2=False) is None


def test_native_refuses_senseless_partition_counts() -> None:
    """A count of partitions outside of what Kafka has is a mistake of the caller."""
    with pytest.raises(OverflowError):
        native.split(Signal.TRACES, b"", 0, murmur2=False)
    with pytest.raises(OverflowError):
        native.split_many(Signal.TRACES, [b""], [], 1, murmur2=False, bytes_max=1)


@pytest.mark.parametrize("body", [b"\x0a\x02\x2b\x2c", b"\x08\x01", b"\x02\x00", b"\x0b\x0a\x0c"])
@pytest.mark.parametrize("signal", Signal)
def test_native_count_decides_odd_encodings_as_protobuf_does(signal: Signal, body: bytes) -> None:
    """Groups and known fields of other types are passed over, field number 0 is broken."""
    check_count(signal, body, UNLIMITED)
    check_count(signal, body, RequestLimits(0, 2, 4))


LIMITS = st.builds(
    RequestLimits,
    st.integers(0, 4),
    st.sampled_from([0, 1, 3, 10, 1000]),
    st.sampled_from([0, 5, 50, 500, 10_000]),
)


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(Signal), limits=LIMITS)
def test_native_count_equals_python(
    data: st.DataObject, order: str, signal: Signal, limits: RequestLimits
) -> None:
    """The same number, or a refusal by both."""
    body = encode(data.draw(requests(signal)), order)
    check_count(signal, body, UNLIMITED)
    check_count(signal, body, limits)


@given(body=st.binary(max_size=60), limits=LIMITS, signal=st.sampled_from(Signal))
def test_native_count_of_any_bytes_agrees(
    body: bytes, limits: RequestLimits, signal: Signal
) -> None:
    """Whatever comes in, both say the same."""
    check_count(signal, body, UNLIMITED)
    check_count(signal, body, limits)


@slow
@given(data=st.data(), order=st.sampled_from(ORDERS), signal=st.sampled_from(Signal), limits=LIMITS)
def test_native_count_of_damaged_bytes_agrees(
    data: st.DataObject, order: str, signal: Signal, limits: RequestLimits
) -> None:
    """One byte is another: both call it broken, or count the same."""
    body = bytearray(encode(data.draw(requests(signal)), order))
    if body:
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    check_count(signal, bytes(body), UNLIMITED)
    check_count(signal, bytes(body), limits)


def test_native_split_of_metrics_is_left_to_python() -> None:
    """Metrics belong to no trace."""

    assert native.split(Signal.METRICS, b"", 3, murmur2=False) is None


def test_native_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that tests and doubters set is honoured."""
    monkeypatch.setenv("OTLP_BRIDGE_PURE", "1")

    assert native.load() is None
