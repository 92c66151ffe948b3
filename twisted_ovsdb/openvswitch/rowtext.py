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
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import attrs

from twisted_ovsdb.events import EMPTY, OvsInterface, UnfrozenInterface
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.notation import shared

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

_FORMS: Final = {
    "name": rf'"(?P<name>{_CHARACTERS})"',
    "ofport": rf"(?:(?P<ofport>{_INTEGER})|{_NONE})",
    "type": rf'"(?P<type>{_CHARACTERS})"',
    "error": rf'(?:"(?P<error>{_CHARACTERS})"|{_NONE})',
    "external_ids": rf'\["map",\[(?P<external_ids>{_PAIRS})\]\]',
    "options": rf'\["map",\[(?P<options>{_PAIRS})\]\]',
}
"""The columns that are read here, each with a group that is its content."""

USUAL_COLUMNS: Final = ("name", "ofport", "external_ids", "options", "type", "error")
"""
The order in which Debian's ovsdb-server writes them; it comes of a hash, which
other builds may compute in another way.
"""

_UUID: Final = r'"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"'
_END: Final = r"\}(?:,|(?=\}))"

# Of a row before it was modified nothing counts but that it is there.
_VALUE: Final = rf'(?:{_STRING}|{_INTEGER}|\[(?:"map",\[{_PAIRS}\]|"set",\[\])\])'
_OLD: Final = rf"\{{(?:{_STRING}:{_VALUE}(?:,{_STRING}:{_VALUE})*)?\}}"

_matchOld: Final = re.compile(_OLD + _END).match

LEARNED: Final = 400
"""
Rows after which it pays to make an expression for rows like the last of them,
which takes as long as it then saves in a thousand rows. The next one is made
after twice as many that are unlike: where no two are alike it costs little.
"""

LEARNED_KEYS: Final = 1000
"""
Characters of a row's keys, up to which it is learned from: the expression
takes 9 ms at most then. A switch's rows have some 60.
"""


def _row(columns: Iterable[str], forms: Mapping[str, str]) -> str:
    return r"\{" + ",".join(f'"{column}":{forms[column]}' for column in columns) + r"\}"


def _expression(columns: Iterable[str], forms: Mapping[str, str]) -> re.Pattern[str]:
    """
    Matches a row that is inserted or modified: its UUID and its columns, up
    to the next row, or up to the row before if that follows.
    """
    return re.compile(rf'{_UUID}:\{{"new":{_row(columns, forms)}(?:,"old":(?=\{{)|{_END})')


@lru_cache(maxsize=16)
def _expressions(columns: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """
    For all rows with these columns in this order: what matches one that is
    inserted or modified, and one that is deleted.
    """
    # Groups take time, and of what is deleted only the UUID is of use.
    forms = {column: re.sub(r"\?P<\w+>", "?:", form) for column, form in _FORMS.items()}
    deleted = re.compile(rf'{_UUID}:\{{"old":{_row(columns, forms)}{_END}')
    return _expression(columns, _FORMS), deleted


def _mapForm(column: str, keys: Iterable[str]) -> str:
    """
    A map that has these keys, each value a group.
    """
    pairs = ",".join(
        rf'\["{re.escape(key)}","(?P<{column}{number}>{_CHARACTERS})"\]'
        for number, key in enumerate(keys)
    )
    return rf'\["map",\[{pairs}\]\]'


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


@attrs.frozen
class _Alike:
    """
    Rows of one type, with the same keys and no error.

    @ivar match: matches one; its groups are only what differs, the UUID first.
    @ivar nameAt: which of the groups, counted from 0, is the name.
    @ivar ofportAt: which is the ofport.
    @ivar idsAt: which is the first of the values that C{external_ids} has.
    @ivar optionsAt: which is the first of those that C{options} has.
    """

    match: Callable[[str, int], re.Match[str] | None] = re.compile(r"(?!)").match
    nameAt: int = 0
    ofportAt: int = 0
    idsAt: int = 0
    optionsAt: int = 0
    type: str = ""
    idsKeys: tuple[str, ...] = ()
    optionsKeys: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: OvsInterface, columns: Iterable[str]) -> _Alike:
        """
        Those like this one, with the columns in this order.
        """
        forms = {
            **_FORMS,
            "type": f'"{re.escape(row.type)}"',
            "error": _NONE,
            "external_ids": _mapForm("external_ids", row.external_ids),
            "options": _mapForm("options", row.options),
        }
        expression = _expression(columns, forms)
        # A map without keys has no group, and then it is no matter where.
        at = {group: number - 1 for group, number in expression.groupindex.items()}
        return cls(
            expression.match,
            at["name"],
            at["ofport"],
            at.get("external_ids0", 0),
            at.get("options0", 0),
            row.type,
            tuple(row.external_ids),
            tuple(row.options),
        )


