# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Messages with many rows, as ovsdb-server writes them and as other servers might.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st


def plainRow(number: int, **columns: Any) -> dict[str, Any]:
    """
    A row as ovsdb-server writes it.
    """
    empty: dict[str, Any] = {"external_ids": ["map", []], "options": ["map", []]}
    return {"name": f"tap{number}", "ofport": number, **empty, "type": "", "error": ["set", []]} | (
        columns
    )


TEXT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    ["tap1", 'a"b', "back\\slash", "\x01", '],["x","y"]', '}},"', "iface-id", "ü", "\U0001f600"]
)
MAPS = st.dictionaries(TEXT, TEXT, max_size=3).map(lambda d: ["map", [[k, d[k]] for k in d]])
NONE = st.just(["set", []])
ODD: Any = st.sampled_from([True, None, 1.5, 10**30, -0.0, {}, [], "x", ["set", ["x"]], ["map", 1]])
ROWS = st.fixed_dictionaries(
    {
        "name": TEXT.filter(bool),
        "ofport": NONE | st.integers(-(2**63), 2**63),
        "external_ids": MAPS,
        "options": MAPS,
        "type": st.sampled_from(["", "internal", "patch", "vxlan", "VXLAN"]),
        "error": NONE | TEXT,
    }
)
ODD_ROWS = st.tuples(
    ROWS, st.sampled_from(["name", "ofport", "options", "error", "else"]), ODD
).map(lambda drawn: {**drawn[0], drawn[1]: drawn[2]})
ANY_ROWS = st.one_of(ROWS, ROWS, ROWS, ODD_ROWS)
OLD = st.dictionaries(st.sampled_from(["ofport", "error", "options"]), NONE | MAPS | ODD)

WRITING: Any = st.sampled_from(
    [{"separators": (",", ":")}] * 4
    + [{}, {"indent": 1}, {"separators": (",", ":"), "sort_keys": True}]
)
"""How a message is written: mostly as ovsdb-server writes it."""


def write(message: Any, **form: Any) -> str:
    """
    A message's text.
    """
    return json.dumps(message, ensure_ascii=False, **(form or {"separators": (",", ":")}))
