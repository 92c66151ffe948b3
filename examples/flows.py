# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Install flows for each VM when it becomes ready, and remove them when it goes.

    python examples/flows.py tcp:127.0.0.1:6640

The program prints what it would send to the switch, in the words of ovs-ofctl:
put your OpenFlow channel in the place of C{print}. Ctrl-C ends it.
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

    Each flow is kept under its switch and the UUID of its interface. An interface
    that is told again after an outage, and is unchanged, keeps its flow.

    A flow is removed by its cookie, and never by its OpenFlow port: in one
    transaction two VMs may exchange their ports, and the old port of one is then
    the new port of the other.
    """

    def __init__(self, write: Callable[[str], object] = print) -> None:
        """
        @param write: takes each instruction for the switch.
        """
        self._write = write
        self._installed: dict[tuple[str, str], str] = {}

    def vmOnline(self, event: InterfaceOnline) -> None:
        """
        A VM exists. Its OpenFlow port often follows in a change.
        """
        self._update(event.switch, event.interface)

    def vmChanged(self, event: InterfaceChanged) -> None:
        """
        A VM may have got its OpenFlow port, or another one, or lost it.
        """
        self._update(event.switch, event.interface)

    def vmOffline(self, event: InterfaceOffline) -> None:
        """
        A VM is gone.
        """
        self._remove(event.switch, event.interface)

    def synchronized(self, event: Synchronized) -> None:
        """
        Every VM that exists has been told.
        """
        self._write(f"in sync: flows for {len(self._installed)} VMs")

    def forget(self) -> None:
        """
        The switch has lost all flows: ovs-vswitchd has restarted. Call C{replayTo} of
        the factory after this, which tells every VM once more.
        """
        self._installed.clear()

    def _update(self, switch: str, interface: OvsInterface) -> None:
        if not interface.ready:
            self._remove(switch, interface)
            return
        match = f"in_port={interface.ofport}"
        if interface.attached_mac is not None:
            match += f",dl_src={interface.attached_mac}"
        if self._installed.get((switch, interface.uuid)) != match:
            self._remove(switch, interface)
            self._installed[switch, interface.uuid] = match
            self._write(f"add-flow cookie={cookie(interface)},{match},actions=normal")

    def _remove(self, switch: str, interface: OvsInterface) -> None:
        if self._installed.pop((switch, interface.uuid), None) is not None:
            self._write(f"del-flows cookie={cookie(interface)}/-1")


def cookie(interface: OvsInterface) -> str:
    """
    The cookie of an interface's flows: the first half of its UUID. (With -1 as its
    mask, all of its bits must match.)
    """
    return f"0x{interface.uuid.replace('-', '')[:16]}"


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
