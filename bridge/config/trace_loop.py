"""Whether the bridge would send spans of its own work to itself."""

import ipaddress
import socket
from collections.abc import Iterator

from bridge.config.components import Components
from bridge.config.nodes import MapNode, ScalarNode, walk
from bridge.config.pipelines import Service
from bridge.config.problems import Problem
from bridge.options import parse_endpoint

_PATH = ("service", "telemetry", "traces")


def find_trace_loop(root: MapNode, components: Components, service: Service) -> Iterator[Problem]:
    """
    An error if the endpoint of ``service.telemetry.traces`` is a receiver of this very bridge.

    Addresses that only a name server could tell apart are not found here: what runs looks at the
    data, and follows none that carries its own spans.
    """
    traces = service.telemetry.traces
    if traces is None or traces.otlp is None:
        return
    host, port = traces.otlp.host_and_port
    used = {name for pipeline in service.pipelines.values() for name in pipeline.receivers}
    for component_id, component in components.by_kind["receivers"].items():
        if component is None or component_id not in used or component_id.type != "otlp":
            continue
        for protocol in ("grpc", "http"):
            listener = getattr(component.options.protocols, protocol)
            if listener is None:
                continue
            endpoint = parse_endpoint(listener.endpoint)
            if endpoint.port == port and _is_same_host(host, endpoint.host):
                where = f"receivers.{component_id}.protocols.{protocol}"
                message = f"the bridge's own traces would go to {where}, which is its own"
                for path, node in walk(root):
                    if path[:3] == _PATH and path[-1] == "endpoint":
                        dotted = ".".join(map(str, path))
                        position = node.position
                        if isinstance(node, ScalarNode):
                            yield Problem("BR-1410", message, position, dotted)
                return


def _is_same_host(target: str, listening: str) -> bool:
    """Whether *target* leads to who listens at *listening*, as far as the names tell."""
    target, listening = target.lower(), listening.lower()
    if target == listening:
        return True
    if _is_loopback(target):
        return listening in ("", "0.0.0.0", "::") or _is_loopback(listening)  # noqa: S104
    return target == socket.gethostname().lower() and listening in ("", "0.0.0.0", "::")  # noqa: S104


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
