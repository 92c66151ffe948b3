# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Writes what is now of one switch, behind its events: the latest object of each
interface, then the checkpoint. An instance that was frozen may write when another one
speaks already; docs/fleet.rst says why nothing false comes of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Final

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.publish.messages import Checkpoint, Line, objectOf, sequenceIn, tokenOf
from twisted_ovsdb.publish.streams import (
    BrokerUnavailable,
    Fenced,
    IStreams,
    Stored,
    Stream,
    Write,
)
from twisted_ovsdb.publish.subjects import (
    checkpointSubject,
    eventSubject,
    objectsPattern,
    objectSubject,
)

INTERVAL: Final = 0.1
"""Seconds from an event to the write of its object: meanwhile only the latest is kept."""

TOGETHER: Final = 100
"""Objects that are written at once."""

RETRY: Final = 0.5
"""Seconds between two attempts, if the broker takes nothing."""

OLD: Final = 3600.0
"""
Seconds after which a write is compared with what the broker has, before it is made. It
is far less than L{TOMBSTONE}, and far more than a connection lives whose client is frozen.
"""

TOMBSTONE: Final = 86400.0
"""Seconds that an interface that is offline has an object."""


class Superseded(Exception):
    """Another instance has taken over, or the broker has lost what it had."""


@attrs.frozen
class Proof:
    """
    When a message of events was sent that the broker took: no other instance had taken
    over then. When the answer came proves nothing: this instance may have been frozen.

    @ivar at: in seconds that never jump.
    @ivar connection: the number of the connection.
    """

    at: float
    connection: int


@attrs.frozen
class Waiting:
    """
    An object that is to be written.

    @ivar proof: when this instance was surely the one that speaks.
    """

    sequence: int
    text: bytes
    online: bool
    proof: Proof


@attrs.define
class Position:
    """
    How far the broker has the events.

    @ivar proof: when the message was sent.
    @ivar since: see L{Checkpoint}.
    @ivar count: how many messages of this takeover there are.
    """

    sequence: int
    id: str
    proof: Proof
    since: int = 0
    forgotten: bool = False
    count: int = 0


