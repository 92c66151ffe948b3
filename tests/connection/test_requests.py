# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the requests of L{twisted_ovsdb.connection.protocol}, and for
L{twisted_ovsdb.connection.subscriptions}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport

from tests.connection.test_protocol import ProtocolTestCase
from tests.fakes.messages import write
from tests.fakes.rows import uuid
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.errors import (
    MonitorCanceled,
    ProtocolViolation,
    RpcError,
    SessionLost,
    TransactionFailed,
)

SCHEMA: dict[str, Any] = {
    "name": "T",
    "version": "1.0.0",
    "tables": {"A": {"columns": {"s": {"type": "string"}}}},
}


def notification(method: str, *params: object) -> dict[str, Any]:
    """
    The server tells something.
    """
    return {"id": None, "method": method, "params": list(params)}


class MethodsTestCase(ProtocolTestCase):
    """
    Requests whose replies a test makes up.
    """

    def answer(self, result: object) -> None:
        """
        The server answers the request that was sent last.
        """
        self.receive({"id": self.sent()[-1]["id"], "result": result, "error": None})

    def refuse(self, error: object = "no") -> None:
        """
        The server refuses the request that was sent last.
        """
        self.receive({"id": self.sent()[-1]["id"], "result": None, "error": error})

    def assertViolation(self, result: Deferred[Any], text: str) -> None:
        """
        The request failed for a fault of the peer, and the session is over.
        """
        error = self.failureResultOf(result, ProtocolViolation).value
        self.assertIn(text, str(error))
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)
        self.assertEqual(str(self.protocol.lost), str(error))
        self.assertTrue(self.transport.disconnecting)


class SimpleTests(MethodsTestCase):
    """
    Requests with one answer.
    """

    def test_listDatabases(self) -> None:
        """
        The names of the databases.
        """
        result = self.protocol.listDatabases()
        self.assertEqual(self.sent(), [{"method": "list_dbs", "params": [], "id": 1}])
        self.receive({"id": 1, "result": ["T", "_Server"], "error": None})
        self.assertEqual(self.successResultOf(result), ["T", "_Server"])

    def test_getSchema(self) -> None:
        """
        The schema is parsed, and there as JSON too.
        """
        result = self.protocol.getSchema("T")
        self.assertEqual(self.sent(), [{"method": "get_schema", "params": ["T"], "id": 1}])
        self.receive({"id": 1, "result": SCHEMA, "error": None})
        schema = self.successResultOf(result)
        self.assertEqual(schema, DatabaseSchema.parse(SCHEMA))
        self.assertEqual(schema.raw, SCHEMA)

    def test_echo(self) -> None:
        """
        What was sent comes back.
        """
        result = self.protocol.echo("a", 1)
        self.assertEqual(self.sent(), [{"method": "echo", "params": ["a", 1], "id": 1}])
        self.receive({"id": 1, "result": ["a", 1], "error": None})
        self.assertEqual(self.successResultOf(result), ["a", 1])

    def test_echoLikeTables(self) -> None:
        """
        So does what looks like the reply to C{monitor_cond_since} at first.
        """
        sent = [True, uuid(1), {"a": {"b": 1}}, ["c"], 5]
        result = self.protocol.echo(*sent)
        self.protocol.dataReceived(write({"id": 1, "result": sent, "error": None}).encode())
        self.assertEqual(self.successResultOf(result), sent)

    def test_refused(self) -> None:
        """
        An error reply is an RpcError and nothing else happens.
        """
        protocol = self.protocol
        for request in (
            protocol.listDatabases,
            lambda: protocol.getSchema("T"),
            lambda: protocol.transact("T"),
            protocol.echo,
            lambda: protocol.lock("l"),
            lambda: protocol.steal("l"),
            lambda: protocol.unlock("l"),
            lambda: protocol.monitorCancel("m"),
            lambda: protocol.monitorCond("T", "m", {}, print),
        ):
            for _ in range(2):
                result: Deferred[Any] = request()
                self.refuse()
                error = self.failureResultOf(result, RpcError).value
                self.assertEqual((type(error), error.error), (RpcError, "no"))
        self.assertIsNone(protocol.lost)

    def test_lost(self) -> None:
        """
        When the connection is lost, all requests fail, and also those that are
        made later.
        """
        first = [self.protocol.lock("l"), self.protocol.monitorCancel("m"), self.protocol.echo()]
        self.lose()
        for result in [*first, self.protocol.lock("l"), self.protocol.transact("T")]:
            self.failureResultOf(result, SessionLost)

    def test_wrongNames(self) -> None:
        """
        Databases without names end the session.
        """
        result = self.protocol.listDatabases()
        self.answer(["T", 5])
        self.assertViolation(result, "list_dbs: expected names, got ['T', 5]")

    def test_wrongSchema(self) -> None:
        """
        A wrong schema ends the session.
        """
        result = self.protocol.getSchema("T")
        self.answer([])
        self.assertViolation(result, "schema: expected an object, got []")


