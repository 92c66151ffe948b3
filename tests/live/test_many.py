# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One process watches several real ovsdb-servers, and one of the servers fails.
"""

from __future__ import annotations

import signal

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.threads import deferToThread

from tests.live.support import LiveTestCase, foldOf, summaries
from tests.soak.database import connectOne, readTable
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until
from twisted_ovsdb import Disconnected, EndpointConnector, OvsdbError, OvsdbMonitorFactory

SERVERS = 3

SOON = 1.0
"""Seconds after a commit, within which its events must be told."""


class ManyTests(LiveTestCase):
    """
    Tests for three servers with one observer.
    """

    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.switches = [SoakOpenVSwitch() for _ in range(SERVERS)]
        for switch in self.switches:
            self.addCleanup(deferToThread, switch.stop)
        await gatherResults(
            [deferToThread(switch.start) for switch in self.switches], consumeErrors=True
        )
        self.ports = 0
        for switch in self.switches:
            await deferToThread(switch.vsctl, "add-br", "br-int")
            assert switch.port is not None
            factory = OvsdbMonitorFactory(
                [self.observer], source=sourceOf(switch), maxDelay=0.2, identify=True
            )
            self.addCleanup(factory.stop)
            endpoint = HostnameEndpoint(reactor, "127.0.0.1", switch.port)
            EndpointConnector(endpoint, factory).connect()
            await self.observer.untilSynchronized()

    async def assertOthersTold(self, troubled: SoakOpenVSwitch) -> None:
        """
        Assert that changes on the other servers are told while this one fails.
        """
        for switch in self.switches:
            if switch is troubled:
                continue
            self.ports += 1
            name = f"tap{self.ports}"
            ids = f"external_ids:iface-id=port-{self.ports}"
            commands = f"add-port br-int {name} -- set Interface {name} {ids}"
            await deferToThread(switch.vsctl, *commands.split())
            (online,) = await self.observer.takeSome(1)
            self.assertEqual(summaries([online]), [("online", "vm", name, "update")])
            self.assertEqual(online.source, sourceOf(switch))

    async def test_stoppedInTurn(self) -> None:
        """
        A server that does not answer delays no events of the others. When it
        goes on, its own changes are told again.
        """
        for switch in self.switches:
            switch.signal("ovsdb-server", signal.SIGSTOP)
            await self.assertOthersTold(switch)
            switch.signal("ovsdb-server", signal.SIGCONT)
        for switch in self.switches:
            await self.assertOthersTold(switch)
        await self.assertExact()

    async def test_killedInTurn(self) -> None:
        """
        The loss and the return of a server are told with this server as their
        source.
        """
        for switch in self.switches:
            await deferToThread(switch.kill, "ovsdb-server")
            (gone,) = await self.observer.takeSome(1)
            assert isinstance(gone, Disconnected)
            await self.assertOthersTold(switch)
            await deferToThread(switch.startServer)
            told = await self.observer.untilSynchronized()
            self.assertEqual(summaries(told[-1:]), [("synchronized", "resync")])
            self.assertEqual({event.source for event in (gone, *told)}, {sourceOf(switch)})
        await self.assertExact()

    async def assertExact(self) -> None:
        """
        Assert that the events of each server add up to what its database has.
        """
        for switch in self.switches:
            await self.assertExactOf(switch)

    async def assertExactOf(self, switch: SoakOpenVSwitch) -> None:
        """
        Assert that the events of this server add up to what its database has.
        """
        protocol = await connectOne(reactor, switch.unix)
        table = await readTable(protocol)
        protocol.close(OvsdbError("the end"))
        source = sourceOf(switch)
        await until(reactor, lambda: self.foldOf(source) == table, SOON)
        self.assertEqual(self.foldOf(source), table)

    def foldOf(self, source: str) -> object:
        """
        The interfaces that the events of one server add up to.
        """
        return foldOf(event for event in self.observer.everything if event.source == source)


def sourceOf(switch: SoakOpenVSwitch) -> str:
    """
    The source of a server's events.
    """
    return f"tcp:127.0.0.1:{switch.port}"
