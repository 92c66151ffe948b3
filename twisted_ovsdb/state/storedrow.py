# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An interface as a row of the store: as C{toJSON} writes it, without what can be
derived and without empty columns, so that a later version reads it. Checksums show
whether the disk has kept what was written: SQLite itself does not see it if a byte
of a row is another one.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from twisted_ovsdb.datum import EMPTY, datumFromJSON, datumToJSON
from twisted_ovsdb.ovsinterface import InterfaceKind, OvsInterface, makeInterface

_encode: Final = json.JSONEncoder(separators=(",", ":")).encode

_KINDS: Final[dict[str | None, InterfaceKind | None]] = {
    None: None,
    **{kind.value: kind for kind in InterfaceKind},
}


def textOf(row: OvsInterface) -> str:
    """An interface as JSON, without its UUID."""
    # This runs for each row that is written: toJSON would derive much for nothing.
    value: dict[str, Any] = {"name": row.name}
    if row.kind is not None:
        value["kind"] = row.kind.value
    if row.type:
        value["type"] = row.type
    if row.ofport is not None:
        value["ofport"] = row.ofport
    if row.error is not None:
        value["error"] = row.error
    if row.external_ids:
        value["external_ids"] = dict(row.external_ids)
    if row.options:
        value["options"] = dict(row.options)
    if row.extra:
        value["extra"] = {column: datumToJSON(each) for column, each in row.extra.items()}
    if row.local_port:
        value["local_port"] = True
    if row.bridge is not None:
        value["bridge"] = row.bridge
    return _encode(value)


def rowOf(uuid: str, text: str) -> OvsInterface:
    """
    Read what L{textOf} wrote. Checksums have shown that it is that.

    @raise ValueError: if it is no interface.
    """
    value = json.loads(text)
    try:
        get = value.get
        return makeInterface(
            uuid,
            value["name"],
            get("type", ""),
            get("ofport"),
            get("error"),
            _map(get("external_ids")),
            _map(get("options")),
            _KINDS[get("kind")],
            _map({column: datumFromJSON(each) for column, each in get("extra", EMPTY).items()}),
            get("local_port", False),
            get("bridge"),
        )
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"not an interface: {e!r:.100}") from e


def _map(items: dict[str, Any] | None) -> Mapping[str, Any]:
    return MappingProxyType(items) if items else EMPTY


def checksum(*values: object) -> int:
    """A number that is another one if a few bytes of these values are."""
    return zlib.crc32(repr(values).encode("utf-8", "surrogatepass"))
