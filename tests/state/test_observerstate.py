# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.observerstate}, L{twisted_ovsdb.state.storelife} and
L{twisted_ovsdb.state.remembering}.
"""

from __future__ import annotations

import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from tests.fakes.disk import DiskReactor, FakeThread
from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.observers import Busy, Recorder, summaries
from tests.fakes.rows import vm, vmRow
from tests.state.test_store import online
from twisted_ovsdb import ObserverState, StateRefused, onlyKinds, withoutReplays
from twisted_ovsdb.events import (
    Cause,
    ForgetReason,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    SwitchForgotten,
    SwitchIdentity,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.state.database import FILE
from twisted_ovsdb.state.sink import INTERVAL, RETRY
from twisted_ovsdb.state.store import Store


class FakeState(ObserverState):
    """
    A state whose thread runs when the test says so.
    """

    threadFactory = FakeThread


def noSpace(*arguments: Any) -> None:
    """
    The disk is full.
    """
    raise OSError(28, "No space left on device")


class StateTestCase(MonitorTestCase):
    """
    A monitor, and a state that its observer is remembered in.
    """

    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.reactor = DiskReactor()
        self.addCleanup(self.crash)
        self.begin()

    def begin(self, observer: Any = None, wrap: Any = lambda o: o, **options: Any) -> None:
        """
        A process begins.
        """
        self.state = FakeState(self.folder, self.reactor)
        self.observer = Recorder() if observer is None else observer
        remembered = self.state.remember("flows", wrap(self.observer))
        self.remembered = remembered
        self.clock = self.reactor
        self.monitor = self.makeMonitor([remembered], **options)

    def crash(self) -> None:
        """
        The process is killed: what is not committed is lost.
        """
        for thread in self.reactor.threads:
            thread.waiting.clear()
        if self.state._life.store is not None:
            self.state._life.store.close()
            self.state._life.store = None
        for call in tuple(self.reactor.getDelayedCalls()):
            call.cancel()
        self.reactor.threads.clear()
        self.reactor.triggers.clear()

    def work(self, seconds: float = INTERVAL) -> None:
        """
        Time passes, and the thread works.
        """
        self.reactor.work()
        self.reactor.advance(seconds)
        self.reactor.work()

    def take(self) -> list[tuple[str, ...]]:
        """
        What the observer was told.
        """
        self.reactor.work()
        return self.observer.take()


class RestartTests(StateTestCase):
    """
    What an observer is told after the end of the process.
    """

    def test_restart(self) -> None:
        """
        After a crash the observer is told what is different: what has vanished,
        what has changed, what is new, and the rest once more.
        """
        self.assertFalse(self.folder.exists())
        self.synchronize({n: vmRow(f"tap{n}") for n in (1, 2, 3)})
        self.assertEqual(self.observer.events, [])
        self.assertEqual(self.take()[-1], ("synchronized", "initial"))
        self.update({2: {"new": vmRow("tap2", ofport=2), "old": {"ofport": ["set", []]}}})
        self.work()
        self.crash()
        self.begin()
        self.synchronize({2: vmRow("tap2", ofport=3), 3: vmRow("tap3"), 4: vmRow("tap4")})
        self.reactor.work()
        offline, changed = self.observer.events[:2]
        assert isinstance(offline, InterfaceOffline) and isinstance(changed, InterfaceChanged)
        self.assertEqual(offline.interface, vm(1))
        self.assertEqual(changed.previous, vm(2, ofport=2))
        self.assertEqual(
            self.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap4", "resync"),
                ("online", "vm", "tap3", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_killed(self) -> None:
        """
        What was told after the last commit counts too: it is not told again, and what
        is gone by the next start is told offline.
        """
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(len(self.take()), 2)
        for gone in (1, 2):
            now = gone + 1
            self.update({gone: {"old": vmRow(f"tap{gone}")}, now: {"new": vmRow(f"tap{now}")}})
            self.assertEqual(len(self.take()), 2)
            self.crash()
            self.begin()
            self.synchronize({})
            self.assertEqual(
                self.take(),
                [("offline", "vm", f"tap{now}", "resync"), ("synchronized", "resync")],
            )
            self.update({2: {"new": vmRow("tap2")}})
            self.take()

    def test_killedWhileTelling(self) -> None:
        """
        Of an interface that is being told online when the process is killed, nobody
        knows whether the observer has heard: it is told online again, and then offline
        if it is gone. The observer is told nothing else meanwhile.
        """
        busy = Busy()
        self.begin(busy)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2"), 3: vmRow("tap3")})
        self.work()
        busy.free()
        self.work()
        self.work()
        told = summaries(busy.events)
        self.assertEqual([name for _, _, name, _ in told], ["tap1", "tap2"])
        self.crash()
        busy = Busy()
        self.begin(busy)
        self.synchronize({1: vmRow("tap1"), 3: vmRow("tap3")})
        self.work()
        self.assertEqual(summaries(busy.events), [("online", "vm", "tap2", "resync")])
        busy.freeAll()
        self.work()
        busy.freeAll()
        self.assertEqual(
            summaries(busy.events[1:]),
            [
                ("offline", "vm", "tap2", "resync"),
                ("online", "vm", "tap3", "resync"),
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_powerLost(self) -> None:
        """
        If the computer loses what it had not written to the disk, what was told in the
        last moments is told again, and never left out.
        """
        self.synchronize({1: vmRow("tap1")})
        self.work()
        (journal,) = self.folder.glob("*.jsonl")
        size = journal.stat().st_size
        self.update({1: {"old": vmRow("tap1")}, 2: {"new": vmRow("tap2")}})
        self.assertEqual(len(self.take()), 4)
        self.crash()
        os.truncate(journal, size // 2)
        self.begin()
        self.synchronize({2: vmRow("tap2")})
        self.assertEqual(
            self.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap2", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_inTime(self) -> None:
        """
        An event is given to the thread for the disk within a tenth of a second.
        """
        self.synchronize({1: vmRow("tap1")})
        self.work()
        self.update({2: {"new": vmRow("tap2")}})
        self.reactor.advance(INTERVAL)
        self.reactor.work()
        store = self.state._life.store
        assert store is not None
        self.assertEqual(store.told("flows", "tcp:test"), [vm(1), vm(2)])

    def test_endOfReactor(self) -> None:
        """
        When the reactor stops, what was told is committed, and another process may
        use the folder.
        """
        self.synchronize({1: vmRow("tap1")})
        self.reactor.work()
        self.monitor.detach()
        (trigger,) = self.reactor.triggers
        # It calls nothing after this.
        self.assertIsNone(trigger())
        store = Store(self.folder, "now")
        self.assertEqual(store.told("flows", "tcp:test"), [vm(1)])
        store.close()
        self.assertEqual([thread.running for thread in self.reactor.threads], [False])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_endWhileOpening(self) -> None:
        """
        The same when the reactor stops while the store is being opened.
        """
        opened = self.state.open()
        (trigger,) = self.reactor.triggers
        trigger()
        self.assertEqual([thread.running for thread in self.reactor.threads], [False])
        self.successResultOf(opened)
        Store(self.folder, "now").close()

    def test_endWhileFull(self) -> None:
        """
        When the reactor stops while a commit is tried again, nothing is committed that
        came after it.
        """
        self.synchronize({1: vmRow("tap1")})
        self.work()
        patched = self.patch(Store, "_written", noSpace)
        with capturedLogs():
            self.update({2: {"new": vmRow("tap2")}})
            self.work()
        patched.restore()
        self.update({3: {"new": vmRow("tap3")}})
        self.reactor.triggers[0]()
        store = Store(self.folder, "now")
        self.assertEqual(store.told("flows", "tcp:test"), [vm(1)])
        store.close()

    def test_endFails(self) -> None:
        """
        If what was told last cannot be committed when the reactor stops, one error
        says so.
        """
        self.synchronize({1: vmRow("tap1")})
        self.reactor.work()
        self.patch(Store, "_written", noSpace)
        with capturedLogs() as logs:
            self.reactor.triggers[0]()
        self.assertEqual([log["reason"] for log in logs], ["No space left on device"])
        Store(self.folder, "now").close()

    def test_closeAndOpen(self) -> None:
        """
        What is told while the store is closed is committed when it is opened again.
        What came and went meanwhile takes no memory.
        """
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.work()
        closed = self.state.close()
        self.update({3: {"new": vmRow("tap3")}})
        self.work()
        self.successResultOf(closed)
        Store(self.folder, "now").close()
        self.update({1: {"old": vmRow("tap1")}, 4: {"new": vmRow("tap4")}})
        for n in range(10, 60):
            self.update({n: {"new": vmRow("tap")}})
            self.update({n: {"old": vmRow("tap")}})
        meanwhile = self.state._recorders["flows"].meanwhile
        assert meanwhile is not None
        self.assertEqual(len(meanwhile.batch.switches["tcp:test"].rows), 3)
        self.assertEqual(len(meanwhile._new), 2)
        self.state.open()
        self.work()
        self.update({5: {"new": vmRow("tap5")}})
        self.work()
        self.crash()
        store = Store(self.folder, "now")
        self.assertEqual(store.told("flows", "tcp:test"), [vm(2), vm(3), vm(4), vm(5)])
        store.close()

    def test_closeWhileTelling(self) -> None:
        """
        An event that is being told while the store is closed, or opened again, counts
        when it has been told.
        """
        busy = Busy()
        self.begin(busy)
        self.synchronize({n: vmRow(f"tap{n}") for n in (1, 2, 3)})
        self.reactor.work()
        self.state.close()
        self.work()
        busy.free()
        self.state.open()
        self.work()
        busy.free()
        self.work()
        self.crash()
        store = Store(self.folder, "now")
        self.assertEqual(store.told("flows", "tcp:test"), [vm(1), vm(2)])
        store.close()

    def test_order(self) -> None:
        """
        C{open} and C{close} are done in their order, also if the first of them is
        still under way, or nobody waits for it any more.
        """
        self.state.open().addErrback(lambda _: None).cancel()
        opened = self.state.open()
        closed = self.state.close()
        self.assertNoResult(closed)
        self.reactor.work()
        self.successResultOf(opened)
        self.successResultOf(closed)
        Store(self.folder, "now").close()
        self.successResultOf(self.state.close())
        self.state.open()
        self.reactor.work()
        closed, again, opened = self.state.close(), self.state.close(), self.state.open()
        self.reactor.work()
        for each in (closed, again, opened, self.state.open()):
            self.successResultOf(each)
        with self.assertRaises(StateRefused):
            Store(self.folder, "now")
        self.assertEqual(len(self.reactor.triggers), 1)
        # It is opened again by a callback of the close.
        closed = self.state.close().addCallback(lambda _: self.state.open())
        self.reactor.work()
        self.successResultOf(closed)
        self.assertEqual(len(self.reactor.triggers), 1)

    def test_closeFails(self) -> None:
        """
        An error while the store is closed is logged, and the state may be opened again.
        """

        def fail(store: Store) -> None:
            os.close(store._lock)
            raise ZeroDivisionError

        self.state.open()
        self.reactor.work()
        for end in (self.state.close, self.reactor.triggers[0]):
            patched = self.patch(Store, "close", fail)
            end()
            self.reactor.work()
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
            patched.restore()
            opened = self.state.open()
            self.reactor.work()
            self.successResultOf(opened)

    def test_endWhileRefused(self) -> None:
        """
        The reactor stops while the store is refused: there is nothing to close.
        """
        other = Store(self.folder, "now")
        opened = self.state.open()
        self.reactor.triggers[0]()
        self.failureResultOf(opened, StateRefused)
        other.close()

    def test_closedAndForgotten(self) -> None:
        """
        A switch that is forgotten while the store is closed is not there after it was
        opened again, and what is asked for while it is closed is not known.
        """
        self.synchronize({1: vmRow("tap1")})
        self.work()
        self.state.close()
        self.work()
        self.lose()
        self.assertIsNone(self.successResultOf(self.state._recall("flows", "tcp:test")))
        self.remembered.eventReceived(SwitchForgotten(ForgetReason.AGE, "tcp:test"))
        self.state.open()
        self.work()
        store = self.state._life.store
        assert store is not None
        self.assertIsNone(store.told("flows", "tcp:test"))

    def test_views(self) -> None:
        """
        Views may stand before or behind what remembers: what they hide was not
        told. Another view later is a difference.
        """
        tunnel = {**vmRow("t"), "type": "vxlan", "options": ["map", [["remote_ip", "1.2.3.4"]]]}
        tunnel["external_ids"] = ["map", []]
        self.begin(wrap=lambda o: onlyKinds(o, "vm"))
        self.synchronize({1: vmRow("tap1"), 2: tunnel})
        self.assertEqual(len(self.take()), 2)
        self.work()
        self.crash()
        self.begin(wrap=lambda o: withoutReplays(onlyKinds(o, "vm", "tunnel")))
        self.synchronize({1: vmRow("tap1"), 2: tunnel})
        self.assertEqual(
            self.take(), [("online", "tunnel", "t", "resync"), ("synchronized", "resync")]
        )
        self.work()
        self.crash()
        self.begin()
        self.monitor = self.makeMonitor([onlyKinds(self.remembered, "tunnel")])
        self.synchronize({1: vmRow("tap1"), 2: tunnel})
        self.assertEqual(
            self.take()[:2],
            [("offline", "vm", "tap1", "resync"), ("online", "tunnel", "t", "replay")],
        )

    def test_again(self) -> None:
        """
        An observer that was removed goes on from what it was told when it is added
        again.
        """
        self.synchronize({1: vmRow("tap1")})
        self.take()
        self.monitor.removeObserver(self.remembered)
        self.update({1: {"old": vmRow("tap1")}})
        self.monitor.addObserver(self.remembered)
        self.reactor.advance(0)
        self.assertEqual(
            self.take(), [("offline", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )

    def test_againWhileCommitting(self) -> None:
        """
        The same while what it was told is being committed, and the disk is full.
        """
        self.synchronize({1: vmRow("tap1")})
        self.take()

        patched = self.patch(Store, "commit", noSpace)
        with capturedLogs():
            self.work()
            self.monitor.removeObserver(self.remembered)
            self.update({1: {"old": vmRow("tap1")}})
            self.monitor.addObserver(self.remembered)
            self.reactor.advance(0)
            self.assertEqual(self.take(), [])
            patched.restore()
            self.work(RETRY)
        self.assertEqual(
            self.take(), [("offline", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )

    def test_names(self) -> None:
        """
        Several observers, and several monitors, are kept apart.
        """
        other = Recorder()
        second = self.state.remember("other", other)
        self.monitor.addObserver(second)
        self.synchronize({1: vmRow("tap1")})
        self.work()
        self.crash()
        self.begin()
        second = self.state.remember("third", other)
        self.monitor.addObserver(second)
        other.take()
        self.synchronize({})
        self.assertEqual(
            self.take(), [("offline", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )
        self.assertEqual(other.take(), [("synchronized", "initial")])


class ToldTests(StateTestCase):
    """
    When an event counts as told.
    """

    def told(self) -> Any:
        """
        What was committed.
        """
        self.work()
        store = self.state._life.store
        assert store is not None
        return store.told("flows", "tcp:test")

    def test_busy(self) -> None:
        """
        An event counts when the Deferred of the observer has fired.
        """
        busy = Busy()
        self.begin(busy)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.reactor.work()
        self.assertIsNone(self.told())
        busy.free()
        self.assertEqual(self.told(), [vm(1)])
        busy.freeAll()
        self.assertEqual(self.told(), [vm(1), vm(2)])

    def test_removedWhileBusy(self) -> None:
        """
        An event that is cancelled because the observer is removed does not count.
        """
        self.begin(Busy())
        self.synchronize({1: vmRow("tap1")})
        self.reactor.work()
        self.monitor.removeObserver(self.remembered)
        self.assertIsNone(self.told())

    def test_failures(self) -> None:
        """
        An event counts also if the observer fails: it is not told again.
        """

        def fail(event: Any) -> Any:
            raise ZeroDivisionError

        async def failLater(event: Any) -> None:
            raise ZeroDivisionError

        for function in (fail, failLater, lambda event: 5):
            self.crash()
            observer: Any = Recorder()
            observer.eventReceived = function
            self.begin(observer)
            self.synchronize({1: vmRow("tap1")})
            self.reactor.work()
            self.assertEqual(self.told(), [vm(1)])
            # Of the interface, and of Synchronized.
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, TypeError)), 2)

    def test_otherSwitch(self) -> None:
        """
        If another switch is behind the endpoint than in an earlier life, everything
        that was told of that one goes offline, under its key, and then the other
        one is told.
        """
        store = Store(self.folder, "now")
        batch = online(vm(1), vm(2))
        batch.switches["old"] = batch.switches.pop("tcp:a")
        batch.switches["old"].source = "tcp:test"
        store.commit("flows", batch)
        store.close()
        self.synchronize({3: vmRow("tap3")})
        self.reactor.work()
        events = self.observer.events
        self.assertEqual([e.switch for e in events], ["old", "old", "tcp:test", "tcp:test"])
        self.assertEqual(
            self.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("offline", "vm", "tap2", "resync"),
                ("online", "vm", "tap3", "initial"),
                ("synchronized", "initial"),
            ],
        )
        self.work()
        found = self.state._life.store
        assert found is not None
        self.assertIsNone(found.told("flows", "old"))
        self.assertEqual(found.told("flows", "tcp:test"), [vm(3)])

    def test_identityChanges(self) -> None:
        """
        A switch that becomes another one in this life has told everything offline
        itself: it is dropped without a word.
        """
        self.synchronize({})
        self.reactor.work()
        receive: Any = self.monitor._audience.deliveries[0].observer.eventReceived
        a, b = SwitchIdentity("A"), SwitchIdentity("B")
        receive(InterfaceOnline(vm(1), Cause.UPDATE, "tcp:x", identity=a))
        receive(InterfaceOffline(vm(1), Cause.RESYNC, "tcp:x", identity=a))
        self.observer.take()
        receive(InterfaceOnline(vm(2), Cause.RESYNC, "tcp:x", identity=b))
        self.assertEqual(self.take(), [("online", "vm", "tap2", "resync")])
        self.work()
        store = self.state._life.store
        assert store is not None
        self.assertEqual(store.told("flows", "B"), [vm(2)])
        self.assertIsNone(store.told("flows", "A"))


class FaultTests(StateTestCase):
    """
    What can go wrong.
    """

    def lines(self, logs: Any) -> list[str]:
        """
        The lines of the log.
        """
        return [log["log_format"].format(**log) for log in logs]

    def test_F92_inUse(self) -> None:
        """
        While another process uses the folder, observers are told everything as
        INITIAL, and one line says that nothing is kept.
        """
        store = Store(self.folder, "now")
        self.addCleanup(store.close)
        with capturedLogs() as logs:
            self.synchronize({1: vmRow("tap1")})
            self.assertEqual(self.take()[-1], ("synchronized", "initial"))
            self.work()
        (line,) = self.lines(logs)
        self.assertIn(": another process uses it; observers are told everything as", line)
        self.assertNotIn("cannot be used", line)
        opened = self.state.open()
        self.reactor.work()
        self.failureResultOf(opened, StateRefused)
        self.assertEqual(self.reactor.triggers, [])

    def test_noJournal(self) -> None:
        """
        If the file for the last moments cannot be opened, one line says what that
        means, and what is committed counts as ever.
        """
        self.folder.mkdir()
        (self.folder / f"told-{sha256(b'flows').hexdigest()[:16]}.jsonl").mkdir()
        with capturedLogs() as logs:
            self.synchronize({1: vmRow("tap1")})
            self.take()
        (line,) = self.lines(logs)
        self.assertIn("what observer flows is told in the last moments before a crash may", line)
        self.work()
        self.crash()
        self.begin()
        self.synchronize({})
        self.assertEqual(self.take()[0], ("offline", "vm", "tap1", "resync"))

    def test_F90_damaged(self) -> None:
        """
        A damaged database is moved aside with a warning, and the next snapshot is
        INITIAL.
        """
        self.folder.mkdir()
        (self.folder / FILE).write_bytes(b"x" * 1000)
        with capturedLogs() as logs:
            self.synchronize({1: vmRow("tap1")})
            self.assertEqual(self.take()[-1], ("synchronized", "initial"))
        (line,) = self.lines(logs)
        self.assertIn("is damaged: it is now", line)
        self.assertTrue(any(".corrupt-" in name for name in os.listdir(self.folder)))
        self.work()
        self.crash()
        self.begin()
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(self.take()[-1], ("synchronized", "resync"))

    def test_F90_damagedLater(self) -> None:
        """
        If the damage shows while the database is used, the log says that nothing is
        kept from now on, and it is moved aside for the next process.
        """
        self.synchronize({1: vmRow("tap1")})
        self.take()
        self.work()
        store = self.state._life.store
        assert store is not None
        store._connection.execute("DROP TABLE told")
        self.update({2: {"new": vmRow("tap2")}})
        with capturedLogs() as logs:
            self.work()
        (line,) = self.lines(logs)
        self.assertIn("no such table", line)
        self.update({2: {"old": vmRow("tap2")}})
        self.work()
        self.assertEqual(len(self.take()), 2)
        self.crash()
        self.begin()
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(self.take()[-1], ("synchronized", "initial"))

    def test_F93_full(self) -> None:
        """
        On a full disk one line says so, and one that there is room again.
        """
        self.synchronize({1: vmRow("tap1")})
        self.take()
        self.work()
        store = self.state._life.store
        assert store is not None
        connection = store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with capturedLogs() as logs:
            self.update({n: {"new": vmRow(f"tap{n}", "x" * 200)} for n in range(2, 100)})
            self.work()
            self.work(5)
            connection.execute("PRAGMA max_page_count = 10000")
            self.work(5)
        full, again = self.lines(logs)
        self.assertIn("database or disk is full; trying again", full)
        self.assertIn("there is room again", again)
        self.assertEqual(len(store.told("flows", "tcp:test") or ()), 99)

    def test_mistakes(self) -> None:
        """
        A wrong value raises where it is made.
        """
        folder: Any = 5
        self.assertRaises(TypeError, ObserverState, folder)
        name: Any = 5
        self.assertRaises(TypeError, self.state.remember, name, Recorder())
        self.assertRaises(TypeError, self.state.remember, "x", object())
        self.assertRaises(ValueError, self.state.remember, "", Recorder())
        self.assertRaises(ValueError, self.state.remember, "flows", Recorder())
        with self.assertRaisesRegex(ValueError, "told= is given too"):
            self.monitor.addObserver(self.state.remember("x", Recorder()), told=[])

    def test_interface(self) -> None:
        """
        What remembers is an observer.
        """
        verifyObject(IOvsdbEventObserver, self.remembered)
        self.assertIn("Recorder", repr(self.remembered))
        self.assertIn("flows", repr(ObserverState("/var/lib/flows")))
        self.assertIsNone(self.remembered.eventReceived(InterfaceOnline(vm(1), Cause.UPDATE, "s")))


class ThreadTests(TestCase):
    """
    The real thread.
    """

    async def test_realThread(self) -> None:
        """
        With the real reactor, the store is used in a thread, and everything is
        closed at the end.
        """
        folder = Path(self.mktemp())
        state = ObserverState(folder, reactor)
        observer = Recorder()
        remembered: Any = state.remember("x", observer)
        self.assertIsNone(await remembered.told("tcp:a"))
        remembered.eventReceived(InterfaceOnline(vm(1), Cause.INITIAL, "tcp:a"))
        await state.close()
        other = ObserverState(folder, reactor)
        again: Any = other.remember("x", observer)
        self.assertEqual(await again.told("tcp:a"), [vm(1)])
        third = ObserverState(folder)
        with self.assertRaisesRegex(StateRefused, "another process uses it"):
            await third.open()
        await other.close()
        await third.open()
        await third.close()

    async def test_endOfProgram(self) -> None:
        """
        A program that only stops the reactor ends, and what was told in its last
        moment is kept.
        """
        folder = Path(self.mktemp()).absolute()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        program = (sys.executable, ["-c", PROGRAM, str(folder)], environment)
        ended = getProcessOutputAndValue(*program).addTimeout(10, reactor)
        self.assertEqual(await ended, (b"Disconnected\n", b"", 0))
        store = Store(folder, "now")
        self.assertEqual(store.told("x", "tcp:a"), [vm(1)])
        store.close()


PROGRAM = """
import sys
from twisted.internet import reactor
from tests.fakes.rows import vm
from twisted_ovsdb import ObserverState
from twisted_ovsdb.events import Cause, Disconnected, InterfaceOnline

class Last:
    def eventReceived(self, event):
        if isinstance(event, Disconnected):
            print("Disconnected")

def told(_):
    remembered.eventReceived(InterfaceOnline(vm(1), Cause.INITIAL, "tcp:a"))
    reactor.stop()
    remembered.eventReceived(Disconnected(ValueError(), "tcp:a"))

state = ObserverState(sys.argv[1])
remembered = state.remember("x", Last())
reactor.callWhenRunning(lambda: remembered.told("tcp:a").addCallback(told))
reactor.run()
"""
