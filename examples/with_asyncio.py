# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Twisted and asyncio in one program: VMs that come online are put into an
C{asyncio.Queue}, and asyncio code waits until each of them is ready.

    python examples/with_asyncio.py [SERVER [COUNT]]

It ends after COUNT VMs (1 if not given). Twisted has to run on the event loop of
asyncio: C{asyncioreactor.install()} before anything imports the reactor. With
twistd, this is C{twistd --reactor asyncio}.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from twisted.internet import asyncioreactor, task
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    EndpointConnector,
    InterfaceOnline,
    OvsdbEventObserver,
    OvsdbMonitorFactory,
    clientFromRemote,
)

SERVER = "tcp:127.0.0.1:6640"

PARSER = argparse.ArgumentParser(description="Wait in asyncio until VMs are ready.")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)
PARSER.add_argument("count", metavar="COUNT", nargs="?", default=1, type=int)


class Queued(OvsdbEventObserver):
    """
    Puts the iface-id of each VM into a queue. While the queue is full, this
    observer is busy, and what happens meanwhile reaches it as one difference.
    """

    def __init__(self, queue: asyncio.Queue[str]) -> None:
        self._queue = queue

    def vmOnline(self, event: InterfaceOnline) -> Deferred[None]:
        """
        A VM exists. A coroutine of asyncio becomes a Deferred.
        """
        ifaceId = event.interface.iface_id or ""
        return Deferred.fromFuture(asyncio.ensure_future(self._queue.put(ifaceId)))


async def plug(factory: OvsdbMonitorFactory, queue: asyncio.Queue[str], count: int) -> None:
    """
    Code of asyncio: it awaits the queue, and a Deferred as a future.
    """
    loop = asyncio.get_running_loop()
    for _ in range(count):
        ifaceId = await queue.get()
        interface = await factory.whenReady(ifaceId, timeout=30).asFuture(loop)
        print(interface.name, "is ready at", interface.ofport, flush=True)


async def main(reactor: Any, server: str = SERVER, count: int = 1) -> None:
    """
    Code of Twisted: it awaits a coroutine of asyncio as a Deferred.
    """
    try:
        endpoint = clientFromRemote(reactor, server)
    except ValueError as e:
        PARSER.error(str(e))
    queue: asyncio.Queue[str] = asyncio.Queue(10)
    factory = OvsdbMonitorFactory([Queued(queue)])
    EndpointConnector(endpoint, factory).connect()
    await Deferred.fromFuture(asyncio.ensure_future(plug(factory, queue, count)))
    await factory.stop()


if __name__ == "__main__":
    given = PARSER.parse_args()
    loop = asyncio.new_event_loop()
    # Otherwise ensure_future would take another loop before this one runs.
    asyncio.set_event_loop(loop)
    asyncioreactor.install(loop)
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    task.react(lambda *args: ensureDeferred(main(*args)), [given.server, given.count])
