# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for changes of conditions: what a server is asked for, also over outages, and what
callers are told.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.fakes.history import RAW, initial, row, transaction
from tests.monitoring.test_replicas import METHODS, ZERO, A, B, ReplicaCase, Server
from twisted_ovsdb import OvsdbError, Rows, RpcError

TWO: dict[str, Any] = {**RAW, "tables": {"T": RAW["tables"]["T"], "U": RAW["tables"]["T"]}}
"""A schema with two tables of the same columns."""


def where(value: str | None) -> list[Any] | None:
    """
    Conditions for the rows in which C{s} has this value; None: all rows.
    """
    return None if value is None else [["s", "==", value]]


class ConditionCase(ReplicaCase):
    """
    A replica whose conditions change.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin({"T": Rows(where=where("a"))})

    def begin(self, tables: Any, knows: tuple[str, ...] = METHODS) -> None:
        """
        A new server that has two tables.
        """
        self.server = Server(tables, knows)
        self.server.schema = TWO

    def change(self, **values: str | None) -> Deferred[None]:
        """
        Ask for rows in which C{s} has other values.
        """
        return self.server.factory.changeConditions({n: where(v) for n, v in values.items()})

    def asked(self) -> dict[str, Any] | None:
        """
        Take the change that was asked for; None if there is none.

        @return: the value of C{s} by table, None where all rows are wanted.
        """
        server = self.server
        if not server.transport.value():
            return None
        server.number, method, params = server.receive()
        self.assertEqual(method, "monitor_cond_change")
        conditions = {name: request[0]["where"] for name, request in params[2].items()}
        return {n: None if w == [True] else w[0][2] for n, w in conditions.items()}

    def begunWith(self) -> dict[str, Any]:
        """
        What the session has begun with, as L{asked}.
        """
        method, params = self.server.asked
        self.assertIn(method, METHODS)
        wheres = {name: request[0].get("where") for name, request in params[2].items()}
        return {name: w and w[0][2] for name, w in wheres.items()}

    def accept(self) -> None:
        """
        The server accepts the last change.
        """
        self.server.reply({})

    def refuse(self) -> None:
        """
        The server refuses it.
        """
        self.server.send({"id": self.server.number, "error": "syntax error", "result": None})


class ConditionTests(ConditionCase):
    """
    A change alone.
    """

    def test_changed(self) -> None:
        """
        Rows that come and go are told before the Deferred fires. A next session begins
        with the new conditions. To change to what is so already costs no request.
        """
        server = self.server
        server.synchronize(A, last=1)
        self.assertEqual(self.begunWith(), {"T": "a"})
        server.take()
        changed = self.change(T="b")
        self.assertEqual(self.asked(), {"T": "b"})
        self.assertEqual(server.asked[1][:2], ["twisted_ovsdb"] * 2)
        server.update(A, {2: row(s="b")}, 2)
        self.assertEqual(server.take(), [("update", [("a", None), (None, "b")])])
        self.assertNoResult(changed)
        self.accept()
        self.successResultOf(changed)
        self.successResultOf(self.change(T="b"))
        self.successResultOf(server.factory.changeConditions({}))
        self.assertIsNone(self.asked())
        server.lose()
        server.open()
        self.assertEqual(self.begunWith(), {"T": "b"})

    def test_doubt(self) -> None:
        """
        The update before the reply may be of the former conditions, and with the new
        ones other rows may have changed since. So everything is asked for, unless
        an update follows the reply.
        """
        server = self.server
        for later in (False, True):
            server.synchronize(A, last=1)
            changed = self.change(T=None if later else "b")
            self.asked()
            server.update(A, B, 2)
            self.accept()
            self.successResultOf(changed)
            if later:
                server.update(B, A, 3)
            server.lose()
            server.open()
            self.assertEqual(server.asked[1][3], transaction(3) if later else ZERO)
            server.reply([False, transaction(4), initial(A)])
            server.lose()

    def test_everyRow(self) -> None:
        """
        Conditions that change while the request is on its way are asked for afterwards.
        """
        self.server.open()
        changed = self.change(T=None)
        self.server.reply([False, transaction(1), initial(A)])
        self.assertEqual(self.asked(), {"T": None})
        self.accept()
        self.successResultOf(changed)

    def test_lost(self) -> None:
        """
        If the connection is lost before the reply, or the server breaks the protocol,
        the next session begins with the former conditions and asks for everything. Then
        it asks for the change again.
        """
        for broken in (False, True):
            self.setUp()
            server = self.server
            server.synchronize(A, last=1)
            changed = self.change(T="b")
            self.asked()
            server.update(A, {}, 2)
            if broken:
                server.endpoint.protocol.dataReceived(b"[]")
            server.lose()
            self.assertNoResult(changed)
            server.synchronize(A, last=3)
            self.assertEqual((self.begunWith(), server.asked[1][3]), ({"T": "a"}, ZERO))
            self.assertEqual(self.asked(), {"T": "b"})
            server.update(A, {2: row(s="b")}, 4)
            self.assertNoResult(changed)
            self.accept()
            self.successResultOf(changed)
            self.assertEqual(server.take()[-1], ("update", [("a", None), (None, "b")]))

    def test_refused(self) -> None:
        """
        If the server refuses, the former conditions hold, whenever that is: at once, in
        an outage, or when the request was on its way as the connection was lost.
        """
        for when in ("at once", "in an outage", "on its way"):
            self.setUp()
            server = self.server
            server.synchronize(A, last=1)
            if when == "in an outage":
                server.lose()
            changed = self.change(T="b")
            if when == "on its way":
                server.lose()
            if when != "at once":
                server.synchronize(A, last=1)
            self.assertNoResult(changed)
            self.assertEqual(self.asked(), {"T": "b"}, when)
            self.refuse()
            self.failureResultOf(changed, RpcError)
            self.assertTrue(server.factory.monitor.inSync)
            server.lose()
            server.open()
            self.assertEqual(self.begunWith(), {"T": "a"})

    def test_cancel(self) -> None:
        """
        A caller that cancels only ends its wait: the conditions hold, unless the server
        refuses them.
        """
        for accepts, value in ((True, "b"), (False, "a")):
            self.setUp()
            self.server.synchronize(A, last=1)
            changed = self.change(T="b")
            self.asked()
            changed.cancel()
            self.failureResultOf(changed, CancelledError)
            self.accept() if accepts else self.refuse()
            self.server.lose()
            self.server.synchronize(A)
            self.assertEqual(self.begunWith(), {"T": value})
            self.assertIsNone(self.asked())

    def test_cancelRefused(self) -> None:
        """
        So it is if the connection is lost meanwhile.
        """
        server = self.server
        server.synchronize(A, last=1)
        changed = self.change(T="b")
        changed.cancel()
        self.failureResultOf(changed, CancelledError)
        server.lose()
        server.synchronize(A, last=1)
        self.assertEqual(self.asked(), {"T": "b"})
        self.refuse()
        server.lose()
        server.synchronize(A, last=1)
        self.assertEqual((self.begunWith(), self.asked()), ({"T": "a"}, None))

    def test_tooOld(self) -> None:
        """
        A server that knows only C{monitor} refuses conditions, and is monitored as
        before, also after an outage. All rows are no condition.
        """
        self.begin(["T"], knows=("monitor",))
        server = self.server
        server.synchronize(A)
        failure = self.failureResultOf(self.change(T="b"), OvsdbError)
        self.assertIn("monitor_cond", str(failure.value))
        self.successResultOf(self.change(T=None))
        server.lose()
        changed = self.change(T="b")
        server.synchronize(A)
        self.failureResultOf(changed, OvsdbError)
        self.assertTrue(server.factory.monitor.inSync)

    def test_stopped(self) -> None:
        """
        A stop ends the wait, before and after the request. What was wanted is asked for
        after the next start.
        """
        for asked in (False, True):
            self.setUp()
            server = self.server
            if asked:
                server.synchronize(A, last=1)
            changed = self.change(T="b")
            server.factory.stop()
            self.failureResultOf(changed, CancelledError)
            if asked:
                self.accept()
                server.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
            server.connector.connect()
            server.synchronize(A)
            self.assertEqual((self.begunWith(), self.asked()), ({"T": "a"}, {"T": "b"}))

    def test_stoppedByTheCallback(self) -> None:
        """
        What is asked for by a callback that stops the replica, when it is told the
        snapshot, is asked for after the next start.
        """
        server, changed = self.server, []

        def stop() -> None:
            changed.append(self.change(T="b"))
            server.factory.stop()

        server.onTold = stop
        server.synchronize(A, last=1)
        self.failureResultOf(changed[0], CancelledError)
        server.onTold = lambda: None
        server.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        server.connector.connect()
        server.synchronize(A)
        self.assertEqual(self.asked(), {"T": "b"})

    def test_detached(self) -> None:
        """
        The reply to a session that was left says nothing about the next one.
        """
        server = self.server
        for accepts in (True, False):
            server.synchronize(A, last=1)
            changed = self.change(T="b")
            self.asked()
            server.factory.monitor.detach()
            self.failureResultOf(changed, CancelledError)
            self.accept() if accepts else self.refuse()
            self.assertEqual(server.factory.monitor._known.wanted["T"], Rows(where=where("a")))
            server.lose()
            server.synchronize(A)
            self.assertEqual((self.begunWith(), self.asked()), ({"T": "a"}, {"T": "b"}))
            self.refuse()
            server.lose()

    def test_unknownTable(self) -> None:
        """
        A table that is not in the replica raises at once, and nothing is changed.
        """
        self.server.synchronize(A)
        self.assertRaises(KeyError, self.change, T="b", U=None)
        self.assertIsNone(self.asked())

    def test_firstRefused(self) -> None:
        """
        If the server cannot monitor by the former conditions, for example because its
        schema has changed, a session begins with the change. If that fails too, the
        former ones are next.
        """
        server = self.server
        changed = self.change(T="b")
        for first in ("a", "b", "a", "b"):
            server.open()
            self.assertEqual(self.begunWith(), {"T": first})
            self.assertNoResult(changed)
            self.refuse()
            server.lose()
        server.synchronize(A)
        self.refuse()
        self.asked()
        self.refuse()
        self.failureResultOf(changed, RpcError)
        server.lose()
        changed = self.change(T="c")
        server.open()
        self.refuse()
        server.lose()
        server.synchronize({3: row(s="c")})
        self.assertEqual(self.begunWith(), {"T": "c"})
        self.successResultOf(changed)
        self.assertIsNone(self.asked())
        server.lose()
        server.open()
        self.assertEqual(self.begunWith(), {"T": "c"})


class SeveralTests(ConditionCase):
    """
    Several changes that wait.
    """

    def test_replacedInAnOutage(self) -> None:
        """
        In an outage, conditions change and change back. They are not asked for: the rows
        do not come and go. Both Deferreds fire.
        """
        server = self.server
        server.synchronize(A, last=1)
        server.take()
        server.lose()
        first, second = self.change(T="b"), self.change(T="a")
        server.synchronize(A, known=A, last=1)
        self.assertEqual((self.begunWith(), server.asked[1][3]), ({"T": "a"}, transaction(1)))
        self.assertIsNone(self.asked())
        self.successResultOf(first)
        self.successResultOf(second)
        server.lose()
        server.synchronize(A, known=A, last=1)
        self.assertEqual((self.begunWith(), server.asked[1][3]), ({"T": "a"}, transaction(1)))
        self.assertEqual(server.take(), [])

    def test_onlyTheLast(self) -> None:
        """
        Of the changes that an outage has left, only the last one is asked for. If the
        connection is lost before its reply, the next session is as the one before.
        """
        server = self.server
        server.synchronize(A, last=1)
        server.lose()
        changes = [self.change(T=value) for value in "bcd"]
        for _ in range(2):
            server.synchronize(A, last=1)
            self.assertEqual((self.begunWith(), self.asked()), ({"T": "a"}, {"T": "d"}))
            server.lose()
        server.synchronize(A, last=1)
        self.assertEqual(server.asked[1][3], transaction(1))
        self.assertEqual(self.asked(), {"T": "d"})
        for changed in changes:
            self.assertNoResult(changed)
        self.accept()
        for changed in changes:
            self.successResultOf(changed)
        self.assertIsNone(self.asked())

    def test_replacedByRefused(self) -> None:
        """
        If the later change is refused, the earlier one is asked for after all.
        """
        self.server.synchronize(A, last=1)
        self.server.lose()
        good, bad = self.change(T="b"), self.change(T="bad")
        self.server.synchronize(A, last=1)
        self.assertEqual(self.asked(), {"T": "bad"})
        self.refuse()
        self.failureResultOf(bad, RpcError)
        self.assertNoResult(good)
        self.assertEqual(self.asked(), {"T": "b"})
        self.accept()
        self.successResultOf(good)

    def test_oneAtATime(self) -> None:
        """
        A change is asked for when the one before has its reply.
        """
        server = self.server
        server.synchronize(A, last=1)
        first, second = self.change(T="b"), self.change(T="c")
        self.assertEqual((self.asked(), self.asked()), ({"T": "b"}, None))
        self.accept()
        self.successResultOf(first)
        self.assertEqual(self.asked(), {"T": "c"})
        server.lose()
        server.synchronize({}, last=2)
        self.assertEqual((self.begunWith(), server.asked[1][3]), ({"T": "b"}, ZERO))
        self.assertEqual(self.asked(), {"T": "c"})
        self.accept()
        self.successResultOf(second)

    def test_badThenGood(self) -> None:
        """
        A refused change does not take back the one after it.
        """
        self.server.synchronize(A, last=1)
        bad, good = self.change(T="bad"), self.change(T="b")
        self.asked()
        self.refuse()
        self.asked()
        self.accept()
        self.failureResultOf(bad, RpcError)
        self.successResultOf(good)
        self.server.lose()
        self.server.open()
        self.assertEqual(self.begunWith(), {"T": "b"})

    def test_badThenBad(self) -> None:
        """
        After two refused changes the former conditions hold, and the first one is
        refused again.
        """
        self.server.synchronize(A, last=1)
        for _ in range(2):
            for bad in [self.change(T="bad"), self.change(T="worse")]:
                self.assertNoResult(bad)
                self.assertIsNotNone(self.asked())
                self.refuse()
                self.failureResultOf(bad, RpcError)
        self.server.lose()
        self.server.open()
        self.assertEqual(self.begunWith(), {"T": "a"})

    def test_sameAgain(self) -> None:
        """
        The same conditions again wait for the same reply.
        """
        self.server.synchronize(A, last=1)
        first, second = self.change(T="b"), self.change(T="b")
        self.asked()
        self.assertNoResult(second)
        self.accept()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertIsNone(self.asked())

    def test_callbacks(self) -> None:
        """
        A callback of one change may ask for another, or stop the factory.
        """
        server = self.server
        server.synchronize(A, last=1)
        changed = self.change(T="b")
        changed.addCallback(lambda _: self.change(T="c"))
        self.asked()
        self.accept()
        self.assertEqual(self.asked(), {"T": "c"})
        changed.addCallback(lambda _: server.factory.stop())
        waiting = self.change(T="d")
        self.accept()
        self.failureResultOf(waiting, CancelledError)
        self.assertNotIn(b"monitor_cond_change", server.transport.value())


class TwoTablesTests(ConditionCase):
    """
    Changes of two tables.
    """

    def setUp(self) -> None:
        super().setUp()
        self.begin({"T": Rows(where=where("a")), "U": Rows(where=where("a"))})

    def test_otherTable(self) -> None:
        """
        A refused change of one table takes nothing from that of the other.
        """
        self.server.synchronize(A, last=1)
        for order in ("TU", "UT"):
            changes = {
                name: self.change(**{name: "bad" if name == "T" else order}) for name in order
            }
            for name in order:
                self.assertEqual(list(self.asked() or ()), [name])
                self.refuse() if name == "T" else self.accept()
            self.failureResultOf(changes["T"], RpcError)
            self.successResultOf(changes["U"])

    def test_inOrder(self) -> None:
        """
        Changes of different tables are asked for in the order of the calls. Where a
        later one replaces one table, the other one is still asked for.
        """
        self.server.open()
        first = self.change(T="b")
        both = self.change(T="c", U="c")
        last = self.change(U="d")
        self.server.reply([False, transaction(1), {}])
        self.assertEqual(self.asked(), {"U": "d"})
        self.accept()
        self.successResultOf(last)
        self.assertEqual(self.asked(), {"T": "c"})
        self.assertNoResult(both)
        self.accept()
        self.successResultOf(both)
        self.successResultOf(first)
        self.assertIsNone(self.asked())
        self.server.lose()
        self.server.open()
        first, second = self.change(T="e"), self.change(U="f")
        self.server.reply([False, transaction(1), {}])
        self.assertEqual(self.asked(), {"T": "e"})
        self.accept()
        self.assertEqual(self.asked(), {"U": "f"})
        self.accept()
        self.successResultOf(first)
        self.successResultOf(second)

    def test_partlyTaken(self) -> None:
        """
        ovsdb-server takes over the tables before the one that it refuses. It is asked
        for the former conditions of both, before the Deferred fails.
        """
        server = self.server
        server.synchronize(A, last=1)
        changed = self.change(T="b", U="bad")
        self.assertEqual(self.asked(), {"T": "b", "U": "bad"})
        self.refuse()
        self.assertNoResult(changed)
        self.assertEqual(self.asked(), {"T": "a", "U": "a"})
        self.accept()
        self.failureResultOf(changed, RpcError)
        self.assertIsNone(self.asked())

    def test_restoreLost(self) -> None:
        """
        If the connection is lost meanwhile, the next session begins with them.
        """
        server = self.server
        server.synchronize(A, last=1)
        changed = self.change(T="b", U="bad")
        self.asked()
        self.refuse()
        self.asked()
        server.lose()
        self.failureResultOf(changed, RpcError)
        server.synchronize(A, last=1)
        self.assertEqual(self.begunWith(), {"T": "a", "U": "a"})
        self.assertIsNone(self.asked())

    def test_restoreRefused(self) -> None:
        """
        If the server refuses the former conditions, the session is at its end.
        """
        server = self.server
        server.synchronize(A, last=1)
        changed = self.change(T="b", U="bad")
        self.asked()
        self.refuse()
        self.asked()
        self.refuse()
        self.failureResultOf(changed, RpcError)
        self.assertEqual(server.hook.reasons, ["syntax error: asked for T, U"])
        server.lose()
        server.synchronize(A, last=1)
        self.assertTrue(server.factory.monitor.inSync)
