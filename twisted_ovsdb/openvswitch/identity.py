# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The Open_vSwitch table, as far as it says which switch this is, and whether it has
applied what is configured. The address of a
server does not say it: a host may change its address, and an address may get
another host.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from twisted_ovsdb.events import SwitchIdentity

SWITCH_TABLE: Final = "Open_vSwitch"

IDENTITY_COLUMN: Final = "external_ids"

CONFIGURATION_COLUMNS: Final = ("next_cfg", "cur_cfg")
"""
Two counters. Whoever configures the switch raises the first, and ovs-vswitchd sets the
second to the first when it has applied the configuration.
"""


def identityOf(external_ids: Mapping[Any, Any]) -> SwitchIdentity:
    """
    @param external_ids: this column of the only row of the table.
    """
    ids = external_ids
    return SwitchIdentity(ids.get("system-id") or None, ids.get("hostname") or None)
