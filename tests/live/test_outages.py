# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer is told when a real ovsdb-server is lost and returns.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
from twisted.internet.threads import deferToThread

from tests.live.support import (
    SCENE,
    SCENE_KINDS,
    LiveTestCase,
    isReady,
    summaries,
)
from twisted_ovsdb import (
    Disconnected,
    EndpointConnector,
    InterfaceOnline,
    OvsdbMonitorFactory,
)
from twisted_ovsdb.events import Event

SOON = 0.2
"""Seconds between attempts, at most, in tests that are not about these times."""

TAP2 = "add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=port-2"

KINDS = {**SCENE_KINDS, "tap2": "vm"}

CHANGES = (
    "del-port df1"
    " -- set Interface tap1 ofport=7"
    " -- add-port br-int tap3 -- set Interface tap3 external_ids:iface-id=port-3"
    " -- set Interface tap2 external_ids:iface-id=port-9"
)
"""Commands for ovs-vsctl: what another client changes in L{SCENE} and tap2 during an outage."""


class OutageTestCase(LiveTestCase):
    """
    Runs ovsdb-server without ovs-vswitchd, so that only the tests change rows.
    """

    vswitchd = False

    async def begin(self, **options: Any) -> OvsdbMonitorFactory:
        """
        Make L{SCENE} and tap2, watch them, and take the events up to
        Synchronized.
        """
        await self.vsctl(f"{SCENE} -- {TAP2}")
        factory = self.watch(**{"maxDelay": SOON, **options})
        await self.observer.untilSynchronized()
        return factory

    async def killServer(self) -> None:
        """
        Kill ovsdb-server with SIGKILL.
        """
        await deferToThread(self.ovs.kill, "ovsdb-server")

    async def startServer(self, hidden: bool = False) -> None:
        """
        Start ovsdb-server again.
        """
        await deferToThread(self.ovs.startServer, hidden=hidden)

    async def changeHidden(self, commands: str) -> None:
        """
        Let another client change the database during the outage.
        """
        await self.startServer(hidden=True)
        await self.vsctl(commands)
        await self.killServer()

    async def assertResync(self, *differences: tuple[object, ...], replayed: set[str]) -> None:
        """
        Assert that all events of one outage come next: Disconnected, these
        differences, a replay of those interfaces in any order, and
        Synchronized.
        """
        events = await self.observer.untilSynchronized()
        end = 1 + len(differences)
        self.assertEqual(summaries(events[:end]), [("disconnected",), *differences])
        self.assertCountEqual(
            summaries(events[end:-1]), [("online", KINDS[n], n, "replay") for n in replayed]
        )
        self.assertEqual(summaries(events[-1:]), [("synchronized", "resync")])
        await self.assertFoldEqualsTable()
        self.assertEqual(summaries(self.observer.take()), [])


DIFFERENCES = (
    ("offline", "tunnel", "df1", "resync"),
    ("offline", "vm", "tap2", "resync"),
    ("changed", "vm", "tap1", "resync", {"ofport": (None, 7)}),
    ("online", "vm", "tap2", "resync"),
    ("online", "vm", "tap3", "resync"),
)
"""
The events that L{CHANGES} lead to. Offline events may come in any order, and online
events, too.
"""


class KillMixin:
    """
    Tests in which ovsdb-server is killed, another client changes the database,
    and the server starts again.
    """

    async def killAndReturn(self: Any, **options: Any) -> list[Event]:
        """
        @return: the events between the differences and Synchronized.
        """
        await self.begin(**options)
        await self.killServer()
        (disconnected,) = await self.observer.takeSome(1)
        assert isinstance(disconnected, Disconnected)
        self.assertEqual(disconnected.source, self.source())
        await self.changeHidden(CHANGES)
        self.assertEqual(self.observer.take(), [])
        await self.startServer()
        *told, synchronized = await self.observer.untilSynchronized()
        self.assertEqual(summaries([synchronized]), [("synchronized", "resync")])
        differences = summaries(told[: len(DIFFERENCES)])
        self.assertCountEqual(differences, DIFFERENCES)
        order = ["offline", "offline", "changed", "online", "online"]
        self.assertEqual([happened for happened, *_ in differences], order)
        await self.assertFoldEqualsTable()
        self.assertEqual(self.observer.take(), [])
        return list(told[len(DIFFERENCES) :])

    async def test_kill(self: Any) -> None:
        """
        When the server is back, what changed during the outage is told as
        differences, and the rest is replayed.
        """
        replays = await self.killAndReturn()
        self.assertCountEqual(
            summaries(replays),
            [
                ("online", SCENE_KINDS[name], name, "replay")
                for name in ("br-int", "br-ex", "patch-int", "patch-ex")
            ],
        )

    async def test_killWithoutReplay(self: Any) -> None:
        """
        Without replays, only the differences are told.
        """
        self.assertEqual(await self.killAndReturn(replay=False), [])


