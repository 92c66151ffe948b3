# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What can be asked at any time of what is known, beside being told of events.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.monitoring.index import Index
from twisted_ovsdb.monitoring.readiness import Readiness
from twisted_ovsdb.openvswitch.tracker import Present


class Lookup:
    """
    The part of L{InterfaceMonitor <twisted_ovsdb.InterfaceMonitor>} that
    answers questions. No answer waits for an observer.
    """

    def __init__(self, present: Present, clock: IReactorTime) -> None:
        self._present = present
        self._clock = clock
        self._synchronized: Waiters[tuple[OvsInterface, ...]] = Waiters()
        self._byName = Index(present.rows, attrgetter("name"))
        self._byIfaceId = Index(present.rows, attrgetter("iface_id"))
        self._readiness = Readiness(present, self._byIfaceId, clock)

    def interfaces(self, kind: InterfaceKind | None = None) -> tuple[OvsInterface, ...]:
        """
        What exists now and has a class; in an outage, as it was last known.

        @param kind: only those of this class.
        """
        found = self._present.interfaces()
        return found if kind is None else tuple(row for row in found if row.kind is kind)

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """
        @return: the interface of this name, None if there is none that has a
            class. In an outage, as it was last known.
        """
        return next(iter(self._byName.get(name)), None)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """
        @return: the interfaces that have a class and this
            C{external_ids:iface-id}: usually one, and for a while two when
            what it names moves to another port. In an outage, as they were
            last known.
        """
        return self._byIfaceId.get(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        @return: every interface that has a class, as soon as a snapshot has
            been applied, at once when in sync; does not wait for observers.
            CancelledError when the monitor is stopped.
        """
        if self._present.inSync:
            return succeed(self._present.interfaces())
        return self._synchronized.wait()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """
        Wait until a VM's interface can be used.

        @param ifaceId: its C{external_ids:iface-id}.
        @param timeout: seconds to wait at most; None is as long as it takes.
        @return: the interface of class VM that has this iface-id and is
            L{ready <OvsInterface.ready>}, at once if there is one already. In
            an outage nothing is ready until the next snapshot. Does not wait
            for observers. L{twisted.internet.defer.TimeoutError}, whose text
            says what is lacking, after the timeout; CancelledError when the
            monitor is stopped.
        """
        return self._readiness.wait(ifaceId, timeout)

    def _answerSnapshot(self) -> None:
        """
        A snapshot has been applied.
        """
        if self._synchronized:
            interfaces = self._present.interfaces()
            self._synchronized.fire(lambda waiter: waiter.callback(interfaces))
        self._readiness.look(self._present.rows.values())

    def _answerUpdate(self, rows: Iterable[OvsInterface | None]) -> None:
        """
        An update has been applied.

        @param rows: as they are now, None for one that is gone.
        """
        self._readiness.look(rows)

    def _answerNobody(self) -> None:
        """
        The monitor is stopped.
        """
        self._synchronized.fire(lambda waiter: waiter.errback(CancelledError()))
        self._readiness.cancel()