class TransactTests(MethodsTestCase):
    """
    Tests for C{transact}.
    """

    INSERT = {"op": "insert", "table": "A", "row": {}}

    def transact(self, *results: object, count: int = 2) -> Deferred[list[Any]]:
        """
        A transaction of so many operations that has these results.
        """
        result = self.protocol.transact("T", *[self.INSERT] * count)
        self.answer(list(results))
        return result

    def test_results(self) -> None:
        """
        The results of all operations, as they are.
        """
        result = self.protocol.transact("T", self.INSERT, {"op": "comment", "comment": "x"})
        (sent,) = self.sent()
        self.assertEqual(sent["method"], "transact")
        self.assertEqual(sent["params"], ["T", self.INSERT, {"op": "comment", "comment": "x"}])
        self.receive({"id": 1, "result": [{"uuid": ["uuid", uuid(1)]}, {}], "error": None})
        self.assertEqual(self.successResultOf(result), [{"uuid": ["uuid", uuid(1)]}, {}])
        self.assertEqual(self.successResultOf(self.transact(count=0)), [])

    def test_operationFails(self) -> None:
        """
        The error of the operation that failed, with all results.
        """
        results = [{}, {"error": "timed out", "details": "waited"}, None]
        error = self.failureResultOf(self.transact(*results, count=3), TransactionFailed).value
        self.assertEqual((error.error, error.details, error.index), ("timed out", "waited", 1))
        self.assertEqual(error.results, results)
        self.assertEqual(str(error), "timed out: waited")
        self.assertIsInstance(error, RpcError)
        self.assertIsNone(self.protocol.lost)

    def test_commitFails(self) -> None:
        """
        The error of the commit, which is one result more.
        """
        failed = self.transact({}, {}, {"error": "constraint violation", "details": [5]})
        error = self.failureResultOf(failed, TransactionFailed).value
        self.assertEqual((error.index, error.details), (2, "[5]"))
        failed = self.transact({}, {}, {"error": "aborted"})
        self.assertEqual(self.failureResultOf(failed, TransactionFailed).value.details, "")

    def test_wrongOperations(self) -> None:
        """
        An operation is an object: a list of operations is refused, and nothing is sent.
        """
        wrong: Any
        for wrong in ([{"op": "comment"}], "comment", None):
            error = self.assertRaises(TypeError, self.protocol.transact, "T", {}, wrong)
            self.assertIn("an operation is an object", str(error))
        self.assertEqual(self.sent(), [])

    def test_wrongResults(self) -> None:
        """
        A reply that is not a list of results ends the session.
        """
        result = self.protocol.transact("T")
        self.answer({})
        self.assertViolation(result, "transact: expected results, got {}")

    def test_tooFew(self) -> None:
        """
        Fewer results than operations, without an error, end the session.
        """
        self.assertViolation(self.transact({}), "transact: 1 results of 2 operations")

    def test_tooMany(self) -> None:
        """
        More results than operations, without an error, end the session.
        """
        self.assertViolation(self.transact({}, {}, {}), "transact: 3 results of 2 operations")

    def test_cancel(self) -> None:
        """
        When a transaction is cancelled, the server is told; its answer does
        not matter.
        """
        result = self.protocol.transact("T", self.INSERT)
        (request,) = self.sent()
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(self.sent(), [{"method": "cancel", "params": [request["id"]], "id": None}])
        self.receive({"id": request["id"], "result": None, "error": "canceled"})
        self.assertIsNone(self.protocol.lost)

    def test_cancelAnother(self) -> None:
        """
        Other requests cannot be cancelled at the server, nor those that have
        ended.
        """
        self.protocol.echo().addErrback(lambda _: None).cancel()
        result = self.transact(count=0)
        result.cancel()
        self.successResultOf(result)
        late = self.protocol.transact("T")
        self.sent()
        late.addErrback(lambda _: None)
        self.lose()
        late.cancel()
        self.assertEqual(self.sent(), [])


