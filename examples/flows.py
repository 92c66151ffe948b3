# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Install flows for each VM when it becomes ready, and remove them when it goes.

    python examples/flows.py tcp:127.0.0.1:6640

The program prints what it would send to the switch: put your OpenFlow channel
in the place of C{print}. Ctrl-C ends it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    OvsInterface,
    Synchronized,
    clientFromRemote,
)


class Flows(OvsdbEventObserver):
    """
    Keeps the flows of all VMs in step with the ports that they have.

    Each flow is kept under the UUID of its interface. An interface that is told
    again after an outage, and is unchanged, keeps its flow.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        """
        @param write: takes each instruction for the switch.
        """
        self._write = write
        self._installed: dict[str, tuple[int, str]] = {}

    def vmOnline(self, event: InterfaceOnline) -> None:
        """
        A VM exists. Its OpenFlow port often follows in a change.
        """
        self._update(event.interface)

    def vmChanged(self, event: InterfaceChanged) -> None:
        """
        A VM may have got its OpenFlow port, or another one, or lost it.
        """
        self._update(event.interface)

    def vmOffline(self, event: InterfaceOffline) -> None:
        """
        A VM is gone.
        """
        self._remove(event.interface.uuid)

    def synchronized(self, event: Synchronized) -> None:
        """
        Every VM that exists has been told.
        """
        self._write(f"in sync: flows for {len(self._installed)} VMs")

    def _update(self, interface: OvsInterface) -> None:
        if not interface.ready or interface.ofport is None:
            self._remove(interface.uuid)
            return
        wanted = (interface.ofport, interface.attached_mac or "any")
        if self._installed.get(interface.uuid) != wanted:
            self._remove(interface.uuid)
            self._installed[interface.uuid] = wanted
            self._write("add-flow in_port={},dl_src={}".format(*wanted))

    def _remove(self, uuid: str) -> None:
        installed = self._installed.pop(uuid, None)
        if installed is not None:
            self._write("del-flows in_port={},dl_src={}".format(*installed))


async def main(reactor: Any, server: str = "tcp:127.0.0.1:6640") -> None:
    """
    Keep the flows of a server's VMs until Ctrl-C.
    """
    factory = OvsdbMonitorFactory([Flows(lambda text: print(text, flush=True))])
    service = OvsdbMonitorService(clientFromRemote(reactor, server), factory)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    await Deferred()


if __name__ == "__main__":
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    task.react(lambda *args: ensureDeferred(main(*args)), sys.argv[1:])
