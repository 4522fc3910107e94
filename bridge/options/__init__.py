"""
The building blocks of component configs: durations, TLS, retry, queue, in the Collector's spelling.

They stand above the components (which import them) and below `core`; `bridge/config` reads YAML
into the components' models and knows nothing of the blocks.
"""

from bridge.options.base import Options
from bridge.options.duration import Duration, format_duration, parse_duration_s
from bridge.options.endpoint import Endpoint, Url, parse_endpoint, parse_url
from bridge.options.faults import Fault, OptionFaults
from bridge.options.headers import Headers, reveal_headers
from bridge.options.queue import BatchPartition, QueueBatch, SendingQueue
from bridge.options.retry import RetryOnFailure
from bridge.options.tls import TlsClient, TlsServer
from bridge.options.tls_files import fingerprint

__all__ = [
    "Options",
    "Fault",
    "OptionFaults",
    "Duration",
    "format_duration",
    "parse_duration_s",
    # Where to.
    "Endpoint",
    "parse_endpoint",
    "Url",
    "parse_url",
    "Headers",
    "reveal_headers",
    # How.
    "TlsClient",
    "TlsServer",
    "fingerprint",
    "RetryOnFailure",
    "SendingQueue",
    "QueueBatch",
    "BatchPartition",
]
