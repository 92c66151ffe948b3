# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server in memory is compared with the real ovsdb-server: the same
operations on both give the same results and the same notifications.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, UNIXServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from tests.live.randomtransactions import Author, Operations
from tests.live.support import requireOpenVSwitch
from tests.testing.test_server import WRONG_OPERATIONS
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import RpcError
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.testing import MemoryServer
from twisted_ovsdb.testing.schema import DATABASE, SCHEMA
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.notation import encode

TRANSACTIONS: Final = 400
"""How many random transactions there are."""

SEED: Final = int(os.environ.get("TWISTED_OVSDB_SEED", "1"))

TABLES: Final = {name: list(table["columns"]) for name, table in SCHEMA["tables"].items()}
"""All tables and columns of the server in memory."""

WHOLE: Final = {
    name: [{"columns": [*columns, "_uuid", "_version"]}] for name, columns in TABLES.items()
}

NARROW: Final = {
    "Interface": [
        {"columns": ["name"], "select": {"modify": False}},
        {"columns": ["ofport"], "select": {"initial": False, "delete": False}},
    ],
    "Port": {"columns": ["interfaces"], "select": {"insert": False}},
}
"""Several requests, some of them for one table, each with C{select}."""

UNMODIFIED: Final = {
    "Interface": [
        {"columns": ["ofport", "external_ids"], "select": {"modify": False}},
        {"columns": ["type"]},
    ],
    "Bridge": {"columns": []},
}
"""Changes of some columns are not told. Of a table no column is told."""

CONDITIONAL: Final = {
    "Interface": [
        {
            "columns": ["name", "options", "_version"],
            "where": [
                ["ofport", "==", 7],
                ["external_ids", "includes", encode({"a": "z"})],
                ["link_state", "==", "down"],
                ["_uuid", "==", ["uuid", str(UUID(int=1))]],
            ],
        },
        {"columns": ["type"], "select": {"modify": False}},
    ],
    "Port": [
        {
            "columns": ["name", "interfaces"],
            "where": [False, ["tag", ">", 4000], ["trunks", "includes", 4000]],
        }
    ],
    "Bridge": [{"columns": ["ports"], "where": [["name", "!=", ""]]}],
}
"""
Only the rows for which one of the conditions holds. Every column is here that
later conditions read: if they read others, ovsdb-server 3.1 crashes when several
clients have this monitor.
"""

NO_TRANSACTION: Final = "00000000-0000-0000-0000-000000000000"

MONITORS: Final[list[tuple[str, list[Any]]]] = [
    ("monitor", [DATABASE, "whole", WHOLE]),
    ("monitor", [DATABASE, "narrow", NARROW]),
    ("monitor", [DATABASE, {"id": 1}, UNMODIFIED]),
    ("monitor_cond", [DATABASE, "whole 2", WHOLE]),
    ("monitor_cond", [DATABASE, "narrow 2", NARROW]),
    ("monitor_cond", [DATABASE, "unmodified 2", UNMODIFIED]),
    ("monitor_cond", [DATABASE, "where 2", CONDITIONAL]),
    ("monitor_cond_since", [DATABASE, "whole 3", WHOLE, NO_TRANSACTION]),
    ("monitor_cond_since", [DATABASE, "where 3", CONDITIONAL, str(UUID(int=1))]),
]
"""The monitors of each connection."""