class UNIXEndpointTests(KillMixin, OutageTestCase):
    """
    Tests over C{unix:}.
    """

    def source(self) -> str:
        return f"unix:{self.ovs.unix}"


class TCPEndpointTests(KillMixin, OutageTestCase):
    """
    Tests over C{tcp:}.
    """

    tcp = True

    def source(self) -> str:
        return f"tcp:127.0.0.1:{self.ovs.port}"

    def connect(self, factory: OvsdbMonitorFactory) -> None:
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.ovs.port}")
        EndpointConnector(endpoint, factory).connect()


class ConnectTCPTests(KillMixin, OutageTestCase):
    """
    Tests with C{reactor.connectTCP}.
    """

    tcp = True

    def source(self) -> str:
        return f"tcp:127.0.0.1:{self.ovs.port}"

    def connect(self, factory: OvsdbMonitorFactory) -> None:
        connecting: Any = reactor
        connecting.connectTCP("127.0.0.1", self.ovs.port, factory)


class CutOffTests(LiveTestCase):
    """
    Tests for outages while ovs-vswitchd runs.
    """

    tcp = True

    def connect(self, factory: OvsdbMonitorFactory) -> None:
        endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{self.ovs.port}")
        EndpointConnector(endpoint, factory).connect()

    async def test_remoteRemoved(self) -> None:
        """
        The monitor loses the server, and all other clients stay connected.
        When the monitor is back, it tells what has changed: a VM that was
        added meanwhile is online with its OpenFlow port.
        """
        await self.vsctl(SCENE)
        self.watch(maxDelay=SOON)
        await self.observer.untilSynchronized()
        remote = f"ptcp:{self.ovs.port}:127.0.0.1"
        await self.appctl(f"ovsdb-server/remove-remote {remote}")
        await self.observer.until(lambda event: isinstance(event, Disconnected))
        await self.vsctl(f"{TAP2} -- del-port tap1")
        await self.appctl(f"ovsdb-server/add-remote {remote}")
        offline, online, *replays, _ = await self.observer.untilSynchronized()
        self.assertEqual(summaries([offline]), [("offline", "vm", "tap1", "resync")])
        self.assertEqual(summaries([online]), [("online", "vm", "tap2", "resync")])
        assert isinstance(online, InterfaceOnline)
        self.assertTrue(online.interface.ready)
        self.assertCountEqual(
            summaries(replays),
            [("online", kind, n, "replay") for n, kind in SCENE_KINDS.items() if n != "tap1"],
        )
        await self.assertFoldEqualsTable()

    async def test_kill(self) -> None:
        """
        After ovsdb-server was killed and started again, ovs-vswitchd connects
        to it again, and gives a new VM its OpenFlow port.
        """
        await self.vsctl(SCENE)
        self.watch(maxDelay=SOON)
        await self.observer.untilSynchronized()
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(self.ovs.startServer)
        _, *replays, _ = await self.observer.untilSynchronized()
        self.assertCountEqual(
            summaries(replays),
            [("online", kind, name, "replay") for name, kind in SCENE_KINDS.items()],
        )
        await self.vsctl(TAP2)
        online, *_ = await self.observer.until(isReady)
        self.assertEqual(summaries([online]), [("online", "vm", "tap2", "update")])
        await self.assertFoldEqualsTable()
