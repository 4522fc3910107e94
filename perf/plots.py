"""Cost a span over the size of a request, drawn as SVG: a few lines need no library."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from compare_book import Book
from compare_plan import ALL, Row

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 110, 40, 50
COLOURS = {"bridge": "#0b6e4f", "collector": "#c8553d", "rotel": "#30638e"}
STYLE = "font-family:sans-serif;font-size:12px;fill:#333"

Series = Mapping[str, Mapping[int, tuple[float, float, float]]]
"""Lowest, middle and highest cost by subject and size."""


def plot(book: Book, rows: Sequence[Row], path: Path) -> None:
    """Write the plot of the ingest leg in SDK order, if it has been measured."""
    series: dict[str, dict[int, tuple[float, float, float]]] = {}
    for row in rows:
        if row.leg != "ingest" or row.case is None or row.case.order != "sdk":
            continue
        for subject in ALL:
            values = list(book.values(row, subject, "cpu_us_a_span").values())
            if values:
                three = min(values), median(values), max(values)
                series.setdefault(subject, {})[row.case.spans] = three
    if series:
        title = f"OTLP/gRPC to Kafka, {book.machine['date'][:10]}, {book.machine['cpu']}"
        path.write_text(draw(series, title))


def draw(series: Series, title: str) -> str:
    """An SVG with both axes logarithmic, spans a request to the right and CPU µs a span upwards."""
    sizes = sorted({size for costs in series.values() for size in costs})
    costs = [value for points in series.values() for three in points.values() for value in three]
    low, high = 10 ** math.floor(math.log10(min(costs))), 10 ** math.ceil(math.log10(max(costs)))

    def x(size: float) -> float:
        span = math.log(sizes[-1] / sizes[0]) or 1.0
        return LEFT + math.log(size / sizes[0]) / span * (WIDTH - LEFT - RIGHT)

    def y(cost: float) -> float:
        share = math.log(cost / low) / (math.log(high / low) or 1.0)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        '<rect width="100%" height="100%" fill="white"/>',
        _text(LEFT, TOP - 18, title),
        _text(LEFT, HEIGHT - 12, "spans a request"),
        _text(8, TOP - 4, "CPU µs a span"),
    ]
    for decade in range(round(math.log10(low)), round(math.log10(high)) + 1):
        at = y(10**decade)
        out.append(_line(LEFT, at, WIDTH - RIGHT, at, "#ddd"))
        out.append(_text(LEFT - 34, at + 4, f"{10**decade:g}"))
    out += [_text(x(size) - 8, HEIGHT - BOTTOM + 18, str(size)) for size in sizes]
    for subject, points in series.items():
        colour = COLOURS.get(subject, "#666")
        known = sorted(points)
        path = " ".join(f"{x(size):.1f},{y(points[size][1]):.1f}" for size in known)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for size in known:
            lowest, middle, highest = points[size]
            out.append(_line(x(size), y(lowest), x(size), y(highest), colour))
            out.append(f'<circle cx="{x(size):.1f}" cy="{y(middle):.1f}" r="3.5" fill="{colour}"/>')
        out.append(_text(x(known[-1]) + 10, y(points[known[-1]][1]) + 4, subject, colour))
    return "\n".join([*out, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, colour: str = "#333") -> str:
    style = STYLE.replace("#333", colour)
    return f'<text x="{x:.1f}" y="{y:.1f}" style="{style}">{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="1"/>'
    )
