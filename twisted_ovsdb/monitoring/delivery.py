# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One observer: it is told the events of its tracker. The first of them waits until
it is known what the observer was told before; with a lock, the first of each time in
which this process has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import Event, ForgetReason, OvsInterface
from twisted_ovsdb.interfaces import IOvsdbEventObserver, Observer, asObserver
from twisted_ovsdb.monitoring.earlier import AskTold, Told, askTold
from twisted_ovsdb.monitoring.telling import Telling
from twisted_ovsdb.openvswitch.report import Report
from twisted_ovsdb.openvswitch.tracker import Tracker

# What is logged of what was told before: when it takes long, and when it fails.
_RECALL: Final = (
    "observer {observer} is told nothing: what it was told before (told=) has not been"
    " found for {seconds:g} s",
    "what observer {observer} was told before (told=) is not known; it is told everything"
    " as INITIAL",
)

_RECALL_ANEW: Final = (
    _RECALL[0],
    "what observer {observer} was told before (told=) is not known; it is told nothing, and"
    " the lock is given up",
)


class Delivery(Telling[Event]):
    """
    Tells one observer the events of its tracker.

    @ivar observer: the observer, or its adapter.
    @ivar tracker: what the observer was told, and what waits for it.
    @ivar added: what was added: the observer, or the views in front of it.
    @ivar report: the same of problems, if the observer asks for them.
    """

    observer: IOvsdbEventObserver

    def __init__(
        self,
        observer: Observer,
        tracker: Tracker,
        clock: IReactorTime,
        told: Told | None = None,
        onRemembered: Callable[[Iterable[OvsInterface]], object] = lambda told: None,
        added: Observer | None = None,
        report: Report | None = None,
        onUntold: Callable[[], object] = lambda: None,
        confirm: Callable[[], Deferred[None]] = lambda: succeed(None),
    ) -> None:
        """
        @param told: what the observer was told in an earlier process. The first
            event waits for it. Where another process may tell of the switch in the place
            of this one, a function is called each time before a snapshot is told.
        @param onRemembered: gets that, when it is known.
        @param added: what was added, if there are views in front of the observer.
        @param report: the problems for the observer; None: it is told of none.
        @param onUntold: called if such a function fails.
        @param confirm: called after it: fires if this process still has the lock. If
            not, it fails, and the session has ended.
        @raise TypeError: as L{asObserver}, and as L{askTold}.
        """
        adapted = asObserver(observer)
        nextEvent = tracker.nextEvent if report is None else report.nextEvent
        super().__init__(adapted, adapted.eventReceived, nextEvent, clock, "eventReceived")
        self.added = observer if added is None else added
        self._adapted = adapted if self.added is observer else self.added
        self.tracker = tracker
        self.report = report
        self._askTold = None if told is None else askTold(told)
        self._askAnew: AskTold | None = None
        if tracker.present.exclusive and callable(told):
            self._askTold, self._askAnew = None, self._askTold
            tracker.recalls = True
        self._asking: Deferred[None] | None = None
        self._onUntold = onUntold
        self._confirm = confirm
        self._onRemembered = onRemembered
        self._parting: Waiters[None] = Waiters()

    def isOf(self, observer: Observer) -> bool:
        """Whether this observer was added, or its adapter is told."""
        # By identity: two observers may be equal.
        return observer is self.added or observer is self._adapted

    def forget(self, reason: ForgetReason) -> Deferred[None]:
        """
        Tell the observer that the switch is forgotten, if it knows the switch.

        @return: fires when the observer has been told, and is not busy; or when
            it is removed.
        """
        self.tracker.forget(reason)
        if self.report is not None:
            self.report.drop()
        self.start()
        self.deliver()
        return succeed(None) if self.parted else self._parting.wait()

    def close(self) -> None:
        """See L{Telling.close}."""
        super().close()
        self._parting.callback(None)

    @property
    def parted(self) -> bool:
        """Whether it is not busy, and knows it if the switch is forgotten."""
        idle = self._busy is None and not self._turn.awaited and not self._delivering
        return self._closed or (idle and not self.tracker.forgetting)

    def _deliver(self) -> None:
        super()._deliver()
        if self._parting and self.parted:
            self._parting.callback(None)

    def _deliverSlice(self) -> None:
        if self._running and self._askTold is not None:
            self._recall(self._askTold)
        super()._deliverSlice()
        if self._askAnew is not None and self._running and self._busy is None:
            if self.tracker.awaitsRecall:
                self._recallAnew(self._askAnew)
                super()._deliverSlice()

    def _recall(self, askTold: AskTold) -> None:
        self._askTold = None
        switch = self.tracker.present.switch

        def recalled(interfaces: tuple[OvsInterface, ...] | None) -> None:
            if interfaces is not None:
                self.tracker.recall(switch, interfaces)
                self._onRemembered(interfaces)

        self._await(askTold(switch).addCallback(recalled), _RECALL)
        if self._closed:  # The function has removed the observer.
            self.close()

    def _recallAnew(self, askTold: AskTold) -> None:
        present = self.tracker.present
        session = present.session

        def failed(failure: Failure) -> Failure | None:
            """It is not known what was told."""
            if self._closed:
                return failure
            # If this process may not tell anything any more, this failure is of no interest.
            if present.inSync and present.session == session:
                self._logFailure(_RECALL_ANEW[1], failure, None)
                self._onUntold()
            return None

        asking = Deferred.fromCoroutine(self._askForSession(askTold, session))
        asking.addErrback(failed)
        self._asking = asking
        self._await(asking, _RECALL_ANEW)
        if self._closed:
            self.close()
        elif not present.inSync or present.session != session:
            # The function has given the lock up.
            self.silence()

    async def _askForSession(self, askTold: AskTold, session: int) -> None:
        present = self.tracker.present
        switch = present.switch
        told = await askTold(switch)
        await self._confirm()
        if present.inSync and present.session == session:
            self.tracker.recallAnew(switch, told)
            if self.report is not None:
                self.report.repeat()  # Nobody knows what other processes have told.
            self._onRemembered(() if told is None else told)

    def silence(self) -> None:
        """Nothing may be told now: stop to ask what was told before."""
        asking, self._asking = self._asking, None
        if asking is not None and self._busy is asking:
            # Later: this may be called by the function that is asked.
            self._clock.callLater(0, self._cancelAsking, asking)

    def _cancelAsking(self, asking: Deferred[None]) -> None:
        with self._log.failuresHandled(
            "observer {observer} failed when it was cancelled", observer=self.observer
        ):
            asking.cancel()
