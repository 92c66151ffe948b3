# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Wait until one VM has its OpenFlow port, and print the port.

    python examples/wait_for_vm.py IFACE_ID [SERVER [SECONDS]]

The exit status is 1 if the VM is not ready after SECONDS (60 if not given). The log,
such as that there is no server, goes to standard error.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import task
from twisted.internet.defer import TimeoutError, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, clientFromRemote


async def main(
    reactor: Any, ifaceId: str, server: str = "tcp:127.0.0.1:6640", seconds: str = "60"
) -> None:
    """
    Wait for the VM with this iface-id.
    """
    factory = OvsdbMonitorFactory()
    EndpointConnector(clientFromRemote(reactor, server), factory).connect()
    try:
        interface = await factory.whenReady(ifaceId, timeout=float(seconds))
    except TimeoutError:
        raise SystemExit(f"{ifaceId} is not ready after {seconds} s") from None
    finally:
        await factory.stop()
    print(f"{interface.name} is ready: ofport {interface.ofport}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: wait_for_vm.py IFACE_ID [SERVER [SECONDS]]")
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    task.react(lambda *args: ensureDeferred(main(*args)), sys.argv[1:])
