# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What conditions and mutations of a transaction mean (RFC 7047, section 5.1),
and what a column may hold, for L{twisted_ovsdb.testing.database}.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from twisted_ovsdb.database.datatypes import AtomicType, ColumnType, Value
from twisted_ovsdb.database.schema import TableSchema
from twisted_ovsdb.errors import OvsdbError

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_ORDER: Final = ("<", "<=", ">", ">=")

_FUNCTIONS: Final = (*_COMPARISONS, "includes", "excludes")

_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
}

MUTATORS: Final = (*_ARITHMETIC, "insert", "delete")


class OperationFailed(OvsdbError):
    """
    An operation failed: C{error} and C{details} of its result.
    """


def elementsOf(value: Value) -> set[Any]:
    """
    A value as the set of what it holds; of a map, its pairs.
    """
    if value is None:
        return set()
    if isinstance(value, Mapping):
        return set(value.items())
    return set(value) if isinstance(value, frozenset) else {value}


def resolved(value: Any, names: Mapping[str, str]) -> Any:
    """
    JSON with C{<named-uuid>}s replaced by the UUIDs that they stand for.
    """
    if type(value) is dict:
        return {key: resolved(item, names) for key, item in value.items()}
    if type(value) is not list:
        return value
    if len(value) == 2 and value[0] == "named-uuid" and value[1] in names:
        return ["uuid", names[value[1]]]
    return [resolved(item, names) for item in value]


def columnOf(table: TableSchema, name: Any) -> ColumnType:
    """
    The type of a column.

    @raise OperationFailed: if there is none of this name.
    """
    try:
        return table.column(name).type
    except (KeyError, TypeError) as e:
        raise OperationFailed("unknown column", f"No column {name} in table {table.name}.") from e


def checkConstraints(column: ColumnType, value: Value) -> None:
    """
    See that a value is among those allowed.

    @raise OperationFailed: if it is not.
    """
    key = column.key
    for atom in value if isinstance(value, Mapping) else elementsOf(value):
        if key.enum is not None and atom not in key.enum:
            raise OperationFailed(
                "constraint violation", f"{atom} is not one of the allowed values"
            )
        if isinstance(atom, int) and not isinstance(atom, bool):
            least = -(2**63) if key.minInteger is None else key.minInteger
            most = 2**63 - 1 if key.maxInteger is None else key.maxInteger
            if not least <= atom <= most:
                raise OperationFailed(
                    "constraint violation", f"{atom} is not in the valid range {least} to {most}"
                )


def condition(column: ColumnType, function: str, argument: Any) -> Callable[[Value], bool]:
    """
    What tells whether a condition holds for a value of this column.

    @raise OperationFailed: if there is no such function.
    @raise ValueError: if it is not for this column.
    @raise ProtocolViolation: if the argument is not of its type.
    """
    if function not in _FUNCTIONS:
        raise OperationFailed("unknown function", f"No function named {function}.")
    number = column.key.type in (AtomicType.INTEGER, AtomicType.REAL) and not column.isMap
    if function in _ORDER and not (number and not column.isSet):
        raise ValueError(f'"{function}" operator may not be applied to this column')
    wanted = column.decode(argument)
    if function == "includes":
        return lambda value: elementsOf(wanted) <= elementsOf(value)
    if function == "excludes":
        return lambda value: not elementsOf(wanted) & elementsOf(value)
    compare = _COMPARISONS[function]
    if function in _ORDER:
        return lambda value: value is not None and wanted is not None and compare(value, wanted)
    return lambda value: compare(value, wanted)


def mutated(column: ColumnType, value: Any, mutator: str, argument: Any) -> Value:
    """
    What a mutation makes of a value.

    @raise TypeError: if it is not for this column.
    @raise ProtocolViolation: if the argument or the result is not of its type.
    """
    if mutator in _ARITHMETIC:
        return column.decode(_ARITHMETIC[mutator](value, argument))
    if column.value is None:
        given = frozenset(elementsOf(attrs.evolve(column, min=0, max=None).decode(argument)))
        return frozenset(value | given if mutator == "insert" else value - given)
    if mutator == "insert":
        # What a key has already stays.
        return {**column.decode(argument), **value}  # type: ignore[dict-item]
    if type(argument) is list and argument[:1] == ["map"]:
        pairs = elementsOf(column.decode(argument))
        return {key: item for key, item in value.items() if (key, item) not in pairs}
    keys = elementsOf(ColumnType(column.key, min=0, max=None).decode(argument))
    return {key: item for key, item in value.items() if key not in keys}
