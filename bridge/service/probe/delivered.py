"""When the backend took each trace, as the exporters of the running bridge tell a tap."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from typing import Any, Self

import aiohttp

from bridge.core import Clock
from bridge.service.probe.receipts import TraceReceipt
from bridge.service.probe.traces import RUN_ATTRIBUTE

_BEGIN_S = 5.0
_LAST_S = 1.0
_POLL_S = 0.02
_LINE_BYTES_MAX = 1 << 20
_LIMIT = 10_000


class DeliveryWatch:
    """
    Watches *exporters* through the admin endpoint at *address*, for one run's traces.

    Used as a context manager; it never fails. `problem` says why nothing can be told, if so.
    """

    def __init__(
        self,
        address: str,
        exporters: Sequence[str],
        run: str,
        timeout_s: float,
        receipts: dict[bytes, TraceReceipt],
        clock: Clock,
    ) -> None:
        self._url = f"http://{address}/api/tap"
        self._exporters = exporters
        self._wanted = {
            "where": f'resource.attributes["{RUN_ATTRIBUTE}"] == "{run}"',
            "limit": _LIMIT,
            "timeout": f"{max(1, round(timeout_s * 1000))}ms",
        }
        self._receipts = receipts
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        # What changes: the streams that are read, and whether something was not seen.
        self._reading: list[asyncio.Task[None]] = []
        self._streams: list[aiohttp.ClientResponse] = []
        self.problem = ""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None), read_bufsize=_LINE_BYTES_MAX
        )
        for exporter in self._exporters:
            try:
                async with asyncio.timeout(_BEGIN_S):
                    response = await self._begin(self._session, exporter)
            except (OSError, aiohttp.ClientError) as error:
                self.problem = str(error) or type(error).__name__
                break
            if response is None:
                break
            self._streams.append(response)
            self._reading.append(asyncio.create_task(self._read(response)))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._reading:
            task.cancel()
        if self._reading:
            await asyncio.wait(self._reading)
        for response in self._streams:
            # Here and not where it is read: a task that is cancelled at once never begins.
            response.close()
        if self._session is not None:
            await self._session.close()

    async def settle(self) -> None:
        """Wait a moment for what was committed to be told as delivered."""
        until_s = self._clock.monotonic() + _LAST_S
        while not self.problem and self._clock.monotonic() < until_s:
            if all(
                one.delivered_s is not None
                for one in self._receipts.values()
                if one.committed_s is not None
            ):
                return
            await self._clock.sleep(_POLL_S)

    async def _begin(
        self, session: aiohttp.ClientSession, exporter: str
    ) -> aiohttp.ClientResponse | None:
        response = await session.post(self._url, json={**self._wanted, "stage": exporter})
        if response.status == 200:
            # The first line says that it watches: what is sent from now on is seen.
            await response.content.readline()
            return response
        told = (await response.text())[:300].strip()
        self.problem = told or f"the admin endpoint answers {response.status}"
        response.close()
        return None

    async def _read(self, response: aiohttp.ClientResponse) -> None:
        open_: dict[int, set[bytes]] = {}
        with contextlib.suppress(OSError, aiohttp.ClientError, ValueError):
            while line := await response.content.readline():
                if line.strip():
                    self._take(json.loads(line), open_)

    def _take(self, event: dict[str, Any], open_: dict[int, set[bytes]]) -> None:
        if event["event"] == "batch":
            open_[event["number"]] = _traces(event.get("request", {}))
        elif event["event"] == "outcome" and event["outcome"] == "taken":
            now_s = self._clock.monotonic()
            for trace_id in open_.pop(event["number"], ()):
                receipt = self._receipts.get(trace_id)
                if receipt is not None and receipt.delivered_s is None:
                    receipt.delivered_s = now_s - receipt.sent_s


def _traces(request: dict[str, Any]) -> set[bytes]:
    return {
        bytes.fromhex(span["traceId"])
        for resource in request.get("resourceSpans", ())
        for scope in resource.get("scopeSpans", ())
        for span in scope.get("spans", ())
    }
