"""The table of metrics."""

import re

from bridge.telemetry import METRICS, SECTIONS, Kind
from bridge.telemetry.metric_spec import ITEMS, row


def test_names_are_unique_and_follow_the_convention() -> None:
    """The Collector's prefix for what it has, ours for the rest; no suffix that a format adds."""
    names = [spec.name for specs in SECTIONS.values() for spec in specs]

    assert len(names) == len(set(names)) == len(METRICS)
    for name in names:
        assert re.fullmatch(r"(otelcol|bridge)_[a-z0-9_]+", name)
        assert not name.endswith(("_total", "_bucket"))


def test_histograms_and_only_they_have_ascending_bounds() -> None:
    """Buckets are cumulative, so their limits must rise."""
    for spec in METRICS.values():
        assert bool(spec.bounds) is (spec.kind is Kind.HISTOGRAM), spec.name
        assert list(spec.bounds) == sorted(set(spec.bounds)), spec.name


def test_row_is_written_for_each_kind_of_item() -> None:
    """One row with a placeholder gives three metrics."""

    assert row("x_{items}", Kind.COUNTER, "X.", "a")[4] == ("a",)
    assert {f"otelcol_receiver_accepted_{noun}" for noun in ITEMS} <= set(METRICS)
