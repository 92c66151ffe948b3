# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Runs twistd ovsdb-monitor as a child process, on a real ovsdb-server.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from signal import SIGTERM
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import twisted_ovsdb
from tests.live.support import SCENE, LiveTestCase, Recorder

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent

COMMAND = "exec twistd -n --pidfile= ovsdb-monitor"

SCRIPT = f"exec {sys.executable} -m twisted_ovsdb.command"
"""The console script, which is not installed in the checkout."""


class Command(ProcessProtocol):
    """
    A shell command.

    @ivar output: the lines of its standard output.
    @ivar log: the lines of its standard error.
    @ivar ended: fires with the status when it has ended and its output is
        closed; a signal is a negative number, as in C{subprocess}.
    """

    def __init__(self) -> None:
        self.output: Recorder[str] = Recorder()
        self.log: Recorder[str] = Recorder()
        self.ended: Deferred[int] = Deferred()
        self._partial = {1: b"", 2: b""}

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """
        Record each line that is complete.
        """
        *lines, self._partial[childFD] = (self._partial[childFD] + data).split(b"\n")
        recorder = self.output if childFD == 1 else self.log
        for line in lines:
            recorder.record(line.decode())

    def processEnded(self, reason: Failure) -> None:
        """
        The command has ended.
        """
        ended: Any = reason.value
        self.ended.callback(-ended.signal if ended.signal else ended.exitCode)

    def signal(self, number: int) -> None:
        """
        Send a signal to all processes of the command, as a terminal does.
        """
        transport: Any = self.transport
        # It may have ended, and not have closed its output yet.
        if transport.pid is not None:
            os.killpg(transport.pid, number)


class CommandTestCase(LiveTestCase):
    """
    Runs the command on a server of its own.
    """

    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        await self.vsctl(SCENE)

    def sh(self, text: str) -> Command:
        """
        Run a shell command in its own process group. If it still runs at the
        end of the test, it is ended then.
        """
        environment = {
            **os.environ,
            "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{self.folder.absolute()}",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        command = Command()
        processes: Any = reactor
        processes.spawnProcess(
            command, "setsid", ["setsid", "sh", "-c", text], environment, str(self.folder)
        )
        self.addCleanup(self._end, command)
        return command

    async def _end(self, command: Command) -> None:
        if not command.ended.called:
            command.signal(SIGTERM)
            await command.ended

    def monitor(self, options: str = "") -> Command:
        """
        Run twistd ovsdb-monitor on this test's server.
        """
        return self.sh(f"{COMMAND} --max-delay 0.2 --endpoint unix:{self.ovs.unix} {options}")

    def assertEvents(self, lines: list[str], *expected: str) -> list[dict[str, Any]]:
        """
        Assert that each line is an event, and that these are the events, their
        kinds and causes, in this order.
        """
        events = [json.loads(line) for line in lines]
        told = [" ".join(e[k] for k in ("event", "kind", "cause") if k in e) for e in events]
        self.assertEqual(told, list(expected))
        return events
