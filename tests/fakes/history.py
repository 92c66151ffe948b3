# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The states of a table one after another, and how a server reports them in each dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tests.fakes.rows import uuid
from twisted_ovsdb import DatabaseSchema

RAW: Final[dict[str, Any]] = {
    "name": "D",
    "version": "1.0.0",
    "tables": {
        "T": {
            "columns": {
                "s": {"type": "string"},
                "o": {"type": {"key": "integer", "min": 0, "max": 1}},
                "e": {"type": {"key": "integer", "min": 0, "max": "unlimited"}},
                "m": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
            }
        }
    },
}

SCHEMA: Final = DatabaseSchema.parse(RAW)

COLUMNS: Final = SCHEMA.tables["T"].columns

DEFAULTS: Final[dict[str, Any]] = {name: c.type.default for name, c in COLUMNS.items()}

State = Mapping[int, Mapping[str, Any]]
"""The rows of the table, by the number of the UUID."""


def row(**values: Any) -> dict[str, Any]:
    """
    A row: its other columns have their default values.
    """
    return {**DEFAULTS, **values}


def whole(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    A row as C{monitor} reports it.
    """
    return {name: COLUMNS[name].type.encode(value) for name, value in values.items()}


def sparse(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    A row as C{monitor_cond} reports it.
    """
    return whole({n: v for n, v in values.items() if v != DEFAULTS[n]})


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """
    What C{modify} has.
    """
    found: dict[str, Any] = {}
    for name, value in now.items():
        old = before[name]
        if old == value:
            continue
        if isinstance(value, Mapping):
            pairs = {k: v for k, v in value.items() if old.get(k) != v}
            pairs |= {k: v for k, v in old.items() if k not in value}
            found[name] = ["map", [list(pair) for pair in pairs.items()]]
        elif isinstance(value, frozenset):
            found[name] = ["set", sorted(old ^ value)]
        else:
            found[name] = COLUMNS[name].type.encode(value)
    return found


def _table(rows: Mapping[int, Any]) -> dict[str, Any]:
    return {"T": {uuid(n): update for n, update in rows.items()}} if rows else {}


def initial(state: State, since: bool = True) -> dict[str, Any]:
    """
    The table updates of an initial reply.
    """
    if since:
        return _table({n: {"initial": sparse(values)} for n, values in state.items()})
    return _table({n: {"new": whole(values)} for n, values in state.items()})


def changes(before: State, now: State, since: bool = True) -> dict[str, Any]:
    """
    The table updates from one state to another.
    """
    found: dict[int, Any] = {}
    for n in sorted({*before, *now}):
        old, new = before.get(n), now.get(n)
        if old == new:
            continue
        if not since:
            parts = {"old": old, "new": new}
            found[n] = {k: whole(v) for k, v in parts.items() if v is not None}
        elif new is None:
            found[n] = {"delete": None}
        elif old is None:
            found[n] = {"insert": sparse(new)}
        else:
            found[n] = {"modify": difference(old, new)}
    return _table(found)


def transaction(number: int) -> str:
    """
    A transaction id for each number; that of 0 says that there is none.
    """
    return f"{number:08x}-0000-0000-0000-000000000000"
