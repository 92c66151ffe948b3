# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A model of a switch with OVSDB's lock, and of the monitors that share it, which publish
to a model of a broker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from tests.fakes.broker import ModelBroker, ModelStreams
from tests.fakes.rows import uuid, vm
from twisted_ovsdb.errors import OvsdbError
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.publish.messages import Checkpoint
from twisted_ovsdb.publish.observer import PublishingObserver
from twisted_ovsdb.publish.picture import Picture
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.publish.streams import Stream
from twisted_ovsdb.publish.subjects import checkpointSubject, eventSubject, objectsPattern

SWITCH = "s1"


class LockLost(OvsdbError):
    """The switch has given the lock away."""


class ModelSwitch:
    """
    A switch: interfaces that change, connections, and a lock.

    @ivar rows: the interfaces now.
    @ivar states: by UUID, all states in their order; None is its end.
    """

    def __init__(self) -> None:
        self.rows: dict[str, OvsInterface] = {}
        self.states: dict[str, list[OvsInterface | None]] = {}
        self.connections: list[ModelMonitor] = []
        self.waiting: list[ModelMonitor] = []  # the first one holds the lock
        self._versions = 0

    def change(self, number: int) -> None:
        """An interface comes, or changes."""
        self._versions += 1
        self._set(uuid(number), vm(number, "port", self._versions))

    def revert(self, number: int) -> None:
        """An interface is as it was before its last change."""
        states = self.states.get(uuid(number), [])
        if len(states) > 1 and states[-1] is not None and states[-2] is not None:
            self._set(uuid(number), states[-2])

    def remove(self, number: int) -> None:
        """An interface goes."""
        if uuid(number) in self.rows:
            self._set(uuid(number), None)

    def _set(self, key: str, row: OvsInterface | None) -> None:
        self.states.setdefault(key, []).append(row)
        if row is None:
            del self.rows[key]
        else:
            self.rows[key] = row
        for monitor in self.connections:
            monitor.inbox.append(lambda monitor=monitor: monitor.updated(key, row))  # type: ignore[misc]

    def connect(self, monitor: ModelMonitor) -> None:
        """A monitor connects, and gets all rows."""
        rows = dict(self.rows)
        self.connections.append(monitor)
        monitor.inbox.append(lambda: monitor.snapshot(rows))

    def disconnect(self, monitor: ModelMonitor) -> None:
        """The switch ends a connection; what it has sent may still be read."""
        if monitor in self.connections:
            self.connections.remove(monitor)
            self.unlock(monitor)
            monitor.inbox.append(monitor.lost)

    def lock(self, monitor: ModelMonitor) -> None:
        """A monitor asks for the lock."""
        if monitor in self.connections and monitor not in self.waiting:
            self.waiting.append(monitor)
            if self.waiting[0] is monitor:
                monitor.inbox.append(monitor.granted)

    def steal(self, monitor: ModelMonitor) -> None:
        """A monitor takes the lock from the one that has it."""
        if monitor not in self.connections or self.waiting[:1] == [monitor]:
            return
        if self.waiting:
            self.waiting[0].inbox.append(self.waiting[0].stolen)
            self.waiting[0] = monitor
            self.waiting[1:] = [each for each in self.waiting[1:] if each is not monitor]
        else:
            self.waiting.append(monitor)
        monitor.inbox.append(monitor.granted)

    def unlock(self, monitor: ModelMonitor) -> None:
        """A monitor gives the lock back, or waits for it no longer."""
        if monitor in self.waiting:
            held = self.waiting[0] is monitor
            self.waiting.remove(monitor)
            if held and self.waiting:
                self.waiting[0].inbox.append(self.waiting[0].granted)

    def confirm(self, monitor: ModelMonitor) -> Deferred[None]:
        """A monitor asserts that it holds the lock."""
        answer: Deferred[None] = Deferred(lambda _: None)
        holds = monitor in self.connections and self.waiting[:1] == [monitor]

        def answered() -> None:
            if not answer.called:
                answer.callback(None) if holds else answer.errback(LockLost("lost"))

        monitor.inbox.append(answered)
        return answer


