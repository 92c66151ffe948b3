# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{--state}: each event is in the events file exactly once, also if the process is
killed. What was told, and how far the file has come, are committed together, after
the file is on the disk; the lines behind the last commit are read at the next start.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from functools import partial
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from twisted_ovsdb.command.ending import stopWith
from twisted_ovsdb.command.eventsfile import isAnother, isRegular, openEvents
from twisted_ovsdb.command.linewriter import LineWriter
from twisted_ovsdb.command.output import EventsService, closeWriter
from twisted_ovsdb.command.stateservice import StateService
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import ForgetReason, OvsInterface
from twisted_ovsdb.observers.jsonlines import lineOf, timesOf
from twisted_ovsdb.state.batch import Batch, SwitchChanges
from twisted_ovsdb.state.database import Damaged, explain
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.remembering import Recorder, Remembered
from twisted_ovsdb.state.roll import Roll
from twisted_ovsdb.state.sink import Settle, Sink, SinkFate
from twisted_ovsdb.state.tail import Where, readTail

TICK: Final = 600.0
"""Seconds between two looks which switches do not come back."""

_FOUND: Final = {
    Where.MOVED: "was rotated while no process ran; its last lines were found",
    Where.CUT: "was cut while no process ran; what was told counts all the same",
    Where.LOST: (
        "is another file, and the one that was written to last is not found: what was told"
        " counts all the same, and the last 0.1 s may be told again"
    ),
}
"""What is logged of a file that is not as it was left."""


