# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What conditions and mutations of a transaction mean (RFC 7047, section 5.1),
and what a column may hold, for L{twisted_ovsdb.testing.database}.

An L{RpcError} has the error and the details that the result of the operation
has. Functions that read a value may also raise C{ValueError} and
L{ProtocolViolation}.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.database.datatypes import AtomicType, ColumnType, Value
from twisted_ovsdb.database.schema import Row, TableSchema
from twisted_ovsdb.datum import EMPTY
from twisted_ovsdb.errors import RpcError


def isId(value: object) -> bool:
    """Whether this is an C{<id>} (RFC 7047, section 3.1)."""
    return type(value) is str and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) is not None


def elementsOf(value: Value) -> set[Any]:
    """A value as the set of what it holds; of a map, its pairs."""
    if value is None:
        return set()
    if isinstance(value, Mapping):
        return set(value.items())
    return set(value) if isinstance(value, frozenset) else {value}


def parsed(
    what: str,
    given: Any,
    optional: Mapping[str, type],
    required: Mapping[str, type] = EMPTY,
) -> dict[str, Any]:
    """
    Read an object of a request.

    @param what: what it is, for the error.
    @param optional: the types of the members that it may have.
    @param required: the types of those that it must have.
    @raise RpcError: if it has others, or of another type.
    """
    fault = ""
    if type(given) is not dict:
        fault = "Object expected."
    else:
        members = {**optional, **required}
        for name, value in given.items():
            if name not in members:
                fault = f"Member '{name}' is present but not allowed here."
            elif type(value) is not members[name]:
                fault = f"Type mismatch for member '{name}'."
        for name in required:
            if name not in given:
                fault = f"Required '{name}' member is missing."
    if fault:
        raise RpcError("syntax error", f"Parsing {what} failed: {fault}")
    found: dict[str, Any] = given
    return found


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
    name, function, argument = _triple("condition", given)
    holds = _comparison(columnType(table, name), function, argument)
    return Condition(name, lambda row: holds(row[name]))


def mutation(table: TableSchema, given: Any) -> tuple[str, Callable[[Value], Value]]:
    """
    Read a C{<mutation>} (RFC 7047, section 5.1).

    @return: the column's name, and what the mutation makes of a value.
    """
    name, mutator, argument = _triple("mutation", given)
    return name, _mutator(columnType(table, name, changed=True), mutator, argument)


def _triple(what: str, given: Any) -> tuple[str, str, Any]:
    if type(given) is list and len(given) == 3:
        name, function, argument = given
        if type(name) is str and type(function) is str:
            return name, function, argument
    raise ValueError(f"Parse error in {what}.")


def columnType(table: TableSchema, name: str, changed: bool = False) -> ColumnType:
    """
    Find the type of a column.

    @param changed: whether an existing row gets another value, which immutable
        columns do not allow.
    """
    try:
        column = table.column(name)
    except KeyError as e:
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
    if function in _ORDER:
        if column.isSet:
            raise _notApplied(function)
        number = _number(column, function, argument)
        return lambda value: value is not None and holds(value, number)
    wanted = column.decode(argument)
    return lambda value: holds(value, wanted)


def _number(column: ColumnType, function: str, argument: Any) -> Any:
    """Read the argument of a function that needs exactly one number."""
    if column.isMap or column.key.type not in (AtomicType.INTEGER, AtomicType.REAL):
        raise _notApplied(function)
    return ColumnType(column.key).decode(argument)


def _notApplied(function: str) -> ValueError:
    return ValueError(f'"{function}" operator may not be applied to this column')


def _mutator(column: ColumnType, mutator: str, argument: Any) -> Callable[[Any], Value]:
    """Make the function that does a mutation of a value."""
    if mutator in _ARITHMETIC:
        number, change = _number(column, mutator, argument), _ARITHMETIC[mutator]
        return lambda value: column.decode(["set", [change(n, number) for n in elementsOf(value)]])
    if mutator not in ("insert", "delete"):
        raise RpcError("unknown mutator", f"No mutator named {mutator}.")
    anyNumber = attrs.evolve(column, min=0, max=None)
    if not column.isMap:
        given = elementsOf(anyNumber.decode(argument))
        if mutator == "insert":
            return lambda value: _held(column, elementsOf(value) | given)
        return lambda value: _held(column, elementsOf(value) - given)
    if mutator == "insert":
        # A key that is there keeps its value.
        added: Any = anyNumber.decode(argument)
        return lambda value: {**added, **value}
    if type(argument) is list and argument[:1] == ["map"]:
        pairs = elementsOf(anyNumber.decode(argument))
        return lambda value: {key: i for key, i in value.items() if (key, i) not in pairs}
    keys = elementsOf(attrs.evolve(anyNumber, value=None).decode(argument))
    return lambda value: {key: item for key, item in value.items() if key not in keys}


def _held(column: ColumnType, elements: set[Any]) -> Value:
    """The elements as the value of a column that is no map."""
    if not column.min <= len(elements) <= (column.max or len(elements)):
        details = f"Attempted to store {len(elements)} elements where not so many may be."
        raise RpcError("constraint violation", details)
    return frozenset(elements) if column.isSet else next(iter(elements), None)