class ModelMonitor:
    """
    A monitor as the observer sees it: as far as it differs from a real one, it is
    simpler.

    @ivar inbox: what the switch has sent, and what is not read yet.
    """

    def __init__(self, name: str, switch: ModelSwitch, broker: ModelBroker, auto: bool) -> None:
        self.name = name
        self.switch = switch
        self.clock = Clock()
        self.streams = ModelStreams(broker, auto)
        self._tokens = 0
        self.publisher = StreamPublisher(
            self.streams,
            name,
            self.clock,
            now=self.clock.seconds,
            makeToken=self._token,
            wallClock=self.clock.seconds,
        )
        self.observer = PublishingObserver(
            self.publisher,
            name,
            lambda key: self,
            self.clock,
            now=self.clock.seconds,
            wallClock=lambda: datetime.fromtimestamp(self.clock.seconds(), timezone.utc),
        )
        self.inbox: list[Callable[[], object]] = []
        self.frozen = False
        self.dead = False
        self.debt = 0.0
        self.present: dict[str, OvsInterface] = {}
        self.held: Deferred[Any] | None = None
        self.speaking = False
        self.connected = False
        self._told: dict[str, OvsInterface] | None = None
        self._synchronized = False
        self._busy = False

    def _token(self) -> str:
        self._tokens += 1
        return f"{self.name}{self._tokens}"

    # What the switch sends

    def read(self) -> None:
        """Read one message of the switch."""
        self.inbox.pop(0)()

    def snapshot(self, rows: dict[str, OvsInterface]) -> None:
        """All rows."""
        self.present = dict(rows)
        self.connected = True
        self.switch.lock(self)

    def updated(self, key: str, row: OvsInterface | None) -> None:
        """One row."""
        if row is None:
            self.present.pop(key, None)
        else:
            self.present[key] = row
        self.tell()

    def granted(self) -> None:
        """The lock."""
        self._drop()
        held = self.held = Deferred.fromCoroutine(self._takeOver())
        held.addErrback(lambda failure: failure.trap(Exception) and None)

    async def _takeOver(self) -> None:
        told = await self.observer.told(SWITCH)
        await self.confirmLock()
        self._told = {row.uuid: row for row in told or ()}
        self._synchronized = False
        self.speaking = True
        self.tell()

    def stolen(self) -> None:
        """Another monitor has taken the lock."""
        self._end()

    def lost(self) -> None:
        """The connection is lost."""
        self.connected = False
        self._end()

    # What the observer asks for

    def confirmLock(self) -> Deferred[None]:
        """See C{LockedMonitor}."""
        return self.switch.confirm(self)

    def giveUp(self) -> None:
        """See C{LockedMonitor}."""
        self._drop()
        self.switch.unlock(self)
        if self.connected:
            self.clock.callLater(1, self.switch.lock, self)

    def stealLock(self) -> None:
        """See C{LockedMonitor}."""
        self.switch.steal(self)

    # What it tells

    def _drop(self) -> None:
        held, self.held = self.held, None
        self.speaking = False
        self._told = None
        if held is not None:
            held.cancel()

    def _end(self) -> None:
        spoke = self.speaking
        self._drop()
        if spoke and not self._busy:
            self._event(Disconnected(LockLost("lost"), SWITCH))

    def _event(self, event: Event) -> None:
        result = self.observer.eventReceived(event)
        if result is not None:
            self._busy = True
            assert isinstance(result, Deferred)
            result.addBoth(self._free)

    def _free(self, _: object) -> None:
        self._busy = False
        self.tell()

    def tell(self) -> None:
        """Tell the difference, as long as the observer is not busy."""
        while self.speaking and not self._busy and self._told is not None:
            event = self._next(self._told)
            if event is None:
                return
            self._event(event)

    def _next(self, told: dict[str, OvsInterface]) -> Event | None:
        cause = Cause.UPDATE if self._synchronized else Cause.RESYNC
        for key in told:
            if key not in self.present:
                return InterfaceOffline(told.pop(key), cause, SWITCH)
        for key, row in self.present.items():
            old = told.get(key)
            if old != row:
                told[key] = row
                if old is None:
                    return InterfaceOnline(row, cause, SWITCH)
                return InterfaceChanged(row, cause, SWITCH, old)
        if not self._synchronized:
            self._synchronized = True
            return Synchronized(cause, tuple(told.values()), SWITCH)
        return None

    def forget(self, reason: Any) -> None:
        """The switch is forgotten by this monitor."""
        if not self.connected and not self._busy:
            self._event(SwitchForgotten(reason, SWITCH))

    # Faults

    def pass_(self, seconds: float) -> None:
        """Time passes."""
        if self.frozen:
            self.debt += seconds
        elif not self.dead:
            self.clock.advance(seconds)

    def freeze(self) -> None:
        """As SIGSTOP."""
        self.frozen = self.streams.frozen = True

    def wake(self) -> None:
        """As SIGCONT: timers are late, and answers are there."""
        self.frozen = False
        debt, self.debt = self.debt, 0.0
        # What is in the sockets and what is due is done in one order or the other.
        self.streams.wake()
        self.clock.advance(debt)


# What readers see


def takePicture(broker: ModelBroker) -> Picture | None:
    """
    What a reader knows that takes what is now, and the events behind it; None if it
    has to wait for somebody who speaks.
    """
    picture = Picture()
    found = broker.last(Stream.NOW, checkpointSubject(SWITCH))
    checkpoint = None if found is None else Checkpoint.parse(found.payload)
    events = broker.following(Stream.EVENTS, eventSubject(SWITCH), 0)
    if checkpoint is not None:
        at = broker.at(Stream.EVENTS, checkpoint.sequence)
        if at is None or at.id != checkpoint.id:
            checkpoint = None
    if checkpoint is not None:
        picture.begin(checkpoint)
        for stored in broker.lastOfEach(Stream.NOW, objectsPattern(SWITCH)):
            picture.addObject(stored)
        events = [each for each in events if each.sequence > checkpoint.sequence]
    picture.addMessages(events)
    return picture if picture.complete else None
