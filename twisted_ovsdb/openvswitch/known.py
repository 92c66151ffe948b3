# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is known of one switch, from the tables that are monitored: its interfaces,
on which bridge each of them is, and which switch it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.database.dialects import Dialect
from twisted_ovsdb.database.schema import DatabaseSchema, Row
from twisted_ovsdb.database.tables import TableRows
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.errors import SwitchChanged
from twisted_ovsdb.events import UNIDENTIFIED, OvsInterface, SwitchIdentity
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.identity import IDENTITY_COLUMN, SWITCH_TABLE, identityOf
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.openvswitch.topology import BRIDGE, PORT, Topology
from twisted_ovsdb.openvswitch.tracker import Present
from twisted_ovsdb.ovsinterface import saysNothing

Rows = Mapping[str, Mapping[str, Any]]
"""Rows by table and UUID; None for a row that is gone."""

Changes = Iterator[tuple[str, "OvsInterface | None", "OvsInterface | None"]]
"""
The UUID of an interface, its row before and its row now. Everything is applied only
at the end of the iteration.
"""

_UUIDS: Final = {"type": {"key": "uuid", "min": 0, "max": "unlimited"}}
_MAP: Final = {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}

_SCHEMA: Final = DatabaseSchema.parse(
    {
        "name": "Open_vSwitch",
        "tables": {
            BRIDGE: {"columns": {"name": {"type": "string"}, "ports": _UUIDS}},
            PORT: {"columns": {"interfaces": _UUIDS}},
            SWITCH_TABLE: {"columns": {IDENTITY_COLUMN: _MAP}},
        },
    }
)
"""The columns that are read of the tables beside Interface (ovs-vswitchd.conf.db(5))."""


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
        dialect: Dialect,
        identify: bool,
        bridges: bool,
        source: str,
        onLeave: Callable[[], object],
    ) -> None:
        """
        @param identify: whether the identity is monitored too.
        @param bridges: whether the tables Bridge and Port are monitored too.
        @param onLeave: called when another switch is behind the connection,
            before the rows of this one go.
        """
        self._interfaces: Replica[OvsInterface] = Replica()
        known = self._interfaces.rows
        self._rows = InterfaceRows(rules, extraColumns, known=known, bridges=bridges)
        self._topology = Topology() if bridges else None
        self._others: dict[str, Replica[Row]] = {}
        tables = {TABLE: MonitoredTable(self._rows, self._interfaces)}
        if bridges:
            for name in (PORT, BRIDGE):
                tables[name] = self._table(name, required=True)
        if identify:
            # A server that does not have this table is monitored without it.
            tables[SWITCH_TABLE] = self._table(SWITCH_TABLE, required=False)
        self.tables = TableSet(dialect, tables)
        self.present = Present(known, source)
        self.address: str | None = None
        self._onLeave = onLeave

    def _table(self, name: str, required: bool) -> MonitoredTable:
        self._others[name] = Replica()
        table = _SCHEMA.tables[name]
        return MonitoredTable(TableRows(table, table.columns, required), self._others[name])

    @property
    def bridges(self) -> bool:
        """Whether it is known on which bridge each interface is."""
        return self._topology is not None

    @property
    def torn(self) -> Mapping[str, tuple[str, ...]]:
        """By UUID, the interfaces that are on more than one bridge, and these bridges."""
        return {} if self._topology is None else self._topology.torn

    def snapshot(self, rows: Rows) -> Changes:
        """
        Replace everything that is known.

        @raise SwitchChanged: if another switch has connected to a listener;
            nothing has changed then.
        """
        present = self.present
        switch, identity = self._identityIn(rows.get(SWITCH_TABLE, {}))
        if switch != present.switch:
            if self.address is not None:
                raise SwitchChanged(present.switch, switch)
            yield from self._leave()
        present.identity = identity
        interfaces = dict(rows[TABLE])
        changes = {
            name: list(replica.replace(dict(rows.get(name, {}))))
            for name, replica in self._others.items()
        }
        if self._topology is not None:
            self._topology.note(changes[BRIDGE], changes[PORT])
            for uuid, row in interfaces.items():
                self._rows.place(row, self._topology.bridgeOf(uuid))
        yield from self._interfaces.replace(interfaces)

    def update(self, rows: Rows) -> Changes:
        """
        Apply the changes of one message.

        @raise SwitchChanged: if it is another switch now. The session has to end;
            the next snapshot is that of the other switch.
        """
        if SWITCH_TABLE in rows:
            yield from self._identityChanged(rows[SWITCH_TABLE])
        interfaces = rows.get(TABLE, {})
        if self._topology is not None:
            interfaces = self._placed(self._topology, rows, dict(interfaces))
        yield from self._interfaces.apply(interfaces)

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

    def _placed(
        self, topology: Topology, rows: Rows, interfaces: dict[str, OvsInterface | None]
    ) -> dict[str, OvsInterface | None]:
        """Say of each interface of a message, and of those that are moved by it, where it is."""
        bridges, ports = (self._others[name].apply(rows.get(name, {})) for name in (BRIDGE, PORT))
        moved = topology.note(bridges, ports)
        for uuid, row in interfaces.items():
            bridge = topology.bridgeOf(uuid)
            if row is not None:
                self._rows.place(row, bridge)
        for uuid in moved - interfaces.keys():
            known = self.present.rows.get(uuid)
            bridge = topology.bridgeOf(uuid)
            if known is not None and known.bridge != bridge:
                interfaces[uuid] = self._rows.moved(known, bridge)
        return interfaces

    def _identityIn(self, rows: Mapping[str, Row | None]) -> tuple[str, SwitchIdentity]:
        """The key of the switch, and its identity, in the only row of its Open_vSwitch table."""
        identity, known = UNIDENTIFIED, "" if self.address is not None else self.present.source
        for uuid, row in rows.items():
            if row is not None:
                ids: Any = row[IDENTITY_COLUMN]
                identity = identityOf(ids)
                known = known or uuid
        return identity.system_id or known, attrs.evolve(identity, address=self.address)

    def _identityChanged(self, changes: Mapping[str, Row | None]) -> Changes:
        replica = self._others[SWITCH_TABLE]
        switch, identity = self._identityIn({**replica.rows, **changes})
        before = self.present.switch
        if switch != before:
            yield from self._leave()
            raise SwitchChanged(before, switch)
        self.present.identity = identity
        for _ in replica.apply(changes):
            pass

    def _leave(self) -> Changes:
        """Forget all rows: no row of another switch is compared with them."""
        self._onLeave()
        for replica in self._others.values():
            for _ in replica.replace({}):
                pass
        if self._topology is not None:
            self._topology = Topology()
        yield from self._interfaces.replace({})
