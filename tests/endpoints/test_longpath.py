# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.longpath}: unix sockets in deep folders.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.fakes.observers import Recorder
from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, clientFromRemote
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
        # The server too can only be bound by a short path.
        descriptor = os.open(folder, os.O_PATH)
        self.addCleanup(os.close, descriptor)
        here = f"/proc/self/fd/{descriptor}/{self.name}"
        port = await self.server.listen(UNIXServerEndpoint(reactor, here))
        self.addCleanup(port.stopListening)

    def assertNoneLeft(self) -> None:
        """
        Assert that no descriptor of the folder is open but that of this test.
        """
        open_ = 0
        for descriptor in os.listdir("/proc/self/fd"):
            path = f"/proc/self/fd/{descriptor}"
            if os.path.lexists(path) and os.readlink(path) == os.path.dirname(self.path):
                open_ += 1
        self.assertEqual(open_, 1)

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
        fault = self.assertRaises(ValueError, LongPathEndpoint, self.reactor, f"{self.path}x")
        self.assertIn(f"its last part at most {LONGEST_NAME}, not {LONGEST_NAME + 1}", str(fault))
