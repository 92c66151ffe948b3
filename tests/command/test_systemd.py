# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What systemd is told.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from tests.command.test_options import parse
from tests.command.test_tap import ENVIRONMENT, TWISTD, Child
from twisted_ovsdb import OvsdbListenerFactory, OvsdbListenService, tap
from twisted_ovsdb.command import systemd
from twisted_ovsdb.command.systemd import (
    STATUS_INTERVAL,
    SystemdService,
    notify,
    watchdogInterval,
)
from twisted_ovsdb.testing import MemoryServer, connectedFactory


class Listening:
    """
    A place where somebody listens: the socket that systemd gives a service.

    @ivar path: its path.
    """

    def __init__(self, case: SynchronousTestCase | TestCase, abstract: bool = False) -> None:
        folder = tempfile.mkdtemp()
        case.addCleanup(shutil.rmtree, folder)
        self.path = f"@{folder}/notify" if abstract else f"{folder}/notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self._socket.close)
        self._socket.bind(self.path.replace("@", "\0"))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """
        What has come since the last call.
        """
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found


class NotifyTests(SynchronousTestCase):
    """
    Tests for L{notify} and L{watchdogInterval}.
    """

    def test_heard(self) -> None:
        """
        systemd hears it, at a path or at a name in the abstract namespace.
        """
        for abstract in (False, True):
            listening = Listening(self, abstract)
            notify("READY=1", {"NOTIFY_SOCKET": listening.path})
            self.assertEqual(listening.heard(), ["READY=1"])

    def test_nobody(self) -> None:
        """
        Without systemd, and if it has gone, nothing happens.
        """
        notify("READY=1", {})
        notify("READY=1", {"NOTIFY_SOCKET": "/nonexistent/notify"})

    def test_full(self) -> None:
        """
        If systemd does not read, nobody waits for it.
        """
        listening = Listening(self)
        for _ in range(10000):
            notify("WATCHDOG=1", {"NOTIFY_SOCKET": listening.path})
        self.assertTrue(listening.heard())

    def test_watchdog(self) -> None:
        """
        A sign of life is wanted if the environment says so, and of this process.
        """
        mine = {"WATCHDOG_PID": str(os.getpid()), "WATCHDOG_USEC": "60000000"}
        self.assertEqual(watchdogInterval(mine), 30.0)
        for other in (
            {},
            {**mine, "WATCHDOG_PID": "1"},
            {**mine, "WATCHDOG_USEC": "soon"},
            {**mine, "WATCHDOG_USEC": "0"},
        ):
            self.assertIsNone(watchdogInterval(other))


