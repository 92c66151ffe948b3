# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Conditions (RFC 7047, section 5.1) as they are sent to a server: by its schema, which
is known only when there is a connection. The type of a column says what a text means:
a reference to a row is a text in Python, as it is in the rows of a replica.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted_ovsdb.database.datatypes import AtomicType, BaseType, ColumnType
from twisted_ovsdb.database.schema import TableSchema
from twisted_ovsdb.errors import ProtocolViolation, RpcError, describe
from twisted_ovsdb.wire.notation import encodeUUID, tagged

REFUSED: Final = "syntax error"
"""The error with which a server refuses a condition."""


def requested(table: TableSchema, where: Iterable[Any] | None) -> list[Any] | None:
    """
    Write conditions for the request of a monitor.

    @param where: conditions as L{Rows.where <twisted_ovsdb.Rows>} has them, with values
        in OVSDB's notation; but a UUID may be written as a string.
    @return: the C{<condition>}s; None if there are no conditions.
    @raise RpcError: if the server would refuse a value, or lacks a column. The text
        names the table and the column, which the error of a server does not.
    """
    if where is None:
        return None
    return [given if isinstance(given, bool) else _condition(table, *given) for given in where]


def refusedFor(refusal: RpcError, tables: Iterable[str]) -> RpcError:
    """The error of a server for a request, and the tables that were asked for."""
    asked = f"asked for {', '.join(sorted(tables))}"
    return RpcError(refusal.error, f"{refusal.details} ({asked})" if refusal.details else asked)


def _condition(table: TableSchema, name: str, function: str, value: Any) -> list[Any]:
    try:
        column = table.column(name)
        return [name, function, _value(column.type, value)]
    except KeyError as e:
        raise RpcError("unknown column", f"table {table.name} has no column {name}") from e
    except (ProtocolViolation, ValueError) as e:
        where = f"condition of table {table.name}, column {name}"
        raise RpcError(REFUSED, f"{where}: {e}") from e


def _value(column: ColumnType, value: Any) -> Any:
    """A value by the type of its column. How many elements there may be, the server says."""
    pairs, elements = tagged("map", value), tagged("set", value)
    if column.value is not None:
        if pairs is None:
            raise ValueError(f"expected a map, got {describe(value)}")
        return ["map", [_pair(column.key, column.value, pair) for pair in pairs]]
    if elements is None:
        return _atom(column.key, value)
    return ["set", [_atom(column.key, element) for element in elements]]


def _pair(key: BaseType, value: BaseType, pair: list[Any]) -> list[Any]:
    return [_atom(key, pair[0]), _atom(value, pair[1])]


def _atom(base: BaseType, value: Any) -> Any:
    atom = encodeUUID(value) if base.type is AtomicType.UUID and type(value) is str else value
    base.decode(atom)
    return atom