class NowWriter:
    """
    Writes what is now of a switch, from a takeover until another instance speaks.

    @ivar fences: by UUID, the number of the last message of the object's subject.
    @ivar checkpointFence: the same of the checkpoint.
    @ivar tombstones: by UUID, when an object became one, and its number; in the order of
        these times.
    """

    _log = Logger()

    def __init__(
        self,
        streams: IStreams,
        switch: str,
        instance: str,
        position: Position,
        clock: IReactorTime,
        now: Callable[[], float],
        onLost: Callable[[], object],
    ) -> None:
        """
        @param position: of the first message of this takeover.
        @param now: the time in seconds that never jump.
        @param onLost: is called when this instance has been superseded.
        """
        self._streams = streams
        self._switch = switch
        self._instance = instance
        self._clock = clock
        self._now = now
        self._onLost = onLost
        self.fences: dict[str, int] = {}
        self.checkpointFence = 0
        self.tombstones: dict[str, tuple[float, int]] = {}
        self._began = position.sequence
        self._position = position
        self._reached = 0  # messages that the checkpoint has passed
        self._waiting: dict[str, Waiting] = {}
        self._timer: IDelayedCall | None = None
        self._writing: Deferred[None] | None = None
        self._closed = False
        self._progress: Waiters[None] = Waiters()

    @property
    def behind(self) -> int:
        """How many messages of events the checkpoint has not passed."""
        return self._position.count - self._reached

    def progress(self) -> Deferred[None]:
        """@return: fires when the checkpoint has moved, or never will."""
        return succeed(None) if self._closed else self._progress.wait()

    def begin(self, waiting: Mapping[str, tuple[int, bytes, bool]]) -> None:
        """
        Write a checkpoint of this takeover.

        @param waiting: by UUID, sequence, text and whether it is online: what the
            instance before has not written.
        """
        for uuid, (sequence, text, online) in waiting.items():
            self._put(uuid, sequence, text, online)
        self._start(0)

    def look(self, wait: float) -> None:
        """
        See whether the broker still has what this instance has told, by a checkpoint.

        @param wait: seconds until then.
        """
        self._start(wait)

    def note(self, position: Position, lines: Sequence[Line]) -> None:
        """A message of events is acknowledged."""
        before, self._position = self._position, position
        sequence = position.sequence
        forgotten, since = before.forgotten, before.since
        for line in lines:
            if line.uuid is not None:
                self._put(line.uuid, sequence, line.text, line.online)
                forgotten = False
            elif line.forgets:
                self._waiting.clear()
                forgotten, since = True, sequence
        position.forgotten, position.since = forgotten, since
        position.count = before.count + 1
        self._start(INTERVAL)

    def _put(self, uuid: str, sequence: int, text: bytes, online: bool) -> None:
        self._waiting[uuid] = Waiting(sequence, text, online, self._position.proof)

    def flush(self) -> Deferred[None]:
        """Write what waits now. @return: fires when the checkpoint is written, or cannot be."""
        flushed = self._progress.wait()
        if self._closed or (self._writing is None and not self.behind and not self._waiting):
            self._progress.callback(None)
        elif self._timer is not None:
            self._timer.cancel()
            self._due()
        return flushed

    def close(self) -> None:
        """Write nothing more."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.cancel()
        self._progress.callback(None)

    def _start(self, wait: float) -> None:
        if self._timer is None and self._writing is None and not self._closed:
            self._timer = self._clock.callLater(wait, self._due)

    def _due(self) -> None:
        self._timer = None
        began = self._now()
        writing = self._writing = Deferred.fromCoroutine(self._write())
        writing.addCallbacks(lambda _: self._written(began), self._failed)

    def _written(self, began: float) -> None:
        self._writing = None
        if self._waiting or self.behind:
            self._start(max(0.0, INTERVAL - (self._now() - began)))
        self._progress.callback(None)

    def _failed(self, failure: Failure) -> None:
        self._writing = None
        if self._closed or failure.check(CancelledError):
            return
        if not failure.check(Superseded):
            self._log.failure("what is now of {switch}", failure=failure, switch=self._switch)
        self._onLost()
        self.close()

    # One round

    async def _write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        position = self._position
        items = list(waiting.items())
        if position.forgotten:
            await self._forgetObjects()
        for start in range(0, len(items), TOGETHER):
            await self._writeSome(items[start : start + TOGETHER])
        await self._writeCheckpoint(position)
        self._reached = position.count
        if position.forgotten:
            await self._purge(Stream.EVENTS, eventSubject(self._switch), position.sequence)
        await self._purgeTombstones()

    async def _writeSome(self, items: Sequence[tuple[str, Waiting]]) -> None:
        fresh = [item for item in items if self._isRecent(item[1].proof)]
        again = [item for item in items if not self._isRecent(item[1].proof)]
        writes = [self._writeOf(uuid, each, self.fences.get(uuid, 0)) for uuid, each in fresh]
        results = await self._streams.appendAll(writes) if writes else []
        for (uuid, each), result in zip(fresh, results, strict=True):
            if isinstance(result, int):
                self._stored(uuid, each, result)
            else:
                again.append((uuid, each))
        if again:
            compared = [Deferred.fromCoroutine(self._compare(*item)) for item in again]
            for _, problem in await DeferredList(compared, consumeErrors=True):
                if isinstance(problem, Failure):
                    problem.raiseException()

    def _isRecent(self, proof: Proof) -> bool:
        """Whether the fences are still those of the time of the proof."""
        return proof.connection == self._streams.connection and self._now() - proof.at < OLD

    def _writeOf(self, uuid: str, waiting: Waiting, expected: int) -> Write:
        payload = objectOf(waiting.text, waiting.sequence)
        subject = objectSubject(self._switch, uuid)
        return Write(Stream.NOW, subject, payload, expected)

    def _stored(self, uuid: str, waiting: Waiting, number: int) -> None:
        self.fences[uuid] = number
        self.tombstones.pop(uuid, None)
        if not waiting.online:
            self.tombstones[uuid] = (self._now(), number)

    async def _compare(self, uuid: str, waiting: Waiting) -> None:
        """Compare an object with what the broker has; the later event wins."""
        subject = objectSubject(self._switch, uuid)
        while True:
            try:
                found = await self._streams.last(Stream.NOW, subject)
                number = 0 if found is None else found.sequence
                if found is not None and sequenceIn(found.payload) >= waiting.sequence:
                    self._stored(uuid, waiting, number)
                    return
                await self._check()
                write = self._writeOf(uuid, waiting, number)
                self._stored(uuid, waiting, await self._streams.append(write))
                return
            except Fenced:
                continue
            except BrokerUnavailable:
                await pause(self._streams, self._clock)

    async def _check(self) -> Stored | None:
        """
        Make sure that this instance still speaks, as far as the broker knows.

        @return: the checkpoint.
        """
        position = self._position
        event = await self._streams.at(Stream.EVENTS, position.sequence)
        if event is None or event.id != position.id:
            raise Superseded
        found = await self._streams.last(Stream.NOW, checkpointSubject(self._switch))
        if found is None:
            if self.checkpointFence:
                raise Superseded
            return None
        known = Checkpoint.parse(found.payload)
        ours = known is not None and known.token == tokenOf(position.id)
        # Another one's checkpoint in front of ours is of an instance before us.
        if known is not None and not ours and known.sequence > self._began:
            if found.sequence != self.checkpointFence:
                raise Superseded
        return found

    async def _writeCheckpoint(self, position: Position) -> None:
        value = Checkpoint(
            position.sequence,
            position.id,
            self._switch,
            self._instance,
            position.since,
            position.forgotten,
        )
        subject = checkpointSubject(self._switch)
        proof: Proof | None = position.proof
        while True:
            try:
                if proof is None or not self._isRecent(proof):
                    proof = Proof(self._now(), self._streams.connection)
                    found = await self._check()
                    self.checkpointFence = 0 if found is None else found.sequence
                write = Write(Stream.NOW, subject, value.payload(), self.checkpointFence)
                self.checkpointFence = await self._streams.append(write)
                return
            except Fenced:
                proof = None
            except BrokerUnavailable:
                proof = None
                await pause(self._streams, self._clock)

    # What is removed. The numbers are guards: what another instance writes has higher ones.

    async def _forgetObjects(self) -> None:
        below = max([0, *self.fences.values()]) + 1
        await self._purge(Stream.NOW, objectsPattern(self._switch), below)
        self.fences.clear()
        self.tombstones.clear()

    async def discard(self, below: int) -> None:
        """Remove all objects with smaller numbers, which are void."""
        await self._purge(Stream.NOW, objectsPattern(self._switch), below)

    async def _purgeTombstones(self) -> None:
        limit = self._now() - TOMBSTONE
        # The oldest ones are the first ones: a day may have many.
        old = takewhile(lambda each: each[1][0] < limit, self.tombstones.items())
        for uuid, _ in list(islice(old, TOGETHER)):
            _, number = self.tombstones[uuid]
            await self._purge(Stream.NOW, objectSubject(self._switch, uuid), number + 1)
            del self.tombstones[uuid]
            self.fences.pop(uuid, None)

    async def _purge(self, stream: Stream, pattern: str, below: int) -> None:
        while True:
            try:
                await self._streams.purge(stream, pattern, below)
                return
            except BrokerUnavailable:
                await pause(self._streams, self._clock)


async def pause(streams: IStreams, clock: IReactorTime) -> None:
    """Wait until something may be tried again."""
    await deferLater(clock, RETRY)
    await streams.available()


def boottime() -> float:
    """The time in seconds that never jump. Time in which the machine sleeps counts."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
