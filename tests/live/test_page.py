# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The page in a real Chromium, over a real Open vSwitch and the command.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.live.browser import Browser, missing
from tests.live.commandcase import COMMAND, Command, CommandTestCase

HOSTILE = "<img src=x onerror=alert(1)>"

PRESENT = (
    "return [...document.querySelectorAll('#interfaces tbody tr')]"
    ".filter(row => row.offsetHeight)"
    ".map(row => [...row.cells].map(cell => cell.innerText.trim()))"
)
"""The rows that a person sees, not those that are hidden."""


FULL = (
    "mkdir disk; exec unshare -rm sh -c 'mount -t tmpfs -o size=64k none disk"
    " && {{ cat /dev/zero > disk/filler 2>/dev/null; {}; }}'"
)
"""A shell in which the folder C{disk} is a full disk, for a command."""

_browsers: list[Browser] = []


def oneBrowser() -> Browser:
    """
    The browser of all tests here: to start one takes more than a second. Each test has
    another port, and so its own storage.
    """
    if not _browsers:
        folder = Path(tempfile.mkdtemp())
        _browsers.append(Browser(folder))
        clock: Any = reactor
        clock.addSystemEventTrigger("during", "shutdown", closeBrowser, folder)
    return _browsers[0]


def closeBrowser(folder: Path) -> None:
    """
    The tests are over.
    """
    _browsers.pop().close()
    shutil.rmtree(folder, ignore_errors=True)


class PageTestCase(CommandTestCase):
    """
    A browser with the page of a command.
    """

    vswitchd = True
    timeout = 240
    options = "--report 0.5"

    async def setUp(self) -> None:  # type: ignore[override]
        if missing():
            absent = f"not installed: {missing()} (see tools/install-browser)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        await super().setUp()
        self.command, self.address = await self.start(f"--http 0 {self.options}")
        self.browser: Browser = await deferToThread(oneBrowser)
        await deferToThread(self.browser.go, "about:blank")
        await deferToThread(self.browser.complaints)

    async def start(self, options: str, shell: str = "{}") -> tuple[Command, str]:
        """
        Run the command, until it says where its page is.

        @param shell: what to run, with a place for the command.
        """
        command = self.sh(
            shell.format(
                f"{COMMAND} --bridges --max-delay 0.5 --endpoint unix:{self.ovs.unix} {options}"
            )
        )
        found = await command.output.until(lambda line: "the page is on " in line)
        return command, found[-1].split("the page is on ")[1]

    async def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """
        Do something in the browser.
        """
        return await deferToThread(function, *arguments)

    async def open(self, query: str = "") -> None:
        """
        Open the page, and wait until it shows something.
        """
        await self.do(self.browser.go, self.address + query)
        await self.untilText("#connection", "Live")
        await self.untilText("#count", "interface")

    async def untilText(self, css: str, text: str) -> None:
        """
        Wait until an element has a text.
        """
        await self.do(self.browser.untilText, css, text)

    async def untilRow(self, name: str, *texts: str) -> None:
        """
        Wait until the table has a row of this name with these texts; without texts,
        until it has none.
        """

        def shown() -> bool:
            rows = [row for row in self.browser.run(PRESENT) if row[0] == name]
            return bool(rows) and set(texts) <= set(rows[0]) if texts else not rows

        await self.do(self.browser.until, shown)