class MonitorCondTests(MethodsTestCase):
    """
    Tests for C{monitorCond} and C{monitorCancel}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.updates: list[Any] = []
        self.reply = self.protocol.monitorCond("T", "m", {"A": [{}]}, self.updates.append)

    def test_updates(self) -> None:
        """
        The request is that of ovsdb-server(7), and its updates are update2.
        """
        self.assertEqual(
            self.sent(), [{"method": "monitor_cond", "params": ["T", "m", {"A": [{}]}], "id": 1}]
        )
        self.receive({"id": 1, "result": {}}, notification("update2", "m", {"A": 1}))
        self.assertEqual(self.successResultOf(self.reply), {})
        self.assertEqual(self.updates, [{"A": 1}])
        self.assertRaises(ValueError, self.protocol.monitor, "T", "m", {}, print)
        self.assertRaises(ValueError, self.protocol.monitorCond, "T", "m", {}, print)

    def test_otherNotification(self) -> None:
        """
        An update of the other kind ends the session: it would be read wrong.
        """
        self.receive({"id": 1, "result": {}}, notification("update", "m", {"A": 1}))
        self.assertIn("update of monitor 'm', which has update2", str(self.protocol.lost))
        self.assertEqual(self.updates, [])

    def test_oddParams(self) -> None:
        """
        An update2 with wrong params ends the session too.
        """
        self.receive({"id": 1, "result": {}}, notification("update2", "m"))
        self.assertIn("update2: not two params", str(self.protocol.lost))

    def test_canceledByServer(self) -> None:
        """
        When the server ends a monitor, the session ends.
        """
        self.receive({"id": 1, "result": {}}, notification("monitor_canceled", "m"))
        self.assertIsInstance(self.protocol.lost, MonitorCanceled)

    def test_monitorCancel(self) -> None:
        """
        A monitor that is cancelled tells nothing more; its name is free when
        the server has answered, and not before.
        """
        self.answer({})
        result = self.protocol.monitorCancel("m")
        (request,) = self.sent()
        self.assertEqual((request["method"], request["params"]), ("monitor_cancel", ["m"]))
        self.receive(notification("update2", "m", {"A": 1}))
        self.assertEqual(self.updates, [])
        self.assertRaises(ValueError, self.protocol.monitor, "T", "m", {}, print)
        self.receive({"id": request["id"], "result": {}})
        self.assertIsNone(self.successResultOf(result))
        again = self.protocol.monitor("T", "m", {}, self.updates.append)
        self.answer({})
        self.receive(notification("update", "m", {"A": 2}))
        self.assertEqual((self.successResultOf(again), self.updates), ({}, [{"A": 2}]))

    def test_canceledByBoth(self) -> None:
        """
        When the server ends a monitor that the client has just cancelled, the
        session goes on.
        """
        self.answer({})
        result = self.protocol.monitorCancel("m")
        self.receive(notification("monitor_canceled", "m"))
        self.receive({"id": self.sent()[0]["id"], "error": "unknown monitor"})
        self.failureResultOf(result, RpcError)
        self.assertIsNone(self.protocol.lost)
        self.protocol.monitor("T", "m", {}, self.updates.append)

    def test_cancelTheRefused(self) -> None:
        """
        When the server refuses to cancel a monitor, another monitor that has
        its name by then goes on.
        """
        cancel = self.protocol.monitorCancel("m")
        self.receive({"id": 1, "error": "no"})
        self.failureResultOf(self.reply, RpcError)
        again = self.protocol.monitorCond("T", "m", {}, self.updates.append)
        self.receive({"id": 2, "error": "unknown monitor"}, {"id": 3, "result": {}})
        self.failureResultOf(cancel, RpcError)
        self.receive(notification("update2", "m", {"A": 1}))
        self.assertEqual((self.successResultOf(again), self.updates), ({}, [{"A": 1}]))

    def test_canceledByUser(self) -> None:
        """
        When a monitor is cancelled before its reply, the server is told to
        end it, and the name is free when the server has answered.
        """
        answers: list[dict[str, Any]] = [{"result": {}}, {"error": "unknown monitor"}]
        for answer in answers:
            self.sent()
            self.reply.cancel()
            self.failureResultOf(self.reply, CancelledError)
            (request,) = self.sent()
            self.assertEqual((request["method"], request["params"]), ("monitor_cancel", ["m"]))
            self.receive({"id": request["id"] - 1, "result": {}}, notification("update2", "m", 1))
            self.assertRaises(ValueError, self.protocol.monitor, "T", "m", {}, print)
            self.receive({"id": request["id"], **answer})
            self.reply = self.protocol.monitorCond("T", "m", {}, self.updates.append)
        self.assertEqual((self.updates, self.protocol.lost), ([], None))

    def test_notJSON(self) -> None:
        """
        A request that cannot be written leaves its name free.
        """
        self.assertRaises(TypeError, self.protocol.monitor, "T", "n", {"A": object()}, print)
        self.protocol.monitor("T", "n", {}, print)
        self.assertEqual(len(self.sent()), 2)


class FollowTests(MethodsTestCase):
    """
    Tests for C{follow}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.told: list[list[RowChange]] = []

    def follow(self, conditional: bool, onChanges: Any = None) -> DatabaseReplica:
        """
        Follow a replica; its snapshot has one row.
        """
        replica = DatabaseReplica(DatabaseSchema.parse(SCHEMA), None, conditional)
        result = self.protocol.follow(replica, "m", onChanges)
        (request,) = self.sent()
        self.assertEqual(request["method"], "monitor_cond" if conditional else "monitor")
        self.assertEqual(request["params"], ["T", "m", {"A": [{"columns": ["s"]}]}])
        row = {"initial" if conditional else "new": {"s": "a"}}
        self.receive({"id": request["id"], "result": {"A": {uuid(1): row}}, "error": None})
        self.assertEqual(self.successResultOf(result), [RowChange("A", uuid(1), None, {"s": "a"})])
        return replica

    def test_monitor(self) -> None:
        """
        The replica is changed first, then the callback gets the changes. An
        update that changes nothing is not told.
        """
        held: list[Any] = []

        def changed(changes: list[RowChange]) -> None:
            self.told.append(changes)
            held.append(dict(replica.tables["A"]))

        replica = self.follow(False, changed)
        new = {"new": {"s": "b"}, "old": {"s": "a"}}
        self.receive(notification("update", "m", {"A": {uuid(1): new}}))
        self.receive(notification("update", "m", {}))
        change = RowChange("A", uuid(1), {"s": "a"}, {"s": "b"})
        self.assertEqual((self.told, held), ([[change]], [{uuid(1): {"s": "b"}}]))

    def test_monitorCond(self) -> None:
        """
        The same with differences, and without a callback.
        """
        replica = self.follow(True)
        self.receive(notification("update2", "m", {"A": {uuid(1): {"modify": {"s": "b"}}}}))
        self.assertEqual(replica.tables["A"], {uuid(1): {"s": "b"}})

    def test_wrongUpdate(self) -> None:
        """
        An update that is wrong ends the session and changes nothing.
        """
        replica = self.follow(True, self.told.append)
        self.receive(notification("update2", "m", {"A": {uuid(1): {"modify": {"s": 5}}}}))
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)
        self.assertIn(f"table A, row {uuid(1)}: column s: expected", str(self.protocol.lost))
        self.assertEqual((self.told, replica.tables["A"]), ([], {uuid(1): {"s": "a"}}))

    def test_readsWhatArrives(self) -> None:
        """
        The rows of a large reply are read while it comes: its text is not kept until
        the end. Each row is told once.
        """
        self.protocol = OvsdbProtocol()
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)
        replica = DatabaseReplica(DatabaseSchema.parse(SCHEMA))
        result = self.protocol.follow(replica, "m")
        (request,) = self.sent()
        rows = {uuid(n): {"new": {"s": f"{n}" * 100}} for n in range(1, 9999)}
        reply = {"id": request["id"], "result": {"A": rows}, "error": None}
        data = json.dumps(reply, separators=(",", ":")).encode()
        longest = 0
        for begin in range(0, len(data), 65536):
            self.protocol.dataReceived(data[begin : begin + 65536])
            longest = max(longest, len(self.protocol._stream.arrived))
        self.assertEqual(len(self.successResultOf(result)), len(rows))
        self.assertEqual(len(replica.tables["A"]), len(rows))
        self.assertLess(longest, len(data) / 4)

    def test_wrongSnapshot(self) -> None:
        """
        A wrong initial reply ends the session.
        """
        replica = DatabaseReplica(DatabaseSchema.parse(SCHEMA))
        result = self.protocol.follow(replica, "m")
        self.answer({"A": {uuid(1): {"new": {}}}})
        self.assertViolation(result, f"table A, row {uuid(1)}: column s: missing")


