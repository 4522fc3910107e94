"""Spans of the bridge's own work: which batches are followed, and how they are sent."""

from bridge.service.own_traces.own_traces import OwnTraces
from bridge.service.own_traces.shipping import Shipping
from bridge.service.own_traces.spans import Span, encode
from bridge.service.own_traces.traced_stage import TracedStage, Tracer

__all__ = [
    # The whole.
    "OwnTraces",
    # Which batches are followed.
    "Tracer",
    "TracedStage",
    # What is told of them.
    "Span",
    "encode",
    # How it is sent.
    "Shipping",
]
