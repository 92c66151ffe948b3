# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Attacks on a process that listens for switches, in real time: what they cost it in
memory, and whether a good switch still gets in. C{python -m
tests.live.abuse_listener 60}.
"""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import ProcessProtocol, Protocol, connectionDone
from twisted.internet.task import deferLater, react
from twisted.python.failure import Failure

import twisted_ovsdb

CHECKOUT: Final = Path(twisted_ovsdb.__file__).parent.parent

PLACES: Final = 1000
"""What --max-switches is by default."""

WORKERS: Final = 50
"""Connections that an attack makes at the same time."""

CLAIMANTS: Final = 400

INTERFACES: Final = 100
"""Of each switch that is made up."""

STRANGERS: Final = 20
BULK: Final = 16 * 1024 * 1024
"""Bytes that each of these strangers tries to send."""

PATIENCE: Final = 20.0
"""Seconds after which a good switch counts as locked out."""

DESCRIPTORS: Final = 4096
"""Files that may be open: a thousand switches and as many strangers, on both sides."""


class Peer(Protocol):
    """
    A connection to the listener, with a switch behind it that does as much as it
    is told to.

    @ivar open: whether the connection is up.
    """

    def __init__(self, name: str, identify: bool, snapshot: int | None, echo: bool = True) -> None:
        """
        @param identify: whether it says which switch it is.
        @param snapshot: how many interfaces its snapshot has; None: it sends none.
        @param echo: whether it answers probes.
        """
        self.open = False
        self.asked: Deferred[None] | None = None
        self.closed: Deferred[None] = Deferred()
        self.echo = echo
        self.echoes = 0
        self._ids = [["hostname", "host"], ["system-id", name]]
        self._identify = identify
        self._snapshot = snapshot
        self._text = ""

    def connectionMade(self) -> None:
        """See L{Protocol}."""
        self.open = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See L{Protocol}."""
        self.open = False
        self.closed.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """Answer each request."""
        self._text += data.decode()
        while self._text:
            try:
                request, end = json.JSONDecoder().raw_decode(self._text)
            except ValueError:
                return
            self._text = self._text[end:]
            self._received(request)

    def _received(self, request: dict[str, Any]) -> None:
        row = {"external_ids": ["map", self._ids]}
        method = request.get("method")
        if method == "echo":
            self.echoes += 1
            if self.echo:
                self._answer(request, request["params"])
        elif method == "transact" and self._identify:
            self._answer(request, [{"rows": [{"_uuid": ["uuid", _uuid(0)], **row}]}])
        elif method == "monitor":
            if self._snapshot is not None:
                rows = {_uuid(n): {"new": _vm(n)} for n in range(1, self._snapshot + 1)}
                tables = {"Interface": rows, "Open_vSwitch": {_uuid(0): {"new": row}}}
                self._answer(request, tables)
            if self.asked is not None:
                self.asked.callback(None)

    def _answer(self, request: dict[str, Any], result: object) -> None:
        reply = {"id": request["id"], "result": result, "error": None}
        self.transport.write(json.dumps(reply).encode())  # type: ignore[union-attr]


def _uuid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012}"


def _vm(number: int) -> dict[str, Any]:
    ids = ["map", [["iface-id", f"port-{number}"]]]
    empty: list[Any] = ["set", []]
    row = {"name": f"tap{number}", "type": "", "ofport": number, "error": empty}
    return {**row, "external_ids": ids, "options": ["map", []]}


