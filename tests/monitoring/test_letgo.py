# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is left of a message that breaks off, or that is wrong: nothing, also if an
application keeps every event, exception and log event.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any

from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.monitorcase import MonitorTestCase
from tests.fakes.reachable import largest, reachable
from tests.fakes.rows import update, uuid, vmRow
from twisted_ovsdb import (
    ConnectionHook,
    OvsdbProtocol,
    OvsdbReplicaFactory,
    ProtocolViolation,
    RpcError,
    SessionLost,
)
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica
from twisted_ovsdb.errors import TEXT_LIMIT
from twisted_ovsdb.wire.rowreader import RowReader

LONG = b"x" * 1_000_000

SMALL = 5000
"""No text of a session that is over is longer: requests and documentation have some 1,000."""

FAULTS = [
    b'{"id":null,"method":"update","params":["twisted_ovsdb","%b",1]}' % LONG,
    b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Interface":{"%b":1}}]}' % LONG,
    b'{"id":null,"method":"update","params":["twisted_ovsdb",{"%b":{}}]}' % LONG,
    # No JSON, or no UTF-8, behind a long text.
    b'{"a":"%b",b}' % LONG,
    b'{"a":"%b\xff"}' % LONG,
    b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Interface":{"a":"%b",b}}]}' % LONG,
    # A row that lacks columns, and one that does not exist.
    update({1: {"new": {"name": LONG.decode()}}}),
    update({1: {"old": vmRow(LONG.decode())}}),
    b'{"id":null,"method":"%b","params":1}' % LONG,
    b'{"a":"%b"}' % LONG,
    b"{}%b" % LONG,
]
"""Messages and what is behind them, all of which end a session."""


def cut(data: bytes) -> Iterator[bytes]:
    """
    The chunks of a message.
    """
    for start in range(0, len(data), 65536):
        yield data[start : start + 65536]


class LetGoCase(MonitorTestCase):
    """
    Asserts what is kept.
    """

    def assertKeepsNothing(self, kept: object) -> None:
        """
        An object keeps no frame and no long text.
        """
        for each in reachable(kept):
            self.assertNotIsInstance(each, (FrameType, TracebackType))
        self.assertLessEqual(largest(kept), SMALL)


