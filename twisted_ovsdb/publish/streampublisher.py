# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Publishes to a broker that has streams. The fence of a switch's subject lets only the
instance publish that took over last.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

import attrs
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_ovsdb.publish.ipublisher import IEventPublisher, LastTold
from twisted_ovsdb.publish.messages import Checkpoint, Line, messageId, payloadOf
from twisted_ovsdb.publish.nowwriter import NowWriter, Position, Proof, boottime, pause
from twisted_ovsdb.publish.picture import Latest, Picture
from twisted_ovsdb.publish.streams import (
    BrokerUnavailable,
    Fenced,
    IStreams,
    Stored,
    Stream,
    Write,
)
from twisted_ovsdb.publish.subjects import checkpointSubject, eventSubject, objectsPattern

FAREWELL: Final = 2.0
"""Seconds in which what is now may be written at the end."""

LOOKS: Final = 5.0
"""Seconds over which the switches are spread that are looked at after a new connection."""

READS: Final = 8
"""
Switches that are read at once. When a monitor dies, another one takes hundreds over. One
after another, half of them are spoken for in half of the time.
"""


@attrs.frozen
class Place:
    """
    Where the broker was when a switch was read.

    @ivar last: the number of the switch's last event.
    @ivar since: see L{Checkpoint}; None: what was told before the takeover is void.
    @ivar checkpointFence: the number of the message with the checkpoint.
    @ivar fences: by UUID, the number of the message with the object.
    @ivar waiting: by UUID, what is to be written before the next checkpoint.
    @ivar discard: objects with smaller numbers are void; 0: none is.
    @ivar tombstones: by UUID, when the interface went offline, in seconds since the
        epoch.
    """

    last: int
    since: int | None
    checkpointFence: int
    fences: dict[str, int]
    waiting: dict[str, tuple[int, bytes, bool]]
    discard: int
    tombstones: dict[str, float]


class _Voice:
    """One takeover of one switch."""

    def __init__(self, token: str, last: int) -> None:
        self.token = token
        self.counter = 0
        self.last = last
        self.writer: NowWriter | None = None
        self.lost = False


