# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Rows of the Interface table, read from a message's text at one go.

ovsdb-server writes every row in the same form: no white space, the columns in
one order, escapes only where a string needs them. One regular expression for
that form takes 3 us for a row and leaves seven strings, where the JSON scanner
takes 5 us and leaves some thirty-five objects to be looked at one by one and
thrown away: a row that becomes an interface takes 11 us in place of 20. It
decides nothing: what is not in that form to the last character goes the usual
way, which knows what is right and what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.events import EMPTY, OvsInterface, UnfrozenInterface
from twisted_ovsdb.notation import shared

# A string without escapes, and what an integer column may hold: what has more
# digits may be too large.
_CHARACTERS: Final = r'[^"\\\x00-\x1f]*'
_STRING: Final = rf'"{_CHARACTERS}"'
_INTEGER: Final = r"-?(?:0|[1-9][0-9]{0,17})"
_NONE: Final = r'\["set",\[\]\]'
_PAIR: Final = rf"\[{_STRING},{_STRING}\]"
_PAIRS: Final = rf"(?:{_PAIR}(?:,{_PAIR})*)?"

_FORMS: Final = {
    "name": rf'"({_CHARACTERS})"',
    "type": rf'"({_CHARACTERS})"',
    "ofport": rf"(?:({_INTEGER})|{_NONE})",
    "error": rf'(?:"({_CHARACTERS})"|{_NONE})',
    "external_ids": rf'\["map",\[({_PAIRS})\]\]',
    "options": rf'\["map",\[({_PAIRS})\]\]',
}
"""The columns that are read here, each with the one group that is its content."""

_UUID: Final = r'"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'

# Of the row before nothing counts but that it is there.
_VALUE: Final = rf'(?:{_STRING}|{_INTEGER}|{_NONE}|\["map",\[{_PAIRS}\]\])'
_OLD: Final = rf'"old":\{{(?:{_STRING}:{_VALUE}(?:,{_STRING}:{_VALUE})*)?\}}'


def _pattern(columns: tuple[str, ...]) -> re.Pattern[str]:
    """
    Matches a row update with its UUID, and the comma behind it if there is
    one. The groups: the UUID, the columns (all None for a row that is
    deleted), and what a row that is modified has in place of nothing.
    """
    new = ",".join(f'"{name}":{_FORMS[name]}' for name in columns)
    update = rf'(?:"new":\{{{new}\}}(,{_OLD})?|{_OLD})'
    return re.compile(rf"{_UUID}:\{{{update}\}}(?:,|(?=\}}))")


def _mapping(pairs: str) -> Mapping[str, str]:
    """
    The map that is written so, read-only.
    """
    # ["key","value"],["key","value"]: every quote is one of the strings' own.
    parts = pairs.split('"')
    result = {}
    for index in range(1, len(parts), 4):
        result[shared[parts[index]]] = parts[index + 2]
    return MappingProxyType(result)


class RowText:
    """
    Takes rows from a text, once it has seen the order of their columns.
    """

    def __init__(self, rules: ClassificationRules) -> None:
        self._rules = rules
        self._columns: tuple[str, ...] = ()
        self._match: Any = None
        self._groups: tuple[int, ...] = ()

    def learn(self, columns: tuple[str, ...]) -> None:
        """
        Note in which order the server writes the columns.
        """
        if columns != self._columns:
            self._columns = columns
            self._match = None
            if set(columns) == set(_FORMS):
                self._match = _pattern(columns).match
                wanted = ("name", "type", "ofport", "error", "external_ids", "options")
                groups = [columns.index(column) + 2 for column in wanted]
                self._groups = (1, *groups, len(columns) + 2)

    def take(
        self,
        text: str,
        position: int,
        rows: dict[str, OvsInterface | None],
        known: Mapping[str, object],
        limit: int,
    ) -> int:
        """
        Take row updates from here on, until there is one that is not in the
        usual form or does not fit what is known.

        @param rows: gets what becomes of each row, None where it goes.
        @param known: the rows that exist: what is inserted is not among them,
            what is modified or deleted is.
        @param limit: how many are taken at most.
        @return: the place behind the last one that was taken, and behind its
            comma.
        """
        match, groups = self._match, self._groups
        if match is None:
            return position
        classify = self._rules.classify
        for _ in range(limit):
            found = match(text, position)
            if found is None:
                break
            uuid, name, type, ofport, error, ids, options, old = found.group(*groups)
            if (uuid in known) is (name is not None and old is None):
                break
            if name is None:
                rows[uuid] = None
            else:
                type = shared[type]
                if ofport is not None:
                    ofport = int(ofport)
                ids = _mapping(ids) if ids else EMPTY
                options = _mapping(options) if options else EMPTY
                kind = classify(name, type, ofport, ids, options)
                # Not by keywords, which take as long again.
                interface: Any = UnfrozenInterface(
                    uuid, name, type, ofport, error, ids, options, kind
                )
                interface.__class__ = OvsInterface
                rows[uuid] = interface
            position = found.end()
        return position
