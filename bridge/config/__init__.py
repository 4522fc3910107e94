"""
The Collector's YAML to checked models, with the place of every mistake.

`load` is all that the service needs. It knows no component: their types come from a
`FactorySource`, their options from the models that the factories name.
"""

from bridge.config.codes import CODES, Code
from bridge.config.errors import ConfigErrors
from bridge.config.load import load
from bridge.config.loaded import (
    KINDS,
    ComponentConfig,
    FactorySource,
    LoadedConfig,
    Pipeline,
    PipelineId,
)
from bridge.config.position import Position, Source
from bridge.config.problems import Problem, in_order
from bridge.config.rendering import STYLES, render_json, render_plain, segments
from bridge.config.telemetry import LogSettings, Telemetry

__all__ = [
    # Loading.
    "load",
    "FactorySource",
    "LoadedConfig",
    "ComponentConfig",
    "PipelineId",
    "Pipeline",
    "Telemetry",
    "LogSettings",
    "KINDS",
    # What is wrong.
    "ConfigErrors",
    "Problem",
    "in_order",
    "Position",
    "Source",
    "CODES",
    "Code",
    "render_plain",
    "render_json",
    "segments",
    "STYLES",
]