class FaultTests(LetGoCase):
    """
    A session that ends because of a faulty message.
    """

    def test_F73_reason(self) -> None:
        """
        The reason of the event keeps nothing of the message, wherever it is wrong and
        however it was cut. Nor do the exceptions of the requests that were waiting, nor the
        protocol, nor the monitor.
        """
        for fault in FAULTS:
            for chunks in ([fault], list(cut(fault))):
                self.setUp()
                self.synchronize({})
                waiting = self.protocol.call("list_dbs", [])
                for chunk in chunks:
                    self.protocol.dataReceived(chunk)
                event: Any = self.observer.events[-1]
                self.assertIsInstance(event.reason, ProtocolViolation)
                self.assertLessEqual(len(str(event.reason)), TEXT_LIMIT)
                self.assertKeepsNothing(event)
                self.assertKeepsNothing(self.failureResultOf(waiting, ProtocolViolation))
                self.assertKeepsNothing(self.protocol)
                self.assertLessEqual(largest(self.monitor), SMALL)

    def test_F73_initialReply(self) -> None:
        """
        So it is for a fault of the initial reply, whose exception is told to the caller
        too. That one has no frames when the caller has seen it.
        """
        for rows in (b'"%b":1' % LONG, b'"a":"%b",b' % LONG, b'"%b":{"new":{}}' % uuid(1).encode()):
            attached = self.attach()
            self.protocol.dataReceived(b'{"id":1,"result":{"Interface":{%b}}}' % rows)
            failure = self.failureResultOf(attached, ProtocolViolation)
            self.assertKeepsNothing(self.protocol.lost)
            self.assertKeepsNothing(failure)
            self.assertKeepsNothing(self.protocol)

    def test_F73_requests(self) -> None:
        """
        So it is for the reply to any request that is wrong.
        """
        schema = DatabaseSchema.parse(
            {"name": "T", "tables": {"A": {"columns": {"s": {"type": "string"}}}}}
        )
        requests: list[Callable[[OvsdbProtocol], Any]] = [
            lambda protocol: protocol.listDatabases(),
            lambda protocol: protocol.getSchema("T"),
            lambda protocol: protocol.transact("T", {"op": "comment"}),
            lambda protocol: protocol.lock("l"),
            lambda protocol: protocol.follow(DatabaseReplica(schema), "m"),
        ]
        for request in requests:
            protocol = OvsdbProtocol()
            protocol.makeConnection(StringTransport())
            result = request(protocol)
            protocol.dataReceived(b'{"id":1,"result":{"%b":{}},"error":null}' % LONG)
            failure = self.failureResultOf(result, ProtocolViolation)
            self.assertEqual(str(protocol.lost), str(failure.value))
            self.assertKeepsNothing(protocol.lost)
            self.assertKeepsNothing(failure)

    def test_F73_bug(self) -> None:
        """
        So it is for a bug of ours, or of what gets updates: its traceback is logged, and the
        log event keeps no frame. An exception that carries a message is named in words.
        """

        def asText(tables: Any) -> None:
            raise KeyError(json.dumps(tables))

        def asAttribute(tables: Any) -> None:
            text: Any = json.dumps(tables)
            text.nothing()

        def asCause(tables: Any) -> None:
            try:
                asText(tables)
            except KeyError as e:
                raise ZeroDivisionError("bug") from e

        for bug, says in (
            (asText, "KeyError: "),
            (asAttribute, "'str' object has no attribute 'nothing'"),
            (asCause, "bug"),
        ):
            protocol = OvsdbProtocol()
            protocol.makeConnection(StringTransport())
            protocol.monitor("T", "m", {}, bug)
            with capturedLogs() as logs:
                protocol.dataReceived(b'{"id":1,"result":{},"error":null}')
                params = ["m", {"A": {uuid(1): {"new": {"s": LONG.decode()}}}}]
                message = {"id": None, "method": "update", "params": params}
                protocol.dataReceived(json.dumps(message).encode())
            assert protocol.lost is not None
            self.assertTrue(str(protocol.lost).startswith(says), protocol.lost)
            self.assertLessEqual(len(str(protocol.lost)), TEXT_LIMIT)
            self.assertKeepsNothing(protocol.lost)
            failure = logs[-1]["log_failure"]
            self.assertIn(bug.__name__, failure.getTraceback())
            self.assertKeepsNothing(failure)
            self.assertEqual(len(self.flushLoggedErrors()), 1)


class BrokenOffTests(LetGoCase):
    """
    A session that ends in the middle of a message.
    """

    def test_F73_freed(self) -> None:
        """
        What has come of a message is let go when the session ends, at once and without the
        garbage collector: its text, and the rows that were read early.
        """
        row = json.dumps({"new": vmRow("tap1")}, separators=(",", ":"))
        rows = ",".join(f'"{uuid(n)}":{row}' for n in range(1, 4000))
        for beginning in (
            b'{"id":1,"result":{"Interface":{' + rows.encode(),
            b'{"id":1,"result":{"' + LONG,
            b'{"id":1,"result":{"' + LONG + b"\\",
        ):
            gc.collect()
            gc.disable()
            self.addCleanup(gc.enable)
            attached = self.attach()
            for chunk in cut(beginning):
                self.protocol.dataReceived(chunk)
            self.assertGreater(largest(self.protocol), SMALL)
            self.lose()
            errors: list[Failure] = []
            attached.addErrback(errors.append)
            self.assertIsInstance(errors[0].value, SessionLost)
            self.assertKeepsNothing(errors)
            self.assertKeepsNothing(self.protocol)
            self.assertEqual([o for o in gc.get_objects() if isinstance(o, RowReader)], [])
            gc.enable()

    def test_F73_pausedInTheMiddle(self) -> None:
        """
        What came while nothing was read is let go too.
        """
        self.synchronize({})
        self.protocol.pauseProducing()
        self.protocol.dataReceived(LONG)
        self.lose()
        self.assertKeepsNothing(self.protocol)


