"""A real Chromium without a window, spoken to through its DevTools protocol: for tests of pages, and for pictures of them.

``python -m kits.browser URL PICTURE.png --width 400 --dark``, with ``PYTHONPATH=tests``, takes one picture.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["PROGRAM", "Browser", "Page", "chromium"]

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""The browser of this system, if it has one."""

SECONDS = 30.0
"""Seconds that an answer of the browser may take."""

_ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container has little of it
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)

_UNTIL = """new Promise(done => {
    const look = () => (CONDITION) ? done(true) : setTimeout(look, 20);
    look();
})"""


@contextlib.contextmanager
def chromium(**addresses: str) -> Iterator[Browser]:
    """Run a browser with an empty profile while a with-block lasts; it finds hosts at these addresses, and no others."""
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        rules = [f"MAP {host} {address}" for host, address in addresses.items()]
        arguments = [str(PROGRAM), *_ARGUMENTS, f"--user-data-dir={profile}"]
        arguments.append(f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'])}")
        if os.geteuid() == 0:  # Chromium has no sandbox for root
            arguments.append("--no-sandbox")
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                # It does not answer a farewell.
                with connect(_endpoint(process), max_size=None, ping_interval=None, close_timeout=0.1) as connection:
                    yield Browser(connection)
            finally:
                process.terminate()


def _endpoint(process: subprocess.Popen[str]) -> str:
    """Return the URL that the browser prints when it is ready."""
    assert process.stderr
    said = []
    for line in process.stderr:
        said.append(line)
        if "DevTools listening on " in line:
            return line.split()[-1]
    raise RuntimeError(f"the browser ended: {''.join(said)}")


class Browser:
    """A running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self.events: list[dict[str, Any]] = []
        """What it has told without being asked."""

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._connection.send(json.dumps(message if session is None else {**message, "sessionId": session}))
        while (answer := json.loads(self._connection.recv(SECONDS))).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def page(self, url: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        """Open a page in a context of its own, which shares no cookies with others, and wait until it is loaded."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        for domain in ("Page", "Log", "Runtime"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.go(url)
        return page


class Page:
    """A page in a browser."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, self._session, **params)

    def go(self, url: str) -> None:
        """Go to a URL and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, awaited if it is a promise."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        """Wait until an expression of JavaScript is true; `TimeoutError` if it does not become so."""
        self.evaluate(_UNTIL.replace("CONDITION", condition))

    def text(self, selector: str = "body") -> str:
        """Return the text that can be seen of the first element that a selector finds."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def text_of_frame(self) -> str:
        """Return the text of the first frame in the page, which may be of another origin."""
        frame = self.call("Page.getFrameTree")["frameTree"]["childFrames"][0]["frame"]["id"]
        world = self.call("Page.createIsolatedWorld", frameId=frame)["executionContextId"]
        found = self.call("Runtime.evaluate", expression="document.body.innerText", contextId=world)
        return str(found["result"]["value"])

    def press(self, *keys: str) -> None:
        """Press keys, one after the other: characters, or names such as ``Escape``."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def complaints(self) -> list[str]:
        """Return what the page's console has as errors: violations of a content security policy among them."""
        own = [event for event in self._browser.events if event.get("sessionId") == self._session]
        entries = [event["params"]["entry"] for event in own if event["method"] == "Log.entryAdded"]
        thrown = [str(event["params"]) for event in own if event["method"] == "Runtime.exceptionThrown"]
        return [entry["text"] for entry in entries if entry["level"] == "error"] + thrown

    def picture(self) -> bytes:
        """Return what can be seen of the page, as a PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])


def main() -> None:
    """Take a picture of a page."""
    parser = argparse.ArgumentParser(description="Take a picture of a page.")
    parser.add_argument("url")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=800)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--when", default="true", help="an expression of JavaScript to wait for")
    options = parser.parse_args()
    with chromium() as browser:
        page = browser.page(options.url, width=options.width, height=options.height, dark=options.dark)
        page.until(options.when)
        options.picture.write_bytes(page.picture())


if __name__ == "__main__":
    main()
