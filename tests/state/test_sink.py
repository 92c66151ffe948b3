# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.sink} and L{twisted_ovsdb.state.roll}.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    InterfaceOnline,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.state import sink as module
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import Damaged
from twisted_ovsdb.state.roll import Roll
from twisted_ovsdb.state.sink import INTERVAL, RETRY, Settle, Sink, SinkFate
from twisted_ovsdb.state.store import StoredSwitch


class RecordedFate(SinkFate):
    """
    Records what a sink tells.
    """

    def __init__(self) -> None:
        self.told: list[str] = []

    def full(self, reason: str) -> None:
        """Record it."""
        self.told.append(f"full: {reason}")

    def goesOn(self) -> None:
        """Record it."""
        self.told.append("goes on")

    def failed(self, reason: str) -> None:
        """Record it."""
        self.told.append(f"failed: {reason}")


class SinkTests(SynchronousTestCase):
    """
    Tests for L{Sink}. Commits end when the test says so.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.fate = RecordedFate()
        self.batches: list[Batch] = []
        self.commits: list[Deferred[None]] = []
        self.sink = Sink(self.commit, self.clock, self.fate)
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def commit(self, batch: Batch, settle: Settle) -> Deferred[None]:
        """
        Begin a commit.
        """
        settle()
        self.batches.append(batch)
        self.commits.append(Deferred())
        return self.commits[-1]

    def tell(self, *numbers: int) -> Any:
        """
        Interfaces come online.
        """
        results = [self.sink.note(InterfaceOnline(vm(n), Cause.UPDATE, "tcp:a")) for n in numbers]
        return results[-1]

    def committed(self) -> list[list[str]]:
        """
        The interfaces of the commits since the last call.
        """
        batches, self.batches = self.batches, []
        return [[u for s in b.switches.values() for u in s.rows] for b in batches]

    def end(self, fault: Exception | None = None) -> None:
        """
        The present commit ends.
        """
        if fault is None:
            self.commits.pop(0).callback(None)
        else:
            self.commits.pop(0).errback(fault)

    def test_interval(self) -> None:
        """
        Events are committed together, a tenth of a second after the first of them.
        What is told during a commit waits for the next one. Without events there
        is no commit.
        """
        self.assertIsNone(self.tell(1))
        self.clock.advance(INTERVAL / 2)
        self.tell(2)
        self.clock.advance(INTERVAL / 2)
        self.assertEqual(self.committed(), [[uuid(1), uuid(2)]])
        self.tell(3)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.committed(), [])
        self.end()
        self.clock.advance(INTERVAL)
        self.assertEqual(self.committed(), [[uuid(3)]])
        self.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_busy(self) -> None:
        """
        At the limit of what may wait, the commit is made at once, and the observer
        is busy until less waits.
        """
        self.patch(module, "EVENTS", 3)
        self.assertIsNone(self.tell(1, 2, 3))
        busy = self.tell(4)
        # These four are being committed: nothing waits.
        self.assertIsNone(busy)
        self.assertEqual(len(self.committed()[0]), 4)
        busy = self.tell(5, 6, 7, 8)
        self.assertNoResult(busy)
        self.end()
        self.assertEqual(len(self.committed()[0]), 4)
        self.successResultOf(busy)
        self.end()

    def test_flush(self) -> None:
        """
        A flush ends when everything that was told before it is committed, also if
        an earlier commit has not ended.
        """
        self.tell(1)
        first = self.sink.flush()
        self.tell(2)
        second = self.sink.flush()
        self.assertEqual(self.committed(), [[uuid(1)]])
        self.end()
        self.successResultOf(first)
        self.assertNoResult(second)
        self.assertEqual(self.committed(), [[uuid(2)]])
        self.end()
        self.successResultOf(second)

    def test_F93_full(self) -> None:
        """
        On a full disk the same commit is tried again every few seconds. It is said
        once, and once that it goes on. What is told meanwhile waits, up to the limit.
        """
        self.patch(module, "EVENTS", 3)
        self.tell(1)
        self.clock.advance(INTERVAL)
        for fault in (sqlite3.OperationalError("database or disk is full"), OSError(28, "no")):
            self.end(fault)
            self.assertEqual(self.committed(), [[uuid(1)]])
            self.clock.advance(RETRY)
        busy = self.tell(2, 3, 4, 5)
        self.assertNoResult(busy)
        self.end()
        self.assertEqual(self.committed(), [[uuid(1)], [uuid(n) for n in (2, 3, 4, 5)]])
        self.successResultOf(busy)
        self.end()
        self.assertEqual(self.fate.told, ["full: database or disk is full", "goes on"])

    def test_failed(self) -> None:
        """
        After a fault that does not pass, nothing is committed any more, and nobody
        waits.
        """
        for fault in (Damaged("x"), OSError(5, "Input/output error"), ValueError("x")):
            self.sink = Sink(self.commit, self.clock, self.fate)
            self.tell(1)
            flushed = self.sink.flush()
            later = self.sink.flush()
            self.end(fault)
            self.successResultOf(flushed)
            self.successResultOf(later)
            self.assertIsNone(self.tell(2))
            self.successResultOf(self.sink.flush())
        self.assertEqual(self.fate.told, ["failed: x", "failed: Input/output error", "failed: x"])

    def test_cut(self) -> None:
        """
        Before a commit, the owner says what is to be done first, or that it is too
        early; then it is asked again.
        """
        settled: list[str] = []
        answers: list[Any] = [None, lambda: settled.append("settled")]
        self.sink = Sink(self.commit, self.clock, self.fate, lambda: answers.pop(0))
        self.tell(1)
        self.clock.advance(INTERVAL)
        self.assertEqual(self.committed(), [])
        self.clock.advance(INTERVAL)
        self.assertEqual(self.committed(), [[uuid(1)]])
        self.assertEqual(settled, ["settled"])
        self.end()

    def test_finish(self) -> None:
        """
        At the end what waits is committed. A full disk is not waited for.
        """
        self.tell(1)
        finished = self.sink.finish()
        self.assertEqual(self.committed(), [[uuid(1)]])
        self.end()
        self.successResultOf(finished)
        self.assertIsNone(self.tell(2))
        for early in (False, True):
            self.sink = Sink(self.commit, self.clock, self.fate)
            self.tell(1)
            if early:
                self.clock.advance(INTERVAL)
                self.end(OSError(28, "full"))
                self.successResultOf(self.sink.finish())
            else:
                finished = self.sink.finish()
                self.end(OSError(28, "full"))
                self.successResultOf(finished)
        self.assertEqual(self.fate.told, ["full: full", "full: full"])

    def test_stop(self) -> None:
        """
        After a stop nothing is committed, and nobody waits, also not for the commit
        that is being made.
        """
        self.tell(1)
        flushed = self.sink.flush()
        self.sink.stop()
        self.end(OSError(28, "full"))
        self.successResultOf(flushed)
        self.assertEqual(self.fate.told, [])


def stored(key: str, source: str | None, absent: float = 0) -> StoredSwitch:
    """
    A switch of an earlier life.
    """
    return StoredSwitch(1, 1, key, source, absent)


class RollTests(SynchronousTestCase):
    """
    Tests for L{Roll}.
    """

    def online(self, switch: str, source: str, address: str | None = None) -> InterfaceOnline:
        """
        An event of a switch.
        """
        identity = SwitchIdentity(switch if switch != source else None, address=address)
        return InterfaceOnline(vm(1), Cause.UPDATE, source, identity=identity)

    def test_replaced(self) -> None:
        """
        If another switch is behind an endpoint than in an earlier life, the earlier
        one is named once. Switches that connect to us replace nobody.
        """
        roll = Roll({"A": stored("A", "tcp:a"), "B": stored("B", "tcp:b"), "C": stored("C", None)})
        self.assertEqual(roll.note(self.online("D", "tcp:a")), ["A"])
        self.assertFalse(roll.wasMet("A"))
        roll.forget("A")
        self.assertEqual(roll.note(self.online("D", "tcp:a")), [])
        self.assertEqual(roll.note(self.online("E", "E", "tcp:1")), [])
        self.assertEqual(roll.note(self.online("E", "E", "tcp:1")), [])
        self.assertEqual(roll.note(self.online("B", "tcp:b")), [])
        self.assertEqual({s for s in "ABCDE" if s in roll}, {"B", "C", "D", "E"})
        # The same in this life.
        self.assertEqual(roll.note(self.online("F", "tcp:a")), ["D"])
        self.assertTrue(roll.wasMet("D"))

    def test_exchanged(self) -> None:
        """
        Two switches that have exchanged their addresses are both awaited.
        """
        roll = Roll({"A": stored("A", "tcp:a"), "B": stored("B", "tcp:b")})
        roll.note(self.online("A", "tcp:a"))
        roll.note(self.online("B", "tcp:b"))
        self.assertEqual(roll.note(self.online("A", "tcp:b")), ["B"])
        roll.forget("B")
        self.assertEqual(roll.note(self.online("B", "tcp:a")), [])

    def test_absence(self) -> None:
        """
        Time counts for those that are away. Those that no monitor has are lost when
        they have been away for longer than the limit.
        """
        roll = Roll({"A": stored("A", "tcp:a", 50), "B": stored("B", None, 50)})
        roll.note(Synchronized(Cause.RESYNC, (), "tcp:a", identity=SwitchIdentity("A")))
        self.assertEqual(list(roll.passed(60)), [("B", 110)])
        roll.note(Disconnected(MonitorStopped(), "tcp:a", identity=SwitchIdentity("A")))
        self.assertEqual(list(roll.passed(60)), [("A", 60), ("B", 170)])
        self.assertEqual(roll.lost(170), [])
        self.assertEqual(roll.lost(100), ["B"])
        roll.met("B")
        roll.met("unknown")
        self.assertEqual(roll.lost(100), [])

    def test_notGiven(self) -> None:
        """
        What cannot come back: endpoints that are not given, and switches that
        connect to us if nobody listens.
        """
        roll = Roll({"A": stored("A", "tcp:a"), "B": stored("B", "tcp:b"), "C": stored("C", None)})
        self.assertEqual(roll.notGiven(["tcp:a"], False), ["B", "C"])
        self.assertEqual(roll.notGiven(["tcp:a", "tcp:b"], True), [])
