# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for a monitor that speaks while it has a lock.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import connectProtocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs, formatEvent, globalLogPublisher

from tests.fakes.lockcase import LOCK, SOON, LockTestCase, Memory, Recorder
from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.observers import Busy
from tests.fakes.rows import vmRow
from twisted_ovsdb import (
    Disconnected,
    Event,
    InterfaceMonitor,
    LockLost,
    OvsdbProtocol,
    RequestNotSent,
)
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.switchlock import AGAIN, CONFIRM_TIMEOUT, NOT_READY, REFUSED

FIRST = [
    ("online", "bridge", "br-int", "initial"),
    ("online", "vm", "tap1", "initial"),
    ("synchronized", "initial"),
]

TAKEN = ("disconnected", "lock fleet: another client has taken it")


class SpeakingTests(LockTestCase):
    """
    Tests for who is told what, and when.
    """

    def test_granted(self) -> None:
        """
        A monitor that has got the lock tells the snapshot, and then what happens.
        """
        observer = Recorder()
        factory = self.monitor("a", observer)
        self.assertEqual(observer.take(), [])
        self.assertFalse(factory.speaking)
        self.server.advance(SOON)
        self.assertTrue(factory.speaking)
        self.assertEqual(observer.take(), FIRST)
        self.server.addPort("br-int", "tap2", "port-2")
        self.assertEqual(observer.take(), [("online", "vm", "tap2", "update")])

    def test_logged(self) -> None:
        """
        The log says who speaks, and why, when that changes.
        """
        with capturedLogs() as logs:
            first = self.speaker("a")
            second = self.monitor("b")
            self.server.advance(SOON)
            second.stealLock()
            self.server.advance(0)
            second.giveUp()
            self.server.advance(0)
            first.stop()
            second.stop()
        said = [formatEvent(each).split(": this monitor ", 1) for each in logs]
        self.assertEqual(
            [each[1] for each in said if len(each) > 1],
            [
                "speaks: it has lock fleet",
                "stands by: another client has lock fleet",
                "stands by: lock fleet: another client has taken it",
                "speaks: it has lock fleet",
                "stands by: lock fleet: this monitor has given it up",
                "speaks: it has lock fleet",
            ],
        )

    def test_standsBy(self) -> None:
        """
        A monitor that has not got the lock tells nothing, and knows everything: it is
        in sync, finds interfaces, and fires what waits for them.
        """
        self.server.stealLock(LOCK)
        observer = Recorder()
        factory = self.monitor("a", observer, bridges=True)
        synchronized, ready = factory.whenSynchronized(), factory.whenReady("port-2")
        self.server.advance(2 * SOON)
        self.server.addPort("br-int", "tap2", "port-2", ofport=2)
        self.assertEqual(observer.take(), [])
        self.assertTrue(factory.inSync)
        self.assertFalse(factory.speaking)
        self.assertEqual(len(self.successResultOf(synchronized)), 2)
        self.assertEqual(self.successResultOf(ready).name, "tap2")
        self.assertEqual(len(factory.interfaces()), 3)
        self.assertIsNotNone(factory.interfaceByOfport("br-int", 2))
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take()[-1], ("synchronized", "initial"))

    def test_nextSpeaks(self) -> None:
        """
        When the monitor that speaks ends, the other one tells its observers everything.
        """
        mine, yours = Recorder(), Recorder()
        first, second = self.speaker("a", mine), self.monitor("b", yours)
        self.server.advance(SOON)
        self.assertEqual((mine.take(), yours.take()), (FIRST, []))
        self.stop(first)
        self.assertEqual(mine.take(), [("disconnected", "stopped")])
        self.assertTrue(second.speaking)
        self.assertEqual(yours.take(), FIRST)

    def test_F110_stolen(self) -> None:
        """
        When another client takes the lock, the observer is told Disconnected, and then
        nothing; and when the lock is free again, what is different.
        """
        observer = Recorder()
        factory = self.speaker("a", observer)
        observer.take()
        self.server.stealLock(LOCK)
        self.assertFalse(factory.speaking)
        self.assertEqual(observer.take(), [TAKEN])
        self.server.deletePort("tap1")
        self.server.addPort("br-int", "tap2", "port-2")
        self.assertEqual(observer.take(), [])
        self.server.freeLock(LOCK)
        self.assertEqual(
            observer.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("online", "vm", "tap2", "resync"),
                ("synchronized", "resync"),
            ],
        )

    def test_F110_busy(self) -> None:
        """
        What waits for a busy observer when the lock is lost is not told any more: the
        next monitor tells it.
        """
        observer = Busy()
        self.speaker("a", observer)
        observer.freeAll()
        observer.take()
        self.server.addPort("br-int", "tap2", "port-2")
        self.server.addPort("br-int", "tap3", "port-3")
        self.server.stealLock(LOCK)
        observer.freeAll()
        self.assertEqual(observer.take(), [("online", "vm", "tap2", "update"), TAKEN])
        self.server.freeLock(LOCK)
        observer.freeAll()
        self.assertEqual(
            observer.take(), [("online", "vm", "tap3", "resync"), ("synchronized", "resync")]
        )

    def test_lostSession(self) -> None:
        """
        The loss of a session is told with its own reason, and what was not told by then
        is told after the next takeover.
        """
        observer = Busy()
        self.speaker("a", observer)
        observer.freeAll()
        observer.take()
        self.server.addPort("br-int", "tap2", "port-2")
        self.server.addPort("br-int", "tap3", "port-3")
        self.server.restart()
        observer.freeAll()
        told = observer.take()
        self.assertEqual([each[0] for each in told], ["online", "disconnected"])
        self.server.advance(10 + SOON)
        observer.freeAll()
        self.assertEqual(
            observer.take(), [("online", "vm", "tap3", "resync"), ("synchronized", "resync")]
        )

    def test_replay(self) -> None:
        """
        After each takeover, what is the same is told again with the cause REPLAY, as
        after any outage.
        """
        observer = Recorder()
        self.speaker("a", observer, replay=True)
        observer.take()
        self.server.stealLock(LOCK)
        self.server.freeLock(LOCK)
        self.assertEqual([each[-1] for each in observer.take()[1:]], ["replay", "replay", "resync"])

    def test_addedLate(self) -> None:
        """
        An observer that is added while the monitor stands by is told nothing before the
        monitor speaks; added later, it is told at once.
        """
        self.server.stealLock(LOCK)
        factory = self.monitor("a")
        self.server.advance(SOON)
        early, late = Recorder(), Recorder()
        factory.addObserver(early)
        self.server.advance(1)
        self.assertEqual(early.take(), [])
        self.server.freeLock(LOCK)
        self.assertEqual(early.take(), FIRST)
        factory.addObserver(late)
        self.server.advance(0)
        self.assertEqual(late.take(), FIRST)

    def test_replayTo(self) -> None:
        """
        A replay that is asked for while the monitor stands by follows when it speaks.
        """
        observer = Recorder()
        factory = self.speaker("a", observer)
        self.server.stealLock(LOCK)
        observer.take()
        factory.replayTo(observer)
        self.server.advance(1)
        self.assertEqual(observer.take(), [])
        self.server.freeLock(LOCK)
        self.assertEqual([each[-1] for each in observer.take()], ["replay", "replay", "resync"])

    def test_problems(self) -> None:
        """
        A monitor that stands by finds problems, and tells none. When it speaks, it tells
        them; and after an interruption, only what is different.
        """
        observer = Recorder()
        observer.wantsProblems = True  # type: ignore[attr-defined]
        self.server.stealLock(LOCK)
        factory = self.monitor("a", observer, problemsAfter=5.0)
        self.server.setInterface("tap1", ofport=-1)
        self.server.advance(6)
        self.assertEqual(len(factory.problems()), 1)
        self.assertEqual(observer.take(), [])
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take()[-1], ("problem", "failed", "tap1"))
        self.server.stealLock(LOCK)
        self.server.setInterface("tap1", ofport=1)
        self.server.advance(6)
        self.assertEqual(observer.take(), [TAKEN])
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take()[-1], ("solved", "failed", "tap1"))

    def identify(self, system_id: str) -> None:
        """
        The switch gets a system-id.
        """
        row = {"external_ids": ["map", [["system-id", system_id]]]}
        self.server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})

    def test_anotherSwitch(self) -> None:
        """
        When the system-id changes, the observer is told Disconnected at once, and after the
        next takeover that everything under the old key is offline, and what there is under
        the new one.
        """
        self.identify("s1")
        observer = Recorder()
        self.speaker("a", observer, identify=True)
        observer.take()
        self.identify("s2")
        self.assertEqual([each[0] for each in observer.take()], ["disconnected"])
        self.server.advance(SOON + 0.5)
        keys = [(event.switch, type(event).__name__) for event in observer.events]
        self.assertEqual(
            keys,
            [("s1", "InterfaceOffline")] * 2
            + [("s2", "InterfaceOnline")] * 2
            + [("s2", "Synchronized")],
        )

    def test_anotherSwitchTold(self) -> None:
        """
        An observer that says what was told is asked for the new key, and told nothing more
        of the old one: another monitor may have told that.
        """
        self.identify("s1")
        observer, memory = Recorder(), Memory()
        memory.known = None
        self.speaker("a", observer, told=memory, identify=True)
        observer.take()
        self.identify("s2")
        self.server.advance(SOON + 0.5)
        self.assertEqual(memory.asked, ["s1", "s2"])
        self.assertEqual({event.switch for event in observer.events[1:]}, {"s2"})
        self.assertEqual(observer.take()[1:], FIRST)

    def test_noLock(self) -> None:
        """
        A monitor without a lock speaks when it is in sync, and what needs a lock says so.
        """
        monitor = InterfaceMonitor(clock=Clock())
        self.assertIsNone(monitor.lock)
        self.assertFalse(monitor.speaking)
        for call in (monitor.confirmLock, monitor.giveUp, monitor.stealLock):
            self.assertRaisesRegex(ValueError, "there is no lock", call)


