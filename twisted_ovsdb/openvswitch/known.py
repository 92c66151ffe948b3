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
from twisted_ovsdb.datum import EMPTY
from twisted_ovsdb.errors import SwitchChanged
from twisted_ovsdb.events import UNIDENTIFIED, OvsInterface, SwitchIdentity
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.conditions import Configuration
from twisted_ovsdb.openvswitch.identity import (
    CONFIGURATION_COLUMNS,
    IDENTITY_COLUMN,
    SWITCH_TABLE,
    identityOf,
)
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.openvswitch.topology import (
    BRIDGE,
    BRIDGE_ROWS,
    PORT,
    PORT_ROWS,
    Parent,
    Topology,
)
from twisted_ovsdb.ovsinterface import saysNothing
from twisted_ovsdb.parameters import checkFlags, checkTexts

Rows = Mapping[str, Mapping[str, Any]]
"""Rows by table and UUID; None for a row that is gone."""

Changes = Iterator[tuple[str, "OvsInterface | None", "OvsInterface | None"]]
"""
The UUID of an interface, its row before and its row now. Everything is applied only
at the end of the iteration.
"""

_MAP: Final = {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}

_SCHEMA: Final = DatabaseSchema.parse(
    {
        "name": "Open_vSwitch",
        "tables": {
            SWITCH_TABLE: {
                "columns": {
                    IDENTITY_COLUMN: _MAP,
                    **{column: {"type": "integer"} for column in CONFIGURATION_COLUMNS},
                }
            },
        },
    }
)
"""The columns that are read of the table Open_vSwitch (ovs-vswitchd.conf.db(5))."""

