# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.protocol}.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.reachable import largest
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import (
    MonitorCanceled,
    OvsdbError,
    ProtocolViolation,
    RpcError,
    SessionLost,
)

MONITOR = {"A": [{"columns": ["s"]}]}


class ProtocolTestCase(SynchronousTestCase):
    """
    A protocol on a transport that records.
    """

    def setUp(self) -> None:
        self.protocol = OvsdbProtocol(maxLength=1000)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def sent(self) -> list[Any]:
        """
        What was sent since the last time, as values.
        """
        text, values = self.transport.value().decode(), []
        self.transport.clear()
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            values.append(value)
            text = text[end:]
        return values

    def receive(self, *values: object) -> None:
        """
        The server sends these in one chunk.
        """
        self.protocol.dataReceived(b"".join(json.dumps(value).encode() for value in values))

    def lose(self) -> None:
        """
        The connection goes.
        """
        self.protocol.connectionLost(Failure(ConnectionLost()))


class CallTests(ProtocolTestCase):
    """
    Requests and their replies.
    """

    def test_silentAtFirst(self) -> None:
        """
        A protocol alone sends nothing.
        """
        self.assertEqual(self.sent(), [])

    def test_result(self) -> None:
        """
        A request has exactly the members that ovsdb-server takes, and its
        result arrives.
        """
        result = self.protocol.call("list_dbs", [])
        self.assertEqual(self.sent(), [{"method": "list_dbs", "params": [], "id": 1}])
        self.assertNoResult(result)
        self.receive({"id": 1, "result": ["T"], "error": None})
        self.assertEqual(self.successResultOf(result), ["T"])

    def test_counts(self) -> None:
        """
        Messages are counted, and the replies among them.
        """
        self.protocol.call("list_dbs", [])
        echo = {"id": "x", "method": "echo", "params": []}
        self.receive(echo, {"id": 1, "result": ["T"], "error": None}, echo)
        self.assertEqual((self.protocol.messages, self.protocol.replies), (3, 1))

    def test_resultsInAnyOrder(self) -> None:
        """
        Each reply goes to its own request.
        """
        first, second = self.protocol.call("a", []), self.protocol.call("b", [])
        self.receive({"id": 2, "result": "b"}, {"id": 1, "result": "a"})
        self.assertEqual(self.successResultOf(first), "a")
        self.assertEqual(self.successResultOf(second), "b")

    def test_error(self) -> None:
        """
        An error reply, as a string or as an object, is an RpcError with its
        data.
        """
        results = [self.protocol.call("a", []), self.protocol.call("b", [])]
        self.receive(
            {"id": 1, "error": "unknown method"},
            {"id": 2, "error": {"error": "unknown database", "details": "no T", "syntax": "x"}},
        )
        first, second = (self.failureResultOf(result, RpcError).value for result in results)
        self.assertEqual((first.error, first.details), ("unknown method", ""))
        self.assertEqual((second.error, second.details), ("unknown database", "no T"))
        self.assertIsNone(self.protocol.lost)

    def test_lostBeforeTheReply(self) -> None:
        """
        When the connection goes, every request fails with its reason.
        """
        result = self.protocol.call("a", [])
        self.lose()
        reason = self.failureResultOf(result, SessionLost).value.reason
        self.assertIsInstance(reason, ConnectionLost)

    def test_callAfterLoss(self) -> None:
        """
        A request on a connection that is gone fails at once.
        """
        self.lose()
        self.failureResultOf(self.protocol.call("a", []), SessionLost)
        self.protocol.notify("b", [])
        self.assertEqual(self.sent(), [])

    def test_callTooEarly(self) -> None:
        """
        A request before there is a connection is refused, and leaves nothing
        behind.
        """
        protocol = OvsdbProtocol()
        with self.assertRaisesRegex(RuntimeError, "list_dbs: there is no connection yet"):
            protocol.listDatabases()
        protocol.connectionLost(Failure(ConnectionLost()))

    def test_rubbishForNobody(self) -> None:
        """
        A reply to no request has to be JSON too, in each form.
        """
        for text in (b'{"id":99,"result":{rubbish}}', b'{ "id":99,"result":{rubbish}}'):
            self.setUp()
            self.protocol.dataReceived(text)
            self.assertIn("not JSON", str(self.protocol.lost))

    def test_F13_F14_repliesToNothing(self) -> None:
        """
        The reply to a request that was cancelled is ignored, and so is one to
        no request and a second one.
        """
        result = self.protocol.call("a", [])
        result.cancel()
        self.failureResultOf(result, CancelledError)
        self.receive({"id": 1, "result": []}, {"id": 1, "result": []}, {"id": 99, "error": "x"})
        self.receive({"id": [1], "result": []}, {"id": True, "result": []})
        self.assertIsNone(self.protocol.lost)

    def test_cancelTransact(self) -> None:
        """
        A transaction, and no other request, is cancelled at the server too.
        """
        for method in ("transact", "echo"):
            self.protocol.call(method, ["T"]).addErrback(lambda _: None).cancel()
        cancel = {"method": "cancel", "params": [1], "id": None}
        self.assertEqual([m for m in self.sent() if m["method"] == "cancel"], [cancel])

    def test_callFromACallback(self) -> None:
        """
        A request may be made when another one fails for a lost connection.
        """
        result = self.protocol.call("a", [])
        result.addErrback(lambda _: self.protocol.call("b", []))
        self.lose()
        self.failureResultOf(result, SessionLost)

    def test_objectAsResult(self) -> None:
        """
        A result that is an object arrives as a whole; one that is wrong fails
        the request too.
        """
        result, wrong = self.protocol.call("a", []), self.protocol.call("b", [])
        self.protocol.dataReceived(b'{"id":1,"result":{"a":{"b":{}}},"error":null}')
        self.assertEqual(self.successResultOf(result), {"a": {"b": {}}})
        self.protocol.dataReceived(b'{"id":2,"result":{"a":NaN},"error":null}')
        self.failureResultOf(wrong, ProtocolViolation)

    def test_wrongInAnyForm(self) -> None:
        """
        What a wrong reply raises does not depend on how it is written: JSON or not,
        with or without white space, and whether its request is known from it. It is
        what ended the session, for every request that waits.
        """
        for text in (
            '{"id":1,"result":{"a":NaN},"error":null}',
            '{"id":1,"result":{"a":{}},"error":"x"}',
            '{"id":1,"result":["T",5]}',
            '{"id":1,"method":"a","result":{}}',
            '{"id":null,"result":[]}',
            "[]",
        ):
            for form in (text, text.replace(":", ": ")):
                self.setUp()
                waiting = [self.protocol.listDatabases(), self.protocol.call("a", [])]
                self.protocol.dataReceived(form.encode())
                for result in waiting:
                    reason = self.failureResultOf(result, ProtocolViolation).value
                    self.assertEqual(str(reason), str(self.protocol.lost), form)
                self.failureResultOf(self.protocol.call("a", []), SessionLost)

    def test_notJSON(self) -> None:
        """
        Parameters that cannot be JSON are refused, and nothing is sent.
        """
        self.assertRaises(TypeError, self.protocol.call, "a", [object()])
        self.assertEqual(self.sent(), [])

    def test_notify(self) -> None:
        """
        A notification has a null id.
        """
        self.protocol.notify("cancel", [1])
        self.assertEqual(self.sent(), [{"method": "cancel", "params": [1], "id": None}])

    def test_params(self) -> None:
        """
        Parameters are a list. A text, whose characters would be sent one by one, and a
        mapping are refused, and nothing is sent.
        """
        send: Any
        for send in (self.protocol.call, self.protocol.notify):
            for wrong in ("text", b"bytes", {"a": 1}, 5, None):
                error = self.assertRaises(TypeError, send, "a", wrong)
                self.assertIn("params must be a list", str(error))
        requests: Any = ["Interface"]
        error = self.assertRaises(
            TypeError, self.protocol.monitor, "Open_vSwitch", "m", requests, print
        )
        self.assertIn("requests must be by table", str(error))
        self.assertEqual(self.sent(), [])


