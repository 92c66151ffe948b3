# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the monitors of L{twisted_ovsdb.testing}, as the real client sees
them. C{tests.live.test_memory} compares their messages with those of the real
server.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import connectProtocol
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import OvsdbProtocol, RpcError
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.testing import MemoryServer
from twisted_ovsdb.testing.schema import DATABASE, SCHEMA

ALL = {name: ["_uuid", "_version", *table["columns"]] for name, table in SCHEMA["tables"].items()}


class MonitorTests(SynchronousTestCase):
    """
    One server with a bridge and a port, and one client.
    """

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", ofport=1, external_ids={"a": "b"})
        self.protocol: Any = OvsdbProtocol()
        connectProtocol(self.server.endpoint, self.protocol)
        self.told: list[Any] = []

    def call(self, method: str, *params: object) -> Any:
        """
        Send a request.

        @return: its result.
        """
        result = self.protocol.call(method, params)
        self.server.advance(0)
        return self.successResultOf(result)

    def monitor(self, requests: object) -> list[Any]:
        """
        Begin a monitor by C{monitor_cond}.

        @return: the row updates of its reply.
        """
        reply = self.protocol.monitorCond(DATABASE, "m", requests, self.told.append)
        self.server.advance(0)
        return self.rows([self.successResultOf(reply)])

    def rows(self, told: list[Any]) -> list[Any]:
        """
        The row updates in some table updates.
        """
        return [row for tables in told for rows in tables.values() for row in rows.values()]

    def take(self) -> list[Any]:
        """
        The row updates since the last call.
        """
        told, self.told[:] = self.told[:], []
        return self.rows(told)

    def test_replicas(self) -> None:
        """
        A replica that is fed by C{monitor} and one that is fed by
        C{monitor_cond} have the rows of the server after each change, with
        C{_uuid} and C{_version}.
        """
        schema = DatabaseSchema.parse(SCHEMA)
        replicas = [DatabaseReplica(schema, ALL, conditional) for conditional in (False, True)]
        told: list[RowChange] = []
        for number, replica in enumerate(replicas):
            self.protocol.follow(replica, str(number), told.extend)
        for change in (
            lambda: self.server.addBridge("br-ex"),
            lambda: self.server.movePort("tap1", "br-ex"),
            lambda: self.server.setInterface("tap1", external_ids={"a": "c", "d": "e"}),
            lambda: self.server.setInterface("tap1", ofport=None, type="x"),
            lambda: self.server.addBond("br-int", "bond0", ["eth1", "eth2"]),
            lambda: self.server.addFakeBridge("br-9", "br-int", 9),
            lambda: self.server.deleteBridge("br-ex"),
        ):
            change()
            for replica in replicas:
                self.assertEqual(replica.tables, self.server.tables)
        self.assertGreater(len(told), 20)

    def test_version(self) -> None:
        """
        C{_version} changes whenever the row changes, and at a restart.
        """
        versions = []
        for change in (
            lambda: None,
            lambda: self.server.setInterface("tap1", ofport=2),
            lambda: self.server.setInterface("tap1", ofport=2),
            lambda: self.server.addPort("br-int", "tap2"),
            self.server.restart,
        ):
            change()
            rows = self.server.tables["Interface"].values()
            versions += [row["_version"] for row in rows if row["name"] == "tap1"]
        first, second, same, still, last = versions
        self.assertEqual((second, second), (same, still))
        self.assertEqual(len({first, second, last}), 3)

    def test_defaults(self) -> None:
        """
        Columns that have their default value are left out.
        """
        columns = ["name", "type", "ofport", "error", "external_ids", "options"]
        rows = self.monitor({"Interface": [{"columns": columns}]})
        self.assertIn(
            {"initial": {"name": "tap1", "ofport": 1, "external_ids": ["map", [["a", "b"]]]}}, rows
        )
        self.server.addPort("br-int", "tap2")
        self.assertEqual(self.take(), [{"insert": {"name": "tap2"}}])

    def test_differences(self) -> None:
        """
        Of a set, only the elements that have come or gone are sent, a single one
        as it is; of a map the pairs; of another column its value.
        """
        self.monitor({"Interface": [{}], "Bridge": [{"columns": ["ports"]}]})
        self.server.setInterface("tap1", external_ids={"a": "c", "d": "e"}, ofport=None)
        (row,) = self.take()
        del row["modify"]["_version"]
        pairs = ["map", [["a", "c"], ["d", "e"]]]
        self.assertEqual(row, {"modify": {"external_ids": pairs, "ofport": ["set", []]}})
        (port,) = (k for k, row in self.server.tables["Port"].items() if row["name"] == "tap1")
        self.server.addBridge("br-ex")
        self.take()
        self.server.movePort("tap1", "br-ex")
        self.assertEqual(self.take(), [{"modify": {"ports": ["uuid", port]}}] * 2)
        self.server.deletePort("tap1")
        self.assertEqual(self.take(), [{"modify": {"ports": ["uuid", port]}}, {"delete": None}])

    def test_where(self) -> None:
        """
        Only the rows for which one of the conditions holds are monitored. A row
        that comes to meet one is inserted, and one that ceases to is deleted.
        """
        where = [["ofport", "==", 7], ["external_ids", "includes", ["map", [["a", "x"]]]]]
        told = self.monitor({"Interface": [{"columns": ["name"], "where": where}]})
        self.assertEqual(told, [])
        self.server.setInterface("tap1", ofport=7)
        self.assertEqual(self.take(), [{"insert": {"name": "tap1"}}])
        self.server.setInterface("tap1", type="x")
        self.assertEqual(self.take(), [])
        self.server.setInterface("tap1", ofport=8)
        self.assertEqual(self.take(), [{"delete": None}])
        self.server.addPort("br-int", "tap2", external_ids={"a": "x"})
        self.assertEqual(self.take(), [{"insert": {"name": "tap2"}}])
        self.server.deletePort("tap1")
        self.assertEqual(self.take(), [])

    def test_conditionsChange(self) -> None:
        """
        When the conditions are replaced, the rows that come and go are told, and
        then the new conditions hold.
        """
        self.monitor({"Interface": [{"columns": ["name"], "where": [["name", "==", "br-int"]]}]})
        change = {"Interface": [{"where": [["ofport", "==", 1]]}]}
        self.assertEqual(self.call("monitor_cond_change", "m", "m", change), {})
        self.assertCountEqual(self.take(), [{"insert": {"name": "tap1"}}, {"delete": None}])
        self.call("monitor_cond_change", "m", "m", change)
        self.assertEqual(self.take(), [])
        self.server.setInterface("tap1", ofport=2)
        self.assertEqual(self.take(), [{"delete": None}])

    def test_wrongRequests(self) -> None:
        """
        A request of any form is answered: what is wrong is a syntax error that says
        so, and no monitor has begun.
        """
        columns: list[Any] = [5, {}, None, "name", [5], [[]], [{}], ["zz"], ["name", "name"]]
        select: list[Any] = [5, [], None, {"initial": 5}, {"zz": True}]
        where: list[Any] = [5, {}, None, [5], [[]], [[[], "==", "a"]], [["name", {}, "a"]]]
        where += [[["name", "==", 5]], [["zz", "==", 5]], [["name", "==", ["named-uuid", []]]]]
        tables: list[Any] = [5, None, "x", []]
        requests: list[Any] = [5, None, "x", [5], [[]], [{}, None]]
        requests += [{"columns": wrong} for wrong in columns]
        requests += [[{"select": wrong}] for wrong in select]
        requests += [[{"where": wrong}] for wrong in where]
        for wrong in [*tables, *({"Interface": request} for request in requests)]:
            refused = self.protocol.call("monitor_cond", [DATABASE, "m", wrong])
            self.server.advance(0)
            error = self.failureResultOf(refused, RpcError).value
            self.assertIn(error.error, ("syntax error", "unknown column"), wrong)
            self.assertTrue(error.details, wrong)
        self.assertEqual(self.call("monitor_cond", DATABASE, "m", {}), {})
        for wrong in [*tables, {"Zed": []}, {"Interface": 5}, {"Interface": [5]}]:
            refused = self.protocol.call("monitor_cond_change", ["m", "m", wrong])
            self.server.advance(0)
            self.failureResultOf(refused, RpcError)

    def test_since(self) -> None:
        """
        C{monitor_cond_since} never finds a transaction: a switch's own server
        has no history.
        """
        zero = "00000000-0000-0000-0000-000000000000"
        requests = {"Bridge": [{"columns": ["name"]}]}
        for since in (zero, zero[:-1] + "1"):
            found, last, tables = self.call("monitor_cond_since", DATABASE, since, requests, since)
            self.assertEqual((found, last), (False, zero))
            self.assertEqual(self.rows([tables]), [{"initial": {"name": "br-int"}}])

    def test_olderServer(self) -> None:
        """
        A server that was told to be an older one refuses the newer dialects as
        unknown methods.
        """
        self.server.forgetMethods("monitor_cond", "monitor_cond_since")
        for method in ("monitor_cond", "monitor_cond_since"):
            refused = self.protocol.call(method, [DATABASE, "m", {}])
            self.server.advance(0)
            self.assertEqual(self.failureResultOf(refused, RpcError).value.error, "unknown method")
        self.assertEqual(self.call("monitor", DATABASE, "m", {}), {})
