"""
What is fuzzed: functions of bytes that must not raise, with the inputs that they begin from.

`run.py` gives them to atheris, `test_fuzz.py` to hypothesis and to every input that was ever found.
"""

import contextlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from bridge.config import ConfigErrors, load, render_json, render_plain
from bridge.core import Malformed, Signal, TooLarge
from bridge.flow import ByteBudget
from bridge.flow.dead_letter import letter_headers, read_letter
from bridge.flow.islands import Log, decode_islands, encode_islands
from bridge.http1 import Http1Limits
from bridge.http1.known_heads import KnownHeads
from bridge.http1.state import ConnectionState as Http1State
from bridge.http2 import GrpcHandler, Http2Limits, message_response
from bridge.http2.state import ConnectionState as Http2State
from bridge.ottl import ErrorMode, OttlSyntaxError, Statements
from bridge.service import Registry
from bridge.testing import ManualClock, log_request, metric_request, trace_request
from bridge.wire import RequestLimits, count_items, native, otlp_json, split_by_trace
from bridge.wire.count import count_in_python
from bridge.wire.limits import UNLIMITED
from bridge.wire.split import split_by_partition
from tests.unit.http1.gate import OK as HTTP1_OK
from tests.unit.http1.gate import FakeHandler, chunked, post
from tests.unit.http1.test_known_heads import Forgetful
from tests.unit.http2.wire import OK, OPENING, FakeGate, data, headers
from tests.unit.wire.nesting import PLACES, lists, maps
from tests.unit.wire.samples import REQUESTS, flat_items, merged

T = TypeVar("T")

SIGNALS = tuple(Signal)
BODIES = {
    Signal.TRACES: trace_request(3, 2).body,
    Signal.METRICS: metric_request().body,
    Signal.LOGS: log_request(3).body,
}


@dataclass(frozen=True)
class Target:
    """A function that takes any bytes, what it begins from, and words that it should try."""

    look: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that need not wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise AssertionError("it waits")


def cut(text: bytes) -> list[bytes]:
    """The first byte says in which pieces the others arrive."""
    if not text:
        return []
    size, rest = text[0] or len(text), text[1:]
    return [rest[at : at + size] for at in range(0, len(rest), size)]


def http2_frames(text: bytes) -> None:
    """Frames on a connection: answered, refused, or the end of it; all that is open is known."""
    gate = FakeGate(1000)
    limits = Http2Limits(concurrent_streams_max=10)
    state = Http2State(gate, limits, 0.0)
    state.receive(OPENING)
    for piece in cut(text):
        for stream in state.receive(piece):
            stream.take_body()
            state.respond(stream, OK)
        assert len(state.registry.open) <= limits.concurrent_streams_max
        assert sum(map(len, state.sender.out)) < 64 * len(text) + 10_000
        state.sender.out.clear()
    state.drop_all()
    assert not state.registry.open


def grpc_framing(text: bytes) -> None:
    """A call whose message is anything, in any encoding; what was charged is given back."""
    budget = ByteBudget(1 << 20)

    async def echo(call: Any) -> Any:
        return message_response(call.message[:100])

    handler = GrpcHandler(
        {b"/a/B": echo}, clock=ManualClock(), budget=budget, message_bytes_max=1 << 16, answer_s=4.0
    )
    if not text:
        return
    encoding = (b"identity", b"gzip", b"zstd", b"deflate")[text[0] % 4]
    state = Http2State(handler, Http2Limits(), 0.0)
    head = headers(1, (b"content-type", b"application/grpc"), (b"grpc-encoding", encoding))
    for piece in (OPENING, head, data(1, text[1:8000], end=True)):
        for stream in state.receive(piece):
            state.respond(stream, at_once(handler.handle(stream)))
            handler.release(stream)
    state.drop_all()
    for stream in state.dropped:
        handler.release(stream)
    assert budget.used_bytes == 0


def http1(text: bytes) -> None:
    """Requests on a connection; bodies stay within their limit, and known heads change nothing."""
    limits = Http1Limits(head_bytes_max=2000)
    states = []
    for kind in (KnownHeads, Forgetful):
        handler = FakeHandler()
        handler.limit_bytes = 1000
        states.append(Http1State(handler, limits, 0.0))
        states[-1].date = "now"
        states[-1]._known = kind(limits)
    for piece in cut(text):
        served = []
        for state in states:
            state.receive(piece)
            bodies = []
            while (request := state.next_request()) is not None:
                bodies.append(request.take_body())
                state.respond(request, HTTP1_OK)
            served.append((bodies, b"".join(state.out), state.closing, state.fault))
        assert served[0] == served[1]
        assert all(len(body) <= 1000 for body in served[0][0])
    for state in states:
        state.drop_all()


