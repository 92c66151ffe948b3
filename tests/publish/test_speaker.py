# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.speaker} and for the rules that close holes, with a
model of a broker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.broker import ModelBroker, ModelStreams
from tests.fakes.rows import uuid, vm
from tests.publish.test_contract import FORGOTTEN, lineAbout, started
from twisted_ovsdb.errors import OvsdbError
from twisted_ovsdb.events import Cause, InterfaceOnline
from twisted_ovsdb.publish.messages import MOST_LINES, sequenceIn
from twisted_ovsdb.publish.nowwriter import OLD, TOMBSTONE
from twisted_ovsdb.publish.observer import PublishingObserver
from twisted_ovsdb.publish.speaker import ATTEMPTS, PATIENCE, GaveUp
from twisted_ovsdb.publish.streampublisher import READS, StreamPublisher
from twisted_ovsdb.publish.streams import Fenced, Stream, Write
from twisted_ovsdb.publish.subjects import checkpointSubject, eventSubject, objectSubject


class Monitor:
    """
    A monitor whose lock the test gives and takes.
    """

    def __init__(self) -> None:
        self.speaking = True
        self.holds = True
        self.gaveUp = 0

    def confirmLock(self) -> Deferred[None]:
        """Whether it holds the lock."""
        confirmed: Deferred[None] = Deferred()
        if self.holds:
            confirmed.callback(None)
        else:
            confirmed.errback(OvsdbError("the lock is lost"))
        return confirmed

    def giveUp(self) -> None:
        """Count it."""
        self.gaveUp += 1
        self.speaking = False

    def stealLock(self) -> None:
        """Not used."""


