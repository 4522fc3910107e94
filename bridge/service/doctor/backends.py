"""Whether the backends take data: asked with an empty request, by the exporters themselves."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from bridge.config import ComponentConfig, LoadedConfig
from bridge.core import (
    Batch,
    Clock,
    ComponentId,
    ConfigError,
    Deadline,
    DeliveryError,
    Denied,
    Exporter,
    Extension,
    Origin,
    Permanent,
    Settings,
    Signal,
)
from bridge.service.doctor.demands import used
from bridge.service.doctor.findings import Finding, error, failed, info, ok, warning
from bridge.service.host import ServiceHost
from bridge.service.status_book import StatusBook
from bridge.telemetry import MetricRegistry

_ASKED = ("otlp", "otlp_http")
"""Exporters by whose type a backend is meant that can be asked without leaving anything there."""

_EMPTY = b"\x0a\x00"
"""A request of any signal with one resource that has nothing; it counts as one item to be sent."""

_CLOSE_S = 2.0


async def judge_backends(loaded: LoadedConfig, clock: Clock, timeout_s: float) -> list[Finding]:
    """
    Send an empty request to each backend that a pipeline exports to.

    The exporters do it as in the running bridge, so that names, certificates, credentials and
    compression are those that matter; an empty request leaves nothing behind.
    """
    wanted = {
        component_id: signals
        for component_id, signals in used(loaded, "exporters").items()
        if component_id.type in _ASKED or loaded.exporters[component_id].factory.type_name in _ASKED
    }
    if not wanted:
        return []
    host = ServiceHost(StatusBook())
    authenticators = _authenticators(loaded, wanted)
    try:
        for component_id in authenticators:
            part = loaded.extensions[component_id]
            create: Callable[..., Extension] = part.factory.create
            host.extensions[component_id] = create(
                part.options,
                _settings(part, clock, host),
            )
            await host.extensions[component_id].start()
        asked = (
            _ask(loaded.exporters[component_id], signals, clock, host, timeout_s)
            for component_id, signals in wanted.items()
        )
        return [finding for findings in await asyncio.gather(*asked) for finding in findings]
    except ConfigError as problem:
        return [
            error("BR-3602", "authenticator", str(problem), "correct its section under extensions")
        ]
    finally:
        for extension in host.extensions.values():
            await extension.stop(Deadline.after(_CLOSE_S, clock))


def _authenticators(loaded: LoadedConfig, wanted: Mapping[ComponentId, Any]) -> list[ComponentId]:
    names = {
        auth.authenticator
        for component_id in wanted
        if (auth := getattr(loaded.exporters[component_id].options, "auth", None)) is not None
    }
    return [one for one in map(ComponentId.parse, sorted(names)) if one in loaded.extensions]


def _settings(part: ComponentConfig, clock: Clock, host: ServiceHost) -> Settings:
    return Settings(part.id, clock, MetricRegistry(), lambda status: None, host)


async def _ask(
    part: ComponentConfig, signals: set[Signal], clock: Clock, host: ServiceHost, timeout_s: float
) -> list[Finding]:
    """One request for each signal: backends may take one and refuse another."""
    subject = f"exporters/{part.id}"
    create: Callable[..., Any] = part.factory.create
    try:
        exporter: Exporter = create(
            _once(part.options),
            _settings(part, clock, host),
            frozenset(signals),
        )
        await exporter.start()
    except ConfigError as problem:
        return [error("BR-3602", subject, str(problem), "correct its section under exporters")]
    found = []
    try:
        for signal in sorted(signals, key=lambda one: one.value):
            origin = Origin("doctor", Deadline.after(timeout_s, clock))
            batch = Batch(signal, _EMPTY, 1, origin)
            found.append(await _deliver(exporter, batch, subject, part.options, timeout_s))
            if found[-1].severity.rank >= 3 and found[-1].code == "BR-3601":
                break  # Nobody is there: the other signals would wait as long for the same.
    finally:
        await exporter.stop(Deadline.after(_CLOSE_S, clock))
    return found


def _once(options: Any) -> Any:
    """The same options without retries and without joining: the first answer is what counts."""
    retry = options.retry_on_failure.model_copy(update={"enabled": False})
    queue = options.sending_queue.model_copy(update={"batch": None})
    return options.model_copy(update={"retry_on_failure": retry, "sending_queue": queue})


async def _deliver(
    exporter: Exporter, batch: Batch, subject: str, options: Any, timeout_s: float
) -> Finding:
    signal = batch.signal.value
    try:
        async with asyncio.timeout(timeout_s + _CLOSE_S):
            receipt = await exporter.deliver(batch)
    except TimeoutError:
        return _away(subject, options, f"no answer within {timeout_s:g} s")
    except Denied as problem:
        return failed("BR-3602", subject, problem, "correct headers, auth and tls of this exporter")
    except Permanent as problem:
        return warning(
            "BR-3603",
            subject,
            f"it answers, and refuses an empty request with {signal}: {problem}",
            f"see whether it takes {signal} at all, and whether the endpoint's path is right",
        )
    except DeliveryError as problem:
        return _away(subject, options, str(problem))
    if receipt.message:
        return info("BR-3604", subject, f"it takes {signal} and says: {receipt.message}")
    return ok(subject, f"it takes {signal}")


def _away(subject: str, options: Any, reason: str) -> Finding:
    endpoint = getattr(options, "endpoint", "") or "the backend"
    mend = f"start it, or correct endpoint and tls of this exporter: curl -v {endpoint}"
    return error("BR-3601", subject, f"it does not take data: {reason}", mend)
