# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.monitor} and
L{twisted_ovsdb.monitoring.session}, as an application uses them that makes its
own connections.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs
from twisted.python.failure import Failure

from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.observers import Busy, Recorder
from tests.fakes.rows import jsonRow, update, vm, vmRow
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.events import Disconnected


class SessionTests(MonitorTestCase):
    """
    A session, from the request to the loss of the connection.
    """

    def test_request(self) -> None:
        """
        The first request is monitor. It asks for the six usual columns of the
        Interface table, and for nothing else.
        """
        self.attach()
        request = json.loads(self.transport.value())
        columns = ["name", "type", "ofport", "error", "external_ids", "options"]
        self.assertEqual(request["method"], "monitor")
        self.assertIsNotNone(request["id"])
        database, _, requests = request["params"]
        self.assertEqual(database, "Open_vSwitch")
        self.assertEqual(requests, {"Interface": [{"columns": columns}]})

    def test_extraColumns(self) -> None:
        """
        Extra columns are monitored, and their values are told.
        """
        self.monitor = self.makeMonitor([self.observer], extraColumns=["link_state", "name"])
        self.attach()
        columns = json.loads(self.transport.value())["params"][2]["Interface"][0]["columns"]
        self.assertEqual(columns[6:], ["link_state"])
        self.snapshot({1: {**vmRow("tap1"), "link_state": "up"}})
        event: Any = self.observer.events[0]
        self.assertEqual(dict(event.interface.extra), {"link_state": "up"})

    def test_F80_deaf(self) -> None:
        """
        While in sync, a message that breaks off does not make the monitor deaf: observers
        are told Disconnected when the next updates come.
        """
        whole = update({7: {"new": vmRow("tap7")}})
        for begun in (b"{", b"{,", whole[:-1], whole[:-2], whole[:30], whole[:-40]):
            self.monitor = self.makeMonitor([self.observer])
            self.synchronize({1: vmRow("tap1")})
            self.observer.take()
            self.protocol.dataReceived(begun)
            self.protocol.dataReceived(update({2: {"new": vmRow("tap2")}}))
            self.protocol.dataReceived(update({3: {"new": vmRow("tap3")}}))
            told = [event[0] for event in self.observer.take()]
            self.assertEqual(told, ["disconnected"], begun)
            self.assertIsInstance(self.protocol.lost, ProtocolViolation)

    def test_F86_extraColumnMissing(self) -> None:
        """
        Rows without an extra column are a fault, however many there are.
        """
        for count in (1, 10, 1000, 3000):
            self.monitor = self.makeMonitor([self.observer], extraColumns=["mtu"])
            attached = self.attach()
            self.snapshot({n: vmRow(f"tap{n}") for n in range(count)})
            self.failureResultOf(attached, ProtocolViolation)
            self.assertIn("column mtu: missing", str(self.protocol.lost), count)
            self.assertEqual(self.observer.events, [])

    def test_snapshotAndUpdates(self) -> None:
        """
        The reply and each update become events.
        """
        self.synchronize({1: vmRow("tap1")})
        self.assertTrue(self.monitor.inSync)
        self.update({2: {"new": jsonRow("br-int", "internal")}})
        self.update({1: {"old": vmRow("tap1")}})
        self.assertEqual(
            self.observer.take(),
            [
                ("online", "vm", "tap1", "initial"),
                ("synchronized", "initial"),
                ("online", "bridge", "br-int", "update"),
                ("offline", "vm", "tap1", "update"),
            ],
        )

    def test_refused(self) -> None:
        """
        If the server refuses, the caller gets the error, and the connection
        stays open for the caller.
        """
        attached = self.attach()
        self.protocol.dataReceived(b'{"id":1,"error":"unknown database"}')
        self.failureResultOf(attached, RpcError)
        self.assertIsNone(self.protocol.lost)
        self.assertEqual(self.observer.events, [])

    def test_badSnapshot(self) -> None:
        """
        A wrong reply ends the session, and observers are told nothing.
        """
        attached = self.attach()
        self.snapshot({1: vmRow("tap1"), 2: {**vmRow("tap2"), "name": 5}})
        self.failureResultOf(attached, ProtocolViolation)
        self.assertIn("column name", str(self.protocol.lost))
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.observer.events, [])
        self.assertFalse(self.monitor.inSync)

    def test_badUpdate(self) -> None:
        """
        A wrong update ends the session. Observers are told the reason, and
        nothing from the update.
        """
        self.synchronize({})
        self.update({1: {"new": vmRow("tap1")}, 2: {"new": {}}})
        last = self.observer.events[-1]
        assert isinstance(last, Disconnected)
        self.assertIn("row 00000002", str(last.reason))
        self.assertEqual(len(self.observer.events), 2)

    def test_lostBeforeTheReply(self) -> None:
        """
        Observers are told nothing of a session that is lost before its
        snapshot.
        """
        attached = self.attach()
        self.lose()
        self.failureResultOf(attached, SessionLost)
        self.assertEqual(self.observer.events, [])

    def test_resync(self) -> None:
        """
        After an outage the snapshot is compared with what was known.
        """
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2"), 3: vmRow("tap3")})
        self.lose()
        self.assertFalse(self.monitor.inSync)
        self.observer.take()
        self.synchronize({2: vmRow("tap2", ofport=2), 3: vmRow("tap3"), 4: vmRow("tap4")})
        self.assertEqual(
            self.observer.take(),
            [
                ("offline", "vm", "tap1", "resync"),
                ("changed", "vm", "tap2", "resync"),
                ("online", "vm", "tap4", "resync"),
                ("online", "vm", "tap3", "replay"),
                ("synchronized", "resync"),
            ],
        )

    def test_F32_newDatabase(self) -> None:
        """
        If the rows have new UUIDs after an outage, all old interfaces go
        offline, and then all new ones come online, also if their names are the
        same (F32).
        """
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.lose()
        self.observer.take()
        self.synchronize({11: vmRow("tap1"), 12: vmRow("tap2")})
        self.assertEqual(
            [event[:3] for event in self.observer.take()],
            [
                ("offline", "vm", "tap1"),
                ("offline", "vm", "tap2"),
                ("online", "vm", "tap1"),
                ("online", "vm", "tap2"),
                ("synchronized", "resync"),
            ],
        )

    def test_oneConnection(self) -> None:
        """
        A second connection is refused while there is one.
        """
        self.attach()
        self.assertRaises(RuntimeError, self.attach)

    def test_detach(self) -> None:
        """
        When the monitor is detached, observers are told Disconnected (stopped)
        once. The next connection begins with a resync.
        """
        self.synchronize({1: vmRow("tap1")})
        self.observer.take()
        self.monitor.detach()
        self.monitor.detach()
        self.lose()
        self.assertEqual(self.observer.take(), [("disconnected", "stopped")])
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(
            self.observer.take(), [("online", "vm", "tap1", "replay"), ("synchronized", "resync")]
        )

    def test_reasonOfALaterFailure(self) -> None:
        """
        An observer that was busy when the session was lost is told why that was, also
        if the next connection was lost before it was in sync.
        """
        busy = Busy()
        self.monitor.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        busy.free()
        self.protocol.connectionLost(Failure(ConnectionLost("the first")))
        self.attach().addErrback(lambda failure: failure.trap(SessionLost))
        self.protocol.connectionLost(Failure(ConnectionLost("the second")))
        busy.freeAll()
        self.assertIn("the first", str(busy.take()[-1]))

    def test_leftConnection(self) -> None:
        """
        A connection that the monitor has left means nothing more: neither what still
        comes from it, nor its loss while another one is attached.
        """
        self.synchronize({1: vmRow("tap1")})
        left = self.protocol
        self.monitor.detach()
        left.dataReceived(update({2: {"new": vmRow("tap2")}}))
        self.assertEqual([row.name for row in self.monitor.interfaces()], ["tap1"])
        self.assertIsNone(left.lost)
        self.synchronize({1: vmRow("tap1")})
        self.observer.take()
        left.connectionLost(Failure(ConnectionLost("gone")))
        self.assertTrue(self.monitor.inSync)
        self.update({3: {"new": vmRow("tap3")}})
        self.assertEqual(self.observer.take(), [("online", "vm", "tap3", "update")])

    def test_detachFromAnObserver(self) -> None:
        """
        If an observer detaches the monitor inside eventReceived, it is told
        nothing more (F46).
        """
        monitor = self.monitor

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                monitor.detach()

        stopper = Stopper()
        monitor.addObserver(stopper)
        self.synchronize({1: vmRow("tap1"), 2: vmRow("tap2")})
        self.assertEqual(len(stopper.events), 1)

    def test_explains(self) -> None:
        """
        One debug line says why an interface has no kind. If there are many such
        interfaces, ten get a line each, and one line counts the rest.
        """
        with capturedLogs() as logs:
            self.synchronize({n: jsonRow(f"eth{n}") for n in range(1, 31)})
            self.update({1: {"new": jsonRow("eth1", ofport=1), "old": {"ofport": ["set", []]}}})
        lines = [log for log in logs if log["log_level"] is LogLevel.debug]
        self.assertEqual(len(lines), 11)
        self.assertIn("no iface-id", lines[0]["why"])
        self.assertEqual(lines[-1]["count"], 20)

    def failures(self, logs: Any) -> list[str]:
        """
        What the log says at the level info.
        """
        lines = [log for log in logs if log["log_level"] is LogLevel.info]
        return [log["log_format"].format(**log) for log in lines]

    def test_failedWithoutKind(self) -> None:
        """
        A port without a kind that fails is logged with its error, once for each
        failure.
        """
        failed = jsonRow("eth1", ofport=-1, error="no device \x1b[2J")
        with capturedLogs() as logs:
            self.synchronize(
                {1: failed, 2: jsonRow("eth2", ofport=-1), 3: vmRow("tap3", ofport=-1)}
            )
            self.update({1: {"new": {**failed, "type": "x"}, "old": {}}})
        self.assertEqual(
            self.failures(logs),
            [
                "port eth1 failed, and has no kind: no device \\x1b[2J",
                "port eth2 failed, and has no kind: ofport -1",
            ],
        )

    def test_manyFailures(self) -> None:
        """
        A script that makes failing ports does not fill the log: in ten minutes
        ten are logged; the others are counted.
        """
        with capturedLogs() as logs:
            self.synchronize({n: jsonRow(f"eth{n}", ofport=-1) for n in range(1, 31)})
            self.assertEqual(len(self.failures(logs)), 10)
            self.clock.advance(600)
            self.update({31: {"new": jsonRow("eth31", ofport=-1)}})
        self.assertEqual(
            self.failures(logs)[10:],
            [
                "20 more ports without a kind failed",
                "port eth31 failed, and has no kind: ofport -1",
            ],
        )


