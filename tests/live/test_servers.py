# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The ways in which a server goes, is there or is not, beside kill -9; and who
comes late.
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
    One server, found again however it went.
    """

    async def test_usualDelays(self) -> None:
        """
        With the usual delays between attempts, too, the server is found
        again.
        """
        await self.begin(maxDelay=8.0)
        await self.killServer()
        await self.startServer()
        await self.assertResync(replayed=set(KINDS))

    async def test_twoOutages(self) -> None:
        """
        Each outage has its own bracket.
        """
        await self.begin()
        for _ in range(2):
            await self.killServer()
            await self.startServer()
            await self.assertResync(replayed=set(KINDS))

    async def test_gracefulExit(self) -> None:
        """
        A server that is stopped and started in good order is no other case.
        """
        await self.begin()
        await deferToThread(self.ovs.exit, "ovsdb-server")
        await self.changeHidden("del-port tap2")
        await self.startServer()
        await self.assertResync(("offline", "vm", "tap2", "resync"), replayed=set(KINDS) - {"tap2"})

    async def test_reconnectCommand(self) -> None:
        """
        A server that sends its clients away is connected to again.
        """
        await self.begin()
        await self.appctl("ovsdb-server/reconnect")
        await self.assertResync(replayed=set(KINDS))

    async def test_databaseEmptied(self) -> None:
        """
        Where the database is replaced by an empty one, all is offline.
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
        The same names in a new database are other interfaces: all that was is
        offline, then all that is is online, and nothing is a replay.
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
        A server that is not there yet is waited for, after one warning.
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
        A database that the server does not have is a warning with the
        server's reason; the monitor keeps trying, and observers hear nothing.
        """
        factory = self.watch(maxDelay=SOON, database="Closed_vSwitch")
        (warning,) = await self.log.takeSome(1)
        self.assertIn("warn: ", warning)
        self.assertIn("unknown database", warning)
        self.assertIn("trying again", warning)
        # It tries again, with the right name as soon as it has one.
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
        An observer that is added while in sync first gets what exists, which
        the others do not hear again; then all get the same.
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
