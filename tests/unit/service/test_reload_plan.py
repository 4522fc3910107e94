"""What a changed config has to replace."""

from collections.abc import Mapping, Set

import pytest

from bridge.config import LoadedConfig
from bridge.core import ComponentId
from bridge.service.reload_plan import ReloadPlan, plan_reload
from tests.unit.service.stand_ins import Source, config_of

CONFIG = """
receivers: {in: {}, kafka: {}}
processors: {step/a: {}, step/b: {}}
exporters: {out/x: {}, out/y: {}}
extensions: {probe: {}}
service:
  extensions: [probe]
  pipelines:
    traces: {receivers: [in], processors: [step/a, step/b], exporters: [out/x]}
    traces/second: {receivers: [kafka], processors: [step/a], exporters: [out/y]}
    logs: {receivers: [in], exporters: [out/y]}
"""
NO_USES: Mapping[str, Set[ComponentId]] = {}
OF_TRACES = {"pipelines/traces", "processors/step/a@traces", "processors/step/b@traces"}
OF_SECOND = {"pipelines/traces/second", "processors/step/a@traces/second", "receivers/kafka"}


def _config(*changes: tuple[str, str]) -> LoadedConfig:
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return config_of(text, Source(rewirable=("in",)))


def _plan(*changes: tuple[str, str], uses: Mapping[str, Set[ComponentId]] = NO_USES) -> ReloadPlan:
    return plan_reload(_config(), _config(*changes), uses)


def test_same_config_replaces_nothing() -> None:
    """A comment or another order of the keys is no change."""
    plan = _plan(("receivers: {in: {}, kafka: {}}", "# x\nreceivers: {kafka: {}, in: {}}"))
    assert plan.empty
    assert "receivers/in" in plan.keep


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        # A processor: its pipelines, and the receiver that holds offsets.
        (("step/b: {}", "step/b: {fails: x}"), OF_TRACES),
        (("step/a: {}", "step/a: {fails: x}"), OF_TRACES | OF_SECOND),
        # An exporter: all pipelines that lead to it.
        (("out/x: {}", "out/x: {fails: x}"), OF_TRACES | {"exporters/out/x"}),
        (("out/y: {}", "out/y: {fails: x}"), OF_SECOND | {"exporters/out/y", "pipelines/logs"}),
        # A receiver: alone if the pipelines behind it hold nothing of it.
        (("in: {}", "in: {fails: x}"), {"receivers/in"}),
        (("kafka: {}", "kafka: {fails: x}"), OF_SECOND),
        # The order of the members.
        (("[step/a, step/b]", "[step/b, step/a]"), OF_TRACES),
        # An extension that nobody asked for.
        (("probe: {}", "probe: {fails: x}"), {"extensions/probe"}),
    ],
)
def test_change_replaces_what_it_touches_and_nothing_else(
    change: tuple[str, str], replaced: set[str]
) -> None:
    """Everything else is kept."""
    plan = _plan(change)
    assert plan.stop == plan.start == frozenset(replaced)
    assert not plan.keep & replaced
    assert len(plan.keep) + len(replaced) == 11


def test_extension_takes_along_who_asked_for_it() -> None:
    """An authenticator's user holds the old one, and a processor does not change alone."""
    uses = {
        "exporters/out/x": {ComponentId("probe")},
        "processors/step/a@traces/second": {ComponentId("probe")},
    }
    plan = _plan(("probe: {}", "probe: {fails: x}"), uses=uses)
    expected = OF_TRACES | OF_SECOND | {"exporters/out/x", "extensions/probe"}
    assert plan.stop == plan.start == frozenset(expected)


def test_added_and_removed_pipelines_leave_the_others_alone() -> None:
    """The receiver goes on, unless it gets a signal more or less."""
    gone = "    logs: {receivers: [in], exporters: [out/y]}\n"
    more = "    traces/more: {receivers: [in], exporters: [out/x]}\n"
    plan = _plan((gone, more))
    assert plan.start - plan.stop == {"pipelines/traces/more"}
    assert plan.stop - plan.start == {"pipelines/logs"}
    # They took logs before, so they are built anew; with out/y the pipeline before it.
    assert plan.stop & plan.start == {"receivers/in", "exporters/out/y"} | OF_SECOND


def test_reverse_is_the_way_back() -> None:
    """What was started ends, what ended is started."""
    plan = ReloadPlan(frozenset("a"), frozenset("b"), frozenset("c"))
    assert plan.reverse == ReloadPlan(frozenset("b"), frozenset("a"), frozenset("c"))
