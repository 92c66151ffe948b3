# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Remotes in the notation of Open vSwitch, with a real ovsdb-server.
"""

from __future__ import annotations

import socket
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from tests.live.support import SCENE, SCENE_KINDS, LiveTestCase
from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, Synchronized
from twisted_ovsdb.endpoints.remotes import clientFromRemote


class RemoteTests(LiveTestCase):
    """
    Tests that a client reaches the server with each form of remote.
    """

    vswitchd = False
    tcp = True

    async def assertReached(self, remote: str, listening: str = "") -> None:
        """
        Assert that the remote connects to the server, before and after a
        restart of the server, and that events name the remote as their source.

        @param listening: the passive remote that the server must add for that;
            empty if it listens there already.
        """
        if listening:
            await self.appctl(f"ovsdb-server/add-remote {listening}")
        await self.vsctl(SCENE)
        factory = OvsdbMonitorFactory([self.observer], source=remote, maxDelay=0.2)
        self.addCleanup(factory.stop)
        EndpointConnector(clientFromRemote(reactor, remote), factory).connect()
        *_, synchronized = events = await self.observer.untilSynchronized()
        self.assertEqual(len(events), len(SCENE_KINDS) + 1)
        assert isinstance(synchronized, Synchronized)
        self.assertEqual(synchronized.source, remote)
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(self.ovs.startServer, *([f"--remote={listening}"] if listening else []))
        await self.observer.untilSynchronized()
        await self.assertFoldEqualsTable()

    async def test_unix(self) -> None:
        """
        C{unix:PATH}.
        """
        await self.assertReached(f"unix:{self.ovs.unix}")

    async def test_unixWithColon(self) -> None:
        """
        C{unix:PATH} with characters that are special in Twisted's endpoint
        strings.
        """
        path = self.ovs.folder / "a:b=c.sock"
        await self.assertReached(f"unix:{path}", f"punix:{path}")

    async def test_unixLong(self) -> None:
        """
        C{unix:PATH} with more bytes than the kernel takes in one path.
        """
        folder = self.ovs.folder / ("deep" * 20) / ("deeper" * 10)
        await deferToThread(folder.mkdir, parents=True)
        await self.assertReached(f"unix:{folder}/db.sock", f"punix:{folder}/db.sock")

    async def test_IPv4(self) -> None:
        """
        C{tcp:IP:PORT}.
        """
        await self.assertReached(f"tcp:127.0.0.1:{self.ovs.port}")

    async def test_IPv6(self) -> None:
        """
        C{tcp:[IP]:PORT}.
        """
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError as e:
                raise SkipTest(f"no ::1 here: {e}") from e
            port = probe.getsockname()[1]
        await self.assertReached(f"tcp:[::1]:{port}", f"ptcp:{port}:[::1]")

    async def test_name(self) -> None:
        """
        C{tcp:NAME:PORT}. The name may have addresses of IPv4 and of IPv6, and
        the server listens on one of them.
        """
        await self.assertReached(f"tcp:localhost:{self.ovs.port}")

    async def test_unknownName(self) -> None:
        """
        A name that DNS does not know is a warning in the log. The name may
        have an underscore, as names of containers have.
        """
        for name in ("host.invalid", "my_host.invalid"):
            factory = OvsdbMonitorFactory([self.observer], source=name, maxDelay=0.2)
            EndpointConnector(clientFromRemote(reactor, f"tcp:{name}"), factory).connect()
            lines = await self.log.until(lambda line: "trying again" in line)
            await factory.stop()
            self.assertTrue(lines[-1].startswith(f"warn: {name}: "), lines)
            self.assertIn("DNS lookup failed", lines[-1])
        self.assertEqual(self.observer.everything, [])
