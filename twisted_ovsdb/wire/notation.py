# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
OVSDB's JSON notation (RFC 7047, section 5.1): from it to Python values, and back.

Functions that read take a column's name and what the server wrote for it. They
raise L{ProtocolViolation} that names the column and what was found there. A set
of one element may be written as the element alone; both forms are read. An
element of a set, or a key of a map, that stands there twice is refused, as
ovsdb-server refuses it.
Functions that write, for C{transact}, choose the type by the value.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn, TypeVar

import attrs

from twisted_ovsdb.datum import EMPTY, Atom, Datum
from twisted_ovsdb.errors import ProtocolViolation, describe

T = TypeVar("T")

JSONRow = Mapping[str, Any]
"""A row as JSON: column names to values in OVSDB's notation."""

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ID: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

EMPTY_SET: Final = ["set", []]
"""An optional column, or a set, without a value."""

EMPTY_MAP: Final = ["map", []]
"""A map without pairs."""

isUUID: Final = _UUID.fullmatch


class _Shared(dict[str, str]):
    """
    One object for each string that is in many rows, such as a key of
    external_ids: this saves a fifth of an interface's memory. When it is full,
    it forgets everything, so that endless new keys cannot fill the memory.
    """

    LIMIT: Final = 1000

    def __missing__(self, text: str) -> str:
        if len(self) >= self.LIMIT:
            self.clear()
        self[text] = text
        return text


shared: Final = _Shared()


def _violation(column: str, expected: str, value: object) -> NoReturn:
    raise ProtocolViolation(f"column {column}: expected {expected}, got {describe(value)}")


def tagged(tag: str, value: Any) -> list[Any] | None:
    """The content of C{["set", [...]]} or C{["map", [...]]}; None for any other form."""
    if type(value) is list and len(value) == 2 and value[0] == tag and type(value[1]) is list:
        return value[1]
    return None


def uuidText(value: Any) -> str | None:
    """The text of C{["uuid", "..."]}; None if the value is no UUID."""
    if type(value) is list and len(value) == 2 and value[0] == "uuid" and type(value[1]) is str:
        return value[1] if isUUID(value[1]) else None
    return None


def _isAtom(value: Any) -> bool:
    """
    Whether a value of JSON is an atom, other than a UUID. An C{<integer>} has 64
    bits (RFC 7047, section 3.1); a real beyond is written as one.
    """
    kind = type(value)
    return kind in (str, float, bool) or (kind is int and -(2**63) <= value < 2**63)


def _mayBeReals(atoms: Iterable[object]) -> bool:
    """
    Whether an element may stand there twice: reals that differ in the 16th digit
    are written alike, and whole ones as integers.
    """
    return all(type(atom) in (int, float) for atom in atoms)


def _single(value: object) -> object:
    """The element of a set of one; anything else as it is."""
    elements = tagged("set", value)
    return elements[0] if elements is not None and len(elements) == 1 else value


def string(column: str, value: object) -> str:
    """Read a column that has exactly one string."""
    value = _single(value)
    if type(value) is not str:
        _violation(column, "a string", value)
    return value


def optionalString(column: str, value: object) -> str | None:
    """Read a column that has a string or nothing."""
    if value == EMPTY_SET:
        return None
    value = _single(value)
    if type(value) is not str:
        _violation(column, "a string or an empty set", value)
    return value


def optionalInteger(column: str, value: object) -> int | None:
    """Read a column that has a 64 bit integer or nothing."""
    if value == EMPTY_SET:
        return None
    value = _single(value)
    if type(value) is not int or not -(2**63) <= value < 2**63:
        _violation(column, "an integer or an empty set", value)
    return value


def stringMap(column: str, value: object) -> Mapping[str, str]:
    """Read a column that has a map of strings to strings. The result is read-only."""
    if value == EMPTY_MAP:
        return EMPTY
    if not (type(value) is list and len(value) == 2 and value[0] == "map"):
        _violation(column, "a map", value)
    pairs = value[1]
    if type(pairs) is not list:
        _violation(column, "a map", value)
    result: dict[str, str] = {}
    for pair in pairs:
        if type(pair) is not list or len(pair) != 2:
            _violation(column, "a map of pairs", value)
        key, item = pair
        if type(key) is not str or type(item) is not str:
            _violation(column, "a map of strings", value)
        result[shared[key]] = item
    if len(result) != len(pairs):
        _violation(column, "a map of different keys", value)
    return MappingProxyType(result)


def references(column: str, value: object) -> frozenset[str]:
    """Read a column that refers to rows, as the texts of their UUIDs."""
    elements = tagged("set", value)
    if elements is None:
        elements = [value]
    # A bridge may have 100,000 ports: no function of ours is called for each.
    try:
        texts = [text for tag, text in elements if tag == "uuid"]
        found = frozenset(texts)
        if len(found) == len(elements) and all(map(isUUID, texts)):
            return found
    except (TypeError, ValueError):
        pass  # An element is no pair, or not of text.
    _violation(column, "UUIDs, each once", value)


