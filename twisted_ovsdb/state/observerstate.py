# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an application's observers were told, kept over the end of the process.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime, timezone
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import escaped
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver, Observer, asObserver
from twisted_ovsdb.openvswitch.views import behindViews
from twisted_ovsdb.parameters import checkTexts
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import Damaged, StateRefused, explain
from twisted_ovsdb.state.journal import Journal
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.remembering import Meanwhile, Recorder, Remembered
from twisted_ovsdb.state.roll import Roll
from twisted_ovsdb.state.sink import SOON, Settle, Sink, SinkFate
from twisted_ovsdb.state.store import Store
from twisted_ovsdb.state.thread import DiskThread


def moment() -> str:
    """The time, as it is part of the name of a file."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")


class ObserverState:
    """
    Keeps what observers were told in a folder, so that they are told exactly what
    is different after the process was stopped, killed or upgraded.

    The store is opened when the first observer is about to be told something, or by
    L{open}, and closed when the reactor stops. Until then, nothing is done with the
    folder: the process may become a daemon, or another user, before.
    """

    threadFactory: ClassVar[type[Any]] = DiskThread

    _log = Logger()

    def __init__(self, folder: str | os.PathLike[str], reactor: Any = None) -> None:
        """
        @param folder: belongs to this process alone. It is made if it does not
            exist; the folder that it is in must exist.
        @param reactor: schedules calls, and runs what comes from a thread; by
            default the global reactor.
        @raise TypeError: if C{folder} is no path.
        """
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"folder must be a path, not {folder!r}")
        # A daemon changes its directory.
        self._folder = Path(os.path.abspath(folder))
        self._shown = escaped(str(self._folder))
        self._givenReactor = reactor
        self._thread: Any = None
        self._made: Store | None = None  # what the thread has opened
        self._store: Store | None = None  # while it may be used
        self._refused: StateRefused | None = None
        self._changing = False  # it is being opened or closed
        self._opening: Waiters[None] = Waiters()
        self._closing: Waiters[None] = Waiters()
        self._recorders: dict[str, Recorder] = {}
        self._journals: dict[str, Journal] = {}
        self._again: dict[str, Waiters[None]] = {}  # are told what was being told
        self._trigger: Any = None

    def __repr__(self) -> str:
        return f"<ObserverState {self._shown}>"

    def remember(self, name: str, observer: Observer) -> IOvsdbEventObserver:
        """
        Make an observer remember what it is told.

        @param name: names the observer in this folder, now and in later processes.
        @param observer: the observer. It may be in views such as L{onlyKinds
            <twisted_ovsdb.onlyKinds>}.
        @return: what to give to C{addObserver} or a constructor in its place, also
            of several factories, and to C{removeObserver}.
        @raise TypeError: if the name is no text, or this is not an observer.
        @raise ValueError: if the name is taken, or empty.
        """
        checkTexts(name=name)
        if not name:
            raise ValueError("name must not be empty")
        if name in self._recorders:
            raise ValueError(f"{name!r} is remembered already")

        def make(behind: IOvsdbEventObserver) -> Remembered:
            recorder = Recorder(asObserver(behind), partial(self._recall, name))
            self._recorders[name] = recorder
            return Remembered(recorder, partial(self._told, name))

        return behindViews(asObserver(observer), make)

    def open(self) -> Deferred[None]:
        """
        Open the store now. Without this, it is opened when it is needed.

        @return: fires when the store is open. L{StateRefused} if it cannot be used:
            another process uses it, a newer version wrote it, or the disk refuses.
            Observers are then told everything as INITIAL, and nothing is kept.
        """
        if self._store is not None:
            return succeed(None)
        opened = self._opening.wait()
        if not self._changing:
            self._start()
        return opened

    def close(self) -> Deferred[None]:
        """
        Commit what waits, and close the store. This is done when the reactor stops.
        What observers are told after this is committed when the store is opened again.

        @return: fires when it is closed, and another process may use the folder. On
            a disk that takes no commit this waits for no commit.
        """
        closed = self._closing.wait()
        if not self._changing:
            self._change()
        return closed

    # How it is opened and closed

    @property
    def _reactor(self) -> Any:
        if self._givenReactor is None:
            from twisted.internet import reactor

            self._givenReactor = reactor
        return self._givenReactor

    def _start(self) -> None:
        self._changing = True
        self._thread = self.threadFactory(self._reactor)
        self._thread.start()
        self._trigger = self._reactor.addSystemEventTrigger("during", "shutdown", self._end)
        self._thread.run(self._make).addCallbacks(self._opened, self._failed)

    def _make(self) -> Store:
        self._made = Store(self._folder, moment())
        return self._made

    def _opened(self, store: Store) -> None:
        self._changing = False
        self._store = store
        if store.movedAside is not None:
            self._log.warn(
                "the state in {folder} is damaged: it is now {aside}, and observers are told"
                " everything as INITIAL",
                folder=self._shown,
                aside=escaped(store.movedAside),
            )
        for name in self._recorders:
            self._attach(name)
        self._opening.callback(None)
        self._change()

    def _attach(self, name: str) -> None:
        assert self._store is not None
        recorder = self._recorders[name]
        if recorder.sink is not None:
            return
        stored = self._store.sink(name)
        meanwhile, recorder.meanwhile = recorder.meanwhile, None
        journal = recorder.journal = self._journals[name] = self._makeJournal(name)
        batch = self._openJournal(name, None if stored is None else stored.position)
        begun = [event for each in batch.switches.values() for event in each.begun.values()]
        if meanwhile is None:
            recorder.roll = Roll({} if stored is None else stored.switches)
            recorder.roll.apply(batch)
        else:
            batch.add(meanwhile.batch)
        recorder.sink = Sink(
            partial(self._commit, name),
            self._reactor,
            _Fate(self, recorder),
            journal.cut,
            batch,
            SOON,
        )
        if meanwhile is not None:
            meanwhile.over = True
            recorder.sink.changed()
        elif begun:
            told = self._again[name] = Waiters()
            telling = Deferred.fromCoroutine(recorder.tellAgain(begun))
            telling.addBoth(lambda _: self._again.pop(name)).addCallback(told.callback)

    def _makeJournal(self, name: str) -> Journal:
        before = self._journals.get(name)
        if before is not None:
            before.close()
        # Any text may be the name of an observer.
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return Journal(self._folder / f"told-{digest[:16]}.jsonl")

    def _openJournal(self, name: str, last: Position | None) -> Batch:
        try:
            return self._journals[name].open(last)
        except OSError as e:
            self._log.error(
                "the state in {folder}: {reason}; what observer {name} is told in the last"
                " moments before a crash may be told again",
                folder=self._shown,
                reason=explain(e),
                name=escaped(name),
            )
            return Batch()

    def _failed(self, failure: Failure) -> None:
        fault = failure.value
        assert isinstance(fault, Exception)
        self._changing = False
        self._stopThread()
        if not isinstance(fault, StateRefused):
            fault = StateRefused(explain(fault))
        self._opening.errback(fault)
        self._change()

    def _stopThread(self) -> None:
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self._reactor.removeSystemEventTrigger(trigger)
        self._thread.stop()

    def _change(self) -> None:
        """Do what was asked for while the store was being opened or closed."""
        if self._changing:
            return
        if self._closing and self._store is not None:
            self._changing = True
            self._store = None
            Deferred.fromCoroutine(self._close()).addErrback(self._notClosed)
            return
        self._closing.callback(None)
        # A callback may have done this already.
        if self._opening and self._store is None and not self._changing:
            self._start()

    async def _close(self) -> None:
        for recorder in self._recorders.values():
            sink, recorder.sink = recorder.sink, None
            if sink is not None:
                recorder.meanwhile = Meanwhile()
                await sink.finish()
        try:
            for journal in self._journals.values():
                journal.close()
            await self._thread.run(self._shut)
        finally:
            self._changing = False
            self._stopThread()
            self._change()

    def _notClosed(self, failure: Failure) -> None:
        self._log.failure("closing the state in {folder}", failure=failure, folder=self._shown)

    def _shut(self) -> None:
        store, self._made = self._made, None
        if store is not None:
            store.close()

    def _end(self) -> None:
        """
        The reactor has stopped. It calls nothing any more, so this waits for the thread:
        for a commit that was begun, for that of what was told last, and for the close.
        """
        self._trigger = None
        batches: dict[str, Batch] = {}
        for name, recorder in self._recorders.items():
            sink, recorder.sink = recorder.sink, None
            if sink is not None:
                recorder.meanwhile = Meanwhile()
                batches[name] = sink.last()
        for journal in self._journals.values():
            journal.close()
        self._thread.run(self._endInThread, batches).addErrback(self._notClosed)
        self._thread.stop()
        self._store = None

    def _endInThread(self, batches: dict[str, Batch]) -> None:
        if self._made is None:
            return
        for name, batch in batches.items():
            try:
                self._made.commitLast(name, batch)
            except (OSError, sqlite3.Error, Damaged) as e:
                self._log.error(
                    "the state in {folder}: {reason}; what {name} was told last is not kept",
                    folder=self._shown,
                    reason=explain(e),
                    name=name,
                )
        self._shut()

    # What an observer asks for

    async def _ready(self) -> Store | None:
        """The store; None if it cannot be used, which is logged once."""
        if self._store is None and self._refused is None:
            try:
                await self.open()
            except StateRefused as e:
                if self._refused is None:
                    self._refused = e
                    self._log.error(
                        "the state in {folder}: {reason}; observers are told"
                        " everything as INITIAL, and nothing is kept",
                        folder=self._shown,
                        reason=str(e),
                    )
        return self._store

    def _told(self, name: str, switch: str) -> Deferred[list[OvsInterface] | None]:
        return Deferred.fromCoroutine(self._askTold(name, switch))

    async def _askTold(self, name: str, switch: str) -> list[OvsInterface] | None:
        store = await self._ready()
        if store is None:
            return None
        self._attach(name)
        if name in self._again:
            await self._again[name].wait()
        self._recorders[name].roll.met(switch)
        return await self._readTold(name, switch)

    def _recall(self, name: str, switch: str) -> Deferred[list[OvsInterface] | None]:
        return Deferred.fromCoroutine(self._readTold(name, switch))

    async def _readTold(self, name: str, switch: str) -> list[OvsInterface] | None:
        sink = self._recorders[name].sink
        if sink is not None and (not sink.settled or self._journals[name].isNew):
            # The end of the last life may be in it, or the observer was removed, and was
            # added again.
            await sink.flush()
            self._journals[name].isNew = False
        if self._store is None:
            return None
        found: list[OvsInterface] | None = await self._thread.run(self._store.told, name, switch)
        return found

    def _commit(self, name: str, batch: Batch, settle: Settle) -> Deferred[None]:
        assert self._made is not None
        done: Deferred[None] = self._thread.run(self._made.commit, name, batch, settle)
        return done.addErrback(self._abandon)

    def _abandon(self, failure: Failure) -> Failure:
        """A database that is damaged is no more to be read."""
        if failure.check(Damaged) and self._made is not None:
            self._thread.run(self._made.abandon, moment())
        return failure


class _Fate(SinkFate):
    """Logs what happens to the commits of one observer."""

    def __init__(self, state: ObserverState, recorder: Recorder) -> None:
        self._state = state
        self._recorder = recorder

    def full(self, reason: str) -> None:
        """See L{SinkFate.full}."""
        self._state._log.error(
            "the state in {folder}: {reason}; trying again until there is room",
            folder=self._state._shown,
            reason=reason,
        )

    def goesOn(self) -> None:
        """See L{SinkFate.goesOn}."""
        self._state._log.error(
            "the state in {folder}: there is room again", folder=self._state._shown
        )

    def failed(self, reason: str) -> None:
        """See L{SinkFate.failed}."""
        self._recorder.sink = None
        self._state._log.error(
            "the state in {folder}: {reason}; what {observer} is told from now on is not kept",
            folder=self._state._shown,
            reason=reason,
            observer=self._recorder,
        )
