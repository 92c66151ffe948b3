# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an application's observers were told, kept over the end of the process: each observer
has a name, under which it is stored. When the store is opened is left to its life.
"""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import escaped
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver, Observer, asObserver
from twisted_ovsdb.openvswitch.views import behindViews
from twisted_ovsdb.parameters import checkTexts
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import explain
from twisted_ovsdb.state.journal import Journal
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.remembering import Meanwhile, Recorder, Remembered
from twisted_ovsdb.state.roll import Roll
from twisted_ovsdb.state.sink import SOON, Sink, SinkFate
from twisted_ovsdb.state.storelife import StoreLife, StoreOwner
from twisted_ovsdb.state.thread import DiskThread


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
        owner = StoreOwner(self._log, self._opened, self._finish, self._last, self._finished)
        self._life = StoreLife(self._folder, reactor, self.threadFactory, owner)
        self._recorders: dict[str, Recorder] = {}
        self._journals: dict[str, Journal] = {}
        self._again: dict[str, Waiters[None]] = {}  # are told what was being told

    def __repr__(self) -> str:
        return f"<ObserverState {self._life.shown}>"

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
        return self._life.open()

    def close(self) -> Deferred[None]:
        """
        Commit what waits, and close the store. This is done when the reactor stops.
        What observers are told after this is committed when the store is opened again.

        @return: fires when it is closed, and another process may use the folder. On
            a disk that takes no commit this waits for no commit.
        """
        return self._life.close()

    # When the store is opened and closed

    def _opened(self) -> None:
        for name in self._recorders:
            self._attach(name)

    def _attach(self, name: str) -> None:
        store = self._life.store
        assert store is not None
        recorder = self._recorders[name]
        if recorder.sink is not None:
            return
        stored = store.sink(name)
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
            partial(self._life.commit, name),
            self._life.reactor,
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
                folder=self._life.shown,
                reason=explain(e),
                name=escaped(name),
            )
            return Batch()

    async def _finish(self) -> None:
        for recorder in self._recorders.values():
            sink, recorder.sink = recorder.sink, None
            if sink is not None:
                recorder.meanwhile = Meanwhile()
                await sink.finish()

    def _last(self) -> dict[str, Batch]:
        batches: dict[str, Batch] = {}
        for name, recorder in self._recorders.items():
            sink, recorder.sink = recorder.sink, None
            if sink is not None:
                recorder.meanwhile = Meanwhile()
                batches[name] = sink.last()
        return batches

    def _finished(self) -> None:
        for journal in self._journals.values():
            journal.close()

    # What an observer asks for

    def _told(self, name: str, switch: str) -> Deferred[list[OvsInterface] | None]:
        return Deferred.fromCoroutine(self._askTold(name, switch))

    async def _askTold(self, name: str, switch: str) -> list[OvsInterface] | None:
        if await self._life.ready() is None:
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
        return await self._life.told(name, switch)


class _Fate(SinkFate):
    """Logs what happens to the commits of one observer."""

    def __init__(self, state: ObserverState, recorder: Recorder) -> None:
        self._log = state._log
        self._shown = state._life.shown
        self._recorder = recorder

    def full(self, reason: str) -> None:
        """See L{SinkFate.full}."""
        self._log.error(
            "the state in {folder}: {reason}; trying again until there is room",
            folder=self._shown,
            reason=reason,
        )

    def goesOn(self) -> None:
        """See L{SinkFate.goesOn}."""
        self._log.error("the state in {folder}: there is room again", folder=self._shown)

    def failed(self, reason: str) -> None:
        """See L{SinkFate.failed}."""
        self._recorder.sink = None
        self._log.error(
            "the state in {folder}: {reason}; what {observer} is told from now on is not kept",
            folder=self._shown,
            reason=reason,
            observer=self._recorder,
        )