class LocalPortTests(MonitorTestCase):
    """
    The local port of a bridge whose row says something else.
    """

    def test_blanked(self) -> None:
        """
        An ofport that is emptied or fails is a change, also over a restart
        that empties it; the bridge is not offline.
        """
        self.synchronize({1: jsonRow("LAN", ofport=65534)})
        self.update({1: {"new": jsonRow("LAN"), "old": {"ofport": 65534}}})
        self.update({1: {"new": jsonRow("LAN", ofport=-1), "old": {"ofport": ["set", []]}}})
        self.protocol.abort(OvsdbError("gone"))
        self.synchronize({1: jsonRow("LAN")})
        self.update({1: {"new": jsonRow("LAN", ofport=3), "old": {"ofport": ["set", []]}}})
        self.assertEqual(
            self.observer.take(),
            [
                ("online", "bridge", "LAN", "initial"),
                ("synchronized", "initial"),
                ("changed", "bridge", "LAN", "update"),
                ("changed", "bridge", "LAN", "update"),
                ("disconnected", "gone"),
                ("changed", "bridge", "LAN", "resync"),
                ("synchronized", "resync"),
                ("offline", "bridge", "LAN", "update"),
            ],
        )

    def test_rowIsAnother(self) -> None:
        """
        A new row under the old name is not remembered to be a bridge.
        """
        self.synchronize({1: jsonRow("LAN", ofport=65534)})
        self.update({1: {"old": jsonRow("LAN", ofport=65534)}, 2: {"new": jsonRow("LAN")}})
        self.assertEqual(self.observer.take()[-1], ("offline", "bridge", "LAN", "update"))


class WhenSynchronizedTests(MonitorTestCase):
    """
    Tests for L{InterfaceMonitor.whenSynchronized}.
    """

    def test_waits(self) -> None:
        """
        Every Deferred gets the interfaces that have a kind. Cancelling one does
        not disturb the others.
        """
        first, second, third = (self.monitor.whenSynchronized() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.synchronize({1: vmRow("tap1"), 2: jsonRow("eth0")})
        self.successResultOf(first)
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), (vm(1),))

    def test_atOnce(self) -> None:
        """
        While in sync, the Deferred fires at once, also if an observer is busy.
        In an outage it waits for the next snapshot.
        """
        busy = Busy()
        self.monitor.addObserver(busy)
        self.synchronize({1: vmRow("tap1")})
        self.assertEqual(self.successResultOf(self.monitor.whenSynchronized()), (vm(1),))
        self.lose()
        waiting = self.monitor.whenSynchronized()
        self.assertNoResult(waiting)
        self.synchronize({})
        self.assertEqual(self.successResultOf(waiting), ())

    def test_stopped(self) -> None:
        """
        A stop cancels the Deferred.
        """
        waiting = self.monitor.whenSynchronized()
        self.monitor.detach()
        self.failureResultOf(waiting, CancelledError)