REFUSED: Final[list[tuple[str, list[Any]]]] = [
    ("no_such_method", []),
    ("get_schema", ["Nope"]),
    ("monitor", ["Nope", "x", {"Interface": {}}]),
    ("monitor", [DATABASE, "whole", {"Interface": {}}]),
    ("monitor", [DATABASE, "x", []]),
    ("monitor", [DATABASE, "x", {"Zed": {}}]),
    ("monitor", [DATABASE, "x", {"Interface": [1]}]),
    ("monitor", [DATABASE, "x", {"Interface": {"columns": ["zz"]}}]),
    ("monitor", [DATABASE, "x", {"Interface": {"columns": [1]}}]),
    ("monitor", [DATABASE, "x", {"Interface": {"columns": "name"}}]),
    ("monitor", [DATABASE, "x", {"Interface": [{"columns": ["name"]}, {"columns": ["name"]}]}]),
    ("monitor", [DATABASE, "x", {"Interface": {"select": {"initial": 1}}}]),
    ("monitor", [DATABASE, "x", {"Interface": {"select": {"zz": True}}}]),
    ("monitor", [DATABASE, "x", {"Interface": {"where": []}}]),
    ("monitor_cond", [DATABASE, "x", {"Interface": {}}, 1]),
    ("monitor_cond", [DATABASE, "whole", {"Interface": {}}]),
    ("monitor_cond", [DATABASE, "x", {"Interface": {"where": [1]}}]),
    ("monitor_cond", [DATABASE, "x", {"Interface": {"where": [["zz", "==", 1]]}}]),
    ("monitor_cond", [DATABASE, "x", {"Interface": {"where": [["name", "~", "x"]]}}]),
    ("monitor_cond_since", [DATABASE, "x", {"Interface": {}}]),
    ("monitor_cond_since", [DATABASE, "x", {"Interface": {}}, 1]),
    ("monitor_cond_since", [DATABASE, "x", {"Interface": {}}, "x"]),
    ("monitor_cond_change", ["whole 2", "whole 2"]),
    ("monitor_cond_change", ["x", "x", {}]),
    ("monitor_cond_change", ["whole 2", "whole 3", {}]),
    ("monitor_cond_change", ["whole 2", "whole 2", []]),
    ("monitor_cond_change", ["whole 2", "whole 2", {"Zed": []}]),
    ("monitor_cond_change", ["narrow 2", "narrow 2", {"Bridge": []}]),
    ("monitor_cond_change", ["whole 2", "whole 2", {"Bridge": {"where": []}}]),
    ("monitor_cond_change", ["whole 2", "whole 2", {"Bridge": [{"columns": [], "where": []}]}]),
    ("monitor_cond_change", ["whole 2", "whole 2", {"Bridge": [{"zz": [], "where": []}]}]),
    ("monitor_cond_change", ["whole 2", "whole 2", {"Bridge": [{"where": [["zz", "==", 1]]}]}]),
    ("monitor_cancel", ["x"]),
    ("transact", ["Nope"]),
]
"""Requests that are answered with an error."""


