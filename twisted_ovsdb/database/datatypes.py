# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The types of columns (RFC 7047, section 3.2), and what they make of values:
from OVSDB's notation to Python and back, and the differences of C{update2}.

What only the server can judge is left to it: ranges, enumerations and
references are known here, and not enforced.
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
from twisted_ovsdb.wire.notation import encodeAtom, encodeUUID, isUUID

Value = Union[Atom, None, frozenset[Atom], Mapping[Atom, Atom]]
"""
What a column holds, by its type: one atom (C{max} is 1), None where there is
none; a frozenset where there may be more; a read-only mapping.
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
    What a reference does for the row it refers to: a strong one keeps it in
    being, a weak one vanishes with it.
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
    The type of keys or of values: an atomic type and its constraints, None
    where there is none.

    @ivar enum: the only values allowed.
    @ivar refTable: the table that a UUID refers to.
    @ivar refType: how it does so.
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

        @raise ProtocolViolation: if it is none of this type.
        """
        atom = _DECODERS[self.type](value)
        if atom is None:
            raise ProtocolViolation(f"expected {self.type.value}, got {describe(value)}")
        return atom

    def encode(self, value: object) -> Any:
        """
        Write an atom. Where a UUID is expected, its text or a
        L{NamedUUID
        <twisted_ovsdb.wire.notation.NamedUUID>} is one.

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


def _integer(value: Any) -> Atom | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _real(value: Any) -> Atom | None:
    # A whole number is written without a point.
    if type(value) is int and -(2**63) <= value < 2**63:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def _uuid(value: Any) -> Atom | None:
    if type(value) is list and len(value) == 2 and value[0] == "uuid" and type(value[1]) is str:
        return value[1] if isUUID(value[1]) else None
    return None


_DECODERS: Final[Mapping[AtomicType, Callable[[Any], Atom | None]]] = {
    AtomicType.INTEGER: _integer,
    AtomicType.REAL: _real,
    AtomicType.BOOLEAN: lambda value: value if type(value) is bool else None,
    AtomicType.STRING: lambda value: value if type(value) is str else None,
    AtomicType.UUID: _uuid,
}


@attrs.frozen
class ColumnType:
    """
    The type of a column.

    @ivar key: the type of its elements, or of a map's keys.
    @ivar value: the type of a map's values; None if it is no map.
    @ivar min: how many elements it has at least: 0 or 1.
    @ivar max: how many at most; None if there is no limit.
    """

    key: BaseType
    value: BaseType | None = None
    min: int = 1
    max: int | None = 1

    @property
    def isMap(self) -> bool:
        """Whether its values are mappings."""
        return self.value is not None

    @property
    def isSet(self) -> bool:
        """Whether its values are frozensets."""
        return self.value is None and self.max != 1

    @property
    def default(self) -> Value:
        """What the column of a new row holds (RFC 7047, section 5.2.1)."""
        key = DEFAULTS[self.key.type]
        if self.value is not None:
            return MappingProxyType({key: DEFAULTS[self.value.type]} if self.min else {})
        if self.isSet:
            return frozenset([key] if self.min else [])
        return key if self.min else None

    def decode(self, value: object) -> Value:
        """
        Read a value.

        @raise ProtocolViolation: if it is none of this type.
        """
        if self.value is not None:
            return self._counted(MappingProxyType(self._pairs(value)))
        if self.isSet:
            return self._counted(self._atoms(value))
        elements = _tagged("set", value)
        if elements is None:
            return self.key.decode(value)
        self._checkCount(len(elements), ProtocolViolation)
        return self.key.decode(elements[0]) if elements else None

    def encode(self, value: object) -> Any:
        """
        Write a value: what L{decode} gives; for a set any set, list or tuple.

        @raise TypeError: if it is of another type.
        @raise ValueError: if OVSDB cannot hold it, or not so many.
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
        self._checkCount(len(atoms), ValueError)
        return ["set", atoms]

    def applyDifference(self, before: Value, difference: object) -> Value:
        """
        What becomes of a value by the difference of a C{modify}
        (ovsdb-server(7), section 4.1.14).

        If C{max} is 1, the difference is the new value. Otherwise elements go
        if they are there, and come if they are not; a pair goes if it is
        there with this value. Reals, which are written with 15 digits, are
        compared as they are written: who holds ones that differ beyond has
        to use C{monitor}.

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
        elements = _tagged("set", value)
        if elements is None:
            return frozenset((self.key.decode(value),))
        atoms = frozenset([self.key.decode(element) for element in elements])
        self._checkDistinct(atoms, elements)
        return atoms

    def _pairs(self, value: Any) -> dict[Atom, Atom]:
        assert self.value is not None
        pairs = _tagged("map", value)
        if pairs is None:
            raise ProtocolViolation(f"expected a map, got {describe(value)}")
        result: dict[Atom, Atom] = {}
        for pair in pairs:
            if type(pair) is not list or len(pair) != 2:
                raise ProtocolViolation(f"expected a pair, got {describe(pair)}")
            result[self.key.decode(pair[0])] = self.value.decode(pair[1])
        self._checkDistinct(result, pairs)
        return result

    def _checkDistinct(self, atoms: Collection[Atom], elements: list[Any]) -> None:
        # Reals that differ in the 16th digit are written alike.
        if len(atoms) != len(elements) and self.key.type is not AtomicType.REAL:
            raise ProtocolViolation(f"an element stands there twice: {describe(elements)}")

    def _counted(self, value: Counted) -> Counted:
        self._checkCount(len(value), ProtocolViolation)
        return value

    def _checkCount(self, count: int, error: type[Exception]) -> None:
        if count < self.min or (self.max is not None and count > self.max):
            most = "any number" if self.max is None else self.max
            raise error(f"expected {self.min} to {most} elements, got {count}")


def _tagged(tag: str, value: Any) -> list[Any] | None:
    """
    The content of C{[tag, [...]]}, None if it is not so.
    """
    if type(value) is list and len(value) == 2 and value[0] == tag and type(value[1]) is list:
        return value[1]
    return None
