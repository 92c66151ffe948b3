# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A fuzzer for the whole client: what a server might send, mutated and cut anywhere, into
a real L{InterfaceMonitor}. What may come of it is judged by rules that know nothing of
how messages are read::

    python -m tests.soak --only fuzz
    python -m tests.soak.fuzz SECONDS SEED
"""

from __future__ import annotations

import json
import random
import sys
import time
import tracemalloc
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

import attrs
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, globalLogPublisher
from twisted.python.monkey import MonkeyPatcher
from zope.interface import implementer

from tests.fakes.fold import Fold
from tests.fakes.rows import interface, jsonRow, uuid, vmRow
from tests.soak.figures import Figure, Figures
from twisted_ovsdb import (
    ClassificationRules,
    InterfaceMonitor,
    OvsdbError,
    OvsdbProtocol,
    ProtocolViolation,
)
from twisted_ovsdb.events import Event
from twisted_ovsdb.openvswitch.rows import InterfaceRows
from twisted_ovsdb.wire import rowreader, tokens

SECONDS: Final = 60.0

MEMORY: Final = 16 * 2**20
"""Bytes that a stream of a few kilobytes may take at most, with all that is made of it."""

SIZES: Final = (1, 2, 3, 7, 20, 100, 1000)
"""Lengths of chunks."""

PIECES: Final[tuple[bytes, ...]] = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b" ", b"\n", b"\0", b"\xff", b"0", b"-"),
    *(b"null", b"true", b"1e999", b"NaN", b'\\"', b"\\ud834", b'"id":1,', b'"result":{},', b'"x":'),
    *(
        b'{"id":null,',
        b'"method":"update",',
        b'"Interface":{',
        b"[[]],",
        b"}}}",
        b"]]]",
        b"\\u0000",
    ),
)
"""What mutations put into a stream."""


class Judge:
    """
    An observer that checks what it is told.
    """

    def __init__(self) -> None:
        self.fold = Fold()
        self.events: list[Any] = []

    def eventReceived(self, event: Event) -> None:
        """
        Keep the event. The monitor would log an exception, so L{check} comes later.
        """
        self.events.append(event)

    def check(self) -> None:
        """
        Assert that the events contradict nothing.
        """
        for event in self.events:
            self.fold.receive(event)


@attrs.frozen
class Outcome:
    """
    What came of a stream.

    @ivar events: what was told, without its times.
    @ivar fault: the kind of fault that ended the session; empty if none did. None if
        the stream ends within a message: whether what is wrong in that has been found
        yet depends on how much of it came at once.
    @ivar known: the interfaces that are online in the end, by UUID.
    """

    events: tuple[str, ...]
    fault: str | None
    known: dict[str, Any] = attrs.field(hash=False)


class Unusual(Exception):
    """A message of which L{Reference} does not know what it means."""


class Reference:
    """
    Reads a stream in the simplest way: message by message, each parsed as a whole.

    @ivar known: the interfaces as they are after the messages that are right, by UUID.
    """

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self._replied = False
        self._rows = InterfaceRows(ClassificationRules(), known=self.known)
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)

    def read(self, data: bytes) -> None:
        """
        Read a stream up to its end or its first fault.

        @raise Unusual: if there is a message that is neither wrong nor usual.
        """
        # What is not UTF-8 is a fault of the message that it is in.
        text = data.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
        while text.startswith("{"):
            try:
                message, end = self._decoder.raw_decode(text)
                json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
            except (ValueError, RecursionError):
                return
            text = text[end:].lstrip(" \t\r\n")
            if not self._apply(message):
                return

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise Unusual("a name twice")
        return dict(pairs)

    def _apply(self, message: dict[str, Any]) -> bool:
        """
        @return: whether the message is right.
        """
        if message == {"id": "echo", "method": "echo", "params": []}:
            return True
        if message.keys() == {"id", "result", "error"} and message["id"] == 1:
            if self._replied or message["error"] is not None or type(message["id"]) is not int:
                raise Unusual("another reply")
            self._replied = True
            tables, initial = message["result"], True
        elif message.keys() == {"id", "method", "params"} and message["method"] == "update":
            params = message["params"]
            usual = type(params) is list and len(params) == 2 and params[0] == "twisted_ovsdb"
            if message["id"] is not None or not usual:
                raise Unusual("another update")
            if not self._replied:
                return False
            tables, initial = params[1], False
        else:
            raise Unusual("another message")
        try:
            changes = self._changes(tables, initial)
        except (ProtocolViolation, ValueError):
            return False
        for name, now in changes.items():
            self.known.pop(name, None)
            if now is not None:
                self.known[name] = now
        return True

    def _changes(self, tables: Any, initial: bool) -> dict[str, Any]:
        if type(tables) is not dict or tables.keys() - {"Interface"}:
            raise ValueError("other tables")
        rows = tables.get("Interface", {})
        if type(rows) is not dict:
            raise ValueError("no rows")
        changes = {}
        for name, change in rows.items():
            if str(UUID(name)) != name.lower() or type(change) is not dict:
                raise ValueError("no row")
            old, new = change.get("old", {}), change.get("new", {})
            if type(old) is not dict or type(new) is not dict:
                raise ValueError("no columns")
            if not {"old", "new"} & change.keys() or ("old" in change) != (name in self.known):
                raise ValueError("it is not so")
            changes[name] = self._rows.whole(name, new) if "new" in change else None
        if initial and any("new" not in change for change in rows.values()):
            raise ValueError("not new")
        return changes


def text(message: dict[str, Any], draw: random.Random) -> bytes:
    """
    A message in one of many forms.
    """
    members = list(message.items())
    if draw.random() < 0.3:
        draw.shuffle(members)
    form: dict[str, Any] = draw.choice(
        ({"separators": (",", ":")}, {"separators": (",", ":")}, {}, {"indent": 1})
    )
    return json.dumps(dict(members), ensure_ascii=draw.random() < 0.5, **form).encode()


def row(number: int, draw: random.Random) -> dict[str, Any]:
    """
    A row of the Interface table.
    """
    name = f"tap{number}"
    return draw.choice(
        (
            vmRow(name, f"port-é-{number}", number),
            vmRow(name, '}{"],[\\'),
            jsonRow(name, "internal", 65534),
            jsonRow(name, "vxlan", 3, options={"remote_ip": "10.0.0.1"}),
            jsonRow(name, "patch", -1, "no", options={"peer": "a:b"}),
            dict(reversed(jsonRow(name).items())),
        )
    )


def conversation(draw: random.Random) -> list[bytes]:
    """
    What a server that is right sends to a monitor: its reply, updates and echoes.
    """
    table = {n: row(n, draw) for n in range(draw.choice((0, 1, 5, 40)))}
    rows = {uuid(n): {"new": columns} for n, columns in table.items()}
    messages: list[dict[str, Any]] = [{"id": 1, "result": {"Interface": rows}, "error": None}]
    for _ in range(draw.randrange(6)):
        if draw.random() < 0.2:
            messages.append({"id": "echo", "method": "echo", "params": []})
            continue
        changes: dict[str, Any] = {}
        for number in draw.sample(range(50), draw.choice((1, 1, 2, 20))):
            old, new = table.get(number), row(number, draw)
            if old is None:
                table[number], changes[uuid(number)] = new, {"new": new}
            elif draw.random() < 0.5:
                table[number], changes[uuid(number)] = new, {"new": new, "old": {}}
            else:
                changes[uuid(number)] = {"old": table.pop(number)}
        params = ["twisted_ovsdb", {"Interface": changes}]
        messages.append({"id": None, "method": "update", "params": params})
    return [text(message, draw) for message in messages]


def mutated(messages: list[bytes], draw: random.Random) -> bytes:
    """
    A stream of these messages with some faults.
    """
    messages = list(messages)
    for _ in range(draw.choice((0, 0, 1, 1, 2))):
        number = draw.randrange(len(messages))
        data = messages[number]
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((0, 0, 1, 1, 5, 100, len(data))))
        put = draw.choice((b"", *PIECES, data[start:end] * 2, draw.choice(messages)))
        if draw.random() < 0.02:
            put = draw.choice(PIECES) * draw.choice((300, 3000))
        messages[number] = data[:start] + put + data[end:]
    return draw.choice((b"", b"", b" ", b"\r\n")).join(messages)


def cut(data: bytes, draw: random.Random) -> list[bytes]:
    """
    The stream in chunks.
    """
    size = draw.choice((*SIZES, len(data) + 1))
    places = list(range(0, len(data), size)) if draw.random() < 0.5 else [0]
    places += [draw.randrange(len(data) + 1) for _ in range(draw.randrange(6))]
    places = sorted({*places, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


class Client:
    """
    A monitor that receives a stream.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.judge = Judge()
        self.monitor = InterfaceMonitor([self.judge], clock=self.clock)

    def connect(self) -> OvsdbProtocol:
        """
        Make a new connection.
        """
        protocol = OvsdbProtocol(maxLength=10**6)
        protocol.makeConnection(StringTransport())
        self.monitor.attach(protocol).addErrback(lambda failure: failure.trap(OvsdbError))
        return protocol

    def receive(self, protocol: OvsdbProtocol, chunks: list[bytes]) -> None:
        """
        Receive these chunks. The reactor turns as often as is needed.
        """
        for chunk in chunks:
            protocol.dataReceived(chunk)
            while protocol.paused and protocol.lost is None:
                self.clock.advance(0)

    def outcome(self, chunks: list[bytes]) -> Outcome:
        """
        Receive a stream, and check what came of it.
        """
        protocol = self.connect()
        self.receive(protocol, chunks)
        lost = protocol.lost
        assert lost is None or isinstance(lost, OvsdbError), repr(lost)
        self.judge.check()
        told = []
        for event in self.judge.events:
            shown = type(event).__name__
            if shown.startswith("Interface"):
                shown += f" {event.cause} {event.interface}"
            elif shown == "Synchronized":
                shown += f" {event.cause} {event.interfaces}"
            told.append(shown)
        fault: str | None = "" if lost is None else type(lost).__name__
        if lost is None and protocol._stream._tokens.begun:
            fault = None
        known = dict(self.judge.fold.interfaces)
        self.resync(protocol)
        return Outcome(tuple(told), fault, known)

    def resync(self, protocol: OvsdbProtocol) -> None:
        """
        Whatever was sent, the next connection puts everything right.
        """
        self.judge.events.clear()
        if protocol.lost is None:
            protocol.abort(OvsdbError("enough"))
        known = {n: vmRow(f"tap{n}", "port", 7) for n in range(3)}
        rows = {uuid(n): {"new": columns} for n, columns in known.items()}
        fresh = self.connect()
        reply = {"id": 1, "result": {"Interface": rows}, "error": None}
        self.receive(fresh, [json.dumps(reply).encode()])
        assert fresh.lost is None, repr(fresh.lost)
        self.judge.check()
        assert self.judge.fold.inSync
        expected = {uuid(n): interface(n, columns) for n, columns in known.items()}
        assert self.judge.fold.interfaces == expected