class ToldTests(LockTestCase):
    """
    Tests for an observer that knows what all monitors have told.
    """

    def rows(self) -> list[Any]:
        """
        The interfaces of the server, as a monitor knows them.
        """
        monitor = self.monitor(None, lock=None)
        rows = list(monitor.interfaces())
        self.stop(monitor)
        return rows

    def test_anew(self) -> None:
        """
        At each takeover it is asked what was told by then, and the difference from that
        is told, not from what this monitor has told.
        """
        observer, memory = Recorder(), Memory()
        memory.known = None
        self.speaker("a", observer, told=memory)
        self.assertEqual(observer.take(), FIRST)
        self.server.stealLock(LOCK)
        self.server.addPort("br-int", "tap2", "port-2")
        self.assertEqual(observer.take(), [TAKEN])
        memory.known = self.rows()
        self.server.deletePort("tap1")
        self.server.freeLock(LOCK)
        self.assertEqual(
            observer.take(), [("offline", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )
        self.assertEqual(memory.asked, ["memory", "memory"])

    def test_nothingTold(self) -> None:
        """
        If nothing was told of the switch, for example because it was forgotten, its
        snapshot is the first one again.
        """
        observer, memory = Recorder(), Memory()
        memory.known = None
        self.speaker("a", observer, told=memory)
        self.server.stealLock(LOCK)
        observer.take()
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take(), FIRST)

    def test_interfaces(self) -> None:
        """
        Interfaces that are given, and no function, are what was told before the first
        takeover only.
        """
        observer = Recorder()
        self.speaker("a", observer, told=self.rows())
        self.assertEqual(observer.take(), [("synchronized", "resync")])
        self.server.stealLock(LOCK)
        self.server.addPort("br-int", "tap2", "port-2")
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take()[1], ("online", "vm", "tap2", "resync"))

    def test_answersTooLate(self) -> None:
        """
        An answer that comes when the lock was gone meanwhile, before the question is
        cancelled, counts for nothing: it is asked again at the next takeover.
        """
        answers: list[Deferred[Any]] = [Deferred(), Deferred()]
        asked = iter(answers)
        observer = Recorder()
        self.speaker("a", observer, told=lambda switch: next(asked))
        rows = self.rows()
        self.server.stealLock(LOCK)
        self.server.freeLock(LOCK)
        answers[0].callback(rows)
        self.server.advance(0)
        self.assertEqual(observer.take(), [])
        answers[1].callback(None)
        self.server.advance(0)
        self.assertEqual(observer.take(), FIRST)

    def test_waits(self) -> None:
        """
        While it is being asked, this observer is told nothing; another one is.
        """
        answer: Deferred[Any] = Deferred()
        asked: list[str] = []

        def told(switch: str) -> Deferred[Any]:
            asked.append(switch)
            return answer

        observer, other = Recorder(), Recorder()
        factory = self.monitor("a", observer, told=told)
        factory.addObserver(other)
        self.server.advance(SOON)
        self.assertEqual((observer.take(), other.take()), ([], FIRST))
        self.server.deletePort("tap1")
        self.assertEqual(asked, ["memory"])
        answer.callback(None)
        self.server.advance(0)
        self.assertEqual([each[0] for each in observer.take()], ["online", "synchronized"])

    def test_lostWhileAsked(self) -> None:
        """
        If the lock is lost while it is being asked, the question is cancelled, and asked
        again at the next takeover; nothing is told by the old answer.
        """
        asked: list[Deferred[Any]] = []
        cancelled: list[object] = []

        def told(switch: str) -> Deferred[Any]:
            asked.append(Deferred(cancelled.append))
            return asked[-1]

        observer = Recorder()
        self.speaker("a", observer, told=told)
        self.server.stealLock(LOCK)
        self.server.advance(0)
        self.assertEqual((len(asked), len(cancelled)), (1, 1))
        self.server.freeLock(LOCK)
        self.assertEqual(len(asked), 2)
        asked[1].callback([])
        self.server.advance(0)
        self.assertEqual(len(observer.take()), 3)

    def test_F113_fails(self) -> None:
        """
        If it cannot be found out what was told, nothing is told, the failure is logged
        once, and another monitor gets the lock.
        """
        observer, other = Recorder(), Recorder()

        def told(switch: str) -> None:
            raise RuntimeError("no broker")

        first = self.monitor("a", observer, told=told)
        self.server.advance(SOON)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        second = self.monitor("b", other)
        self.server.advance(SOON)
        self.assertEqual((observer.take(), other.take()), ([], FIRST))
        self.assertTrue(second.speaking)
        self.assertFalse(first.speaking)
        self.server.advance(AGAIN[1])
        self.assertFalse(first.speaking)

    def test_givesUp(self) -> None:
        """
        What is asked may itself give the lock up, and then fail: this is logged nowhere,
        and nothing is told.
        """
        observer = Recorder()
        factory = self.monitor("a", observer)

        async def told(switch: str) -> None:
            await factory.confirmLock()
            factory.giveUp()
            raise LockLost("gave up")

        factory.addObserver(late := Recorder(), told)
        self.server.advance(SOON)
        self.assertEqual(late.take(), [])
        self.assertEqual(observer.take()[-1][0], "disconnected")
        self.assertFalse(factory.speaking)

    def test_busy(self) -> None:
        """
        An observer that was busy all the time from the loss of the lock to the next
        takeover is told Disconnected before it is asked.
        """
        observer, memory = Busy(), Memory()
        memory.known = None
        self.speaker("a", observer, told=memory)
        observer.freeAll()
        observer.take()
        self.server.addPort("br-int", "tap2", "port-2")
        self.server.stealLock(LOCK)
        self.server.freeLock(LOCK)
        self.assertEqual(len(memory.asked), 1)
        memory.known = self.rows()
        observer.freeAll()
        self.server.advance(0)
        observer.freeAll()
        self.assertEqual(
            observer.take(),
            [("online", "vm", "tap2", "update"), TAKEN, ("synchronized", "resync")],
        )
        self.assertEqual(len(memory.asked), 2)

    def test_removesItself(self) -> None:
        """
        A function that removes its observer is not waited for.
        """
        cancelled: list[object] = []

        def told(switch: str) -> Deferred[Any]:
            factory.removeObserver(observer)
            return Deferred(cancelled.append)

        observer = Recorder()
        factory = self.monitor("a", observer, told=told)
        self.server.advance(SOON)
        self.assertEqual(len(cancelled), 1)

    def test_problemsAnew(self) -> None:
        """
        Of problems, nobody knows what others have told: all are told at each takeover.
        """
        observer, memory = Recorder(), Memory()
        observer.wantsProblems = True  # type: ignore[attr-defined]
        self.server.setInterface("tap1", ofport=-1)
        self.speaker("a", observer, told=memory, problemsAfter=5.0)
        self.server.advance(6)
        self.assertEqual(observer.take()[-1], ("problem", "failed", "tap1"))
        self.server.stealLock(LOCK)
        self.server.freeLock(LOCK)
        self.assertEqual(observer.take()[-1], ("problem", "failed", "tap1"))

    def test_localPort(self) -> None:
        """
        That an interface was the local port of a bridge is part of what was told: a row
        whose OpenFlow port says nothing is one still.
        """
        memory = Memory(*self.rows())
        self.server.setInterface("br-int", type="", ofport=None)
        observer = Recorder()
        self.speaker("a", observer, told=memory)
        self.assertEqual(observer.take()[0][:3], ("changed", "bridge", "br-int"))

    def test_removed(self) -> None:
        """
        Removing the observer cancels the question.
        """
        cancelled: list[object] = []
        observer = Recorder()
        factory = self.speaker("a", observer, told=lambda switch: Deferred(cancelled.append))
        factory.removeObserver(observer)
        self.assertEqual(len(cancelled), 1)


