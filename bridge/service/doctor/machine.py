"""Whether this machine has what the configuration takes: ports, open files, memory."""

import errno
import os
import resource
import socket
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.config import ComponentConfig, LoadedConfig
from bridge.options import Endpoint, Options, parse_endpoint
from bridge.processors.memory_limiter import available_memory_bytes
from bridge.service.doctor.demands import used
from bridge.service.doctor.findings import Finding, error, info, ok, warning

MIB = 1024 * 1024

BASE_MIB = 64
"""What the process takes before any data is held."""

FILES_BESIDE = 128
"""Open files beside senders' connections: brokers, backends, the program's own."""

_BYTE_TOTALS = {"max_buffered_bytes": MIB}
_MIB_TOTALS = (
    "max_in_flight_mib",
    "max_in_flight_total_mib",
    "memory_limit_mib",
    "pending_max_mib",
)
_PROC = Path("/proc")
_WORKER = "bridge.service.worker"
_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """An address that the bridge would listen at. *key* is where it is configured."""

    key: str
    endpoint: Endpoint
    shared: bool = False
    connections_max: int = 0


def judge_machine(loaded: LoadedConfig) -> list[Finding]:
    """Ports, open files and memory, in this order."""
    listeners = listeners_of(loaded)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    return [
        *judge_ports(listeners),
        *judge_files(listeners, files),
        *judge_memory(memory_bounds(loaded), available_memory_bytes()),
    ]


def listeners_of(loaded: LoadedConfig) -> list[Listener]:
    """Everything that would listen, as configured."""
    found: list[Listener] = []
    for component_id in used(loaded, "receivers"):
        options = loaded.receivers[component_id].options
        protocols = getattr(options, "protocols", None)
        for name in ("grpc", "http"):
            section = getattr(protocols, name, None)
            if section is not None:
                found.append(
                    Listener(
                        f"receivers.{component_id}.protocols.{name}.endpoint",
                        parse_endpoint(section.endpoint),
                        options.reuse_port,
                        section.max_connections,
                    )
                )
    for component_id, part in loaded.extensions.items():
        endpoint = getattr(part.options, "endpoint", None)
        if isinstance(endpoint, str) and endpoint:
            found.append(Listener(f"extensions.{component_id}.endpoint", parse_endpoint(endpoint)))
    if loaded.telemetry.metrics_address is not None:
        host, port = loaded.telemetry.metrics_address
        found.append(Listener("service.telemetry.metrics", Endpoint(host, port)))
    return found


def judge_ports(listeners: Iterable[Listener]) -> list[Finding]:
    """Whether each address can be listened at, and who does if not."""
    listeners = [one for one in listeners if one.endpoint.port]
    found: list[Finding] = []
    times = Counter(one.endpoint for one in listeners)
    for endpoint, count in times.items():
        if count > 1:
            keys = " and ".join(one.key for one in listeners if one.endpoint == endpoint)
            found.append(
                error(
                    "BR-3706",
                    f"port {endpoint.port}",
                    f"{keys} are both {endpoint}",
                    "give one of them another port",
                )
            )
    for listener in listeners:
        problem = _listen(listener.endpoint)
        if problem is not None:
            found.append(_taken(listener, problem))
    free = [str(one.endpoint.port) for one in listeners]
    if free and not found:
        found.append(ok("ports", f"{', '.join(free)} can be listened at"))
    return found


def judge_files(listeners: Iterable[Listener], limits: tuple[int, int]) -> list[Finding]:
    """
    Whether as many connections as are allowed can be open.

    Args:
        limits: The soft and the hard limit of open files.
    """
    soft, hard = limits
    needed = sum(one.connections_max for one in listeners) + FILES_BESIDE
    if soft == resource.RLIM_INFINITY or soft >= needed:
        shown = "no limit" if soft == resource.RLIM_INFINITY else str(soft)
        return [ok("open files", f"{shown}, and {needed} may be needed")]
    rounded = 1 << (needed - 1).bit_length()
    mend = f"ulimit -n {rounded}"
    if hard != resource.RLIM_INFINITY and hard < needed:
        mend = f"raise the hard limit ({hard}) too: LimitNOFILE={rounded} in the systemd unit"
    else:
        mend += f", or LimitNOFILE={rounded} in the systemd unit"
    return [
        warning(
            "BR-3702",
            "open files",
            f"{soft} are allowed and max_connections of the listeners needs {needed}: further "
            "senders find no answer",
            f"{mend}; or lower max_connections",
        )
    ]