SLICE: Final = 1000
"""Rows that are placed at a time, in some milliseconds."""


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
        configuration: bool,
        exclusive: bool,
    ) -> None:
        """
        @param identify: whether the identity is monitored too.
        @param bridges: whether the tables Bridge and Port are monitored too.
        @param onLeave: called when another switch is behind the connection,
            before the rows of this one go.
        @param configuration: whether it is monitored how far the switch has come
            with what is configured.
        @param exclusive: see L{Present}.
        """
        checkFlags(identify=identify, bridges=bridges)
        checkTexts(source=source)
        self._interfaces: Replica[OvsInterface] = Replica()
        known = self._interfaces.rows
        self._rows = InterfaceRows(rules, extraColumns, known=known, bridges=bridges)
        self._topology = Topology() if bridges else None
        self._prepared = Topology()  # of the snapshot that is being read
        self._switches: Replica[Row] = Replica()
        self._bridges: Replica[Parent] = Replica()
        self._ports: Replica[Parent] = Replica()
        tables = {TABLE: MonitoredTable(self._rows, self._interfaces)}
        if bridges:
            tables[PORT] = MonitoredTable(PORT_ROWS, self._ports)
            tables[BRIDGE] = MonitoredTable(BRIDGE_ROWS, self._bridges)
        self._identify = identify
        columns = [
            *([IDENTITY_COLUMN] if identify else []),
            *(CONFIGURATION_COLUMNS if configuration else []),
        ]
        if columns:
            # A server that does not have this table is monitored without it.
            rows = TableRows(_SCHEMA.tables[SWITCH_TABLE], columns, required=False)
            tables[SWITCH_TABLE] = MonitoredTable(rows, self._switches)
        self.tables = TableSet(dialect, tables)
        self.present = Present(known, source, exclusive)
        self.address: str | None = None
        self._onLeave = onLeave

    @property
    def bridges(self) -> bool:
        """Whether it is known on which bridge each interface is."""
        return self._topology is not None

    @property
    def unknown(self) -> bool:
        """Whether the switch was asked who it is, and has nothing by which it is known."""
        return self._identify and self.present.identity.key is None

    @property
    def torn(self) -> Mapping[str, tuple[str, ...]]:
        """By UUID, the interfaces that are on more than one bridge, and these bridges."""
        return {} if self._topology is None else self._topology.torn

    def configuration(self) -> Configuration | None:
        """How far the switch has come with what is configured; None if it is not known."""
        for row in self._switches.rows.values():
            wanted, applied = map(row.get, CONFIGURATION_COLUMNS)
            if isinstance(wanted, int) and isinstance(applied, int):
                return wanted, applied
        return None

    def prepare(self, rows: dict[str, dict[str, Any]]) -> Iterator[None]:
        """
        Find on which bridge each interface of a snapshot is, and which of them are as
        they were, a slice of the rows at each step. What is known does not change yet.
        """
        if self._topology is not None:
            yield from self._place(rows)
        for name, replica in (*self._others(), (TABLE, self._interfaces)):
            yield from replica.prepare(rows.get(name, {}))
        if len(rows[TABLE]) > SLICE:
            yield  # Applying all of them is one step, which needs a turn of its own.

    def _place(self, rows: Rows) -> Iterator[None]:
        topology = self._prepared = Topology()
        for number, (uuid, row) in enumerate(rows.get(PORT, {}).items(), 1):
            topology.notePort(uuid, row)
            if number % SLICE == 0:
                yield
        for uuid, row in rows.get(BRIDGE, {}).items():
            topology.noteBridge(uuid, row)
        place, bridgeOf = self._rows.place, topology.bridgeOf
        for number, (uuid, row) in enumerate(rows[TABLE].items(), 1):
            place(row, bridgeOf(uuid))
            if number % SLICE == 0:
                yield

    def snapshot(self, rows: Rows) -> Changes:
        """
        Replace everything that is known by a snapshot that was prepared.

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
        if self._topology is not None:
            self._topology, self._prepared = self._prepared, Topology()
        for name, replica in self._others():
            _consume(replica.replace(rows.get(name, {})))
        yield from self._interfaces.replace(rows[TABLE])

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

    def forget(self) -> Changes:
        """Nothing is known of the switch any more."""
        self.present.identity = UNIDENTIFIED
        yield from self._clear()

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
        bridges = self._bridges.apply(rows.get(BRIDGE, {}))
        moved = topology.note(bridges, self._ports.apply(rows.get(PORT, {})))
        for uuid, row in interfaces.items():
            bridge = topology.bridgeOf(uuid)
            if row is not None:
                self._rows.place(row, bridge)
        for uuid in moved:
            known = None if uuid in interfaces else self.present.rows.get(uuid)
            bridge = topology.bridgeOf(uuid)
            if known is not None and known.bridge != bridge:
                interfaces[uuid] = self._rows.moved(known, bridge)
        return interfaces

    def _identityIn(self, rows: Mapping[str, Row | None]) -> tuple[str, SwitchIdentity]:
        """The key of the switch, and its identity, in the only row of its Open_vSwitch table."""
        identity, dialled = UNIDENTIFIED, self.address is not None
        for uuid, row in rows.items() if self._identify else ():
            if row is not None:
                # A server may not have this column.
                ids: Any = row.get(IDENTITY_COLUMN, EMPTY)
                identity = identityOf(ids)
                if identity.system_id is None and (dialled or self.present.exclusive):
                    identity = attrs.evolve(identity, row=uuid)
        key = identity.key or ("" if dialled else self.present.source)
        return key, attrs.evolve(identity, address=self.address)

    def _identityChanged(self, changes: Mapping[str, Row | None]) -> Changes:
        switch, identity = self._identityIn({**self._switches.rows, **changes})
        before = self.present.switch
        if switch != before:
            yield from self._leave()
            raise SwitchChanged(before, switch)
        self.present.identity = identity
        _consume(self._switches.apply(changes))

    def _others(self) -> list[tuple[str, Replica[Any]]]:
        return [(SWITCH_TABLE, self._switches), (BRIDGE, self._bridges), (PORT, self._ports)]

    def _leave(self) -> Changes:
        """Forget all rows: no row of another switch is compared with them."""
        self._onLeave()
        yield from self._clear()

    def _clear(self) -> Changes:
        for _, replica in self._others():
            _consume(replica.replace({}))
        if self._topology is not None:
            self._topology = Topology()
        yield from self._interfaces.replace({})


def _consume(changes: Iterator[object]) -> None:
    """Apply changes that nobody has to know."""
    for _ in changes:
        pass
