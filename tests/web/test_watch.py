# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.web.watch}, L{twisted_ovsdb.web.unready},
L{twisted_ovsdb.web.counted} and L{twisted_ovsdb.web.lag}: what is counted.
"""

from __future__ import annotations

import random

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observers.values import SOURCE, interface
from tests.web.webcase import configure
from twisted_ovsdb import Cause, InterfaceOnline, Synchronized
from twisted_ovsdb.events import Event
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import countKinds
from twisted_ovsdb.testing import MemoryServer, connectedFactory
from twisted_ovsdb.web import unready
from twisted_ovsdb.web.counted import CountedObserver
from twisted_ovsdb.web.lag import PERIOD, Lag
from twisted_ovsdb.web.watch import Watch

ONLINE = InterfaceOnline(interface(), Cause.UPDATE, SOURCE)


class WatchTests(SynchronousTestCase):
    """
    The observer of a switch in memory.
    """

    def setUp(self) -> None:
        self.server = MemoryServer()
        clock = self.server.clock
        self.watch = Watch("run", lambda: 1_800_000_000 + clock.seconds(), clock.seconds)
        self.factory = connectedFactory(
            self.server, self.watch, source="sw1", bridges=True, problemsAfter=30.0
        )
        self.server.addBridge("br-int")

    def test_interface(self) -> None:
        """
        It is an observer.
        """
        verifyObject(IOvsdbEventObserver, self.watch)

    def test_counts(self) -> None:
        """
        Whatever happens, the counts are those of the monitor.
        """
        choose = random.Random(17)
        ports: list[str] = []
        for number in range(200):
            action = choose.randrange(6)
            if action == 0 and ports:
                self.server.deletePort(ports.pop(choose.randrange(len(ports))))
            elif action == 1:
                self.server.restart()
                self.server.advance(10)
            elif action == 2 and ports:
                self.server.assignOfport(choose.choice(ports))
            else:
                ports.append(f"tap{number}")
                self.server.addPort("br-int", ports[-1], iface_id=f"vm-{number}")
            seen = self.watch.seen("sw1", "sw1")
            self.assertTrue(seen.inSync)
            self.assertEqual(seen.counts, countKinds(self.factory.interfaces()))
        self.assertGreater(self.watch.events["online", "vm", "replay"], 0)

    def test_states(self) -> None:
        """
        It is known since when a switch is in sync, or is not, and why.
        """
        seen = self.watch.seen("sw1", "sw1")
        at = 1_800_000_000
        self.assertEqual((seen.inSync, seen.since), (True, at))
        self.server.advance(7)
        self.server.kill()
        self.assertEqual((seen.inSync, seen.since), (False, 1_800_000_007))
        assert seen.reason is not None
        self.assertIn("closed", seen.reason)
        self.factory.replayTo(self.watch)
        self.server.start()
        self.server.advance(10)
        self.assertTrue(seen.inSync)
        since = seen.since
        self.factory.replayTo(self.watch)
        self.server.advance(5)
        self.assertEqual(seen.since, since)

    def test_problems(self) -> None:
        """
        The problems of a switch are counted by name, from found to solved; in an outage
        there are none. A problem of the switch itself is known by name.
        """
        seen = self.watch.seen("sw1", "sw1")
        self.server.addPort("br-int", "eth7", type="nonsense", ofport=-1, error="unknown type")
        self.server.addPort("br-int", "eth8", type="nonsense", ofport=-1, error="unknown type")
        configure(self.server, 2, 1)
        self.server.advance(30)
        self.assertEqual(seen.problems, {"failed": 2, "not-applying": 1})
        [own] = seen.ownProblems
        self.assertEqual(own.detail, "cur_cfg 1 is behind next_cfg 2")
        self.assertEqual(self.watch.events["problem", "", ""], 3)
        self.server.deletePort("eth7")
        self.assertEqual(seen.problems, {"failed": 1, "not-applying": 1})
        self.server.kill()
        self.assertEqual((seen.problems, seen.ownProblems), ({}, ()))
        self.server.start()
        self.server.advance(10)
        self.assertEqual(seen.problems, {"failed": 1, "not-applying": 1})
        configure(self.server, 2, 2)
        self.server.deletePort("eth8")
        self.server.advance(30)
        self.assertEqual((seen.problems, seen.ownProblems), ({}, ()))

    def test_forget(self) -> None:
        """
        Switches that are no longer there are forgotten.
        """
        self.watch.eventReceived(Synchronized(Cause.INITIAL, (), "other"))
        self.watch.keep({("sw1", "sw1")})
        self.assertEqual(list(self.watch._seen), [("sw1", "sw1")])

    def test_timeToReady(self) -> None:
        """
        The time from a port's online to its OpenFlow port is measured if both were
        seen.
        """
        times = self.watch.unready
        before = sum(times.counts)
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.advance(0.03)
        self.server.assignOfport("tap1")
        self.assertEqual(sum(times.counts), before + 1)
        self.assertAlmostEqual(times.total, 0.03)
        self.assertEqual(times.counts[unready.BUCKETS.index(0.05)], 1)
        self.server.addPort("br-int", "tap2", iface_id="vm-2")
        self.server.restart()
        self.server.advance(10)
        self.server.assignOfport("tap2")
        self.assertEqual(sum(times.counts), before + 1)
        self.server.addPort("br-int", "tap3", iface_id="vm-3")
        self.server.deletePort("tap3")
        self.assertEqual((times._count, times._began), (0, {}))

    def test_bound(self) -> None:
        """
        Of more ports without an OpenFlow port than there can be, the others have no
        time.
        """
        times = unready.Unready()
        for number in range(unready.KNOWN + 10):
            row = interface(uuid=f"u{number}")
            times.note(InterfaceOnline(row, Cause.UPDATE, SOURCE), 0)
        self.assertEqual(len(times._began[SOURCE]), unready.KNOWN)


class CountedTests(SynchronousTestCase):
    """
    Another observer.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.result: object = None
        self.counted = CountedObserver(self, "other", self.clock.seconds)  # type: ignore[arg-type]

    def eventReceived(self, event: Event) -> object:
        """
        See L{IOvsdbEventObserver}.
        """
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def test_failures(self) -> None:
        """
        A failure is counted, at once or later, and stays a failure.
        """
        self.result = ValueError()
        self.assertRaises(ValueError, self.counted.eventReceived, ONLINE)
        self.result = Deferred()
        told = self.counted.eventReceived(ONLINE)
        self.result.errback(KeyError())
        assert isinstance(told, Deferred)
        self.failureResultOf(told, KeyError)
        self.assertEqual(self.counted.failures, 2)

    def test_busy(self) -> None:
        """
        It is known how long an observer is busy.
        """
        self.assertEqual(self.counted.busyFor, 0)
        first: Deferred[None] = Deferred()
        self.result = first
        self.counted.eventReceived(ONLINE)
        self.clock.advance(2)
        second: Deferred[None] = Deferred()
        self.result = second
        self.counted.eventReceived(ONLINE)
        self.clock.advance(1)
        self.assertEqual(self.counted.busyFor, 3)
        first.callback(None)
        self.assertEqual(self.counted.busyFor, 1)
        second.callback(None)
        self.assertEqual(self.counted.busyFor, 0)

    def test_others(self) -> None:
        """
        A coroutine is waited for, and what is no result is passed on.
        """
        done: Deferred[int] = Deferred()

        async def wait() -> None:
            await done

        self.result = wait()
        told = self.counted.eventReceived(ONLINE)
        self.clock.advance(1)
        self.assertEqual(self.counted.busyFor, 1)
        done.callback(1)
        assert isinstance(told, Deferred)
        self.successResultOf(told)
        self.result = 5
        self.assertEqual(self.counted.eventReceived(ONLINE), 5)


class LagTests(SynchronousTestCase):
    """
    A reactor that is late.
    """

    def test_lag(self) -> None:
        """
        The greatest lag is shown for 30 to 60 s.
        """
        clock = Clock()
        late = [0.0]
        lag = Lag(clock, lambda: clock.seconds() + late[0])
        lag.start()
        clock.pump([0.1] * 10)
        self.assertAlmostEqual(lag.seconds, 0)
        late[0] = 0.25
        clock.advance(0.1)
        self.assertAlmostEqual(lag.seconds, 0.25)
        clock.pump([0.1] * int(PERIOD * 10))
        self.assertAlmostEqual(lag.seconds, 0.25)
        clock.pump([0.1] * int(PERIOD * 10))
        self.assertAlmostEqual(lag.seconds, 0)
        lag.stop()
        self.assertEqual(clock.getDelayedCalls(), [])
