# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Live tests for the requests of RFC 7047 and for replicas of any tables, against
a real ovsdb-server.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live.scratch import SCHEMA, Author, ScratchServer
from tests.live.support import connect, requireOpenVSwitch
from twisted_ovsdb import OvsdbProtocol, RpcError, TransactionFailed
from twisted_ovsdb.database.schema import DatabaseSchema, Row
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange

TRANSACTIONS = int(os.environ.get("TWISTED_OVSDB_TRANSACTIONS", "600"))
"""How many random transactions there are."""

SEED = int(os.environ.get("TWISTED_OVSDB_SEED", "1"))
"""The seed of the random transactions."""

Tables = dict[str, dict[str, Row]]


class ServerTestCase(TestCase):
    """
    Each test has a server with the database Every.
    """

    timeout = max(60, TRANSACTIONS // 5)

    async def setUp(self) -> None:  # type: ignore[override]
        requireOpenVSwitch(self)
        self.server = ScratchServer()
        self.addCleanup(deferToThread, self.server.stop)
        await deferToThread(self.server.start)

    async def connect(self) -> OvsdbProtocol:
        """
        A new connection, which is closed at the end of the test.
        """
        return await connect(self, self.server.unix)


class ReplicaTests(ServerTestCase):
    """
    Tests that compare the dialects C{monitor} and C{monitor_cond}.
    """

    async def select(self, protocol: OvsdbProtocol, schema: DatabaseSchema) -> Tables:
        """
        All rows of the database.
        """
        operations = [
            {
                "op": "select",
                "table": name,
                "where": [],
                "columns": [*table.columns, "_uuid", "_version"],
            }
            for name, table in schema.tables.items()
        ]
        results = await protocol.transact(schema.name, *operations)
        selected: Tables = {}
        for table, result in zip(schema.tables.values(), results, strict=True):
            rows = [table.decodeRow(row) for row in result["rows"]]
            selected[table.name] = {str(row["_uuid"]): row for row in rows}
        return selected

    def assertSame(self, replica: DatabaseReplica, tables: Tables, told: str) -> None:
        """
        Assert that the replica has exactly these rows.
        """
        self.assertEqual({name: dict(rows) for name, rows in replica.tables.items()}, tables, told)

    def assertSameTypes(self, replica: DatabaseReplica, tables: Tables) -> None:
        """
        Assert that the values have exactly these types. 1 and 1.0 are equal,
        so equal rows do not show that.
        """
        for name, rows in tables.items():
            for uuid, row in rows.items():
                held = replica.tables[name][uuid]
                self.assertEqual(
                    {c: _types(held[c]) for c in held}, {c: _types(row[c]) for c in row}
                )

    async def test_side_by_side(self) -> None:
        """
        After each of many random transactions, both replicas equal a select of
        everything, and so does the sum of all changes. At the end, new
        replicas on another connection are equal, too, and the old replicas
        find no change there.
        """
        writers = [await self.connect(), await self.connect()]
        schema = await writers[0].getSchema("Every")
        columns = {n: [*t.columns, "_uuid", "_version"] for n, t in schema.tables.items()}
        replicas, folds = [], []
        for protocol, conditional in zip(writers, (False, True), strict=True):
            replica, fold = DatabaseReplica(schema, columns, conditional), Fold(schema)
            fold.receive(await protocol.follow(replica, "all", fold.receive))
            replicas.append(replica)
            folds.append(fold)
        author = Author(schema, SEED)
        author.rows = await self.select(writers[0], schema)
        done: Counter[str] = Counter()
        for number in range(TRANSACTIONS):
            kind, operations = author.transaction()
            told = f"seed {SEED}, transaction {number}: {kind} {operations}"
            writer, other = writers if number % 2 else reversed(writers)
            try:
                author.committed(await writer.transact("Every", *operations))
                done[kind] += 1
            except TransactionFailed as e:
                done[f"{kind}: {e.error}"] += 1
            # The server sends a connection all updates before its next reply.
            author.rows = await self.select(other, schema)
            for replica, fold in zip(replicas, folds, strict=True):
                self.assertSame(replica, author.rows, told)
                self.assertEqual(fold.tables, author.rows, told)
        print(f"\n{TRANSACTIONS} transactions: {dict(sorted(done.items()))}")
        self.assertGreater(sum(n for kind, n in done.items() if ":" not in kind), TRANSACTIONS / 2)
        for replica in replicas:
            self.assertSameTypes(replica, author.rows)
        await self.checkLate(schema, replicas, author.rows)

    async def checkLate(
        self, schema: DatabaseSchema, replicas: list[DatabaseReplica], tables: Tables
    ) -> None:
        """
        Read snapshots into new replicas, and again into the old ones.
        """
        protocol = await self.connect()
        columns = {name: list(next(iter(rows.values()), {})) for name, rows in tables.items()}
        for conditional in (False, True):
            late = DatabaseReplica(schema, columns, conditional)
            changes = await protocol.follow(late, f"late {conditional}")
            self.assertEqual(len(changes), sum(map(len, tables.values())))
            self.assertSame(late, tables, "late")
        for number, replica in enumerate(replicas):
            self.assertEqual(await protocol.follow(replica, f"again {number}"), [])

    async def test_largeSnapshot(self) -> None:
        """
        A snapshot that is decoded row by row has the same rows, in both
        dialects.
        """
        protocol = await self.connect()
        schema = await protocol.getSchema("Every")
        rows: list[dict[str, Any]] = [
            {"op": "insert", "table": "Main", "row": {"string_one": f"row {n}"}} for n in range(700)
        ]
        results = await protocol.transact("Every", *rows)
        inserted = {result["uuid"][1]: f"row {n}" for n, result in enumerate(results)}
        for conditional in (False, True):
            replica = DatabaseReplica(schema, {"Main": ["string_one"]}, conditional)
            changes = await protocol.follow(replica, f"{conditional}")
            self.assertEqual(len(changes), 700)
            whole = {uuid: row["string_one"] for uuid, row in replica.tables["Main"].items()}
            self.assertEqual(whole, inserted)

    async def test_openVSwitch(self) -> None:
        """
        All tables of Open vSwitch's own database can be followed.
        """
        protocol = await self.connect()
        schema = await protocol.getSchema("Open_vSwitch")
        replicas = [DatabaseReplica(schema, None, conditional) for conditional in (False, True)]
        for number, replica in enumerate(replicas):
            self.assertEqual(await protocol.follow(replica, f"all {number}"), [])
        await deferToThread(self.server.vsctl, "add-br", "br0", "--", "add-port", "br0", "p1")
        await protocol.echo()
        for replica in replicas:
            ports = {row["name"]: uuid for uuid, row in replica.tables["Port"].items()}
            (bridge,) = replica.tables["Bridge"].values()
            self.assertEqual(bridge["ports"], frozenset([ports["br0"], ports["p1"]]))
        self.assertEqual(replicas[0].tables, replicas[1].tables)


class Fold:
    """
    The rows that all changes add up to.
    """

    def __init__(self, schema: DatabaseSchema) -> None:
        self.tables: Tables = {name: {} for name in schema.tables}

    def receive(self, changes: Iterable[RowChange]) -> None:
        """
        Apply some changes. Each must fit the row as it was before.
        """
        for change in changes:
            rows = self.tables[change.table]
            assert rows.get(change.uuid) == change.before != change.now
            if change.now is None:
                del rows[change.uuid]
            else:
                rows[change.uuid] = change.now


def _types(value: Any) -> object:
    if isinstance(value, frozenset):
        return "set", {type(atom) for atom in value}
    if hasattr(value, "items"):
        return "map", {(type(key), type(item)) for key, item in value.items()}
    return type(value)


class MethodTests(ServerTestCase):
    """
    Tests for each request alone.
    """

    async def failure(self, result: Deferred[Any]) -> RpcError:
        """
        @return: the error with which a request is refused.
        """
        try:
            answer = await result
        except RpcError as e:
            return e
        raise AssertionError(f"was not refused: {answer}")

    async def test_listDatabases(self) -> None:
        """
        The server names its databases.
        """
        protocol = await self.connect()
        names = await protocol.listDatabases()
        self.assertEqual(sorted(names), ["Every", "Open_vSwitch", "_Server"])

    async def test_getSchema(self) -> None:
        """
        The schemas of all databases can be read. The request is refused for a
        database that does not exist.
        """
        protocol = await self.connect()
        every = await protocol.getSchema("Every")
        self.assertEqual(every, DatabaseSchema.parse({**SCHEMA, "cksum": every.cksum}))
        openVSwitch = await protocol.getSchema("Open_vSwitch")
        self.assertTrue(openVSwitch.tables["Interface"].columns["statistics"].ephemeral)
        self.assertEqual(openVSwitch.raw["name"], "Open_vSwitch")
        await protocol.getSchema("_Server")
        refused = await self.failure(protocol.getSchema("Nope"))
        self.assertEqual(refused.error, "unknown database")

    async def test_echo(self) -> None:
        """
        The server sends back what it was sent.
        """
        protocol = await self.connect()
        self.assertEqual(await protocol.echo(), [])
        self.assertEqual(await protocol.echo("é", 1, {"a": [None]}), ["é", 1, {"a": [None]}])

    async def test_transactErrors(self) -> None:
        """
        An operation that fails, a commit that fails and an aborted transaction
        are each a TransactionFailed. A request for an unknown database is
        another error.
        """
        protocol = await self.connect()
        insert = {"op": "insert", "table": "Few", "row": {}}
        wrong = {"op": "insert", "table": "Few", "row": {"value": "a"}}
        failed = await self.failure(protocol.transact("Every", insert, wrong, insert))
        assert isinstance(failed, TransactionFailed)
        self.assertEqual((failed.error, failed.index), ("syntax error", 1))
        self.assertEqual(failed.results[2], None)
        self.assertIn("uuid", failed.results[0])
        failed = await self.failure(protocol.transact("Every", insert, insert, insert))
        assert isinstance(failed, TransactionFailed)
        self.assertEqual((failed.error, failed.index), ("constraint violation", 3))
        self.assertIn("limit of 2 row", failed.details)
        failed = await self.failure(protocol.transact("Every", {"op": "abort"}))
        assert isinstance(failed, TransactionFailed)
        self.assertEqual((failed.error, failed.index), ("aborted", 0))
        refused = await self.failure(protocol.transact("Nope"))
        self.assertNotIsInstance(refused, TransactionFailed)
        self.assertEqual(refused.error, "unknown database")
        (count,) = await protocol.transact("Every", {"op": "delete", "table": "Few", "where": []})
        self.assertEqual(count, {"count": 0})
        self.assertEqual(await protocol.transact("Every"), [])

    async def test_cancel(self) -> None:
        """
        A waiting transaction that is cancelled is never run, not even when its
        condition is met later.
        """
        protocol, other = await self.connect(), await self.connect()
        wait = {
            "op": "wait",
            "table": "Few",
            "where": [["value", "==", 1]],
            "columns": ["value"],
            "until": "==",
            "rows": [{"value": 1}],
        }
        insert = {"op": "insert", "table": "Special", "row": {}}
        come = {"op": "insert", "table": "Few", "row": {"value": 1}}
        waiting = protocol.transact("Every", wait, insert)
        still = protocol.transact("Every", wait, insert)
        await protocol.echo()
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting
        await protocol.echo()
        await other.transact("Every", come)
        self.assertEqual(len(await still), 2)
        select = {"op": "select", "table": "Special", "where": [], "columns": ["name"]}
        self.assertEqual(await other.transact("Every", select), [{"rows": [{"name": ""}]}])

    async def test_locks(self) -> None:
        """
        A lock passes from one connection to the next by unlock, by steal and
        by the loss of a connection. Connections are told when they get it and
        when it is stolen.
        """
        first, second = await self.connect(), await self.connect()
        told: list[tuple[str, bool]] = []
        self.assertTrue(await first.lock("l", lambda owned: told.append(("first", owned))))
        self.assertFalse(await second.lock("l", lambda owned: told.append(("second", owned))))
        held = {"op": "assert", "lock": "l"}
        self.assertEqual(await first.transact("Every", held), [{}])
        refused = await self.failure(second.transact("Every", held))
        self.assertEqual(refused.error, "not owner")
        await first.unlock("l")
        await second.echo()
        self.assertEqual(told, [("second", True)])
        self.assertTrue(await first.steal("l", lambda owned: told.append(("first", owned))))
        await second.echo()
        self.assertEqual(told[1:], [("second", False)])
        self.assertRaises(ValueError, first.lock, "l")
        await first.unlock("l")
        await second.echo()
        self.assertEqual(told[2:], [("second", True)])
        self.assertFalse(await first.lock("l", lambda owned: told.append(("first", owned))))
        second.abort(RuntimeError("gone"))
        while len(told) < 4:
            await first.echo()
        self.assertEqual(told[3:], [("first", True)])
        refused = await self.failure(first.unlock("never"))
        self.assertIn('"unlock" without "lock"', refused.details)
        refused = await self.failure(first.lock("not an id"))
        self.assertEqual(refused.error, "syntax error")

    async def test_monitorCancel(self) -> None:
        """
        A cancelled monitor reports nothing more, and its name can be used
        again.
        """
        protocol, other = await self.connect(), await self.connect()
        schema = await protocol.getSchema("Every")
        insert = {"op": "insert", "table": "Special", "row": {"name": "a"}}
        for conditional in (False, True):
            replica = DatabaseReplica(schema, ["Special"], conditional)
            told: list[list[RowChange]] = []
            await protocol.follow(replica, "m", told.append)
            refused = await self.failure(
                protocol.call("monitor", ["Every", "m", {"Special": [{"columns": []}]}])
            )
            self.assertIn("duplicate monitor ID", refused.details)
            await protocol.monitorCancel("m")
            await other.transact("Every", insert)
            await protocol.echo()
            self.assertEqual(told, [])
            (change,) = await protocol.follow(replica, "m", told.append)
            self.assertEqual((change.before, change.table), (None, "Special"))
            await protocol.transact("Every", {"op": "delete", "table": "Special", "where": []})
            self.assertEqual([[c.now for c in changes] for changes in told], [[None]])
            await protocol.monitorCancel("m")
        refused = await self.failure(protocol.monitorCancel("m"))
        self.assertEqual(refused.error, "unknown monitor")

    async def test_conditions(self) -> None:
        """
        A row is inserted when it begins to meet a condition, and deleted when
        it no longer meets it.
        """
        protocol = await self.connect()
        schema = await protocol.getSchema("Every")
        replica = DatabaseReplica(schema, {"Special": ["name", "percent"]}, conditional=True)
        requests = replica.requests()
        requests["Special"][0]["where"] = [["percent", ">", 50]]
        updates: list[list[RowChange]] = []
        replica.snapshot(
            await protocol.monitorCond(
                "Every", "m", requests, lambda tables: updates.append(replica.update(tables))
            )
        )
        insert = {"op": "insert", "table": "Special", "row": {"name": "a", "percent": 10}}
        await protocol.transact("Every", insert)
        for percent in (60, 70, 20):
            row = {"percent": percent}
            await protocol.transact(
                "Every", {"op": "update", "table": "Special", "where": [], "row": row}
            )
        percents = [[c.now and c.now["percent"] for c in changes] for changes in updates]
        self.assertEqual(percents, [[60], [70], [None]])
        self.assertEqual(dict(replica.tables["Special"]), {})
