"""What is gathered for whoever is to find a fault: ``otlp-bridge bundle``."""

import asyncio
import io
import json
import os
import platform
import resource
import sys
import tarfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import aiohttp

from bridge import __version__
from bridge.config import LoadedConfig, Problem, render_json, to_yaml, values
from bridge.core import BridgeError, Clock, ComponentId
from bridge.options import parse_endpoint
from bridge.processors.memory_limiter import available_memory_bytes
from bridge.service.doctor.examination import examine
from bridge.service.redaction import Scrubber, secrets_of, secrets_of_environment

SECTION_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one file of the archive; the rest is cut off, with a line that says so."""

FETCH_S = 5.0
_FOLDER = "otlp-bridge-bundle"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Section:
    """One file of the archive; `error` is why it could not be made."""

    name: str
    text: str = ""
    error: str = ""


async def gather(
    loaded: LoadedConfig,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    with_doctor: bool,
    timeout_s: float,
    progress: Progress,
) -> list[Section]:
    """
    Everything that is known of a configuration that loads, and of the bridge that runs by it.

    Secrets are taken out of every section. A part that cannot be had is a section with its error.
    """
    found = [
        Section("config.yaml", to_yaml(list(values(loaded, redacted=True)), origin=True)),
        Section("validate.json", _json({"ok": True, "problems": render_json(loaded.warnings)})),
        *_machine(environ),
    ]
    if with_doctor:
        findings = await examine(loaded, clock, timeout_s=timeout_s, progress=progress)
        rows = [{**asdict(one), "severity": one.severity.value} for one in findings]
        found.append(Section("doctor.json", _json(rows)))
    progress("asking the running bridge")
    found += await _ask_bridge(loaded)
    return scrubbed(found, Scrubber(secrets_of(loaded, environ)))


def gather_broken(problems: Sequence[Problem], environ: Mapping[str, str]) -> list[Section]:
    """The same of a configuration that does not load: what is wrong with it, without its lines."""
    rows = [{**row, "source_line": None} for row in render_json(problems)]
    found = [
        Section("validate.json", _json({"ok": False, "problems": rows})),
        *_machine(environ),
    ]
    return scrubbed(found, Scrubber(secrets_of_environment(environ)))


def scrubbed(sections: Sequence[Section], scrubber: Scrubber) -> list[Section]:
    """The sections without secrets, each within its bound."""
    return [
        Section(one.name, _cut(scrubber.scrub(one.text)), scrubber.scrub(one.error))
        for one in sections
    ]


def write_archive(path: Path, sections: Sequence[Section], made_at: datetime) -> None:
    """
    Write the sections and a manifest of them as ``.tar.gz``, readable by its owner only.

    Raises:
        OSError: If the file exists already or cannot be written.
    """
    manifest = {
        "made_at": made_at.isoformat(),
        "version": __version__,
        "files": {one.name: one.error or "ok" for one in sections},
    }
    files = [("manifest.json", _json(manifest))]
    files += [(one.name, one.text) for one in sections if not one.error]
    # O_EXCL: nobody's file is written over, and none that was put there is followed.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in files:
            data = text.encode()
            entry = tarfile.TarInfo(f"{_FOLDER}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), int(made_at.timestamp()), 0o600
            archive.addfile(entry, io.BytesIO(data))


def _machine(environ: Mapping[str, str]) -> list[Section]:
    packages = {one.metadata["Name"]: one.version for one in distributions()}
    limits = {
        name.removeprefix("RLIMIT_").lower(): resource.getrlimit(getattr(resource, name))
        for name in ("RLIMIT_NOFILE", "RLIMIT_AS", "RLIMIT_NPROC", "RLIMIT_CORE")
    }
    versions = {
        "otlp_bridge": __version__,
        "python": sys.version,
        "platform": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "packages": dict(sorted(packages.items(), key=lambda item: item[0].lower())),
    }
    machine = {
        "cpus": os.cpu_count(),
        "cpus_usable": len(os.sched_getaffinity(0)),
        "memory_bytes": available_memory_bytes(),
        "limits": limits,
        "now": datetime.now(UTC).isoformat(),
    }
    return [
        Section("versions.json", _json(versions)),
        Section("machine.json", _json(machine)),
        # Names only: a value may be a secret, whatever its name.
        Section("environment.txt", "\n".join(sorted(environ)) + "\n"),
    ]


async def _ask_bridge(loaded: LoadedConfig) -> list[Section]:
    asked: list[tuple[str, str]] = []
    if loaded.telemetry.metrics_address is not None:
        host, port = loaded.telemetry.metrics_address
        asked.append(("metrics.txt", f"http://{_local(host, port)}/metrics"))
    for component_id, part in loaded.extensions.items():
        paths = _PATHS.get(part.factory.type_name, {})
        for name, path in paths.items():
            endpoint = parse_endpoint(part.options.endpoint)
            file = _file_name(component_id, name)
            asked.append((file, f"http://{_local(endpoint.host, endpoint.port)}{path}"))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_S)) as session:
        return list(
            await asyncio.gather(
                *(_section(name, partial(_fetch, session, url)) for name, url in asked)
            )
        )


_PATHS = {
    "health_check": {"health.json": "/healthz"},
    "admin": {"status.json": "/api/status"},
}


def _file_name(component_id: ComponentId, name: str) -> str:
    return f"{component_id.name}-{name}" if component_id.name else name


async def _section(name: str, make: Callable[[], Awaitable[str]]) -> Section:
    try:
        return Section(name, await make())
    except (BridgeError, OSError, aiohttp.ClientError, ValueError) as error:
        return Section(name, error=f"{type(error).__name__}: {error}")


async def _fetch(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url) as answer:
        data = await answer.content.read(SECTION_BYTES_MAX + 1)
        text = data.decode("utf-8", "replace")
    return _json(without_data(json.loads(text))) if url.endswith("/api/status") else text


def without_data(node: Any) -> Any:
    """A status without the previews of dead letters, which are telemetry and no diagnosis."""
    if isinstance(node, dict):
        return {key: without_data(value) for key, value in node.items() if key != "preview"}
    if isinstance(node, list):
        return [without_data(one) for one in node]
    return node


def _local(host: str, port: int) -> str:
    host = "localhost" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _cut(text: str) -> str:
    if len(text) <= SECTION_BYTES_MAX:
        return text
    return f"{text[:SECTION_BYTES_MAX]}\ncut off after {SECTION_BYTES_MAX} characters\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