class ServiceTests(SynchronousTestCase):
    """
    Tests for L{SystemdService}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.server = MemoryServer()
        self.server.addBridge("br-int")
        self.monitor = connectedFactory(self.server, problemsAfter=30.0).monitor

    def service(self, *opening: Deferred[None]) -> SystemdService:
        """
        A service that is started, and waits for these.
        """
        made = SystemdService(lambda: opening, lambda: [self.monitor], self.told.append, self.clock)
        made.startService()
        return made

    def take(self) -> list[str]:
        """
        What was told since the last call.
        """
        told = self.told[:]
        self.told.clear()
        return told

    def test_life(self) -> None:
        """
        It is ready when everything is open, says what it monitors whenever that is
        something else, and says when it stops.
        """
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        service = self.service(first, second)
        first.callback(None)
        self.assertEqual(self.take(), [])
        second.callback(None)
        status = "STATUS=1 of 1 switches in sync, 1 interfaces, 0 problems"
        self.assertEqual(self.take(), ["READY=1", status])
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.take(), [])
        self.server.addPort("br-int", "tap1")
        self.server.advance(30)
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.take(), ["STATUS=1 of 1 switches in sync, 2 interfaces, 1 problems"])
        self.server.kill()
        self.clock.advance(STATUS_INTERVAL)
        self.assertEqual(self.take(), ["STATUS=0 of 1 switches in sync, 2 interfaces, 1 problems"])
        service.stopService()
        self.assertEqual(self.take(), ["STOPPING=1"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cannotOpen(self) -> None:
        """
        If something cannot be opened, it is never ready.
        """
        place: Deferred[None] = Deferred()
        service = self.service(place)
        place.errback(OSError("in use"))
        self.assertEqual(self.take(), [])
        service.stopService()

    def test_stoppedEarly(self) -> None:
        """
        A service that stops before it is ready is not ready afterwards.
        """
        place: Deferred[None] = Deferred()
        self.service(place).stopService()
        place.callback(None)
        self.assertEqual(self.take(), ["STOPPING=1"])

    def test_watchdog(self) -> None:
        """
        A sign of life comes twice in the time that is allowed, also before it is
        ready, and none after the end.
        """
        self.patch(systemd, "watchdogInterval", lambda: 5.0)
        service = self.service(Deferred())
        for _ in range(3):
            self.clock.advance(5)
        service.stopService()
        self.clock.advance(100)
        self.assertEqual(self.take(), ["WATCHDOG=1"] * 4 + ["STOPPING=1"])


class MakeServiceTests(SynchronousTestCase):
    """
    Tests for the service of the command.
    """

    def test_wanted(self) -> None:
        """
        The service is there if systemd wants to know, and is the last one, so that
        it stops first.
        """
        self.patch(os, "environ", {**os.environ, "NOTIFY_SOCKET": "/nonexistent"})
        services: Any = tap.makeService(parse("--endpoint", "tcp:a", "--listen", "ptcp:6640"))
        *_, last = services
        self.assertIsInstance(last, SystemdService)
        self.assertEqual(len(list(last._monitors())), 1)
        self.assertEqual([each.called for each in last._opening()], [False])

    def test_notWanted(self) -> None:
        """
        Otherwise it is not there.
        """
        services: Any = tap.makeService(parse())
        self.assertEqual([s for s in services if isinstance(s, SystemdService)], [])


class _Port:
    def stopListening(self) -> None:
        """
        Close it.
        """


@implementer(IStreamServerEndpoint)
class _Endpoint:
    def __init__(self) -> None:
        self.opening: Deferred[Any] = Deferred()

    def listen(self, protocolFactory: Any) -> Any:
        """
        Open it, later.
        """
        return self.opening


class WhenListeningTests(SynchronousTestCase):
    """
    Tests for L{OvsdbListenService.whenListening}.
    """

    def test_fires(self) -> None:
        """
        It fires when the port is open, and again after the service was started
        again.
        """
        endpoint = _Endpoint()
        service = OvsdbListenService(endpoint, OvsdbListenerFactory(clock=Clock()))
        waiting = service.whenListening()
        service.privilegedStartService()
        self.assertNoResult(waiting)
        endpoint.opening.callback(_Port())
        self.successResultOf(waiting)
        self.successResultOf(service.whenListening())
        self.successResultOf(service.stopService())
        self.assertNoResult(service.whenListening())


class CommandTests(TestCase):
    """
    Tests for the command as a child process of somebody like systemd.
    """

    timeout = 60

    async def test_life(self) -> None:
        """
        The command is ready though no server is there, gives signs of life, and
        says that it stops.
        """
        from twisted.internet import reactor

        anyReactor: Any = reactor
        listening = Listening(self)
        folder = self.mktemp()
        os.mkdir(folder)
        # A shell has the pid that the process will have.
        text = f'WATCHDOG_PID=$$ exec "{TWISTD}" -n --pidfile= ovsdb-monitor'
        text += " --endpoint unix:absent --listen punix:switches --events events"
        environment = {**ENVIRONMENT, "NOTIFY_SOCKET": listening.path, "WATCHDOG_USEC": "200000"}
        child = Child()
        anyReactor.spawnProcess(child, "/bin/sh", ["sh", "-c", text], environment, folder)
        heard: list[str] = []
        while not ("READY=1" in heard and heard[-1] == "WATCHDOG=1"):
            await deferLater(anyReactor, 0.05)
            heard += listening.heard()
        self.assertIn("STATUS=0 of 1 switches in sync, 0 interfaces", heard)
        transport: Any = child.transport
        transport.signalProcess("TERM")
        await child.ended
        heard += listening.heard()
        self.assertEqual([heard.count("READY=1"), heard[-1]], [1, "STOPPING=1"])

    async def test_socketActivation(self) -> None:
        """
        C{--listen systemd:} takes the socket that systemd has opened.
        """
        from twisted.internet import reactor

        anyReactor: Any = reactor
        listening = Listening(self)
        place = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(place.close)
        text = f'LISTEN_PID=$$ exec "{TWISTD}" -n --pidfile= ovsdb-monitor'
        text += " --listen systemd:domain=INET:index=0"
        environment = {
            **ENVIRONMENT,
            "NOTIFY_SOCKET": listening.path,
            "LISTEN_FDS": "1",
            "LISTEN_FDNAMES": "switches.socket",
        }
        child = Child()
        anyReactor.spawnProcess(
            child,
            "/bin/sh",
            ["sh", "-c", text],
            environment,
            childFDs={0: "w", 1: "r", 2: "r", 3: place.fileno()},
        )
        heard: list[str] = []
        while "READY=1" not in heard:
            await deferLater(anyReactor, 0.05)
            heard += listening.heard()
        with socket.create_connection(place.getsockname(), 5) as switch:
            switch.settimeout(10)
            request = await deferToThread(switch.recv, 4096)
        self.assertIn(b'"method"', request)
        transport: Any = child.transport
        transport.signalProcess("TERM")
        await child.ended
