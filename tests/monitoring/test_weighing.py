# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A server that inserts rows without end: what is known of it has a limit, however small
its messages are.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.clocks import TurningClock
from tests.fakes.history import row
from tests.fakes.observers import Recorder
from tests.fakes.rows import reply, update, vm, vmRow
from tests.monitoring.test_replicas import METHODS, Server
from twisted_ovsdb import ClassificationRules, InterfaceMonitor, OvsdbProtocol, ProtocolViolation
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.tableset import ROW, MonitoredTable, Replica, TableSet, weightOf
from twisted_ovsdb.openvswitch.rows import InterfaceRows
from twisted_ovsdb.wire import rowreader

LIMIT = 5000
"""Bytes of a message, and of all that is known."""


class WeighingTests(SynchronousTestCase):
    """
    Many small messages.
    """

    def setUp(self) -> None:
        self.patch(rowreader, "SLICE", 10)
        self.clock, self.observer = TurningClock(), Recorder()
        self.monitor = InterfaceMonitor([self.observer], clock=self.clock)
        self.protocol, self.transport = OvsdbProtocol(LIMIT), StringTransport()
        self.protocol.makeConnection(self.transport)
        self.monitor.attach(self.protocol)
        self.protocol.dataReceived(reply(1, {}))

    def change(self, number: int, changes: dict[str, Any]) -> None:
        """
        An update of one row, and the turns that it takes.
        """
        self.protocol.dataReceived(update({number: changes}))
        for _ in range(20):
            self.clock.turn()

    def test_F87_endless(self) -> None:
        """
        Rows are inserted until they have more bytes than a message may have. That is
        noticed before they have twice as many, and the session ends.
        """
        weight = ROW + weightOf(vm(1))
        for number in range(2 * LIMIT // weight):
            self.change(number, {"new": vmRow(f"tap{number}")})
            if self.transport.disconnecting:
                break
        self.assertGreater(len(self.monitor.interfaces()), LIMIT // weight - 2)
        self.assertEqual(
            self.observer.take()[-1], ("disconnected", "the tables have more than 5000 bytes")
        )

    def test_F87_bound(self) -> None:
        """
        Rows may have as many bytes as the limit, and not one more.
        """
        replica: Replica[Any] = Replica()
        list(replica.replace({str(number): vm(number) for number in range(3)}))
        weight = 3 * ROW + sum(map(weightOf, replica.rows.values()))
        rows = InterfaceRows(ClassificationRules())
        tables = TableSet(MONITOR, {"Interface": MonitoredTable(rows, replica)})
        self.assertEqual(list(tables.weigh(weight)), [])
        self.assertRaises(ProtocolViolation, list, tables.weigh(weight - 1))
        list(replica.apply({str(number): vm(number) for number in range(3, 25)}))
        self.assertEqual(len(list(tables.weigh(10 * weight))), 2, "slices of ten rows")

    def test_F87_comeAndGo(self) -> None:
        """
        Rows that go again do not count, nor do updates of a row: the session lasts. Each
        time when as many bytes have come, the rows are weighed once.
        """
        weighed: list[int] = []
        weigh = TableSet.weigh

        def counted(tables: TableSet, limit: int) -> Any:
            weighed.append(limit)
            return weigh(tables, limit)

        self.patch(TableSet, "weigh", counted)
        for number in range(100):
            self.change(number, {"new": vmRow(f"tap{number}")})
            self.change(number, {"new": vmRow("x" * 40), "old": {"name": f"tap{number}"}})
            self.change(number, {"old": vmRow("x" * 40)})
        self.assertFalse(self.transport.disconnecting)
        self.assertGreater(self.protocol.received, 10 * LIMIT)
        self.assertLessEqual(len(weighed), self.protocol.received // LIMIT)

    def test_F87_replica(self) -> None:
        """
        The same for a copy of any tables, in each dialect.
        """
        self.patch(OvsdbProtocol, "maxLength", LIMIT)
        for knows in METHODS:
            server = Server(knows=(knows,))
            server.synchronize({})
            before: dict[int, Any] = {}
            for number in range(200):
                now = {**before, number: row(s="x" * 40, m={"k": "y"})}
                server.update(before, now)
                before = now
                for _ in range(20):
                    server.clock.advance(0)
                if server.transport.disconnecting:
                    break
            server.lose()
            self.assertEqual(server.hook.reasons, ["the tables have more than 5000 bytes"])

    def test_weightOf(self) -> None:
        """
        Texts count, wherever they are in a row.
        """
        value = {"ab": ("c", frozenset({"de"}), [1, None, True])}
        self.assertEqual(weightOf(MappingProxyType(value)), 5)
        self.assertEqual(weightOf(vm(1)), 36 + len("tap1") + len("iface-id") + len("port"))
