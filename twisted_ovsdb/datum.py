# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The value of a column: which types it has in Python, how it is written as JSON
and read from JSON again.

Each function that reads raises C{ValueError}, which says what was expected
and what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Union

from twisted_ovsdb.errors import describe

Atom = Union[str, int, float, bool]
"""A value of one cell; a UUID is its text."""

Datum = Union[Atom, None, frozenset[Atom], Mapping[Atom, Atom]]
"""
The value of a column: an atom; None for an empty set; a frozenset for a set
of two or more; a read-only mapping for a map.
"""

EMPTY: Final[Mapping[Any, Any]] = MappingProxyType({})
"""The one empty map, shared because most rows have one or two empty maps."""


def readOnly(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """
    A read-only view of a mapping that nobody else has.
    """
    return MappingProxyType(mapping) if mapping else EMPTY


def sortedAtoms(atoms: frozenset[Atom]) -> list[Atom]:
    """
    The elements of a set in order, numbers before strings.
    """
    return sorted(atoms, key=lambda atom: (isinstance(atom, str), atom))


def datumToJSON(value: Datum) -> Any:
    """
    Write the value of any column.

    @return: an atom or None as it is; a set as a sorted list; a map as a dict
        or, if a key is not a string, as a list of pairs C{[key, value]}.
    """
    if isinstance(value, frozenset):
        return sortedAtoms(value)
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return dict(value)
        return [[key, item] for key, item in value.items()]
    return value


def datumFromJSON(value: object) -> Datum:
    """
    Read what L{datumToJSON} wrote.
    """
    if value is None or _isAtom(value):
        return value  # type: ignore[return-value]
    if isinstance(value, list) and all(map(_isAtom, value)):
        return frozenset(value)
    pairs = list(map(list, value.items())) if isinstance(value, Mapping) else value
    if isinstance(pairs, list) and all(map(_isPair, pairs)):
        return readOnly(dict(pairs))
    raise wrong("an atom, null, a list of atoms or pairs, or an object of atoms", value)


def stringFromJSON(value: object) -> str:
    """
    Read a string.
    """
    if not isinstance(value, str):
        raise wrong("a string", value)
    return value


def optionalStringFromJSON(value: object) -> str | None:
    """
    Read a string or null.
    """
    if value is not None and not isinstance(value, str):
        raise wrong("a string or null", value)
    return value


def optionalIntegerFromJSON(value: object) -> int | None:
    """
    Read an integer or null.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise wrong("an integer or null", value)
    return value


def stringMapFromJSON(value: object) -> Mapping[str, str]:
    """
    Read an object whose values are strings.
    """
    if not isinstance(value, Mapping):
        raise wrong("an object", value)
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise wrong("an object of strings", {key: item})
    return readOnly(dict(value))


def columnsFromJSON(value: object) -> Mapping[str, Datum]:
    """
    Read an object that has the values of columns, of any type, by name.
    """
    if not isinstance(value, Mapping):
        raise wrong("an object", value)
    columns: dict[str, Datum] = {}
    for name, datum in value.items():
        try:
            columns[stringFromJSON(name)] = datumFromJSON(datum)
        except ValueError as e:
            raise ValueError(f"{describe(name)}: {e}") from e
    return readOnly(columns)


def wrong(expected: str, value: object) -> ValueError:
    """
    The error for a value that is not what was expected.
    """
    return ValueError(f"expected {expected}, got {describe(value)}")


def _isAtom(value: object) -> bool:
    return isinstance(value, (str, int, float))  # A bool is an int.


def _isPair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_isAtom, value))