class RowText:
    """
    Takes rows from a text.

    Most rows of a switch are alike. When enough were seen, an expression that
    knows what they have in common takes only the rest: no map has to be taken
    apart, and a row takes a quarter less.
    """

    def __init__(self, rules: ClassificationRules) -> None:
        self._rules = rules
        self._columns: tuple[str, ...] = ()
        self._learnAt = LEARNED
        self.learn(USUAL_COLUMNS)

    def learn(self, columns: tuple[str, ...]) -> None:
        """
        Note in which order the server writes the columns.
        """
        if columns == self._columns:
            return
        self._columns = columns
        self._alike = _Alike()
        self._unlike = 0
        self._match = self._matchDeleted = self._alike.match
        if set(columns) == set(_FORMS):
            expression, deleted = _expressions(columns)
            self._match, self._matchDeleted = expression.match, deleted.match
            self._groups = tuple(expression.groupindex[name] for name in ("uuid", *_FORMS))

    def _noteUnlike(self, count: int, row: OvsInterface | None) -> None:
        """
        So many rows were not like most, of which this is the last.
        """
        self._unlike += count
        if self._unlike < self._learnAt or row is None or row.error is not None:
            return
        # The comma and the quotes count too: an empty key is not for nothing.
        if sum(len(key) + 6 for key in (*row.external_ids, *row.options)) <= LEARNED_KEYS:
            self._alike = _Alike.of(row, self._columns)
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
        alike, match, matchDeleted = self._alike, self._match, self._matchDeleted
        matchAlike, nameAt, ofportAt = alike.match, alike.nameAt, alike.ofportAt
        idsAt, idsKeys = alike.idsAt, alike.idsKeys
        optionsAt, optionsKeys = alike.optionsAt, alike.optionsKeys
        classify = self._rules.classify
        unlike, lastUnlike = 0, ""
        ids: Any
        options: Any
        for _ in range(limit):
            found = matchAlike(text, position)
            if found is not None:
                # All of them, by place: half of what it takes to name them.
                values = found.groups()
                uuid, name, ofport = values[0], values[nameAt], values[ofportAt]
                type, error, ids, options = alike.type, None, EMPTY, EMPTY
                # Not strict, which costs half as much again, and there is more.
                if idsKeys:
                    ids = MappingProxyType(dict(zip(idsKeys, values[idsAt:])))  # noqa: B905
                if optionsKeys:
                    options = MappingProxyType(
                        dict(zip(optionsKeys, values[optionsAt:]))  # noqa: B905
                    )
            elif (found := match(text, position)) is not None:
                uuid, name, ofport, type, error, ids, options = found.group(*self._groups)
                type = shared[type]
                ids = _mapping(ids) if ids else EMPTY
                options = _mapping(options) if options else EMPTY
                unlike += 1
                lastUnlike = uuid
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
            if ofport is not None:
                ofport = int(ofport)
            kind = classify(name, type, ofport, ids, options)
            # Not by keywords, which take as long again.
            interface: Any = UnfrozenInterface(uuid, name, type, ofport, error, ids, options, kind)
            interface.__class__ = OvsInterface
            rows[uuid] = interface
            position = end
        if unlike:
            self._noteUnlike(unlike, rows.get(lastUnlike))
        return position
