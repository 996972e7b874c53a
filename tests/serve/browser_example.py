"""A real headless Chromium, driven over its DevTools protocol: open, click, type, look, take pictures."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
]  # fmt: skip


def chromium() -> str:
    """Its path; the test is skipped where there is none, except in CI."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None and not os.environ.get("CI"):
        pytest.skip("Chromium (Debian's package chromium) is not installed")
    assert found, "CI installs Chromium (.ci/run)"
    return found


class Browser:
    """One tab; `requests` and `complaints` (console errors, refused content) are what it saw so far."""

    def __init__(self, port: int) -> None:
        self.port, self.requests, self.complaints = port, list[str](), list[str]()
        self._loop, self._numbers = asyncio.new_event_loop(), itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._loop.run_until_complete(self._connect())

    async def _connect(self) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(
            f"http://127.0.0.1:{self.port}/json/list"
        ) as answer:
            page = next(each for each in await answer.json() if each["type"] == "page")
        self._socket = await self._session.ws_connect(
            page["webSocketDebuggerUrl"], max_msg_size=0
        )
        self._listening = asyncio.ensure_future(self._listen())
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._send(f"{domain}.enable")

    async def _listen(self) -> None:
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            elif (
                told["method"] == "Log.entryAdded"
                and told["params"]["entry"]["level"] == "error"
            ):
                self.complaints.append(told["params"]["entry"]["text"])

    async def _send(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        told = await asyncio.wait_for(answer, 60)
        assert "error" not in told, told
        return told["result"]

    def do(self, method: str, **params: Any) -> Any:
        """Any DevTools command."""
        return self._loop.run_until_complete(self._send(method, **params))

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        told = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def open(self, url: str) -> None:
        """Go to an address and wait until the page is there."""
        self.do("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({url.split('?')[0]!r})")

    def click(self, selector: str, then: str) -> None:
        """Click what a selector finds; wait until an expression is true."""
        self.ask(f"document.querySelector({selector!r}).click()")
        self.wait(then)

    def wait(self, expression: str) -> None:
        """Until the page is complete and an expression is true."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                if self.ask(
                    f"document.readyState === 'complete' && Boolean({expression})"
                ):
                    return
            except AssertionError:  # between two pages
                pass
            time.sleep(0.05)
        raise AssertionError(
            f"never true: {expression}; at {self.ask('location.href')}"
        )

    def picture(self, path: Path) -> None:
        """What is seen, as PNG."""
        shot = self.do(
            "Page.captureScreenshot", format="png", captureBeyondViewport=True
        )
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        """Leave."""
        self._listening.cancel()
        self._loop.run_until_complete(self._session.close())
        self._loop.close()


@contextmanager
def browser() -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(
        prefix="hvac-chromium-", ignore_cleanup_errors=True
    ) as folder:
        process = subprocess.Popen(
            [chromium(), *QUIET, f"--user-data-dir={folder}", "--window-size=1200,900", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port_file, end = Path(folder) / "DevToolsActivePort", time.monotonic() + 60
            while (
                not (port_file.exists() and port_file.read_text().strip())
                and time.monotonic() < end
            ):
                time.sleep(0.1)
            tab = Browser(int(port_file.read_text().splitlines()[0]))
            yield tab
            tab.close()
        finally:
            process.terminate()
            process.wait(20)
