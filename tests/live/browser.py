# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A real browser, driven by chromedriver (W3C WebDriver). The calls block: call them in
another thread.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromedriver")

PATIENCE = 40.0
"""Seconds for what should take a moment, on a machine that has much to do."""

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element in WebDriver."""


def missing() -> str:
    """
    What is needed for this, and is not on this machine.
    """
    return ", ".join(name for name in PROGRAMS if shutil.which(name) is None)


class Browser:
    """
    A Chromium without a window.
    """

    def __init__(self, folder: Path, dark: bool = False, width: int = 1280) -> None:
        """
        @param folder: an empty one, for its profile and logs.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._log = open(folder / "chromedriver.log", "wb")  # noqa: SIM115
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
            start_new_session=True,
        )
        self._base = f"http://127.0.0.1:{port}"
        self._session = ""
        arguments = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            f"--user-data-dir={folder.absolute()}/profile",
            f"--window-size={width},900",
        ]
        if dark:
            arguments.append("--force-dark-mode")
        options = {"args": arguments, "binary": shutil.which("chromium")}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        try:
            self.until(lambda: self._call("GET", "/status").get("ready"))
            new = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        except BaseException:
            self.close()
            raise
        self._session = f"/session/{new['sessionId']}"
        dark_ = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.devTools("Emulation.setEmulatedMedia", features=dark_)

    def close(self) -> None:
        """
        End the browser, and chromedriver.
        """
        if self._session:
            self._call("DELETE", self._session)
            self._session = ""
        self._driver.terminate()
        self._driver.wait(PATIENCE)
        self._log.close()

    def devTools(self, command: str, **parameters: Any) -> Any:
        """
        Send a command of the Chrome DevTools Protocol.
        """
        return self._in("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        """
        Have a screen of this size.
        """
        self.devTools(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def go(self, url: str) -> None:
        """
        Open an address.
        """
        self._in("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """
        The present address.
        """
        return str(self._in("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """
        Run the body of a function in the page.
        """
        return self._in("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def text(self, css: str) -> str:
        """
        The text of an element, as a person sees it.
        """
        return str(self.run("return document.querySelector(arguments[0]).innerText", css))

    def type(self, css: str, text: str) -> None:
        """
        Type into an element; an empty text clears it.
        """
        found = self._in("POST", "/element", {"using": "css selector", "value": css})
        element = f"/element/{found[ELEMENT]}"
        if not text:
            self.run(
                "const e = document.querySelector(arguments[0]); e.value = '';"
                " e.dispatchEvent(new Event('input', {bubbles: true}))",
                css,
            )
        else:
            self._in("POST", f"{element}/value", {"text": text})

    def press(self, css: str) -> None:
        """
        Click on an element.
        """
        found = self._in("POST", "/element", {"using": "css selector", "value": css})
        self._in("POST", f"/element/{found[ELEMENT]}/click", {})

    def keys(self, *keys: str) -> None:
        """
        Press keys, such as C{Tab}, in the present focus.
        """
        for key in keys:
            self.devTools("Input.dispatchKeyEvent", type="keyDown", **_KEYS[key])
            self.devTools("Input.dispatchKeyEvent", type="keyUp", **_KEYS[key])

    def complaints(self) -> list[str]:
        """
        What the browser has logged since the last call: errors of scripts, and what
        the policy has blocked.
        """
        return [str(e["message"]) for e in self._in("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path, whole: bool = False) -> None:
        """
        Save what is seen.
        """
        options = {"captureBeyondViewport": True} if whole else {}
        found = self.devTools("Page.captureScreenshot", format="png", **options)
        path.write_bytes(base64.b64decode(found["data"]))

    def until(self, condition: Callable[[], Any]) -> Any:
        """
        Wait until something is so.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                found = condition()
            except (OSError, KeyError):
                found = None
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"not within {PATIENCE} s: {condition}")
            time.sleep(0.1)

    def untilText(self, css: str, text: str) -> str:
        """
        Wait until an element has this text in it.
        """
        try:
            return str(self.until(lambda: (t := self.text(css)) if text in self.text(css) else ""))
        except AssertionError:
            raise AssertionError(f"{text!r} is not in {css}: {self.text(css)!r}") from None

    def _in(self, method: str, path: str, data: Any = None) -> Any:
        return self._call(method, self._session + path, data)

    def _call(self, method: str, path: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._base + path, body, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as e:
            raise AssertionError(f"{method} {path}: {e.read().decode()[:500]}") from None


_KEYS: dict[str, dict[str, Any]] = {
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
}