class HandingOverTests(LockTestCase):
    """
    Tests for locks that are given up, stolen and confirmed.
    """

    def test_F112_giveUp(self) -> None:
        """
        A lock that is given up is another monitor's at once. It is asked for again, and
        is this monitor's again when that one ends.
        """
        mine, yours = Recorder(), Recorder()
        first, second = self.speaker("a", mine), self.monitor("b", yours)
        self.server.advance(SOON)
        mine.take()
        first.giveUp()
        self.assertFalse(first.speaking)
        self.assertEqual(
            mine.take(), [("disconnected", "lock fleet: this monitor has given it up")]
        )
        self.server.advance(0)
        self.assertTrue(second.speaking)
        self.assertEqual(yours.take(), FIRST)
        self.server.advance(AGAIN[1])
        self.stop(second)
        self.assertTrue(first.speaking)

    def test_F123_notReady(self) -> None:
        """
        A monitor that could not speak does not ask for the lock, and gives it back at once if
        it is granted what it asked for before. It asks when it is ready.
        """
        ready = [False]
        terms = LockTerms(LOCK, "a", self.server.clock.seconds, lambda switch: ready[0])
        first = self.monitor(None, lock=terms)
        second = self.monitor("b")
        self.server.advance(SOON)
        self.assertTrue(second.speaking)
        ready[0] = True
        self.server.advance(NOT_READY[1])  # It waits for the lock now.
        ready[0] = False
        third = self.monitor("c")
        self.server.advance(SOON)
        self.stop(second)
        self.server.advance(0)
        self.assertEqual((first.speaking, third.speaking), (False, True))
        ready[0] = True
        self.server.advance(AGAIN[1])
        self.stop(third)
        self.assertTrue(first.speaking)

    def test_F112_notSent(self) -> None:
        """
        If it cannot be given up, because the server reads nothing, the session is ended.
        """
        factory = self.speaker("a")
        link = factory._link
        assert link is not None
        self.patch(link.protocol, "unlock", lambda name: fail(RequestNotSent("too much waits")))
        factory.giveUp()
        self.assertIsInstance(link.protocol.lost, LockLost)
        self.assertFalse(factory.speaking)

    def test_alone(self) -> None:
        """
        If nobody else wants it, it is this monitor's again some seconds later.
        """
        factory = self.speaker("a")
        factory.giveUp()
        factory.giveUp()
        self.server.advance(AGAIN[1] - 0.1)
        self.assertFalse(factory.speaking)
        self.server.advance(0.1)
        self.assertTrue(factory.speaking)

    def test_stealLock(self) -> None:
        """
        A monitor that stands by can take the lock, also before it has asked for it. The
        other one has it again when this one ends.
        """
        for pause in (0, SOON):
            first = self.speaker("a")
            second = self.monitor("b")
            self.server.advance(pause)
            self.assertFalse(second.speaking)
            second.stealLock()
            second.stealLock()
            self.server.advance(0)
            self.assertEqual((first.speaking, second.speaking), (False, True))
            second.stealLock()
            self.server.advance(0)
            self.assertTrue(second.speaking)
            self.stop(second)
            self.assertTrue(first.speaking)
            self.stop(first)

    def test_stealWhileLeaving(self) -> None:
        """
        A lock that is being given up can be taken back.
        """
        first, second = self.speaker("a"), self.monitor("b")
        self.server.advance(SOON)
        first.giveUp()
        first.stealLock()
        self.server.advance(0)
        self.assertEqual((first.speaking, second.speaking), (True, False))

    def test_away(self) -> None:
        """
        Without a session, there is nothing to give up or to steal, and nothing is
        confirmed.
        """
        factory = self.speaker("a")
        self.server.kill()
        factory.giveUp()
        factory.stealLock()
        self.failureResultOf(factory.confirmLock(), LockLost)

    def test_confirm(self) -> None:
        """
        The server confirms the lock to the monitor that has it. To one that stands by,
        it is not confirmed, and its session goes on.
        """
        first, second = self.speaker("a"), self.monitor("b")
        self.server.advance(SOON)
        mine, yours = first.confirmLock(), second.confirmLock()
        self.server.advance(0)
        self.assertIsNone(self.successResultOf(mine))
        self.failureResultOf(yours, LockLost)
        self.assertTrue(second.inSync)

    def test_detach(self) -> None:
        """
        A monitor that leaves a connection gives the lock back, also if the connection
        stays up.
        """
        protocols: list[OvsdbProtocol] = []
        other = self.monitor("b")
        self.stop(other)
        monitor = InterfaceMonitor(clock=self.clock, source="memory", lock=LOCK, instance="a")
        connectProtocol(self.server.endpoint, OvsdbProtocol()).addCallback(protocols.append)
        monitor.attach(protocols[0])
        self.server.advance(SOON)
        self.assertTrue(monitor.speaking)
        second = self.monitor("b")
        self.server.advance(SOON)
        monitor.detach()
        self.server.advance(0)
        self.assertTrue(second.speaking)
        monitor.attach(protocols[0])
        self.server.advance(SOON)
        self.stop(second)
        self.assertTrue(monitor.speaking)

    def test_refused(self) -> None:
        """
        At a server that knows no locks, the monitor stands by, a warning says so, and the
        lock is asked for again later.
        """
        self.server.forgetMethods("lock")
        with capturedLogs() as logs:
            factory = self.monitor("a")
            self.server.advance(SOON)
        said = [formatEvent(each) for each in logs if each["log_level"] is LogLevel.warn]
        why = "so this monitor stands by: unknown method"
        self.assertEqual(said, [f"memory: cannot have lock fleet, {why}"])
        self.assertFalse(factory.speaking)
        self.server._served.unknown.clear()
        self.server.advance(REFUSED - SOON)
        self.assertFalse(factory.speaking)
        self.server.advance(SOON)
        self.server.advance(0)
        self.assertTrue(factory.speaking)

    def test_giveUpAfterARefusal(self) -> None:
        """
        Where it was refused, there is nothing to give up: it is asked for no sooner.
        """
        self.server.forgetMethods("lock")
        factory = self.monitor("a")
        self.server.advance(SOON)
        factory.giveUp()
        self.server._served.unknown.clear()
        self.server.advance(2 * AGAIN[1])
        self.server.advance(0)
        self.assertFalse(factory.speaking)

    def test_stealAfterARefusal(self) -> None:
        """
        Until it is asked for again, it can be taken at once.
        """
        self.server.forgetMethods("lock")
        factory = self.monitor("a")
        self.server.advance(SOON)
        factory.stealLock()
        self.server.advance(0)
        self.assertTrue(factory.speaking)
        self.stop(factory)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_twoOnOneConnection(self) -> None:
        """
        Two monitors on one connection cannot both have the lock.
        """
        protocols: list[OvsdbProtocol] = []
        connectProtocol(self.server.endpoint, OvsdbProtocol()).addCallback(protocols.append)
        monitors = [
            InterfaceMonitor(clock=self.clock, source="memory", lock=LOCK, instance=name)
            for name in "ab"
        ]
        for monitor in monitors:
            monitor.attach(protocols[0])
        self.server.advance(SOON)
        self.assertEqual(sum(monitor.speaking for monitor in monitors), 1)
        for monitor in monitors:
            monitor.detach()


