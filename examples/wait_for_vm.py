# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Wait until one VM has its OpenFlow port, and print the port.

    python examples/wait_for_vm.py IFACE_ID [SERVER [SECONDS]]

If the VM is not ready after SECONDS (60 if not given), the program says why, and the
exit status is 1. The log, such as that there is no server, goes to standard error.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import TimeoutError, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, clientFromRemote

SERVER = "tcp:127.0.0.1:6640"

PARSER = argparse.ArgumentParser(description="Wait until a VM has its OpenFlow port.")
PARSER.add_argument("ifaceId", metavar="IFACE_ID")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)
PARSER.add_argument("seconds", metavar="SECONDS", nargs="?", default=60.0, type=float)


async def main(reactor: Any, ifaceId: str, server: str = SERVER, seconds: float = 60.0) -> None:
    """
    Wait for the VM with this iface-id.
    """
    factory = OvsdbMonitorFactory()
    try:
        endpoint = clientFromRemote(reactor, server)
        ready = factory.whenReady(ifaceId, timeout=seconds)
    except ValueError as e:
        PARSER.error(str(e))
    EndpointConnector(endpoint, factory).connect()
    try:
        interface = await ready
    except TimeoutError as e:
        raise SystemExit(str(e)) from e
    finally:
        await factory.stop()
    print(f"{interface.name} is ready: ofport {interface.ofport}")


if __name__ == "__main__":
    given = PARSER.parse_args()
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    arguments = [given.ifaceId, given.server, given.seconds]
    task.react(lambda *args: ensureDeferred(main(*args)), arguments)