class KeptEvents(EventsService):
    """
    Writes each event to a file exactly once, also over the end of the process.

    @ivar stateTrouble: why nothing can be committed; empty if it can.
    """

    def __init__(
        self,
        events: str,
        state: StateService,
        sources: Iterable[str],
        listens: bool,
        fail: Callable[[str], BaseException] = SystemExit,
    ) -> None:
        """
        @param state: the store, which starts this service.
        @param sources: the endpoints that are given, as their user wrote them.
        @param listens: whether switches can connect to us.
        """
        EventsService.__init__(self, events, fail)
        self._state = state
        self._sources = frozenset(sources)
        self._listens = listens
        self._recorder = Recorder(self.observer, self._recall)
        self.observer = Remembered(self._recorder, self._told)
        self.stateTrouble = ""
        self._incomplete = False  # whether the file has no base
        self._moving = False  # to another file
        self._next: int | None = None  # its descriptor, when the old file is complete
        self._moved: Waiters[None] = Waiters()
        self._broken = False
        self._ticking: IDelayedCall | None = None

    @property
    def shownState(self) -> str:
        """The folder of the store, for the log."""
        return self._state.shown

    @property
    def uncommitted(self) -> int:
        """Events that were told and are not committed yet."""
        sink = self._recorder.sink
        return 0 if sink is None else sink.waiting

    @property
    def lastCommit(self) -> float | None:
        """When the last commit was made, in seconds since the epoch; None before the first."""
        sink = self._recorder.sink
        return None if sink is None else sink.lastCommit

    def missing(self) -> str | None:
        """Why no lines can be written or committed now; None if they can."""
        found = super().missing()
        if found is None and self.stateTrouble:
            found = f"--state {self.shownState}: {self.stateTrouble}"
        return found

    # From start to stop

    def startService(self) -> None:
        """Open the file, and read what was told after the last commit."""
        Service.startService(self)
        try:
            if not isRegular(self._events):
                raise self._fail(
                    f"--events {self.shown}: is no regular file, and --state needs one"
                )
            descriptor = openEvents(self._events, os.O_RDWR)
            batch = self._resume(descriptor)
        except OSError as e:
            reason = f"--events {self.shown}: cannot be opened: {e.strerror}"
            raise self._fail(reason) from e
        self._writer = self._begin(descriptor, resumed=batch is not None)
        fate = _StateFate(self)
        self._recorder.sink = sink = Sink(self._commit, _reactor(), fate, self._cut, batch)
        for switch in self._recorder.roll.notGiven(self._sources, self._listens):
            self._forget(switch, ForgetReason.ENDPOINT)
        self._forgetLost()
        sink.changed()
        self._look()
        self._ticking = _reactor().callLater(TICK, self._tick)

    def _resume(self, descriptor: int) -> Batch | None:
        """
        @return: what was told before and is not committed; None if nothing was told
            before.
        """
        assert self._state.store is not None
        stored = self._state.store.sink(self._events)
        batch = Batch()
        self._incomplete = False
        if stored is None or stored.position is None:
            self._recorder.roll = Roll({})
            self._takeUp(batch, partial(_settleMove, descriptor, descriptor))
            return None
        where = readTail(self._events, descriptor, stored.position, batch)
        if where in _FOUND:
            log = self._log.info if where is Where.MOVED else self._log.warn
            log("--events {events}: {found}", events=self.shown, found=_FOUND[where])
        # After a rotation, nothing may be in the new file yet.
        begun = stored.position.offset > 0 or batch.emptied
        self._incomplete = where is not Where.HERE or not begun
        self._recorder.roll = roll = Roll(stored.switches)
        roll.apply(batch)
        if where in (Where.MOVED, Where.CUT):
            # Its lines are in the batch, and may be added once more.
            self._takeUp(batch, partial(_beginning, descriptor))
        return batch

    def _takeUp(self, batch: Batch, settle: Settle) -> None:
        """
        Commit which file is written next, before it has a line of this process. If the
        process is killed before its next commit, these lines count, also if the file is
        moved after that.
        """
        assert self._state.store is not None
        with contextlib.suppress(OSError, sqlite3.Error, Damaged):  # the sink tries it again
            self._state.store.commit(self._events, batch, settle)

    def stopService(self) -> Deferred[None] | None:
        """Write and commit what waits, and close the file."""
        Service.stopService(self)
        for call in (self._looking, self._ticking):
            if call is not None:
                call.cancel()
        self._looking = self._ticking = None
        writer, sink = self._writer, self._recorder.sink
        self._recorder.sink = None
        if writer is None or sink is None:
            return None
        writer.flush()
        if writer.pending or self._broken:
            # The lines that the file has are read at the next start.
            sink.stop()
        return sink.finish().addCallback(lambda _: self._close())

    # Commits

    def _commit(self, batch: Batch, settle: Settle) -> Deferred[None]:
        assert self._state.store is not None
        done: Deferred[None] = self._state.thread.run(
            self._state.store.commit, self._events, batch, settle
        )
        return done

    def _cut(self) -> Settle | None:
        """See L{Sink}: the file must have exactly the lines of the events that were noted."""
        writer = self._writer
        if writer is None or self._broken:
            return None
        if self._next is not None:
            return partial(_settleMove, writer.fileno(), self._next)
        writer.flush()
        if writer.pending or self._isCut(writer):
            return None
        position = writer.written
        assert position is not None
        return partial(_settle, writer.fileno(), position)

    def _isCut(self, writer: LineWriter) -> bool:
        if writer.emptied and not self._broken:
            self._broken = True
            self._log.error(
                "--events {events}: somebody has cut it, as copytruncate of logrotate does; with"
                " --state, rotate it by moving it: stopping",
                events=self.shown,
            )
            stopWith(_reactor(), 1)
        return self._broken

    def _told(self, switch: str) -> Deferred[list[OvsInterface] | None]:
        return Deferred.fromCoroutine(self._askTold(switch))

    async def _askTold(self, switch: str) -> list[OvsInterface] | None:
        self._recorder.roll.met(switch)
        if self._incomplete:
            self.replayOf(switch)
        return await self._readTold(switch)

    def _recall(self, switch: str) -> Deferred[list[OvsInterface] | None]:
        return Deferred.fromCoroutine(self._readTold(switch))

    async def _readTold(self, switch: str) -> list[OvsInterface] | None:
        sink = self._recorder.sink
        if sink is not None and not sink.settled:
            # The end of the last life may be in what is not committed.
            await sink.flush()
        store = self._state.store
        if store is None:
            return None
        try:
            found: list[OvsInterface] | None = await self._state.thread.run(
                store.told, self._events, switch
            )
        except (Damaged, sqlite3.Error) as e:
            _StateFate(self).failed(explain(e))
            # Without it, what was told would be told once more.
            return await Deferred()
        return found

    # Rotation

    def reopen(self) -> None:
        """Go on in the file at the path, if it is no longer the one that is open."""
        writer = self._writer
        if writer is None or self._moving or self._isCut(writer):
            return
        if not isAnother(self._events, writer.fileno()):
            return
        if not isRegular(self._events):
            self._complain("no regular file")
            return
        descriptor = self._openAgain(os.O_RDWR)
        if descriptor is not None:
            self._moving = True
            Deferred.fromCoroutine(self._move(writer, descriptor)).addErrback(
                lambda failure: self._log.failure("rotation", failure=failure)
            )

    async def _move(self, writer: LineWriter, descriptor: int) -> None:
        await writer.drained()
        sink = self._recorder.sink
        if sink is not None:
            self._next = descriptor
            await sink.flush()
            self._next = None
        self._moving = False
        if self._recorder.sink is None or self._broken:
            os.close(descriptor)
            return
        self._writer = self._begin(descriptor, resumed=True)
        closeWriter(writer)
        self._log.info("--events {events}: opened again", events=self.shown)
        self._moved.callback(None)
        self.replay()

    def _write(self, line: bytes) -> Deferred[None] | None:
        if not self._moving:
            return super()._write(line)
        return Deferred.fromCoroutine(self._writeLater(line))

    async def _writeLater(self, line: bytes) -> None:
        await self._moved.wait()
        busy = super()._write(line)
        if busy is not None:
            await busy

    # Switches that do not come back

    def _tick(self) -> None:
        self._ticking = _reactor().callLater(TICK, self._tick)
        sink = self._recorder.sink
        if sink is None or self._moving:
            return
        for switch, absent in self._recorder.roll.passed(TICK):
            sink.batch.switches.setdefault(switch, SwitchChanges()).absent = absent
        self._forgetLost()
        if sink.batch:
            sink.changed()

    def _forgetLost(self) -> None:
        for switch in self._recorder.roll.lost(self._state.forget):
            self._forget(switch, ForgetReason.AGE)

    def _forget(self, switch: str, reason: ForgetReason) -> None:
        sink = self._recorder.sink
        assert sink is not None
        now = datetime.now(timezone.utc)
        value = {"event": "forgotten", "reason": reason.value, "switch": switch}
        self._write(lineOf({**value, **timesOf(now)}))
        self._recorder.roll.forget(switch)
        sink.batch.forget(switch)

    # What the writer and the sink tell

    def readerGone(self) -> None:
        """See L{Fate.readerGone}."""
        self._broken = True
        super().readerGone()

    def failed(self, reason: str) -> None:
        """See L{Fate.failed}."""
        self._broken = True
        super().failed(reason)

    def stateFailed(self) -> None:
        """Nothing can be committed: the next process goes on from the last commit."""
        if not self._broken:
            self._broken = True
            stopWith(_reactor(), 1)


