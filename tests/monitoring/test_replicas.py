# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{OvsdbReplicaFactory <twisted_ovsdb.OvsdbReplicaFactory>}: what the callback
is told, in each dialect, and what is asked for.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.database.test_replica import PROPERTY
from tests.endpoints.test_connector import ManualEndpoint
from tests.fakes.history import RAW, State, changes, initial, row, transaction
from tests.fakes.rows import uuid
from twisted_ovsdb import (
    Cause,
    ConnectionHook,
    EndpointConnector,
    OvsdbProtocol,
    OvsdbReplicaFactory,
    RowChange,
    Rows,
)
from twisted_ovsdb.monitoring.replicamonitor import ReplicaMonitor
from twisted_ovsdb.wire import rowreader

ZERO = transaction(0)

METHODS = ("monitor_cond_since", "monitor_cond", "monitor")


class Reasons(ConnectionHook):
    """
    Keeps why connections failed and were lost.
    """

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def failed(self, source: str, reason: BaseException) -> None:
        """
        Keep the reason.
        """
        self.reasons.append(str(reason))

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        Keep the reason.
        """
        self.reasons.append(str(reason))


class Server:
    """
    A factory whose server is the test.

    @ivar told: what the callback was told: the cause, and the changes by UUID.
    @ivar result: what the callback returns or raises.
    @ivar onTold: what the callback does.
    @ivar asked: the last request: its method and its params.
    """

    def __init__(self, tables: Any = ("T",), knows: tuple[str, ...] = METHODS) -> None:
        self.clock, self.endpoint, self.hook = Clock(), ManualEndpoint(), Reasons()
        self.told: list[tuple[Cause, dict[str, RowChange]]] = []
        self.result: Any = None
        self.onTold: Callable[[], object] = lambda: None
        self.knows = knows
        self.schema: Any = RAW
        self.asked: tuple[str, Any] = ("", None)
        self.methods: list[str] = []
        self.factory = OvsdbReplicaFactory(
            "D", tables, self.changed, clock=self.clock, hook=self.hook, maxDelay=1
        )
        self.connector = EndpointConnector(self.endpoint, self.factory)
        self.connector.connect()

    def changed(self, told: tuple[RowChange, ...], cause: Cause) -> Any:
        """
        Keep what is told.
        """
        self.told.append((cause, {change.uuid: change for change in told}))
        self.onTold()
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result

    def take(self) -> list[tuple[str, list[tuple[Any, ...]]]]:
        """
        Take what was told: causes, and C{s} before and now.
        """
        told, self.told = self.told, []
        return [
            (cause.value, [tuple(row and row["s"] for row in (c.before, c.now)) for c in step])
            for cause, step in ((cause, step.values()) for cause, step in told)
        ]

    def send(self, message: Any) -> None:
        """
        The server sends a message as ovsdb-server writes it.
        """
        text = json.dumps(message, separators=(",", ":"))
        self.endpoint.protocol.dataReceived(text.encode())

    def receive(self) -> tuple[int, str, Any]:
        """
        Take the next request.
        """
        text = self.transport.value().decode()
        message = json.loads(text)
        self.transport.clear()
        self.asked = message["method"], message["params"]
        self.methods.append(message["method"])
        return message["id"], message["method"], message["params"]

    def open(self) -> None:
        """
        The server accepts, says its schema, and refuses methods that it does not know.
        """
        self.transport: StringTransport = self.endpoint.accept()
        self.methods.clear()
        number, _, _ = self.receive()
        self.send({"id": number, "result": self.schema, "error": None})
        if not self.transport.value():
            return
        while True:
            self.number, method, _ = self.receive()
            if method in self.knows:
                return
            self.send({"id": self.number, "error": "unknown method", "result": None})
            if not self.transport.value():
                return

    def reply(self, result: Any) -> None:
        """
        Reply to the last request.
        """
        self.send({"id": self.number, "result": result, "error": None})

    def synchronize(self, state: State, known: State | None = None, last: int = 0) -> None:
        """
        The server accepts and says what there is.

        @param known: what the client knows, if the server has its history.
        """
        self.open()
        if self.asked[0] == "monitor_cond_since":
            updates = initial(state) if known is None else changes(known, state)
            self.reply([known is not None, transaction(last), updates])
        else:
            self.reply(initial(state, self.asked[0] != "monitor"))

    def update(self, before: State, now: State, last: int = 0) -> None:
        """
        A transaction.
        """
        method = self.asked_for
        params: list[Any] = ["twisted_ovsdb", changes(before, now, method != "monitor")]
        if method == "monitor_cond_since":
            params.insert(1, transaction(last))
        name = {"monitor_cond_since": "update3", "monitor_cond": "update2", "monitor": "update"}
        self.send({"id": None, "method": name[method], "params": params})

    @property
    def asked_for(self) -> str:
        """The dialect."""
        return next(m for m in reversed(self.methods) if m in METHODS)

    def lose(self) -> None:
        """
        The connection is lost, and the factory connects again.
        """
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.clock.advance(1)


class ReplicaCase(SynchronousTestCase):
    """
    The waits of factories have no jitter.
    """

    def setUp(self) -> None:
        self.patch(random, "uniform", lambda low, high: high)


A, B, C = {1: row(s="a")}, {1: row(s="b")}, {1: row(s="b"), 2: row(s="c", o=7)}


class DialectTests(ReplicaCase):
    """
    Which dialect is used, and what it asks for.
    """

    def test_since(self) -> None:
        """
        After an outage, the last transaction is named. What the server sends since then
        is told as a difference of the rows, and nothing if nothing has happened.
        """
        server = Server()
        server.synchronize(A, last=1)
        self.assertEqual(server.asked[1][3], ZERO)
        server.update(A, B, last=2)
        self.assertEqual(server.take(), [("initial", [(None, "a")]), ("update", [("a", "b")])])
        server.lose()
        server.synchronize(C, known=B, last=3)
        self.assertEqual(server.asked[1][3], transaction(2))
        self.assertEqual(server.take(), [("resync", [(None, "c")])])
        server.lose()
        server.synchronize(C, known=C, last=3)
        self.assertEqual(server.asked[1][3], transaction(3))
        self.assertEqual(server.take(), [])
        server.lose()
        server.synchronize({}, known=C, last=4)
        self.assertEqual(server.take(), [("resync", [("b", None), ("c", None)])])

    def test_notFound(self) -> None:
        """
        A server without this history sends everything, which replaces what was known.
        """
        server = Server()
        server.synchronize(C, last=1)
        server.take()
        server.lose()
        server.synchronize(A)
        self.assertEqual(server.asked[1][3], transaction(1))
        self.assertEqual(server.take(), [("resync", [("c", None), ("b", "a")])])

    def test_fallBack(self) -> None:
        """
        A server that does not know a dialect is asked by the next one. The next
        connection begins with the first: another member may know it.
        """
        for known in METHODS[1:]:
            server = Server(knows=(known,))
            server.synchronize(A)
            self.assertEqual(server.asked[0], known)
            server.update(A, C)
            self.assertEqual(
                server.take(),
                [("initial", [(None, "a")]), ("update", [("a", "b"), (None, "c")])],
            )
            server.knows = METHODS
            server.lose()
            server.synchronize(C, last=1)
            self.assertEqual(server.asked[0], "monitor_cond_since")
            self.assertEqual(server.take(), [])

    def test_otherError(self) -> None:
        """
        Another error is no reason to try another dialect.
        """
        server = Server()
        server.open()
        server.send({"id": server.number, "error": "database not available", "result": None})
        self.assertEqual(server.methods, ["get_schema", "monitor_cond_since"])
        self.assertIn("database not available", server.hook.reasons[0])
        self.assertEqual(server.take(), [])

    def test_noDialect(self) -> None:
        """
        A server that knows none of them is a failure.
        """
        server = Server(knows=())
        server.open()
        self.assertEqual(server.methods, ["get_schema", *METHODS])
        self.assertIn("unknown method", server.hook.reasons[0])

    def test_conditionsNeedMonitorCond(self) -> None:
        """
        Where there are conditions, a server that knows only C{monitor} is a failure, and
        no row is told that was not asked for.
        """
        server = Server({"T": Rows(where=[["s", "==", "a"]])}, knows=("monitor",))
        server.open()
        self.assertEqual(server.methods, ["get_schema", "monitor_cond_since", "monitor_cond"])
        self.assertIn("T: this server does not know monitor_cond", server.hook.reasons[0])
        self.assertEqual(server.take(), [])

    def test_lacking(self) -> None:
        """
        A table or column that the server lacks is named, also one of a condition.
        """
        for tables, text in (
            (["U"], "database D has no table U"),
            ({"T": ["s", "x", "y"]}, "table T has no column x, y"),
            ({"T": Rows(["s"], [["z", "==", 1]])}, "table T has no column z"),
        ):
            server = Server(tables)
            server.open()
            self.assertEqual(server.hook.reasons, [text])
            server.clock.advance(1)

    def test_doubt(self) -> None:
        """
        After a fault, or when the schema has changed, everything is asked for.
        """
        faults: list[Any] = [
            [True, "no id", {}],
            [1, transaction(3), {}],
            [True, transaction(3)],
            {},
            [True, transaction(3), initial(A)],
            [False, transaction(3), changes(B, A)],
            [True, transaction(3), changes({}, B)],
            math.nan,
        ]
        for fault in faults:
            server = Server()
            server.synchronize(B, last=1)
            server.take()
            server.lose()
            server.open()
            self.assertEqual(server.asked[1][3], transaction(1))
            server.reply(fault)
            self.assertEqual(len(server.hook.reasons), 2, fault)
            server.lose()
            server.synchronize(C, last=2)
            self.assertEqual(server.asked[1][3], ZERO)
            self.assertEqual(server.take(), [("resync", [(None, "c")])])
        server.update({}, C, last=3)
        server.lose()
        server.synchronize(C, last=2)
        self.assertEqual(server.asked[1][3], ZERO)
        server.schema = copy.deepcopy(RAW)
        server.schema["tables"]["T"]["columns"]["o"]["type"]["max"] = 2
        server.lose()
        server.open()
        self.assertEqual(server.asked[1][3], ZERO)

    def test_foundUnasked(self) -> None:
        """
        Differences, although everything was asked for, are a fault.
        """
        server = Server()
        server.synchronize(A, known={}, last=1)
        self.assertIn("although everything was asked for", server.hook.reasons[0])
        self.assertEqual(server.take(), [])

    def test_wrongUpdates(self) -> None:
        """
        An C{update3} without its parts ends the session, and nothing of it is told.
        """
        for params in (
            ["twisted_ovsdb", {}],
            ["twisted_ovsdb", "no id", {}],
            ["twisted_ovsdb", transaction(2), {"U": {}}],
        ):
            server = Server()
            server.synchronize(A, last=1)
            server.send({"id": None, "method": "update3", "params": params})
            self.assertEqual(len(server.hook.reasons), 1)
            self.assertEqual(server.take(), [("initial", [(None, "a")])])

    def test_large(self) -> None:
        """
        A large reply is read while it arrives, in slices, also in this dialect.
        """
        server = Server()
        state = {n: row(s="x" * 300) for n in range(1, 2500)}
        server.open()
        reply = {
            "id": server.number,
            "result": [False, transaction(1), initial(state)],
            "error": None,
        }
        text = json.dumps(reply, separators=(",", ":")).encode()
        for size in (65536, len(text)):
            server = Server()
            server.open()
            for start in range(0, len(text), size):
                server.endpoint.protocol.dataReceived(text[start : start + size])
            for _ in range(5):
                server.clock.advance(0)
            ((cause, step),) = server.told
            self.assertEqual((cause, len(step)), (Cause.INITIAL, 2499))

    def test_stopWhileOpening(self) -> None:
        """
        After a stop, nothing more is asked.
        """
        for steps in (0, 1):
            server = Server()
            server.transport = server.endpoint.accept()
            number, _, _ = server.receive()
            protocol = server.endpoint.protocol
            if steps:
                server.send({"id": number, "result": RAW, "error": None})
                number, _, _ = server.receive()
            server.factory.monitor.detach()
            server.send({"id": number, "result": RAW, "error": None})
            self.assertNotIn(b"monitor", server.transport.value())
            self.assertIsNotNone(protocol)
            self.assertEqual(server.take(), [])


ROWS = st.builds(
    row,
    s=st.sampled_from("abc"),
    o=st.sampled_from((None, 0, 1)),
    e=st.frozensets(st.integers(0, 3), max_size=3),
    m=st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=2),
)

STATES = st.lists(
    st.tuples(st.sampled_from(("update", "outage")), st.dictionaries(st.integers(1, 4), ROWS)),
    min_size=1,
    max_size=6,
)


class SameTests(ReplicaCase):
    """
    All dialects tell the same.
    """

    @PROPERTY
    @given(STATES, st.booleans())
    def test_same(self, history: list[tuple[str, State]], found: bool) -> None:
        """
        The same history is told with the same changes by every dialect, with and
        without history on the server's side.
        """
        told, replicas = [], []
        for method in METHODS:
            server = Server(knows=(method,))
            server.synchronize({}, last=1)
            known: State = {}
            for number, (what, state) in enumerate(history, 2):
                if what == "update":
                    if changes(known, state):
                        server.update(known, state, number)
                else:
                    server.lose()
                    server.synchronize(state, known if found else None, number)
                known = state
            self.assertEqual(
                server.hook.reasons,
                [str(ConnectionDone())] * len([what for what, _ in history if what == "outage"]),
            )
            told.append(server.told)
            replicas.append({n: dict(r) for n, r in server.factory.replica["T"].items()})
            self.assertEqual(replicas[-1], {uuid(n): dict(r) for n, r in known.items()})
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[1], told[2])


class TellingTests(ReplicaCase):
    """
    When the callback is told, and what.
    """

    def test_busy(self) -> None:
        """
        What happens while the callback is busy reaches it as one difference. Rows that
        are again as they were told are not in it.
        """
        server = Server()
        server.result = busy = Deferred[None]()
        server.synchronize(A, last=1)
        server.update(A, B, 2)
        server.update(B, C, 3)
        self.assertEqual(server.take(), [("initial", [(None, "a")])])
        server.result = None
        busy.callback(None)
        self.assertEqual(server.take(), [("update", [("a", "b"), (None, "c")])])
        server.result = busy = Deferred()
        server.update(C, B, 4)
        server.update(B, C, 5)
        server.update(C, B, 6)
        server.lose()
        server.synchronize(A, B, 7)
        self.assertEqual(server.take(), [("update", [("c", None)])])
        busy.callback(None)
        self.assertEqual(server.take(), [("resync", [("b", "a")])])

    def test_busyAndEqual(self) -> None:
        """
        After changes that cancel each other out, it is told nothing.
        """
        server = Server()
        server.result = busy = Deferred[None]()
        server.synchronize(A, last=1)
        server.update(A, C, 2)
        server.lose()
        server.synchronize(A, C, 3)
        server.take()
        server.result = None
        busy.callback(None)
        self.assertEqual(server.take(), [])
        server.update(A, B, 4)
        self.assertEqual(server.take(), [("update", [("a", "b")])])

    def test_coroutine(self) -> None:
        """
        A coroutine is awaited too.
        """
        server, asked = Server(), Deferred[None]()

        async def wait() -> None:
            await asked

        server.result = wait()
        server.synchronize(A, last=1)
        server.update(A, B, 2)
        self.assertEqual(len(server.take()), 1)
        server.result = None
        asked.callback(None)
        self.assertEqual(server.take(), [("update", [("a", "b")])])

    def test_failure(self) -> None:
        """
        What it raises is logged, also SystemExit, and the step counts as told. The
        line has no rows in it.
        """
        for error in (RuntimeError, SystemExit):
            server = Server()
            server.result = error("ours")
            server.synchronize(A, last=1)
            server.result = None
            server.update(A, B, 2)
            told = [("initial", [(None, "a")]), ("update", [("a", "b")])]
            self.assertEqual(server.take(), told)
            (failure,) = self.flushLoggedErrors(error)
            self.assertEqual(str(failure.value), "ours")

    def test_cancelAttach(self) -> None:
        """
        If the Deferred of attach is cancelled while the rows are read, the server
        is told to end the monitor. The replica may be attached to the connection
        again at once.
        """
        self.patch(rowreader, "SLICE", 3)
        clock, transport, protocol = Clock(), StringTransport(), OvsdbProtocol()
        protocol.makeConnection(transport)
        told: list[int] = []
        monitor = ReplicaMonitor(("T",), lambda c, cause: told.append(len(c)), "m", clock)

        def receive(number: int, result: Any) -> None:
            message = {"id": number, "result": result, "error": None}
            protocol.dataReceived(json.dumps(message).encode())

        def sent() -> Any:
            request = json.loads(transport.value())
            transport.clear()
            return request["method"], request["params"][:2]

        rows = initial({n: row(s="a") for n in range(10)})
        attached = monitor.attach(protocol, "D")
        receive(1, RAW)
        receive(2, [False, transaction(1), rows])
        transport.clear()
        attached.cancel()
        self.failureResultOf(attached, CancelledError)
        self.assertEqual(sent(), ("monitor_cancel", ["twisted_ovsdb"]))
        self.assertEqual((clock.getDelayedCalls(), protocol.paused), ([], False))
        attached = monitor.attach(protocol, "D")
        transport.clear()
        receive(4, RAW)
        self.assertEqual(sent(), ("monitor_cond_since", ["D", "twisted_ovsdb_2"]))
        receive(5, [False, transaction(1), rows])
        for _ in range(10):
            clock.advance(0)
        self.successResultOf(attached)
        self.assertEqual(told, [10])
        self.assertNoResult(monitor.changeConditions({"T": [["s", "==", "b"]]}))
        self.assertEqual(sent(), ("monitor_cond_change", ["twisted_ovsdb_2"] * 2))

    def test_nothing(self) -> None:
        """
        An empty table is told as INITIAL without changes, so that the callback knows.
        """
        server = Server()
        waiting = server.factory.whenSynchronized()
        self.assertNoResult(waiting)
        server.synchronize({}, last=1)
        self.assertEqual(server.take(), [("initial", [])])
        self.assertIs(self.successResultOf(waiting), server.factory.replica)
        self.assertIs(
            self.successResultOf(server.factory.whenSynchronized()), server.factory.replica
        )

    def test_stop(self) -> None:
        """
        After a stop nothing is told, and what is known is kept for the next start.
        """
        server = Server()
        waiting = server.factory.whenSynchronized()
        stopped = server.factory.stop()
        self.failureResultOf(waiting, CancelledError)
        self.successResultOf(stopped)
        server.connector.connect()
        waiting = server.factory.whenSynchronized()
        waiting.addCallback(lambda _: server.factory.stop())
        server.synchronize(A, last=1)
        self.assertEqual(server.take(), [])
        server.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(waiting)
        server.connector.connect()
        server.synchronize(B, A, 2)
        self.assertEqual(server.take(), [("initial", [(None, "b")])])
        self.assertEqual(server.factory.monitor.switch, server.factory.monitor.source)

    def test_detached(self) -> None:
        """
        What still comes from a connection that was left is ignored.
        """
        server = Server()
        server.synchronize(A, last=1)
        server.take()
        server.factory.monitor.detach()
        server.update(A, B, 2)
        self.assertEqual(server.take(), [])
        self.assertEqual(server.factory.replica["T"][uuid(1)]["s"], "a")

    def test_attachedTwice(self) -> None:
        """
        One connection at a time.
        """
        server = Server()
        server.synchronize(A)
        protocol: Any = server.factory._link and server.factory._link.protocol
        self.assertRaises(RuntimeError, server.factory.monitor.attach, protocol, "D")


class WantedTests(ReplicaCase):
    """
    What may be wanted of tables.
    """

    def test_wrong(self) -> None:
        """
        Mistakes raise when they are made, and not at the first connection.
        """
        tables: list[Any] = ["T", 5, [5], {"T": "s"}, {"T": [5]}, {"T": []}]
        for wrong in tables:
            self.assertRaises(TypeError, OvsdbReplicaFactory, "D", wrong, print, clock=Clock())
        self.assertRaises(ValueError, OvsdbReplicaFactory, "D", [], print, clock=Clock())
        self.assertRaises(TypeError, OvsdbReplicaFactory, "D", ["T"], None, clock=Clock())
        self.assertRaises(TypeError, OvsdbReplicaFactory, 5, ["T"], print, clock=Clock())
        options: dict[str, Any] = {"source": 5, "clock": Clock()}
        self.assertRaises(TypeError, OvsdbReplicaFactory, "D", ["T"], print, **options)
        wheres: list[Any] = ["s", True, {}, 5, ["s"], [["s", "=="]], [[1, "==", 1]]]
        factory = OvsdbReplicaFactory("D", ["T"], print, clock=Clock())
        for where in [*wheres, [["s", "==", {1}, 2]]]:
            self.assertRaises(TypeError, Rows, None, where)
            self.assertRaises(TypeError, factory.changeConditions, {"T": where})
        values: list[Any] = [
            ["set", ["\ud800"]],
            ["map", [["\0", 1]]],
            ["set", ["a", "a"]],
            ["set", 1],
            [],
            [[1]],
            2**63,
            math.inf,
        ]
        wheres = [[["s", "==", value]] for value in values]
        for where in [*wheres, [], [["s", "=", "a"]], [["\ud800", "==", 1]]]:
            self.assertRaises(ValueError, Rows, None, where)
            self.assertRaises(ValueError, factory.changeConditions, {"T": where})

    def test_wrongUse(self) -> None:
        """
        The error says which table is meant, and what to write.
        """
        uses: list[Any] = [{"where": []}, 5, Rows]
        for wrong in uses:
            error = self.assertRaises(
                TypeError, OvsdbReplicaFactory, "D", {"T": wrong}, print, clock=Clock()
            )
            self.assertIn("table T: columns must be a list of at least one name", str(error))
            self.assertIn("Rows(...) has conditions", str(error))
        factory = OvsdbReplicaFactory("D", ["T"], print, clock=Clock())
        wheres: list[Any] = [None, ["T"], ("T",), "T"]
        for wrong in wheres:
            error = self.assertRaises(TypeError, factory.changeConditions, wrong)
            self.assertIn("conditions must be by table, not", str(error))
        error = self.assertRaises(TypeError, factory.changeConditions, {"T": "s"})
        self.assertIn("table T: where must be a list of conditions", str(error))
        error = self.assertRaises(ValueError, factory.changeConditions, {"T": []})
        self.assertIn("None means every row, and [False] no row", str(error))
        error = self.assertRaises(KeyError, factory.changeConditions, {"U": None})
        self.assertIn("no table U in this replica", str(error))

    def test_conditions(self) -> None:
        """
        Values are Python's or OVSDB's.
        """
        given: Any = ["set", [1]]
        rows = Rows(["s"], [("e", "includes", (1, 2)), ["e", "==", given], False])
        given.append(2)
        self.assertEqual(
            rows.where,
            (("e", "includes", ["set", [1, 2]]), ("e", "==", ["set", [1]]), False),
        )
        self.assertIsNone(Rows(["s"]).where)