@attrs.define
class Fuzzer:
    """
    Counts what was tried, and keeps what was found.

    @ivar found: of each violation the seed, and what it was.
    """

    executions: int = 0
    accepted: int = 0
    refused: int = 0
    compared: int = 0
    memory: int = 0
    found: list[str] = attrs.Factory(list)

    def play(self, seed: int) -> None:
        """
        Try one stream, cut in several ways.
        """
        draw = random.Random(seed)
        data = mutated(conversation(draw), draw)
        patches = MonkeyPatcher(
            (rowreader, "ARRIVED", draw.choice((1, 500, 320 * 1024))),
            (rowreader, "SLICE", draw.choice((1, 3, 1000))),
            (tokens, "_SKIMMED", draw.choice((1, 256))),
        )
        patches.runWithPatches(self._try, seed, data, draw)

    def _try(self, seed: int, data: bytes, draw: random.Random) -> None:
        outcomes: dict[Outcome, list[bytes]] = {}
        try:
            for chunks in ([data], cut(data, draw), cut(data, draw)):
                self.executions += 1
                outcomes[Client().outcome(chunks)] = chunks
            if None in {outcome.fault for outcome in outcomes}:
                outcomes = {attrs.evolve(o, fault=None): c for o, c in outcomes.items()}
            assert len(outcomes) == 1, f"{len(outcomes)} outcomes: {[*outcomes][:2]}"
            self.compare(data, next(iter(outcomes)))
        except Exception as e:
            self.found.append(f"seed {seed}: {type(e).__name__}: {str(e)[:300]}")
        else:
            if next(iter(outcomes)).fault:
                self.refused += 1
            else:
                self.accepted += 1

    def compare(self, data: bytes, outcome: Outcome) -> None:
        """
        Compare what was told with what the simplest reader reads.
        """
        reference = Reference()
        try:
            reference.read(data)
        except Unusual:
            return
        self.compared += 1
        expected = {name: row for name, row in reference.known.items() if row.kind is not None}
        assert outcome.known == expected, f"known {outcome.known}, expected {expected}"

    def run(self, seconds: float, seed: int) -> None:
        """
        Try streams for so long.
        """
        failures: list[Any] = []

        @implementer(ILogObserver)
        def observe(event: Any) -> None:
            if "log_failure" in event:
                failures.append(event["log_failure"])

        globalLogPublisher.addObserver(observe)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                # Every hundredth with its memory, because this makes it slow.
                measured = seed % 100 == 0
                if measured:
                    tracemalloc.start()
                self.play(seed)
                if measured:
                    self.memory = max(self.memory, tracemalloc.get_traced_memory()[1])
                    tracemalloc.stop()
                if failures:
                    self.found.append(f"seed {seed}: logged: {failures.pop().value!r}")
                    failures.clear()
                seed += 1
        finally:
            globalLogPublisher.removeObserver(observe)


