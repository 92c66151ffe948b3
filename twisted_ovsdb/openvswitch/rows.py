# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Interface table: which columns are monitored, and how a row becomes an
L{OvsInterface}, in each dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import attrs

from twisted_ovsdb.database.datatypes import ColumnType
from twisted_ovsdb.database.schema import TableSchema
from twisted_ovsdb.datum import EMPTY, Datum, elements
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.events import InterfaceKind
from twisted_ovsdb.openvswitch.classify import ClassificationRules, checkRules
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
    within,
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
        bridges: bool = False,
        types: Mapping[str, ColumnType] = EMPTY,
    ) -> None:
        """
        @param extraColumns: columns beyond L{COLUMNS}.
        @param lacking: columns that the server does not have; they count as
            empty.
        @param known: the interfaces as they are known before a message, by UUID.
        @param bridges: whether L{place} will say on which bridge each one is.
        @param types: the types of the extra columns, which differences need.
        """
        if isinstance(extraColumns, str):
            raise TypeError(f"extraColumns is a sequence of names, not {extraColumns!r}")
        extraColumns = tuple(extraColumns)
        if not all(isinstance(name, str) for name in extraColumns):
            raise TypeError(f"extraColumns is a sequence of names, not {extraColumns!r}")
        checkRules(rules)
        self.rules = rules
        self._known = known
        self._bridges = bridges
        self._types = types
        self._lacking = lacking
        columns = dict.fromkeys((*COLUMNS, *extraColumns))
        self.columns = tuple(c for c in columns if c not in lacking)
        self._extraColumns = tuple(c for c in self.columns if c not in COLUMNS)
        self._absent = {column: _ABSENT[column] for column in lacking if column in _ABSENT}
        self._defaults = {"name": "", "type": "", **_ABSENT}
        self._defaults |= {c: type_.encode(type_.default) for c, type_ in types.items()}
        self._classify = self._classifyUnplaced if bridges else rules.classify

    def without(self, lacking: Collection[str]) -> InterfaceRows:
        """The same for a server that does not have these columns."""
        return self._with(lacking=lacking)

    @property
    def untyped(self) -> bool:
        """Whether differences cannot be read before L{typed} is called."""
        return any(column not in self._types for column in self._extraColumns)

    def typed(self, table: TableSchema) -> InterfaceRows:
        """The same with the types that the extra columns have in this schema."""
        known = [c for c in self._extraColumns if c in ("_uuid", "_version", *table.columns)]
        return self._with(types={c: table.column(c).type for c in known})

    def _with(self, **changes: Any) -> InterfaceRows:
        now: dict[str, Any] = {"lacking": self._lacking, "types": self._types, **changes}
        return InterfaceRows(
            self.rules, self._extraColumns, known=self._known, bridges=self._bridges, **now
        )

    def asLocalPort(self, row: OvsInterface) -> OvsInterface:
        """The same interface as the local port of a bridge, which it was before."""
        return self._judged(attrs.evolve(row, local_port=True))

    # Bridges

    def place(self, row: OvsInterface, bridge: str | None) -> None:
        """
        Say on which bridge an interface is that was just read, and that nothing
        else has yet.
        """
        before = row.bridge
        if bridge != before:
            object.__setattr__(row, "bridge", bridge)
            # Most are no bridge, before and after.
            if row.name in (before, bridge):
                object.__setattr__(row, "kind", self._kindOf(row))

    def moved(self, row: OvsInterface, bridge: str | None) -> OvsInterface:
        """The same interface on another bridge."""
        return self._judged(attrs.evolve(row, bridge=bridge))

    def _judged(self, row: OvsInterface) -> OvsInterface:
        kind = self._kindOf(row)
        return row if kind is row.kind else attrs.evolve(row, kind=kind)

    def _kindOf(self, row: OvsInterface) -> InterfaceKind | None:
        maps = row.external_ids, row.options
        if self._bridges:
            return self.rules.classifyOnBridge(row.name, row.type, row.bridge, *maps)
        return self.rules.classify(row.name, row.type, row.local_port, *maps)

    def _classifyUnplaced(
        self, name: str, type: str, local: bool, *maps: Mapping[str, str]
    ) -> InterfaceKind | None:
        # No interface is a bridge before it is placed.
        return self.rules.classifyOnBridge(name, type, None, *maps)

    # Dialects

    def whole(self, uuid: str, row: JSONRow) -> OvsInterface:
        """
        See L{WholeRows <twisted_ovsdb.database.monitor.WholeRows>}.

        This runs for every row of a snapshot, so values in their usual form are
        taken as they are. Other values are left to the strict readers of
        L{twisted_ovsdb.wire.notation}.
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
        if type(ofport) is not int or abs(ofport) >= 2**63:
            ofport = optionalInteger("ofport", ofport)
        if type(error) is not str:
            error = optionalString("error", error)
        type_ = shared[type_]
        local = ofport == LOCAL_OFPORT
        if not local and saysNothing(ofport):
            before = self._known.get(uuid)
            local = before is not None and before.local_port
        kind = self._classify(name, type_, local, external_ids, options)
        return makeInterface(
            uuid, name, type_, ofport, error, external_ids, options, kind, extra, local
        )

    def withDefaults(self, uuid: str, row: JSONRow) -> OvsInterface:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
        return self.whole(uuid, {**self._defaults, **row})

    def modified(self, uuid: str, before: OvsInterface, differences: JSONRow) -> OvsInterface:
        """See L{DifferingRows <twisted_ovsdb.database.monitorcond.DifferingRows>}."""
        now: dict[str, Any] = {}
        extra: dict[str, Datum] = {}
        for column, difference in differences.items():
            if column in ("external_ids", "options"):
                now[column] = _mapAfter(column, getattr(before, column), difference)
            elif column in _SCALARS:
                now[column] = _SCALARS[column](column, difference)
            elif column in self._types:
                extra[column] = self._differing(column, before.extra[column], difference)
        if extra:
            now["extra"] = MappingProxyType({**before.extra, **extra})
        return self._judged(attrs.evolve(before, **now))

    def _differing(self, column: str, before: Datum, difference: object) -> Datum:
        type_ = self._types[column]
        value = frozenset(elements(before)) if type_.isSet else before
        apply = partial(type_.applyDifference, value)
        now = within(f"column {column}", apply, difference)
        if isinstance(now, frozenset) and len(now) < 2:
            return next(iter(now), None)
        return now


def _mapAfter(column: str, before: Mapping[str, str], difference: object) -> Mapping[str, str]:
    """A map of strings after a difference, which removes the pairs that are there already."""
    now = dict(before)
    for key, value in stringMap(column, difference).items():
        if now.get(key) == value:
            del now[key]
        else:
            now[key] = value
    return MappingProxyType(now) if now else EMPTY


_SCALARS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "name": string,
    "type": string,
    "ofport": optionalInteger,
    "error": optionalString,
}
"""How the columns are read whose difference is the new value."""