class _StateFate(SinkFate):
    """Logs what happens to commits."""

    _log = Logger()

    def __init__(self, file: KeptEvents) -> None:
        self._file = file
        self._shown = file.shownState

    def full(self, reason: str) -> None:
        """See L{SinkFate.full}."""
        self._file.stateTrouble = reason
        self._log.error(
            "--state {folder}: {reason}; trying again until there is room",
            folder=self._shown,
            reason=reason,
        )

    def goesOn(self) -> None:
        """See L{SinkFate.goesOn}."""
        self._file.stateTrouble = ""
        self._log.error("--state {folder}: there is room again", folder=self._shown)

    def failed(self, reason: str) -> None:
        """See L{SinkFate.failed}."""
        self._log.error("--state {folder}: {reason}: stopping", folder=self._shown, reason=reason)
        self._file.stateFailed()


def _settle(descriptor: int, position: Position) -> Position:
    os.fdatasync(descriptor)
    return position.marked(descriptor)


def _beginning(descriptor: int) -> Position:
    found = os.fstat(descriptor)
    return Position(found.st_dev, found.st_ino, 0)


def _settleMove(old: int, new: int) -> Position:
    """
    @param old: the file that is complete.
    @param new: the one that is to be written next.
    """
    os.fdatasync(old)
    found = os.fstat(new)
    assert stat.S_ISREG(found.st_mode)
    return Position(found.st_dev, found.st_ino, found.st_size).marked(new)


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