class HookTests(FactoryTestCase):
    """
    What the hooks of a factory are told.
    """

    def test_F73_refused(self) -> None:
        """
        The reason for which a session could not begin has the text of the server, cut. A
        caller that asks something itself gets all of it.
        """
        reasons: list[BaseException] = []

        class Keeping(ConnectionHook):
            def failed(self, source: str, reason: BaseException) -> None:
                reasons.append(reason)

        self.makeFactory(hook=Keeping())
        self.accept()
        asked = self.protocol.call("list_dbs", [])
        self.receive(b'{"id":2,"error":{"error":"%b","details":"%b"}}' % (LONG, LONG))
        self.assertEqual(len(self.failureResultOf(asked, RpcError).value.error), len(LONG))
        self.receive(b'{"id":1,"error":{"error":"%b","details":"%b"}}' % (LONG, LONG))
        [reason] = reasons
        assert isinstance(reason, RpcError)
        self.assertEqual(len(reason.error), TEXT_LIMIT - 1)
        self.assertLessEqual(largest(reason), TEXT_LIMIT)

    def test_F73_couldNotConnect(self) -> None:
        """
        So it is for an attempt to connect.
        """
        reasons: list[BaseException] = []

        class Keeping(ConnectionHook):
            def failed(self, source: str, reason: BaseException) -> None:
                reasons.append(reason)

        self.makeFactory(hook=Keeping())
        connector: Any = self.factory.connector
        self.factory.clientConnectionFailed(connector, Failure(ValueError(LONG.decode())))
        self.assertLessEqual(largest(reasons), TEXT_LIMIT)
        self.assertTrue(str(reasons[0]).startswith("ValueError: xxx"))

    def test_F73_bugInTheOpening(self) -> None:
        """
        The log event of a bug in the steps that open a connection keeps no frame.
        """

        def attach(*args: object) -> None:
            raise ZeroDivisionError

        self.factory.monitor.attach = attach  # type: ignore[assignment]
        with capturedLogs() as logs:
            self.accept()
        [event] = [event for event in logs if "log_failure" in event]
        self.assertIsNone(event["log_failure"].value.__traceback__)
        self.assertIn("attach", event["log_failure"].getTraceback())
        self.flushLoggedErrors(ZeroDivisionError)


class ReplicaTests(FactoryTestCase):
    """
    The same for the replica of any tables.
    """

    def makeFactory(self, **options: Any) -> None:
        """
        Make a factory of replicas.
        """
        super().makeFactory(**options)
        self.factory.stop()
        replicas: Any = OvsdbReplicaFactory("T", ["A"], lambda *args: None, clock=self.clock)
        self.factory = replicas
        self.connector = type(self.connector)(self.endpoint, self.factory)
        self.connector.connect()

    def test_F73_replica(self) -> None:
        """
        The reason for which a session of a replica was lost keeps nothing of the reply.
        """
        self.accept()
        protocol = self.protocol
        columns = {"s": {"type": "string"}}
        schema = {"name": "T", "tables": {"A": {"columns": columns}}}
        self.receive(json.dumps({"id": 1, "result": schema, "error": None}).encode())
        self.receive(b'{"id":2,"result":[false,"%b",{"A":{"%b":1}}]}' % (uuid(1).encode(), LONG))
        self.assertIsInstance(protocol.lost, ProtocolViolation)
        for each in reachable(protocol.lost):
            self.assertNotIsInstance(each, FrameType)
        self.assertLessEqual(largest(protocol.lost), TEXT_LIMIT)
