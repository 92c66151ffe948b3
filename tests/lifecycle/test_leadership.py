# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{followLeader} of L{twisted_ovsdb.lifecycle.questions}: the request, and
wrong answers.
What a factory does with a leader is tested in L{tests.endpoints.test_cluster}.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.factorycase import FactoryTestCase
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
