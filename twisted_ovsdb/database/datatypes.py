# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The types of columns (RFC 7047, section 3.2). They read and write values in
OVSDB's notation, and apply the differences of C{update2}.

Ranges, enumerations and references are known here, but only the server enforces
them.
"""

from __future__ import annotations

import enum
import math
import uuid
from collections.abc import Callable, Collection, Mapping, Sized
from types import MappingProxyType
from typing import Any, Final, TypeVar, Union

import attrs

from twisted_ovsdb.datum import Atom
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import encodeAtom, encodeUUID, tagged, uuidText

Value = Union[Atom, None, frozenset[Atom], Mapping[Atom, Atom]]
"""
The value of a column: an atom, or None if there is none, where C{max} is 1; else
a frozenset, or for a map a read-only mapping.
"""

Counted = TypeVar("Counted", bound=Sized)


class AtomicType(enum.Enum):
    """
    The C{<atomic-type>}s. In Python they are int, float, bool, str, and for a
    UUID its text.
    """

    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    STRING = "string"
    UUID = "uuid"


class RefType(enum.Enum):
    """
    The server keeps a row as long as there is a strong reference to it. A weak
    reference vanishes with its row.
    """

    STRONG = "strong"
    WEAK = "weak"


DEFAULTS: Final[Mapping[AtomicType, Atom]] = MappingProxyType(
    {
        AtomicType.INTEGER: 0,
        AtomicType.REAL: 0.0,
        AtomicType.BOOLEAN: False,
        AtomicType.STRING: "",
        AtomicType.UUID: str(uuid.UUID(int=0)),
    }
)
"""The default value of each type (RFC 7047, section 5.2.1)."""


@attrs.frozen
class BaseType:
    """
    The type of keys or of values: an atomic type and its constraints; None is
    no constraint.

    @ivar enum: the only values allowed.
    @ivar refTable: the table that a UUID refers to.
    """

    type: AtomicType
    enum: frozenset[Atom] | None = None
    minInteger: int | None = None
    maxInteger: int | None = None
    minReal: float | None = None
    maxReal: float | None = None
    minLength: int | None = None
    maxLength: int | None = None
    refTable: str | None = None
    refType: RefType | None = None

    def decode(self, value: object) -> Atom:
        """
        Read an atom.

        @raise ProtocolViolation: if the value is no atom of this type.
        """
        atom = _DECODERS[self.type](value)
        if atom is None:
            raise ProtocolViolation(f"expected {self.type.value}, got {describe(value)}")
        return atom

    def encode(self, value: object) -> Any:
        """
        Write an atom. A UUID is its text, a C{uuid.UUID}, or a L{NamedUUID
        <twisted_ovsdb.wire.notation.NamedUUID>}.

        @raise TypeError: if it is of another type.
        @raise ValueError: if OVSDB cannot hold it.
        """
        atom = value
        if self.type is AtomicType.UUID:
            atom = encodeUUID(value) if isinstance(value, str) else encodeAtom(value)
            known = isinstance(atom, list)
        elif self.type is AtomicType.REAL:
            known = isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            python = type(DEFAULTS[self.type])
            known = isinstance(value, python) and (python is bool or not isinstance(value, bool))
        if not known:
            raise TypeError(f"expected {self.type.value}, got {describe(value)}")
        return atom if isinstance(atom, list) else encodeAtom(atom)


def _integer(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _real(value: Any) -> float | None:
    # A whole number is written without a point.
    number = value if type(value) is float else _integer(value)
    return None if number is None or not math.isfinite(number) else float(number)


_DECODERS: Final[Mapping[AtomicType, Callable[[Any], Atom | None]]] = {
    AtomicType.INTEGER: _integer,
    AtomicType.REAL: _real,
    AtomicType.BOOLEAN: lambda value: value if type(value) is bool else None,
    AtomicType.STRING: lambda value: value if type(value) is str else None,
    AtomicType.UUID: uuidText,
}


@attrs.frozen
class ColumnType:
    """
    The type of a column.

    @ivar key: the type of its elements, or of a map's keys.
    @ivar value: the type of a map's values; None if it is no map.
    @ivar min: how many elements a value has at least: 0 or 1.
    @ivar max: how many at most; None is no limit.
    """

    key: BaseType
    value: BaseType | None = None
    min: int = 1
    max: int | None = 1

    @property
    def isMap(self) -> bool:
        """Whether values are mappings."""
        return self.value is not None

    @property
    def isSet(self) -> bool:
        """Whether values are frozensets."""
        return self.value is None and self.max != 1

    @property
    def default(self) -> Value:
        """The value in a new row (RFC 7047, section 5.2.1)."""
        key = DEFAULTS[self.key.type]
        if self.value is not None:
            return MappingProxyType({key: DEFAULTS[self.value.type]} if self.min else {})
        if self.isSet:
            return frozenset([key] if self.min else [])
        return key if self.min else None

    def decode(self, value: object) -> Value:
        """
        Read a value.

        @raise ProtocolViolation: if it is not of this type.
        """
        if self.value is not None:
            return self._counted(MappingProxyType(self._pairs(value)))
        if self.isSet:
            return self._counted(self._atoms(value))
        elements = tagged("set", value)
        if elements is None:
            return self.key.decode(value)
        self._checkCount(len(elements), ProtocolViolation)
        return self.key.decode(elements[0]) if elements else None

    def encode(self, value: object) -> Any:
        """
        Write a value, as L{decode} returns it; a set may also be a list or a
        tuple.

        @raise TypeError: if it is of another type.
        @raise ValueError: if OVSDB cannot hold it, or not so many elements.
        """
        if self.value is not None:
            if not isinstance(value, Mapping):
                raise TypeError(f"expected a mapping, got {describe(value)}")
            encodeValue = self.value.encode
            pairs = [[self.key.encode(key), encodeValue(item)] for key, item in value.items()]
            self._checkCount(len(pairs), ValueError)
            return ["map", pairs]
        if not self.isSet:
            if value is None:
                self._checkCount(0, ValueError)
                return ["set", []]
            return self.key.encode(value)
        if not isinstance(value, (set, frozenset, list, tuple)):
            raise TypeError(f"expected a set, got {describe(value)}")
        atoms = [self.key.encode(atom) for atom in value]
        self._checkDistinct(set(value), value, ValueError)
        self._checkCount(len(atoms), ValueError)
        return ["set", atoms]

    def applyDifference(self, before: Value, difference: object) -> Value:
        """
        Apply the difference of a C{modify} (ovsdb-server(7), section 4.1.14).

        If C{max} is 1, the difference is the new value. Otherwise an element
        of the difference is removed if it is in the value, else added; a pair
        of a map is removed if it is there with the same value. Reals are
        written with 15 digits and compared as written: use C{monitor} where
        they differ only in later digits.

        @return: the new value.
        @raise ProtocolViolation: if it is no difference of this type.
        """
        if self.max == 1:
            return self.decode(difference)
        if self.value is None:
            assert isinstance(before, frozenset)
            return self._counted(before ^ self._atoms(difference))
        assert isinstance(before, Mapping)
        pairs = dict(before)
        for key, item in self._pairs(difference).items():
            if key in pairs and pairs[key] == item:
                del pairs[key]
            else:
                pairs[key] = item
        return self._counted(MappingProxyType(pairs))

    def _atoms(self, value: Any) -> frozenset[Atom]:
        elements = tagged("set", value)
        if elements is None:
            return frozenset((self.key.decode(value),))
        atoms = frozenset([self.key.decode(element) for element in elements])
        self._checkDistinct(atoms, elements, ProtocolViolation)
        return atoms

    def _pairs(self, value: Any) -> dict[Atom, Atom]:
        assert self.value is not None
        pairs = tagged("map", value)
        if pairs is None:
            raise ProtocolViolation(f"expected a map, got {describe(value)}")
        result: dict[Atom, Atom] = {}
        for pair in pairs:
            if type(pair) is not list or len(pair) != 2:
                raise ProtocolViolation(f"expected a pair, got {describe(pair)}")
            result[self.key.decode(pair[0])] = self.value.decode(pair[1])
        self._checkDistinct(result, pairs, ProtocolViolation)
        return result

    def _checkDistinct(
        self, atoms: Sized, elements: Collection[Any], error: type[Exception]
    ) -> None:
        # Reals that differ in the 16th digit are written alike.
        if len(atoms) != len(elements) and self.key.type is not AtomicType.REAL:
            raise error(f"an element stands there twice: {describe(elements)}")

    def _counted(self, value: Counted) -> Counted:
        self._checkCount(len(value), ProtocolViolation)
        return value

    def _checkCount(self, count: int, error: type[Exception]) -> None:
        if count < self.min or (self.max is not None and count > self.max):
            most = "any number" if self.max is None else self.max
            raise error(f"expected {self.min} to {most} elements, got {count}")