def datum(column: str, value: object) -> Datum:
    """
    Read a column of any type.

    @return: an atom (a UUID as its text); None for an empty set; a frozenset
        for a set of two or more; a read-only mapping for a map.
    """
    if type(value) is list and len(value) == 2:
        tag, content = value
        if tag == "map" and type(content) is list:
            if not all(type(pair) is list and len(pair) == 2 for pair in content):
                _violation(column, "a map of pairs", value)
            pairs = {_atom(column, k): _atom(column, v) for k, v in content}
            if len(pairs) != len(content) and not _mayBeReals(k for k, _ in content):
                _violation(column, "a map of different keys", value)
            return MappingProxyType(pairs)
        if tag == "set" and type(content) is list:
            atoms = frozenset(_atom(column, element) for element in content)
            if len(atoms) != len(content) and not _mayBeReals(content):
                _violation(column, "a set of different elements", value)
            return atoms if len(atoms) > 1 else next(iter(atoms), None)
    return _atom(column, value)


def _atom(column: str, value: object) -> Atom:
    if _isAtom(value):
        return value  # type: ignore[return-value]
    text = uuidText(value)
    if text is None:
        _violation(column, "an atom, a set or a map", value)
    return text


@attrs.frozen
class NamedUUID:
    """
    A reference to a row that the same transaction inserts under this
    C{uuid-name} (RFC 7047, section 5.1: C{<named-uuid>}).

    @ivar name: an C{<id>}: letters, digits and underscores.
    """

    name: str = attrs.field()

    @name.validator
    def _checkName(self, attribute: object, name: str) -> None:
        if not _ID.fullmatch(name):
            raise ValueError(f"not a name of letters, digits and underscores: {describe(name)}")


def encode(value: object) -> Any:
    """
    Write a value, as for a C{row}, a condition or a mutation of C{transact}.

    @param value: an atom, which is a bool, int, float or str, or a
        C{uuid.UUID} or L{NamedUUID} that refers to a row; None, which is the
        empty set; a set, frozenset or tuple of atoms; a mapping of atoms to
        atoms. A list is refused: it may mean a set, or be notation already.
    @raise TypeError: if there is no notation for this type.
    @raise ValueError: if OVSDB cannot hold the value.
    """
    if value is None:
        return ["set", []]
    if isinstance(value, Mapping):
        return ["map", [[encodeAtom(key), encodeAtom(item)] for key, item in value.items()]]
    if isinstance(value, (set, frozenset, tuple)):
        atoms = [encodeAtom(atom) for atom in value]
        if len(set(value)) != len(atoms):
            raise ValueError(f"a set has different elements, not {describe(value)}")
        return ["set", atoms]
    return encodeAtom(value)


def encodeRow(row: Mapping[str, object]) -> dict[str, Any]:
    """Write a row, each column as L{encode} does; errors name the column."""
    return {column: within(f"column {column}", encode, value) for column, value in row.items()}


def encodeUUID(text: str) -> list[str]:
    """Write a reference to a row that exists; ValueError if the text is no UUID."""
    if not isUUID(text):
        raise ValueError(f"not a UUID: {describe(text)}")
    return ["uuid", text]


def encodeAtom(value: object) -> Any:
    """Write an atom, as L{encode} does."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError(f"an integer has 64 bits: {describe(value)}")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"OVSDB has no {value}")
        return float(value)
    if isinstance(value, str):
        # ovsdb-server closes the connection of a client that sends NUL.
        if _UNSTORABLE.search(value):
            raise ValueError(f"a string holds NUL or half a character: {describe(value)}")
        return str(value)
    if isinstance(value, uuid.UUID):
        return ["uuid", str(value)]
    if isinstance(value, NamedUUID):
        return ["named-uuid", value.name]
    hint = "; a set of values is a tuple or a set" if isinstance(value, list) else ""
    kind = type(value).__name__
    raise TypeError(f"OVSDB has no notation for a {kind}: {describe(value)}{hint}")


def decode(value: object) -> Any:
    """
    Read a value that the server wrote, such as one of a C{select}: the inverse of
    L{encode}.

    @return: an atom, which is a bool, int, float or str, a C{uuid.UUID} or a
        L{NamedUUID}; None for the empty set; a frozenset for a set of two or more
        (a set of one is its element); a read-only mapping for a map.
    @raise ValueError: if the value is not in OVSDB's notation.
    """
    pairs, atoms = tagged("map", value), tagged("set", value)
    if pairs is not None:
        for pair in pairs:
            if type(pair) is not list or len(pair) != 2:
                raise ValueError(f"a map has pairs, not {describe(pair)}")
        mapping = {decodeAtom(key): decodeAtom(item) for key, item in pairs}
        if len(mapping) != len(pairs) and not _mayBeReals(key for key, _ in pairs):
            raise ValueError(f"a map has different keys, not {describe(pairs)}")
        return MappingProxyType(mapping)
    if atoms is None:
        return decodeAtom(value)
    found = frozenset(map(decodeAtom, atoms))
    if len(found) != len(atoms) and not _mayBeReals(atoms):
        raise ValueError(f"a set has different elements, not {describe(atoms)}")
    return found if len(found) > 1 else next(iter(found), None)


def decodeAtom(value: object) -> Any:
    """Read an atom, as L{decode} does."""
    if _isAtom(value):
        return value
    if type(value) is list and len(value) == 2 and type(value[1]) is str:
        tag, text = value
        if tag == "uuid" and isUUID(text):
            return uuid.UUID(text)
        if tag == "named-uuid":
            return NamedUUID(text)
    raise ValueError(f"not a value in OVSDB's notation: {describe(value)}")


def within(place: str, convert: Callable[[Any], T], value: object) -> T:
    """Read or write a value; an error names the place."""
    try:
        return convert(value)
    except (ProtocolViolation, TypeError, ValueError) as e:
        raise type(e)(f"{place}: {e}") from e
