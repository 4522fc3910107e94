"""
OTTL, the OpenTelemetry Transformation Language, with the Collector's answers.

Statements are parsed and compiled once, when a processor is built; running them neither parses
nor looks anything up by name. `Statements` change a `Payload`, `Conditions` decide about one item.
"""

from bridge.ottl.errors import (
    Location,
    OttlError,
    OttlSyntaxError,
    OttlSyntaxErrors,
    OttlTypeError,
    SyntaxFaults,
)
from bridge.ottl.expressions import Cursor, Needles, possible
from bridge.ottl.filtering import Filter, Rules
from bridge.ottl.groups import check_context, infer_condition
from bridge.ottl.nodes import Node, Payload
from bridge.ottl.sequences import (
    Conditions,
    ErrorMode,
    Failed,
    OnError,
    Statements,
)

__all__ = [
    # What runs.
    "Statements",
    "Conditions",
    "Filter",
    "Rules",
    "ErrorMode",
    "OnError",
    "check_context",
    "infer_condition",
    # What it runs on.
    "Payload",
    "Node",
    "Cursor",
    "Needles",
    "possible",
    # Errors.
    "OttlError",
    "OttlTypeError",
    "OttlSyntaxError",
    "OttlSyntaxErrors",
    "SyntaxFaults",
    "Location",
    "Failed",
]
