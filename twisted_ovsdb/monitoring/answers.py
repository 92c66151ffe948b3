# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the monitor needs to answer questions: interfaces by a key, and the callers
that wait for an interface to be ready.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.errors import printable
from twisted_ovsdb.events import InterfaceKind, OvsInterface
from twisted_ovsdb.openvswitch.tracker import Present
from twisted_ovsdb.ovsinterface import saysNothing
from twisted_ovsdb.parameters import checkNotNegative


class Index:
    """
    The interfaces that have a kind, by a key such as their name. The first
    L{get} builds the index; before, it costs nothing. Callers may look for an
    interface at every event, and a search through all rows would be slow.
    """

    def __init__(
        self, rows: Mapping[str, OvsInterface], key: Callable[[OvsInterface], Hashable]
    ) -> None:
        self._rows = rows
        self._key = key
        # Most keys have one interface, and a tuple of one is small.
        self._found: dict[Hashable, tuple[OvsInterface, ...]] | None = None

    @property
    def made(self) -> bool:
        """Whether the index is built; L{note} does nothing before."""
        return self._found is not None

    def get(self, key: Hashable) -> tuple[OvsInterface, ...]:
        """The interfaces that have this key."""
        if self._found is None:
            self._found = {}
            for row in self._rows.values():
                self.note(row.uuid, None, row)
        return self._found.get(key, ())

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """Note that a row has changed: what it was before, and what it is now."""
        found = self._found
        if found is None:
            return
        old, new = self._keyOf(before), self._keyOf(now)
        if old is not None and old != new:
            rest = tuple(row for row in found[old] if row.uuid != uuid)
            if rest:
                found[old] = rest
            else:
                del found[old]
        if now is not None and new is not None:
            there = found.get(new, ())
            if old == new:
                found[new] = tuple(now if row.uuid == uuid else row for row in there)
            else:
                found[new] = (*there, now)

    def _keyOf(self, row: OvsInterface | None) -> Hashable:
        return None if row is None or row.kind is None else self._key(row)


def _bridgeAndOfport(row: OvsInterface) -> tuple[str, int] | None:
    if row.bridge is None or row.ofport is None or saysNothing(row.ofport):
        return None
    return row.bridge, row.ofport


class OfportIndex(Index):
    """
    The interfaces by bridge and OpenFlow port, also those that have no kind.

    A port that has moved to another bridge has the number of its former bridge until
    ovs-vswitchd gives it another one. In this time, two interfaces may have one bridge
    and one number, and the one that has moved is not what the number means. It cannot
    be told from a row which one that is, so moves are noted from the beginning.
    """

    def __init__(self, rows: Mapping[str, OvsInterface]) -> None:
        super().__init__(rows, _bridgeAndOfport)
        self._moved: dict[str, None] = {}  # UUIDs, in the order of the moves

    @property
    def made(self) -> bool:
        """True: L{note} does something from the beginning."""
        return True

    def note(self, uuid: str, before: OvsInterface | None, now: OvsInterface | None) -> None:
        """See L{Index.note}."""
        if before is not None:
            if now is None or now.ofport != before.ofport:
                self._moved.pop(uuid, None)
            elif now.bridge != before.bridge:
                self._moved.pop(uuid, None)
                self._moved[uuid] = None
        super().note(uuid, before, now)

    def find(self, bridge: str, ofport: int) -> OvsInterface | None:
        """
        @return: the interface that has this OpenFlow port of this bridge; None if
            there is none, if it has no kind, or if more than one has not moved.
        """
        claims = {row.uuid: row for row in self.get((bridge, ofport))}
        holders = [row for row in claims.values() if row.uuid not in self._moved]
        if not holders and claims:
            # ovs-vswitchd may have given one the number of before, which shows no change.
            holders = [next(claims[uuid] for uuid in self._moved if uuid in claims)]
        if len(holders) != 1 or holders[0].kind is None:
            return None
        return holders[0]

    def _keyOf(self, row: OvsInterface | None) -> Hashable:
        # A number may be that of an interface without a kind.
        return None if row is None else self._key(row)


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
        self._waiting: dict[Deferred[OvsInterface], str] = {}

    def wait(self, ifaceId: str, timeout: float | None) -> Deferred[OvsInterface]:
        """
        See L{InterfaceMonitor.whenReady}.

        @raise ValueError: if the timeout is negative, or no number.
        """
        if timeout is not None:
            checkNotNegative(timeout=timeout)
        if self._present.inSync:
            for row in self._byIfaceId.get(ifaceId):
                if _isReadyVM(row):
                    return succeed(row)
        waiter: Deferred[OvsInterface] = Deferred(self._waiting.__delitem__)
        if timeout is not None:

            def late(_: object, seconds: float) -> OvsInterface:
                why = self._explain(ifaceId)
                shown = printable(ifaceId)
                raise TimeoutError(f"iface-id {shown} is not ready after {seconds:g} s: {why}")

            waiter.addTimeout(timeout, self._clock, late)
        self._waiting[waiter] = ifaceId
        return waiter

    def look(self, rows: Iterable[OvsInterface | None]) -> None:
        """
        Fire the Deferreds of the interfaces that are ready.

        @param rows: the rows that have changed; None for one that is gone.
        """
        # In an outage, the rows are old.
        if not self._waiting or not self._present.inSync:
            return
        ready = {row.iface_id: row for row in rows if row is not None and _isReadyVM(row)}
        if not ready:
            return
        for waiter, ifaceId in tuple(self._waiting.items()):
            # A callback may cancel other Deferreds, or stop the monitor.
            if ifaceId in ready and waiter in self._waiting:
                del self._waiting[waiter]
                waiter.callback(ready[ifaceId])

    def cancel(self) -> None:
        """Fail every Deferred with CancelledError."""
        for waiter in tuple(self._waiting):
            if self._waiting.pop(waiter, None) is not None:
                waiter.errback(CancelledError())

    def _explain(self, ifaceId: str) -> str:
        """Say why no interface of this iface-id is ready."""
        if not self._present.inSync:
            return f"not in sync with {printable(self._present.source) or 'the server'}"
        found = [row for row in self._present.rows.values() if row.iface_id == ifaceId]
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
