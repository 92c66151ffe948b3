# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An application whose observer is remembered, and writes what it is told to a file:
C{python -m tests.soak.remembering SOCKET STATE FILE}.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.task import react

from twisted_ovsdb import EndpointConnector, ObserverState, OvsdbMonitorFactory
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver


async def main(reactor: Any, socket: str, folder: str, path: str) -> None:
    """
    Run until the process is killed.
    """
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(line: bytes) -> None:
        os.write(file, line)

    state = ObserverState(folder)
    observer = state.remember("file", JSONLinesObserver(write))
    factory = OvsdbMonitorFactory([observer], identify=True, maxDelay=0.2, source="s")
    EndpointConnector(UNIXClientEndpoint(reactor, socket), factory).connect()
    await Deferred()


if __name__ == "__main__":
    react(lambda *a: ensureDeferred(main(*a)), sys.argv[1:])
