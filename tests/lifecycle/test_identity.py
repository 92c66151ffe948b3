# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the identity of a switch: as it is monitored with the interfaces, and
as the events have it.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.fold import Fold
from tests.fakes.observers import Recorder
from tests.fakes.rows import uuid, vmRow
from twisted_ovsdb import Disconnected, SwitchChanged, onlyKinds
from twisted_ovsdb.observers.jsonlines import eventToJSON

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)

NO_TABLE = {"error": "syntax error", "details": "no table named Open_vSwitch"}


def ids(**values: str | None) -> dict[str, Any]:
    """
    The row of the Open_vSwitch table with these external_ids.
    """
    pairs = [[key.replace("_", "-"), value] for key, value in values.items() if value is not None]
    return {"external_ids": ["map", pairs]}


class IdentityTestCase(FactoryTestCase):
    """
    A factory that monitors the identity of the switch.
    """

    def setUp(self) -> None:
        super().setUp()
        self.makeFactory(identify=True)

    def snapshot(self, row: dict[str, Any] | None, *numbers: int, accept: bool = True) -> None:
        """
        The server accepts, and sends its identity and these VMs.
        """
        if accept:
            self.accept()
        tables: dict[str, Any] = {
            "Interface": {uuid(n): {"new": vmRow(f"tap{n}")} for n in numbers},
            "Open_vSwitch": {} if row is None else {uuid(99): {"new": row}},
        }
        self.receive(json.dumps({"id": 1, "result": tables, "error": None}).encode())

    def update(self, row: dict[str, Any], **interfaces: Any) -> None:
        """
        The identity changes.
        """
        tables: dict[str, Any] = {"Open_vSwitch": {uuid(99): {"old": {}, "new": row}}}
        tables.update(interfaces)
        params = ["twisted_ovsdb", tables]
        self.receive(json.dumps({"id": None, "method": "update", "params": params}).encode())

    def told(self) -> list[tuple[str | None, ...]]:
        """
        Take what the observer was told: each event, the switch and its host.
        """
        events = self.observer.events
        keys = [(event.switch, event.hostname) for event in events]
        return [(*told, *key) for told, key in zip(self.observer.take(), keys, strict=True)]


class IdentityTests(IdentityTestCase):
    """
    The identity in events.
    """

    def test_events(self) -> None:
        """
        One request monitors the interfaces and the identity, which is in every
        event, also as JSON.
        """
        self.snapshot(ids(system_id="s-1", hostname="host", rundir="/run"), 1)
        ((method, (_, _, requests)),) = self.sent()
        self.assertEqual(method, "monitor")
        self.assertEqual(list(requests), ["Interface", "Open_vSwitch"])
        self.assertEqual(requests["Open_vSwitch"], [{"columns": ["external_ids"]}])
        self.lose()
        self.assertEqual(len(self.observer.events), 3)
        for event in self.observer.events:
            self.assertEqual((event.system_id, event.hostname), ("s-1", "host"))
            self.assertEqual((event.switch, event.source), ("s-1", "tcp:127.0.0.1:6640"))
            value = eventToJSON(event, NOW)
            self.assertEqual((value["system_id"], value["hostname"]), ("s-1", "host"))
            self.assertEqual((value["switch"], value["source"]), ("s-1", "tcp:127.0.0.1:6640"))

    def test_untold(self) -> None:
        """
        What the switch does not have is None, also if its table is empty. The
        key is then the source.
        """
        for row in (None, ids(hostname="h"), ids(system_id="", hostname="")):
            self.makeFactory(identify=True)
            self.snapshot(row)
            event: Any = self.observer.events[0]
            self.assertIsNone(event.system_id)
            self.assertEqual(event.switch, "tcp:127.0.0.1:6640")

    def test_wrong(self) -> None:
        """
        A row that is not understood ends the session.
        """
        for row in ({}, {"external_ids": 5}, {"external_ids": ["map", [["system-id", 5]]]}):
            self.makeFactory(identify=True)
            self.snapshot(row, 1)
            self.assertTrue(self.transport.disconnecting, row)
            self.assertEqual(self.observer.events, [])

    def test_noSuchTable(self) -> None:
        """
        A server that has no table Open_vSwitch is monitored without it, and
        the log says so.
        """
        self.accept()
        with capturedLogs() as logs:
            self.receive(json.dumps({"id": 1, "error": NO_TABLE}).encode())
            columns = ("name", "type", "ofport", "error", "external_ids", "options")
            schema: Any = {"tables": {"Interface": {"columns": {name: {} for name in columns}}}}
            self.receive(json.dumps({"id": 2, "result": schema}).encode())
            self.receive(b'{"id":3,"result":{}}')
        *_, (method, (_, _, requests)) = self.sent()
        self.assertEqual((method, list(requests)), ("monitor", ["Interface"]))
        self.assertEqual(self.observer.take(), [("synchronized", "initial")])
        texts = [log["log_format"].format(**log) for log in logs]
        self.assertIn(
            "tcp:127.0.0.1:6640: table Open_vSwitch has no column external_ids; going on without",
            texts,
        )

    def test_notAsked(self) -> None:
        """
        Without C{identify}, only the Interface table is monitored, and JSON
        has no identity; its C{switch} is the source.
        """
        self.makeFactory()
        self.synchronize()
        ((_, (_, _, requests)),) = self.sent()
        self.assertEqual(list(requests), ["Interface"])
        event: Any = self.observer.events[0]
        value = eventToJSON(event, NOW)
        self.assertNotIn("system_id", value)
        self.assertNotIn("address", value)
        self.assertEqual(value["switch"], value["source"])