class LockTests(MethodsTestCase):
    """
    Tests for C{lock}, C{steal} and C{unlock}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.told: list[bool] = []

    def test_atOnce(self) -> None:
        """
        A lock that is free, or stolen, is ours at once.
        """
        for method in (self.protocol.lock, self.protocol.steal):
            result = method(method.__name__)
            (request,) = self.sent()
            self.assertEqual(request["method"], method.__name__)
            self.assertEqual(request["params"], [method.__name__])
            self.receive({"id": request["id"], "result": {"locked": True}})
            self.assertIs(self.successResultOf(result), True)
            # A callback is not needed.
            self.receive(notification("stolen", method.__name__))
        self.assertIsNone(self.protocol.lost)

    def test_later(self) -> None:
        """
        A lock that is not free becomes ours later, can be stolen, and ours
        again.
        """
        result = self.protocol.lock("l", self.told.append)
        self.answer({"locked": False})
        self.assertIs(self.successResultOf(result), False)
        for method in ("locked", "stolen", "locked"):
            self.receive(notification(method, "l"))
        self.assertEqual(self.told, [True, False, True])
        self.receive(notification("locked", "other"), notification("stolen"))
        self.assertEqual(self.told, [True, False, True])
        self.assertIsNone(self.protocol.lost)

    def test_wrongArguments(self) -> None:
        """
        A name that is no text, and a callback that is no function, are refused, and
        nothing is sent.
        """
        wrong: Any = 5
        for method in (self.protocol.lock, self.protocol.steal):
            self.assertRaises(TypeError, method, wrong)
            self.assertRaises(TypeError, method, "l", wrong)
        self.assertEqual(self.sent(), [])

    def test_twice(self) -> None:
        """
        A lock cannot be asked for twice.
        """
        self.protocol.lock("l")
        self.assertRaises(ValueError, self.protocol.lock, "l")
        self.assertRaises(ValueError, self.protocol.steal, "l")

    def test_unlock(self) -> None:
        """
        A lock that is given back tells nothing more, and can be asked for
        when the server has answered.
        """
        self.protocol.lock("l", self.told.append)
        self.answer({"locked": True})
        result = self.protocol.unlock("l")
        (request,) = self.sent()
        self.assertEqual((request["method"], request["params"]), ("unlock", ["l"]))
        self.receive(notification("stolen", "l"))
        self.assertEqual(self.told, [])
        self.assertRaises(ValueError, self.protocol.lock, "l")
        self.receive({"id": request["id"], "result": {}})
        self.assertIsNone(self.successResultOf(result))
        self.protocol.lock("l")

    def test_canceledByUser(self) -> None:
        """
        When a lock is cancelled before its reply, it is given back.
        """
        result = self.protocol.lock("l", self.told.append)
        self.sent()
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(self.sent(), [{"method": "unlock", "params": ["l"], "id": 2}])
        self.receive(notification("locked", "l"))
        self.lose()
        self.assertEqual(self.told, [])

    def test_wrongReply(self) -> None:
        """
        A reply that does not say whether it is ours ends the session.
        """
        result = self.protocol.lock("l")
        self.answer({"locked": 1})
        self.assertViolation(result, "expected whether it is locked, got {'locked': 1}")

    def test_bug(self) -> None:
        """
        What the callback raises is logged and ends the session, as with an
        update.
        """
        self.protocol.lock("l", lambda owned: 1 / 0)
        self.answer({"locked": False})
        self.receive(notification("locked", "l"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsInstance(self.protocol.lost, ZeroDivisionError)
