# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.cluster}, and for a factory that follows a leader.
"""

from __future__ import annotations

import json
import random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.endpoints.test_connector import ManualEndpoint
from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import reply, uuid, vmRow
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint


class ClusterEndpointTests(SynchronousTestCase):
    """
    Tests for L{ClusterEndpoint}.
    """

    def test_inTurn(self) -> None:
        """
        Each attempt goes to the next member, and after the last member to the
        first one again.
        """
        for count in (1, 2, 3, 5):
            members = [ManualEndpoint() for _ in range(count)]
            cluster = ClusterEndpoint(members, shuffle=False)
            for number in (*range(count), *range(count), 0):
                before = members[number].attempts
                cluster.connect(None)  # type: ignore[arg-type]
                self.assertEqual(members[number].attempts, before + 1)

    def test_shuffled(self) -> None:
        """
        By default the members are in random order, and none is left out: each of them
        is the first one of some clients, with two members too.
        """
        state = random.getstate()
        self.addCleanup(random.setstate, state)
        random.seed(1)
        for count in (2, 3, 5):
            members = [ManualEndpoint() for _ in range(count)]
            orders = [ClusterEndpoint(members).members for _ in range(100)]
            for order in orders:
                self.assertCountEqual(order, members)
            for place in range(count):
                self.assertEqual(len({id(order[place]) for order in orders}), count)

    def test_empty(self) -> None:
        """
        A cluster without members is refused.
        """
        self.assertRaises(ValueError, ClusterEndpoint, [])


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
