# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Interface table: which columns are monitored, and how a row becomes an
L{OvsInterface}.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

from twisted_ovsdb.datum import EMPTY, Datum
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.ovsinterface import LOCAL_OFPORT, OvsInterface, makeInterface, saysNothing
from twisted_ovsdb.wire.notation import (
    EMPTY_MAP,
    EMPTY_SET,
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
The columns that are always monitored. They are persistent: the ephemeral columns
become empty at every restart of ovsdb-server.
"""

_ABSENT: Final = {
    "ofport": EMPTY_SET,
    "error": EMPTY_SET,
    "external_ids": EMPTY_MAP,
    "options": EMPTY_MAP,
}
"""The values of columns that the server does not have."""


class InterfaceRows:
    """
    Reads rows of the Interface table.

    @ivar columns: the columns to monitor.
    @cvar required: those without which an interface cannot be told.
    """

    required: Final = frozenset(("name", "type"))

    def __init__(
        self,
        rules: ClassificationRules,
        extraColumns: Iterable[str] = (),
        lacking: Collection[str] = (),
        known: Mapping[str, OvsInterface] = EMPTY,
    ) -> None:
        """
        @param extraColumns: columns beyond L{COLUMNS}.
        @param lacking: columns that the server does not have; they count as
            empty.
        @param known: the interfaces as they are known before a message, by UUID.
        """
        if isinstance(extraColumns, str):
            raise TypeError(f"extraColumns is a sequence of names, not {extraColumns!r}")
        self.rules = rules
        self._known = known
        columns = dict.fromkeys((*COLUMNS, *extraColumns))
        self.columns = tuple(c for c in columns if c not in lacking)
        self._extraColumns = tuple(c for c in self.columns if c not in COLUMNS)
        self._absent = {column: _ABSENT[column] for column in lacking if column in _ABSENT}

    def without(self, lacking: Collection[str]) -> InterfaceRows:
        """The same for a server that does not have these columns."""
        return InterfaceRows(self.rules, self._extraColumns, lacking, self._known)

    def asLocalPort(self, row: OvsInterface) -> OvsInterface:
        """The same interface as the local port of a bridge, which it was before."""
        kind = self.rules.classify(row.name, row.type, True, row.external_ids, row.options)
        return attrs.evolve(row, kind=kind, local_port=True)

    def whole(self, uuid: str, row: JSONRow) -> OvsInterface:
        """
        Make an interface of a row.

        This runs for every row of every message, so values in their usual form
        are taken as they are. Other values are left to the strict readers of
        L{twisted_ovsdb.wire.notation}.

        @raise ProtocolViolation: if a column is missing or is not of its type.
        """
        if self._absent:
            row = {**self._absent, **row}
        try:
            name = row["name"]
            type_ = row["type"]
            ofport = row["ofport"]
            error = row["error"]
            external_ids = stringMap("external_ids", row["external_ids"])
            options = stringMap("options", row["options"])
            extra: Mapping[str, Datum] = EMPTY
            if self._extraColumns:
                extra = MappingProxyType({c: datum(c, row[c]) for c in self._extraColumns})
        except KeyError as e:
            raise ProtocolViolation(f"column {e.args[0]}: missing") from e
        if type(name) is not str:
            name = string("name", name)
        if type(type_) is not str:
            type_ = string("type", type_)
        if type(ofport) is not int or not -(2**63) <= ofport < 2**63:
            ofport = optionalInteger("ofport", ofport)
        if type(error) is not str:
            error = optionalString("error", error)
        type_ = shared[type_]
        local = ofport == LOCAL_OFPORT
        if not local and saysNothing(ofport):
            before = self._known.get(uuid)
            local = before is not None and before.local_port
        kind = self.rules.classify(name, type_, local, external_ids, options)
        return makeInterface(
            uuid, name, type_, ofport, error, external_ids, options, kind, extra, local
        )