class _Child(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(None)


class Listener:
    """
    C{twistd ovsdb-monitor --listen} as a process of its own.

    @ivar port: where it listens.
    """

    def __init__(self, reactor: Any, folder: Path) -> None:
        self._reactor = reactor
        self._child = _Child()
        self._events = folder / "events"
        self._read = 0
        self._inSync: list[str] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        twistd = str(Path(sys.executable).parent / "twistd")
        options = ["--listen", f"ptcp:{self.port}:127.0.0.1", "--events", str(self._events)]
        command = [twistd, "-n", "--pidfile=", f"--logfile={folder / 'log'}", "ovsdb-monitor"]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        self._process = reactor.spawnProcess(
            self._child, twistd, [*command, *options], environment, str(folder)
        )

    async def up(self) -> None:
        """Wait until it listens."""
        while True:
            await pause(self._reactor, 0.05)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return

    async def stop(self) -> None:
        """End it."""
        self._process.signalProcess("TERM")
        kill = self._reactor.callLater(10, self._process.signalProcess, "KILL")
        await self._child.ended
        if kill.active():
            kill.cancel()

    def memory(self, what: str = "VmRSS") -> float:
        """Its memory in MB: now, or at most (VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith(what)]
        return int(line.split()[1]) / 1024

    def inSync(self, switch: str) -> int:
        """How often this switch was in sync."""
        with self._events.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        lines = data[: data.rfind(b"\n") + 1]
        self._read += len(lines)
        for line in lines.splitlines():
            if line.startswith(b'{"event":"synchronized"'):
                self._inSync.append(json.loads(line)["switch"])
        return self._inSync.count(switch)


def pause(reactor: Any, seconds: float) -> Deferred[None]:
    """Let this time pass."""
    return deferLater(reactor, seconds, lambda: None)


@attrs.define
class Attack:
    """
    One attack, while it runs.

    @ivar figures: what was measured, with its unit.
    @ivar goodAfter: seconds until a good switch was in sync; infinite if it never was.
    @ivar grew: MB by which the memory of the listener grew at most.
    """

    reactor: Any
    listener: Listener
    end: float
    figures: dict[str, str] = attrs.Factory(dict)
    goodAfter: float = math.inf
    grew: float = math.inf

    @property
    def goesOn(self) -> bool:
        """Whether its time is not over."""
        return time.monotonic() < self.end

    async def dial(self, peer: Peer) -> Peer | None:
        """Connect. None if the listener does not accept."""
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", self.listener.port, timeout=5)
        try:
            await connectProtocol(endpoint, peer)
        except OSError:
            return None
        return peer

    async def workers(self, work: Callable[[], Any], number: int = WORKERS) -> None:
        """Do this again and again, many times at once, while the attack goes on."""

        async def worker() -> None:
            while self.goesOn:
                await work()

        for each in [Deferred.fromCoroutine(worker()) for _ in range(number)]:
            await each

    async def good(self, name: str = "good") -> str:
        """
        A good switch connects, as ovsdb-server does: again after a second,
        whenever the connection is closed.

        @return: how long it takes until it is in sync.
        """
        began, before, attempts = time.monotonic(), self.listener.inSync(name), 0
        peer: Peer | None = None
        while time.monotonic() - began < PATIENCE:
            if peer is None or not peer.open:
                if attempts:
                    await pause(self.reactor, 1)
                peer = await self.dial(Peer(name, True, 3))
                attempts += 1
            await pause(self.reactor, 0.02)
            if self.listener.inSync(name) > before:
                self.goodAfter = time.monotonic() - began
                return f"{self.goodAfter:.2f} s, {attempts} attempts"
        return f"locked out: {attempts} attempts in {PATIENCE:g} s"


async def madeUp(attack: Attack, snapshot: int | None) -> None:
    """
    Switches that are made up. Each is gone when it has said its name, or else is
    in sync.
    """
    names = count()
    settled = await attack.dial(Peer("settled", True, 3))

    async def one() -> None:
        peer = Peer(f"made-up-{next(names)}", True, snapshot)
        peer.asked = Deferred()
        if await attack.dial(peer) is None:
            return
        await peer.asked.addTimeout(5, attack.reactor).addErrback(lambda _: None)
        if peer.open:
            if snapshot is None:
                peer.transport.abortConnection()  # type: ignore[union-attr]
            else:
                peer.transport.loseConnection()  # type: ignore[union-attr]
            await peer.closed

    await attack.workers(one)
    attack.figures["switches made up"] = f"{next(names):,}"
    attack.figures["good switch in sync after"] = await attack.good()
    attack.figures["connected switch still connected"] = str(settled is not None and settled.open)


async def neverInSync(attack: Attack) -> None:
    """Made-up switches that are never in sync."""
    await madeUp(attack, None)


async def brieflyInSync(attack: Attack) -> None:
    """Made-up switches that are in sync for a moment."""
    await madeUp(attack, INTERFACES)


async def claims(attack: Attack) -> None:
    """Many connections claim the id of one that is connected, which does not read."""
    victim = await attack.dial(Peer("good", True, 3))
    assert victim is not None
    while not attack.listener.inSync("good"):
        await pause(attack.reactor, 0.02)
    victim.echo = False
    peers: list[Peer] = []
    most = made = 0
    # As long as a probe's answer may take, and not longer: it is alive for us.
    while attack.goesOn:
        peers = [peer for peer in peers if peer.open]
        for _ in range(min(WORKERS, CLAIMANTS - len(peers))):
            peer = await attack.dial(Peer("good", True, None))
            if peer is not None:
                peers.append(peer)
                made += 1
        # Those that were refused have to hear of it.
        await pause(attack.reactor, 0.3)
        most = max(most, sum(peer.open for peer in peers))
        if not victim.echo:
            # It reads what has come, and the answers show that it is there.
            victim.transport.write(b'{"id":null,"method":"x","params":[]}')  # type: ignore[union-attr]
    attack.figures["claims"] = f"{made:,}"
    attack.figures["claimants that waited at once"] = str(most)
    attack.figures["echoes that the connected switch got"] = str(victim.echoes)
    attack.figures["connected switch kept its id"] = str(victim.open)
    victim.transport.abortConnection()  # type: ignore[union-attr]
    for peer in peers:
        peer.transport.abortConnection()  # type: ignore[union-attr]
    attack.figures["good switch in sync after"] = await attack.good()


async def silence(attack: Attack) -> None:
    """Connections that say nothing take all places; a good switch connects meanwhile."""
    peers: list[Peer] = []

    async def fill() -> None:
        for _ in range(WORKERS):
            if not attack.goesOn:
                return
            peer = await attack.dial(Peer("", False, None))
            if peer is not None:
                peers.append(peer)
        peers[:] = [peer for peer in peers if peer.open]
        await pause(attack.reactor, 0.05 if len(peers) < PLACES else 0.5)

    filling = Deferred.fromCoroutine(attack.workers(fill, 1))
    while len(peers) < PLACES and attack.goesOn:
        await pause(attack.reactor, 0.05)
    attack.figures["silent connections"] = str(len(peers))
    attack.figures["good switch in sync after"] = await attack.good()
    await filling
    for peer in peers:
        peer.transport.abortConnection()  # type: ignore[union-attr]


async def bulk(attack: Attack) -> None:
    """Strangers that send one message without an end."""
    piece = b'{"id":1,"result":["' + b"x" * (1 << 20)
    sent = 0
    peers: list[Peer] = []
    for _ in range(STRANGERS):
        peer = await attack.dial(Peer("", False, None))
        assert peer is not None
        peers.append(peer)
    for _ in range(BULK >> 20):
        for peer in peers:
            if peer.open and attack.goesOn:
                peer.transport.write(piece if sent < STRANGERS else piece[19:])  # type: ignore[union-attr]
                sent += 1
        await pause(attack.reactor, 0.2)
    attack.figures["MB that strangers could send"] = str(sent)
    attack.figures["strangers still connected"] = str(sum(peer.open for peer in peers))
    for peer in peers:
        peer.transport.abortConnection()  # type: ignore[union-attr]
    attack.figures["good switch in sync after"] = await attack.good()


ATTACKS: Final = (neverInSync, brieflyInSync, claims, silence, bulk)


def allowDescriptors() -> None:
    """
    Let this process and its children open enough files: two thousand connections need
    more than the usual 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def run(reactor: Any, seconds: float) -> dict[str, Attack]:
    """
    Run each attack for its part of this time, each against a new process.

    @return: by attack, what was measured.
    """
    allowDescriptors()
    found = {}
    for attack in ATTACKS:
        with tempfile.TemporaryDirectory() as folder:
            listener = Listener(reactor, Path(folder))
            try:
                await listener.up()
                before = listener.memory()
                running = Attack(reactor, listener, time.monotonic() + seconds / len(ATTACKS))
                await attack(running)
                running.grew = listener.memory("VmHWM") - before
                running.figures["memory grew by at most"] = f"{running.grew:.0f} MB"
                found[attack.__name__] = running
            finally:
                await listener.stop()
    return found


def main(seconds: float = 60.0) -> None:
    """Run all attacks, and print what they did."""

    async def attack(reactor: Any) -> None:
        for name, measured in (await run(reactor, seconds)).items():
            print(f"{name}:")
            for what, value in measured.figures.items():
                print(f"  {what}: {value}")

    react(lambda reactor: Deferred.fromCoroutine(attack(reactor)))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
