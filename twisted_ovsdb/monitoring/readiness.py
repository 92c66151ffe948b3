# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The callers that wait for an interface to be ready.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.monitoring.index import Index
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.parameters import checkNotNegative


def _isReadyVM(interface: OvsInterface) -> bool:
    return interface.kind is InterfaceKind.VM and interface.ready


class Readiness:
    """
    Deferreds that fire when a VM's interface is ready, each exactly once. They
    depend on the rows, not on the events, and so wait for no observer.
    """

    def __init__(self, present: Present, byIfaceId: Index, clock: IReactorTime) -> None:
        self._present = present
        self._byIfaceId = byIfaceId
        self._clock = clock
        # By iface-id, those that wait for it; a set in their order.
        self._waiting: dict[str, dict[Deferred[OvsInterface], None]] = {}

    def wait(self, ifaceId: str, timeout: float | None) -> Deferred[OvsInterface]:
        """
        See L{InterfaceMonitor.whenReady}.

        @raise ValueError: if the timeout is negative, or no number.
        """
        if timeout is not None:
            checkNotNegative(timeout=timeout)
        if self._present.current:
            for row in self._byIfaceId.get(ifaceId):
                if _isReadyVM(row):
                    return succeed(row)

        def cancelled(waiter: Deferred[OvsInterface]) -> None:
            self._take(ifaceId, waiter)

        waiter: Deferred[OvsInterface] = Deferred(cancelled)
        if timeout is not None:

            def late(_: object, seconds: float) -> OvsInterface:
                why = self._explain(ifaceId)
                shown = printable(ifaceId)
                raise TimeoutError(f"iface-id {shown} is not ready after {seconds:g} s: {why}")

            waiter.addTimeout(timeout, self._clock, late)
        self._waiting.setdefault(ifaceId, {})[waiter] = None
        return waiter

    def look(self, rows: Iterable[OvsInterface | None]) -> None:
        """
        Fire the Deferreds of the interfaces that are ready.

        @param rows: the rows that have changed; None for one that is gone.
        """
        # In an outage, the rows are old.
        waiting = self._waiting
        if not waiting or not self._present.current:
            return
        found = [row for row in rows if row is not None and row.iface_id in waiting]
        ready = {row.iface_id: row for row in found if _isReadyVM(row)}
        # A callback may cancel other Deferreds, stop the monitor, or wait again.
        waiters = [
            (row, waiter) for row in ready.values() for waiter in waiting[row.iface_id or ""]
        ]
        for row, waiter in waiters:
            if self._take(row.iface_id or "", waiter):
                waiter.callback(row)

    def cancel(self) -> None:
        """Fail every Deferred with CancelledError."""
        for ifaceId, waiters in tuple(self._waiting.items()):
            for waiter in tuple(waiters):
                if self._take(ifaceId, waiter):
                    waiter.errback(CancelledError())

    def _take(self, ifaceId: str, waiter: Deferred[OvsInterface]) -> bool:
        """@return: whether it was still waiting."""
        waiters = self._waiting.get(ifaceId, {})
        if waiter not in waiters:
            return False
        del waiters[waiter]
        if not waiters:
            del self._waiting[ifaceId]
        return True

    def _explain(self, ifaceId: str) -> str:
        """Say why no interface of this iface-id is ready."""
        if not self._present.current:
            return f"not in sync with {printable(self._present.source) or 'the server'}"
        found = self._byIfaceId.all(ifaceId)
        if not found:
            return "no interface has it"
        row = next((row for row in found if row.kind is InterfaceKind.VM), found[0])
        name = printable(row.name)
        if row.kind is not InterfaceKind.VM:
            kind = "no kind" if row.kind is None else f"kind {row.kind.value}"
            return f"{name} has {kind}"
        if row.error is not None:
            return f"{name}: {printable(row.error)}"
        return f"{name} has no OpenFlow port"