class ConfirmTests(MonitorTestCase):
    """
    Tests for a monitor that was granted a lock that may not be its own any more.
    """

    def setUp(self) -> None:
        super().setUp()
        self.monitor = self.makeMonitor([self.observer], lock=LOCK, instance="a")
        self.synchronize({1: vmRow("tap1")})
        self.clock.advance(SOON)

    def receive(self, text: str) -> None:
        """
        The server sends.
        """
        self.protocol.dataReceived(text.encode())

    def grant(self) -> None:
        """
        The server grants the lock, by the reply to the request.
        """
        self.receive('{"id":2,"result":{"locked":true},"error":null}')

    def test_asserted(self) -> None:
        """
        What the server grants is confirmed by a transaction, before anything is told.
        """
        self.grant()
        self.assertIn(b'{"op":"assert","lock":"fleet"}', self.transport.value())
        self.assertEqual(self.observer.take(), [])
        self.receive('{"id":3,"result":[{}],"error":null}')
        self.assertEqual(self.observer.take()[-1], ("synchronized", "initial"))

    def test_assertedAfterTheQuestion(self) -> None:
        """
        It is confirmed once more when an observer has said what it was told before, which
        may have taken any time.
        """
        late = Recorder()
        self.monitor.addObserver(late, lambda switch: [])
        self.grant()
        self.receive('{"id":3,"result":[{}],"error":null}')
        self.assertEqual(self.transport.value().count(b'"assert"'), 2)
        self.assertEqual(late.take(), [])
        self.receive('{"id":4,"result":[{}],"error":null}')
        self.assertEqual(late.take()[-1], ("synchronized", "resync"))

    def test_F111_notOurs(self) -> None:
        """
        If the lock is another client's, because this process was stopped for a while,
        nothing is told, and the session is ended.
        """
        self.grant()
        answer = '{"error":"not owner","details":"Asserted lock fleet not held."}'
        self.receive(f'{{"id":3,"result":[{answer}],"error":null}}')
        self.assertEqual(self.observer.take(), [])
        self.assertIsInstance(self.protocol.lost, LockLost)
        self.assertTrue(self.transport.disconnecting or self.transport.disconnected)

    def test_F111_noAnswer(self) -> None:
        """
        So it is if the server does not answer for 5 s.
        """
        self.grant()
        self.clock.advance(CONFIRM_TIMEOUT)
        self.assertEqual(self.observer.take(), [])
        self.assertIsInstance(self.protocol.lost, LockLost)
        self.assertFalse(self.monitor.inSync)

    def test_F111_speaking(self) -> None:
        """
        A monitor that speaks, and whose lock is not confirmed, tells Disconnected with
        that reason; and what asked for it fails after that.
        """
        self.grant()
        self.receive('{"id":3,"result":[{}],"error":null}')
        self.observer.take()
        confirmed = self.monitor.confirmLock()
        self.clock.advance(CONFIRM_TIMEOUT)
        [(name, reason)] = self.observer.take()
        self.assertEqual(name, "disconnected")
        self.assertIn("not certain that this monitor has it: no answer for 5 s", reason)
        self.failureResultOf(confirmed, LockLost)

    def test_stolenWhileConfirmed(self) -> None:
        """
        A lock that is stolen while it is being confirmed is not confirmed, whatever the
        answer says; nor if it is granted again meanwhile.
        """
        self.grant()
        confirmed = self.monitor.confirmLock()
        self.receive('{"id":null,"method":"stolen","params":["fleet"]}')
        self.receive('{"id":null,"method":"locked","params":["fleet"]}')
        self.receive('{"id":3,"result":[{}],"error":null}')
        self.receive('{"id":4,"result":[{}],"error":null}')
        self.failureResultOf(confirmed, LockLost)
        self.assertFalse(self.monitor.speaking)
        self.receive('{"id":5,"result":[{}],"error":null}')
        self.assertTrue(self.monitor.speaking)

    def test_stolenBefore(self) -> None:
        """
        If it is known already that the lock was stolen, an answer that says so too does
        not end the session.
        """
        self.grant()
        self.receive('{"id":null,"method":"stolen","params":["fleet"]}')
        answer = '{"error":"not owner","details":"Asserted lock fleet not held."}'
        self.receive(f'{{"id":3,"result":[{answer}],"error":null}}')
        self.assertIsNone(self.protocol.lost)
        self.assertTrue(self.monitor.inSync)

    def test_stealBeforeTheAnswer(self) -> None:
        """
        A lock can be taken before the server has answered the request for it.
        """
        self.monitor.stealLock()
        self.grant()
        self.receive('{"id":3,"result":{},"error":null}')
        self.assertIn(b'"steal"', self.transport.value())
        self.receive('{"id":4,"result":{"locked":true},"error":null}')
        self.receive('{"id":5,"result":[{}],"error":null}')
        self.assertTrue(self.monitor.speaking)

    def test_leftConnection(self) -> None:
        """
        What comes from a connection that the monitor has left says nothing about the lock
        at the next one: neither a grant nor a refusal.
        """
        for answer in ('"result":{"locked":true},"error":null', '"result":null,"error":"no"'):
            left = self.protocol
            self.monitor.detach()
            self.synchronize({1: vmRow("tap1")})
            self.clock.advance(SOON)
            left.dataReceived(f'{{"id":2,{answer}}}'.encode())
            self.assertNotIn(b'"assert"', self.transport.value())
        self.grant()
        self.assertIn(b'"assert"', self.transport.value())

    def test_leavesTwice(self) -> None:
        """
        An observer that leaves the connection when it is told that the lock was given up:
        the lock is given back, once.
        """
        self.grant()
        self.receive('{"id":3,"result":[{}],"error":null}')

        class Leaving(Recorder):
            def eventReceived(self, event: Event) -> None:
                if isinstance(event, Disconnected):
                    monitor.detach()

        monitor = self.monitor
        monitor.addObserver(Leaving())
        self.clock.advance(0)
        monitor.giveUp()
        self.assertFalse(monitor.inSync)
        self.assertEqual(self.transport.value().count(b'"unlock"'), 1)

    def test_givenUpTwice(self) -> None:
        """
        So it is where a lock is given up again that is being given up.
        """
        self.grant()
        self.monitor.giveUp()
        self.monitor.giveUp()
        self.assertEqual(self.transport.value().count(b'"unlock"'), 1)

    def test_notAskedFor(self) -> None:
        """
        A lock that was not asked for is not given back.
        """
        self.monitor.detach()
        self.synchronize({1: vmRow("tap1")})
        self.monitor.detach()
        self.assertNotIn(b'"unlock"', self.transport.value())

    def test_lateGrant(self) -> None:
        """
        A grant that crosses the unlock is not taken.
        """
        self.monitor.giveUp()
        self.grant()
        self.receive('{"id":3,"result":{},"error":null}')
        self.assertFalse(self.monitor.speaking)
        self.lose()

    def tearDown(self) -> None:
        if self.protocol.lost is None:
            self.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class UnixTests(MonitorTestCase):
    """
    Tests for a lock on a unix socket.
    """

    def test_F114_warned(self) -> None:
        """
        One warning says that a monitor that hangs keeps the lock there.
        """
        monitor = self.makeMonitor([], lock=LOCK, instance="a")
        lines: list[Any] = []
        publisher: Any = globalLogPublisher
        publisher.addObserver(lines.append)
        self.addCleanup(publisher.removeObserver, lines.append)
        for _ in range(2):
            self.protocol = OvsdbProtocol()
            self.protocol.makeConnection(StringTransport(peerAddress=UNIXAddress("/db.sock")))
            monitor.attach(self.protocol)
            self.snapshot({})
            self.lose()
        warned = [each for each in lines if "is a unix socket" in each.get("log_format", "")]
        self.assertEqual(len(warned), 1)
        monitor = self.makeMonitor([], lock=LOCK, instance="a")
        self.protocol = OvsdbProtocol()
        self.protocol.makeConnection(StringTransport())
        monitor.attach(self.protocol)
        self.snapshot({})
        self.lose()
        warned = [each for each in lines if "is a unix socket" in each.get("log_format", "")]
        self.assertEqual(len(warned), 1)

    def test_relieved(self) -> None:
        """
        There is no such warning if other monitors steal the lock of one that hangs.
        """
        terms = LockTerms("fleet", "a")
        terms.relieved = True
        with capturedLogs() as logs:
            terms.warnOfUnix("unix:/db.sock")
        self.assertEqual(logs, [])
