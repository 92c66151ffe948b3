# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
On which bridge each interface is, as ovs-vsctl shows it: the oracle of the tests of
bridges.
"""

from __future__ import annotations

import json

from twisted.internet.defer import TimeoutError as DeferredTimeout

from tests.live.support import QUIET, LiveTestCase, foldOf
from twisted_ovsdb import ClassificationRules, OvsInterface
from twisted_ovsdb.openvswitch.rows import COLUMNS, InterfaceRows


def parseShow(text: str) -> dict[str, str]:
    """
    The bridge of each interface in the output of C{ovs-vsctl show}, by names.
    """
    bridges: dict[str, str] = {}
    bridge = ""
    for line in text.splitlines():
        what, _, name = line.strip().partition(" ")
        name = json.loads(name) if name.startswith('"') else name
        if what == "Bridge":
            bridge = name
        elif what == "Interface":
            bridges[name] = bridge
    return bridges


class BridgesTestCase(LiveTestCase):
    """
    Watches the bridges too.
    """

    async def placed(self) -> dict[str, OvsInterface]:
        """
        The interfaces that have a kind, by UUID, with the bridge that ovs-vsctl
        shows.
        """
        rows = InterfaceRows(ClassificationRules(), bridges=True)
        bridges = parseShow(await self.vsctl("show"))
        text = await self.vsctl(f"-f json --columns=_uuid,{','.join(COLUMNS)} list Interface")
        table = json.loads(text)
        interfaces: dict[str, OvsInterface] = {}
        for cells in table["data"]:
            row = dict(zip(table["headings"], cells, strict=True))
            uuid = row.pop("_uuid")[1]
            interface = rows.whole(uuid, row)
            rows.place(interface, bridges.get(interface.name))
            if interface.kind is not None:
                interfaces[uuid] = interface
        return interfaces

    async def assertPlaced(self) -> None:
        """
        Assert that the events add up to what ovs-vsctl shows.
        """
        while True:
            heard = len(self.observer.everything)
            table = await self.placed()
            fold = foldOf(self.observer.everything)
            if fold == table:
                return
            if heard == len(self.observer.everything):
                try:
                    await self.observer.next(QUIET)
                except DeferredTimeout:
                    self.assertEqual(fold, table)