def memory_bounds(loaded: LoadedConfig) -> dict[str, int]:
    """The bytes that each component in use may hold, by its key."""
    found: dict[str, int] = {}
    parts: list[ComponentConfig] = [
        loaded.component(kind, component_id)
        for kind in ("receivers", "processors", "exporters")
        for component_id in used(loaded, kind)
    ]
    for part in parts:
        for name, bound in _bounds(part.options):
            found[f"{part.kind}.{part.id}.{name}"] = bound
    return found


def judge_memory(bounds: Mapping[str, int], available_bytes: int) -> list[Finding]:
    """Whether everything that may be held fits into the memory there is."""
    total_mib = sum(bounds.values()) // MIB + BASE_MIB
    available_mib = available_bytes // MIB
    if total_mib <= available_mib:
        return [
            ok("memory", f"up to {total_mib} MiB are held by bounds, {available_mib} are there")
        ]
    largest = sorted(bounds, key=lambda key: -bounds[key])[:3]
    shown = ", ".join(f"{key} {bounds[key] // MIB} MiB" for key in largest)
    return [
        warning(
            "BR-3703",
            "memory",
            f"up to {total_mib} MiB may be held and there are {available_mib}: the kernel may end "
            f"the process under load; the largest bounds are {shown}",
            f"raise the container's memory limit to {total_mib} MiB, or lower these keys",
        )
    ]


def _bounds(options: Any) -> Iterable[tuple[str, int]]:
    if not isinstance(options, Options):
        return
    for name in options.PROCESS_TOTALS:
        value = getattr(options, name)
        if name in _MIB_TOTALS:
            yield name, value * MIB
        elif name in _BYTE_TOTALS:
            yield name, value
    for name in type(options).model_fields:
        for below, bound in _bounds(getattr(options, name)):
            yield f"{name}.{below}", bound


def _listen(endpoint: Endpoint) -> OSError | None:
    """What keeps us from listening; `None` if nothing does."""
    host = endpoint.host or None
    try:
        places = socket.getaddrinfo(
            host, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as problem:
        return problem
    for family, kind, protocol, _, address in places:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
                probe.listen(1)  # Binding alone succeeds beside a listener with SO_REUSEADDR.
            except OSError as problem:
                if family == socket.AF_INET6 and problem.errno == errno.EADDRNOTAVAIL:
                    continue  # No IPv6 on this machine.
                return problem
    return None


def _taken(listener: Listener, problem: OSError) -> Finding:
    subject = f"port {listener.endpoint.port}"
    if problem.errno == errno.EADDRINUSE:
        holder = holder_of(listener.endpoint.port)
        if "otlp-bridge" in holder:
            return info(
                "BR-3704",
                subject,
                f"a bridge runs here already: {holder} listens at {listener.endpoint}",
                f"stop it before another one is started, or set {listener.key} to another port",
            )
        whose = holder or "another program"
        return error(
            "BR-3701",
            subject,
            f"{whose} listens at {listener.endpoint} already",
            f"stop it, or set {listener.key} to a free port: "
            f"ss -ltnp sport = :{listener.endpoint.port}",
        )
    if problem.errno == errno.EACCES:
        return error(
            "BR-3705",
            subject,
            f"this user may not listen at {listener.endpoint}: ports below 1024 are reserved",
            f"set {listener.key} to a port above 1023, or AmbientCapabilities=CAP_NET_BIND_SERVICE",
            permission=True,
        )
    reason = problem.strerror or str(problem)
    return error(
        "BR-3705",
        subject,
        f"{listener.endpoint} cannot be listened at: {reason}",
        f"set {listener.key} to an address of this machine: ip -brief address",
    )


def holder_of(port: int) -> str:
    """
    Name and process id of who listens at *port*; empty if this user may not see it.

    Linux only. The command line is not shown: it may hold secrets.
    """
    inodes = {
        fields[9]
        for table in ("tcp", "tcp6")
        for fields in _rows(_PROC / "net" / table)
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    links = {f"socket:[{inode}]" for inode in inodes}
    for process in _PROC.iterdir() if links else ():
        if not process.name.isdecimal():
            continue
        try:
            descriptors = list((process / "fd").iterdir())
            held = any(os.readlink(one) in links for one in descriptors)
        except OSError:
            continue  # Of another user, or gone.
        if held:
            return f"{_name(process)} (process {process.name})"
    return ""


def _name(process: Path) -> str:
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    # A worker is started by its parent as a program text, not by that name.
    if any(word.rpartition("/")[2] == "otlp-bridge" or _WORKER in word for word in words[:3]):
        return "otlp-bridge"
    return (process / "comm").read_text(errors="replace").strip()


def _rows(table: Path) -> Iterable[list[str]]:
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    return [line.split() for line in lines]
