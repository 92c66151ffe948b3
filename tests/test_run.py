# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{make run} where Open vSwitch cannot be installed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

import twisted_ovsdb
from tools import run
from tools.run import found
from twisted_ovsdb.testing import MemoryServer

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent

LAST = b"vm tap-vm1 changed on br-int: ofport none -> 4 [update]"


class Run(ProcessProtocol):
    """
    Runs the program, and interrupts it after the last line of the scene.
    """

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[Any] = Deferred()
        self._interrupted = False

    def outReceived(self, data: bytes) -> None:
        """Keep the output."""
        self.output += data
        if LAST in self.output and not self._interrupted:
            self._interrupted = True
            transport: Any = self.transport
            transport.signalProcess("INT")

    def processEnded(self, reason: Failure) -> None:
        """Fire the Deferred."""
        self.ended.callback(reason.value)


class FoundTests(TestCase):
    """
    Where C{make run} looks for a server.
    """

    async def test_socket(self) -> None:
        """
        It finds the server on the usual unix socket, and no other program there.
        """
        from twisted.internet import reactor

        anyReactor: Any = reactor
        folder = self.mktemp()
        os.mkdir(folder)
        self.patch(os, "environ", {**os.environ, "OVS_RUNDIR": folder})
        self.patch(run, "LOCAL", ("127.0.0.1", 1))
        self.assertIsNone(await deferToThread(found))
        server = MemoryServer()
        endpoint = UNIXServerEndpoint(anyReactor, f"{folder}/db.sock")
        port = await server.listen(endpoint)
        self.addCleanup(port.stopListening)
        self.assertEqual(await deferToThread(found), f"unix:{folder}/db.sock")


class MemoryTests(TestCase):
    """
    The scene on a server in memory.
    """

    timeout = 60

    async def test_scene(self) -> None:
        """
        The first line says that the server is in memory. Then each kind of
        interface is shown, and a VM that comes later. Ctrl-C ends the program
        and its server.
        """
        if found() is not None:
            raise SkipTest("there is an ovsdb-server, which make run would watch")
        from twisted.internet import reactor

        process: Any = reactor
        run = Run()
        # No Open vSwitch, and nothing to install it with.
        empty = Path(self.mktemp())
        empty.mkdir()
        process.spawnProcess(
            run,
            sys.executable,
            [sys.executable, "-m", "tools.run"],
            env={**os.environ, "PATH": str(empty.absolute()), "PYTHONPATH": str(CHECKOUT)},
            path=str(CHECKOUT),
        )
        ended = await run.ended
        lines = run.output.decode().splitlines()
        self.assertIn("this is a server in memory", lines[0])
        self.assertEqual(ended.exitCode, 0)
        for told in (
            "bridge br-int online: ofport 65534 [initial]",
            "vm tap-web online on br-int: ofport 1, iface-id 0e9f6b40-",
            "tunnel df-chassis2 online on br-int: ofport 2, remote-ip 192.0.2.2 [initial]",
            "patch patch-ex online on br-int: ofport 3, peer patch-int [initial]",
            "synchronized: 2 bridge, 1 vm, 1 tunnel, 2 patch [initial]",
            "vm tap-vm1 online on br-int: ofport none yet",
            "the page is on http://127.0.0.1:",
        ):
            self.assertIn(told, run.output.decode())
        socket = next(line for line in lines if line.startswith("watching unix:"))
        self.assertFalse(Path(socket.split(";")[0].partition("unix:")[2]).parent.exists())
