"""
The Collector's YAML to checked models, with the place of every mistake.

`load` is all that the service needs. It knows no component: their types come from a
`FactorySource`, their options from the models that the factories name.
"""

from bridge.config.codes import CODES, Code
from bridge.config.differences import Difference, differences, other_differences
from bridge.config.errors import ConfigErrors
from bridge.config.explaining import Explanation, UnknownKeyError, explain
from bridge.config.factories import BrokenComponentError, load_factory
from bridge.config.graphs import Graph, graph, to_dot, to_mermaid
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
from bridge.config.schema import json_schema
from bridge.config.telemetry import LogSettings, Telemetry
from bridge.config.telemetry_traces import BatchSection, OtlpSection, TracesSection
from bridge.config.values import Value, to_tree, to_yaml, values

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
    "TracesSection",
    "BatchSection",
    "OtlpSection",
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
    # Looking into it.
    "explain",
    "Explanation",
    "UnknownKeyError",
    "BrokenComponentError",
    "load_factory",
    "differences",
    "other_differences",
    "Difference",
    "json_schema",
    "values",
    "Value",
    "to_yaml",
    "to_tree",
    "graph",
    "Graph",
    "to_mermaid",
    "to_dot",
]