async def fuzz(reactor: Any, seed: int) -> list[Figure]:
    """
    Try streams for a minute.
    """
    return figures(seed, SECONDS)


def figures(seed: int, seconds: float) -> list[Figure]:
    """
    Try streams for so long, and report.
    """
    fuzzer = Fuzzer()
    fuzzer.run(seconds, seed * 1_000_000)
    told = Figures("fuzz")
    told.tell("streams received", fuzzer.executions)
    told.tell("of the different ones: read to the end", fuzzer.accepted)
    told.tell("of the different ones: ended the session", fuzzer.refused)
    told.tell("of the different ones: compared with the reference", fuzzer.compared)
    told.atMost("most memory of one stream, MiB", fuzzer.memory / 2**20, MEMORY / 2**20)
    told.equal("violations", len(fuzzer.found), 0)
    for violation in fuzzer.found[:10]:
        told.tell("violation", violation)
    return told.all


def main(seconds: float = SECONDS, seed: int | None = None) -> int:
    """
    Print what was tried and found.

    @return: the status of the process.
    """
    report = figures(random.randrange(10**6) if seed is None else seed, seconds)
    for figure in report:
        print(f"{figure.what}: {figure.value}")
    return 0 if all(figure.holds for figure in report) else 1


if __name__ == "__main__":
    sys.exit(main(*(kind(word) for kind, word in zip((float, int), sys.argv[1:], strict=False))))
