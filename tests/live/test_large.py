# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
First replies of a real ovsdb-server that are so long that they come in many
pieces, of which rows are taken as they come.
"""

from __future__ import annotations

from typing import Any

from tests.live.support import LiveTestCase, connect, summaries
from tests.soak.database import transact
from twisted_ovsdb import OvsdbProtocol
from twisted_ovsdb.jsonstream import EARLY

INTERFACES = 4_000
"""Of the bridge, beside its own: with 330 bytes each, four times L{EARLY}."""

AWKWARD = 'a "quoted" word, }}," and \\'
"""A value that is written with escapes."""


class LargeTests(LiveTestCase):
    """
    A bridge with thousands of interfaces.
    """

    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        await self.vsctl("add-br br-int")
        self.names = [f"tap{number}" for number in range(INTERFACES)]
        self.control = await connect(self, self.ovs.unix)
        await transact(self.control, *self.made())

    def made(self) -> list[dict[str, Any]]:
        """
        The operations that make them, all of one port.
        """
        operations: list[dict[str, Any]] = []
        for name in self.names:
            ids = {"iface-id": f"port of {name}", "vm-uuid": "0" * 36, "iface-status": "active"}
            row = {"name": name, "external_ids": ["map", [[key, ids[key]] for key in ids]]}
            operations.append({"op": "insert", "table": "Interface", "row": row, "uuid-name": name})
        interfaces = ["set", [["named-uuid", name] for name in self.names]]
        row = {"name": "many", "interfaces": interfaces}
        operations.append({"op": "insert", "table": "Port", "row": row, "uuid-name": "port"})
        port = ["ports", "insert", ["set", [["named-uuid", "port"]]]]
        operations.append({"op": "mutate", "table": "Bridge", "where": [], "mutations": [port]})
        return operations

    async def test_snapshots(self) -> None:
        """
        All are told once, and are what the database has; also after an
        outage, when rows were told whose text is awkward.
        """
        received: list[int] = []
        dataReceived = OvsdbProtocol.dataReceived

        def counting(protocol: OvsdbProtocol, data: bytes) -> None:
            received.append(len(data))
            dataReceived(protocol, data)

        self.patch(OvsdbProtocol, "dataReceived", counting)
        self.watch(maxDelay=0.2)
        *told, synchronized = await self.observer.untilSynchronized()
        self.assertGreater(sum(received), 3 * EARLY)
        self.assertCountEqual(
            summaries(told),
            [("online", "vm", name, "initial") for name in self.names]
            + [("online", "bridge", "br-int", "initial")],
        )
        self.assertEqual(summaries([synchronized]), [("synchronized", "initial")])
        await self.assertFoldEqualsTable()
        note = ["external_ids", "insert", ["map", [["note", AWKWARD]]]]
        for name in ("tap7", "tap2000"):
            where = [["name", "==", name]]
            await transact(
                self.control,
                {"op": "mutate", "table": "Interface", "where": where, "mutations": [note]},
            )
        self.assertEqual(len(await self.observer.takeSome(2)), 2)
        await self.appctl("ovsdb-server/reconnect")
        disconnected, *told, synchronized = await self.observer.untilSynchronized()
        self.assertEqual(summaries([disconnected]), [("disconnected",)])
        self.assertEqual(len(told), INTERFACES + 1)
        self.assertEqual({cause for *_, cause in summaries(told)}, {"replay"})
        self.assertEqual(summaries([synchronized]), [("synchronized", "resync")])
        await self.assertFoldEqualsTable()
        self.assertEqual(self.observer.take(), [])
