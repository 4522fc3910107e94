"""Rates and plots from samples."""

from bridge.core import View
from bridge.extensions.admin.figures import FigureBook
from bridge.extensions.admin.history import POLICIES_MAX, SAMPLES_MAX, History, counts_of, levels_of
from bridge.testing import ManualClock


def _views(accepted: float, lag: float = 0.0) -> list[View]:
    rows = [
        ("otelcol_receiver_accepted_spans", "counter", "", (), {"receiver": "otlp"}, accepted),
        (
            "otelcol_receiver_accepted_log_records",
            "counter",
            "",
            (),
            {"receiver": "otlp"},
            accepted,
        ),
        (
            *("otelcol_kafka_receiver_records", "counter", "", ()),
            {"topic": "t", "partition": "3"},
            accepted,
        ),
        ("otelcol_kafka_receiver_offset_lag", "gauge", "", (), {"topic": "t"}, lag),
    ]
    return [View(None, rows, {}, [])]


async def test_rates_are_growth_by_time() -> None:
    """Spans and log records of one receiver count together."""
    clock = ManualClock()
    history = History(clock)
    history.add(_views(100))
    await clock.advance(4)

    rates = history.rates(FigureBook(_views(140)))

    assert rates.of("accepted", "otlp") == 20.0
    assert rates.of("records", "t/3") == 10.0
    assert rates.total("accepted", of_kafka=True) == 0.0
    assert rates.total("accepted", of_kafka=False) == 20.0
    assert rates.total("sent") == 0.0


def test_rates_without_a_sample_are_zero() -> None:
    """There is nothing to compare with, and nothing is divided by zero."""
    history = History(ManualClock())

    assert history.rates(FigureBook(_views(140))).total("accepted") == 0.0
    plots = history.plots()
    assert plots["times"] == []
    assert set(map(tuple, plots["series"].values())) == {()}


async def test_rate_of_a_count_that_fell_is_not_negative() -> None:
    """A worker that ended takes its counts along until the parent knows."""
    clock = ManualClock()
    history = History(clock)
    history.add(_views(100))
    await clock.advance(2)
    history.add(_views(40))

    assert history.plots()["series"]["otlp_in_per_s"] == [0.0]


async def test_plots_have_one_point_for_each_step_and_a_bound() -> None:
    """Every series is as long as the times, and the oldest go."""
    clock = ManualClock()
    history = History(clock)
    for count in range(SAMPLES_MAX + 9):
        history.add(_views(count * 10, lag=count))
        await clock.advance(2)

    plots = history.plots()

    assert {len(values) for values in plots["series"].values()} == {SAMPLES_MAX - 1}
    assert len(plots["times"]) == SAMPLES_MAX - 1
    assert plots["series"]["otlp_in_per_s"][-1] == 10.0
    assert plots["series"]["lag_records"][-1] == SAMPLES_MAX + 8


def test_counts_and_levels_name_what_they_are_of() -> None:
    """Partitions are told apart."""
    book = FigureBook(_views(5, lag=7))

    assert counts_of(book)["records", "t/3"] == 5
    assert levels_of(book)["lag_records"] == 7


async def test_plots_show_what_each_policy_sampled() -> None:
    """Only what it sampled, summed over processes, and no more policies than can be drawn."""
    clock = ManualClock()
    history = History(clock)
    name = "otelcol_processor_tail_sampling_count_traces_sampled"
    for count in (0, 8):
        rows = [
            (name, "counter", "", (), {"policy": f"p{number}", "sampled": word}, count)
            for number in range(POLICIES_MAX + 1)
            for word in ("true", "false")
        ]
        history.add([View(worker, rows, {}, []) for worker in (0, 1)])
        await clock.advance(2)

    shown = history.plots()["sampled_per_s_by_policy"]

    assert len(shown) == POLICIES_MAX
    assert shown["p0"] == [8.0]
