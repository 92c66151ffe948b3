# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Interface table: which columns are monitored, and how a row becomes an
L{OvsInterface}.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.events import EMPTY, Datum, OvsInterface
from twisted_ovsdb.notation import (
    JSONRow,
    datum,
    optionalInteger,
    optionalString,
    string,
    stringMap,
)

TABLE: Final = "Interface"

COLUMNS: Final = ("name", "type", "ofport", "error", "external_ids", "options")
"""
What every monitor asks for. They are persistent: the ephemeral columns go
blank at every restart of ovsdb-server.
"""


class InterfaceRows:
    """
    How rows of the Interface table are asked for and read.

    @ivar columns: the columns to monitor.
    """

    def __init__(self, rules: ClassificationRules, extraColumns: Iterable[str] = ()) -> None:
        if isinstance(extraColumns, str):
            raise TypeError(f"extraColumns is a sequence of names, not {extraColumns!r}")
        extra = dict.fromkeys(extraColumns)
        self.rules = rules
        self._extraColumns = tuple(column for column in extra if column not in COLUMNS)
        self.columns = COLUMNS + self._extraColumns

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
        name = string(row, "name")
        type = string(row, "type")
        ofport = optionalInteger(row, "ofport")
        external_ids = stringMap(row, "external_ids")
        options = stringMap(row, "options")
        extra: Mapping[str, Datum] = EMPTY
        if self._extraColumns:
            extra = MappingProxyType({c: datum(row, c) for c in self._extraColumns})
        return OvsInterface(
            uuid=uuid,
            name=name,
            type=type,
            ofport=ofport,
            error=optionalString(row, "error"),
            external_ids=external_ids,
            options=options,
            kind=self.rules.classify(name, type, ofport, external_ids, options),
            extra=extra,
        )
