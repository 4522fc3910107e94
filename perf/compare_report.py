"""The tables of a comparison, as far as it has come."""

from collections.abc import Iterable, Sequence
from statistics import median

from compare_book import Book
from compare_plan import BRIDGE, COLLECTOR, Goal, Row

TITLES = {
    "ingest": "OTLP/gRPC to Kafka, CPU µs a span",
    "gzip": "The same with gzip",
    "http": "OTLP/HTTP protobuf to Kafka, CPU µs a span",
    "process": "Kafka to OTLP, CPU µs a span",
    "latency": "Latency at half of its own saturation, acks all, ms",
    "flat": "Does the cost stay the same?",
}
METHOD = (
    "- Kafka on the same machine, 12 partitions unless said otherwise, zstd, acks all, 5 spans a",
    "  trace; shipped defaults otherwise",
    "- each cell: minimum / median / maximum; ratios are of runs of one repeat, theirs ÷ ours",
    "- each run counts only if every span acknowledged is in the topic (or at the sink) and, but",
    "  for rotel, which does not key by trace, each trace in one partition",
)


def report(book: Book, rows: Sequence[Row], repeats: int, command: str) -> list[str]:
    """The lines of the result."""
    lines = ["# This project beside a Collector and rotel", ""]
    lines += [f"- {key}: {value}" for key, value in book.machine.items()]
    lines += [f"- command: `{command}`, {repeats} repeats, subjects in turns", *METHOD, ""]
    for leg, title in TITLES.items():
        of_leg = [row for row in rows if row.leg == leg and book.values(row, BRIDGE, _key(row))]
        if of_leg:
            lines += [f"## {title}", ""]
            lines += _latency(book, of_leg) if leg == "latency" else _costs(book, of_leg)
            lines.append("")
    lines += _against_grpc(book, rows)
    if book.failures:
        lines += ["## Runs without a figure", "", *(f"- {one}" for one in book.failures), ""]
    return lines


def _costs(book: Book, rows: Sequence[Row]) -> list[str]:
    subjects = list(dict.fromkeys(subject for row in rows for subject in row.subjects))
    peers = [subject for subject in subjects if subject != BRIDGE]
    head = ["", *subjects, *(f"{peer} ÷ ours" for peer in peers)]
    head += ["goals", "peak RSS MiB", "a third of the Collector's"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        cells = [row.name]
        cells += [_three(book.values(row, subject, "cpu_us_a_span")) for subject in subjects]
        cells += [_three(_ratios(book, row, peer)) for peer in peers]
        cells.append("; ".join(_verdict(book, row, goal) for goal in row.goals) or "-")
        rss = [max(book.values(row, s, "peak_rss_mib").values(), default=0.0) for s in subjects]
        cells.append(" / ".join(f"{value:.0f}" if value else "-" for value in rss))
        cells.append(_rss_verdict(book, row))
        lines.append(_line(cells))
    shares = [row for row in rows if row.case is not None and row.case.workers > 1]
    for row in shares:
        share = _three(book.values(row, BRIDGE, "busier_share"))
        lines += ["", f"The busier of the workers took {share} of the CPU ({row.name}; goal 0.60)."]
    return lines


def _latency(book: Book, rows: Sequence[Row]) -> list[str]:
    head = ["", "requests a second", "p50 answer", "p99 answer", "p50 readable", "p99 readable"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in rows:
        for subject in row.subjects:
            keys = ("rate", "answer_p50_ms", "answer_p99_ms", "readable_p50_ms", "readable_p99_ms")
            cells = [f"{subject}, {row.name}"]
            lines.append(_line([*cells, *(_three(book.values(row, subject, key)) for key in keys)]))
        ours = list(book.values(row, BRIDGE, "answer_p99_ms").values())
        lines += ["", f"p99 of the answer below 50 ms: {_said(bool(ours) and median(ours) < 50)}."]
        readable = {s: book.values(row, s, "readable_p99_ms").values() for s in row.subjects}
        if all(readable.values()) and COLLECTOR in readable:
            less = median(readable[BRIDGE]) < median(readable[COLLECTOR])
            lines += [f"p99 until readable below the Collector's: {_said(less)}."]
    return lines


def _against_grpc(book: Book, rows: Sequence[Row]) -> list[str]:
    lines = []
    by_spans = {
        row.case.spans: row
        for row in rows
        if row.leg == "ingest" and row.case is not None and row.case.order == "sdk"
    }
    for row in rows:
        grpc = by_spans.get(row.case.spans) if row.leg == "http" and row.case else None
        if grpc is None:
            continue
        theirs = book.values(grpc, BRIDGE, "cpu_us_a_span")
        ours = book.values(row, BRIDGE, "cpu_us_a_span")
        ratios = {n: ours[n] / theirs[n] for n in ours if theirs.get(n)}
        if ratios:
            met = _said(median(ratios.values()) <= 1.2)
            lines.append(f"- {row.name}: {_three(ratios)} of our gRPC (goal at most 1.2): {met}")
    return ["## HTTP beside our gRPC", "", *lines, ""] if lines else []


def _ratios(book: Book, row: Row, peer: str) -> dict[int, float]:
    ours = book.values(row, BRIDGE, "cpu_us_a_span")
    theirs = book.values(row, peer, "cpu_us_a_span")
    return {n: theirs[n] / ours[n] for n in theirs if ours.get(n)}


def _verdict(book: Book, row: Row, goal: Goal) -> str:
    ratios = list(_ratios(book, row, goal.against).values())
    if not ratios:
        return f"{goal.times:g} {goal.against}: not measured"
    return f"{goal.times:g} {goal.against}: {_said(median(ratios) >= goal.times)}"


def _rss_verdict(book: Book, row: Row) -> str:
    ours = list(book.values(row, BRIDGE, "peak_rss_mib").values())
    theirs = list(book.values(row, COLLECTOR, "peak_rss_mib").values())
    if not ours or not theirs:
        return "-"
    share = median(ours) / median(theirs)
    return f"{share:.2f}: {_said(share <= 1 / 3)}"


def _three(values: dict[int, float]) -> str:
    if not values:
        return "-"
    low, middle, high = min(values.values()), median(values.values()), max(values.values())
    return f"{low:.2f} / {middle:.2f} / {high:.2f}"


def _said(met: bool) -> str:
    return "met" if met else "missed"


def _key(row: Row) -> str:
    return "answer_p99_ms" if row.leg == "latency" else "cpu_us_a_span"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