class ChangeTests(IdentityTestCase):
    """
    The identity changes.
    """

    def test_hostname(self) -> None:
        """
        A changed host name is in every later event, and is no event itself.
        """
        self.snapshot(ids(system_id="a"), 1)
        self.assertEqual(self.told()[-1], ("synchronized", "initial", "a", None))
        self.update(ids(system_id="a", hostname="h1"))
        self.assertEqual(self.told(), [])
        self.update(ids(system_id="a", hostname="h2"), Interface={uuid(2): {"new": vmRow("tap2")}})
        self.assertEqual(self.told(), [("online", "vm", "tap2", "update", "a", "h2")])

    def test_anotherSwitch(self) -> None:
        """
        When the system-id changes, this is an outage in which no row survives:
        everything goes offline under the old key, and comes online under the
        new one, also what is the same.
        """
        self.snapshot(ids(system_id="a", hostname="h"), 1, 2)
        self.clock.advance(5)
        self.told()
        self.update(ids(system_id="b", hostname="h"), Interface={uuid(2): {"old": vmRow("tap2")}})
        (reason,) = [e.reason for e in self.observer.events if isinstance(e, Disconnected)]
        self.assertIsInstance(reason, SwitchChanged)
        self.assertEqual(
            self.told(),
            [
                ("disconnected", "switch a has become switch b", "a", "h"),
                ("offline", "vm", "tap1", "resync", "a", "h"),
                ("offline", "vm", "tap2", "resync", "a", "h"),
            ],
        )
        self.lose()
        self.clock.advance(0)
        self.snapshot(ids(system_id="b", hostname="h"), 1)
        self.assertEqual(
            self.told(),
            [
                ("online", "vm", "tap1", "resync", "b", "h"),
                ("synchronized", "resync", "b", "h"),
            ],
        )

    def test_becomesKnown(self) -> None:
        """
        A system-id that is set later is another key than the source before.
        """
        self.snapshot(ids(), 1)
        self.update(ids(system_id="a"))
        self.lose()
        self.clock.advance(1)
        self.snapshot(ids(system_id="a"), 1)
        source = "tcp:127.0.0.1:6640"
        told = [(name, *rest[-2:]) for name, *rest in self.told()]
        self.assertEqual(
            told,
            [
                ("online", source, None),
                ("synchronized", source, None),
                ("disconnected", source, None),
                ("offline", source, None),
                ("online", "a", None),
                ("synchronized", "a", None),
            ],
        )

    def test_inAnOutage(self) -> None:
        """
        The system-id has changed while the client was not connected.
        """
        self.snapshot(ids(system_id="a"), 1, 2)
        self.lose()
        self.told()
        self.clock.advance(1)
        self.snapshot(ids(system_id="b"), 2, 3)
        self.assertEqual(
            [told[:-1] for told in self.told()],
            [
                ("offline", "vm", "tap1", "resync", "a"),
                ("offline", "vm", "tap2", "resync", "a"),
                ("online", "vm", "tap2", "resync", "b"),
                ("online", "vm", "tap3", "resync", "b"),
                ("synchronized", "resync", "b"),
            ],
        )

    def test_replaced(self) -> None:
        """
        A switch is replaced by another one at the same address. Each line of JSON
        has the system-id and the host name of the switch that it is about, also
        behind a view.
        """
        vms = Recorder()
        self.factory.addObserver(onlyKinds(vms, "vm"))
        self.snapshot(ids(system_id="a", hostname="old"), 1, 2)
        self.lose()
        self.clock.advance(1)
        for observer in (self.observer, vms):
            observer.take()
        self.snapshot(ids(system_id="b", hostname="new"), 2)
        expected = [("offline", "a", "old")] * 2 + [("online", "b", "new")]
        expected.append(("synchronized", "b", "new"))
        for observer in (self.observer, vms):
            lines = [eventToJSON(event, NOW) for event in observer.events]
            told = [(line["event"], line["system_id"], line["hostname"]) for line in lines]
            self.assertEqual(told, expected)
            self.assertEqual({line["switch"] for line in lines}, {"a", "b"})
            self.assertEqual({line["source"] for line in lines}, {"tcp:127.0.0.1:6640"})

    def test_busy(self) -> None:
        """
        For an observer that is busy while the switch changes twice, the rows of
        different switches are not merged. What it was never told, it is not told.
        """
        blocked: Deferred[None] = Deferred()
        busy = Recorder([None, None, blocked])
        self.factory.addObserver(busy)
        self.snapshot(ids(system_id="a"), 1, 2)
        busy.take()
        self.update(ids(system_id="a"), Interface={uuid(3): {"new": vmRow("tap3")}})
        for system_id in ("b", "a"):
            self.update(ids(system_id=system_id))
            self.lose()
            self.clock.advance(8)
            self.snapshot(ids(system_id=system_id), 1)
        blocked.callback(None)
        self.assertEqual([event.switch for event in busy.events], ["a"] * len(busy.events))
        self.assertEqual(
            busy.take(),
            [
                ("disconnected", "switch b has become switch a"),
                ("offline", "vm", "tap1", "resync"),
                ("offline", "vm", "tap2", "resync"),
                ("online", "vm", "tap1", "resync"),
                ("synchronized", "resync"),
            ],
        )
        fold = Fold()
        for event in self.observer.events:
            fold.receive(event)
