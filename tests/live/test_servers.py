# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer is told when a server exits, is replaced or is missing, and
when the observer itself is added late.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString
from twisted.internet.threads import deferToThread

from tests.live.support import SCENE, SCENE_KINDS, RecordingObserver, summaries
from tests.live.test_outages import KINDS, SOON, TAP2, OutageTestCase
from twisted_ovsdb import Disconnected, OvsdbMonitorFactory, OvsdbMonitorService, Synchronized


class ServerTests(OutageTestCase):
    """
    Tests that the monitor finds a server again, in whatever way it was lost.
    """

    async def test_usualDelays(self) -> None:
        """
        The server is also found again with the default delays between attempts.
        """
        await self.begin(maxDelay=8.0)
        await self.killServer()
        await self.startServer()
        await self.assertResync(replayed=set(KINDS))

    async def test_twoOutages(self) -> None:
        """
        Each of two outages is told with its own Disconnected and Synchronized.
        """
        await self.begin()
        for _ in range(2):
            await self.killServer()
            await self.startServer()
            await self.assertResync(replayed=set(KINDS))

    async def test_gracefulExit(self) -> None:
        """
        A graceful exit of the server and a start are told like any other
        outage.
        """
        await self.begin()
        await deferToThread(self.ovs.exit, "ovsdb-server")
        await self.changeHidden("del-port tap2")
        await self.startServer()
        await self.assertResync(("offline", "vm", "tap2", "resync"), replayed=set(KINDS) - {"tap2"})

    async def test_reconnectCommand(self) -> None:
        """
        When the server closes all its connections, the monitor connects again.
        """
        await self.begin()
        await self.appctl("ovsdb-server/reconnect")
        await self.assertResync(replayed=set(KINDS))

    async def test_databaseEmptied(self) -> None:
        """
        When an empty database replaces the old one, all interfaces are offline.
        """
        await self.begin()
        await self.killServer()
        await deferToThread(self.ovs.createDatabase)
        await self.startServer()
        events = await self.observer.untilSynchronized()
        self.assertCountEqual(
            summaries(events[1:-1]), [("offline", kind, n, "resync") for n, kind in KINDS.items()]
        )
        assert isinstance(events[-1], Synchronized)
        self.assertEqual(events[-1].interfaces, ())
        await self.assertFoldEqualsTable()

    async def test_databaseRebuilt(self) -> None:
        """
        Interfaces with the same names in a new database are other interfaces.
        All old ones are offline, then all new ones are online, and none is
        replayed.
        """
        await self.begin()
        await self.killServer()
        await deferToThread(self.ovs.createDatabase)
        await self.changeHidden(f"init -- {SCENE}")
        await self.startServer()
        _, *told, _ = await self.observer.untilSynchronized()
        gone, new = summaries(told[: len(KINDS)]), summaries(told[len(KINDS) :])
        self.assertCountEqual(gone, [("offline", k, n, "resync") for n, k in KINDS.items()])
        self.assertCountEqual(new, [("online", k, n, "resync") for n, k in SCENE_KINDS.items()])
        await self.assertFoldEqualsTable()

    async def test_serverAppears(self) -> None:
        """
        The monitor waits for a server that does not run yet, and logs one
        warning.
        """
        await self.vsctl(SCENE)
        await self.killServer()
        self.watch(maxDelay=SOON)
        (warning,) = await self.log.takeSome(1)
        self.assertIn(f"warn: unix:{self.ovs.unix}: ", warning)
        self.assertNotIn("set-manager", warning)
        self.assertEqual(self.observer.take(), [])
        await self.startServer()
        events = await self.observer.untilSynchronized()
        self.assertEqual(len(events), len(SCENE_KINDS) + 1)
        self.assertEqual(summaries(events[-1:]), [("synchronized", "initial")])
        (back,) = await self.log.takeSome(1)
        self.assertIn("in sync after", back)
        await self.assertFoldEqualsTable()

    async def test_unknownDatabase(self) -> None:
        """
        A database that the server does not have is a warning with the server's
        reason. The monitor keeps trying, and observers are told nothing.
        """
        factory = self.watch(maxDelay=SOON, database="Closed_vSwitch")
        (warning,) = await self.log.takeSome(1)
        self.assertIn("warn: ", warning)
        self.assertIn("unknown database", warning)
        self.assertIn("trying again", warning)
        # The next attempt uses the right name.
        factory.database = "Open_vSwitch"
        events = await self.observer.untilSynchronized()
        self.assertEqual(summaries(events), [("synchronized", "initial")])
        await self.assertFoldEqualsTable()

    async def test_stoppedAndStarted(self) -> None:
        """
        A service that is stopped and started again tells what has changed
        meanwhile.
        """
        await self.vsctl(f"{SCENE} -- {TAP2}")
        endpoint = clientFromString(reactor, f"unix:{self.ovs.unix}")
        service = OvsdbMonitorService(endpoint, OvsdbMonitorFactory([self.observer]))
        service.startService()
        self.addCleanup(service.stopService)
        await self.observer.untilSynchronized()
        await service.stopService()
        (disconnected,) = self.observer.take()
        assert isinstance(disconnected, Disconnected)
        self.assertEqual(str(disconnected.reason), "stopped")
        await self.vsctl("del-port tap2")
        self.assertEqual(self.observer.take(), [])
        service.startService()
        events = await self.observer.untilSynchronized()
        self.assertEqual(summaries(events[:1]), [("offline", "vm", "tap2", "resync")])
        self.assertCountEqual(
            summaries(events[1:-1]),
            [("online", kind, name, "replay") for name, kind in SCENE_KINDS.items()],
        )
        self.assertEqual(summaries(events[-1:]), [("synchronized", "resync")])
        await self.assertFoldEqualsTable()

    async def test_lateObserver(self) -> None:
        """
        An observer that is added while the monitor is in sync is first told
        all interfaces. The other observers are not told them again. Then all
        observers are told the same.
        """
        factory = await self.begin()
        late = RecordingObserver()
        factory.addObserver(late)
        self.assertEqual(late.everything, [])
        *online, _ = await late.untilSynchronized()
        self.assertCountEqual(
            summaries(online),
            [("online", k, n, "initial") for n, k in KINDS.items()],
        )
        self.assertEqual(self.observer.take(), [])
        await self.vsctl("del-port tap2")
        for observer in (self.observer, late):
            events = await observer.takeSome(1)
            self.assertEqual(summaries(events), [("offline", "vm", "tap2", "update")])
            await self.assertFoldEqualsTable(observer)
