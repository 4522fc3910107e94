"""A Chromium without a window, driven over its DevTools protocol."""

import asyncio
import base64
import json
import shutil
from asyncio.subprocess import DEVNULL, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0


class Page:
    """One tab: what it is told, and what it says of itself."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self.complaints: list[str] = []
        self.requested: list[str] = []

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._asked.pop(told["id"]).set_result(told)
            else:
                self._note(told["method"], told["params"])

    def _note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"])[:800])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(json.dumps(params["entry"])[:800])

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol."""
        self._number += 1
        answer = self._asked[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            told = await answer
        assert "error" not in told, (method, told)
        result: dict[str, Any] = told["result"]
        return result

    async def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        told = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    async def until(self, script: str, timeout_s: float = 60.0) -> None:
        """Wait until an expression is true in the page."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self.evaluate(script):  # noqa: ASYNC110 - Another process.
                    await asyncio.sleep(0.1)
        except TimeoutError:
            text = await self.evaluate("document.body.innerText")
            raise AssertionError(f"never true: {script}\n{self.complaints}\n{text}") from None

    async def press(self, key: str, code: int) -> None:
        """One key, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    async def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        told = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(  # noqa: ASYNC240 - a test's own file
            base64.b64decode(told["data"])
        )


@asynccontextmanager
async def browsing(url: str, folder: Path, width: int = 1360) -> AsyncIterator[Page]:
    """A tab that shows *url*; the browser's files are in *folder*."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no chromium: tools/set-up browser"
    process = await create_subprocess_exec(
        *(program, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
        *("--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"),
        *("--remote-debugging-port=0", f"--user-data-dir={folder}", f"--window-size={width},1000"),
        "about:blank",
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        place = folder / "DevToolsActivePort"
        async with asyncio.timeout(START_TIMEOUT_S):
            while not place.exists() or "\n" not in place.read_text():  # noqa: ASYNC110 - Another process.
                await asyncio.sleep(0.1)
        port = place.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                (target,) = [one for one in await answer.json() if one["type"] == "page"]
            socket = target["webSocketDebuggerUrl"]
            async with session.ws_connect(socket, max_msg_size=0, heartbeat=None) as connection:
                page = Page(connection)
                listening = asyncio.create_task(page.listen())
                for domain in ("Page", "Runtime", "Network", "Log"):
                    await page.call(f"{domain}.enable")
                await page.call("Page.navigate", url=url)
                await page.until(
                    "location.href !== 'about:blank' && document.readyState === 'complete'"
                )
                try:
                    yield page
                finally:
                    listening.cancel()
    finally:
        process.kill()
        await process.wait()
