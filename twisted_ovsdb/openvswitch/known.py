# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known of one switch, from the tables that are monitored: its interfaces,
and which switch it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs

from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.errors import SwitchChanged
from twisted_ovsdb.events import UNIDENTIFIED, OvsInterface, SwitchIdentity
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.identity import SWITCH_TABLE, IdentityRows
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.openvswitch.tracker import Present
from twisted_ovsdb.ovsinterface import saysNothing

Rows = Mapping[str, Mapping[str, Any]]
"""Rows by table and UUID; None for a row that is gone."""

Changes = Iterator[tuple[str, "OvsInterface | None", "OvsInterface | None"]]
"""
The UUID of an interface, its row before and its row now. Everything is applied only
at the end of the iteration.
"""


class KnownSwitch:
    """
    What is known of one switch. It outlives the connections.

    @ivar present: the interfaces, and which switch it is, for the trackers.
    @ivar tables: the tables to monitor.
    @ivar address: from where the switch connected to a listener: its key must not
        change then. None: it is behind an endpoint, and may become another.
    """

    def __init__(
        self,
        rules: ClassificationRules,
        extraColumns: Iterable[str],
        identify: bool,
        source: str,
        onLeave: Callable[[], object],
    ) -> None:
        """
        @param identify: whether the identity is monitored too.
        @param onLeave: called when another switch is behind the connection,
            before the rows of this one go.
        """
        self._interfaces: Replica[OvsInterface] = Replica()
        self._rows = InterfaceRows(rules, extraColumns, known=self._interfaces.rows)
        self._identities: Replica[SwitchIdentity] = Replica()
        tables = {TABLE: MonitoredTable(self._rows, self._interfaces)}
        if identify:
            tables[SWITCH_TABLE] = MonitoredTable(IdentityRows(), self._identities)
        self.tables = TableSet(MONITOR, tables)
        self.present = Present(self._interfaces.rows, source)
        self.address: str | None = None
        self._onLeave = onLeave

    def snapshot(self, rows: Rows) -> Changes:
        """
        Replace everything that is known.

        @raise SwitchChanged: if another switch has connected to a listener;
            nothing has changed then.
        """
        present, identities = self.present, dict(rows.get(SWITCH_TABLE, {}))
        switch, identity = self._identityIn(identities)
        if switch != present.switch:
            if self.address is not None:
                raise SwitchChanged(present.switch, switch)
            yield from self._leave()
        present.identity = identity
        for _ in self._identities.replace(identities):
            pass
        yield from self._interfaces.replace(dict(rows[TABLE]))

    def update(self, rows: Rows) -> Changes:
        """
        Apply the changes of one message.

        @raise SwitchChanged: if it is another switch now. The session has to end;
            the next snapshot is that of the other switch.
        """
        if SWITCH_TABLE in rows:
            yield from self._identityChanged(rows[SWITCH_TABLE])
        yield from self._interfaces.apply(rows.get(TABLE, {}))

    def remember(self, told: Iterable[OvsInterface]) -> Changes:
        """
        An observer was told these in an earlier process. That an interface was
        the local port of a bridge is remembered as if it had been seen here.
        """
        known = [(row.local_port, self.present.rows.get(row.uuid)) for row in told]
        return self._interfaces.apply(
            {
                row.uuid: self._rows.asLocalPort(row)
                for local, row in known
                if local and row is not None and saysNothing(row.ofport)
            }
        )

    def _identityIn(self, rows: Mapping[str, SwitchIdentity]) -> tuple[str, SwitchIdentity]:
        """The key of the switch, and its identity, in the only row of its Open_vSwitch table."""
        uuid, identity = next(iter(rows.items()), ("", UNIDENTIFIED))
        known = self.present.source if self.address is None else uuid
        return identity.system_id or known, attrs.evolve(identity, address=self.address)

    def _identityChanged(self, changes: Mapping[str, SwitchIdentity | None]) -> Changes:
        now = {**self._identities.rows, **changes}
        rows = {uuid: row for uuid, row in now.items() if row is not None}
        switch, identity = self._identityIn(rows)
        before = self.present.switch
        if switch != before:
            yield from self._leave()
            raise SwitchChanged(before, switch)
        self.present.identity = identity
        for _ in self._identities.apply(changes):
            pass

    def _leave(self) -> Changes:
        """Forget all rows: no row of another switch is compared with them."""
        self._onLeave()
        yield from self._interfaces.replace({})
