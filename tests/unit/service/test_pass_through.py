"""Where a `batch` without a cap only adds a wait."""

import pytest

from bridge.core import Deadline, SystemClock
from bridge.service import Service
from tests.unit.service.stand_ins import Source, config_of

CONFIG = """
receivers: {{{receiver}: {{}}}}
processors: {{batch: {{send_batch_max_size: {cap}}}, tail_sampling: {{}}, step: {{}}}}
exporters: {{kafka: {{}}, out: {{}}}}
service:
  pipelines:
    traces: {{receivers: [{receiver}], processors: [{processors}], exporters: [{exporters}]}}
"""


@pytest.mark.parametrize(
    ("receiver", "processors", "exporters", "cap", "expected"),
    [
        ("in", "batch", "kafka", 0, True),
        ("in", "batch", "kafka", 100, False),
        ("in", "batch", "out", 0, False),
        ("in", "batch", "kafka, out", 0, False),
        ("in", "batch, step", "kafka", 0, False),
        ("kafka", "batch, tail_sampling", "out", 0, True),
        ("in", "batch, tail_sampling", "out", 0, False),
    ],
)
async def test_batch_passes_through_where_joining_is_done_elsewhere(
    receiver: str, processors: str, exporters: str, cap: int, expected: bool
) -> None:
    """In front of Kafka, and between Kafka and tail sampling, unless a cap was asked for."""
    source = Source()
    text = CONFIG.format(receiver=receiver, processors=processors, exporters=exporters, cap=cap)
    service = Service(config_of(text, source))
    await service.start()

    assert source.diary.built["processors/batch@traces"].pass_through is expected
    await service.stop(Deadline.after(5, SystemClock()))
