# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Long initial replies of a real ovsdb-server. They arrive in many pieces, and
their rows are read while they arrive.
"""

from __future__ import annotations

from benchmarks.database import BRIDGE, insertPorts, interfaceRow
from tests.live.support import LiveTestCase, connect, summaries
from tests.soak.database import transact
from twisted_ovsdb import OvsdbProtocol
from twisted_ovsdb.wire.rowreader import ARRIVED

INTERFACES = 4_000
"""Interfaces of VMs on the bridge. With 330 bytes each, they are four times L{ARRIVED}."""

AWKWARD = 'a "quoted" word, }}," and \\'
"""A value that needs escapes in JSON."""


class LargeTests(LiveTestCase):
    """
    Tests for a bridge with thousands of interfaces.
    """

    vswitchd = False

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        await self.vsctl(f"add-br {BRIDGE}")
        rows = [interfaceRow(number) for number in range(INTERFACES)]
        self.names = [row["name"] for row in rows]
        self.control = await connect(self, self.ovs.unix)
        await transact(self.control, *insertPorts([rows]))

    async def test_snapshots(self) -> None:
        """
        All interfaces are told once, and are what the database has. The same
        holds after an outage, with values that need escapes.
        """
        received: list[int] = []
        dataReceived = OvsdbProtocol.dataReceived

        def counting(protocol: OvsdbProtocol, data: bytes) -> None:
            received.append(len(data))
            dataReceived(protocol, data)

        self.patch(OvsdbProtocol, "dataReceived", counting)
        self.watch(maxDelay=0.2)
        *told, synchronized = await self.observer.untilSynchronized()
        self.assertGreater(sum(received), 3 * ARRIVED)
        self.assertCountEqual(
            summaries(told),
            [("online", "vm", name, "initial") for name in self.names]
            + [("online", "bridge", BRIDGE, "initial")],
        )
        self.assertEqual(summaries([synchronized]), [("synchronized", "initial")])
        await self.assertFoldEqualsTable()
        note = ["external_ids", "insert", ["map", [["note", AWKWARD]]]]
        for name in self.names[7::2000]:
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