class PageTests(PageTestCase):
    """
    What a person sees.
    """

    async def test_port(self) -> None:
        """
        A port appears, fails, recovers and goes, and the page shows each step without
        being loaded again.
        """
        await self.open()
        await self.untilRow("br-int", "bridge", "ready", "65534")
        await self.untilText("#no-problems", "None: every switch is in sync")
        await self.vsctl("add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=port-2")
        await self.untilRow("tap2", "vm", "ready", "br-int", "port-2")
        await self.untilText("#live", "vm tap2 ")
        await self.vsctl("--no-wait set Interface tap2 type=nosuch")
        await self.untilText("#problem-list", "could not")
        await self.untilText("#problem-list", "tap2")
        await self.untilText("#summary", "Problems\n1")
        await self.untilText("#live", "vm tap2 on br-int failed could not")
        await self.vsctl("set Interface tap2 type=internal")
        await self.untilText("#no-problems", "None: every switch is in sync")
        await self.untilText("#live", "vm tap2 on br-int no longer failed after")
        await self.untilRow("tap2", "vm", "ready")
        await self.vsctl("del-port tap2")
        await self.untilRow("tap2")
        await self.untilText("#live", "vm tap2 is gone")
        self.assertEqual(await self.do(self.browser.complaints), [])

    async def test_outages(self) -> None:
        """
        The server dies and returns: the page says so, and shows what was last known.
        Then the monitor itself dies: the page says so, with the age of what it shows,
        and goes on when there is one again; when that one cannot write its file, the
        page says so too.
        """
        await self.open()
        await self.untilRow("tap1", "ready")
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await self.untilText("#problem-list", "not connected")
        await self.untilText("#switches", "not connected")
        await self.untilRow("tap1", "last known")
        await deferToThread(self.ovs.startServer)
        await self.untilText("#no-problems", "None: every switch is in sync")
        await self.untilRow("tap1", "ready")
        await self.untilText("#switches", "in sync")
        self.command.signal(signal.SIGKILL)
        await self.command.ended
        await self.untilText("#connection", "Not connected to ovsdb-monitor: this is ")
        await self.vsctl("add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=p")
        port = self.address.rstrip("/").rpartition(":")[2]
        await self.start(f"--http {port} --events disk/ev.jsonl", FULL)
        await self.untilText("#connection", "Live")
        await self.untilRow("tap2", "vm")
        await self.untilText("#problem-list", "No space left on device")

    async def test_use(self) -> None:
        """
        Everything can be reached by keyboard; the first step leads to the table. What a
        person cannot see is said: each field, table and list has a name. A filter stands
        in the address: whoever gets the link sees the same. On a phone and on a large
        screen, nothing is wider than the screen.
        """
        await self.open()
        await self.keyboard()
        await self.names()
        await self.filter()
        await self.do(self.browser.go, self.address)
        await self.sizes()

    async def filter(self) -> None:
        """
        Filter the table.
        """
        await self.do(self.browser.type, "input[name=text]", "PORT-1")
        await self.untilText("#count", "1 interface")
        await self.untilRow("tap1", "vm")
        await self.untilRow("br-int")
        link = self.browser.url
        self.assertTrue(link.endswith("/?text=PORT-1"), link)
        await self.vsctl("add-port br-int tap9 -- set Interface tap9 external_ids:iface-id=x")
        await self.vsctl(
            "add-port br-int tap10 -- set Interface tap10 external_ids:iface-id=port-1"
        )
        await self.untilText("#count", "2 interfaces")
        await self.untilRow("tap9")
        await self.do(self.browser.type, "input[name=text]", "")
        for name in ("br-ex", "br-int", "patch-ex", "patch-int", "tap1", "tap10", "tap9"):
            await self.untilRow(name, name)
        await self.untilText("#count", "8 interfaces")
        await self.do(self.browser.go, link)
        await self.untilText("#count", "2 interfaces")
        await self.do(self.browser.go, self.address + "?kind=patch&bridge=br-ex")
        await self.untilText("#count", "1 interface")
        await self.untilRow("patch-int", "patch", "br-ex")

    async def keyboard(self) -> None:
        """
        Assert that the keyboard is enough.
        """
        await self.do(self.browser.keys, "Tab", "Enter")
        self.assertEqual(await self.do(self.browser.run, "return location.hash"), "#table")
        seen = set()
        for _ in range(20):
            await self.do(self.browser.keys, "Tab")
            seen.add(
                await self.do(
                    self.browser.run,
                    "const e = document.activeElement; return e.name || e.id || e.textContent",
                )
            )
        self.assertLessEqual({"text", "kind", "problem", "switch", "bridge", "pause", "live"}, seen)

    async def names(self) -> None:
        """
        Assert that what a screen reader reads has names.
        """
        tree = await self.do(self.browser.devTools, "Accessibility.getFullAXTree")
        nameless, roles = [], set()
        for node in tree["nodes"]:
            role = node.get("role", {}).get("value")
            roles.add(role)
            if role in ("textbox", "searchbox", "combobox", "button", "region", "link"):
                if not node.get("name", {}).get("value"):
                    nameless.append(node)
        self.assertEqual(nameless, [])
        self.assertLessEqual({"columnheader", "search", "status", "heading", "main"}, roles)

    async def sizes(self) -> None:
        """
        Assert that long texts fit.
        """
        await self.vsctl(
            "add-port br-int tap2 -- set Interface tap2"
            f" external_ids:iface-id={'a' * 300} external_ids:attached-mac={'b' * 300}"
        )
        for width in (390, 1280, 1600):
            await self.do(self.browser.resize, width, 900)
            await self.untilRow("tap2", "vm")
            wide = await self.do(
                self.browser.run, "return document.documentElement.scrollWidth - innerWidth"
            )
            self.assertLessEqual(wide, 0, width)


