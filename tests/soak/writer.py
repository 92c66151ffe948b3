# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Writers that change the database. Each has its own connection, directly to the
server, and connects again by itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.soak.database import Operation, Refused, connect, transact
from tests.soak.waiting import until, wait
from twisted_ovsdb import OvsdbError, OvsdbProtocol
from twisted_ovsdb.openvswitch.rows import TABLE

_log = Logger()

RETRY: Final = 0.03
"""Seconds until a writer tries again to connect."""


class Writer:
    """
    Owns some bridges and the ports on them, by their names. It changes them in
    one transaction after another. Subclasses define the changes.

    @ivar committed: counts the transactions that the server has committed.
    @ivar refused: counts the transactions that the server has refused.
    @ivar uncertain: counts the transactions whose reply was lost.
    @ivar ports: the UUID of each port that exists, by name.
    @ivar stale: set it to make the writer read again what exists.
    """

    def __init__(
        self, reactor: Any, paths: Sequence[str], name: str, rng: random.Random, bridges: int = 2
    ) -> None:
        """
        @param paths: the unix sockets where the server may be.
        """
        self.name = name
        self.rng = rng
        self.committed = self.refused = self.uncertain = 0
        self.ports: dict[str, str] = {}
        self.stale = False
        self._reactor = reactor
        self._paths = paths
        self._bridges = [f"br-{name}-{number}" for number in range(bridges)]
        self._wanted = False
        self._idle = True
        self._protocol: OvsdbProtocol | None = None

    async def change(self) -> None:
        """
        Run the next transaction.
        """
        raise NotImplementedError

    def start(self) -> None:
        """
        Begin, or go on.
        """
        self._wanted = True
        if self._idle:
            self._idle = False
            self._reactor.callLater(0, self._begin)

    async def pause(self) -> None:
        """
        Finish the present transaction and stay idle.
        """
        self._wanted = False
        await until(self._reactor, lambda: self._idle)

    async def stop(self) -> None:
        """
        Close the connection and be idle.
        """
        self._wanted = False
        if self._protocol is not None:
            self._protocol.abort(OvsdbError("the end"))
        await self.pause()

    async def commit(self, *operations: Operation) -> list[Any]:
        """
        Run one transaction and count it.
        """
        assert self._protocol is not None
        try:
            results = await transact(self._protocol, *operations)
        except Refused:
            self.refused += 1
            raise
        except OvsdbError:
            self.uncertain += 1
            raise
        self.committed += 1
        return results

    async def add(self, rows: dict[str, dict[str, Any]], without: Sequence[str] = ()) -> None:
        """
        Add interfaces, and remove others in the same transaction.
        """
        operations = self._removal(without)
        for number, (name, row) in enumerate(rows.items()):
            operations += self._insertion(number, name, row)
        results = await self.commit(*operations)
        for name in without:
            del self.ports[name]
        start = len(operations) - 3 * len(rows)
        for number, name in enumerate(rows):
            self.ports[name] = results[start + 3 * number + 1]["uuid"][1]

    async def remove(self, names: Sequence[str]) -> None:
        """
        Remove interfaces.
        """
        await self.commit(*self._removal(names))
        for name in names:
            del self.ports[name]

    async def update(self, names: Sequence[str], row: dict[str, Any]) -> None:
        """
        Set columns of interfaces.
        """
        await self.commit(
            *(
                {"op": "update", "table": TABLE, "where": [["name", "==", name]], "row": row}
                for name in names
            )
        )

    def _bridgeOf(self, name: str) -> str:
        return self._bridges[sum(name.encode()) % len(self._bridges)]

    def _removal(self, names: Sequence[str]) -> list[Operation]:
        return [
            self._mutateBridge(self._bridgeOf(name), "delete", ["uuid", self.ports[name]])
            for name in names
        ]

    def _insertion(self, number: int, name: str, row: dict[str, Any]) -> list[Operation]:
        interface, port = f"interface{number}", f"port{number}"
        return [
            _insert(TABLE, interface, {"name": name, **row}),
            _insert("Port", port, {"name": name, "interfaces": ["named-uuid", interface]}),
            self._mutateBridge(self._bridgeOf(name), "insert", ["named-uuid", port]),
        ]

    def _mutateBridge(self, bridge: str, mutator: str, port: list[str]) -> Operation:
        return {
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", bridge]],
            "mutations": [["ports", mutator, ["set", [port]]]],
        }

    def _begin(self) -> None:
        Deferred.fromCoroutine(self._run()).addErrback(self._died)

    def _died(self, failure: Failure) -> None:
        self._idle = True
        _log.failure("writer {name} died", failure=failure, name=self.name)

    async def _run(self) -> None:
        while self._wanted:
            try:
                await self._runOnce()
            except (OvsdbError, ConnectError, Refused):
                if self._wanted:
                    await wait(self._reactor, RETRY)
        self._idle = True

    async def _runOnce(self) -> None:
        if self._protocol is None or self._protocol.lost is not None:
            self._protocol = await connect(self._reactor, self._paths)
            self.stale = True
        while self._wanted:
            if self.stale:
                self.stale = False
                await self._load()
            try:
                await self.change()
            except Refused:
                self.stale = True

    async def _load(self) -> None:
        """
        Read which ports exist, and make the bridges that are missing.
        """
        assert self._protocol is not None
        switches, bridges, ports = (
            result["rows"]
            for result in await transact(
                self._protocol,
                {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["_uuid"]},
                {"op": "select", "table": "Bridge", "where": [], "columns": ["name"]},
                {"op": "select", "table": "Port", "where": [], "columns": ["_uuid", "name"]},
            )
        )
        missing = set(self._bridges) - {row["name"] for row in bridges}
        if not switches:
            await transact(self._protocol, {"op": "insert", "table": "Open_vSwitch", "row": {}})
        if missing:
            await transact(self._protocol, *self._creation(sorted(missing)))
        self.ports = {
            row["name"]: row["_uuid"][1] for row in ports if f"{self.name}-" in row["name"]
        }

    def _creation(self, bridges: Sequence[str]) -> list[Operation]:
        names = [["named-uuid", f"bridge{number}"] for number in range(len(bridges))]
        mutation = {
            "op": "mutate",
            "table": "Open_vSwitch",
            "where": [],
            "mutations": [["bridges", "insert", ["set", names]]],
        }
        return [
            *(
                _insert("Bridge", name[1], {"name": b})
                for name, b in zip(names, bridges, strict=True)
            ),
            mutation,
        ]


def _insert(table: str, name: str, row: dict[str, Any]) -> Operation:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}
