"""Figures of several processes, asked by name."""

from bridge.core import View
from bridge.extensions.admin.figures import FigureBook


def _view(worker: int | None, *rows: tuple[str, str, dict[str, str], object]) -> View:
    return View(
        worker, [(name, kind, "", (), own, value) for name, kind, own, value in rows], {}, []
    )


def test_book_adds_processes_up_and_leaves_histograms_out() -> None:
    """A total is over all processes; labels narrow it; a histogram is no number."""
    book = FigureBook(
        [
            _view(
                0, ("sent", "counter", {"exporter": "a"}, 2), ("time", "histogram", {}, [[1], 1])
            ),
            _view(1, ("sent", "counter", {"exporter": "a"}, 3), ("sent", "counter", {}, 4)),
        ]
    )

    assert (book.total("sent"), book.total("sent", exporter="a")) == (9, 5)
    assert book.by_label("sent", "exporter") == {"a": 5, "": 4}
    assert [series.worker for series in book.series("sent")] == [0, 1, 1]
    assert list(book.names("")) == ["sent"]


def test_book_most_of_unknown_name_is_zero() -> None:
    """Nobody counts it, so there is nothing."""
    book = FigureBook([_view(None, ("age", "gauge", {}, 3.5), ("age", "gauge", {"x": "y"}, 7.0))])

    assert (book.most("age"), book.most("other"), list(book.series("other"))) == (7.0, 0.0, [])
