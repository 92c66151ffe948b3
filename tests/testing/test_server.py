# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.testing}, which users have for their own tests.
C{tests.live.test_memory} compares the server in memory with the real one.
"""

from __future__ import annotations

import json
from typing import Any

from attrs.exceptions import FrozenInstanceError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import summaries
from twisted_ovsdb import (
    Cause,
    InterfaceChanged,
    InterfaceOnline,
    OvsdbProtocol,
    SessionLost,
    TransactionFailed,
)
from twisted_ovsdb.events import Event, InterfaceEvent
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory
from twisted_ovsdb.testing.schema import DATABASE

_ROWS: dict[str, Any] = {"table": "Interface", "where": []}
_INSERT: dict[str, Any] = {"op": "insert", "table": "Interface", "row": {"name": "new"}}
_SELECT: dict[str, Any] = {"op": "select", **_ROWS}
_MUTATE: dict[str, Any] = {"op": "mutate", **_ROWS}


def _with(operation: dict[str, Any], member: str, said: str, *values: Any) -> list[tuple[Any, str]]:
    """
    The operation with each of these values for a member.
    """
    return [({**operation, member: value}, said) for value in values]


WRONG_OPERATIONS: list[tuple[Any, str]] = [
    (5, "Object expected."),
    (None, "Object expected."),
    ([], "Object expected."),
    ({}, "Required 'op' member is missing."),
    ({"op": "insert", "row": {}}, "Required 'table' member is missing."),
    ({"op": "select", "table": "Interface"}, "Required 'where' member is missing."),
    ({"op": "comment"}, "Required 'comment' member is missing."),
    *_with({}, "op", "Type mismatch for member 'op'.", 5, [], {}),
    *_with({}, "op", 'No operation "zz"', "zz"),
    *_with({"op": "commit"}, "durable", "Type mismatch for member 'durable'.", 1, None),
    *_with(_INSERT, "table", "Type mismatch for member 'table'.", 5, [], {}),
    *_with(_INSERT, "table", "No table named Zed.", "Zed"),
    *_with(_INSERT, "row", "Type mismatch for member 'row'.", 5, [], None),
    *_with(
        _INSERT, "row", "expected string", {"name": ["named-uuid", []]}, {"name": ["named-uuid", 5]}
    ),
    *_with(_INSERT, "row", "expected string", {"options": ["map", [[["named-uuid", []], "a"]]]}),
    *_with(_INSERT, "zz", "Member 'zz' is present but not allowed here.", 1),
    *_with(_INSERT, "uuid-name", "Type mismatch for member 'uuid-name'.", 5, [], {}, None, True),
    *_with(_INSERT, "uuid-name", "not a name", "", "a b", "1"),
    *_with(_SELECT, "where", "Type mismatch for member 'where'.", 5, None, {}, "x"),
    *_with(_SELECT, "where", "Parse error in condition.", [5], [None], [[]], [["name"]], [{}]),
    *_with(_SELECT, "where", "Parse error in condition.", [[[], "==", "a"]], [["name", [], "a"]]),
    *_with(_SELECT, "where", "expected 1 to 1 elements", [["ofport", "<", ["set", []]]]),
    *_with(_SELECT, "where", "may not be applied", [["name", "<", "a"]]),
    *_with(_SELECT, "columns", "Type mismatch for member 'columns'.", 5, {}, "name"),
    *_with(_SELECT, "columns", "distinct column names", [5], [[]], [{}], ["name", "name"]),
    *_with(_MUTATE, "mutations", "Type mismatch for member 'mutations'.", 5, {}, "x"),
    *_with(_MUTATE, "mutations", "Parse error in mutation.", [5], [None], [[]], ["abc"]),
    *_with(_MUTATE, "mutations", "Parse error in mutation.", [[[], "+=", 1]], [["mtu", {}, 1]]),
    *_with(_MUTATE, "mutations", "expected integer", [["mtu", "+=", True]], [["mtu", "+=", []]]),
    *_with(_MUTATE, "mutations", "expected integer", [["mtu", "+=", "a"]], [["mtu", "+=", 1.5]]),
    *_with(_MUTATE, "mutations", "may not be applied", [["options", "+=", 1]]),
]
"""Operations that are wrong in themselves, and what is said of them."""


class MemoryServerTests(SynchronousTestCase):
    """
    One server, one factory, one observer.
    """

    def setUp(self) -> None:
        self.server, self.observer = MemoryServer(), RecordingObserver()
        self.factory = connectedFactory(self.server, self.observer)
        self.observer.expect("synchronized initial")

    def test_expect(self) -> None:
        """
        When other events were told than a test expects, it reads both, and that
        nothing was.
        """
        fault = self.assertRaises(AssertionError, self.observer.expect, "online vm tap1")
        self.assertEqual(str(fault), "expected:\n  online vm tap1\ntold:\n  nothing")
        self.server.restart()
        fault = self.assertRaises(AssertionError, self.observer.expect)
        self.assertEqual(str(fault), "expected:\n  nothing\ntold:\n  disconnected")

    def scene(self) -> None:
        """
        Add interfaces of each kind.
        """
        self.server.addBridge("br-int")
        self.server.addBridge("br-ex")
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.addTunnel("br-int", "df-2", remote_ip="192.0.2.2")
        self.server.addPatchPair("br-int", "patch-ex", "br-ex", "patch-int")

    def test_kinds(self) -> None:
        """
        An interface of each kind comes online when it is added. The two ends of
        a patch pair come online together.
        """
        self.scene()
        events = self.observer.expect(
            "online bridge br-int update",
            "online bridge br-ex",
            "online vm tap1",
            "online tunnel df-2",
            "online patch patch-ex",
            "online patch patch-int",
        )
        told: list[Any] = list(events)
        self.assertEqual(told[0].interface.ofport, 65534)
        self.assertEqual(told[2].interface.iface_id, "vm-1")
        tunnel, *patches = (event.interface for event in told[3:])
        self.assertEqual((tunnel.type, tunnel.remote_ip), ("geneve", "192.0.2.2"))
        self.assertEqual([patch.peer for patch in patches], ["patch-int", "patch-ex"])
        self.assertEqual({event.source for event in told}, {"memory"})

    def test_frozen(self) -> None:
        """
        No observer can change what another one is told.
        """
        self.server.addBridge("br-int")
        self.server.setInterface("br-int", error="bad")
        self.server.deleteBridge("br-int")
        told: list[Any] = list(self.observer.take())
        online, changed, offline = told
        self.assertEqual(online, InterfaceOnline(changed.previous, Cause.UPDATE, "memory"))
        for event in (online, changed, offline):
            with self.assertRaises(FrozenInstanceError):
                event.source = "elsewhere"
            with self.assertRaises(FrozenInstanceError):
                event.interface.name = "other"

    def test_ofport(self) -> None:
        """
        A port has no OpenFlow port until one is assigned: the lowest one that
        is free on its bridge, or the one that the test gives.
        """
        self.scene()
        self.observer.take()
        self.server.assignOfport("tap1")
        (event,) = self.observer.expect("changed vm tap1")
        assert isinstance(event, InterfaceChanged)
        self.assertEqual((event.previous.ofport, event.interface.ofport), (None, 1))
        self.server.assignOfport("df-2")
        self.server.assignOfport("tap1", -1)
        second, failed = self.observer.expect("changed tunnel df-2", "changed vm tap1")
        assert isinstance(second, InterfaceChanged) and isinstance(failed, InterfaceChanged)
        self.assertEqual((second.interface.ofport, failed.interface.ofport), (2, -1))
        self.assertFalse(failed.interface.ready)
        self.server.assignOfport("patch-int")
        (other,) = self.observer.expect("changed patch patch-int")
        assert isinstance(other, InterfaceChanged)
        self.assertEqual(other.interface.ofport, 1)

    def test_columns(self) -> None:
        """
        Any column can be given when a port is added, and set later.
        """
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "p", type="internal", external_ids={"a": "b"}, ofport=9)
        self.observer.expect("online bridge br-int")
        self.server.setInterface("p", external_ids={"iface-id": "x"}, error="bad")
        (event,) = self.observer.take()
        told: Any = event
        self.assertEqual((told.interface.error, told.interface.ofport), ("bad", 9))

    def test_removal(self) -> None:
        """
        When a bridge is deleted, its ports are deleted in the same step.
        """
        self.scene()
        self.observer.take()
        self.server.deletePort("tap1")
        self.observer.expect("offline vm tap1")
        self.server.deleteBridge("br-int")
        gone = self.observer.take()
        self.assertEqual(
            sorted(summary[2] for summary in summaries(gone)), ["br-int", "df-2", "patch-ex"]
        )

    def bridges(self) -> dict[str, dict[str, list[str]]]:
        """
        The names of bridges, of their ports, and of the interfaces of these.
        """
        tables = self.server.tables
        ports = {
            key: (port["name"], sorted(tables["Interface"][i]["name"] for i in port["interfaces"]))
            for key, port in tables["Port"].items()
        }
        return {
            bridge["name"]: dict(ports[port] for port in bridge["ports"])
            for bridge in tables["Bridge"].values()
        }

    def test_move(self) -> None:
        """
        A port that is moved keeps its rows. Its OpenFlow port is the next one
        that is free on the new bridge.
        """
        self.scene()
        self.server.assignOfport("df-2")
        self.server.assignOfport("tap1")
        rows = self.server.tables["Interface"].keys()
        self.observer.take()
        self.server.movePort("tap1", "br-ex")
        self.assertEqual(set(self.bridges()["br-ex"]), {"br-ex", "patch-int", "tap1"})
        self.assertEqual(set(self.bridges()["br-int"]), {"br-int", "df-2", "patch-ex"})
        self.assertEqual(self.server.tables["Interface"].keys(), rows)
        self.observer.expect()
        self.server.assignOfport("tap1")
        (event,) = self.observer.expect("changed vm tap1")
        assert isinstance(event, InterfaceChanged)
        self.assertEqual((event.previous.ofport, event.interface.ofport), (2, 1))
        self.server.deleteBridge("br-int")
        self.assertEqual(list(self.bridges()), ["br-ex"])
        self.assertIn("tap1", self.bridges()["br-ex"])

    def test_bond(self) -> None:
        """
        A bond is one port with several interfaces, which move and go together.
        Each interface has its own OpenFlow port.
        """
        self.scene()
        self.server.addBond("br-int", "bond0", ["eth1", "eth2"], type="dummy")
        self.assertEqual(self.bridges()["br-int"]["bond0"], ["eth1", "eth2"])
        self.server.assignOfport("eth1")
        self.server.assignOfport("eth2")
        self.server.movePort("bond0", "br-ex")
        self.assertEqual(self.bridges()["br-ex"]["bond0"], ["eth1", "eth2"])
        told = {
            row["name"]: (row["type"], row["ofport"])
            for row in self.server.tables["Interface"].values()
            if row["name"].startswith("eth")
        }
        self.assertEqual(told, {"eth1": ("dummy", 1), "eth2": ("dummy", 2)})
        self.server.deletePort("bond0")
        self.assertNotIn("bond0", self.bridges()["br-ex"])
        self.assertEqual(len(self.server.tables["Interface"]), 6)

    def test_fakeBridge(self) -> None:
        """
        The ports of a fake bridge are ports of its parent, in its VLAN. They go
        with the fake bridge, and not those of the parent.
        """
        self.scene()
        self.server.addFakeBridge("br-9", "br-int", 9)
        self.server.addPort("br-9", "tap9", iface_id="vm-9")
        self.server.addPort("br-int", "tap8")
        self.server.movePort("tap1", "br-9")
        self.server.movePort("tap8", "br-9")
        on = {name: tag for name, tag in self.tags().items() if tag is not None}
        self.assertEqual(on, {"br-9": 9, "tap9": 9, "tap1": 9, "tap8": 9})
        self.assertLessEqual(on.keys(), self.bridges()["br-int"].keys())
        self.server.movePort("tap8", "br-int")
        self.observer.take()
        self.server.deleteBridge("br-9")
        gone = {summary[2] for summary in summaries(self.observer.take())}
        self.assertLessEqual({"tap1", "tap9"}, gone)
        self.assertIn("tap8", self.bridges()["br-int"])
        self.assertEqual(set(self.tags().values()), {None})

    def tags(self) -> dict[str, int | None]:
        """
        The VLAN of each port.
        """
        return {row["name"]: row["tag"] for row in self.server.tables["Port"].values()}

    def test_outage(self) -> None:
        """
        What has changed in an outage is told when the client is connected
        again.
        """
        self.scene()
        self.observer.take()
        self.server.kill()
        self.observer.expect("disconnected")
        self.server.deletePort("tap1")
        self.server.advance(60)
        self.observer.expect()
        self.server.start()
        self.server.advance(10)
        told = self.observer.take()
        self.assertEqual(summaries(told)[0], ("offline", "vm", "tap1", "resync"))
        self.assertEqual({summary[-1] for summary in summaries(told)[1:-1]}, {"replay"})
        self.assertEqual(summaries(told)[-1], ("synchronized", "resync"))

    def test_restart(self) -> None:
        """
        After a restart the rows are still there, and ephemeral columns are
        empty.
        """
        observer = RecordingObserver()
        connectedFactory(self.server, observer, extraColumns=("link_state",), replay=False)
        self.server.addBridge("br-int", link_state="up")
        observer.take()
        self.server.restart()
        self.server.advance(10)
        observer.expect("disconnected", "changed bridge br-int resync", "synchronized resync")

    def test_stall(self) -> None:
        """
        If the server stops answering, the client gives up the connection. When
        the server goes on, the client connects again.
        """
        self.server.stall()
        self.server.advance(4)
        self.observer.expect()
        self.server.advance(10)
        self.observer.expect("disconnected")
        self.server.advance(60)
        self.server.resume()
        self.server.advance(70)
        self.observer.expect("synchronized resync")

    def test_stalledShortly(self) -> None:
        """
        If the server goes on soon enough, the session goes on too.
        """
        self.server.addBridge("br-int")
        self.server.stall()
        self.server.advance(7)
        self.server.resume()
        self.server.advance(60)
        self.observer.expect("online bridge br-int")

    def test_dropDatabase(self) -> None:
        """
        A server without its database refuses to be monitored. A new database
        has other rows.
        """
        self.server.addBridge("br-int")
        self.observer.take()
        self.server.dropDatabase()
        error = self.assertRaises(ValueError, self.server.addBridge, "br-int")
        self.assertEqual(str(error), "the database was removed")
        self.server.advance(60)
        self.observer.expect("disconnected")
        self.server.createDatabase()
        self.server.advance(60)
        self.observer.expect("offline bridge br-int resync", "synchronized resync")

    def test_fold(self) -> None:
        """
        After restarts and deletions, the events still add up to what the server
        has.
        """
        self.scene()
        self.server.restart()
        self.server.advance(10)
        self.server.deleteBridge("br-ex")
        fold = Fold()
        late = connectedFactory(self.server, recorder := RecordingObserver())
        for event in recorder.take():
            fold.receive(event)
        self.assertEqual(len(fold.interfaces), 4)
        self.assertEqual(len(late.monitor._known.present.rows), 4)

    def test_nothingLeft(self) -> None:
        """
        After the factory is stopped, the clock has no delayed calls.
        """
        stopped = self.factory.stop()
        self.server.advance(0)
        self.successResultOf(stopped)
        self.server.advance(60)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])
        self.observer.expect("disconnected")

    def test_mistakes(self) -> None:
        """
        A call that cannot be done raises a ValueError that names the mistake,
        and changes nothing.
        """
        self.server.addBridge("br-int")
        for wrong, named in (
            (lambda: self.server.addPort("br-x", "tap1"), "no Bridge has the name br-x"),
            (lambda: self.server.deletePort("tap9"), "no Port has the name tap9"),
            (lambda: self.server.movePort("tap9", "br-int"), "no Port has the name tap9"),
            (lambda: self.server.movePort("br-int", "br-x"), "no Bridge has the name br-x"),
            (lambda: self.server.addBond("br-x", "bond0", ["e1"]), "no Bridge has the name br-x"),
            (lambda: self.server.addBond("br-int", "bond0", []), "interfaces"),
            (lambda: self.server.addFakeBridge("f", "br-x", 9), "no Bridge has the name br-x"),
            (lambda: self.server.addFakeBridge("f", "br-int", 9999), "9999"),
            (lambda: self.server.setInterface("br-int", nonsense=1), "nonsense"),
            (lambda: self.server.setInterface("br-int", type=1), "type"),
            (lambda: self.server.addBridge("br-int"), "br-int"),
        ):
            self.assertIn(named, str(self.assertRaises(ValueError, wrong)))
        self.observer.expect("online bridge br-int")

    def test_wrongOperations(self) -> None:
        """
        An operation of any form is answered: what is wrong is a syntax error that
        says so. The connection stays, and nothing has changed.
        """
        self.server.addBridge("br-int")
        before = self.server.tables
        protocol = OvsdbProtocol()
        connectProtocol(self.server.endpoint, protocol)
        for operation, said in WRONG_OPERATIONS:
            result = protocol.call("transact", [DATABASE, operation])
            self.server.advance(0)
            (error,) = self.successResultOf(result)
            self.assertEqual(error["error"], "syntax error", operation)
            self.assertIn(said, error["details"], operation)
        self.assertEqual(self.server.tables, before)

    def test_mutations(self) -> None:
        """
        Arithmetic is done with each element of a set. What an optional column
        cannot hold is a constraint violation.
        """
        self.server.addBridge("br-int")
        protocol = OvsdbProtocol()
        connectProtocol(self.server.endpoint, protocol)

        def mutate(table: str, *mutations: list[Any]) -> Any:
            operation = {"op": "mutate", "table": table, "where": [], "mutations": mutations}
            result = protocol.call("transact", [DATABASE, operation])
            self.server.advance(0)
            return self.successResultOf(result)[0].get("error")

        self.assertIsNone(mutate("Port", ["trunks", "insert", ["set", [1, 2]]]))
        self.assertIsNone(mutate("Port", ["trunks", "+=", 5], ["trunks", "delete", 7]))
        self.assertIsNone(mutate("Interface", ["mtu", "insert", 5], ["mtu", "+=", 1]))
        self.assertEqual(mutate("Interface", ["mtu", "insert", 5]), "constraint violation")
        (port,) = self.server.tables["Port"].values()
        (interface,) = self.server.tables["Interface"].values()
        self.assertEqual((port["trunks"], interface["mtu"]), ({6}, 6))

    def test_deepRequests(self) -> None:
        """
        A request that is nested too deeply is answered with an error, or the client
        is disconnected.
        """
        for depth in (*range(100, 900, 100), *range(900, 1000, 5)):
            deep: Any = "[" * depth + "]" * depth
            for request in (
                f'"method":"monitor","params":["{DATABASE}",{deep},{{}}]',
                f'"method":"transact","params":["{DATABASE}",{deep}]',
                f'"method":"transact","params":["{DATABASE}",{{"op":"insert",'
                f'"table":"Interface","row":{{"name":{deep}}}}}]',
                f'"method":{deep},"params":[]',
            ):
                protocol = OvsdbProtocol()
                connectProtocol(self.server.endpoint, protocol)
                transport: Any = protocol.transport
                transport.write(f'{{"id":0,{request}}}'.encode())
                next = protocol.echo("next")
                self.server.advance(0)
                if protocol.lost is None:
                    self.assertEqual(self.successResultOf(next), ["next"])
                else:
                    self.failureResultOf(next, SessionLost)

    def test_notConnected(self) -> None:
        """
        connectedFactory fails if the server is down.
        """
        self.server.kill()
        error = self.assertRaises(AssertionError, connectedFactory, self.server)
        self.assertIn("not in sync", str(error))

    def test_clock(self) -> None:
        """
        The server takes a clock of the user, so that other objects can share
        it.
        """
        clock = Clock()
        self.assertIs(MemoryServer(clock).clock, clock)

    def test_anyTime(self) -> None:
        """
        Probes are sent and answered correctly, at whatever fraction of a second
        the clock begins.
        """
        clock = Clock()
        # With this number, rounding makes now - since < limit, though since + limit - now is 0.
        clock.advance(3.8413583915717853)
        server, observer = MemoryServer(clock), RecordingObserver()
        connectedFactory(server, observer)
        server.advance(20)
        observer.expect("synchronized initial")

    def test_badClient(self) -> None:
        """
        A client that does not speak the protocol is disconnected.
        """
        protocol = OvsdbProtocol()
        lost: list[BaseException] = []
        protocol.whenLost().addCallback(lost.append)
        connectProtocol(self.server.endpoint, protocol)
        transport: Any = protocol.transport
        transport.write(b"rubbish")
        self.server.advance(0)
        self.assertEqual(len(lost), 1)


class BridgesTests(SynchronousTestCase):
    """
    What is told of the bridges of a server in memory, with C{bridges=True}.
    """

    def told(self, observer: RecordingObserver) -> dict[str, tuple[str, str | None]]:
        """
        What has happened to each interface, and its bridge.
        """
        return {
            event.interface.name: (type(event).__name__[9:].lower(), event.interface.bridge)
            for event in observer.take()
            if isinstance(event, InterfaceEvent)
        }

    def follow(self, server: MemoryServer) -> None:
        """
        Add, move and remove ports.
        """
        observer = RecordingObserver()
        connectedFactory(server, observer, bridges=True)
        server.addBridge("br-int")
        server.addBridge("br-ex")
        server.addPort("br-int", "tap1", iface_id="vm-1")
        server.addBond("br-int", "bond0", ["eth1", "eth2"], type="gre", options={"remote_ip": "x"})
        server.addFakeBridge("br-9", "br-int", 9)
        server.addPort("br-9", "tap9", iface_id="vm-9")
        on = dict.fromkeys(("br-int", "tap1", "eth1", "eth2", "tap9"), ("online", "br-int"))
        self.assertEqual(self.told(observer), {**on, "br-ex": ("online", "br-ex")})
        server.movePort("tap1", "br-ex")
        observer.expect("changed vm tap1 update")
        server.movePort("bond0", "br-ex")
        self.assertEqual(self.told(observer), dict.fromkeys(("eth1", "eth2"), ("changed", "br-ex")))
        server.deleteBridge("br-9")
        self.assertEqual(self.told(observer), {"tap9": ("offline", "br-int")})
        server.deleteBridge("br-ex")
        gone = dict.fromkeys(("br-ex", "tap1", "eth1", "eth2"), ("offline", "br-ex"))
        self.assertEqual(self.told(observer), gone)
        server.restart()
        server.advance(10)
        observer.expect("disconnected", "online bridge br-int replay", "synchronized resync")

    def test_differences(self) -> None:
        """
        A moved port is one changed event. A fake bridge is no bridge.
        """
        self.follow(MemoryServer())

    def test_olderServer(self) -> None:
        """
        A server that has only C{monitor} leads to the same events.
        """
        server = MemoryServer()
        server.forgetMethods("monitor_cond", "monitor_cond_since")
        self.follow(server)


class RecordingObserverTests(SynchronousTestCase):
    """
    Tests for L{RecordingObserver}.
    """

    def test_expect(self) -> None:
        """
        If other events were told than expected, the error shows what was told.
        An event that was expected is not expected again.
        """
        server, observer = MemoryServer(), RecordingObserver()
        connectedFactory(server, observer)
        server.addBridge("br-int")
        for wrong in (
            (),
            ("synchronized",),
            ("synchronized", "online vm br-int"),
            ("synchronized resync", "online bridge br-int"),
            ("synchronized", "online bridge br-int", "disconnected"),
        ):
            again = RecordingObserver()
            again.events = list(observer.events)
            error = self.assertRaises(AssertionError, again.expect, *wrong)
            self.assertIn(
                "told:\n  synchronized initial\n  online bridge br-int update", str(error)
            )
        observer.expect("synchronized", "online bridge br-int")
        observer.expect()

    def test_take(self) -> None:
        """
        Each event is taken once.
        """
        server, observer = MemoryServer(), RecordingObserver()
        connectedFactory(server, observer)
        taken: list[Event] = observer.take()
        self.assertEqual(summaries(taken), [("synchronized", "initial")])
        self.assertEqual(observer.take(), [])


class SocketTests(TestCase):
    """
    The same server over a real socket.
    """

    async def test_listen(self) -> None:
        """
        The server answers requests, reports changes, and refuses wrong
        requests.
        """
        from twisted.internet import reactor

        server = MemoryServer()
        path = self.mktemp()[-90:]
        port = await server.listen(UNIXServerEndpoint(reactor, path))
        self.addCleanup(port.stopListening)
        protocol: OvsdbProtocol = await connectProtocol(
            UNIXClientEndpoint(reactor, path), OvsdbProtocol()
        )

        def close() -> Deferred[BaseException]:
            protocol.abort(RuntimeError("the test is over"))
            return protocol.whenLost()

        self.addCleanup(close)
        told: Deferred[Any] = Deferred()
        self.assertEqual(await protocol.listDatabases(), ["Open_vSwitch"])
        first = await protocol.monitor(
            "Open_vSwitch", "m", {"Interface": {"columns": ["name"]}}, told.callback
        )
        self.assertEqual(first, {})
        server.addBridge("br-int")
        self.assertEqual(
            json.dumps([*(await told)["Interface"].values()]), '[{"new": {"name": "br-int"}}]'
        )
        wrong = protocol.transact("Open_vSwitch", {"op": "insert", "table": "Zed", "row": {}})
        await self.assertFailure(wrong, TransactionFailed)
