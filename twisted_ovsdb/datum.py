# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The value of a column: which types it has in Python, how it is written as JSON
and read from JSON again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

Reader = Callable[[object], Any]
"""Reads a value from JSON. It raises C{ValueError}, which says what was expected."""


def sortedAtoms(atoms: frozenset[Atom]) -> list[Atom]:
    """The elements of a set in order, numbers before strings."""
    return sorted(atoms, key=lambda atom: (isinstance(atom, str), atom))


def elements(value: Datum) -> tuple[Atom, ...]:
    """The elements of a set: none, one or more."""
    if isinstance(value, Mapping):
        raise TypeError(f"a map is no set: {describe(value)}")
    if value is None:
        return ()
    return tuple(value) if isinstance(value, frozenset) else (value,)


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
    """Read what L{datumToJSON} wrote, as a L{Reader}."""
    if value is None or _isAtom(value):
        return value  # type: ignore[return-value]
    if isinstance(value, list) and all(map(_isAtom, value)):
        return frozenset(value)
    pairs = list(map(list, value.items())) if isinstance(value, Mapping) else value
    if isinstance(pairs, list) and all(map(_isPair, pairs)):
        return _readOnly(dict(pairs))
    raise wrong("an atom, null, a list of atoms or pairs, or an object of atoms", value)


def instanceOf(expected: str, *types: type) -> Reader:
    """Make a reader of values of these types. A boolean is no integer here."""

    def read(value: object) -> Any:
        if not isinstance(value, types) or isinstance(value, bool):
            raise wrong(expected, value)
        return value

    return read


def objectOf(read: Reader) -> Reader:
    """Make a reader of an object as a read-only mapping. C{read} reads the values."""

    def readObject(value: object) -> Mapping[str, Any]:
        """@raise ValueError: if this is no such object."""
        if not isinstance(value, Mapping):
            raise wrong("an object", value)
        values: dict[str, Any] = {}
        for key, item in value.items():
            try:
                values[string(key)] = read(item)
            except ValueError as e:
                raise ValueError(f"{describe(key)}: {e}") from e
        return _readOnly(values)

    return readObject


string: Final[Reader] = instanceOf("a string", str)


def boolean(value: object) -> bool:
    """Read true or false, as a L{Reader}."""
    if not isinstance(value, bool):
        raise wrong("true or false", value)
    return value


def wrong(expected: str, value: object) -> ValueError:
    """The error for a value that is not what was expected."""
    return ValueError(f"expected {expected}, got {describe(value)}")


def _readOnly(mapping: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(mapping) if mapping else EMPTY


def _isAtom(value: object) -> bool:
    return isinstance(value, (str, int, float))  # A bool is an int.


def _isPair(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_isAtom, value))