@implementer(IEventPublisher)
class StreamPublisher:
    """
    Publishes to two streams.

    @ivar fenced: how often the broker has refused a message, because another
        instance had taken over.
    """

    def __init__(
        self,
        streams: IStreams,
        instance: str,
        clock: IReactorTime,
        now: Callable[[], float] = boottime,
        makeToken: Callable[[], str] = lambda: secrets.token_hex(8),
        wallClock: Callable[[], float] = time.time,
    ) -> None:
        """
        @param instance: names this monitor.
        @param now: the time in seconds that never jump.
        @param makeToken: makes a text that no takeover has had before.
        @param wallClock: the time in seconds since the epoch.
        """
        self._streams = streams
        self._instance = instance
        self._clock = clock
        self._now = now
        self._makeToken = makeToken
        self._wallClock = wallClock
        self._voices: dict[str, _Voice] = {}
        self.fenced = 0
        self._reads = DeferredSemaphore(READS)

    # Reading

    def read(self, switch: str) -> Deferred[LastTold]:
        """See L{IEventPublisher.read}."""
        return Deferred.fromCoroutine(self._read(switch))

    async def _read(self, switch: str) -> LastTold:
        await self._streams.available()
        while True:
            try:
                async with self._reads:
                    return await self._readOnce(switch)
            except BrokerUnavailable:
                await pause(self._streams, self._clock)

    async def _readOnce(self, switch: str) -> LastTold:
        # In this order: the objects are then at least as new as the checkpoint says, and
        # the events at least as new as the objects.
        found = await self._streams.last(Stream.NOW, checkpointSubject(switch))
        objects = await self._streams.lastOfEach(Stream.NOW, objectsPattern(switch))
        checkpoint = None if found is None else Checkpoint.parse(found.payload)
        begin = 0 if checkpoint is None else checkpoint.sequence
        events = await self._streams.following(Stream.EVENTS, eventSubject(switch), begin)
        if checkpoint is not None:
            if events and (events[0].sequence, events[0].id) == (begin, checkpoint.id):
                del events[0]
            else:
                # It is of a stream that no longer exists, or of events that were lost.
                checkpoint, begin = None, 0
                events = await self._streams.following(Stream.EVENTS, eventSubject(switch), 0)
        picture = Picture()
        fences: dict[str, int] = {}
        if checkpoint is not None:
            picture.begin(checkpoint)
            for stored in objects:
                latest = picture.addObject(stored)
                if latest is not None:
                    fences[latest.interface.uuid] = stored.sequence
        picture.addMessages(events)
        known = picture.complete and (checkpoint is not None or bool(events))
        numbers = [each.sequence for each in objects]
        return LastTold(
            switch,
            picture.interfaces() if known else None,
            self._placeOf(picture, known, begin, found, numbers, fences),
        )

    def _placeOf(
        self,
        picture: Picture,
        known: bool,
        begin: int,
        checkpoint: Stored | None,
        numbers: list[int],
        fences: dict[str, int],
    ) -> Place:
        """
        @param known: whether the picture is what was told.
        @param begin: the number of the event up to which objects are complete.
        @param numbers: those of the messages with the objects.
        """
        void = bool(numbers) and (not known or begin == 0 or picture.emptied)
        rows: dict[str, Latest] = picture.rows if known else {}
        waiting = {
            uuid: (row.sequence, row.text, row.online)
            for uuid, row in rows.items()
            if row.online or not void
            if void or row.sequence > begin
        }
        return Place(
            last=picture.last,
            since=picture.since if known else None,
            checkpointFence=0 if checkpoint is None else checkpoint.sequence,
            fences={} if void else fences,
            waiting=waiting,
            discard=max(numbers) + 1 if void else 0,
            tombstones={}
            if void
            else {uuid: row.timestamp for uuid, row in rows.items() if not row.online},
        )

    def speakerOf(self, switch: str) -> Deferred[str | None]:
        """See L{IEventPublisher.speakerOf}."""
        return Deferred.fromCoroutine(self._speakerOf(switch))

    async def _speakerOf(self, switch: str) -> str | None:
        try:
            found = await self._streams.last(Stream.NOW, checkpointSubject(switch))
        except BrokerUnavailable:
            return None
        checkpoint = None if found is None else Checkpoint.parse(found.payload)
        return None if checkpoint is None else checkpoint.instance

    # Taking over, and publishing

    def takeOver(
        self, told: LastTold, lines: Sequence[Line], onLost: Callable[[], object]
    ) -> Deferred[None]:
        """See L{IEventPublisher.takeOver}."""
        return Deferred.fromCoroutine(self._takeOver(told, lines, onLost))

    async def _takeOver(
        self, told: LastTold, lines: Sequence[Line], onLost: Callable[[], object]
    ) -> None:
        self.leave(told.switch)
        place: Place = told.place
        voice = self._voices[told.switch] = _Voice(self._makeToken(), place.last)
        position = await self._say(told.switch, voice, lines)
        position.since = position.sequence if place.since is None else place.since
        lost = self._lostOf(told.switch, voice, onLost)
        writer = NowWriter(
            self._streams, told.switch, self._instance, position, self._clock, self._now, lost
        )
        writer.fences = dict(place.fences)
        writer.checkpointFence = place.checkpointFence
        for uuid, stamp in sorted(place.tombstones.items(), key=lambda each: each[1]):
            if uuid in place.fences:
                age = max(0.0, self._wallClock() - stamp)
                writer.tombstones[uuid] = (self._now() - age, place.fences[uuid])
        # Objects that are void must be gone before one is written: they may have numbers
        # of events that are still to come.
        if place.discard:
            await writer.discard(place.discard)
        voice.writer = writer
        writer.begin(place.waiting)

    def _lostOf(
        self, switch: str, voice: _Voice, onLost: Callable[[], object]
    ) -> Callable[[], object]:
        def lost() -> None:
            voice.lost = True
            if self._voices.get(switch) is voice:
                onLost()

        return lost

    def publish(self, switch: str, lines: Sequence[Line]) -> Deferred[None]:
        """See L{IEventPublisher.publish}."""
        return Deferred.fromCoroutine(self._publish(switch, lines))

    async def _publish(self, switch: str, lines: Sequence[Line]) -> None:
        voice = self._voices.get(switch)
        if voice is None or voice.writer is None:
            raise Fenced("nobody has taken over")
        while voice.writer.behind >= max(self._streams.eventsKept // 2, 1) and not voice.lost:
            await voice.writer.progress()
        if voice.lost:
            raise Fenced("superseded")
        position = await self._say(switch, voice, lines)
        writer = voice.writer
        writer.note(position, lines)
        if lines[-1].forgets:
            writer.progress().addCallback(lambda _: self._forgotten(switch, voice, writer))

    def _forgotten(self, switch: str, voice: _Voice, writer: NowWriter) -> None:
        """Nothing has to be kept of a switch that is forgotten, if it did not come again."""
        if self._voices.get(switch) is voice and not writer.behind:
            self.leave(switch)

    async def _say(self, switch: str, voice: _Voice, lines: Sequence[Line]) -> Position:
        subject, payload = eventSubject(switch), payloadOf(lines)
        id = messageId(voice.token, voice.counter)
        while True:
            proof = Proof(self._now(), self._streams.connection)
            try:
                write = Write(Stream.EVENTS, subject, payload, voice.last, id)
                number = await self._streams.append(write)
                break
            except Fenced:
                # The broker may have it: the acknowledgement of an attempt was lost.
                found = await self._lastEvent(subject)
                if found is None or found.id != id:
                    self.fenced += 1
                    raise
                number = found.sequence
                break
            except BrokerUnavailable:
                await pause(self._streams, self._clock)
        voice.counter += 1
        voice.last = number
        return Position(number, id, proof)

    async def _lastEvent(self, subject: str) -> Stored | None:
        while True:
            try:
                return await self._streams.last(Stream.EVENTS, subject)
            except BrokerUnavailable:
                await pause(self._streams, self._clock)

    def connected(self) -> None:
        """
        There is a new connection: what it leads to may have lost what was told. A switch that
        is quiet would not notice.
        """
        writers = [voice.writer for voice in self._voices.values() if voice.writer is not None]
        for place, writer in enumerate(writers):
            writer.look(LOOKS * place / len(writers))

    # The end

    def leave(self, switch: str) -> None:
        """See L{IEventPublisher.leave}."""
        voice = self._voices.pop(switch, None)
        if voice is not None:
            voice.lost = True
            if voice.writer is not None:
                voice.writer.close()

    def close(self) -> Deferred[None]:
        """See L{IEventPublisher.close}."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        writers = [voice.writer for voice in self._voices.values() if voice.writer is not None]
        flushed = DeferredList([writer.flush() for writer in writers])

        def end() -> None:
            for writer in writers:
                writer.close()

        late = self._clock.callLater(FAREWELL, end)
        await flushed
        if late.active():
            late.cancel()
        for switch in tuple(self._voices):
            self.leave(switch)
        await self._streams.close()
