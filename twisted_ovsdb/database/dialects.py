# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The shape of a dialect: one way in which a server tells of the rows of tables,
and what it needs of those that know the columns.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol, TypeVar

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow

Row = TypeVar("Row")
RowCo = TypeVar("RowCo", covariant=True)


class WholeRows(Protocol[RowCo]):
    """
    Reads the rows of one table that a server tells whole.

    @ivar columns: the columns to ask for.
    """

    @property
    def columns(self) -> Collection[str]:
        """The columns to ask for."""

    def whole(self, uuid: str, row: JSONRow) -> RowCo:
        """
        Make a row's value of all its columns.

        @raise ProtocolViolation: if one is missing or wrong; the text names
            the column.
        """


class DifferingRows(WholeRows[Row], Protocol[Row]):
    """
    Reads the rows of one table of which a server tells only what differs.
    """

    def withDefaults(self, uuid: str, row: JSONRow) -> Row:
        """
        Make a row's value of the columns that do not have their default.

        @raise ProtocolViolation: as L{whole}.
        """

    def modified(self, uuid: str, before: Row, differences: JSONRow) -> Row:
        """
        Make a row's value of what it was and the differences of its columns.

        @raise ProtocolViolation: as L{whole}.
        """


RowsT = TypeVar("RowsT", contravariant=True)


class Dialect(Protocol[RowsT]):
    """
    One way in which a server tells of rows. It reads one row update at a time,
    and raises L{ProtocolViolation} for one that the dialect does not have, or
    that does not fit the row that is known; the caller adds which row it was.
    """

    @property
    def method(self) -> str:
        """The request that begins it."""

    @property
    def notification(self) -> str:
        """The notification that tells of changes."""

    def initial(self, rows: RowsT, uuid: str, update: JSONRow) -> Any:
        """
        Read a row update of the initial reply.

        @return: the row's value.
        """

    def change(self, rows: RowsT, uuid: str, update: JSONRow, before: Any) -> Any:
        """
        Read a row update of a notification.

        @param before: the row's value so far; None if the row is not known.
        @return: the row's value; None if the row is gone.
        """


def rowObject(member: str, value: Any) -> JSONRow:
    """
    The content of a row update.

    @raise ProtocolViolation: if it is no object.
    """
    if type(value) is not dict:
        raise ProtocolViolation(f"{member} is no object: {describe(value)}")
    return value
