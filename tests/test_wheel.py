# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the wheel: what users install, in an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

import twisted_ovsdb

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent

FOLDERS = (
    "twisted/plugins",
    "twisted_ovsdb",
    "twisted_ovsdb/command",
    "twisted_ovsdb/connection",
    "twisted_ovsdb/database",
    "twisted_ovsdb/endpoints",
    "twisted_ovsdb/lifecycle",
    "twisted_ovsdb/monitoring",
    "twisted_ovsdb/observers",
    "twisted_ovsdb/openvswitch",
    "twisted_ovsdb/publish",
    "twisted_ovsdb/state",
    "twisted_ovsdb/testing",
    "twisted_ovsdb/web",
    "twisted_ovsdb/web/page",
    "twisted_ovsdb/wire",
)
"""The folders in the wheel, without its metadata."""

NEEDED = """
import json, re
from importlib.metadata import requires
def key(name):
    return re.sub(r"[-_.]+", "-", name).lower()
def needs(name):
    lines = requires(name) or []
    return {key(re.match(r"[\\w.-]+", l)[0]) for l in lines if "extra ==" not in l}
direct = needs("twisted_ovsdb")
found, new = set(direct), set(direct)
while new:
    name = new.pop()
    try:
        more = needs(name) - found
    except ModuleNotFoundError:  # for another platform or Python
        continue
    found |= more
    new |= more
print(json.dumps([sorted(direct), sorted(found)]))
"""
"""
A program that prints which packages the installed package needs: first the
direct ones, then all.
"""


class Monitor(ProcessProtocol):
    """
    A running monitor, which is interrupted after its first warning.

    @ivar ended: fires with the reason why it ended.
    """

    def __init__(self) -> None:
        self.log = b""
        self.ended: Deferred[Any] = Deferred()
        self._interrupted = False

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Keep the log, and interrupt after the warning."""
        self.log += data
        if b"trying again" in self.log and not self._interrupted:
            self._interrupted = True
            transport: Any = self.transport
            transport.signalProcess("INT")

    def processEnded(self, reason: Failure) -> None:
        """Fire the Deferred."""
        self.ended.callback(reason.value)


class WheelTests(TestCase):
    """
    The wheel is built, installed, run and uninstalled.
    """

    timeout = 180

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.bin = self.folder / "venv" / "bin"
        # The checkout and trial's own environment must not be found.
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
        self.environment = {k: v for k, v in os.environ.items() if k not in hidden}
        self.environment["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"

    async def run_(self, *words: str | Path, path: Path | None = None) -> str:
        """
        Run a command that has to succeed.

        @return: its standard output.
        """
        out, err, status = await getProcessOutputAndValue(
            str(words[0]),
            [str(word) for word in words[1:]],
            env=self.environment,
            path=str(path or self.folder),
        )
        told = f"{' '.join(map(str, words))}: {status}\n{out.decode()}\n{err.decode()}"
        self.assertEqual(status, 0, told)
        self.assertNotIn("Traceback", told)
        return str(out.decode())

    async def build(self) -> Path:
        """
        Build the wheel from a copy of the files that git has or would add.
        Other files in the checkout have no influence on it.
        """
        copy = self.folder / "copy"
        git = (shutil.which("git") or "git", "ls-files", "-z")
        which = ("--cached", "--others", "--exclude-standard")
        listed = await self.run_(*git, *which, path=CHECKOUT)
        for name in listed.split("\0"):
            if name and (CHECKOUT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(CHECKOUT / name, copy / name)
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
        await self.run_(*pip, "--no-build-isolation", "-w", self.folder / "dist", copy)
        [wheel] = (self.folder / "dist").iterdir()
        return wheel

    async def installed(self) -> set[str]:
        """
        What pip lists, by normalized name.
        """
        listed = await self.run_(self.bin / "pip", "list", "--format=json")
        return {re.sub(r"[-_.]+", "-", one["name"]).lower() for one in json.loads(listed)}

    async def checkMonitor(self) -> None:
        """
        The installed command runs and warns once. Ctrl-C ends it as it ends
        every twistd: first the services stop, then the signal ends the process.
        """
        from twisted.internet import reactor

        anyReactor: Any = reactor
        monitor = Monitor()
        words = ["twistd", "-n", "--pidfile=", "ovsdb-monitor", "--endpoint", "unix:none"]
        twistd = str(self.bin / "twistd")
        anyReactor.spawnProcess(monitor, twistd, words, self.environment, str(self.folder))
        reason = await monitor.ended
        log = monitor.log.decode()
        self.assertIn("Server Shut Down", log)
        self.assertEqual(log.count("trying again"), 1)
        self.assertNotIn("Traceback", log)
        self.assertIsInstance(reason, ProcessTerminated)
        self.assertEqual(reason.signal, signal.SIGINT)

    async def test_life(self) -> None:
        """
        The wheel holds the package, the plugin and nothing else. Installed
        into an empty environment, it brings only what it needs and gives
        twistd its command. Uninstalled, it leaves Twisted intact.
        """
        wheel = await self.build()
        contents = await self.run_(sys.executable, "-m", "zipfile", "-l", wheel)
        files = {line.split()[0] for line in contents.splitlines()[1:]}
        metadata = f"twisted_ovsdb-{twisted_ovsdb.__version__}.dist-info"
        self.assertEqual(
            {str(Path(name).parent) for name in files},
            {*FOLDERS, *(metadata, f"{metadata}/licenses")},
        )
        shipped = {name for name in files if not name.startswith(metadata)}
        package = {
            str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "twisted_ovsdb").rglob("*.py")
        }
        others = {"twisted_ovsdb/py.typed", "twisted/plugins/twisted_ovsdb_plugin.py"}
        others |= {f"twisted_ovsdb/web/page/page.{kind}" for kind in ("html", "css", "js")}
        self.assertEqual(shipped, package | others)

        await self.run_(sys.executable, "-m", "venv", self.folder / "venv")
        before = await self.installed()
        await self.run_(self.bin / "pip", "install", "--quiet", wheel)
        brought = await self.installed() - before
        direct, needed = json.loads(await self.run_(self.bin / "python", "-c", NEEDED))
        self.assertEqual(direct, ["attrs", "twisted", "zope-interface"])
        self.assertEqual(brought - set(needed), {"twisted-ovsdb"})
        self.assertTrue(set(direct) <= brought)

        twistd = self.bin / "twistd"
        self.assertIn("ovsdb-monitor", await self.run_(twistd, "--help"))
        version = await self.run_(twistd, "-n", "--pidfile=", "ovsdb-monitor", "--version")
        self.assertEqual(version, f"twisted_ovsdb {twisted_ovsdb.__version__}\n")
        script = self.bin / "ovsdb-monitor"
        self.assertEqual(await self.run_(script, "--version"), version)
        await self.checkMonitor()

        await self.run_(self.bin / "pip", "uninstall", "--quiet", "--yes", "twisted_ovsdb")
        listed = await self.run_(twistd, "--help")
        self.assertIn("Usage: twistd", listed)
        self.assertNotIn("ovsdb-monitor", listed)
        # Twisted's own plugins are still there.
        self.assertIn("    web ", listed)
        module = "import twisted.plugins, twisted.plugins.twisted_web as w; print(w.__file__)"
        self.assertIn(str(self.folder), await self.run_(self.bin / "python", "-c", module))
        left = [str(path) for path in (self.folder / "venv").rglob("*ovsdb*")]
        self.assertEqual(left, [])
