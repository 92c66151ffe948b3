# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server in memory is compared with the real ovsdb-server: the same
operations on both give the same results and the same notifications.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live.support import connect, requireOpenVSwitch
from tools.openvswitch import PrivateOpenVSwitch
from twisted_ovsdb import RpcError
from twisted_ovsdb.testing import MemoryServer
from twisted_ovsdb.testing.schema import DATABASE, SCHEMA
from twisted_ovsdb.wire.notation import encode

TRANSACTIONS: Final = 400
"""How many random transactions there are."""

SEED: Final = int(os.environ.get("TWISTED_OVSDB_SEED", "1"))

REQUESTS: Final = {
    name: {"columns": list(table["columns"])} for name, table in SCHEMA["tables"].items()
}
"""All tables and columns of the server in memory."""

NARROW: Final = {
    "Interface": [
        {"columns": ["name"], "select": {"modify": False}},
        {"columns": ["ofport"], "select": {"initial": False, "delete": False}},
    ]
}
"""Another monitor request: two requests for one table, each with C{select}."""

Operations = list[dict[str, Any]]

REFUSED: Final[list[tuple[str, list[Any]]]] = [
    ("no_such_method", []),
    ("get_schema", ["Nope"]),
    ("monitor", ["Nope", "x", {"Interface": {}}]),
    ("monitor", [DATABASE, "wide", {"Interface": {}}]),
    ("monitor", [DATABASE, "x", {"Zed": {}}]),
    ("monitor", [DATABASE, "x", {"Interface": {"columns": ["zz"]}}]),
    ("monitor", [DATABASE, "x", {"Interface": [{"columns": ["name"]}, {"columns": ["name"]}]}]),
    ("monitor_cancel", ["x"]),
    ("transact", ["Nope"]),
]
"""Requests that are answered with an error."""

WRONG: Final[list[Operations]] = [
    [{"op": "insert", "table": "Zed", "row": {}}],
    [{"op": "insert", "table": "Interface", "row": {"zz": 1}}],
    [{"op": "insert", "table": "Interface", "row": {"name": 1}}],
    [{"op": "fly", "table": "Interface"}],
    [{"op": "abort"}],
    [{"op": "update", "table": "Interface", "where": [], "row": {"name": "x"}}],
    [{"op": "select", "table": "Interface", "where": [["name", "~", "x"]]}],
    [{"op": "select", "table": "Interface", "where": [["zz", "==", "x"]]}],
    [{"op": "select", "table": "Interface", "where": [], "columns": ["zz"]}],
    [{"op": "select", "table": "Interface"}],
    [{"op": "insert", "table": "Interface", "row": []}],
    [{"op": "update", "table": "Interface", "where": [], "row": {"link_state": "x"}}],
    [{"op": "insert", "table": "Open_vSwitch", "uuid-name": "o", "row": {}}],
    [{"op": "mutate", "table": "Interface", "where": [], "mutations": [["zz", "insert", "x"]]}],
    [{"op": "comment", "comment": "x"}, {"op": "abort"}, {"op": "comment", "comment": "y"}],
]
"""Transactions that fail and change nothing."""


