"""The tail_sampling processor that is meant."""

import pytest

from bridge.cli.samplers import one_sampler
from bridge.config import LoadedConfig, load
from bridge.core import ConfigError
from bridge.service import Registry

CONFIG = """
receivers:
  otlp: {{protocols: {{grpc: {{}}}}}}
processors:
{samplers}
exporters:
  nop: {{}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [{names}], exporters: [nop]}}
"""


def loaded(*names: str) -> LoadedConfig:
    samplers = "\n".join(
        f"  {name}: {{policies: [{{name: all, type: always_sample}}]}}" for name in names
    )
    text = CONFIG.format(samplers=samplers or "  batch: {}", names=", ".join(names) or "batch")
    return load(["yaml:" + text], (), Registry(), {})


def test_only_sampler_need_not_be_named() -> None:
    """It is the one that is meant."""
    name, options = one_sampler(loaded("tail_sampling/a"))

    assert name == "tail_sampling/a"
    assert [policy.name for policy in options.policies] == ["all"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [((), ""), (("tail_sampling/a", "tail_sampling/b"), ""), (("tail_sampling/a",), "other")],
)
def test_unclear_sampler_is_told_with_those_there_are(names: tuple[str, ...], wanted: str) -> None:
    """None, several, or another name."""
    with pytest.raises(ConfigError, match=", ".join(names) or "none"):
        one_sampler(loaded(*names), wanted)
