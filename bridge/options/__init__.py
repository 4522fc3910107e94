"""
The building blocks of component configs: durations, TLS, retry, queue, in the Collector's spelling.

They stand above the components (which import them) and below `core`; `bridge/config` reads YAML
into the components' models and knows nothing of the blocks.
"""

from bridge.options.base import Options
from bridge.options.duration import Duration

__all__ = ["Options", "Duration"]
