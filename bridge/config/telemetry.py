"""``service.telemetry``: what the bridge says of itself, as far as the Collector's keys go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal

from pydantic import Field, field_validator

from bridge.config.decoding import Section, decode
from bridge.config.nodes import Entry, ListNode, MapNode, Node
from bridge.config.position import Position
from bridge.config.problems import Problem
from bridge.config.telemetry_traces import HONOURED as HONOURED_OF_TRACES
from bridge.config.telemetry_traces import TracesSection
from bridge.options import Options, parse_endpoint

LogLevel = Literal["debug", "info", "warn", "error"]

METRICS_PORT = 8888
"""The Collector's."""


class LogsSection(Options):
    """``service.telemetry.logs``."""

    level: LogLevel = "info"
    """Lowest level that is written; the libraries speak only at debug."""

    encoding: Literal["console", "json"] = "console"
    """console for people, json for machines: one object a line on standard error."""

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: Any) -> Any:
        if not isinstance(level, str):
            return level
        # The Collector's library has three more levels above error that nothing here uses.
        return {"dpanic": "error", "panic": "error", "fatal": "error"}.get(
            level.lower(), level.lower()
        )


class PrometheusSection(Options):
    """``pull.exporter.prometheus`` of a reader."""

    host: str = "localhost"
    """Address to listen at."""

    port: int = Field(default=METRICS_PORT, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""


class PullExporterSection(Options):
    """``pull.exporter`` of a reader."""

    prometheus: PrometheusSection | None = None
    """Serve ``/metrics`` for Prometheus."""


class PullSection(Options):
    """``pull`` of a reader."""

    exporter: PullExporterSection = PullExporterSection()
    """How metrics are fetched."""


class ReaderSection(Options):
    """One entry of ``service.telemetry.metrics.readers``."""

    pull: PullSection | None = None
    """Metrics that are fetched; readers that push have no effect here."""


class MetricsSection(Options):
    """``service.telemetry.metrics``."""

    level: Literal["none", "basic", "normal", "detailed"] = "normal"
    """none serves no metrics; the other levels serve them all."""

    address: str = ""
    """``host:port`` to serve ``/metrics`` at, the older key; `readers` win over it."""

    readers: tuple[ReaderSection, ...] | None = None
    """Where to serve metrics; unset is localhost:8888, an empty list nowhere."""

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, level: Any) -> Any:
        return level.lower() if isinstance(level, str) else level

    @field_validator("address")
    @classmethod
    def _is_endpoint(cls, address: str) -> str:
        if address:
            parse_endpoint(address)
        return address

    def listen_at(self) -> tuple[str, int] | None:
        """Host and port of ``/metrics``; `None` for nowhere."""
        if self.level == "none":
            return None
        if self.readers is not None:
            for reader in self.readers:
                if reader.pull and reader.pull.exporter.prometheus:
                    served = reader.pull.exporter.prometheus
                    return served.host, served.port
            return None
        if self.address:
            endpoint = parse_endpoint(self.address)
            return endpoint.host or "0.0.0.0", endpoint.port  # noqa: S104 - as the user wrote it
        return "localhost", METRICS_PORT


class TelemetrySection(Options):
    """``service.telemetry``."""

    logs: LogsSection = LogsSection()
    """What is logged and how."""

    metrics: MetricsSection = MetricsSection()
    """Where metrics are served."""

    traces: TracesSection = TracesSection()
    """Where spans of the bridge's own work are sent; nowhere unless a processor is named."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``service.telemetry.logs`` as far as it is honoured."""

    level: LogLevel = "info"
    encoding: Literal["console", "json"] = "console"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """
    What the service says of itself.

    `metrics_address` is host and port of ``/metrics``, `None` when none are served; `traces` is
    `None` when nothing of its own work is followed. By `run` the spans of this service are told
    from all others, whichever of its workers they come from.
    """

    logs: LogSettings = LogSettings()
    metrics_address: tuple[str, int] | None = ("localhost", METRICS_PORT)
    traces: TracesSection | None = None
    run: str = field(default_factory=lambda: token_hex(16), compare=False)


_HONOURED = {
    (): frozenset(("logs", "metrics", "traces")),
    ("logs",): frozenset(("level", "encoding")),
    ("metrics",): frozenset(("level", "address", "readers")),
    ("metrics", "readers"): frozenset(("pull",)),
    ("metrics", "readers", "pull"): frozenset(("exporter",)),
    ("metrics", "readers", "pull", "exporter"): frozenset(("prometheus",)),
    ("metrics", "readers", "pull", "exporter", "prometheus"): frozenset(("host", "port")),
    **{("traces", *path): keys for path, keys in HONOURED_OF_TRACES.items()},
}


def read_telemetry(key: Position, node: Node) -> tuple[Telemetry, list[Problem]]:
    """
    Read ``service.telemetry``; a key without effect here is a warning, not an error.

    Returns:
        The settings, the defaults when there are errors, and the problems.
    """
    ignored: list[Problem] = []
    node = _without_ignored(node, (), ignored)
    section, problems = decode(Section(("service", "telemetry"), key, node), TelemetrySection)
    if section is None:
        return Telemetry(), ignored + problems
    logs = LogSettings(section.logs.level, section.logs.encoding)
    traces = section.traces if section.traces.batch is not None else None
    return Telemetry(logs, section.metrics.listen_at(), traces), ignored + problems


def _without_ignored(node: Node, path: tuple[str, ...], ignored: list[Problem]) -> Node:
    if isinstance(node, ListNode):
        items = tuple(_without_ignored(item, path, ignored) for item in node.items)
        return ListNode(items, node.position)
    known = _HONOURED.get(path)
    if not isinstance(node, MapNode) or known is None:
        return node
    entries: dict[str, Entry] = {}
    for key, entry in node.entries.items():
        if key in known:
            entries[key] = Entry(entry.key, _without_ignored(entry.value, (*path, key), ignored))
        else:
            ignored.extend(_ignored(path, key, entry, known))
    return MapNode(entries, node.position)


def _ignored(
    path: tuple[str, ...], key: str, entry: Entry, known: frozenset[str]
) -> Iterator[Problem]:
    dotted = ".".join(("service", "telemetry", *path, key))
    message = f"{dotted} has no effect here"
    yield Problem("BR-2002", message, entry.key, dotted, allowed=tuple(sorted(known)))
