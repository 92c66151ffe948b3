# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{followLeader} of L{twisted_ovsdb.lifecycle.questions}: the request, wrong
answers, and what a factory does with a leader.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import reply, uuid, vmRow
from twisted_ovsdb.errors import ProtocolViolation

ROW: dict[str, Any] = {
    "name": "Open_vSwitch",
    "model": "clustered",
    "connected": True,
    "leader": True,
}

UUID = "00000000-0000-0000-0000-000000000001"


class FollowLeaderTests(FactoryTestCase):
    """
    A factory that wants the leader only, and its first request.
    """

    def setUp(self) -> None:
        super().setUp()
        self.makeFactory(leaderOnly=True)
        self.accept()

    def answer(self, row: dict[str, Any]) -> None:
        """
        The server answers with one row of its table Database.
        """
        tables = {"Database": {UUID: {"new": row}}}
        self.receive(json.dumps({"id": 1, "result": tables, "error": None}).encode())

    def test_request(self) -> None:
        """
        The server is asked for four columns of its database _Server.
        """
        columns = ["name", "model", "connected", "leader"]
        params = ["_Server", "twisted_ovsdb_cluster", {"Database": [{"columns": columns}]}]
        self.assertEqual(self.sent(), [("monitor", params)])

    def test_wrong(self) -> None:
        """
        An answer in which a column is missing or wrong ends the session.
        """
        wrong = [({**ROW, "leader": 1}, "leader"), ({"name": "Open_vSwitch"}, "missing")]
        for row, text in wrong:
            self.makeFactory(leaderOnly=True)
            self.accept()
            protocol = self.protocol
            self.answer(row)
            self.assertIsInstance(protocol.lost, ProtocolViolation)
            self.assertIn(text, str(protocol.lost))


def databaseRow(leader: bool, connected: bool = True, model: str = "clustered") -> dict[str, Any]:
    """
    The row of Open_vSwitch in _Server.Database.
    """
    return {"name": "Open_vSwitch", "model": model, "connected": connected, "leader": leader}


class LeaderTests(FactoryTestCase):
    """
    A factory with C{leaderOnly}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.makeFactory(leaderOnly=True, members=3)

    def server(self, **row: Any) -> None:
        """
        The server accepts, and answers with its row in _Server.Database.
        """
        self.accept()
        tables = {"Database": {uuid(1): {"new": databaseRow(**row)}}}
        self.receive(json.dumps({"id": 1, "result": tables, "error": None}).encode())

    def change(self, **row: Any) -> None:
        """
        The server reports that its row in _Server.Database has changed.
        """
        tables = {"Database": {uuid(1): {"new": databaseRow(**row), "old": {}}}}
        params = ["twisted_ovsdb_cluster", tables]
        self.receive(json.dumps({"id": None, "method": "update", "params": params}).encode())

    def test_leader(self) -> None:
        """
        The server is asked whether it is the leader. If it is, it is monitored.
        """
        self.server(leader=True)
        asked, monitor = self.sent()
        self.assertEqual(asked[1][0], "_Server")
        self.assertEqual(monitor[1][0], "Open_vSwitch")
        self.receive(reply(2, {1: vmRow("tap1")}))
        self.assertTrue(self.factory.monitor.inSync)

    def test_notLeader(self) -> None:
        """
        A member that is not the leader, or is cut off from the others, is left
        at once for the next member. When all have been tried, there is a wait.
        """
        self.server(leader=False)
        self.assertTrue(self.transport.disconnecting)
        self.lose()
        self.assertEqual(self.attemptsWithin(0), 1)
        self.server(leader=True, connected=False)
        self.lose()
        self.assertEqual(self.attemptsWithin(0), 1)
        self.server(leader=False)
        self.lose()
        self.assertEqual(self.attemptsWithin(0.99), 0)
        self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_leadershipLost(self) -> None:
        """
        A member that loses the leadership, or is cut off from the others, is
        left, and observers are told the reason.
        """
        for row, reason in (
            ({"leader": False}, "does not lead its cluster"),
            ({"leader": True, "connected": False}, "is cut off from its cluster"),
        ):
            self.makeFactory(leaderOnly=True)
            self.server(leader=True)
            self.receive(reply(2, {}))
            self.change(**row)
            self.assertIn(reason, self.observer.take()[-1][1])

    def test_standalone(self) -> None:
        """
        A server that is not in a cluster is monitored, and so is a server that
        is too old to know clusters.
        """
        self.server(leader=False, model="standalone")
        self.receive(reply(2, {}))
        self.assertTrue(self.factory.monitor.inSync)
        self.makeFactory(leaderOnly=True)
        self.accept()
        self.receive(b'{"id":1,"error":{"error":"unknown database","details":"_Server"}}')
        self.receive(reply(2, {}))
        self.assertTrue(self.factory.monitor.inSync)

    def test_refused(self) -> None:
        """
        Any other error in the answer ends the connection.
        """
        self.accept()
        self.receive(b'{"id":1,"error":"odd"}')
        self.assertTrue(self.transport.disconnecting)

    def test_otherDatabases(self) -> None:
        """
        Rows of other databases are ignored.
        """
        self.accept()
        other = {**databaseRow(leader=False), "name": "OVN_Southbound"}
        tables = {"Database": {uuid(1): {"new": other}}}
        self.receive(json.dumps({"id": 1, "result": tables, "error": None}).encode())
        self.receive(reply(2, {}))
        self.assertTrue(self.factory.monitor.inSync)
