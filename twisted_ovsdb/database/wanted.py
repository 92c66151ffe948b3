# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which rows and columns of a table are wanted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Union

import attrs

from twisted_ovsdb.database.schema import ColumnSchema, TableSchema
from twisted_ovsdb.errors import OvsdbError
from twisted_ovsdb.wire.notation import decode, encode, encodeAtom, within

FUNCTIONS: Final = ("<", "<=", "==", "!=", ">=", ">", "includes", "excludes")
"""What a condition may compare with (RFC 7047, section 5.1)."""

Condition = Union[bool, tuple[str, str, Any]]


def conditions(where: Iterable[Any] | None) -> tuple[Condition, ...] | None:
    """
    Check conditions. Each is True, False, or a column, a function and a value.

    @raise TypeError: if they are something else, or the value is none of OVSDB.
    @raise ValueError: if there is no such function, OVSDB cannot hold the value, or
        there is no condition.
    """
    if where is None:
        return None
    if isinstance(where, (str, bytes, Mapping, bool)) or not isinstance(where, Iterable):
        raise TypeError(f"where must be a list of conditions, not {where!r}")
    checked = tuple(_condition(condition) for condition in where)
    # A server sends every row, but a list that is computed may mean none.
    if not checked:
        raise ValueError("where has no condition; None means every row, and [False] no row")
    return checked


def _condition(condition: Any) -> Condition:
    if isinstance(condition, bool):
        return condition
    if not isinstance(condition, (list, tuple)) or len(condition) != 3:
        raise TypeError(f"a condition is [column, function, value], not {condition!r}")
    column, function, value = condition
    if not isinstance(column, str):
        raise TypeError(f"a condition begins with the name of a column, not {column!r}")
    if function not in FUNCTIONS:
        raise ValueError(f"a condition has one of {' '.join(FUNCTIONS)}, not {function!r}")
    encodeAtom(column)  # A name with half a character cannot be sent.
    # A list is OVSDB's notation already, as in the operations of a transaction.
    if isinstance(value, list):
        encode(decode(value))
        return column, function, json.loads(json.dumps(value))
    return column, function, encode(value)


def _names(columns: Iterable[str] | None) -> tuple[str, ...] | None:
    if columns is None:
        return None
    wrong = isinstance(columns, (str, bytes, Mapping)) or not isinstance(columns, Iterable)
    names = () if wrong else tuple(columns)
    if not names or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"columns must be a list of at least one name, not {columns!r}; Rows(...) has"
            " conditions too"
        )
    return tuple(dict.fromkeys(names))


@attrs.frozen
class Rows:
    """
    Columns and rows of a table.

    @ivar columns: the columns, which may include C{_uuid} and C{_version}; None:
        all columns that the server has.
    @ivar where: conditions (RFC 7047, section 5.1), one or more. A row is wanted if
        it matches any of them; None: every row; C{[False]}: no row. A value is
        a Python value, as C{encode} accepts it, or OVSDB's notation:
        C{["type", "==", "patch"]}.
    """

    columns: tuple[str, ...] | None = attrs.field(default=None, converter=_names)
    where: tuple[Condition, ...] | None = attrs.field(default=None, converter=conditions)

    def columnsOf(self, table: TableSchema) -> tuple[ColumnSchema, ...]:
        """
        The columns, with their types.

        @raise OvsdbError: if the table lacks one of these or of the conditions.
        """
        names = tuple(table.columns) if self.columns is None else self.columns
        used = [c[0] for c in self.where or () if not isinstance(c, bool)]
        lacking = []
        for name in dict.fromkeys((*names, *used)):
            try:
                table.column(name)
            except KeyError:
                lacking.append(name)
        if lacking:
            raise OvsdbError(f"table {table.name} has no column {', '.join(sorted(lacking))}")
        return tuple(table.column(name) for name in names)


Tables = Union[Iterable[str], Mapping[str, Union[Iterable[str], Rows, None]]]
"""Names of tables, or of each table the columns, L{Rows}, or None for all columns."""


def asRows(tables: Tables) -> dict[str, Rows]:
    """
    What is wanted of each table.

    @raise TypeError: if this is something else.
    """
    if isinstance(tables, (str, bytes)) or not isinstance(tables, Iterable):
        raise TypeError(f"tables must be names, or columns by names, not {tables!r}")
    wanted: dict[str, Rows] = {}
    for name in tables:
        if not isinstance(name, str):
            raise TypeError(f"tables must have names, not {name!r}")
        rows = tables[name] if isinstance(tables, Mapping) else None
        wanted[name] = rows if isinstance(rows, Rows) else within(f"table {name}", Rows, rows)
    if not wanted:
        raise ValueError("tables must name a table at least")
    return wanted
