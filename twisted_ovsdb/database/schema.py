# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The schema of a database (RFC 7047, section 3.2): its tables, and their columns
with their types. It reads and writes the rows of any table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeVar

import attrs

from twisted_ovsdb.database.datatypes import AtomicType, BaseType, ColumnType, RefType, Value
from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow, within

Row = Mapping[str, Value]
"""A row: its values by column, read-only."""

Named = TypeVar("Named")


@attrs.frozen
class ColumnSchema:
    """
    A column.

    @ivar ephemeral: whether its values are lost when the server stops.
    @ivar mutable: whether it can change after the row's insertion.
    """

    name: str
    type: ColumnType
    ephemeral: bool = False
    mutable: bool = True

    def decode(self, value: object) -> Value:
        """Read a value, as L{ColumnType.decode}; errors name the column."""
        return within(f"column {self.name}", self.type.decode, value)

    def encode(self, value: object) -> Any:
        """Write a value, as L{ColumnType.encode}; errors name the column."""
        return within(f"column {self.name}", self.type.encode, value)

    def applyDifference(self, before: Value, difference: object) -> Value:
        """As L{ColumnType.applyDifference}; errors name the column."""
        apply = partial(self.type.applyDifference, before)
        return within(f"column {self.name}", apply, difference)


_ROW_ID: Final = ColumnType(BaseType(AtomicType.UUID))

IMPLICIT: Final[Mapping[str, ColumnSchema]] = MappingProxyType(
    {name: ColumnSchema(name, _ROW_ID, mutable=False) for name in ("_uuid", "_version")}
)
"""The columns that every table has without being in its schema."""


@attrs.frozen
class TableSchema:
    """
    A table.

    @ivar columns: its columns by name, without C{_uuid} and C{_version}.
    @ivar maxRows: how many rows it can have; None is no limit.
    @ivar isRoot: whether rows without a strong reference to them are kept.
    @ivar indexes: sets of columns whose values together are unique.
    """

    name: str
    columns: Mapping[str, ColumnSchema] = attrs.field(hash=False)
    maxRows: int | None = None
    isRoot: bool = False
    indexes: tuple[tuple[str, ...], ...] = ()

    def column(self, name: str) -> ColumnSchema:
        """
        Find a column, which may be C{_uuid} or C{_version}.

        @raise KeyError: if there is no such column.
        """
        column = self.columns.get(name) or IMPLICIT.get(name)
        if column is None:
            raise KeyError(f"table {self.name} has no column {name}")
        return column

    def decodeRow(self, row: JSONRow) -> Row:
        """
        Read a row, such as one in the result of a select. It may have some
        of the columns.

        @raise ProtocolViolation: if a value is wrong or a column unknown.
        """
        values: dict[str, Value] = {}
        for name, value in row.items():
            try:
                column = self.column(name)
            except KeyError as e:
                raise ProtocolViolation(f"column {describe(name)}: the schema has none") from e
            values[name] = column.decode(value)
        return MappingProxyType(values)

    def encodeRow(self, row: Mapping[str, object]) -> dict[str, Any]:
        """
        Write a row, as for an insert. It may have some of the columns.

        @raise KeyError: if there is no such column.
        @raise TypeError: as L{ColumnType.encode}.
        @raise ValueError: as L{ColumnType.encode}.
        """
        return {name: self.column(name).encode(value) for name, value in row.items()}


@attrs.frozen
class DatabaseSchema:
    """
    A database.

    @ivar version: the schema's version.
    @ivar tables: its tables by name.
    @ivar cksum: the checksum that Open vSwitch adds, or an empty string.
    @ivar raw: the schema as the server wrote it; not to be changed.
    """

    name: str
    version: str
    tables: Mapping[str, TableSchema] = attrs.field(hash=False)
    cksum: str = ""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False, eq=False)

    @classmethod
    def parse(cls, schema: Any) -> DatabaseSchema:
        """
        Read a C{<database-schema>}. Unknown members are ignored.

        @raise ProtocolViolation: if it is wrong; the text names the place.
        """
        return within("schema", _parseDatabase, schema)


