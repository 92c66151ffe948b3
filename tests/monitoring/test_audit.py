# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.monitoring.audit}.
"""

from __future__ import annotations

import random
from typing import Any

import attrs
from twisted.internet.defer import fail, succeed
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb import (
    Disconnected,
    InterfaceChanged,
    OvsdbMonitorFactory,
    ReplicaWrong,
    RequestNotSent,
    RpcError,
)
from twisted_ovsdb.monitoring.audit import AUDIT_ROWS, AuditCounts
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

EVERY = 2.0


class AuditTests(SynchronousTestCase):
    """
    Tests for a factory that audits a step every two seconds.
    """

    def setUp(self) -> None:
        self.server = MemoryServer()
        self.observer = RecordingObserver()
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        self.server.addPort("br-int", "eth7", ofport=2)

    def watch(self, **options: Any) -> OvsdbMonitorFactory:
        """
        Connect a factory.
        """
        options = {"audit": EVERY, "replay": False, **options}
        self.factory = connectedFactory(self.server, self.observer, **options)
        self.observer.take()
        self.damaged = self.factory.monitor._known._interfaces._rows
        return self.factory

    def tearDown(self) -> None:
        self.factory.stop()
        self.server.advance(0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def steps(self, count: int) -> None:
        """
        So many steps are done.
        """
        for _ in range(count):
            self.server.advance(EVERY)

    def key(self, name: str) -> str:
        """
        The UUID of an interface.
        """
        return next(key for key, row in self.damaged.items() if row.name == name)

    def test_right(self) -> None:
        """
        What is right stays as it is; rows with and without a kind are compared.
        """
        self.watch()
        self.steps(3)
        self.assertEqual(self.factory.audited(), AuditCounts(3, 9, 0))
        self.observer.expect()

    def test_slices(self) -> None:
        """
        A round takes as many steps as there are hundreds of rows.
        """
        for number in range(2 * AUDIT_ROWS):
            self.server.addPort("br-int", f"p{number}")
        self.watch()
        self.steps(2)
        self.assertEqual(self.factory.audited(), AuditCounts(0, 2 * AUDIT_ROWS, 0))
        self.steps(1)
        self.assertEqual(self.factory.audited(), AuditCounts(1, 2 * AUDIT_ROWS + 3, 0))

    def assertFound(self, what: str, *resync: str) -> None:
        """
        Assert that a damage is found with the second step, and mended by a resync.
        """
        with capturedLogs() as logs:
            self.steps(1)
            self.observer.expect()
            self.steps(1)
            self.server.advance(10)
        disconnected, *_ = self.observer.expect("disconnected", *resync, "synchronized resync")
        assert isinstance(disconnected, Disconnected)
        self.assertIsInstance(disconnected.reason, ReplicaWrong)
        self.assertIn(what, str(disconnected.reason))
        said = [formatEvent(log) for log in logs if log["log_level"] is LogLevel.error]
        self.assertEqual([text for text in said if what in text], said)
        self.assertEqual(len(said), 1)
        self.assertEqual(self.factory.audited().mismatches, 1)
        self.steps(4)
        self.assertEqual(self.factory.audited().mismatches, 1)

    def test_F75_changed(self) -> None:
        """
        A row with a wrong column is found, and told as it is.
        """
        self.watch()
        key = self.key("tap1")
        self.damaged[key] = attrs.evolve(self.damaged[key], ofport=77)
        self.assertFound("column ofport is another one", "changed vm tap1 resync")

    def test_extraColumn(self) -> None:
        """
        A column that was asked for is compared too, in either dialect.
        """
        for method in ("monitor", "monitor_cond"):
            self.watch(extraColumns=("mtu_request", "other_config"), method=method)
            self.steps(2)
            self.assertEqual(self.factory.audited().mismatches, 0)
            key = self.key("tap1")
            self.damaged[key] = attrs.evolve(self.damaged[key], extra={"mtu_request": 1})
            self.assertFound("column extra is another one", "changed vm tap1 resync")
            self.factory.stop()
            self.server.advance(0)
            self.observer.take()

    def test_F75_lost(self) -> None:
        """
        A row that is not known is found in the list of UUIDs.
        """
        self.watch()
        del self.damaged[self.key("tap1")]
        self.assertFound("tap1", "online vm tap1 resync")

    def test_F75_phantom(self) -> None:
        """
        A row that the database does not have is found.
        """
        self.watch()
        row = self.damaged[self.key("tap1")]
        self.damaged[uuid(99)] = attrs.evolve(row, uuid=uuid(99), name="tap\n9")
        self.steps(2)
        disconnected, *_ = self.observer.take()
        assert isinstance(disconnected, Disconnected)
        self.assertIn(r"interface tap\n9", str(disconnected.reason))

    def test_wrongOnce(self) -> None:
        """
        What is right when it is read again is no mismatch.
        """
        self.watch()
        key = self.key("tap1")
        right = self.damaged[key]
        self.damaged[key] = attrs.evolve(right, ofport=77)
        self.steps(1)
        self.damaged[key] = right
        self.steps(5)
        self.assertEqual(self.factory.audited().mismatches, 0)
        self.observer.expect()

    def test_churn(self) -> None:
        """
        Whatever happens between a request and its reply, what is right is not
        found wrong.
        """
        self.watch(bridges=True)
        chosen = random.Random(5)
        for number in range(300):
            name = f"p{number}"
            self.server.addPort("br-int", name, iface_id=name)
            self.server.setInterface(name, ofport=chosen.randrange(1, 9))
            if number > 5:
                self.server.deletePort(f"p{number - chosen.randrange(1, 2)}")
            self.server.advance(chosen.random())
        counts = self.factory.audited()
        self.assertEqual(counts.mismatches, 0)
        self.assertGreater(counts.rounds, 20)

    def test_outage(self) -> None:
        """
        In an outage nothing is read. The next session begins a round.
        """
        self.watch()
        self.steps(1)
        self.server.kill()
        self.steps(20)
        self.assertEqual(self.factory.audited().rounds, 1)
        self.server.start()
        self.server.advance(10)
        self.steps(3)
        self.assertGreater(self.factory.audited().rounds, 2)
        self.assertEqual(self.factory.audited().mismatches, 0)

    def test_notSent(self) -> None:
        """
        Where too much waits to be sent, the audit waits too, and goes on.
        """
        self.watch()
        session = self.factory.monitor._server.session
        protocol = session and session.protocol
        with capturedLogs() as logs:
            transact = self.patch(
                protocol, "transact", lambda *operations: fail(RequestNotSent("too much waits"))
            )
            self.steps(2)
            transact.restore()
            self.steps(1)
        self.assertEqual(self.factory.audited(), AuditCounts(1, 3, 0))
        self.assertEqual([log for log in logs if log["log_level"] >= LogLevel.warn], [])

    def test_late(self) -> None:
        """
        What a server answers when the monitor has left it counts for nothing, be it
        rows or a refusal.
        """
        for forgotten in ((), ("transact",)):
            self.watch()
            self.server.stall()
            self.steps(1)
            self.factory.monitor.detach()
            with capturedLogs() as logs:
                self.server.forgetMethods(*forgotten)
                self.server.resume()
            self.assertEqual(self.factory.audited(), AuditCounts())
            self.assertEqual([log for log in logs if log["log_level"] >= LogLevel.warn], [])
            self.factory.stop()
            self.server.advance(0)
            self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_F75_refused(self) -> None:
        """
        A server that refuses to be read is not audited: one warning in a session.
        """
        self.watch()
        self.server.forgetMethods("transact")
        with capturedLogs() as logs:
            self.steps(5)
        said = [formatEvent(log) for log in logs if log["log_level"] is LogLevel.warn]
        self.assertEqual(len(said), 1)
        self.assertIn("no audit of this session", said[0])
        self.assertIn(str(RpcError("unknown method"))[:14], said[0])
        self.observer.expect()

    def test_F75_malformed(self) -> None:
        """
        A reply that is no result of a select ends the session.
        """
        self.watch()
        session = self.factory.monitor._audit
        assert session is not None
        part: Any = session._session
        self.patch(part, "operations", lambda known: [{"op": "comment", "comment": "x"}])
        self.steps(1)
        disconnected, *_ = self.observer.take()
        assert isinstance(disconnected, Disconnected)
        self.assertIn("not the result of a select", str(disconnected.reason))

    def test_F75_noObject(self) -> None:
        """
        So does a result that is no object.
        """
        self.watch()
        assert self.factory.monitor._server.session is not None
        protocol = self.factory.monitor._server.session.protocol
        self.patch(protocol, "transact", lambda *operations: succeed([5] * 4))
        self.steps(1)
        disconnected, *_ = self.observer.take()
        assert isinstance(disconnected, Disconnected)
        self.assertIn("not the result of a select: 5", str(disconnected.reason))

    def test_F75_noUUID(self) -> None:
        """
        A list of rows without their UUIDs ends the session.
        """
        self.watch()
        session = self.factory.monitor._audit
        assert session is not None
        part: Any = session._session
        rows = {"op": "select", "table": "Interface", "where": [], "columns": ["name"]}
        self.patch(part, "operations", lambda known: [rows])
        self.steps(1)
        disconnected, *_ = self.observer.take()
        assert isinstance(disconnected, Disconnected)
        self.assertIn("column _uuid: not a UUID", str(disconnected.reason))

    def test_off(self) -> None:
        """
        Without audit= there is none, and a question says what to pass.
        """
        self.watch(audit=None)
        self.steps(5)
        error = self.assertRaises(ValueError, self.factory.audited)
        self.assertIn("audit=10.0", str(error))
        for wrong in (0, -1, "2"):
            error = self.assertRaises(
                ValueError, OvsdbMonitorFactory, audit=wrong, clock=self.server.clock
            )
            self.assertIn("audit", str(error))

    def test_changes(self) -> None:
        """
        Changes go on to be told between the steps.
        """
        self.watch()
        for number in range(5):
            self.server.setInterface("tap1", ofport=number + 2)
            self.steps(1)
        told = self.observer.take()
        self.assertEqual([type(event) for event in told], [InterfaceChanged] * 5)
