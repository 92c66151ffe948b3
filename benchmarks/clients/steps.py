# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Parts of this package whose steps are timed one by one: the server is a text, and the
reactor a clock whose turns are made here.

    steps resync INTERFACES DIFFERENCES   the longest step of the first snapshot, of the one after
                                          an outage, and of the first questions after that
    steps waiters INTERFACES CALLERS      an update without callers that wait, and with so many
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from benchmarks.clients.figures import say
from benchmarks.database import interfaceRow, newUUID
from twisted_ovsdb import InterfaceMonitor, OvsdbProtocol
from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.events import Event

CHUNK = 1 << 16
"""What Twisted reads at a time."""

UPDATES = 200

Rows = dict[str, dict[str, Any]]


class Nobody:
    """
    An observer that does nothing.
    """

    def eventReceived(self, event: Event) -> None:
        """
        Do nothing.
        """


class Server:
    """
    A monitor and its server.

    @ivar longest: seconds of the longest step since L{connect}.
    """

    def __init__(self) -> None:
        self._clock = Clock()
        self.monitor = InterfaceMonitor([Nobody()], source="bench", clock=self._clock)
        self._protocol: Any = None
        self.longest = 0.0

    def connect(self, rows: Rows) -> None:
        """
        Send a snapshot on a new connection.
        """
        self._protocol = OvsdbProtocol()
        self._protocol.makeConnection(StringTransport())
        self.monitor.attach(self._protocol)
        tables = {"Interface": {uuid: {"new": row} for uuid, row in rows.items()}}
        data = _text({"id": 1, "result": tables, "error": None})
        self.longest = 0.0
        for start in range(0, len(data), CHUNK):
            self.receive(data[start : start + CHUNK])

    def receive(self, data: bytes) -> None:
        """
        Send bytes, and let the reactor turn until there is nothing to do.
        """
        self._timed(lambda: self._protocol.dataReceived(data))
        while (call := self._due()) is not None:
            self._timed(call)

    def lose(self) -> None:
        """
        End the connection.
        """
        self._protocol.connectionLost(Failure(ConnectionLost()))

    def _due(self) -> Callable[[], object] | None:
        calls = [call for call in self._clock.calls if call.getTime() <= self._clock.seconds()]
        if not calls:
            return None
        self._clock.calls.remove(calls[0])
        calls[0].called = 1
        return lambda: calls[0].func(*calls[0].args, **calls[0].kw)

    def _timed(self, call: Callable[[], object]) -> None:
        self.longest = max(self.longest, timeOf(call))


def timeOf(call: Callable[[], object]) -> float:
    """
    The CPU seconds of a call: another process must not count as a long step.
    """
    start = time.process_time()
    call()
    return time.process_time() - start


def _text(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def row(number: int) -> dict[str, Any]:
    """
    A row as ovsdb-server sends it.
    """
    empty = {"type": "", "error": ["set", []], "options": ["map", []]}
    return {**empty, **interfaceRow(number)}


def resync(count: int, differences: int) -> None:
    """
    Time the steps of two snapshots, and of the first questions.
    """
    CollectorService().startService()  # as the command has it
    server = Server()
    rows = {newUUID(): row(number) for number in range(count)}
    server.connect(rows)
    first = server.longest
    server.lose()
    for uuid in list(rows)[:: count // differences]:
        rows[uuid] = {**rows[uuid], "ofport": 65001}
    server.connect(rows)
    monitor = server.monitor
    asked = (lambda: monitor.interfaceByName("?"), lambda: monitor.interfacesByIfaceId("?"))
    say(first=first, resync=server.longest, question=max(map(timeOf, asked)))


def waiters(count: int, callers: int) -> None:
    """
    Time updates.
    """
    server = Server()
    server.connect({newUUID(): row(number) for number in range(count)})
    uuid, now = newUUID(), row(count)
    gone = _update({uuid: {"old": now}})
    come = _update({uuid: {"new": now}})

    def updates() -> None:
        for _ in range(UPDATES // 2):
            server.receive(come)
            server.receive(gone)

    updates()
    alone = min(timeOf(updates) for _ in range(5)) / UPDATES
    for number in range(callers):
        server.monitor.whenReady(f"nobody-{number}")
    waited = min(timeOf(updates) for _ in range(5)) / UPDATES
    say(alone=alone, waited=waited)


def _update(rows: Rows) -> bytes:
    params = ["twisted_ovsdb", {"Interface": rows}]
    return _text({"id": None, "method": "update", "params": params})


if __name__ == "__main__":
    modes = {"resync": resync, "waiters": waiters}
    modes[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3]))