_MISSING: Final = object()


def _member(json: Any, name: str, *types: type, default: Any = _MISSING) -> Any:
    """A member of an object, exactly of one of these types."""
    if type(json) is not dict:
        raise ProtocolViolation(f"expected an object, got {describe(json)}")
    value = json.get(name, default)
    if value is _MISSING:
        raise ProtocolViolation(f"{name} is missing")
    if name in json and type(value) not in types:
        raise ProtocolViolation(f"{name}: unexpected {describe(value)}")
    return value


def _all(what: str, json: Any, parse: Callable[[str, Any], Named]) -> Mapping[str, Named]:
    """The named things in an object, such as a schema's tables."""
    return MappingProxyType(
        {name: within(f"{what} {name}", partial(parse, name), item) for name, item in json.items()}
    )


def _parseDatabase(json: Any) -> DatabaseSchema:
    return DatabaseSchema(
        name=_member(json, "name", str),
        version=_member(json, "version", str, default=""),
        tables=_all("table", _member(json, "tables", dict), _parseTable),
        cksum=_member(json, "cksum", str, default=""),
        raw=json,
    )


def _parseTable(name: str, json: Any) -> TableSchema:
    columns = _all("column", _member(json, "columns", dict), _parseColumn)
    return TableSchema(
        name,
        columns,
        maxRows=_member(json, "maxRows", int, default=None),
        isRoot=_member(json, "isRoot", bool, default=False),
        indexes=tuple(_parseIndex(i, columns) for i in _member(json, "indexes", list, default=[])),
    )


def _parseIndex(json: Any, columns: Iterable[str]) -> tuple[str, ...]:
    if type(json) is not list or not all(type(name) is str and name in columns for name in json):
        raise ProtocolViolation(f"indexes: not columns of the table: {describe(json)}")
    return tuple(json)


def _parseColumn(name: str, json: Any) -> ColumnSchema:
    return ColumnSchema(
        name,
        _parseType(_member(json, "type", str, dict)),
        ephemeral=_member(json, "ephemeral", bool, default=False),
        mutable=_member(json, "mutable", bool, default=True),
    )


def _parseType(json: Any) -> ColumnType:
    if type(json) is str:
        return ColumnType(_parseBase(json))
    least = _member(json, "min", int, default=1)
    most = _member(json, "max", int, str, default=1)
    unlimited = most == "unlimited"
    if least not in (0, 1) or not (unlimited or (type(most) is int and most >= 1)):
        raise ProtocolViolation(f"min {describe(least)} and max {describe(most)}")
    value = _member(json, "value", str, dict, default=None)
    return ColumnType(
        _parseBase(_member(json, "key", str, dict)),
        None if value is None else _parseBase(value),
        least,
        None if unlimited else most,
    )


def _parseBase(json: Any) -> BaseType:
    atomic = json if type(json) is str else _member(json, "type", str)
    try:
        base = BaseType(AtomicType(atomic))
    except ValueError as e:
        raise ProtocolViolation(f"no atomic type: {describe(atomic)}") from e
    if type(json) is str:
        return base
    values = _member(json, "enum", list, str, int, float, bool, default=None)
    refType = _member(json, "refType", str, default="strong")
    if refType not in ("strong", "weak"):
        raise ProtocolViolation(f"refType: unexpected {describe(refType)}")
    refTable = _member(json, "refTable", str, default=None)
    enum = None if values is None else ColumnType(base, min=0, max=None).decode(values)
    assert enum is None or isinstance(enum, frozenset)
    return attrs.evolve(
        base,
        enum=enum,
        minInteger=_member(json, "minInteger", int, default=None),
        maxInteger=_member(json, "maxInteger", int, default=None),
        minReal=_member(json, "minReal", float, int, default=None),
        maxReal=_member(json, "maxReal", float, int, default=None),
        minLength=_member(json, "minLength", int, default=None),
        maxLength=_member(json, "maxLength", int, default=None),
        refTable=refTable,
        refType=None if refTable is None else RefType(refType),
    )
