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


def _columns(type: object, names: str, **properties: bool) -> dict[str, Any]:
    """Columns of one type."""
    return {name: {"type": type, **properties} for name in names.split()}


def _optional(type: str, **constraints: object) -> dict[str, Any]:
    return {"key": {"type": type, **constraints}, "min": 0}


def _many(type: str, **constraints: object) -> dict[str, Any]:
    return {**_optional(type, **constraints), "max": "unlimited"}


def _oneOf(*values: str) -> dict[str, Any]:
    return _optional("string", enum=["set", list(values)])


_NAME: Final = _columns("string", "name", mutable=False)
_TEXT: Final = _optional("string")
_NUMBER: Final = _optional("integer")
_MAP: Final = {**_many("string"), "value": "string"}
_COUNTERS: Final = {**_many("string"), "value": "integer"}
_UNSIGNED: Final = {"minInteger": 0, "maxInteger": 2**32 - 1}
_PROTOCOLS: Final = [f"OpenFlow{number}" for number in range(10, 16)]
_VLAN: Final = {"minInteger": 0, "maxInteger": 4095}

SCHEMA: Final[Mapping[str, Any]] = {
    "name": DATABASE,
    "version": "8.3.1",
    "tables": {
        "Open_vSwitch": {
            "maxRows": 1,
            "isRoot": True,
            "columns": {
                **_columns(_many("uuid", refTable="Bridge"), "bridges"),
                **_columns("integer", "next_cfg cur_cfg"),
                **_columns(_TEXT, "ovs_version db_version system_type system_version"),
                **_columns(_MAP, "external_ids other_config"),
                **_columns(_MAP, "statistics", ephemeral=True),
            },
        },
        "Bridge": {
            "indexes": [["name"]],
            "columns": {
                **_NAME,
                **_columns(_many("uuid", refTable="Port"), "ports"),
                **_columns("string", "datapath_type datapath_version"),
                **_columns(_oneOf("standalone", "secure"), "fail_mode"),
                **_columns(_many("string", enum=["set", _PROTOCOLS]), "protocols"),
                **_columns(_MAP, "external_ids other_config"),
                **_columns(_TEXT, "datapath_id", ephemeral=True),
                **_columns(_MAP, "status", ephemeral=True),
            },
        },
        "Port": {
            "indexes": [["name"]],
            "columns": {
                **_NAME,
                **_columns({**_many("uuid", refTable="Interface"), "min": 1}, "interfaces"),
                **_columns("boolean", "fake_bridge"),
                **_columns(_optional("integer", **_VLAN), "tag"),
                **_columns({**_many("integer", **_VLAN), "max": 4096}, "trunks"),
                **_columns(_TEXT, "mac"),
                **_columns(_MAP, "external_ids other_config"),
                **_columns(_MAP, "status", ephemeral=True),
                **_columns(_COUNTERS, "statistics", ephemeral=True),
            },
        },
        "Interface": {
            "indexes": [["name"]],
            "columns": {
                **_NAME,
                **_columns("string", "type"),
                **_columns(_MAP, "options external_ids other_config bfd lldp"),
                **_columns(_TEXT, "mac error"),
                **_columns(_NUMBER, "ofport"),
                **_columns(_optional("integer", minInteger=1, maxInteger=65279), "ofport_request"),
                **_columns(_optional("integer", minInteger=1), "mtu_request"),
                **_columns(_TEXT, "mac_in_use", ephemeral=True),
                **_columns(_NUMBER, "link_speed mtu", ephemeral=True),
                **_columns(_optional("integer", **_UNSIGNED), "ifindex", ephemeral=True),
                **_columns(_oneOf("up", "down"), "admin_state link_state", ephemeral=True),
                **_columns(_oneOf("half", "full"), "duplex", ephemeral=True),
                **_columns(_MAP, "status", ephemeral=True),
                **_columns(_COUNTERS, "statistics", ephemeral=True),
            },
        },
    },
}
"""
The C{<database-schema>} (RFC 7047, section 3.2). Which columns are ephemeral
is as in Open vSwitch: they go blank whenever ovsdb-server restarts.
"""
