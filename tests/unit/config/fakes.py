"""Component types that do nothing but have options, and texts made into nodes."""

from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, SecretStr, model_validator

from bridge.config.nodes import MapNode
from bridge.config.parsing import parse
from bridge.config.position import Source
from bridge.core import (
    ExporterFactory,
    ExtensionFactory,
    ProcessorFactory,
    ReceiverFactory,
    Signal,
)
from bridge.core.contracts import AnyFactory
from bridge.options import Duration, Options


class Tls(Options):
    """Transport security."""

    insecure: bool = False
    """Plain text."""

    key_pem: SecretStr = SecretStr("")
    cert_file: str = ""
    cert_pem: SecretStr = SecretStr("")
    """Private key."""


class Auth(Options):
    """Who may send."""

    authenticator: str
    """An extension."""


class Policy(Options):
    """One rule."""

    name: str
    """What it is called."""

    rate: float = Field(default=1.0, ge=0, le=1)
    """Share that is kept. The Collector: 0.5."""


class Letter(Options):
    """Options of the fake components."""

    endpoint: str = "localhost:1"
    """Where to, as host:port."""

    port: int = Field(default=1, ge=1)
    """Port number."""

    timeout: Duration = 5.0
    """Seconds for one attempt. The Collector: 10s."""

    mode: Literal["fast", "safe"] = "safe"
    """How to work."""

    password: SecretStr = SecretStr("")
    """A secret."""

    topics: list[str] = Field(default_factory=lambda: ["spans"])
    """Names."""

    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Texts that are sent along."""

    file: Path = Path("data")
    """Where to."""

    tls: Tls | None = None
    """Transport security; off without it."""

    auth: Auth | None = None
    """Who may send."""

    policies: list[Policy] = Field(default_factory=list)
    """Rules."""

    min_size: int = 0
    """Smallest size."""

    max_size: int = 0
    """Largest size; 0 for no limit."""

    @model_validator(mode="after")
    def _ordered(self) -> "Letter":
        if 0 < self.max_size < self.min_size:
            raise ValueError(f"max_size {self.max_size} is below min_size {self.min_size}")
        return self


class Needy(Options):
    """Options with one that must be given."""

    endpoint: str
    """Where to."""


class Batch(Options):
    """Options by the names of the real batch."""

    send_batch_max_size: int = 0
    """Largest batch."""


class Sampling(Options):
    """Options by the names of the real sampler."""

    num_traces: int = 0
    """Traces held."""

    decision_wait: Duration = 30.0
    """Seconds."""


def never(*arguments: Any) -> NoReturn:
    """A factory's `create` that no test of the configuration may call."""
    raise AssertionError(f"nothing is built here: {arguments}")


class FakeFactories:
    """A `FactorySource` of fake types; ``broken`` cannot be loaded."""

    def __init__(self) -> None:
        traces = frozenset((Signal.TRACES,))
        self.known: dict[str, dict[str, AnyFactory]] = {
            "receivers": {
                name: ReceiverFactory(name, config=Letter, create=never)
                for name in ("otlp", "kafka")
            },
            "processors": {
                "batch": ProcessorFactory("batch", config=Batch, create=never),
                "filter": ProcessorFactory("filter", config=Letter, create=never),
                "memory_limiter": ProcessorFactory("memory_limiter", config=Letter, create=never),
                "groupbytrace": ProcessorFactory(
                    "groupbytrace", config=Sampling, create=never, signals=traces
                ),
                "tail_sampling": ProcessorFactory(
                    "tail_sampling", config=Sampling, create=never, signals=traces
                ),
            },
            "exporters": {
                name: ExporterFactory(name, config=Letter, create=never)
                for name in ("debug", "kafka")
            },
            "extensions": {"health_check": ExtensionFactory("health_check", Letter, never)},
        }
        needy = ExporterFactory("needy", config=Needy, create=never, aliases=("poor",))
        self.known["exporters"] |= {"needy": needy, "poor": needy}

    def types(self, kind: str) -> list[str]:
        """Names, with one that cannot be loaded."""
        return sorted([*self.known[kind], *(["broken"] if kind == "exporters" else [])])

    def factory(self, kind: str, type_name: str) -> AnyFactory:
        """The factory of that name."""
        if type_name == "broken":
            raise ImportError("no module named missing")
        return self.known[kind][type_name]


def tree(text: str, name: str = "test.yaml") -> MapNode:
    """The nodes of a YAML text that is a map."""
    node, problems = parse(Source(name, text))
    assert problems == []
    assert isinstance(node, MapNode)
    return node