class SpeakerTests(SynchronousTestCase):
    """
    One monitor and one switch.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = ModelBroker()
        self.streams = ModelStreams(self.broker)
        self.monitor = Monitor()
        self.publisher = StreamPublisher(self.streams, "a", self.clock, now=self.clock.seconds)
        self.observer = PublishingObserver(
            self.publisher,
            "a",
            lambda switch: self.monitor,
            self.clock,
            now=self.clock.seconds,
            wallClock=lambda: datetime.fromtimestamp(self.clock.seconds(), timezone.utc),
        )

    def tell(self, *numbers: int) -> Any:
        """Interfaces come online."""
        results = [
            self.observer.eventReceived(InterfaceOnline(vm(n), Cause.UPDATE, "s1")) for n in numbers
        ]
        return results[-1]

    def sizes(self) -> list[int]:
        """How many lines each message has."""
        return [len(each.payload.split(b"\n")) for each in self.broker.stored]

    def test_together(self) -> None:
        """
        What is told in one turn is one message, and what is told while a message is on
        its way is the next one.
        """
        self.successResultOf(self.observer.told("s1"))
        self.clock.advance(1)
        self.streams.auto = False
        self.assertIsNone(self.tell(1, 2, 3))
        self.clock.advance(0)
        self.assertIsNone(self.tell(4))
        self.assertIsNone(self.tell(5))
        self.clock.advance(0)
        self.assertEqual(len(self.streams.requests), 1)
        self.streams.serve()
        self.streams.serve()
        self.assertEqual(self.sizes(), [1, 3, 2])
        self.assertEqual(self.observer.published["acknowledged"], 6)
        self.assertEqual(self.observer.lag, 0)

    def test_busy(self) -> None:
        """
        The observer is busy when a message is on its way and another one is full.
        """
        self.successResultOf(self.observer.told("s1"))
        self.clock.advance(1)
        self.streams.auto = False
        self.assertIsNone(self.tell(*range(MOST_LINES)))
        self.assertIsNone(self.tell(*range(MOST_LINES - 1)))
        busy = self.tell(0)
        self.assertNoResult(busy)
        self.clock.advance(3)
        self.assertEqual(self.observer.lag, 3)
        self.streams.serve()
        self.successResultOf(busy)
        self.streams.serve()
        self.assertEqual(self.sizes(), [1, MOST_LINES, MOST_LINES])

    def test_F115_patience(self) -> None:
        """
        After ten seconds without an acknowledgement the lock is given up, and nothing
        more is published until the next takeover.
        """
        self.successResultOf(self.observer.told("s1"))
        self.clock.advance(1)
        self.streams.auto = False
        self.tell(1)
        self.clock.advance(0)
        self.clock.advance(PATIENCE - 0.1)
        self.assertEqual(self.monitor.gaveUp, 0)
        self.clock.advance(0.1)
        self.assertEqual(self.monitor.gaveUp, 1)
        self.streams.cut()
        self.assertIsNone(self.tell(2))
        self.clock.advance(60)
        self.assertEqual(self.sizes(), [1])
        # It is still not published.
        self.assertEqual(self.observer.lag, PATIENCE + 60)
        self.streams.auto = True
        self.assertEqual(self.successResultOf(self.observer.told("s1")), [])
        self.assertEqual(self.observer.published["unacknowledged"], 1)
        self.assertEqual(self.observer.lag, 0)

    def test_lagOfAnother(self) -> None:
        """
        What this monitor has given up is somebody else's to publish when the broker works.
        """
        self.successResultOf(self.observer.told("s1"))
        self.streams.auto = False
        self.tell(1)
        self.clock.advance(0)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.observer.lag, PATIENCE)
        self.observer.works()
        self.assertEqual(self.observer.lag, 0)

    def test_F120_quiet(self) -> None:
        """
        If the broker comes back without what it had, a switch on which nothing happens is told
        anew too, and one of which all is there is left alone.
        """
        self.successResultOf(self.observer.told("s1"))
        self.tell(1)
        self.clock.advance(1)
        self.streams.cut()
        self.streams.wake()
        self.publisher.connected()
        self.clock.advance(1)
        self.assertEqual(self.monitor.gaveUp, 0)
        self.broker.makeAnew(*Stream)
        self.streams.cut()
        self.streams.wake()
        self.publisher.connected()
        self.clock.advance(1)
        self.assertEqual(self.monitor.gaveUp, 1)
        self.assertIsNone(self.successResultOf(self.observer.told("s1")))

    def test_takeoverImpatient(self) -> None:
        """
        A monitor that cannot reach the broker gives the lock up before it has spoken.
        """
        self.streams.down = True
        told = self.observer.told("s1")
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.monitor.gaveUp, 1)
        self.failureResultOf(told)
        self.assertEqual([c for c in self.clock.getDelayedCalls() if c.active()], [])

    def test_F115_alwaysRefused(self) -> None:
        """
        If others publish between each read and the takeover, the lock is given up, once,
        and the failure says why. The answers of the broker come later, as real ones do.
        """
        self.streams.auto = False
        told = self.observer.told("s1")
        subject = eventSubject("s1")
        while self.streams.requests:
            last = self.broker.last(Stream.EVENTS, subject)
            expected = 0 if last is None else last.sequence
            self.streams.serve()
            # Somebody else is first whenever the last event was read.
            self.broker.append(Write(Stream.EVENTS, subject, b"{}", expected))
        self.assertEqual(self.observer.published["fenced"], ATTEMPTS)
        failure = self.failureResultOf(told, GaveUp)
        self.assertEqual(str(failure.value), "another instance publishes")
        self.assertEqual(self.monitor.gaveUp, 1)
        self.assertEqual([c for c in self.clock.getDelayedCalls() if c.active()], [])

    def test_F121_staleTaker(self) -> None:
        """
        A monitor that has lost the lock since it was granted it publishes nothing: it
        would fence the one that speaks.
        """
        self.monitor.holds = False
        self.failureResultOf(self.observer.told("s1"), OvsdbError)
        self.assertEqual(self.broker.stored, [])

    def test_lostAcknowledgement(self) -> None:
        """
        A message whose acknowledgement was lost is told once, also if the broker does
        not know its id any more.
        """
        self.successResultOf(self.observer.told("s1"))
        self.streams.auto = False
        self.tell(1)
        self.clock.advance(0)
        self.streams.serve(lost=True)
        self.broker.passWindow()
        self.streams.auto = True
        self.clock.advance(1)
        self.tell(2)
        self.clock.advance(0)
        self.assertEqual(self.sizes(), [1, 1, 1])
        self.assertEqual(self.monitor.gaveUp, 0)

    def test_anotherKey(self) -> None:
        """
        A switch whose key has changed is taken over anew.
        """
        self.tell(1)
        self.assertEqual(self.monitor.gaveUp, 1)
        self.assertEqual(self.broker.stored, [])


class HoleTests(SynchronousTestCase):
    """
    What is now, where another instance was frozen or dead.
    """

    def setUp(self) -> None:
        self.broker = ModelBroker()
        self.clock = Clock()
        self.a, self.b = ModelStreams(self.broker), ModelStreams(self.broker)
        self.one = StreamPublisher(self.a, "one", self.clock, self.clock.seconds)
        self.two = StreamPublisher(self.b, "two", self.clock, self.clock.seconds)

    def takeOver(self, publisher: StreamPublisher) -> Any:
        """Read and take over."""
        told = self.successResultOf(publisher.read("s1"))
        self.successResultOf(publisher.takeOver(told, [started(told.resumed)], lambda: None))
        return told.interfaces

    def publish(self, publisher: StreamPublisher, *lines: Any) -> None:
        """Publish lines."""
        self.successResultOf(publisher.publish("s1", lines))

    def now(self, number: int = 1) -> int | None:
        """The sequence of the event of an interface's object; None if there is none."""
        found = self.broker.last(Stream.NOW, objectSubject("s1", uuid(number)))
        return None if found is None else sequenceIn(found.payload)

    def freeze(self) -> Callable[[], None]:
        """The timers that there are do not run until the function is called."""
        calls, self.clock.calls = self.clock.calls, []

        def wake() -> None:
            self.clock.calls += calls

        return wake

    def frozenWriter(self) -> None:
        """One tells of an interface, and freezes before it writes its object."""
        self.takeOver(self.one)
        self.clock.advance(1)
        self.publish(self.one, lineAbout("online", vm(1)))
        self.a.auto = False
        self.clock.advance(0.1)  # The write is on its way.
        [write] = self.a.requests
        self.write = write.run

    def test_F121_laterWins(self) -> None:
        """
        The write of an instance that another one has overtaken changes nothing.
        """
        self.frozenWriter()
        self.assertEqual(self.takeOver(self.two), [vm(1)])
        self.publish(self.two, lineAbout("changed", vm(1, ofport=5)))
        self.clock.advance(1)
        sequence = self.now()
        self.a.auto = True
        self.a.serve()
        self.clock.advance(1)
        self.assertEqual(self.now(), sequence)

    def test_laterWinsAtOnce(self) -> None:
        """
        The same, if the later one has not written its checkpoint yet.
        """
        self.frozenWriter()
        self.takeOver(self.two)
        self.publish(self.two, lineAbout("changed", vm(1, ofport=5)))
        self.b.auto = False
        self.clock.advance(0.1)
        self.b.serve()  # Its object; the checkpoint is on its way.
        sequence = self.now()
        self.a.auto = True
        self.a.serve()
        self.assertEqual(self.now(), sequence)

    def test_afterTombstone(self) -> None:
        """
        An instance that was frozen for more than a day does not write an interface
        again whose object was removed meanwhile.
        """
        self.takeOver(self.one)
        self.clock.advance(1)
        self.publish(self.one, lineAbout("online", vm(1)))
        wake = self.freeze()
        self.takeOver(self.two)
        self.publish(self.two, lineAbout("offline", vm(1)))
        self.clock.advance(1)
        self.assertIsNotNone(self.now())
        self.clock.advance(TOMBSTONE + 1)
        self.publish(self.two, lineAbout("online", vm(2)))
        self.clock.advance(1)
        self.assertIsNone(self.now())
        wake()
        self.clock.advance(1)
        self.assertIsNone(self.now())
        self.assertIsNotNone(self.now(2))

    def test_tombstones(self) -> None:
        """
        An object that says that an interface is offline is removed a day after it went,
        the oldest ones first; one that came again is not removed.
        """
        self.takeOver(self.one)
        for number in (1, 2):
            self.publish(self.one, lineAbout("online", vm(number)))
            self.publish(self.one, lineAbout("offline", vm(number)))
            self.clock.advance(1)
            self.assertIsNotNone(self.now(number))
            self.clock.advance(TOMBSTONE / 2)
        self.publish(self.one, lineAbout("online", vm(3)))
        self.clock.advance(1)
        self.assertIsNone(self.now(1))
        self.assertIsNotNone(self.now(2))
        self.publish(self.one, lineAbout("online", vm(2)))
        self.clock.advance(TOMBSTONE)
        self.publish(self.one, lineAbout("online", vm(5)))
        self.clock.advance(1)
        self.assertIsNotNone(self.now(2))

    def test_manyReads(self) -> None:
        """
        If many switches are taken over at the same time, few of them are read at once, and
        then the next ones; one that is cancelled is left out.
        """
        self.a.auto = False
        reads = [self.one.read(f"s{number}") for number in range(3 * READS)]
        self.assertEqual(len(self.a.requests), READS)
        for cancelled in (reads[0], reads[-1]):
            cancelled.cancel()
            self.failureResultOf(cancelled, CancelledError)
        while self.a.requests:
            self.assertLessEqual(len(self.a.requests), READS + 1)
            self.a.serve()
        for read in reads[1:-1]:
            self.assertIsNone(self.successResultOf(read).interfaces)

    def test_F121_old(self) -> None:
        """
        A write is compared first if its event was sent an hour ago, or on another
        connection.
        """
        for how in ("time", "connection"):
            self.setUp()
            self.takeOver(self.one)
            self.clock.advance(1)
            self.a.auto = False
            published = self.one.publish("s1", [lineAbout("online", vm(1))])
            self.a.frozen = True
            self.a.serve()
            if how == "time":
                self.clock.advance(OLD)
            else:
                self.a.connection += 1
            self.a.wake()
            self.successResultOf(published)
            self.clock.advance(0.1)
            request = self.a.requests.pop()
            self.assertIsNone(request.run())  # It reads, and writes nothing.
            self.assertIsNone(self.now())

    def test_forgotten(self) -> None:
        """
        Of a switch that was forgotten the broker keeps the last event and the
        checkpoint; an instance that has taken over meanwhile loses nothing.
        """
        self.takeOver(self.one)
        self.publish(self.one, lineAbout("online", vm(1)))
        self.clock.advance(1)
        self.publish(self.one, FORGOTTEN)
        self.assertEqual(self.takeOver(self.two), [])
        self.publish(self.two, lineAbout("online", vm(2)))
        self.clock.advance(1)
        told = self.successResultOf(self.one.read("s1"))
        self.assertEqual(told.interfaces, [vm(2)])
        self.assertIsNone(self.now(1))

    def test_half(self) -> None:
        """
        When half of the events that are kept lie behind the checkpoint, publishing
        waits for what is now.
        """
        self.broker.kept = 8
        self.takeOver(self.one)
        for number in range(3):
            self.publish(self.one, lineAbout("online", vm(number)))
        self.publish(self.one, lineAbout("online", vm(3)))
        waiting = self.one.publish("s1", [lineAbout("online", vm(4))])
        self.assertNoResult(waiting)
        self.clock.advance(0.2)
        self.successResultOf(waiting)

    def test_F120_madeAnew(self) -> None:
        """
        If events were lost and sequences are given again, what is now is void, and
        whoever takes over says so.
        """
        self.takeOver(self.one)
        self.publish(self.one, lineAbout("online", vm(1)))
        self.clock.advance(1)
        self.broker.makeAnew(Stream.EVENTS)
        self.assertIsNone(self.takeOver(self.two))
        self.assertIn(b'"resumed":false', self.broker.stored[-1].payload)
        self.assertIsNone(self.now())
        failure = self.failureResultOf(self.one.publish("s1", [lineAbout("online", vm(2))]))
        failure.trap(Fenced)

    def test_F120_sequencesAgain(self) -> None:
        """
        If there are as many events again as the checkpoint says, it is void all the
        same.
        """
        self.takeOver(self.one)
        self.publish(self.one, lineAbout("online", vm(1)))
        self.clock.advance(1)
        self.broker.makeAnew(Stream.EVENTS)
        self.takeOver(self.two)
        for number in range(2, 6):
            self.publish(self.two, lineAbout("online", vm(number)))
        told = self.successResultOf(self.one.read("s1"))
        self.assertEqual(told.interfaces, [vm(number) for number in range(2, 6)])

    def test_staleStream(self) -> None:
        """
        An instance whose last event is no longer in the stream writes nothing more.
        """
        for _number in range(3):
            self.takeOver(self.one)
        self.clock.advance(1)
        self.publish(self.one, lineAbout("online", vm(1)))
        wake = self.freeze()
        self.a.cut()
        self.broker.makeAnew(Stream.EVENTS)
        self.takeOver(self.two)
        self.clock.advance(1)
        wake()
        self.clock.advance(1)
        self.assertIsNone(self.now())

    def test_nowLost(self) -> None:
        """
        A speaker whose checkpoint is gone gives up: what is now is not complete.
        """
        lost: list[bool] = []
        told = self.successResultOf(self.one.read("s1"))
        self.successResultOf(self.one.takeOver(told, [started(False)], lambda: lost.append(True)))
        self.clock.advance(1)
        self.broker.makeAnew(Stream.NOW)
        self.publish(self.one, lineAbout("online", vm(1)))
        self.clock.advance(1)
        self.assertEqual(lost, [True])
        self.assertIsNone(self.broker.last(Stream.NOW, checkpointSubject("s1")))
