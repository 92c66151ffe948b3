# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Interface table: which columns are monitored, and how a row becomes an
L{OvsInterface}.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from twisted_ovsdb.events import EMPTY, Datum, OvsInterface
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rowtext import RowText
from twisted_ovsdb.wire.notation import (
    JSONRow,
    datum,
    optionalInteger,
    optionalString,
    shared,
    string,
    stringMap,
)

TABLE: Final = "Interface"

COLUMNS: Final = ("name", "type", "ofport", "error", "external_ids", "options")
"""
What every monitor asks for. They are persistent: the ephemeral columns go
blank at every restart of ovsdb-server.
"""

REQUIRED: Final = frozenset(("name", "type"))
"""Without these columns nothing can be told."""

_EMPTY: Final = {
    "ofport": ["set", []],
    "error": ["set", []],
    "external_ids": ["map", []],
    "options": ["map", []],
}


class InterfaceRows:
    """
    How rows of the Interface table are asked for and read.

    @ivar columns: the columns to monitor.
    @ivar text: takes rows in the usual form from a message's text.
    """

    def __init__(
        self,
        rules: ClassificationRules,
        extraColumns: Iterable[str] = (),
        lacking: Collection[str] = (),
    ) -> None:
        """
        @param extraColumns: columns beyond L{COLUMNS}.
        @param lacking: columns that the server does not have: they are not
            asked for, and read as empty.
        """
        if isinstance(extraColumns, str):
            raise TypeError(f"extraColumns is a sequence of names, not {extraColumns!r}")
        extra = dict.fromkeys(extraColumns)
        self.rules = rules
        self._extraColumns = tuple(column for column in extra if column not in COLUMNS)
        self.columns = tuple(c for c in COLUMNS + self._extraColumns if c not in lacking)
        self._empty = {column: _EMPTY[column] for column in lacking if column in _EMPTY}
        self._extraColumns = tuple(c for c in self._extraColumns if c not in lacking)
        self.text = RowText(rules)

    def without(self, lacking: Collection[str]) -> InterfaceRows:
        """
        The same for a server that lacks these columns.
        """
        return InterfaceRows(self.rules, self._extraColumns, lacking)

    def monitorRequests(self) -> dict[str, Any]:
        """
        The C{<monitor-requests>} of RFC 7047, section 4.1.5.
        """
        return {TABLE: [{"columns": list(self.columns)}]}

    def decode(self, uuid: str, row: JSONRow) -> OvsInterface:
        """
        Make an interface of a row.

        @raise ProtocolViolation: if a column is missing or is not of its type.
        """
        self.text.learn(tuple(row))
        if self._empty:
            row = {**self._empty, **row}
        name = string(row, "name")
        type = shared[string(row, "type")]
        ofport = optionalInteger(row, "ofport")
        external_ids = stringMap(row, "external_ids")
        options = stringMap(row, "options")
        extra: Mapping[str, Datum] = EMPTY
        if self._extraColumns:
            extra = MappingProxyType({c: datum(row, c) for c in self._extraColumns})
        kind = self.rules.classify(name, type, ofport, external_ids, options)
        error = optionalString(row, "error")
        # Not by keywords, which take as long again.
        return OvsInterface(uuid, name, type, ofport, error, external_ids, options, kind, extra)