def verdict(count: Callable[[], int | None]) -> int | str | None:
    """What a count says; which of several faults of a request is found first does not matter."""
    try:
        return count()
    except (Malformed, TooLarge):
        return "refused"


def place(ids: Any) -> list[int]:
    """A stand-in for a partitioner."""
    return [(trace_id[0] if trace_id else 7) % 3 for trace_id in ids]


def split(text: bytes) -> None:
    """Nothing is lost and nothing invented, by the official classes; both forms count alike."""
    if not text:
        return
    signal, body = SIGNALS[text[0] % 3], text[1:]
    for limits in (UNLIMITED, RequestLimits(text[0] >> 4, 20, 60)):
        counted = verdict(lambda limits=limits: count_in_python(signal, body, limits))  # type: ignore[misc]  # bound at once
        assert counted == verdict(lambda limits=limits: count_items(signal, body, limits))  # type: ignore[misc]  # bound at once
    if signal is Signal.METRICS:
        return
    try:
        pieces = split_by_partition(signal, body, place)
        traces = split_by_trace(signal, body)
    except Malformed:
        return
    finally:
        with contextlib.suppress(Malformed):
            native.split(signal, body, 5, murmur2=False)
    items = count_items(signal, body)
    assert items == sum(piece.items for piece in pieces.values())
    assert items == sum(piece.items for piece in traces)
    try:
        whole = REQUESTS[signal].FromString(body)
        back = merged(signal, [piece.body for piece in pieces.values()])
    except DecodeError:
        return  # What a span holds is not looked at.
    assert flat_items(signal, whole) == flat_items(signal, back)


def json_request(text: bytes) -> None:
    """A request or a refusal; what was read can be written, and reads the same again."""
    if not text:
        return
    signal = SIGNALS[text[0] % 3]
    try:
        body = otlp_json.decode(signal, text[1:], 10_000)
    except (Malformed, TooLarge):
        return
    request = REQUESTS[signal].FromString(body)
    again = otlp_json.decode(signal, otlp_json.encode(signal, body))
    assert REQUESTS[signal].FromString(again).SerializeToString() == request.SerializeToString()


@cache
def registry() -> Registry:
    """The installed components."""
    return Registry()


def config(text: bytes) -> None:
    """Loaded, or refused with problems that can be shown."""
    written = text.decode(errors="replace")
    try:
        problems = load([f"yaml:{written}"], [], registry(), {"A": "1"}).warnings
    except ConfigErrors as error:
        problems = error.problems
        assert problems
    assert render_plain(problems) is not None
    json.dumps(render_json(problems))


def ottl(text: bytes) -> None:
    """Statements, or a syntax error."""
    if not text:
        return
    with contextlib.suppress(OttlSyntaxError):
        written = text[1:].decode(errors="replace")
        Statements(SIGNALS[text[0] % 3], [written], ErrorMode.IGNORE)


def dead_letter(text: bytes) -> None:
    """Headers of a record: a letter that can be written again, or a ValueError."""
    found: list[tuple[str, bytes | None]] = []
    for line in text.split(b"\n"):
        name, separator, value = line.partition(b":")
        found.append((name.decode(errors="replace"), value if separator else None))
    with contextlib.suppress(ValueError):
        letter = read_letter(b"key", b"value", found)
        assert read_letter(b"key", b"value", letter_headers(letter)).topic == letter.topic


def commit_metadata(text: bytes) -> None:
    """Anybody's metadata: ascending runs beyond the commit, or a ValueError."""
    written = text.decode(errors="replace")
    for candidate in (written, _signed(written)):
        with contextlib.suppress(ValueError):
            runs = decode_islands(candidate, 10, 1000, Log())
            edges = [edge for run in runs for edge in run]
            assert edges == sorted(set(edges))
            assert not edges or 10 <= edges[0] < edges[-1] <= 1000


def _signed(text: str) -> str:
    """With the checksum that somebody who knows the code would write."""
    from bridge.flow import islands

    return f"{text}.{islands._checksum(text)}"


