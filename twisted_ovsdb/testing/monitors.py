# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitors of the server in memory, for L{twisted_ovsdb.testing}: what each is
told of a change, in the three dialects of ovsdb-server 3.1 (RFC 7047, sections
4.1.5 and 4.1.6; ovsdb-server(7), sections 4.1.12 to 4.1.15).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.database.schema import Row, TableSchema
from twisted_ovsdb.database.tables import RowChange
from twisted_ovsdb.errors import ProtocolViolation, RpcError
from twisted_ovsdb.testing.database import MemoryDatabase, inOrder
from twisted_ovsdb.testing.operations import Condition, condition, elementsOf, parsed

NOTIFICATIONS: Final[Mapping[str, str]] = {
    "monitor": "update",
    "monitor_cond": "update2",
    "monitor_cond_since": "update3",
}
"""Of each request that begins a monitor, the notification of its changes."""

NO_TRANSACTION: Final = "00000000-0000-0000-0000-000000000000"
"""The latest transaction as a server without history names it, such as a switch's own server."""

_SELECT: Final = ("initial", "insert", "delete", "modify")
"""The members of a C{<monitor-select>} (RFC 7047, section 4.1.5)."""

Updates = dict[str, dict[str, Any]]
"""The C{<table-updates>}, in any dialect."""


class Monitor:
    """
    A monitor that a client has asked for.

    @ivar notification: the notification of changes.
    """

    def __init__(self, database: MemoryDatabase, method: str, requests: Mapping[str, Any]) -> None:
        """
        @param method: the request that begins it.
        @param requests: the C{<monitor-requests>}.
        @raise RpcError: if something in the requests is wrong.
        """
        self.notification = NOTIFICATIONS[method]
        self._database = database
        self._tables: dict[str, _MonitoredTable] = {}
        conditional = method != "monitor"
        for table, parts in requests.items():
            monitored = _MonitoredTable(database, _tableSchema(database, table), conditional)
            self._tables[table] = monitored
            for part in parts if type(parts) is list else [parts]:
                monitored.add(part)

    def initial(self) -> Updates:
        """The rows that match, for the reply."""
        return self._updates(
            [
                RowChange(table, key, None, row)
                for table in self._tables
                for key, row in self._database.tables[table].items()
            ],
            initial=True,
        )

    def changed(self, changes: list[RowChange]) -> Updates:
        """What to tell of a transaction; empty if it does not concern this monitor."""
        return self._updates(changes)

    def changeConditions(self, requests: Mapping[str, Any]) -> Updates:
        """
        Replace the conditions of some tables.

        @param requests: the C{<monitor-cond-update-requests>}.
        @return: what to tell of the rows that match now and did not before,
            or the other way round; empty if there are none.
        @raise RpcError: if something in the requests is wrong; then
            some of them may already be in use.
        """
        for table, parts in requests.items():
            _tableSchema(self._database, table)
            if table not in self._tables:
                raise RpcError("syntax error", f"no table named {table} in monitor session")
            if type(parts) is not list:
                details = f"table {table} no monitor-cond-change JSON array"
                raise RpcError("syntax error", details)
            for part in parts:
                self._tables[table].changeConditions(part)
        changes = [
            RowChange(table, key, row, row)
            for table in self._tables
            for key, row in self._database.tables[table].items()
        ]
        updates = self._updates(changes)
        for monitored in self._tables.values():
            monitored.settle()
        return updates

    def _updates(self, changes: list[RowChange], initial: bool = False) -> Updates:
        updates: Updates = {}
        for change in changes:
            monitored = self._tables.get(change.table)
            update = None if monitored is None else monitored.update(change, initial)
            if update is not None:
                updates.setdefault(change.table, {})[change.uuid] = update
        return updates


