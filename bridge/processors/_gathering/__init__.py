"""
Gathering the spans of traces, with custody of the records that they came in.

Shared by ``tail_sampling``, which drops most of what it gathers, and ``groupbytrace``, which keeps
all of it. `Engine` decides without waiting; `Gathering` is the stage around it.
"""

from bridge.processors._gathering.apart import traces_of
from bridge.processors._gathering.cache import DecisionCache
from bridge.processors._gathering.deciding import Bounds, Caches, Decider
from bridge.processors._gathering.decision import Decision, Judge, KeepAll
from bridge.processors._gathering.delivering import Delivery
from bridge.processors._gathering.engine import Engine
from bridge.processors._gathering.lane import Lane, Moment, Waits
from bridge.processors._gathering.native import compiled
from bridge.processors._gathering.request import framed_spans, request_grouped, request_in_order
from bridge.processors._gathering.schema import Field, Reader, make_reader
from bridge.processors._gathering.stage import Gathering
from bridge.processors._gathering.telemetry import CAUSES, Shared, Telemetry
from bridge.processors._gathering.trace import Parts, Trace

__all__ = [
    # The engine and what it is made of.
    "Engine",
    "Decider",
    "Bounds",
    "Caches",
    "DecisionCache",
    "Lane",
    "Waits",
    "Moment",
    "Decision",
    "Judge",
    "KeepAll",
    # The stage around it.
    "Gathering",
    "Delivery",
    "Telemetry",
    "Shared",
    "CAUSES",
    # Traces as bytes.
    "Trace",
    "Parts",
    "traces_of",
    "framed_spans",
    "request_in_order",
    "request_grouped",
    # Narrow readers.
    "Field",
    "Reader",
    "make_reader",
    "compiled",
]
