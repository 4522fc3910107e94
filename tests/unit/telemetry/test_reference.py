"""The page of all metrics."""

from pathlib import Path

from bridge.telemetry import METRICS
from bridge.telemetry.reference import page

PAGE = Path(__file__).parents[3] / "docs/metrics.md"


def test_page_is_current() -> None:
    """Whoever changes the table makes the page anew: the command stands in it."""
    assert PAGE.read_text() == page(), "python -m bridge.telemetry.reference > docs/metrics.md"


def test_page_names_every_metric_with_its_meaning() -> None:
    """One row each, and no meaning that would break the table."""
    text = page()

    for spec in METRICS.values():
        assert text.count(f"| `{spec.name}` |") == 1
        assert spec.meaning.endswith(".")
        assert "|" not in spec.meaning