class _MonitoredTable:
    """The columns of one table, and the conditions on its rows."""

    def __init__(self, database: MemoryDatabase, table: TableSchema, conditional: bool) -> None:
        """@param conditional: whether the dialect has conditions, and sends only what differs."""
        self._database = database
        self._table = table
        self._conditional = conditional
        self._selected: set[str] = set()
        self._told: dict[str, set[str]] = {}  # of each column, the members that tell it
        self._watched: dict[str, None] = {}  # these columns, and those of conditions
        self._before: list[Condition] | None = None
        self._now: list[Condition] | None = None

    def add(self, request: Any) -> None:
        """Read a C{<monitor-request>}."""
        members = {"columns": list, "select": dict}
        if self._conditional:
            members["where"] = list
        given = parsed(f"table {self._table.name}", request, members)
        wanted = parsed(
            f"table {self._table.name} select",
            given.get("select", {}),
            dict.fromkeys(_SELECT, bool),
        )
        selected = {member for member in _SELECT if wanted.get(member, True)}
        self._selected |= selected
        # Without columns, all of them are wanted, and _version too.
        for column in given.get("columns", ["_version", *self._table.columns]):
            if type(column) is not str:
                raise RpcError("syntax error", "array of column names expected")
            if column not in ("_uuid", "_version", *self._table.columns):
                raise RpcError("syntax error", f"{column} is not a valid column name")
            if column in self._told:
                raise RpcError("syntax error", f"column {column} mentioned more than once")
            self._told[column] = selected
            self._watched[column] = None
        # Of several requests, the first has the conditions.
        if self._conditional and self._now is None:
            self._now = self._before = self._conditions(given.get("where", []))

    def changeConditions(self, request: Any) -> None:
        """
        Read a C{<monitor-cond-update-request>}. Until L{settle}, the conditions
        of before are known too.
        """
        members = {"columns": list, "where": list}
        given = parsed(f"table {self._table.name}", request, members)
        if "columns" in given:
            raise RpcError("syntax error", "changing columns is unsupported")
        if self._conditional:
            self._now = self._conditions(given.get("where", []))

    def settle(self) -> None:
        """The client was told which rows match the present conditions."""
        self._before = self._now

    def update(self, change: RowChange, initial: bool) -> dict[str, Any] | None:
        """
        The row update of a change, None if nothing is told.

        A change of a column that only a condition reads is told as a change
        of nothing.
        """
        old, new = change.before, change.now
        member = self._member(old, new, initial)
        if member not in self._selected:
            return None
        columns = [column for column, members in self._told.items() if member in members]
        changed = [name for name in self._watched if old and new and old[name] != new[name]]
        if member == "modify" and not changed:
            return None
        if not self._conditional:
            update = {} if new is None else {"new": self._encoded(new, columns)}
            if old is not None:
                differing = [name for name in columns if new is None or name in changed]
                update["old"] = self._encoded(old, differing)
            return update
        if member == "delete":
            return {"delete": None}
        assert new is not None
        if member == "modify":
            assert old is not None
            differing = [name for name in columns if name in changed]
            return {"modify": {name: self._difference(name, old, new) for name in differing}}
        set = [name for name in columns if new[name] != self._table.column(name).type.default]
        return {str(member): self._encoded(new, set)}

    def _member(self, old: Row | None, new: Row | None, initial: bool) -> str | None:
        """A row that enters the conditions is inserted, and one that leaves them is deleted."""
        was = old is not None and _match(self._before, old)
        now = new is not None and _match(self._now, new)
        if was:
            return "modify" if now else "delete"
        if now:
            return "initial" if initial else "insert"
        return None

    def _conditions(self, where: list[Any]) -> list[Condition]:
        try:
            conditions = [condition(self._table, given) for given in where]
        except (ValueError, ProtocolViolation) as e:
            raise RpcError("syntax error", str(e)) from e
        self._watched.update({c.column: None for c in conditions if c.column is not None})
        return conditions

    def _encoded(self, row: Row, columns: list[str]) -> dict[str, Any]:
        return self._database.encode(self._table.name, row, columns)

    def _difference(self, column: str, old: Row, new: Row) -> Any:
        """What C{applyDifference} turns back into the new value."""
        type = self._table.column(column).type
        before, now = old[column], new[column]
        if isinstance(before, frozenset) and isinstance(now, frozenset):
            return inOrder(attrs.evolve(type, min=0, max=None), before ^ now)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            pairs = elementsOf(before) ^ elementsOf(now)
            differing = {key: now[key] if key in now else before[key] for key, _ in pairs}
            return inOrder(attrs.evolve(type, min=0, max=None), differing)
        return inOrder(type, now)


def _match(conditions: list[Condition] | None, row: Row) -> bool:
    """Whether a row is monitored: any of the conditions holds, or there is none."""
    return not conditions or any(given.holds(row) for given in conditions)


def _tableSchema(database: MemoryDatabase, table: str) -> TableSchema:
    if table not in database.schema.tables:
        raise RpcError("syntax error", f"no table named {table}")
    return database.schema.tables[table]
