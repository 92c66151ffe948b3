# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many switches, played by one process: they dial in at several monitors, grant locks (RFC
7047, section 4.1.8), and have ports that come and go.

    herd PORTS SWITCHES INTERFACES [FOLDER]

PORTS has commas. It reads commands from standard input, one a line, and answers each with
one line:

    spoken                answered when each switch has confirmed a monitor's lock
    churn RATE SECONDS    ports come and go: so many events a second on all switches
    end

A port is inserted, gets its ofport after 0.3 s, and is removed 0.3 s later: three events,
far enough apart that each is a write of what is now. When each was removed is in
C{FOLDER/removed.json} afterwards.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any, Final

from benchmarks.clients.figures import SENT, say
from benchmarks.database import interfaceRow, newUUID
from twisted_ovsdb.errors import RpcError
from twisted_ovsdb.testing.locks import Locks

AGAIN: Final = 1.0
"""Seconds until a switch dials again, as ovsdb-server does first."""

STEP: Final = 0.01
"""Seconds between two transactions of a switch while ports come and go."""

LIFE: Final = 0.3
"""Seconds until a port gets its ofport, and from then until it is removed."""

NICE: Final = 5
"""How much less than others this process gets of the cores."""

Row = dict[str, Any]


def text(value: object) -> bytes:
    """JSON as ovsdb-server writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


class Switch:
    """
    One switch.

    @ivar sessions: its connections.
    @ivar asserted: the session whose lock was confirmed last.
    """

    def __init__(self, interfaces: int) -> None:
        self.name = str(uuid.uuid4())
        self.row = str(uuid.uuid4())
        self.locks = Locks()
        self.sessions: set[Session] = set()
        self.asserted: Session | None = None
        self._rows = {
            newUUID(): text(complete(interfaceRow(number))) for number in range(interfaces)
        }

    def snapshot(self, requests: dict[str, Any]) -> bytes:
        """The initial reply to a monitor request."""
        known = {"external_ids": self.identity, "next_cfg": 0, "cur_cfg": 0}
        columns = requests["Open_vSwitch"][0]["columns"]
        row = {name: known[name] for name in columns}
        rows = b",".join(b'"%s":{"new":%s}' % (u.encode(), r) for u, r in self._rows.items())
        switch = text({self.row: {"new": row}})
        return b'{"Interface":{%s},"Open_vSwitch":%s}' % (rows, switch)

    @property
    def identity(self) -> Any:
        """Its C{external_ids}."""
        return ["map", [["system-id", self.name]]]

    def commit(self, changes: dict[str, tuple[Row | None, Row | None]]) -> None:
        """A transaction: tell each monitor."""
        parts = []
        for key, (old, new) in changes.items():
            members = []
            if new is not None:
                self._rows[key] = text(new)
                members.append(b'"new":' + self._rows[key])
            else:
                del self._rows[key]
            if old is not None:
                members.append(b'"old":' + text(old))
            parts.append(b'"%s":{%s}' % (key.encode(), b",".join(members)))
        updates = b",".join(parts)
        for session in self.sessions:
            session.update(updates)


def complete(row: Row) -> Row:
    """A row with the columns that are empty."""
    empty = {"type": "", "ofport": ["set", []], "error": ["set", []], "options": ["map", []]}
    return {**empty, **row}


class Session(asyncio.Protocol):
    """One connection of a switch."""

    def __init__(self, switch: Switch, port: int) -> None:
        self._switch = switch
        self._port = port
        self._transport: Any = None
        self._buffer = ""
        self._monitor: bytes | None = None
        self._decoder = json.JSONDecoder()

    async def dial(self) -> None:
        """Connect, and again until it succeeds."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.create_connection(lambda: self, "127.0.0.1", self._port)
                return
            except OSError:
                await asyncio.sleep(AGAIN)

    def connection_made(self, transport: Any) -> None:
        """It is connected."""
        self._transport = transport
        self._switch.sessions.add(self)

    def connection_lost(self, reason: Exception | None) -> None:
        """The monitor has gone."""
        switch = self._switch
        switch.sessions.discard(self)
        if switch.asserted is self:
            switch.asserted = None
        switch.locks.drop(self.notify)
        following = Session(switch, self._port)
        loop = asyncio.get_running_loop()
        loop.call_later(AGAIN, lambda: _tasks.append(loop.create_task(following.dial())))

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._buffer += data.decode()
        while self._buffer:
            try:
                message, end = self._decoder.raw_decode(self._buffer)
            except json.JSONDecodeError:
                return
            self._buffer = self._buffer[end:].lstrip()
            if "method" in message and message.get("id") is not None:
                self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        error: Any = None
        try:
            result = self._result(message["method"], message["params"])
        except RpcError as e:
            result, error = b"null", {"error": e.error, "details": e.details}
        self._transport.write(
            b'{"id":%s,"result":%s,"error":%s}' % (text(message["id"]), result, text(error))
        )

    def _result(self, method: str, params: list[Any]) -> bytes:
        switch, locks = self._switch, self._switch.locks
        if method == "echo":
            return text(params)
        if method in ("lock", "steal"):
            return text(locks.lock(self.notify, method, params))
        if method == "unlock":
            return text(locks.unlock(self.notify, params))
        if method == "monitor":
            self._monitor = text(params[1])
            return switch.snapshot(params[2])
        if method == "transact" and params[1]["op"] == "assert":
            if not locks.holds(self.notify, params[1]["lock"]):
                return text([{"error": "not owner", "details": ""}])
            switch.asserted = self
            return text([{}])
        if method == "transact":
            row = {"_uuid": ["uuid", switch.row], "external_ids": switch.identity}
            return text([{"rows": [row]}])
        return b"{}"

    def notify(self, method: str, name: str) -> None:
        """C{locked} or C{stolen}."""
        if not self._transport.is_closing():
            self._transport.write(text({"id": None, "method": method, "params": [name]}))

    def update(self, updates: bytes) -> None:
        """Tell of a transaction."""
        if self._monitor is not None:
            self._transport.write(
                b'{"id":null,"method":"update","params":[%s,{"Interface":{%s}}]}'
                % (self._monitor, updates)
            )