class ServerRequestTests(ProtocolTestCase):
    """
    What the server asks.
    """

    def test_F31_echo(self) -> None:
        """
        An echo is answered with its own id and params, whatever they are.
        """
        for messageId, params in (
            ("echo", []),
            (7, ["x"]),
            ([1, {"a": 2}], [{"é": None}]),
            (False, [1.5]),
        ):
            self.receive({"id": messageId, "method": "echo", "params": params})
            self.assertEqual(self.sent(), [{"id": messageId, "result": params, "error": None}])

    def test_F30_unknown(self) -> None:
        """
        An unknown request gets an error, an unknown notification nothing.
        """
        self.receive({"id": 5, "method": "steal", "params": []})
        self.receive({"id": None, "method": "locked", "params": ["l"]})
        self.assertEqual(self.sent(), [{"id": 5, "result": None, "error": "unknown method"}])
        self.assertIsNone(self.protocol.lost)


class IdentifiedTests(ProtocolTestCase):
    """
    Tests for L{OvsdbProtocol.limitUntilIdentified}.
    """

    def test_limit(self) -> None:
        """
        Of what goes beyond the limit, nothing is read any more; up to it, everything is.
        """
        echo = {"id": "x", "method": "echo", "params": []}
        size = len(json.dumps(echo))
        self.protocol.limitUntilIdentified(2 * size)
        for expected in (1, 2, 2):
            self.receive(echo)
            self.assertEqual(self.protocol.messages, expected)
        self.assertEqual(len(self.sent()), 2)
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)


