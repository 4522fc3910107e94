"""
What tests of the bridge and of plugins are written with: fakes, builders, conformance kits.

Shipped with the package and imported by no part of it that runs in production. The OTLP backend is
`bridge.testing.backend`, which needs grpcio, and the kits are `bridge.testing.conformance`.
"""

from bridge.testing.builders import (
    Made,
    Order,
    log_request,
    metric_request,
    sample,
    span_ids,
    trace_request,
)
from bridge.testing.clock import ManualClock, settle
from bridge.testing.custody import FakeCustody, kafka_batch
from bridge.testing.descending import encode_descending
from bridge.testing.ledger import Balance, Ledger
from bridge.testing.metrics import RecordingMetrics
from bridge.testing.settings import FakeHost, make_settings, otlp_origin
from bridge.testing.stages import FakeStage, Outcome

__all__ = [
    # Requests.
    "Made",
    "Order",
    "trace_request",
    "log_request",
    "metric_request",
    "sample",
    "span_ids",
    "encode_descending",
    # Fakes.
    "FakeStage",
    "Outcome",
    "ManualClock",
    "settle",
    "RecordingMetrics",
    "FakeHost",
    "make_settings",
    "otlp_origin",
    "FakeCustody",
    "kafka_batch",
    # The oracle.
    "Ledger",
    "Balance",
]
