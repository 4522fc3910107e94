"""Building components from a config."""

import pytest

from bridge.core import ConfigError, SystemClock
from bridge.service.assembly import Assembler
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook
from bridge.telemetry import MetricRegistry
from tests.unit.service.stand_ins import Source, config_of

CONFIG = """
receivers: {in: {}, in/unused: {}}
processors: {step: {}}
exporters: {out: {FAILS}}
service:
  pipelines:
    traces: {receivers: [in], processors: [step], exporters: [out]}
"""


def assembler(fails: str = "") -> Assembler:
    """For the config above."""
    book = StatusBook(lambda: 1.0)
    config = config_of(CONFIG.replace("FAILS", fails), Source())
    return Assembler(config, book, ServiceHost(book), SystemClock(), MetricRegistry())


def test_assembly_builds_what_pipelines_name_and_nothing_else() -> None:
    """A component that no pipeline uses is not built."""
    assembly = assembler().build()

    assert [part.name for part in assembly.start_order] == [
        "exporters/out",
        "processors/step@traces",
        "receivers/in",
    ]


def test_assembly_refusal_names_the_component() -> None:
    """What a component says of its config is told with its name."""
    with pytest.raises(ConfigError, match="exporters/out: cannot be built"):
        assembler("fails: create").build()
