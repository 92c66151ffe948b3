# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the values of conditions, from L{OvsdbReplicaFactory
<twisted_ovsdb.OvsdbReplicaFactory>} to the server and back.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from tests.monitoring.test_replicas import A, ReplicaCase, Server
from twisted_ovsdb import EndpointConnector, OvsdbReplicaFactory, Rows, RpcError
from twisted_ovsdb.testing import MemoryServer

UNFIT = "condition of table T, column s: expected string, got 5"


class ConditionsTests(ReplicaCase):
    """
    What a server is asked, and what is said if a condition does not fit.
    """

    def test_reference(self) -> None:
        """
        The value of a row of a replica is the value of a condition, also a reference
        to a row.
        """
        memory, clock = MemoryServer(), Clock()
        memory.addBridge("br-int")
        memory.addBridge("br-ex")
        memory.addPort("br-ex", "tap1")
        bridges = OvsdbReplicaFactory(
            "Open_vSwitch", {"Bridge": ["name", "ports"]}, lambda *told: None, clock=clock
        )
        ports = OvsdbReplicaFactory(
            "Open_vSwitch",
            {"Port": Rows(["name"], [["name", "==", "tap1"]])},
            lambda *told: None,
            clock=clock,
        )
        for factory in (bridges, ports):
            EndpointConnector(memory.endpoint, factory).connect()
        memory.advance(0)

        def change(factory: OvsdbReplicaFactory, table: str, where: list[Any]) -> None:
            changed = factory.changeConditions({table: where})
            memory.advance(0)
            self.successResultOf(changed)

        rows: Any = bridges.replica["Bridge"].values()
        (tap1,) = ports.replica["Port"]
        for bridge, names in (("br-int", {"br-int"}), ("br-ex", {"br-ex", "tap1"})):
            (row,) = [row for row in rows if row["name"] == bridge]
            # Of a set, each element; of a reference, the row.
            where = [["_uuid", "==", port] for port in row["ports"]]
            change(ports, "Port", where)
            self.assertEqual({row["name"] for row in ports.replica["Port"].values()}, names)
        change(bridges, "Bridge", [["ports", "includes", tap1]])
        self.assertEqual([row["name"] for row in bridges.replica["Bridge"].values()], ["br-ex"])

    def test_unfit(self) -> None:
        """
        A value that does not fit its column is not sent at the start: the log says of
        which column, and of which table.
        """
        server = Server({"T": Rows(where=[["s", "==", 5]])})
        server.open()
        self.assertEqual(server.methods, ["get_schema"])
        self.assertEqual(server.hook.reasons, [f"syntax error: {UNFIT}"])

    def test_unfitChange(self) -> None:
        """
        In a change of conditions, the Deferred fails, and the former ones hold.
        """
        server = Server({"T": Rows(where=[["s", "==", "a"]])})
        server.synchronize(A, last=1)
        for where, words in (([["s", "==", 5]], UNFIT), ([["x", "==", 5]], "no column x")):
            failure = self.failureResultOf(server.factory.changeConditions({"T": where}))
            self.assertIs(failure.type, RpcError)
            self.assertIn(words, str(failure.value))
        self.assertEqual(server.transport.value(), b"")
        server.lose()
        server.open()
        self.assertEqual(server.asked[1][2]["T"][0]["where"], [["s", "==", "a"]])

    def test_refused(self) -> None:
        """
        What a server refuses in its own words has the tables that were asked for.
        """
        server = Server({"T": Rows(where=[["s", "<", "a"]])})
        server.open()
        error = {"error": "syntax error", "details": "Type mismatch"}
        server.send({"id": server.number, "error": error, "result": None})
        self.assertEqual(server.hook.reasons, ["syntax error: Type mismatch (asked for T)"])
