# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The questions about the interfaces of one server: which there are, which one has a name
or a port, and when they are known or ready. No answer waits for an observer.
"""

from __future__ import annotations

from operator import attrgetter

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.monitoring.audience import Note
from twisted_ovsdb.monitoring.index import Index, OfportIndex
from twisted_ovsdb.monitoring.readiness import Readiness
from twisted_ovsdb.openvswitch.known import KnownSwitch
from twisted_ovsdb.ovsinterface import kindOf
from twisted_ovsdb.parameters import checkIntegers, checkTexts


class Questions:
    """
    Answers questions about one server.

    @ivar readiness: the callers that wait for an interface to be ready.
    """

    def __init__(self, known: KnownSwitch, clock: IReactorTime) -> None:
        self._known = known
        self._present = present = known.present
        self._byName = Index(present.rows, attrgetter("name"))
        self._byIfaceId = Index(present.rows, attrgetter("iface_id"))
        self._byOfport = OfportIndex(present.rows)
        self._indexes: tuple[Index, ...] = (self._byName, self._byIfaceId)
        if known.bridges:
            self._indexes += (self._byOfport,)
        self._synchronized: Waiters[tuple[OvsInterface, ...]] = Waiters()
        self.readiness = Readiness(present, self._byIfaceId, clock)

    def interfaces(
        self, kind: InterfaceKind | str | None, bridge: str | None
    ) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfaces}."""
        wanted = None if kind is None else kindOf(kind)
        found = self._present.interfaces()
        if bridge is not None:
            checkTexts(bridge=bridge)
            self._requireBridges()
        elif wanted is None:
            return found
        return tuple(
            row
            for row in found
            if (wanted is None or row.kind is wanted) and (bridge is None or row.bridge == bridge)
        )

    def byOfport(self, bridge: str, ofport: int) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByOfport}."""
        checkTexts(bridge=bridge)
        checkIntegers(ofport=ofport)
        self._requireBridges()
        return self._byOfport.find(bridge, ofport)

    def byName(self, name: str) -> OvsInterface | None:
        """See L{InterfaceMonitor.interfaceByName}."""
        checkTexts(name=name)
        return next(iter(self._byName.get(name)), None)

    def byIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """See L{InterfaceMonitor.interfacesByIfaceId}."""
        checkTexts(ifaceId=ifaceId)
        return self._byIfaceId.get(ifaceId)

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """See L{InterfaceMonitor.whenSynchronized}."""
        if self._present.current:
            return succeed(self._present.interfaces())
        return self._synchronized.wait()

    def whenReady(self, ifaceId: str, timeout: float | None) -> Deferred[OvsInterface]:
        """See L{InterfaceMonitor.whenReady}."""
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
        checkTexts(ifaceId=ifaceId)
        return self.readiness.wait(ifaceId, timeout)

    def notes(self) -> list[Note]:
        """The functions to call for each row that changes."""
        return [index.note for index in self._indexes if index.made]

    def begin(self) -> None:
        """A snapshot has been applied: answer the callers that wait for it."""
        if self._synchronized:
            self._synchronized.callback(self._present.interfaces())
        self.readiness.look(self._present.rows.values())

    def cancel(self) -> None:
        """Fail every Deferred with CancelledError."""
        self._synchronized.errback(CancelledError())
        self.readiness.cancel()

    def _requireBridges(self) -> None:
        if not self._known.bridges:
            raise ValueError("the bridges of interfaces are not known: pass bridges=True")
