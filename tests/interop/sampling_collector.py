"""What a Collector samples: one process, a pipeline for each configuration, one request to all."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.interop.collector_process import free_port, running_collector

DECIDE_TIMEOUT_S = 60.0
_POLL_S = 0.1

Sampled = Counter[bytes]
"""Trace ids that came out, and how many spans of each."""


async def ask_collector(
    configs: Sequence[dict[str, Any]], bodies: Sequence[tuple[float, bytes]], folder: Path
) -> list[Sampled]:
    """
    What each of *configs* samples of the requests *bodies*.

    Args:
        bodies:
            Requests with the seconds between the one before and each, none before the first.

    Raises:
        AssertionError: If the Collector does not start, or does not take the requests.
    """
    port = free_port()
    texts = json.dumps(_whole(configs, port, folder))  # JSON is YAML.
    async with running_collector(texts, folder, port), aiohttp.ClientSession() as session:
        for wait_s, body in bodies:
            await asyncio.sleep(wait_s)
            headers = {"content-type": "application/x-protobuf"}
            url = f"http://127.0.0.1:{port}/v1/traces"
            async with session.post(url, data=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
        # The last pipeline samples everything: once it has, time has come for the others too.
        async with asyncio.timeout(DECIDE_TIMEOUT_S):
            while not _read(folder / f"{len(configs)}.json"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(_POLL_S)
    # At its end the Collector decides what is left, and closes the files.
    return [_read(folder / f"{number}.json") for number in range(len(configs))]


def _whole(configs: Sequence[dict[str, Any]], port: int, folder: Path) -> dict[str, Any]:
    wait = max(str(config.get("decision_wait", "30s")) for config in configs)
    everything = {"name": "all", "type": "always_sample"}
    asked = [*configs, {"decision_wait": wait, "policies": [everything]}]
    numbers = range(len(asked))
    return {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "processors": {f"tail_sampling/{n}": config for n, config in enumerate(asked)},
        "exporters": {f"file/{n}": {"path": str(folder / f"{n}.json")} for n in numbers},
        "service": {
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {
                f"traces/{n}": {
                    "receivers": ["otlp"],
                    "processors": [f"tail_sampling/{n}"],
                    "exporters": [f"file/{n}"],
                }
                for n in numbers
            },
        },
    }


def _read(file: Path) -> Sampled:
    """What a file exporter wrote; nothing while it is in the middle of a line."""
    found: Sampled = Counter()
    text = file.read_text() if file.exists() else ""
    for line in text.splitlines():
        try:
            request = json.loads(line)
        except ValueError:
            return Counter()
        for group in request["resourceSpans"]:
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    found[bytes.fromhex(span.get("traceId", ""))] += 1
    return found
