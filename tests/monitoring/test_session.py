# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.session}: a server that refuses.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import capturedLogs

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import jsonRow, reply, uuid, vmRow
from twisted_ovsdb import ProtocolViolation


class RefusalTests(FactoryTestCase):
    """
    A server that does not serve what is asked for.
    """

    def refuse(self, messageId: int, error: object) -> None:
        """
        The server answers with an error.
        """
        self.receive(json.dumps({"id": messageId, "error": error}).encode())

    def schema(self, *columns: str) -> dict[str, Any]:
        """
        A schema in which Interface has these columns.
        """
        return {"tables": {"Interface": {"columns": {column: {} for column in columns}}}}

    def refuseColumns(self, schema: object) -> None:
        """
        The server refuses a column, and sends its schema.
        """
        self.accept()
        self.refuse(1, {"error": "syntax error", "details": "error is not a valid column name"})
        self.receive(json.dumps({"id": 2, "result": schema, "error": None}).encode())

    def test_F15_unknownDatabase(self) -> None:
        """
        If the server does not have the database, the log has its reason, and
        the next attempt comes after the longest delay.
        """
        self.accept()
        with capturedLogs() as logs:
            self.refuse(1, {"error": "unknown database", "details": "no such Open_vSwitch"})
            self.assertTrue(self.transport.disconnecting)
            self.lose()
        self.assertEqual(logs[0]["reason"], "unknown database: no such Open_vSwitch")
        self.assertEqual(self.attemptsWithin(7.99), 0)
        self.assertEqual(self.attemptsWithin(0.01), 1)
        self.assertEqual(self.observer.events, [])

    def test_F17_joiningCluster(self) -> None:
        """
        If the database is not available yet, the next attempt comes soon.
        """
        self.accept()
        self.refuse(1, "database not available")
        self.lose()
        self.assertEqual(self.attemptsWithin(1), 1)

    def test_F18_F19_otherErrors(self) -> None:
        """
        After any other error, as a string or as an object, there is another
        attempt.
        """
        errors: list[Any] = ["no", {"error": "odd"}, {"error": "odd", "details": 5}, 7, []]
        for error in errors:
            self.accept()
            self.refuse(1, error)
            self.lose()
            self.assertEqual(self.attemptsWithin(8), 1, error)

    def test_F18_duplicateMonitor(self) -> None:
        """
        If the server says that the monitor id is a duplicate, the log has this
        error as the reason, and not a missing column.
        """
        self.accept()
        with capturedLogs() as logs:
            self.refuse(1, {"error": "syntax error", "details": "duplicate monitor ID"})
            schema = self.schema("name", "type", "ofport", "error", "external_ids", "options")
            self.receive(json.dumps({"id": 2, "result": schema, "error": None}).encode())
            self.lose()
        self.assertEqual(logs[0]["reason"], "syntax error: duplicate monitor ID")

    def test_F16_lackingColumns(self) -> None:
        """
        Columns that the server does not have are left out and read as empty,
        with one warning. Each session asks for them again, because the server
        may have them by then.
        """
        with capturedLogs() as logs:
            for _ in range(2):
                self.refuseColumns(self.schema("name", "type", "external_ids"))
                monitor, schema, again = self.sent()
                self.assertEqual(schema, ("get_schema", ["Open_vSwitch"]))
                self.assertEqual(len(monitor[1][2]["Interface"][0]["columns"]), 6)
                self.assertEqual(
                    again[1][2]["Interface"][0]["columns"], ["name", "type", "external_ids"]
                )
                row = {"name": "tap1", "type": "", "external_ids": ["map", [["iface-id", "p"]]]}
                self.receive(reply(3, {1: row}))
                self.clock.advance(10)
                self.lose()
                self.clock.advance(0)
        warnings = [log for log in logs if log["log_format"].endswith("going on without")]
        self.assertEqual([w["columns"] for w in warnings], ["error, ofport, options"])
        event: Any = self.observer.events[0]
        interface = event.interface
        self.assertEqual((interface.ofport, interface.error, interface.iface_id), (None, None, "p"))
        self.assertEqual(dict(interface.options), {})

    def test_F16_lackingExtraColumn(self) -> None:
        """
        An extra column that the server does not have is not in C{extra}.
        """
        self.factory.stop()
        self.makeFactory(extraColumns=["nonsense", "mtu"])
        self.refuseColumns(self.schema(*jsonRow("x"), "mtu"))
        self.receive(reply(3, {1: {**vmRow("tap1"), "mtu": 1500}}))
        event: Any = self.observer.events[0]
        self.assertEqual(dict(event.interface.extra), {"mtu": 1500})

    def test_F16_neededColumns(self) -> None:
        """
        Without the columns name and type, or without the table, nothing can be
        monitored. The log has this reason, and the next attempt comes after the
        longest delay.
        """
        for schema, reason in (
            (self.schema("ofport"), "table Interface has no column name, type"),
            ({"tables": {}}, "database Open_vSwitch has no table Interface"),
        ):
            self.makeFactory()
            with capturedLogs() as logs:
                self.refuseColumns(schema)
                self.lose()
            self.assertEqual(logs[0]["reason"], reason)
            self.assertEqual(self.attemptsWithin(7.99), 0)
            self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_noTable(self) -> None:
        """
        It is the same where the types of extra columns are looked up before that.
        """
        self.factory.stop()
        self.makeFactory(extraColumns=["mtu"], method="monitor_cond")
        schema = {"name": "Open_vSwitch", "tables": {}}
        self.accept()
        with capturedLogs() as logs:
            self.receive(json.dumps({"id": 1, "result": schema, "error": None}).encode())
            self.refuse(2, {"error": "syntax error", "details": "no table named Interface"})
            self.receive(json.dumps({"id": 3, "result": schema, "error": None}).encode())
            self.lose()
        self.assertEqual(logs[0]["reason"], "database Open_vSwitch has no table Interface")

    def test_rowTwice(self) -> None:
        """
        An update that has a row twice ends the session: which one counts, nobody knows.
        """
        self.synchronize({1: vmRow("tap1")})
        row = json.dumps({"new": vmRow("tap2")})
        rows = ",".join(f'"{uuid(2)}":{row}' for _ in range(2))
        tables = f'["twisted_ovsdb",{{"Interface":{{{rows}}}}}]'
        self.receive(f'{{"id":null,"method":"update","params":{tables}}}'.encode())
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)
        self.assertEqual([row.name for row in self.factory.interfaces()], ["tap1"])

    def test_badSchema(self) -> None:
        """
        An answer that is not a schema ends the session.
        """
        schemas: list[Any] = [None, [], {"tables": 5}, {"tables": {"Interface": {}}}, {}]
        for schema in schemas:
            self.makeFactory()
            with capturedLogs() as logs:
                self.refuseColumns(schema)
                self.lose()
            self.assertIn("not a schema", logs[0]["reason"])

    def test_F49_bugWhileReading(self) -> None:
        """
        A bug in this package while the snapshot is read is logged with its
        traceback, and ends the session like any fault.
        """
        self.factory.monitor._known._interfaces.replace = lambda rows: 1 / 0  # type: ignore
        self.synchronize()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(self.transport.disconnecting)
