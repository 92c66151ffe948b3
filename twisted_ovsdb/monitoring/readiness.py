# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Who waits for a VM's interface to be ready, by its iface-id.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.monitoring.index import Index
from twisted_ovsdb.openvswitch.tracker import Present


def isReadyVM(interface: OvsInterface) -> bool:
    """
    Whether this is a VM's interface that has its OpenFlow port.
    """
    return interface.kind is InterfaceKind.VM and interface.ready


class Readiness:
    """
    Deferreds that fire when their interface is ready, each exactly once.

    It looks at rows and not at events: who waits costs nothing but a look at
    each row that changes, and waits for no observer.
    """

    def __init__(self, present: Present, byIfaceId: Index, clock: IReactorTime) -> None:
        self._present = present
        self._byIfaceId = byIfaceId
        self._clock = clock
        self._waiting: dict[Deferred[OvsInterface], str] = {}

    def wait(self, ifaceId: str, timeout: float | None) -> Deferred[OvsInterface]:
        """
        See L{InterfaceMonitor.whenReady}.
        """
        if self._present.inSync:
            for row in self._byIfaceId.get(ifaceId):
                if isReadyVM(row):
                    return succeed(row)
        waiter: Deferred[OvsInterface] = Deferred(self._forget)
        self._waiting[waiter] = ifaceId
        if timeout is not None:

            def late(_: object, seconds: float) -> OvsInterface:
                why = self._explain(ifaceId)
                raise TimeoutError(f"iface-id {ifaceId} is not ready after {seconds:g} s: {why}")

            waiter.addTimeout(timeout, self._clock, late)
        return waiter

    def look(self, rows: Iterable[OvsInterface | None]) -> None:
        """
        Fire for those that are ready.

        @param rows: what is new.
        """
        # What was known before an outage is nothing to go by.
        if not self._waiting or not self._present.inSync:
            return
        ready = {row.iface_id: row for row in rows if row is not None and isReadyVM(row)}
        if not ready:
            return
        for waiter, ifaceId in tuple(self._waiting.items()):
            # One that fires may cancel another, or stop everything.
            if ifaceId in ready and waiter in self._waiting:
                del self._waiting[waiter]
                waiter.callback(ready[ifaceId])

    def cancel(self) -> None:
        """
        Fail for all with CancelledError.
        """
        for waiter in tuple(self._waiting):
            if self._waiting.pop(waiter, None) is not None:
                waiter.errback(CancelledError())

    def _forget(self, waiter: Deferred[OvsInterface]) -> None:
        del self._waiting[waiter]

    def _explain(self, ifaceId: str) -> str:
        """
        Say why there is no such interface that is ready.
        """
        if not self._present.inSync:
            return f"not in sync with {self._present.source or 'the server'}"
        found = [row for row in self._present.rows.values() if row.iface_id == ifaceId]
        if not found:
            return "no interface has it"
        row = next((row for row in found if row.kind is InterfaceKind.VM), found[0])
        if row.kind is not InterfaceKind.VM:
            kind = "no class" if row.kind is None else f"class {row.kind.value}"
            return f"{row.name} has {kind}"
        if row.error is not None:
            return f"{row.name}: {row.error}"
        return f"{row.name} has no OpenFlow port"