class Client(Protocol):
    """
    Sends requests, and records notifications.

    @ivar monitors: the ids of its monitors.
    """

    def __init__(self, name: str, hear: Callable[[Any], None]) -> None:
        self.name = name
        self.monitors: list[Any] = []
        self._hear = hear
        self._stream = JSONStream()
        self._awaited: dict[Any, Deferred[Any]] = {}

    def call(self, method: str, params: list[Any]) -> Deferred[Any]:
        """
        Send a request.

        @return: a Deferred of the result, which fails with RpcError.
        """
        number = len(self._awaited)
        transport: Any = self.transport
        transport.write(jsonrpc.encodeRequest(number, method, params))
        self._awaited[number] = Deferred()
        return self._awaited[number]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Fail the requests that were not answered.
        """
        for deferred in self._awaited.values():
            if not deferred.called:
                deferred.errback(reason)

    def dataReceived(self, data: bytes) -> None:
        """
        Read messages.
        """
        for value in self._stream.feed(data):
            message = jsonrpc.parseMessage(value)
            if isinstance(message, jsonrpc.Notification):
                monitorId, *params = message.params
                self._hear(((self.name, str(monitorId)), message.method, params))
            elif isinstance(message, jsonrpc.Reply):
                self._awaited[message.id].callback(message.result)
            elif isinstance(message, jsonrpc.ErrorReply):
                self._awaited[message.id].errback(message.error)


class Side:
    """
    One of the two servers, with two connections. One of them writes, and both
    monitor.

    @ivar heard: the replies and notifications since the latest L{take}, in
        their order.
    """

    def __init__(self, case: TestCase, path: str) -> None:
        self.heard: list[Any] = []
        self._case = case
        self._path = path
        self._labels: dict[str, str] = {}
        self._versions: dict[str, list[str]] = {}
        self._uuids: dict[str, str] = {}
        self._named = 0

    async def start(self) -> None:
        """
        Make both connections, with their monitors.
        """
        self.writer, self.reader = await self.connect("writer"), await self.connect("reader")

    async def connect(self, name: str) -> Client:
        """
        Make one connection, and start all monitors.
        """
        endpoint = UNIXClientEndpoint(reactor, self._path)
        client: Client = await connectProtocol(endpoint, Client(name, self.heard.append))
        transport: Any = client.transport
        self._case.addCleanup(transport.loseConnection)
        for method, params in MONITORS:
            reply = await client.call(method, params)
            self.heard.append(((name, str(params[1])), "reply", reply))
        return client

    async def transact(self, operations: Operations) -> None:
        """
        Run a transaction, and wait until both connections have its
        notifications.
        """
        wanted = self._resolved(operations)
        results = await self.writer.call("transact", [DATABASE, *wanted])
        for operation, result in zip(wanted, results, strict=False):
            if operation.get("op") == "insert" and result and "uuid" in result:
                self._name(operation, result["uuid"][1])
        self.heard.append(("results", [_summary(result) for result in results]))
        await self.reader.call("echo", [])

    async def changeConditions(self, monitorId: str, requests: dict[str, Any]) -> None:
        """
        Change conditions of one of the writer's monitors.
        """
        params = [monitorId, monitorId, self._resolved(requests)]
        reply = await self.writer.call("monitor_cond_change", params)
        self.heard.append((("writer", monitorId), "changed", reply))

    def _name(self, operation: dict[str, Any], key: str) -> None:
        self._uuids[f"@{operation['uuid-name']}"] = key
        self._named += 1
        self._labels[key] = f"{operation['uuid-name']} {self._named}"

    def _resolved(self, value: Any) -> Any:
        text = json.dumps(value)
        for label, key in self._uuids.items():
            text = text.replace(f'"{label}"', f'"{key}"')
        return json.loads(text)

    def take(self) -> list[Any]:
        """
        What was recorded since the last call, with labels in place of UUIDs.
        """
        # The clients add to this list too.
        heard = self.heard[:]
        self.heard.clear()
        return [self._labelled(item, "") for item in heard]

    def _labelled(self, value: Any, row: str) -> Any:
        if isinstance(value, dict):
            return {self._label(key): self._member(key, value[key], row) for key in value}
        if isinstance(value, (list, tuple)):
            items = [self._labelled(item, row) for item in value]
            # A server sorts a set by its UUIDs, which are others on the other
            # server.
            if len(items) == 2 and items[0] == "set":
                return ["set", sorted(items[1], key=str)]
            return items
        return self._label(value) if isinstance(value, str) else value

    def _member(self, name: str, value: Any, row: str) -> Any:
        if name != "_version":
            return self._labelled(value, name if name in self._labels else row)
        # The versions of a row are numbered in the order in which they are told.
        versions = self._versions.setdefault(row, [])
        if value not in versions:
            versions.append(value)
        return versions.index(value)

    def _label(self, text: str) -> str:
        return self._labels.get(text, text)

    async def root(self) -> None:
        """
        Give the only row that was not inserted by a test its label.
        """
        select = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["_uuid"]}
        (result,) = await self.writer.call("transact", [DATABASE, select])
        self._labels[result["rows"][0]["_uuid"][1]] = "root"


def _summary(result: Any) -> Any:
    """
    A result without the text that explains an error.
    """
    if isinstance(result, dict) and "error" in result:
        return {"error": result["error"]}
    if isinstance(result, dict) and "rows" in result:
        return sorted(result["rows"], key=lambda row: str(row["name"]))
    return result


class DifferentialTests(TestCase):
    """
    Tests that run the same operations on both servers.
    """

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]
        requireOpenVSwitch(self)
        self.ovs = PrivateOpenVSwitch(vswitchd=False)
        self.addCleanup(deferToThread, self.ovs.stop)
        await deferToThread(self.ovs.start)
        self.memory = MemoryServer()
        path = str(self.ovs.folder / "memory.sock")
        port = await self.memory.listen(UNIXServerEndpoint(reactor, path))
        self.addCleanup(port.stopListening)
        self.real, self.ours = self.sides = Side(self, self.ovs.unix), Side(self, path)
        for side in self.sides:
            await side.start()
            await side.root()
            # ovs-vsctl has initialized only the real one.
            await side.transact(list(blank()))
            side.take()

    async def test_transactions(self) -> None:
        """
        After each of many transactions, valid and invalid ones, and after each
        change of conditions, both servers give the same results and
        notifications, in the same order.
        """
        author = Author(SEED)
        compared: Counter[str] = Counter()
        for number in range(TRANSACTIONS):
            step: Any
            if number % 4:
                step = author.write()
                for side in self.sides:
                    await side.transact(step)
            else:
                step = author.conditions()
                monitorId = author.random.choice(["where 2", "where 3", "whole 2"])
                for side in self.sides:
                    await side.changeConditions(monitorId, step)
            real, ours = self.real.take(), self.ours.take()
            # Notifications of two monitors come in the order of a hash table.
            self.assertEqual(_ordered(ours), _ordered(real), f"{number}: {step}")
            compared.update(what[1] for what in real if isinstance(what[1], str))
        for what in ("update", "update2", "update3"):
            self.assertGreater(compared[what], TRANSACTIONS)
        print(f"\n{TRANSACTIONS} steps, and of each kind the same: {dict(compared)}")

    async def test_firstReplies(self) -> None:
        """
        A client that connects later gets the same initial replies from both
        servers.
        """
        author = Author(SEED + 1)
        for _ in range(60):
            operations = author.write()
            for side in self.sides:
                await side.transact(operations)
        for side in self.sides:
            side.take()
            await side.connect("late")
        self.assertEqual(self.ours.take(), self.real.take())

    async def test_errors(self) -> None:
        """
        Both servers refuse the same requests with the same error texts.
        """
        for method, params in REFUSED:
            told = []
            for side in self.sides:
                error = await self.assertFailure(side.writer.call(method, params), RpcError)
                told.append((error.error, error.details))
            self.assertEqual(told[1], told[0], f"{method} {params}")

    async def test_wrongOperations(self) -> None:
        """
        Both servers refuse the same operations with the same error.
        """
        for operation, _ in WRONG_OPERATIONS:
            told = []
            for side in self.sides:
                (error,) = await side.writer.call("transact", [DATABASE, operation])
                told.append(error["error"])
            self.assertEqual(told[1], told[0], operation)

    async def test_rest(self) -> None:
        """
        Both servers give the same databases, columns of the same types, the same
        reply to echo, and the same updates after monitors were cancelled and
        renamed.
        """
        told = []
        known = DatabaseSchema.parse(SCHEMA)
        for side in self.sides:
            databases = set(await side.reader.call("list_dbs", [])) - {"_Server"}
            schema = DatabaseSchema.parse(await side.reader.call("get_schema", [DATABASE]))
            for table, columns in TABLES.items():
                # Also on the real server, with the same types and constraints.
                for column in columns:
                    expected = known.tables[table].columns[column]
                    self.assertEqual(schema.tables[table].columns[column], expected)
            echo = await side.reader.call("echo", ["x", [1, {"é": None}]])
            for monitorId in ("whole", {"id": 1}):
                await side.reader.call("monitor_cancel", [monitorId])
            await side.reader.call("monitor_cond_change", ["whole 3", ["new"], {}])
            await side.transact(Author(SEED).addBridge())
            told.append((databases, echo, _ordered(side.take())))
        self.assertEqual(told[1], told[0])

    async def test_commands(self) -> None:
        """
        The methods of the server in memory make the same bridges, ports and
        interfaces as ovs-vsctl.
        """
        move = "remove Bridge {0} ports {2} -- add Bridge {1} ports {2}"
        for commands, change in (
            ("add-br br-int -- add-br br-ex", ["addBridge br-int", "addBridge br-ex"]),
            ("add-port br-int tap1", ["addPort br-int tap1"]),
            ("add-bond br-ex bond0 eth1 eth2", ["addBond br-ex bond0 eth1,eth2"]),
            ("add-br vlan9 br-int 9", ["addFakeBridge vlan9 br-int 9"]),
            ("add-port vlan9 tap9", ["addPort vlan9 tap9"]),
            (move.format("br-int", "br-ex", "tap1"), ["movePort tap1 br-ex"]),
            (move.format("br-ex", "br-int", "bond0"), ["movePort bond0 br-int"]),
            ("del-br vlan9", ["deleteBridge vlan9"]),
            ("del-port bond0", ["deletePort bond0"]),
            ("del-br br-ex", ["deleteBridge br-ex"]),
        ):
            for line in change:
                method, *arguments = line.split()
                given = [self._argument(text) for text in arguments]
                getattr(self.memory, method)(*given)
            await deferToThread(self.ovs.vsctl, *await self._withUUIDs(commands))
            self.assertEqual(await self._show(self.ours), await self._show(self.real), commands)

    def _argument(self, text: str) -> Any:
        if "," in text:
            return text.split(",")
        return int(text) if text.isdigit() else text

    async def _withUUIDs(self, commands: str) -> list[str]:
        """
        The words of commands. In these, the last word of C{remove} and C{add}
        is the name of a port, for which its UUID is needed.
        """
        words = commands.split()
        names = {words[n + 4] for n, word in enumerate(words) if word in ("remove", "add")}
        for name in names:
            select = {"op": "select", "table": "Port", "where": [["name", "==", name]]}
            (result,) = await self.real.writer.call("transact", [DATABASE, select])
            key = result["rows"][0]["_uuid"][1]
            words = [key if word == name else word for word in words]
        return words

    async def _show(self, side: Side) -> Any:
        """
        The bridges, with their ports and interfaces.
        """
        columns = {
            "Bridge": ["_uuid", "name", "ports"],
            "Port": ["_uuid", "name", "interfaces", "tag", "fake_bridge"],
            "Interface": ["_uuid", "name", "type"],
        }
        selects = [
            {"op": "select", "table": table, "where": [], "columns": names}
            for table, names in columns.items()
        ]
        found = await side.writer.call("transact", [DATABASE, *selects])
        schema = DatabaseSchema.parse(SCHEMA)
        rows: list[dict[Any, Any]] = []
        for table, result in zip(columns, found, strict=True):
            decoded = map(schema.tables[table].decodeRow, result["rows"])
            rows.append({row["_uuid"]: row for row in decoded})
        bridges, ports, interfaces = rows
        return {
            bridge["name"]: {
                ports[port]["name"]: (
                    ports[port]["tag"],
                    ports[port]["fake_bridge"],
                    sorted(
                        (interfaces[key]["name"], interfaces[key]["type"])
                        for key in ports[port]["interfaces"]
                    ),
                )
                for port in bridge["ports"]
            }
            for bridge in bridges.values()
        }


def blank() -> Iterator[dict[str, Any]]:
    """
    The operation that gives the row of Open_vSwitch the same values on both
    servers.
    """
    columns = SCHEMA["tables"]["Open_vSwitch"]["columns"]
    row: dict[str, Any] = {"next_cfg": 0, "cur_cfg": 0}
    for name, column in columns.items():
        row.setdefault(name, ["map" if "value" in column["type"] else "set", []])
    yield {"op": "update", "table": "Open_vSwitch", "where": [], "row": row}


def _ordered(heard: list[Any]) -> list[Any]:
    """
    What was recorded, sorted. Between two results, the monitors of a
    connection may report in any order.
    """
    return sorted(heard, key=lambda item: str(item[0]))
