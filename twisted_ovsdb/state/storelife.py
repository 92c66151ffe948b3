# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When the store of an application is opened and closed: as soon as it is needed, whenever
the application says so, and when the reactor stops. What is kept in it is left to its
owner.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import escaped
from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import Damaged, StateRefused, explain, moment
from twisted_ovsdb.state.sink import Settle
from twisted_ovsdb.state.store import Store


@attrs.frozen
class StoreOwner:
    """
    The owner of a store: what is called when the store is opened and closed.

    @ivar log: says what happens to the store.
    @ivar opened: the store is open.
    @ivar finish: commit what waits: the store is about to be closed.
    @ivar last: the reactor has stopped, and the store is about to be closed: returns the
        batches that wait, by the names of the observers. Nothing is noted after that.
    @ivar finished: called after either of them: nothing more is noted.
    """

    log: Logger
    opened: Callable[[], object]
    finish: Callable[[], Awaitable[object]]
    last: Callable[[], Mapping[str, Batch]]
    finished: Callable[[], object]


class StoreLife:
    """
    A store, and the thread in which it works, from each open to each close.

    @ivar store: the store, while it may be used.
    @ivar shown: its folder, for the log.
    """

    def __init__(
        self, folder: Path, reactor: Any, makeThread: Callable[[Any], Any], owner: StoreOwner
    ) -> None:
        """
        @param reactor: None: the global reactor.
        @param makeThread: makes a L{DiskThread} of this reactor.
        """
        self.store: Store | None = None
        self.shown = escaped(str(folder))
        self._folder = folder
        self._givenReactor = reactor
        self._makeThread = makeThread
        self._owner = owner
        self._log = owner.log
        self._thread: Any = None
        self._made: Store | None = None  # what the thread has opened
        self._refused: StateRefused | None = None
        self._changing = False  # it is being opened or closed
        self._opening: Waiters[None] = Waiters()
        self._closing: Waiters[None] = Waiters()
        self._trigger: Any = None

    @property
    def reactor(self) -> Any:
        """The reactor."""
        if self._givenReactor is None:
            from twisted.internet import reactor

            self._givenReactor = reactor
        return self._givenReactor

    def open(self) -> Deferred[None]:
        """See L{ObserverState.open}."""
        if self.store is not None:
            return succeed(None)
        opened = self._opening.wait()
        if not self._changing:
            self._start()
        return opened

    def close(self) -> Deferred[None]:
        """See L{ObserverState.close}."""
        closed = self._closing.wait()
        if not self._changing:
            self._change()
        return closed

    # What the owner asks for

    async def ready(self) -> Store | None:
        """The store; None if it cannot be used, which is logged once."""
        if self.store is None and self._refused is None:
            try:
                await self.open()
            except StateRefused as e:
                if self._refused is None:
                    self._refused = e
                    self._log.error(
                        "the state in {folder}: {reason}; observers are told"
                        " everything as INITIAL, and nothing is kept",
                        folder=self.shown,
                        reason=str(e),
                    )
        return self.store

    async def told(self, name: str, switch: str) -> list[OvsInterface] | None:
        """As L{Store.told}; None while the store is closed."""
        if self.store is None:
            return None
        found: list[OvsInterface] | None = await self._thread.run(self.store.told, name, switch)
        return found

    def commit(self, name: str, batch: Batch, settle: Settle) -> Deferred[None]:
        """As L{Store.commit}, also while the store is being closed."""
        assert self._made is not None
        done: Deferred[None] = self._thread.run(self._made.commit, name, batch, settle)
        return done.addErrback(self._abandon)

    def _abandon(self, failure: Failure) -> Failure:
        """A database that is damaged is no more to be read."""
        if failure.check(Damaged) and self._made is not None:
            self._thread.run(self._made.abandon, moment())
        return failure

    # How it is opened and closed

    def _start(self) -> None:
        self._changing = True
        self._thread = self._makeThread(self.reactor)
        self._thread.start()
        self._trigger = self.reactor.addSystemEventTrigger("during", "shutdown", self._end)
        self._thread.run(self._make).addCallbacks(self._opened, self._failed)

    def _make(self) -> Store:
        self._made = Store(self._folder, moment())
        return self._made

    def _opened(self, store: Store) -> None:
        self._changing = False
        self.store = store
        if store.movedAside is not None:
            self._log.warn(
                "the state in {folder} is damaged: it is now {aside}, and observers are told"
                " everything as INITIAL",
                folder=self.shown,
                aside=escaped(store.movedAside),
            )
        self._owner.opened()
        self._opening.callback(None)
        self._change()

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
            self.reactor.removeSystemEventTrigger(trigger)
        self._thread.stop()

    def _change(self) -> None:
        """Do what was asked for while the store was being opened or closed."""
        if self._changing:
            return
        if self._closing and self.store is not None:
            self._changing = True
            self.store = None
            Deferred.fromCoroutine(self._close()).addErrback(self._notClosed)
            return
        self._closing.callback(None)
        # A callback may have done this already.
        if self._opening and self.store is None and not self._changing:
            self._start()

    async def _close(self) -> None:
        await self._owner.finish()
        try:
            self._owner.finished()
            await self._thread.run(self._shut)
        finally:
            self._changing = False
            self._stopThread()
            self._change()

    def _notClosed(self, failure: Failure) -> None:
        self._log.failure("closing the state in {folder}", failure=failure, folder=self.shown)

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
        batches = self._owner.last()
        self._owner.finished()
        self._thread.run(self._endInThread, batches).addErrback(self._notClosed)
        self._thread.stop()
        self.store = None

    def _endInThread(self, batches: Mapping[str, Batch]) -> None:
        if self._made is None:
            return
        for name, batch in batches.items():
            try:
                self._made.commitLast(name, batch)
            except (OSError, sqlite3.Error, Damaged) as e:
                self._log.error(
                    "the state in {folder}: {reason}; what {name} was told last is not kept",
                    folder=self.shown,
                    reason=explain(e),
                    name=name,
                )
        self._shut()
