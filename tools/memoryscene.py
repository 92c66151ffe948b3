# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The scene of C{make run} where Open vSwitch cannot be installed: the server in
memory of L{twisted_ovsdb.testing}, on a unix socket.

    python -m tools.memoryscene SOCKET PAUSE
"""

from __future__ import annotations

import sys

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IReactorTime, IReactorUNIX
from twisted.internet.task import deferLater, react

from twisted_ovsdb.testing import MemoryServer

ASSIGNING = 0.2
"""Seconds until a port gets its OpenFlow port, which ovs-vswitchd would assign."""


def furnish(server: MemoryServer) -> None:
    """
    Make two bridges, a VM, a tunnel and a pair of patch ports.
    """
    server.addBridge("br-int")
    server.addBridge("br-ex")
    server.addPort("br-int", "tap-web", iface_id="0e9f6b40-5d1c-4f0f-9a62-5a3c7a1b2c01")
    server.addTunnel("br-int", "df-chassis2", remote_ip="192.0.2.2")
    server.addPatchPair("br-int", "patch-ex", "br-ex", "patch-int")
    for name in ("tap-web", "df-chassis2", "patch-ex", "patch-int"):
        server.assignOfport(name)


async def main(reactor: IReactorUNIX, path: str, pause: float) -> None:
    """
    Boot and remove a VM every few seconds, without end.
    """
    server = MemoryServer()
    furnish(server)
    await server.listen(UNIXServerEndpoint(reactor, path))
    clock = IReactorTime(reactor)
    number = 0
    while True:
        number += 1
        name = f"tap-vm{number}"
        await deferLater(clock, pause)
        server.addPort("br-int", name, iface_id=f"0e9f6b40-5d1c-4f0f-9a62-5a3c7a1b{number:04x}")
        await deferLater(clock, ASSIGNING)
        server.assignOfport(name)
        await deferLater(clock, pause)
        server.deletePort(name)


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, sys.argv[1], float(sys.argv[2]))))
