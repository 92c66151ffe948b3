# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Rows of the Interface table, read from a message's text at one go.

ovsdb-server writes every row in the same form: no white space, the columns in
one order, escapes only where a string needs them. One regular expression for
that form leaves a handful of strings, where the JSON scanner leaves some
thirty-five objects to be looked at one by one and thrown away: a row that
becomes an interface takes 5 us in place of 20. It decides nothing: what is not
in that form to the last character goes the usual way, which knows what is
right and what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.events import EMPTY, OvsInterface, UnfrozenInterface
from twisted_ovsdb.notation import shared

# Characters of a string without escapes. Those beyond Latin-1 are left out,
# and by naming those that are in, not those that are not, each takes a third
# of the time.
_CHARACTERS: Final = r"[ !#-\[\]-\xff]*"
_STRING: Final = rf'"{_CHARACTERS}"'
# What an integer column may hold: what has more digits may be too large.
_INTEGER: Final = r"-?(?:0|[1-9][0-9]{0,17})"
_NONE: Final = r'\["set",\[\]\]'
_PAIR: Final = rf"\[{_STRING},{_STRING}\]"
_PAIRS: Final = rf"(?:{_PAIR}(?:,{_PAIR})*)?"

# The columns that are read here, each with the one group that is its content.
_FORMS: Final = {
    "name": rf'"({_CHARACTERS})"',
    "type": rf'"({_CHARACTERS})"',
    "ofport": rf"(?:({_INTEGER})|{_NONE})",
    "error": rf'(?:"({_CHARACTERS})"|{_NONE})',
    "external_ids": rf'\["map",\[({_PAIRS})\]\]',
    "options": rf'\["map",\[({_PAIRS})\]\]',
}

_UUID: Final = r'"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
_END: Final = r"\}(?:,|(?=\}))"

# Of a row before it was modified nothing counts but that it is there.
_VALUE: Final = rf'(?:{_STRING}|{_INTEGER}|\[(?:"map",\[{_PAIRS}\]|"set",\[\])\])'
_OLD: Final = rf"\{{(?:{_STRING}:{_VALUE}(?:,{_STRING}:{_VALUE})*)?\}}"

_matchOld: Final = re.compile(_OLD + _END).match
_matchNothing: Final = re.compile(r"(?!)").match

FIRST_LEARNED: Final = 400
"""
Rows after which it pays to make an expression for their keys, which takes as
long as it then saves in a thousand rows. The next one is made after twice as
many that it does not match: what is never the same costs little.
"""


def _row(columns: tuple[str, ...], forms: Mapping[str, str]) -> str:
    return r"\{" + ",".join(f'"{column}":{forms[column]}' for column in columns) + r"\}"


def _matcher(columns: tuple[str, ...], keys: tuple[str, ...] | None = None) -> Any:
    """
    Matches a row that is inserted or modified: its UUID and its columns, up
    to the next row, or up to the row before if that follows.

    @param keys: the keys of external_ids, if they are to be these; then each
        of their values is a group.
    """
    forms = dict(_FORMS)
    if keys is not None:
        pairs = ",".join(rf'\["{re.escape(key)}","({_CHARACTERS})"\]' for key in keys)
        forms["external_ids"] = rf'\["map",\[{pairs}\]\]'
    return re.compile(rf'{_UUID}:\{{"new":{_row(columns, forms)}(?:,"old":(?=\{{)|{_END})').match


def _matcherOfDeleted(columns: tuple[str, ...]) -> Any:
    """
    Matches a row that is deleted, of which only the UUID counts.
    """
    forms = {column: re.sub(r"(?<!\\)\((?!\?)", "(?:", form) for column, form in _FORMS.items()}
    return re.compile(rf'{_UUID}:\{{"old":{_row(columns, forms)}{_END}').match


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
        self._matchDeleted: Any = None
        self._groups: tuple[int, ...] = ()
        # For rows whose external_ids have these keys.
        self._keys: tuple[str, ...] = ()
        self._matchKeys: Any = _matchNothing
        self._keysGroups: tuple[int, ...] = ()
        self._unlike = 0
        self._learnAt = FIRST_LEARNED

    def learn(self, columns: tuple[str, ...]) -> None:
        """
        Note in which order the server writes the columns.
        """
        if columns != self._columns:
            self._columns = columns
            self._match = None
            self._matchKeys = _matchNothing
            if set(columns) == set(_FORMS):
                self._match = _matcher(columns)
                self._matchDeleted = _matcherOfDeleted(columns)
                self._groups = (1, *self._place(1), columns.index("external_ids") + 2)

    def _place(self, idsGroups: int) -> list[int]:
        """
        Which groups the other columns have if external_ids have so many.
        """
        columns = self._columns
        behind = columns.index("external_ids")
        wanted = ("name", "type", "ofport", "error", "options")
        places = [columns.index(column) for column in wanted]
        return [2 + place + (idsGroups - 1 if place > behind else 0) for place in places]

    def _learnKeys(self, ids: Mapping[str, str]) -> None:
        """
        Expect the keys of these external_ids from now on.
        """
        self._keys = tuple(ids)
        self._matchKeys = _matcher(self._columns, self._keys)
        first = self._columns.index("external_ids") + 2
        count = len(self._keys)
        self._keysGroups = (1, *self._place(count), *range(first, first + count))
        self._unlike = 0
        self._learnAt *= 2

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
        if self._match is None:
            return position
        match, groups, matchDeleted = self._match, self._groups, self._matchDeleted
        matchKeys, keysGroups, keys = self._matchKeys, self._keysGroups, self._keys
        classify = self._rules.classify
        ids: Mapping[str, str]
        for _ in range(limit):
            found = matchKeys(text, position)
            if found is not None:
                uuid, name, type, ofport, error, options, *values = found.group(*keysGroups)
                ids = MappingProxyType(dict(zip(keys, values, strict=True)))
            elif (found := match(text, position)) is not None:
                uuid, name, type, ofport, error, options, pairs = found.group(*groups)
                ids = _mapping(pairs) if pairs else EMPTY
                self._unlike += 1
            else:
                start = position
                while (found := matchDeleted(text, position)) and found.group(1) in known:
                    rows[found.group(1)] = None
                    position = found.end()
                if position == start:
                    break
                continue
            end = found.end()
            modified = text[end - 1] == ":"
            if (uuid in known) is not modified:
                break
            if modified:
                found = _matchOld(text, end)
                if found is None:
                    break
                end = found.end()
            type = shared[type]
            if ofport is not None:
                ofport = int(ofport)
            options = _mapping(options) if options else EMPTY
            kind = classify(name, type, ofport, ids, options)
            # Not by keywords, which take as long again.
            interface: Any = UnfrozenInterface(uuid, name, type, ofport, error, ids, options, kind)
            interface.__class__ = OvsInterface
            rows[uuid] = interface
            position = end
        if self._unlike >= self._learnAt:
            self._learnKeys(ids)
        return position
