# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{askIdentity} of L{twisted_ovsdb.lifecycle.questions}, and for the
identity in events.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.logger import capturedLogs

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import reply, vmRow
from twisted_ovsdb.observers.jsonlines import eventToJSON


class IdentityTests(FactoryTestCase):
    """
    A factory that asks for the identity of the switch.
    """

    def setUp(self) -> None:
        super().setUp()
        self.makeFactory(identify=True)

    def answer(self, result: object) -> None:
        """
        The server accepts and answers the select.
        """
        self.accept()
        self.receive(json.dumps({"id": 1, "result": result, "error": None}).encode())

    def test_events(self) -> None:
        """
        The switch is asked once at the start of a session, and its answer is in
        every event, also as JSON.
        """
        pairs = [["system-id", "s-1"], ["hostname", "host"], ["rundir", "/run"]]
        self.answer([{"rows": [{"external_ids": ["map", pairs]}]}])
        select, monitor = self.sent()
        self.assertEqual(select[0], "transact")
        self.assertEqual(select[1][1]["table"], "Open_vSwitch")
        self.assertEqual(monitor[0], "monitor")
        self.receive(reply(2, {1: vmRow("tap1")}))
        self.lose()
        self.assertEqual(len(self.observer.events), 3)
        for event in self.observer.events:
            self.assertEqual((event.system_id, event.hostname), ("s-1", "host"))
            value = eventToJSON(event, "now")
            self.assertEqual((value["system_id"], value["hostname"]), ("s-1", "host"))

    def test_untold(self) -> None:
        """
        What is not in the switch's answer is None, also if the database has no
        row.
        """
        for rows in ([], [{"external_ids": ["map", [["hostname", "h"]]]}]):
            self.makeFactory(identify=True)
            self.answer([{"rows": rows}])
            self.receive(reply(2, {}))
            event: Any = self.observer.events[0]
            self.assertIsNone(event.system_id)

    def test_wrong(self) -> None:
        """
        An answer that is not understood ends the session.
        """
        answers: list[Any] = [None, [], {}, [{}], [{"rows": 5}], [{"rows": [5]}], [5]]
        answers.append([{"rows": [{"external_ids": 5}]}])
        for answer in answers:
            self.makeFactory(identify=True)
            self.answer(answer)
            self.assertTrue(self.transport.disconnecting, answer)

    def test_noSuchTable(self) -> None:
        """
        If the select fails, the log has the server's reason.
        """
        with capturedLogs() as logs:
            self.answer([{"error": "syntax error", "details": "No table named Open_vSwitch."}])
            self.lose()
        reasons = [log["reason"] for log in logs if "reason" in log]
        self.assertEqual(reasons, ["syntax error: No table named Open_vSwitch"])

    def test_notAsked(self) -> None:
        """
        Without C{identify}, monitor is the first request, and JSON has neither
        key.
        """
        self.makeFactory()
        self.accept()
        self.assertEqual([method for method, _ in self.sent()], ["monitor"])
        self.receive(reply(1, {}))
        event: Any = self.observer.events[0]
        self.assertNotIn("system_id", eventToJSON(event, "now"))
