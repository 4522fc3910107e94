"""The OTLP exporter with a Collector as its backend: another HTTP/2 on the other side."""

import asyncio
from pathlib import Path

import pytest

from bridge.core import ACCEPTED, Batch, Deadline, Origin, Signal, SystemClock
from bridge.exporters import otlp
from bridge.testing import make_settings, sample, span_ids
from bridge.testing.backend import Backend
from tests.interop.collector_process import free_port, running_collector

pytestmark = pytest.mark.timeout(120)

CLOCK = SystemClock()
BATCHES = 200

COLLECTOR = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: "127.0.0.1:{grpc}"
        keepalive: {{server_parameters: {{max_connection_age: 1s, max_connection_age_grace: 10s}}}}
exporters:
  otlp: {{endpoint: "{backend}", tls: {{insecure: true}}, sending_queue: {{enabled: false}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp]}}
"""


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
async def test_collector_gets_every_span_once(tmp_path: Path, compression: str) -> None:
    """Small and large batches at once, over connections that the Collector ends every second."""
    grpc = free_port()
    batches = []
    for seed in range(BATCHES):
        made = sample(Signal.TRACES, 3000 if seed % 20 == 0 else 20, seed=seed)
        deadline = Deadline.after(60, CLOCK)
        batches.append(Batch(Signal.TRACES, made.body, made.items, Origin("test", deadline)))
    async with Backend() as backend:
        config = COLLECTOR.format(grpc=grpc, backend=backend.grpc_endpoint)
        async with running_collector(config, tmp_path, grpc):
            options = {
                "endpoint": f"127.0.0.1:{grpc}",
                "tls": {"insecure": True},
                "compression": compression,
                "retry_on_failure": {"enabled": False},
            }
            settings = make_settings("otlp", clock=CLOCK)
            exporter = otlp.FACTORY.create(
                otlp.FACTORY.config.model_validate(options), settings, frozenset({Signal.TRACES})
            )
            await exporter.start()
            receipts = []
            for start in range(0, BATCHES, 10):
                part = batches[start : start + 10]
                receipts += await asyncio.gather(*(exporter.deliver(batch) for batch in part))
                await asyncio.sleep(0.15)  # Long enough for several connections to come of age.
            await exporter.stop(Deadline.after(5, CLOCK))
        ids = backend.book.span_ids

    assert receipts == [ACCEPTED] * BATCHES
    assert set(ids) == {span for batch in batches for span in span_ids(batch.body)}
    assert max(ids.values()) == 1
