# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.longpath}: unix sockets in deep folders.
Real sockets, because the limit is the kernel's.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.fakes.observers import Recorder
from twisted_ovsdb import (
    EndpointConnector,
    OvsdbMonitorFactory,
    clientFromRemote,
    serverFromRemote,
)
from twisted_ovsdb.endpoints.longpath import LONGEST_NAME, LongPathEndpoint
from twisted_ovsdb.testing import MemoryServer


class LongPathTests(TestCase):
    """
    Tests for a server behind a path of more than 107 bytes.
    """

    timeout = 20

    async def setUp(self) -> None:  # type: ignore[override]
        from twisted.internet import reactor

        self.reactor: Any = reactor
        folder = Path(self.mktemp()).absolute() / ("deep" * 20) / ("deeper" * 10)
        folder.mkdir(parents=True)
        self.name = "s" * LONGEST_NAME
        self.path = str(folder / self.name)
        self.server = MemoryServer()
        self.server.addBridge("br-int")
        await self.listen(f"punix:{self.path}")

    async def listen(self, place: str) -> Any:
        """
        The server listens there until the test ends.
        """
        port = await self.server.listen(serverFromRemote(self.reactor, place))
        self.addCleanup(port.stopListening)
        return port

    def assertNoneLeft(self, listening: int = 1) -> None:
        """
        Assert that no descriptor of the folder is open but those of ports.
        """
        open_ = 0
        for descriptor in os.listdir("/proc/self/fd"):
            path = f"/proc/self/fd/{descriptor}"
            if os.path.lexists(path) and os.readlink(path) == os.path.dirname(self.path):
                open_ += 1
        self.assertEqual(open_, listening)

    async def test_connects(self) -> None:
        """
        The server is monitored, and events name the path as it was written. No
        descriptor is left.
        """
        self.assertGreater(len(self.path), 107)
        endpoint = clientFromRemote(self.reactor, f"unix:{self.path}")
        self.assertIsInstance(endpoint, LongPathEndpoint)
        verifyObject(IStreamClientEndpoint, endpoint)
        observer = Recorder()
        factory = OvsdbMonitorFactory([observer])
        EndpointConnector(endpoint, factory).connect()
        await factory.whenSynchronized()
        await deferLater(self.reactor, 0)
        self.assertEqual(observer.events[0].source, f"unix:{self.path}")
        await factory.stop()
        await deferLater(self.reactor, 0)
        self.assertNoneLeft()

    async def test_relative(self) -> None:
        """
        A relative path starts at the current directory.
        """
        relative = os.path.relpath(self.path)
        self.assertGreater(len(relative), 107)
        factory = OvsdbMonitorFactory()
        EndpointConnector(clientFromRemote(self.reactor, f"unix:{relative}"), factory).connect()
        (bridge,) = await factory.whenSynchronized()
        self.assertEqual(bridge.name, "br-int")
        await factory.stop()
        await deferLater(self.reactor, 0)
        self.assertNoneLeft()

    async def test_listens(self) -> None:
        """
        A socket in a deep folder is there while it is listened on, with its
        mode, and can be listened on again. Its folder is closed after that.
        """
        path = f"{self.path[:-1]}2"
        for place, mode in ((f"unix:{path}:mode=600", 0o600), (f"punix:{path}", 0o660)):
            port = await self.listen(place)
            verifyObject(IListeningPort, port)
            self.assertEqual(port.getHost().name, path.encode())
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), mode)
            attempt = clientFromRemote(self.reactor, f"unix:{path}").connect(OvsdbMonitorFactory())
            protocol: Any = await attempt
            protocol.transport.abortConnection()
            await port.stopListening()
            await port.stopListening()
            self.assertFalse(os.path.lexists(path))
            self.assertNoneLeft()

    async def test_cannotListen(self) -> None:
        """
        A folder that does not exist, and a socket that is in use: the error
        names the path as it was written, and nothing stays open.
        """
        for path, why in (
            (f"{self.path}/none", "Not a directory"),
            (self.path, "Cannot acquire lock"),
        ):
            fault = await self.assertFailure(
                serverFromRemote(self.reactor, f"punix:{path}").listen(Factory()),
                CannotListenError,
            )
            self.assertIn(path, str(fault))
            self.assertIn(why, str(fault))
        self.assertNoneLeft()

    async def test_absent(self) -> None:
        """
        A folder or a socket that does not exist is an error as for any socket.
        """
        for path in (f"{self.path}/none", f"{os.path.dirname(self.path)}/none"):
            endpoint = LongPathEndpoint(self.reactor, path)
            factory = OvsdbMonitorFactory()
            await self.assertFailure(endpoint.connect(factory), ConnectError)
        self.assertNoneLeft()

    async def test_canceled(self) -> None:
        """
        An attempt that is cancelled leaves no descriptor.
        """
        attempt = LongPathEndpoint(self.reactor, self.path).connect(OvsdbMonitorFactory())
        attempt.cancel()
        await self.assertFailure(attempt, Exception)
        await deferLater(self.reactor, 0)
        self.assertNoneLeft()

    def test_longName(self) -> None:
        """
        A last part that is too long is refused at once.
        """
        for make, scheme in (
            (clientFromRemote, "unix"),
            (serverFromRemote, "unix"),
            (serverFromRemote, "punix"),
        ):
            place = f"{scheme}:{self.path}x"
            fault = str(self.assertRaises(ValueError, make, self.reactor, place))
            self.assertIn(f"its last part at most {LONGEST_NAME}, not {LONGEST_NAME + 1}", fault)
            self.assertNotIn("\n", fault)
