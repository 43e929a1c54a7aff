"""A headless Chromium, driven through ChromeDriver by the WebDriver protocol: real pages, read and clicked.

Source: https://www.w3.org/TR/webdriver2/
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from stack_programs import find

from stack import free_ports, require

_PATIENCE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Page:
    """The only tab of a browser."""

    _session: httpx.Client

    def open(self, url: str) -> None:
        """Load `url`."""
        self._post("url", {"url": url})

    def ask(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 # whatever the script returns
        """What `script`, the body of a JavaScript function, returns."""
        return self._post("execute/sync", {"script": script, "args": arguments})

    def wait_for(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 # as `ask`
        """As `ask`, once it returns something that is true, nonempty or above zero."""
        deadline = time.monotonic() + _PATIENCE_S
        while not (found := self.ask(script, *arguments)):
            assert time.monotonic() < deadline, f"within {_PATIENCE_S:g} s it never came: {script}"
            time.sleep(0.05)
        return found

    def resize(self, width: int, height: int) -> None:
        """The size of the window, in pixels."""
        self._post("window/rect", {"width": width, "height": height})

    def view(self, width: int, height: int = 900) -> None:
        """The size of what is seen, also narrower than a window can be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)

    def emulate(self, media: str = "screen", **features: str) -> None:
        """What the page's media queries see: `print`, `prefers_color_scheme="dark"`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self._devtools("Emulation.setEmulatedMedia", {"media": media, "features": named})

    def allow_scripts(self, *, allowed: bool) -> None:
        """Whether pages that are opened from now on may run scripts; `ask` always may."""
        self._devtools("Emulation.setScriptExecutionDisabled", {"value": not allowed})

    def press(self, *keys: str) -> None:
        """Press and release each of `keys`, one after the other; names as WebDriver's code points."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]})

    def log(self, kind: str = "browser") -> list[Any]:
        """What was logged since the last time: `browser` has the console, `performance` the network."""
        return list(self._post("se/log", {"type": kind}))

    def requests(self) -> list[str]:
        """The address of each request since the last time."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [str(params["request"]["url"]) for params in sent]

    def _devtools(self, command: str, parameters: object) -> Any:  # noqa: ANN401 # as the command says
        """A command of the Chrome DevTools Protocol: https://chromedevtools.github.io/devtools-protocol/"""
        return self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self) -> bytes:
        """What is seen now, as PNG."""
        answer = self._session.get("screenshot").raise_for_status()
        return base64.b64decode(answer.json()["value"])

    def _post(self, command: str, body: object) -> Any:  # noqa: ANN401 # as the command says
        answer = self._session.post(command, json=body)
        assert answer.is_success, answer.text[:500]
        return answer.json()["value"]


@contextmanager
def browser(folder: Path, *, width: int = 1400, height: int = 1000) -> Iterator[Page]:
    """A browser with a profile of its own in `folder`, until the block ends. Skips where there is none."""
    require("chromium", "chromedriver")
    (port,) = free_ports(1)
    command = [str(find("chromedriver")), f"--port={port}", f"--log-path={folder / 'chromedriver.log'}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(trust_env=False, timeout=60.0) as http:
            session = _start_session(
                http, f"http://127.0.0.1:{port}", folder, f"--window-size={width},{height}"
            )
            with httpx.Client(base_url=session, trust_env=False, timeout=60.0) as client:
                try:
                    yield Page(client)
                finally:
                    http.delete(session).raise_for_status()  # ends the browser
    finally:
        process.terminate()
        process.wait(10)


def _start_session(http: httpx.Client, driver: str, folder: Path, size: str) -> str:
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
        f"--user-data-dir={folder / 'profile'}",
        size,
    ]
    always = {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": str(find("chromium")), "args": arguments},
        "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
    }
    wanted = {"capabilities": {"alwaysMatch": always}}
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            answer = http.post(f"{driver}/session", json=wanted)
        except httpx.ConnectError:  # it is starting
            assert time.monotonic() < deadline, "ChromeDriver never listened"
            time.sleep(0.05)
            continue
        assert answer.is_success, answer.text[:500]
        return f"{driver}/session/{answer.json()['value']['sessionId']}"
