"""What `perf/compare` keeps, concludes and draws, without running anything."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules, with a folder of results of their own and a commit that stays."""
    import compare_book
    import compare_plan
    import compare_report
    import lab
    import plots

    monkeypatch.setattr(lab, "RESULTS", tmp_path)
    machine = {"date": "2026-11-28 08:00 UTC", "cpu": "2 x test", "commit": "abc"}
    monkeypatch.setattr(lab, "machine", lambda: dict(machine))

    class Modules:
        book, plan, report, plot = compare_book, compare_plan, compare_report, plots
        here = machine

    return Modules


def rows_of(modules: Any, leg: str, *, quick: bool = True) -> list[Any]:
    return list(modules.plan.rows((leg,), quick=quick))


def test_run_in_the_book_is_found_again(modules: Any) -> None:
    """A second start of the same commit goes on; another commit begins anew."""
    row = rows_of(modules, "ingest")[0]
    modules.book.Book("t", fresh=False).add(row, "bridge", 0, {"cpu_us_a_span": 2.0})

    again = modules.book.Book("t", fresh=False)
    assert again.has(row, "bridge", 0)
    assert not again.has(row, "bridge", 1)
    assert not again.has(row, "rotel", 0)
    assert not modules.book.Book("t", fresh=True).has(row, "bridge", 0)
    modules.here["commit"] = "def"
    assert not modules.book.Book("t", fresh=False).has(row, "bridge", 0)


def test_names_of_rows_are_unique(modules: Any) -> None:
    """Two rows of one name would overwrite each other's outcomes."""
    for quick in (True, False):
        rows = modules.plan.rows(modules.plan.LEGS, quick=quick)
        assert len({(row.leg, row.name) for row in rows}) == len(rows)


def test_report_holds_ratios_of_the_same_repeat_against_the_goals(modules: Any) -> None:
    """Theirs through ours, repeat by repeat; a goal is met by the middle ratio."""
    row = rows_of(modules, "ingest")[2]  # 100 spans: 5 times the Collector, 3 times rotel.
    book = modules.book.Book("t", fresh=True)
    for repeat, (ours, collector, rotel) in enumerate([(1, 4, 4), (2, 12, 4), (1, 7, 2)]):
        for subject, cost in (("bridge", ours), ("collector", collector), ("rotel", rotel)):
            outcome = {
                "cpu_us_a_span": float(cost),
                "peak_rss_mib": 50.0 if subject == "bridge" else 200.0,
            }
            book.add(row, subject, repeat, outcome)
    book.fail("one that was lost")

    text = "\n".join(modules.report.report(book, [row], 3, "perf/compare"))

    assert "| 1.00 / 1.00 / 2.00 | 4.00 / 7.00 / 12.00 |" in text
    assert "| 4.00 / 6.00 / 7.00 | 2.00 / 2.00 / 4.00 |" in text
    assert "5 collector: met; 3 rotel: missed" in text
    assert "0.25: met" in text
    assert "- one that was lost" in text


def test_report_holds_http_against_our_grpc(modules: Any) -> None:
    """The same size, the same repeat."""
    (grpc,) = (row for row in rows_of(modules, "ingest") if row.case.spans == 100)
    (http,) = (row for row in rows_of(modules, "http") if row.case.spans == 100)
    book = modules.book.Book("t", fresh=True)
    book.add(grpc, "bridge", 0, {"cpu_us_a_span": 2.0, "peak_rss_mib": 1.0})
    book.add(http, "bridge", 0, {"cpu_us_a_span": 2.5, "peak_rss_mib": 1.0})

    text = "\n".join(modules.report.report(book, [grpc, http], 1, "perf/compare"))

    assert "HTTP 100: 1.25 / 1.25 / 1.25 of our gRPC (goal at most 1.2): missed" in text


def test_plot_is_svg_with_a_line_for_each_subject(modules: Any, tmp_path: Path) -> None:
    """Points from left to right; nothing is drawn without figures."""
    rows = rows_of(modules, "ingest")
    book = modules.book.Book("t", fresh=True)
    modules.plot.plot(book, rows, tmp_path / "none.svg")
    for row in rows:
        for subject, cost in (("bridge", 50.0), ("rotel", 40.0)):
            book.add(row, subject, 0, {"cpu_us_a_span": cost / row.case.spans})
    modules.plot.plot(book, rows, tmp_path / "t.svg")

    tree = ElementTree.fromstring((tmp_path / "t.svg").read_text())
    lines = tree.findall("{http://www.w3.org/2000/svg}polyline")
    assert not (tmp_path / "none.svg").exists()
    assert len(lines) == 2
    for line in lines:
        across = [float(point.partition(",")[0]) for point in line.attrib["points"].split()]
        assert across == sorted(across)
        assert len(across) == len(rows)


def test_book_on_disk_is_whole_after_each_run(modules: Any) -> None:
    """It is replaced, never written over."""
    row = rows_of(modules, "ingest")[0]
    book = modules.book.Book("t", fresh=True)
    for repeat in range(3):
        book.add(row, "bridge", repeat, {"cpu_us_a_span": 1.0})
        found = json.loads(book.path.read_text())["runs"]
        assert len(found[f"ingest {row.name} bridge"]) == repeat + 1