_tasks: list[asyncio.Task[None]] = []


class Churn:
    """
    Ports that come and go on one switch.

    @ivar events: how many there were.
    @ivar removed: when each port was removed, by UUID.
    """

    def __init__(self, switch: Switch, ports: float) -> None:
        """@param ports: that come in each step."""
        self._switch = switch
        self._ports = ports
        self._credit = random.random()
        self._young: deque[tuple[float, str, Row]] = deque()
        self._ready: deque[tuple[float, str, Row]] = deque()
        self._number = 0
        self.events = 0
        self.removed: dict[str, float] = {}

    @property
    def busy(self) -> bool:
        """Whether ports of it exist."""
        return bool(self._young or self._ready)

    def step(self, more: bool) -> None:
        """@param more: whether ports still come."""
        now = time.time()
        changes: dict[str, tuple[Row | None, Row | None]] = {}
        while self._ready and self._ready[0][0] <= now - LIFE:
            _, key, row = self._ready.popleft()
            changes[key] = row, None
            self.removed[key] = now
        while self._young and self._young[0][0] <= now - LIFE:
            _, key, before = self._young.popleft()
            after = {**before, "ofport": self._number % 65000 + 1, "external_ids": _stamped(before)}
            changed = {name: before[name] for name in ("ofport", "external_ids")}
            changes[key] = changed, after
            self._ready.append((now, key, after))
        self._credit += self._ports if more else 0
        while more and self._credit >= 1:
            self._credit -= 1
            self._number += 1
            row = complete(interfaceRow(self._number, ofport=False))
            row["external_ids"] = _stamped(row)
            key = newUUID()
            changes[key] = None, row
            self._young.append((now, key, row))
        if changes:
            self.events += len(changes)
            self._switch.commit(changes)


def _stamped(row: Row) -> Any:
    pairs = [pair for pair in row["external_ids"][1] if pair[0] != SENT]
    return ["map", [*pairs, [SENT, repr(time.time())]]]


async def churn(switches: list[Switch], rate: float, seconds: float, folder: Path) -> None:
    """Let ports come and go, and print how many events there were."""
    loop = asyncio.get_running_loop()
    # A switch with few ports needs few steps.
    step = max(STEP, len(switches) * STEP / 30)
    churns = [Churn(switch, rate * step / 3 / len(switches)) for switch in switches]
    start = due = loop.time()
    while True:
        more = loop.time() - start < seconds
        if not more and not any(each.busy for each in churns):
            break
        for each in churns:
            each.step(more)
        due += step
        await asyncio.sleep(max(0, due - loop.time()))
    events = sum(each.events for each in churns)
    removed = {key: at for each in churns for key, at in each.removed.items()}
    (folder / "removed.json").write_text(json.dumps(removed), "utf-8")
    say(ready=True, events=events, seconds=loop.time() - start, behind=loop.time() - due)


async def play(ports: list[int], count: int, interfaces: int, folder: Path) -> None:
    """Dial in, and do what standard input says."""
    # Real switches are on other machines, and use no core of the monitor's.
    os.nice(NICE)
    loop = asyncio.get_running_loop()
    switches = [Switch(interfaces) for _ in range(count)]
    dialling = [Session(switch, port).dial() for switch in switches for port in ports]
    await asyncio.gather(*dialling)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(ready=True)
    while True:
        command = (await reader.readline()).decode().split()
        if command[:1] == ["spoken"]:
            while any(switch.asserted is None for switch in switches):
                await asyncio.sleep(0.05)
            say(ready=True)
        elif command[:1] == ["churn"]:
            await churn(switches, float(command[1]), float(command[2]), folder)
        else:
            return


if __name__ == "__main__":
    _ports = [int(port) for port in sys.argv[1].split(",")]
    asyncio.run(play(_ports, int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
