"""The tail_sampling processors of a configuration, for the verbs that ask their policies."""

from bridge.config import LoadedConfig
from bridge.core import ConfigError
from bridge.processors.tail_sampling import TailSamplingOptions


def one_sampler(loaded: LoadedConfig, wanted: str = "") -> tuple[str, TailSamplingOptions]:
    """
    The one that is meant, by its id: *wanted*, or the only one there is.

    Raises:
        ConfigError: If there is none, or several and none is named.
    """
    found = {
        str(name): part.options
        for name, part in loaded.processors.items()
        if isinstance(part.options, TailSamplingOptions)
    }
    if wanted in found or (not wanted and len(found) == 1):
        name = wanted or next(iter(found))
        return name, found[name]
    known = ", ".join(found) or "none"
    raise ConfigError(f"say which tail_sampling processor with --processor; there is {known}")
