# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a bad server can cost: a monitor receives one kind of bytes that are meant to be
expensive, in chunks like those of a socket, and prints what they cost::

    python -m benchmarks.clients.worst NAME MEGABYTES
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from benchmarks.clients.figures import peakMemory, say
from benchmarks.database import interfaceRow
from twisted_ovsdb import InterfaceMonitor, OvsdbError, OvsdbProtocol

CHUNK: Final = 65536
"""Bytes that a reactor reads at a time."""

EMPTY: Final = b'{"id":1,"result":{"Interface":{}},"error":null}'

ROW: Final = b'"00000001-0000-4000-8000-000000000000":{"new":{"name":"x","x":'

UPDATE: Final = b'{"id":null,"method":"update","params":["twisted_ovsdb",{"Interface":{'

DEEP: Final = b"[" * 50 + b"]" * 50 + b","


def filled(head: bytes, unit: bytes, tail: bytes) -> Callable[[int], Iterator[bytes]]:
    """
    A message with as many units in it as there is room for.
    """

    def parts(size: int) -> Iterator[bytes]:
        yield head
        many = unit * (CHUNK // len(unit))
        for _ in range(size // len(many)):
            yield many
        yield tail

    return parts


def repeated(before: bytes, message: bytes) -> Callable[[int], Iterator[bytes]]:
    """
    One message again and again.
    """
    return filled(before, message, b"")


def otherOrders(size: int) -> Iterator[bytes]:
    """
    A reply whose rows have their columns in ever other orders.
    """
    yield b'{"id":1,"result":{"Interface":{'
    draw = random.Random(1)
    number = sent = 0
    while sent < size:
        columns = list(interfaceRow(number).items())
        columns += [("type", ""), ("error", ["set", []]), ("options", ["map", []])]
        columns += [(f"x{n}", n) for n in range(20)]
        draw.shuffle(columns)
        row = json.dumps({"new": dict(columns)}, separators=(",", ":"))
        part = f'{"," * (number > 0)}"{number:08x}-0000-4000-8000-000000000000":{row}'.encode()
        yield part
        sent += len(part)
        number += 1
    yield b'}},"error":null}'


def pieces(size: int) -> Iterator[bytes]:
    """
    The rows of a reply, each byte for itself.
    """
    for part in otherOrders(size):
        yield from (part[n : n + 1] for n in range(len(part)))


REPLY: Final = b'{"id":1,"result":{"Interface":{'

KINDS: Final[dict[str, tuple[str, bool, Callable[[int], Iterator[bytes]]]]] = {
    "echo": ("`[[]],` in an echo", True, filled(
        EMPTY + b'{"id":"x","method":"echo","params":[', b"[[]],", b"0]}"
    )),
    "row": ("`[[]],` in a row of the reply", True, filled(
        REPLY + ROW + b"[", b"[[]],", b"0]}}}}}"
    )),
    "update": ("`[[]],` in a row of an update", True, filled(
        EMPTY + UPDATE + ROW + b"[", b"[[]],", b"0]}}}}]}"
    )),
    "objects": ('`{"":0},` in a row of an update', True, filled(
        EMPTY + UPDATE + ROW + b"[", b'{"":0},', b"0]}}}}]}"
    )),
    "strings": ('`"ab",` in a row of an update', True, filled(
        EMPTY + UPDATE + ROW + b"[", b'"ab",', b"0]}}}}]}"
    )),
    "string": ("one string, with one character beyond 16 bits", True, filled(
        EMPTY + UPDATE + ROW + '"\U0001f600'.encode(), b"x", b'"}}}}]}'
    )),
    "escapes": (r'`\"` in a string', True, filled(
        EMPTY + UPDATE + ROW + b'"', rb"\"", b'"}}}}]}'
    )),
    "deep": ("50 brackets deep", True, filled(
        EMPTY + UPDATE + ROW + b"[", DEEP, b"0]}}}}]}"
    )),
    "number": ("one number", True, filled(EMPTY + UPDATE + ROW + b"1.", b"1", b"}}}}]}")),
    "orders": ("a reply, its columns in ever other orders", True, otherOrders),
    "bytes": ("the same, a byte at a time", False, pieces),
    "replies": ("replies to no request", True, repeated(EMPTY, b'{"id":9,"result":0}')),
    "updates": ("updates of no monitor", True, repeated(
        EMPTY, b'{"id":null,"method":"update","params":["x",{}]}'
    )),
}  # fmt: skip
"""By name: what it is, whether it comes in large chunks, and what makes it."""


def chunks(parts: Iterator[bytes]) -> Iterator[bytes]:
    """
    What a socket makes of these parts.
    """
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    yield bytes(waiting)


def main(name: str, megabytes: str) -> None:
    """
    Receive, and print the figures.
    """
    _, large, make = KINDS[name]
    parts = make(int(megabytes) * 10**6)
    clock = Clock()
    monitor = InterfaceMonitor([], clock=clock)
    protocol = OvsdbProtocol()
    protocol.makeConnection(StringTransport())  # type: ignore[no-untyped-call]
    monitor.attach(protocol).addErrback(lambda failure: failure.trap(OvsdbError))
    sent, spent, longest, memory = 0, 0.0, 0.0, peakMemory()
    for chunk in chunks(parts) if large else parts:
        start = time.process_time()
        protocol.dataReceived(chunk)
        turn = time.process_time()
        longest = max(longest, turn - start)
        while protocol.paused and protocol.lost is None:
            clock.advance(0)
            longest, turn = max(longest, time.process_time() - turn), time.process_time()
        spent += time.process_time() - start
        sent += len(chunk)
        if protocol.lost is not None:
            break
    say(
        sent=sent,
        refused=protocol.lost is not None,
        cpu=spent / sent,
        memory=peakMemory() - memory,
        stall=longest,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
