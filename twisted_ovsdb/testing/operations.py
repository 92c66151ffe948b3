# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What conditions and mutations of a transaction mean (RFC 7047, section 5.1),
and what a column may hold, for L{twisted_ovsdb.testing.database}.

An L{RpcError} has the error and the details that the result of the operation
has. Functions that read a value may also raise C{ValueError}, C{TypeError} and
L{ProtocolViolation}.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.database.datatypes import AtomicType, ColumnType, Value
from twisted_ovsdb.database.schema import Row, TableSchema
from twisted_ovsdb.errors import RpcError


def elementsOf(value: Value) -> set[Any]:
    """A value as the set of what it holds; of a map, its pairs."""
    if value is None:
        return set()
    if isinstance(value, Mapping):
        return set(value.items())
    return set(value) if isinstance(value, frozenset) else {value}


_ORDER: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

_CONDITIONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **_ORDER,
    "==": operator.eq,
    "!=": operator.ne,
    "includes": lambda value, wanted: elementsOf(wanted) <= elementsOf(value),
    "excludes": lambda value, wanted: not elementsOf(wanted) & elementsOf(value),
}

_ARITHMETIC: Final = {"+=": operator.add, "-=": operator.sub, "*=": operator.mul}


def checkConstraints(column: ColumnType, value: Value) -> None:
    """See that a value is among those that its column allows."""
    key = column.key
    atoms: Iterable[Any] = value if isinstance(value, Mapping) else elementsOf(value)
    for atom in atoms:
        if (
            (key.enum is not None and atom not in key.enum)
            or (key.minInteger is not None and atom < key.minInteger)
            or (key.maxInteger is not None and atom > key.maxInteger)
        ):
            raise RpcError("constraint violation", f"{atom} is not one of the allowed values")


@attrs.frozen
class Condition:
    """
    One C{<condition>}.

    @ivar column: the column that it is about; None if it is a boolean.
    @ivar holds: tells whether it holds for a row.
    """

    column: str | None
    holds: Callable[[Row], bool]


def condition(table: TableSchema, given: Any) -> Condition:
    """
    Read a C{<condition>} (RFC 7047, section 5.1), or a boolean, which
    ovsdb-server takes as one that holds always or never (ovsdb-server(7)).
    """
    if type(given) is bool:
        return Condition(None, lambda row: given)
    if type(given) is not list or len(given) != 3:
        raise ValueError("Parse error in condition.")
    name, function, argument = given
    holds = _comparison(columnType(table, name), function, argument)
    return Condition(name, lambda row: holds(row[name]))


def columnType(table: TableSchema, name: Any, changed: bool = False) -> ColumnType:
    """
    Find the type of a column.

    @param changed: whether an existing row gets another value, which immutable
        columns do not allow.
    """
    try:
        column = table.column(name)
    except (KeyError, TypeError) as e:
        raise RpcError("unknown column", f"No column {name} in table {table.name}.") from e
    if changed and not column.mutable:
        details = f"Cannot update immutable column {name} in table {table.name}."
        raise RpcError("constraint violation", details)
    return column.type


def _comparison(column: ColumnType, function: str, argument: Any) -> Callable[[Value], bool]:
    """Make the function that tells whether a condition holds for a value of a column."""
    holds = _CONDITIONS.get(function)
    if holds is None:
        raise RpcError("unknown function", f"No function named {function}.")
    wanted = column.decode(argument)
    if function in _ORDER:
        number = column.key.type in (AtomicType.INTEGER, AtomicType.REAL)
        if not number or column.isMap or column.isSet:
            raise ValueError(f'"{function}" operator may not be applied to this column')
        return lambda value: value is not None and wanted is not None and holds(value, wanted)
    return lambda value: holds(value, wanted)


def mutated(column: ColumnType, value: Any, mutator: str, argument: Any) -> Value:
    """What a mutation makes of a value."""
    if mutator in _ARITHMETIC:
        return column.decode(_ARITHMETIC[mutator](value, argument))
    if mutator not in ("insert", "delete"):
        raise RpcError("unknown mutator", f"No mutator named {mutator}.")
    if column.value is None:
        given = frozenset(elementsOf(attrs.evolve(column, min=0, max=None).decode(argument)))
        return frozenset(value | given if mutator == "insert" else value - given)
    if mutator == "insert":
        # A key that is there keeps its value.
        return {**column.decode(argument), **value}  # type: ignore[dict-item]
    if type(argument) is list and argument[:1] == ["map"]:
        pairs = elementsOf(column.decode(argument))
        return {key: item for key, item in value.items() if (key, item) not in pairs}
    keys = elementsOf(ColumnType(column.key, min=0, max=None).decode(argument))
    return {key: item for key, item in value.items() if key not in keys}
