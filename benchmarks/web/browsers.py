# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many readers of the event stream in one process. Each second it prints how many bytes
came, and how often one of them was told to ask again.

    python -m benchmarks.web.browsers PORT COUNT
"""

from __future__ import annotations

import json
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import LoopingCall

REQUEST = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Reader(Protocol):
    """
    Reads, and counts.
    """

    size = 0
    resyncs = 0
    lost = 0

    def connectionMade(self) -> None:
        """
        Ask for the stream.
        """
        transport: Any = self.transport
        transport.write(REQUEST)

    def dataReceived(self, data: bytes) -> None:
        """
        Count.
        """
        Reader.size += len(data)
        Reader.resyncs += data.count(b"event: resync")

    def connectionLost(self, reason: object = None) -> None:
        """
        Count that, too.
        """
        Reader.lost += 1


def tell() -> None:
    """
    Print what came in the last second.
    """
    figures = {"bytes": Reader.size, "resyncs": Reader.resyncs, "lost": Reader.lost}
    Reader.size = 0
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    clock: Any = reactor
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        connectProtocol(endpoint, Reader())
    LoopingCall(tell).start(1.0, now=False)
    clock.run()
