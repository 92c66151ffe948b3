# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The schema of the database in memory: four tables of
ovs-vswitchd.conf.db(5), without the columns that refer to others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DATABASE: Final = "Open_vSwitch"

_STRING: Final = "string"
_NAME: Final = {"type": "string", "mutable": False}


def _optional(key: object) -> dict[str, Any]:
    return {"key": key, "min": 0}


def _many(key: object) -> dict[str, Any]:
    return {"key": key, "min": 0, "max": "unlimited"}


def _map(value: str = "string") -> dict[str, Any]:
    return {"key": "string", "value": value, "min": 0, "max": "unlimited"}


def _columns(types: Mapping[str, Any], ephemeral: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: {"type": type} for name, type in types.items()}
    columns.update({name: {"type": type, "ephemeral": True} for name, type in ephemeral.items()})
    return columns


def _enum(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": ["set", list(values)]}


def _references(table: str, min: int = 0) -> dict[str, Any]:
    return {"key": {"type": "uuid", "refTable": table}, "min": min, "max": "unlimited"}


_MAPS: Final = {"external_ids": _map(), "other_config": _map()}

SCHEMA: Final[Mapping[str, Any]] = {
    "name": DATABASE,
    "version": "8.3.1",
    "tables": {
        "Open_vSwitch": {
            "maxRows": 1,
            "isRoot": True,
            "columns": _columns(
                {
                    "bridges": _references("Bridge"),
                    "next_cfg": "integer",
                    "cur_cfg": "integer",
                    "ovs_version": _optional(_STRING),
                    "db_version": _optional(_STRING),
                    "system_type": _optional(_STRING),
                    "system_version": _optional(_STRING),
                    **_MAPS,
                },
                {"statistics": _map()},
            ),
        },
        "Bridge": {
            "indexes": [["name"]],
            "columns": {
                "name": _NAME,
                **_columns(
                    {
                        "ports": _references("Port"),
                        "datapath_type": _STRING,
                        "datapath_version": _STRING,
                        "fail_mode": _optional(_enum("standalone", "secure")),
                        "protocols": _many(_STRING),
                        **_MAPS,
                    },
                    {"datapath_id": _optional(_STRING), "status": _map()},
                ),
            },
        },
        "Port": {
            "indexes": [["name"]],
            "columns": {
                "name": _NAME,
                **_columns(
                    {
                        "interfaces": _references("Interface", min=1),
                        "tag": _optional({"type": "integer", "minInteger": 0, "maxInteger": 4095}),
                        "trunks": _many({"type": "integer", "minInteger": 0, "maxInteger": 4095}),
                        "mac": _optional(_STRING),
                        **_MAPS,
                    },
                    {"status": _map(), "statistics": _map("integer")},
                ),
            },
        },
        "Interface": {
            "indexes": [["name"]],
            "columns": {
                "name": _NAME,
                **_columns(
                    {
                        "type": _STRING,
                        "options": _map(),
                        "external_ids": _map(),
                        "other_config": _map(),
                        "mac": _optional(_STRING),
                        "ofport": _optional("integer"),
                        "ofport_request": _optional(
                            {"type": "integer", "minInteger": 1, "maxInteger": 65279}
                        ),
                        "error": _optional(_STRING),
                        "mtu_request": _optional({"type": "integer", "minInteger": 1}),
                        "bfd": _map(),
                        "lldp": _map(),
                    },
                    {
                        "mac_in_use": _optional(_STRING),
                        "ifindex": _optional("integer"),
                        "admin_state": _optional(_enum("up", "down")),
                        "link_state": _optional(_enum("up", "down")),
                        "link_speed": _optional("integer"),
                        "duplex": _optional(_enum("half", "full")),
                        "mtu": _optional("integer"),
                        "status": _map(),
                        "statistics": _map("integer"),
                    },
                ),
            },
        },
    },
}
"""
The C{<database-schema>} (RFC 7047, section 3.2). Which columns are ephemeral
is as in Open vSwitch: they go blank whenever ovsdb-server restarts.
"""