class PauseTests(ProtocolTestCase):
    """
    Tests for L{OvsdbProtocol.pauseProducing}.
    """

    def test_closed(self) -> None:
        """
        A connection that is being closed is read to its end: with TLS, the goodbye of the
        peer comes.
        """
        self.protocol.close(ConnectionLost())
        self.protocol.pauseProducing()
        self.assertEqual(self.transport.producerState, "producing")
        self.assertFalse(self.protocol.paused)


class MonitorTests(ProtocolTestCase):
    """
    Tests for L{OvsdbProtocol.monitor}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.updates: list[Any] = []
        self.reply = self.protocol.monitor("T", "m", MONITOR, self.updates.append)
        self.addCleanup(self.reply.addErrback, lambda failure: failure.trap(OvsdbError))

    def update(self, value: object, monitorId: object = "m") -> dict[str, Any]:
        """
        An update notification.
        """
        return {"id": None, "method": "update", "params": [monitorId, value]}

    def test_request(self) -> None:
        """
        The request is that of RFC 7047, section 4.1.5.
        """
        self.assertEqual(
            self.sent(), [{"method": "monitor", "params": ["T", "m", MONITOR], "id": 1}]
        )

    def test_replyBeforeUpdates(self) -> None:
        """
        The reply's callbacks run before an update of the same chunk is read.
        """
        order: list[Any] = self.updates
        self.reply.addCallback(lambda tables: order.append(("reply", tables)))
        self.receive({"id": 1, "result": {}}, self.update({"A": 1}), self.update({"A": 2}))
        self.assertEqual(order, [("reply", {}), {"A": 1}, {"A": 2}])

    def test_F21_updateBeforeTheReply(self) -> None:
        """
        An update before the reply ends the session.
        """
        self.receive(self.update({"A": 1}))
        self.failureResultOf(self.reply, ProtocolViolation)
        self.assertTrue(self.transport.disconnecting)

    def test_F22_updateOfNoMonitor(self) -> None:
        """
        An update of an unknown monitor is ignored.
        """
        self.receive({"id": 1, "result": {}}, self.update({}, "other"), self.update({}, [1]))
        self.assertEqual(self.updates, [])
        self.assertIsNone(self.protocol.lost)

    def test_updateWithOddParams(self) -> None:
        """
        An update without exactly two params ends the session.
        """
        self.receive({"id": 1, "result": {}}, {"id": None, "method": "update", "params": ["m"]})
        self.assertIn("update: not two params", str(self.protocol.lost))

    def test_refused(self) -> None:
        """
        A monitor that was refused may be asked for again by the same name, but
        not one that exists.
        """
        self.assertRaises(ValueError, self.protocol.monitor, "T", "m", MONITOR, self.updates.append)
        self.receive({"id": 1, "error": "no"})
        self.failureResultOf(self.reply, RpcError)
        again = self.protocol.monitor("T", "m", MONITOR, self.updates.append)
        self.receive({"id": 2, "result": {}})
        self.assertEqual(self.successResultOf(again), {})

    def test_F29_canceled(self) -> None:
        """
        A monitor that the server cancels ends the session, because nothing
        more would ever come; one that is not ours does not.
        """
        canceled = {"id": None, "method": "monitor_canceled"}
        self.receive({"id": 1, "result": {}}, {**canceled, "params": ["other"]})
        self.receive({**canceled, "params": []})
        self.assertIsNone(self.protocol.lost)
        self.receive({**canceled, "params": ["m"]})
        self.assertIsInstance(self.protocol.lost, MonitorCanceled)

    def test_violationInUpdate(self) -> None:
        """
        What the receiver of an update finds wrong ends the session: nothing
        that follows counts.
        """

        def refuse(tables: object) -> None:
            self.updates.append(tables)
            raise ProtocolViolation("wrong row")

        reply = self.protocol.monitor("T", "n", MONITOR, refuse)
        self.receive({"id": 2, "result": {}}, self.update(1, "n"), self.update(2, "n"))
        self.successResultOf(reply)
        self.receive(self.update(3, "n"))
        self.assertEqual(self.updates, [1])
        self.assertEqual(str(self.protocol.lost), "wrong row")

    def test_F49_bugInUpdate(self) -> None:
        """
        A bug in what takes the updates is logged with its traceback and ends
        the session; dataReceived does not raise.
        """
        reply = self.protocol.monitor("T", "n", MONITOR, lambda _: 1 / 0)
        self.receive({"id": 2, "result": {}}, self.update(1, "n"))
        self.successResultOf(reply)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsInstance(self.protocol.lost, ZeroDivisionError)

    def test_exitInUpdate(self) -> None:
        """
        The same holds for SystemExit, also if the update was read when reading
        went on after a pause.
        """

        def updated(tables: Any) -> None:
            raise SystemExit

        self.protocol.monitor("T", "n", MONITOR, updated)
        self.receive({"id": 2, "result": {}})
        self.protocol.pauseProducing()
        self.receive(self.update(1, "n"))
        self.protocol.resumeProducing()
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)
        self.assertIsInstance(self.protocol.lost, SystemExit)


class LossTests(ProtocolTestCase):
    """
    The end of a connection.
    """

    def test_whenLost(self) -> None:
        """
        Each caller that waits for the end of the session learns the reason, by
        a Deferred of its own, also afterwards.
        """
        first, second, third = (self.protocol.whenLost() for _ in range(3))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.lose()
        for waiter in (first, third, self.protocol.whenLost()):
            self.assertIsInstance(self.successResultOf(waiter), ConnectionLost)

    def test_whenClosed(self) -> None:
        """
        Each caller learns when the transport is closed, which is later than
        the end of the session; at once when it is closed already.
        """
        waiter, cancelled = self.protocol.whenClosed(), self.protocol.whenClosed()
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        self.protocol.abort(RuntimeError("enough"))
        self.assertNoResult(waiter)
        self.lose()
        self.assertIsNone(self.successResultOf(waiter))
        self.assertIsNone(self.successResultOf(self.protocol.whenClosed()))

    def test_abort(self) -> None:
        """
        An abort tells its own reason, not what the transport says later.
        """
        waiter = self.protocol.whenLost()
        reason = RuntimeError("enough")
        self.protocol.abort(reason)
        self.protocol.abort(RuntimeError("again"))
        self.lose()
        self.assertIs(self.successResultOf(waiter), reason)
        self.assertIs(self.protocol.lost, reason)

    def test_malformed(self) -> None:
        """
        Messages before a fault count, and the fault ends the session.
        """
        result = self.protocol.call("a", [])
        self.protocol.dataReceived(b'{"id":1,"result":1}{"id":2,"result":NaN}{"id":3}')
        self.assertEqual(self.successResultOf(result), 1)
        self.assertIsInstance(self.protocol.lost, ProtocolViolation)
        self.assertTrue(self.transport.disconnecting)

    def test_nothingCountsAfterAbort(self) -> None:
        """
        What arrives after an abort is not read.
        """
        result = self.protocol.call("a", [])
        self.protocol.abort(RuntimeError())
        self.failureResultOf(result, SessionLost)
        self.receive({"id": "echo", "method": "echo", "params": []})
        self.assertEqual(self.sent()[1:], [])

    def test_F10_flood(self) -> None:
        """
        A message that never ends is cut at the maximum length.
        """
        self.protocol.dataReceived(b'{"a":"' + b"x" * 1000)
        self.assertIn("longer than 1000 bytes", str(self.protocol.lost))

    def test_unidentified(self) -> None:
        """
        A peer that is not identified may send so many bytes in all, and not one more.
        When the limit is lifted, any number of bytes may come.
        """
        message = b'{"id":null,"method":"x","params":[]}'
        for size in (len(message), 1):
            self.setUp()
            self.protocol.limitUntilIdentified(2 * len(message))
            for begin in range(0, 2 * len(message), size):
                self.protocol.dataReceived((message * 2)[begin : begin + size])
            self.assertIsNone(self.protocol.lost)
            self.protocol.dataReceived(b" ")
            self.assertIn("more than 72 bytes", str(self.protocol.lost))
            self.assertTrue(self.transport.disconnecting)
        self.setUp()
        self.protocol.limitUntilIdentified(1)
        self.protocol.limitUntilIdentified(None)
        self.protocol.dataReceived(message * 100)
        self.assertIsNone(self.protocol.lost)

    def test_whiteSpace(self) -> None:
        """
        White space between messages is legal, and is not kept, however much comes.
        """
        for _ in range(50):
            self.protocol.dataReceived(b" \n\t\r" * 50)
        self.assertLess(largest(self.protocol._stream), 500)
        self.receive({"id": "e", "method": "echo", "params": []})
        self.assertEqual([value["id"] for value in self.sent()], ["e"])

    def test_abortInACallback(self) -> None:
        """
        After an abort in the callback of a reply, the rest of the chunk is
        ignored.
        """
        updates: list[Any] = []
        reply = self.protocol.monitor("T", "m", MONITOR, updates.append)
        reply.addCallback(lambda _: self.protocol.abort(RuntimeError()))
        self.receive({"id": 1, "result": {}}, {"id": None, "method": "update", "params": ["m", 1]})
        self.assertEqual(updates, [])
