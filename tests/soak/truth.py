# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Changes a database all the while, and keeps the true history of each interface. It
shares no code with the package: it writes JSON-RPC to a socket.
"""

from __future__ import annotations

import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

DATABASE: Final = "Open_vSwitch"

PATIENCE: Final = 20.0
"""Seconds that a server may need for an answer."""

MOST: Final = 25
"""Interfaces that there are at once, about."""

BRIDGE: Final = "br-soak"

Operation = dict[str, Any]

Past = tuple[float, "str | None"]
"""A state of an interface, and a time before it was committed, in seconds since the epoch."""


class RawClient:
    """
    A connection to ovsdb-server that waits for each answer.
    """

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(path)
        self._text = ""
        self._ids = itertools.count()

    def call(self, method: str, *parameters: Any) -> Any:
        """Make a request, and return its result."""
        id = next(self._ids)
        self._send({"method": method, "params": parameters, "id": id})
        while True:
            message = self._receive()
            if message.get("method") == "echo":
                self._send({"result": message["params"], "error": None, "id": message["id"]})
            elif message.get("id") == id and "method" not in message:
                if message["error"] is not None:
                    raise RuntimeError(message["error"])
                return message["result"]

    def transact(self, *operations: Operation) -> list[Any]:
        """Run a transaction that must be committed."""
        results: list[Any] = self.call("transact", DATABASE, *operations)
        if any(each and "error" in each for each in results):
            raise RuntimeError(results)
        return results

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._socket.sendall(json.dumps(message).encode("ascii"))

    def _receive(self) -> Any:
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self._text)
            except ValueError:
                received = self._socket.recv(65536)
                if not received:
                    raise ConnectionError("the server has closed the connection") from None
                self._text += received.decode("ascii")
            else:
                self._text = self._text[end:].lstrip()
                return value


def state(name: str, ofport: int | None, ids: Mapping[str, str]) -> str | None:
    """
    What observers can see of an interface, as a text; None: nothing, because it is
    the port of no VM.
    """
    if "iface-id" not in ids:
        return None
    return json.dumps([name, ofport, ids], sort_keys=True)


class _Row:
    """An interface as it is."""

    def __init__(self, name: str, port: str, ofport: int | None, ids: dict[str, str]) -> None:
        self.name = name
        self.port = port
        self.ofport = ofport
        self.ids = ids


class Truth:
    """
    Changes one switch in a thread of its own, and nobody else does.

    @ivar history: by UUID, the states of an interface that were committed, in order;
        None: it was not there, or of no kind. So is the first one.
    @ivar committed: counts transactions.
    @ivar failed: why it has stopped, if it should not have.
    """

    def __init__(self, path: str, rng: random.Random, pace: float) -> None:
        """
        @param path: the unix socket of the server.
        @param pace: seconds between two changes, at most.
        """
        self.history: dict[str, list[Past]] = {}
        self.committed = 0
        self.failed: Exception | None = None
        self._rng = rng
        self._pace = pace
        self._rows: dict[str, _Row] = {}
        self._serial = itertools.count()
        self._ended = threading.Event()
        self._client = RawClient(path)
        self._client.transact(
            {"op": "insert", "table": "Bridge", "uuid-name": "b", "row": {"name": BRIDGE}},
            _mutate("Open_vSwitch", [], "bridges", "insert", ["named-uuid", "b"]),
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Change nothing any more, but for one port that says that this is the end."""
        self._ended.set()
        self._thread.join()
        if self.failed is None:
            self._add()

    def close(self) -> None:
        """End the connection."""
        self._ended.set()
        self._client.close()

    def now(self) -> dict[str, str]:
        """What is in the database: the states of interfaces, by UUID."""
        columns = ["_uuid", "name", "ofport", "external_ids"]
        select = {"op": "select", "table": "Interface", "where": [], "columns": columns}
        (result,) = self._client.transact(select)
        found = {}
        for row in result["rows"]:
            ofport = row["ofport"] if isinstance(row["ofport"], int) else None
            seen = state(row["name"], ofport, dict(row["external_ids"][1]))
            if seen is not None:
                found[row["_uuid"][1]] = seen
        return found

    def _run(self) -> None:
        rng = self._rng
        try:
            while not self._ended.wait(rng.uniform(0, self._pace)):
                for _ in range(1 if rng.random() < 0.95 else rng.randrange(2, 20)):
                    self._change()
        except Exception as e:
            self.failed = e

    def _change(self) -> None:
        rng = self._rng
        if not self._rows or rng.random() < 0.3 * (1 - len(self._rows) / MOST):
            self._add()
            return
        uuid = rng.choice(list(self._rows))
        row = self._rows[uuid]
        kind = rng.choices(
            ("ofport", "ids", "reverted", "brief", "kind", "delete"), (4, 3, 4, 2, 2, 3)
        )[0]
        if kind == "ofport":
            self._update(uuid, self._ofport(), row.ids)
        elif kind == "ids":
            self._update(uuid, row.ofport, self._ids(row.name))
        elif kind == "reverted":
            before = row.ofport, row.ids
            self._update(uuid, self._ofport(), rng.choice((row.ids, self._ids(row.name))))
            self._linger()
            self._update(uuid, *before)
        elif kind == "brief":
            brief = self._add()
            self._linger()
            self._delete(brief)
        elif kind == "kind":
            ids = dict(row.ids)
            if ids.pop("iface-id", None) is None:
                ids = self._ids(row.name)
            self._update(uuid, row.ofport, ids)
        else:
            self._delete(uuid)

    def _linger(self) -> None:
        self._ended.wait(self._rng.choice((0, 0, 0.01, 0.05, 0.3)))

    def _ofport(self) -> int:
        return self._rng.choice((1, 2, 3, self._rng.randrange(1, 60000)))

    def _ids(self, name: str) -> dict[str, str]:
        return {"iface-id": name, "serial": str(next(self._serial))}

    def _add(self) -> str:
        name = f"tap{next(self._serial)}"
        ofport, ids = self._ofport(), self._ids(name)
        before = time.time()
        columns = {"name": name, "ofport": ofport, "external_ids": _map(ids)}
        port = {"name": name, "interfaces": ["named-uuid", "i"]}
        results = self._client.transact(
            {"op": "insert", "table": "Interface", "uuid-name": "i", "row": columns},
            {"op": "insert", "table": "Port", "uuid-name": "p", "row": port},
            _mutate("Bridge", [["name", "==", BRIDGE]], "ports", "insert", ["named-uuid", "p"]),
        )
        uuid: str = results[0]["uuid"][1]
        self._rows[uuid] = _Row(name, results[1]["uuid"][1], ofport, ids)
        self.history[uuid] = [(before, None)]
        self._note(uuid, before)
        return uuid

    def _delete(self, uuid: str) -> None:
        row, before = self._rows.pop(uuid), time.time()
        where = [["name", "==", BRIDGE]]
        self._client.transact(_mutate("Bridge", where, "ports", "delete", ["uuid", row.port]))
        self.history[uuid].append((before, None))
        self.committed += 1

    def _update(self, uuid: str, ofport: int | None, ids: dict[str, str]) -> None:
        columns = {"ofport": ofport, "external_ids": _map(ids)}
        where = [["_uuid", "==", ["uuid", uuid]]]
        before = time.time()
        self._client.transact(
            {"op": "update", "table": "Interface", "where": where, "row": columns}
        )
        self._rows[uuid].ofport, self._rows[uuid].ids = ofport, ids
        self._note(uuid, before)

    def _note(self, uuid: str, before: float) -> None:
        row = self._rows[uuid]
        self.history[uuid].append((before, state(row.name, row.ofport, row.ids)))
        self.committed += 1


def _map(items: Mapping[str, str]) -> list[Any]:
    return ["map", [list(item) for item in items.items()]]


def _mutate(table: str, where: list[Any], column: str, mutator: str, what: Any) -> Operation:
    mutations = [[column, mutator, what]]
    return {"op": "mutate", "table": table, "where": where, "mutations": mutations}
