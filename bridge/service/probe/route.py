"""Which way a trace takes through a configuration: entrance, topic, readers. Pure."""

from dataclasses import dataclass, field
from typing import Any

from bridge.config import LoadedConfig
from bridge.core import ConfigError, Signal
from bridge.exporters.kafka import KafkaExporterConfig
from bridge.kafka import ClientConfig
from bridge.options import parse_endpoint
from bridge.receivers.otlp import OtlpReceiverOptions
from bridge.service.doctor.demands import Cluster, Reading, clusters_of

_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Entrance:
    """
    Where to send to. *protocol* is ``grpc`` or ``http``.

    For HTTP `address` is a URL with the path for traces.
    """

    protocol: str
    address: str
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """A group that reads the topic. *hold_s*: how long its processors hold traces."""

    receiver: str
    name: str
    hold_s: float


@dataclass(frozen=True, slots=True)
class Route:
    """
    The way of a trace; *client* is `None` if it does not go through Kafka.

    *exporters* are at its end, and *admin* is the address of the extension that can tell what
    passes them; empty without it.
    """

    entrance: Entrance
    topic: str = ""
    client: ClientConfig | None = None
    groups: tuple[Group, ...] = field(default=())
    exporters: tuple[str, ...] = field(default=())
    admin: str = ""

    @property
    def hold_s(self) -> float:
        """Seconds for which some group holds traces before they are finished."""
        return max((group.hold_s for group in self.groups), default=0.0)


def entrance_at(endpoint: str) -> Entrance:
    """
    Where a person points to: ``host:port`` is gRPC, a URL is HTTP.

    Raises:
        ValueError: If it is neither.
    """
    if endpoint.startswith(("http://", "https://")):
        url = endpoint.rstrip("/")
        path = url.partition("://")[2].partition("/")[2]
        return Entrance("http", url if path else f"{url}/v1/traces", url.startswith("https"))
    found = parse_endpoint(endpoint, 4317)
    return Entrance("grpc", str(found), bool(found.secure))


def route_of(loaded: LoadedConfig, endpoint: str = "") -> Route:
    """
    The way of a trace through the pipelines of *loaded*.

    Args:
        endpoint: Where to send to instead of the OTLP receiver's own address.

    Raises:
        ConfigError: If no pipeline takes traces by OTLP and no *endpoint* says where to send to.
        ValueError: If *endpoint* is none.
    """
    fed = {
        name: pipeline
        for name, pipeline in loaded.pipelines.items()
        if name.signal is Signal.TRACES
        and any(loaded.receivers[one].factory.type_name == "otlp" for one in pipeline.receivers)
    }
    if endpoint:
        entrance = entrance_at(endpoint)
    elif fed:
        pipeline = next(iter(fed.values()))
        receiver = next(
            one for one in pipeline.receivers if loaded.receivers[one].factory.type_name == "otlp"
        )
        entrance = _entrance(loaded.receivers[receiver].options)
    else:
        raise ConfigError("no pipeline takes traces by OTLP: say where to send with --endpoint")
    exporters = {f"exporters/{one}" for pipeline in fed.values() for one in pipeline.exporters}
    ends = _Ends(loaded)
    for cluster in clusters_of(loaded):
        for writing in cluster.writings:
            kafka = isinstance(cluster.client, KafkaExporterConfig)
            if kafka and writing.component in exporters and writing.message_bytes_max:
                return _through(entrance, cluster, _topic(loaded, writing.component), ends)
    for cluster in clusters_of(loaded) if endpoint else ():
        # Only the processing half is configured here: its topic is where traces must turn up.
        for reading in cluster.readings:
            for topic, signal in reading.signals.items():
                if signal is Signal.TRACES:
                    return _through(entrance, cluster, topic, ends)
    return Route(entrance, exporters=tuple(sorted(exporters)), admin=ends.admin)


def _topic(loaded: LoadedConfig, component: str) -> str:
    options: Any = next(
        part.options for id_, part in loaded.exporters.items() if f"exporters/{id_}" == component
    )
    topic: str = options.of(Signal.TRACES).topic
    return topic


class _Ends:
    """Where traces leave, by the receiver that reads them, and who can tell."""

    def __init__(self, loaded: LoadedConfig) -> None:
        self._loaded = loaded
        self.admin = next(
            (
                _reachable(part.options.endpoint)
                for part in loaded.extensions.values()
                if part.factory.type_name == "admin"
            ),
            "",
        )

    def of(self, receivers: set[str]) -> tuple[str, ...]:
        """The exporters of pipelines of traces that one of *receivers* feeds."""
        found = {
            f"exporters/{one}"
            for name, pipeline in self._loaded.pipelines.items()
            if name.signal is Signal.TRACES
            and any(f"receivers/{one}" in receivers for one in pipeline.receivers)
            for one in pipeline.exporters
        }
        return tuple(sorted(found))


def _through(entrance: Entrance, cluster: Cluster, topic: str, ends: _Ends) -> Route:
    groups = tuple(
        Group(one.component, one.group, one.hold_s)
        for one in cluster.readings
        if _reads(one, topic)
    )
    exporters = ends.of({group.receiver for group in groups})
    return Route(entrance, topic, cluster.client, groups, exporters, ends.admin)


def _reads(reading: Reading, topic: str) -> bool:
    return topic in reading.signals or any(one.match(topic) for one in reading.patterns)


def _entrance(options: OtlpReceiverOptions) -> Entrance:
    grpc, http = options.protocols.grpc, options.protocols.http
    if grpc is not None:
        return Entrance("grpc", _reachable(grpc.endpoint), grpc.tls is not None)
    assert http is not None  # noqa: S101 - the model's validator: one of the two is there
    scheme = "https" if http.tls is not None else "http"
    address = f"{scheme}://{_reachable(http.endpoint)}{http.traces_url_path}"
    return Entrance("http", address, http.tls is not None)


def _reachable(endpoint: str) -> str:
    """An address to connect to, of one to listen at."""
    found = parse_endpoint(endpoint)
    host = "localhost" if found.host in _EVERYWHERE else found.host
    return f"[{host}]:{found.port}" if ":" in host else f"{host}:{found.port}"