def _h2_seeds() -> list[bytes]:
    call = headers(1) + data(1, b"\0\0\0\0\5hello", end=True)
    more = (
        call + headers(3, flags=5) + b"\0\0\4\3\0\0\0\0\3\0\0\0\x08" + b"\0\0\x08\6\0\0\0\0\0" * 2
    )
    return [b"\0" + call, b"\7" + more, b"\1" + call]


def _grpc_seeds() -> list[bytes]:
    import gzip

    import zstandard

    packed = ((0, b"plain"), (1, gzip.compress(b"x" * 900)), (2, zstandard.compress(b"y" * 900)))
    return [
        bytes([kind, bool(kind)]) + len(message).to_bytes(4, "big") + message
        for kind, message in packed
    ]


def _split_seeds() -> list[bytes]:
    plain = [bytes([SIGNALS.index(signal)]) + body for signal, body in BODIES.items()]
    nested = [
        bytes([SIGNALS.index(signal) | 0x30]) + make(value)
        for signal, make in PLACES.values()
        for value in (lists(4), maps(2))
    ]
    return plain + nested


def _json_seeds() -> list[bytes]:
    return [
        bytes([SIGNALS.index(signal)]) + otlp_json.encode(signal, body)
        for signal, body in BODIES.items()
    ]


_CONFIG = b"""receivers: {otlp: {protocols: {grpc: {endpoint: 'localhost:0'}}}}
processors:
  batch: {timeout: 1s}
  filter: {trace_conditions: ['span.name == "x"']}
exporters:
  kafka: &k {brokers: [a:1], traces: {topic: t}}
service:
  pipelines: {traces: {receivers: [otlp], processors: [batch, filter], exporters: [kafka]}}
"""
_OTTL = (
    b'\0set(span.attributes["a"], Concat([span.name, "b"], "-")) where span.kind == 2',
    b'\0delete_matching_keys(resource.attributes, "^x.*") where not (IsMatch(span.name, "a|b"))',
    b'\2set(log.body["a"]["b"], 1 + 2 * -3.5) where log.severity_number >= SEVERITY_NUMBER_WARN',
)


def _letter_seeds() -> list[bytes]:
    own = {
        "topic": "t", "partition": "1", "offset": "5", "offset-stop": "6", "timestamp-ms": "1",
        "signal": "traces", "encoding": "otlp_proto", "group": "g", "error": "Malformed",
        "reason": "r", "first-seen": "2026-01-01T00:00:00.000+00:00",
    }  # fmt: skip
    return ["\n".join(f"bridge-dlq-{name}:{value}" for name, value in own.items()).encode()]


def _metadata_seeds() -> list[bytes]:
    text = encode_islands(10, [(12, 15), (20, 900)], Log(), 4096)
    return [text.encode(), text.rpartition(".")[0].encode()]


TARGETS: dict[str, Target] = {
    "http2_frames": Target(http2_frames, _h2_seeds),
    "grpc_framing": Target(grpc_framing, _grpc_seeds),
    "http1": Target(
        http1,
        lambda: [
            b"\0" + post(b"hello"),
            b"\3" + chunked(b"he", b"llo"),
            b"\0" + post(b"a") * 3,
            # Pieces as long as a request, so that each begins a piece and its head is known.
            bytes((len(post(b"hello")),)) + post(b"hello") * 5,
            bytes((len(post(b"hello")) - 2,)) + post(b"hello") * 60,
        ],
        (b"Transfer-Encoding: chunked", b"Content-Length: ", b"Expect: 100-continue", b"\r\n\r\n"),
    ),
    "split": Target(split, _split_seeds),
    "json_request": Target(
        json_request,
        _json_seeds,
        (b'"resourceSpans"', b'"attributes"', b'"arrayValue"', b'"kvlistValue"', b'"Infinity"'),
    ),
    "config": Target(
        config,
        lambda: [_CONFIG],
        (b"service:", b"pipelines:", b"${A}", b"${env:", b"*k", b"<<: ", b"extensions:", b"tls:"),
    ),
    "ottl": Target(
        ottl,
        lambda: list(_OTTL),
        (b" where ", b"span.attributes[", b"resource.", b"nil", b"IsMatch(", b" == ", b" and "),
    ),
    "dead_letter": Target(dead_letter, _letter_seeds, (b"bridge-dlq-", b"\n")),
    "commit_metadata": Target(commit_metadata, _metadata_seeds),
}
"""All targets, by the name that ``make fuzz`` takes."""
