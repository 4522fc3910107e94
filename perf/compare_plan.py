"""What `perf/compare` runs, in which order, and the figures that issue 7 wants of it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ingest import Case

BRIDGE, COLLECTOR, ROTEL = "bridge", "collector", "rotel"
ALL = (BRIDGE, COLLECTOR, ROTEL)
PAIR = (BRIDGE, COLLECTOR)

LEGS = ("ingest", "gzip", "http", "process", "latency", "flat")


@dataclass(frozen=True)
class Goal:
    """A peer's cost must be at least *times* ours."""

    against: str
    times: float


@dataclass(frozen=True)
class Row:
    """One line of the table: what is run, by whom, and what is hoped for."""

    leg: str
    name: str
    subjects: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    case: Case | None = None
    layout: str = ""
    pipeline: str = ""


def rows(legs: Sequence[str], *, quick: bool) -> list[Row]:
    """Everything that is run, each once a repeat."""
    wanted = [*_ingest(quick), *_gzip(quick), *_http(quick), *_process(), *_latency()]
    wanted += [] if quick else _flat()
    return [row for row in wanted if row.leg in legs]


def _orders(quick: bool) -> tuple[str, ...]:
    return ("sdk",) if quick else ("sdk", "collector")


def _ingest(quick: bool) -> Iterator[Row]:
    for order, spans in itertools.product(_orders(quick), (1, 10, 100, 512)):
        small = spans < 100
        goals = (Goal(COLLECTOR, 2.5 if small else 5.0), Goal(ROTEL, 1.5 if small else 3.0))
        case = Case(spans, order=order)
        yield Row("ingest", f"gRPC {case}", ALL, goals, case)


def _gzip(quick: bool) -> Iterator[Row]:
    for order, spans in itertools.product(_orders(quick), (100, 512)):
        case = Case(spans, gzipped=True, order=order)
        yield Row("gzip", f"gRPC {case}", ALL, (Goal(COLLECTOR, 4.0), Goal(ROTEL, 2.0)), case)


def _http(quick: bool) -> Iterator[Row]:
    for spans in (1, 100) if quick else (1, 10, 100, 512):
        case = Case(spans, http=True)
        yield Row("http", f"HTTP {spans}", (BRIDGE,) if quick else ALL, (), case)


def _process() -> Iterator[Row]:
    times = {
        ("pass", "packed"): 1.5,
        ("pass", "keyed"): 2.0,
        ("tail", "packed"): 5.0,
        ("tail", "keyed"): 4.0,
    }
    for layout, pipeline in itertools.product(("packed", "keyed"), ("pass", "tail")):
        goals = (Goal(COLLECTOR, times[pipeline, layout]),)
        yield Row("process", f"{pipeline} {layout}", PAIR, goals, layout=layout, pipeline=pipeline)


def _latency() -> Iterator[Row]:
    yield Row("latency", "10 spans, half of its own saturation", PAIR, case=Case(10))


def _flat() -> Iterator[Row]:
    for connections in (1, 16, 200):
        case = Case(100, connections=connections)
        yield Row("flat", f"gRPC {case}", (BRIDGE,), (), case)
    for partitions in (3, 48, 300):
        case = Case(100, partitions=partitions)
        many = partitions == 300
        goals = (Goal(COLLECTOR, 2.0),) if many else ()
        yield Row("flat", f"gRPC {case}", PAIR if many else (BRIDGE,), goals, case)
    for traces in (1_000, 1_000_000):
        case = Case(100, traces=traces)
        yield Row("flat", f"gRPC {case}", (BRIDGE,), (), case)
    case = Case(100, connections=16, workers=2)
    yield Row("flat", f"gRPC {case}", (BRIDGE,), (), case)
