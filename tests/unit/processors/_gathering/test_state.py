"""Gauges of a stage."""

from bridge.processors._gathering.lane import Moment
from bridge.processors._gathering.state import show_state
from tests.unit.processors._gathering.conftest import Rig, ToldJudge, request, trace_id


def test_state_is_read_when_somebody_looks() -> None:
    """The gauges follow the engine without being told."""
    rig = Rig(ToldJudge(everything=True))
    show_state(rig.settings, rig.telemetry, rig.engine, lambda: Moment(5.0, 0))
    before = rig.own("undecided_traces")
    rig.records(request((trace_id(1), 1)), at_ms=[0], now_s=2.0)

    assert (before, rig.own("undecided_traces"), rig.own("held_records")) == (0, 1, 1)
    assert rig.own("oldest_undecided_age_seconds") == 3.0
    assert rig.own("undecided_bytes") > 0
    (lane,) = rig.engine.lanes.values()
    rig.engine.caught_up(lane, Moment(0.0, 10**6))
    assert rig.own("undecided_bytes") == 0
    assert rig.own("undelivered_bytes") > 0
