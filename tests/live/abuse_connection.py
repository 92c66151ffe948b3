# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a bad server costs: each attack runs against a client in a process of its own, over
real sockets on the loopback interface, and the memory of the client is shown::

    python -m tests.live.abuse_connection 60 [ATTACK ...]

The client keeps every event, as an application may.
"""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from twisted_ovsdb import ConnectionHook, Disconnected, OvsdbMonitorFactory

reactor: Any = _reactor

MEBIBYTE: Final = 2**20

PAGES: Final = MEBIBYTE // 4096
"""Pages of memory in a MiB."""

SNAPSHOT: Final = b'{"id":1,"result":{},"error":null}'

ECHO: Final = b'{"id":"echo","method":"echo","params":[]}'

BEGINNING: Final = b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Interface":{'

PROBE: Final = re.compile(rb'"echo","params":\[\],"id":([0-9]+)')
"""A probe of the client."""

BROKEN: Final = 12
"""How many large messages are broken off."""

OVERTIME: Final = 10
"""How many times its time an attack with large messages may take, on a machine that is slow."""


LARGE_ECHO: Final = b'{"id":"echo","method":"echo","params":["%b"]}' % (b"x" * 65536)

UUID: Final = b"00000000-0000-4000-8000-000000000000"

ROW: Final = (
    b'"%08x-0000-4000-8000-000000000000":{"new":{"name":"tap%d","type":"","ofport":%d,'
    b'"error":["set",[]],"external_ids":["map",[]],"options":["map",[]]}}'
)


def row(number: int) -> bytes:
    """
    A new row, as a member of the table.
    """
    return ROW % (number, number, number)


def rows(size: int) -> Iterator[bytes]:
    """
    Rows of this size in all, in pieces of a MiB.
    """
    numbers = itertools.count(1)
    for _ in range(size // MEBIBYTE):
        piece = bytearray()
        while len(piece) < MEBIBYTE:
            piece += row(next(numbers)) + b","
        yield bytes(piece)


class BadServer(Protocol):
    """
    Waits for the first request, and then sends what its attack gives it, as fast as the
    client reads.
    """

    attack: Callable[[BadServer], Iterator[bytes]]
    broken = 0
    toBreak = BROKEN
    answers = True
    _over = False
    echo = ECHO

    def dataReceived(self, data: bytes) -> None:
        """
        Take the first bytes for the monitor request, whatever they are. Answer a probe
        if the attack is over.
        """
        if not hasattr(self, "_pieces"):
            self._pieces = type(self).attack(self)
            self._transport.registerProducer(self, False)
        elif self._over:
            for messageId in PROBE.findall(data):
                self._transport.write(b'{"id":%b,"result":[],"error":null}' % messageId)

    @property
    def _transport(self) -> Any:
        return self.transport

    def resumeProducing(self) -> None:
        """
        The client has taken what was sent.
        """
        piece = next(self._pieces, None)
        if piece is None:
            self._over = self.answers
            self._transport.unregisterProducer()
        elif piece:
            self._transport.write(piece)
        else:
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def stopProducing(self) -> None:
        """
        The connection is closed.
        """

    def every(self, seconds: float, data: bytes) -> None:
        """
        Send this again and again.
        """
        self._loop = LoopingCall(self._transport.write, data)
        self._loop.start(seconds, now=False)

    def connectionLost(self, reason: Any = None) -> None:
        """
        The connection is closed.
        """
        if hasattr(self, "_loop"):
            self._loop.stop()


def echoes(server: BadServer) -> Iterator[bytes]:
    """
    Sends echo requests, and reads nothing.
    """
    yield SNAPSHOT
    transport: Any = server.transport
    transport.pauseProducing()
    while True:
        yield server.echo * (MEBIBYTE // len(server.echo))


def largeEchoes(server: BadServer) -> Iterator[bytes]:
    """
    Sends echo requests of 64 KiB each, and reads nothing.
    """
    server.echo = LARGE_ECHO
    return echoes(server)


def deaf(server: BadServer) -> Iterator[bytes]:
    """
    Sends one brace, and then whole updates.
    """
    yield SNAPSHOT + b"{"
    server.answers = False
    server.every(0.4, BEGINNING + row(1) + b"}}]}")


def deafInArray(server: BadServer) -> Iterator[bytes]:
    """
    As deaf, but in an array, where the updates may stand.
    """
    yield SNAPSHOT + b'{"id":null,"method":"update","params":['
    server.answers = False
    server.every(0.4, BEGINNING + row(1) + b"}}]},")


def brokenReplies(server: BadServer) -> Iterator[bytes]:
    """
    Sends twelve replies of 100 MB in rows, which break off.
    """
    yield from _broken(b'{"id":1,"result":{"Interface":{', rows(100 * MEBIBYTE))


def brokenTexts(server: BadServer) -> Iterator[bytes]:
    """
    Sends twelve replies of 100 MB in one text; after it comes what is not JSON.
    """
    text = (b"x" * MEBIBYTE for _ in range(100))
    yield from _broken(
        b'{"id":1,"result":{"Interface":{"' + UUID + b'":{"new":{"name":"',
        itertools.chain(text, [b'"},nonsense}}}}']),
    )


def faultyUpdates(server: BadServer) -> Iterator[bytes]:
    """
    Sends a snapshot, and then an update of 100 MB whose last row is wrong.
    """
    if BadServer.broken < BadServer.toBreak:
        yield SNAPSHOT
    last = [b'"' + UUID + b'":{"new":1}}}]}']
    yield from _broken(BEGINNING, itertools.chain(rows(100 * MEBIBYTE), last))


def _broken(start: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    if BadServer.broken < BadServer.toBreak:
        BadServer.broken += 1
        yield start
        yield from pieces
        yield b""
    yield SNAPSHOT


def noSnapshot(server: BadServer) -> Iterator[bytes]:
    """
    Sends an echo every 5 s, and no snapshot.
    """
    server.answers = False
    server.every(5, ECHO)
    yield from ()


ATTACKS: Final = {
    attack.__name__: attack
    for attack in (
        echoes,
        largeEchoes,
        deaf,
        deafInArray,
        brokenReplies,
        brokenTexts,
        faultyUpdates,
        noSnapshot,
    )
}


LARGE: Final = ("brokenReplies", "brokenTexts", "faultyUpdates")
"""The attacks with messages of 100 MB, which end when all are broken."""


def serve(name: str, broken: int) -> None:
    """
    The server's process: attack whoever connects.
    """
    BadServer.attack = ATTACKS[name]
    BadServer.toBreak = broken
    factory = ServerFactory.forProtocol(BadServer)
    factory.noisy = False
    print(reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port, flush=True)
    reactor.run()


def memory() -> int:
    """
    The resident memory of this process, in MiB.
    """
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) // PAGES


@attrs.frozen
class Cost:
    """
    What an attack cost the client.

    @ivar begin: the memory at the beginning, in MiB.
    @ivar peak: the most memory.
    @ivar end: the memory at the end.
    @ivar stall: the longest time in which the reactor did nothing else, in seconds of CPU
        time.
    @ivar cpu: seconds of CPU time.
    @ivar ended: how many sessions ended.
    @ivar lost: how many of these had been in sync.
    @ivar endings: when and why the first ones ended.
    """

    begin: int
    peak: int
    end: int
    stall: float
    cpu: float
    ended: int
    lost: int
    endings: list[str]


class Endings(ConnectionHook):
    """
    When sessions ended, and why.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.endings: list[str] = []

    def failed(self, source: str, reason: BaseException) -> None:
        """
        An attempt has failed.
        """
        self.endings.append(f"{time.monotonic() - self.began:.1f} s: {reason}")

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        A session is lost.
        """
        self.failed(source, reason)


class Keeper:
    """
    Keeps every event.
    """

    def __init__(self) -> None:
        self.events: list[Any] = []

    def eventReceived(self, event: Any) -> None:
        """
        Keep it.
        """
        self.events.append(event)


def watch(port: int, seconds: float, broken: int) -> None:
    """
    The client's process: tell what the attack costs.

    @param broken: how many sessions end in this attack; then the client is in sync.
    """
    hook, keeper = Endings(), Keeper()
    factory = OvsdbMonitorFactory([keeper], maxDelay=0.1, hook=hook)
    begin, peak = memory(), 0
    longest, looked = 0.0, time.process_time()
    cpu = time.process_time()

    def look() -> None:
        nonlocal peak, longest, looked
        peak = max(peak, memory())
        # Seconds of this process: how busy the machine is does not count.
        now = time.process_time()
        longest, looked = max(longest, now - looked), now

    def atTheEnd(left: float) -> None:
        if left > 0 and (len(hook.endings) < broken or not factory.monitor.inSync):
            reactor.callLater(0.1, atTheEnd, left - 0.1)
        else:
            tell(None)

    def tell(result: object) -> None:
        if isinstance(result, Failure):
            result.printTraceback(sys.stderr)
        look()
        cost = Cost(
            begin=begin,
            peak=peak,
            end=memory(),
            stall=longest,
            cpu=time.process_time() - cpu,
            ended=len(hook.endings),
            lost=sum(isinstance(event, Disconnected) for event in keeper.events),
            endings=hook.endings[:3],
        )
        print(json.dumps(attrs.asdict(cost)))
        reactor.stop()

    LoopingCall(look).start(0.05).addErrback(tell)
    reactor.connectTCP("127.0.0.1", port, factory)
    reactor.callLater(0 if broken else seconds, atTheEnd, OVERTIME * seconds)
    reactor.run()


def measure(name: str, seconds: float, broken: int = BROKEN) -> Cost:
    """
    Run one attack for this time.

    @param broken: how many large messages are broken off.
    """
    command = [sys.executable, "-m", "tests.live.abuse_connection"]
    serving = [*command, "serve", name, str(broken)]
    server = subprocess.Popen(serving, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        endings = broken if name in LARGE else 0
        watching = [*command, "watch", port, str(seconds), str(endings)]
        timeout = OVERTIME * seconds + 60
        client = subprocess.run(watching, stdout=subprocess.PIPE, check=True, timeout=timeout)
        return Cost(**json.loads(client.stdout))
    finally:
        server.kill()
        server.communicate()


def main(seconds: float, *attacks: str) -> None:
    """
    Run these attacks, or all of them, each for this time; those with large messages until
    all of these are broken off.
    """
    for name in attacks or ATTACKS:
        print(f"{name}: {' '.join((ATTACKS[name].__doc__ or '').split())}", flush=True)
        cost = measure(name, seconds)
        print(
            f"  memory {cost.begin} MiB, at most {cost.peak} MiB, at the end {cost.end} MiB;"
            f" {cost.cpu:.1f} s of CPU; the reactor stood still for {cost.stall:.1f} s at most;"
            f" {cost.ended} sessions ended ({cost.lost} of them had been in sync)"
        )
        for ending in cost.endings:
            print(f"  after {ending}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "watch":
        watch(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
    else:
        main(float(sys.argv[1]), *sys.argv[2:])