class HostileTests(PageTestCase):
    """
    Texts that want to be markup.
    """

    options = "--report 0.5 --identify"

    async def test_F103_hostile(self) -> None:
        """
        A hostile text is text in every field.
        """
        await self.vsctl(
            f"--no-wait set Open_vSwitch . 'external_ids:hostname=\"{HOSTILE}\"'"
            f" -- add-port br-int '{HOSTILE}' -- set Interface '{HOSTILE}'"
            f" 'external_ids:iface-id=\"{HOSTILE}\"' 'type=\"{HOSTILE}\"'"
            f" 'external_ids:attached-mac=\"{HOSTILE}\"' 'options:peer=\"{HOSTILE}\"'"
            f" -- add-br '{HOSTILE}{HOSTILE}'"
        )
        await self.open("?switch=%3Cimg%20src=x%3E")
        await self.do(self.browser.press, "button[type=reset]")
        await self.untilText("#problem-list", HOSTILE)
        await self.untilText("#interfaces", HOSTILE)
        await self.untilText("#live", HOSTILE)
        await self.untilText("#switches", HOSTILE)
        images = await self.do(self.browser.run, "return document.querySelectorAll('img').length")
        self.assertEqual(images, 0)
        self.assertEqual(await self.do(self.browser.complaints), [])


class TokenTests(PageTestCase):
    """
    With a token.
    """

    token = "0123456789abcdef0123"

    async def start(self, options: str, shell: str = "{}") -> tuple[Command, str]:
        """
        Run the command, with a token.
        """
        (self.folder / "token").write_text(self.token)
        return await super().start(f"{options} --http-token-file token", shell)

    async def test_token(self) -> None:
        """
        The page asks for the token, says when it is wrong, and keeps it for this
        window only. It is in no address.
        """
        await self.do(self.browser.go, self.address)
        await self.untilText("#connection", "Token needed")
        await self.untilText("#login", "needs the token")
        await self.do(self.browser.type, "#token", "not the token")
        await self.do(self.browser.press, "#login button")
        await self.untilText("#wrong", "This is not the token.")
        await self.do(self.browser.type, "#token", self.token)
        await self.do(self.browser.press, "#login button")
        await self.untilText("#connection", "Live")
        await self.untilRow("tap1", "vm")
        self.assertNotIn(self.token, self.browser.url)
        stored = await self.do(
            self.browser.run, "return [JSON.stringify(sessionStorage), localStorage.length]"
        )
        self.assertIn(self.token, stored[0])
        self.assertEqual(stored[1], 0)
        await self.open()