class Author:
    """
    Writes random transactions. In these, a label such as C{@tap1} stands for
    the UUID of a row.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.bridges: list[str] = []
        self.ports: dict[str, str] = {}
        self._number = 0

    def write(self) -> Operations:
        """
        The next transaction.
        """
        self._number += 1
        if not self.bridges:
            return self.addBridge()
        kinds = [self.addPort] * 5 + [self.set] * 8 + [self.mutate] * 4 + [self.delete] * 3
        kinds += [self.recreate, self.batch, self.select, self.addBridge, self.deleteBridge]
        kinds += [self.wrong, self.twice, self.dangling, self.unreferenced]
        return self.random.choice(kinds)()

    def addBridge(self) -> Operations:
        """A new bridge without ports."""
        name = f"br{self._number}"
        self.bridges.append(name)
        return [
            insert("Bridge", name, {"name": name}),
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "insert", ["named-uuid", name]]],
            },
        ]

    def deleteBridge(self) -> Operations:
        """A bridge is removed, with all its ports."""
        bridge = self.random.choice(self.bridges)
        self.bridges.remove(bridge)
        self.ports = {port: on for port, on in self.ports.items() if on != bridge}
        return [
            {
                "op": "mutate",
                "table": "Open_vSwitch",
                "where": [],
                "mutations": [["bridges", "delete", ["uuid", f"@{bridge}"]]],
            }
        ]

    def addPort(self, name: str | None = None) -> Operations:
        """A new port with one interface."""
        name = name or f"tap{self._number}"
        bridge = self.random.choice(self.bridges)
        self.ports[name] = bridge
        interface = {"name": name, **self.columns()}
        port = {"name": name, "interfaces": ["named-uuid", f"i{name}"]}
        return [
            insert("Interface", f"i{name}", interface),
            insert("Port", name, port),
            mutate("Bridge", bridge, "ports", "insert", ["named-uuid", name]),
        ]

    def delete(self) -> Operations:
        """A port is removed, by deleting the reference to it."""
        if not self.ports:
            return self.addPort()
        name = self.random.choice(list(self.ports))
        bridge = self.ports.pop(name)
        return [mutate("Bridge", bridge, "ports", "delete", ["uuid", f"@{name}"])]

    def recreate(self) -> Operations:
        """A port is removed and added again with its name, in one transaction."""
        if not self.ports:
            return self.addPort()
        name = self.random.choice(list(self.ports))
        bridge = self.ports.pop(name)
        gone = mutate("Bridge", bridge, "ports", "delete", ["uuid", f"@{name}"])
        return [gone, *self.addPort(name)]

    def batch(self) -> Operations:
        """Several new ports at once."""
        ports = [self.addPort(f"tap{self._number}x{n}") for n in range(self.random.randint(2, 6))]
        return [operation for operations in ports for operation in operations]

    def set(self) -> Operations:
        """New values for columns of an interface, or of none. Some values are the old ones."""
        row = self.columns()
        return [{"op": "update", "table": "Interface", "where": self.where(), "row": row}]

    def mutate(self) -> Operations:
        """Pairs of a map are added or removed."""
        column = self.random.choice(["external_ids", "options", "other_config"])
        pairs = encode({self.random.choice("abc"): self.random.choice("xy")})
        keys = ["set", self.random.sample("abc", self.random.randint(0, 3))]
        mutation = self.random.choice(
            [[column, "insert", pairs], [column, "delete", pairs], [column, "delete", keys]]
        )
        return [
            {
                "op": "mutate",
                "table": "Interface",
                "where": self.where(),
                "mutations": [mutation],
            }
        ]

    def select(self) -> Operations:
        """A select of the interfaces that meet one condition."""
        columns = ["name", "ofport", "external_ids"]
        where = self.random.choice(
            [
                [["name", "!=", "x"]],
                [["ofport", "includes", ["set", []]]],
                [["external_ids", "includes", encode({"a": "x"})]],
                [["external_ids", "excludes", encode({"a": "x"})]],
                [["type", "==", "internal"], ["name", "==", self.port()]],
            ]
        )
        return [{"op": "select", "table": "Interface", "where": where, "columns": columns}]

    def wrong(self) -> Operations:
        """A transaction that fails."""
        return self.random.choice(WRONG)

    def twice(self) -> Operations:
        """A port with a name that exists already."""
        before = dict(self.ports)
        operations = self.addPort(self.port())
        self.ports = before
        return operations if before else self.set()

    def dangling(self) -> Operations:
        """A reference to a row that does not exist."""
        nowhere = ["uuid", "00000000-1111-4111-8111-000000000000"]
        return [mutate("Bridge", self.random.choice(self.bridges), "ports", "insert", nowhere)]

    def unreferenced(self) -> Operations:
        """A row to which nothing refers: the server removes it at once."""
        return [insert("Interface", "i", {"name": f"gone{self._number}"})]

    def port(self) -> str:
        """The name of a port that exists, or of none."""
        return self.random.choice([*self.ports, "none"])

    def where(self) -> list[Any]:
        """A condition that one interface meets, or none."""
        return [["name", "==", self.port()]]

    def columns(self) -> dict[str, Any]:
        """Values for some columns of an interface."""
        choices: dict[str, list[object]] = {
            "ofport": [None, 1, 7, -1],
            "type": ["", "internal", "vxlan"],
            "error": [None, "could not open"],
            "external_ids": [{}, {"iface-id": "x"}, {"a": "x", "b": "é"}],
            "options": [{}, {"remote_ip": "192.0.2.1"}],
            "link_state": [None, "up", "down"],
        }
        chosen = self.random.sample(list(choices), self.random.randint(0, 4))
        return {name: encode(self.random.choice(choices[name])) for name in chosen}


def insert(table: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    """
    An operation that inserts a row.
    """
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def mutate(table: str, name: str, column: str, mutator: str, value: Any) -> dict[str, Any]:
    """
    An operation that mutates the row with this name.
    """
    where = [["name", "==", name]]
    return {"op": "mutate", "table": table, "where": where, "mutations": [[column, mutator, value]]}


class Side:
    """
    One of the two servers, with two connections. One of them writes, and both
    monitor.

    @ivar heard: the replies and notifications since the latest L{take}, in
        their order.
    """

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._labels: dict[str, str] = {}
        self._uuids: dict[str, str] = {}
        self._named = 0

    async def connect(self, case: TestCase, path: str) -> None:
        """
        Make both connections, and start the monitors.
        """
        self.path = path
        self.writer, self.reader = [await connect(case, path) for _ in range(2)]
        for name, protocol in (("writer", self.writer), ("reader", self.reader)):
            for monitor, requests in (("wide", REQUESTS), ("narrow", NARROW)):
                told = await protocol.monitor(
                    DATABASE,
                    monitor,
                    requests,
                    partial(self.hear, (name, monitor)),
                )
                self.hear((name, monitor), told)

    def hear(self, who: object, what: Any) -> None:
        """
        Record the rows that a monitor reports.
        """
        # The two servers give a row different UUIDs, so its label is made of
        # its name.
        for rows in what.values():
            for key, row in rows.items():
                if key not in self._labels:
                    named = row.get("new", row.get("old", {})).get("name", "root")
                    self._labels[key] = f"first {named} {len(self._labels)}"
        self.heard.append((who, what))

    async def transact(self, operations: Operations) -> None:
        """
        Run a transaction, and wait until both connections have its
        notifications.
        """
        wanted = json.loads(json.dumps(operations), object_hook=self._resolve)
        results: Any
        try:
            results = await self.writer.call("transact", [DATABASE, *wanted])
        except RpcError as e:
            results = str(e)
        for operation, result in zip(wanted, results, strict=False):
            if operation.get("op") == "insert" and result and "uuid" in result:
                self._name(operation, result["uuid"][1])
        self.heard.append(("results", [_summary(result) for result in results]))
        await self.reader.echo()

    def _name(self, operation: dict[str, Any], key: str) -> None:
        self._uuids[f"@{operation['uuid-name']}"] = key
        self._named += 1
        self._labels[key] = f"{operation['uuid-name']} {self._named}"

    def _resolve(self, value: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(value)
        for label, key in self._uuids.items():
            text = text.replace(f'"{label}"', f'"{key}"')
        resolved: dict[str, Any] = json.loads(text)
        return resolved

    def take(self) -> list[Any]:
        """
        What was recorded since the last call, with labels in place of UUIDs.
        """
        heard, self.heard = self.heard, []
        return [self._labelled(item) for item in heard]

    def _labelled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._labels.get(key, key): self._labelled(value[key]) for key in value}
        if isinstance(value, (list, tuple)):
            items = [self._labelled(item) for item in value]
            # A server sorts a set by its UUIDs, which are others on the other
            # server.
            if len(items) == 2 and items[0] == "set":
                return ["set", sorted(items[1], key=str)]
            return items
        return self._labels.get(value, value) if isinstance(value, str) else value


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
        switch = PrivateOpenVSwitch(vswitchd=False)
        self.addCleanup(deferToThread, switch.stop)
        await deferToThread(switch.start)
        self.memory = MemoryServer()
        path = str(switch.folder / "memory.sock")
        port = await self.memory.listen(UNIXServerEndpoint(reactor, path))
        self.addCleanup(port.stopListening)
        self.real, self.ours = Side(), Side()
        await self.real.connect(self, switch.unix)
        await self.ours.connect(self, path)
        # ovs-vsctl has initialized only the real one.
        for side in (self.real, self.ours):
            await side.transact(list(blank()))
            side.take()

    async def test_transactions(self) -> None:
        """
        After each of many transactions, valid and invalid ones, both servers
        give the same results and notifications, in the same order.
        """
        author = Author(SEED)
        compared = 0
        for number in range(TRANSACTIONS):
            operations = author.write()
            for side in (self.real, self.ours):
                await side.transact(operations)
            real, ours = self.real.take(), self.ours.take()
            # Notifications of two monitors come in the order of a hash table.
            self.assertEqual(_ordered(ours), _ordered(real), f"{number}: {operations}")
            compared += len(real)
        self.assertGreater(compared, 2 * TRANSACTIONS)
        print(f"\n{TRANSACTIONS} transactions, {compared} replies and notifications: all the same")

    async def test_firstReplies(self) -> None:
        """
        A client that connects later gets the same initial reply from both
        servers.
        """
        author = Author(SEED + 1)
        for _ in range(60):
            operations = author.write()
            for side in (self.real, self.ours):
                await side.transact(operations)
        replies = []
        for side in (self.real, self.ours):
            side.take()
            late = await connect(self, side.path)
            for requests in (REQUESTS, NARROW):
                side.hear("late", await late.monitor(DATABASE, str(requests), requests, print))
            replies.append(side.take())
        self.assertEqual(replies[1], replies[0])

    async def test_errors(self) -> None:
        """
        Both servers refuse the same requests with the same error texts.
        """
        for method, params in REFUSED:
            told = []
            for side in (self.real, self.ours):
                error = await self.assertFailure(side.writer.call(method, params), RpcError)
                told.append((error.error, error.details))
            self.assertEqual(told[1], told[0], f"{method} {params}")

    async def test_rest(self) -> None:
        """
        Both servers give the same databases, the same reply to echo, and the
        same updates after a monitor was cancelled.
        """
        told = []
        for side in (self.real, self.ours):
            databases = set(await side.reader.listDatabases()) - {"_Server"}
            schema = await side.reader.getSchema(DATABASE)
            self.assertLessEqual(set(REQUESTS), set(schema.tables))
            echo = await side.reader.echo("x", [1, {"é": None}])
            await side.reader.monitorCancel("wide")
            await side.transact(Author(SEED).addBridge())
            told.append((databases, echo, side.take()))
        self.assertEqual(told[1], told[0])


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
