# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Install flows for each VM when it becomes ready, and remove them when it goes, also
when it moves to another bridge.

    python examples/flows.py [SERVER]

The program prints what it would send to the switch, in the words of ovs-ofctl:
put your OpenFlow channel in the place of C{print}. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet import task
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver

from twisted_ovsdb import (
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsdbEventObserver,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    OvsInterface,
    Synchronized,
    clientFromRemote,
)

SERVER = "tcp:127.0.0.1:6640"


class Flow(NamedTuple):
    """
    A flow. An OpenFlow port number means nothing without its bridge.
    """

    bridge: str
    ofport: int
    match: str


class Flows(OvsdbEventObserver):
    """
    Keeps the flows of all VMs of a switch in step with the ports that they have.

    Each flow is kept under its switch and the UUID of its interface. An interface
    that is told again after an outage, and is unchanged, keeps its flow.

    A port that has moved to another bridge has its old number until ovs-vswitchd
    gives it another one. So C{interfaceByOfport} of the factory is asked whose number
    it is: flows of another VM must not be overwritten meanwhile.

    A flow is removed by its cookie, and never by its OpenFlow port: in one
    transaction two VMs may exchange their ports, and the old port of one is then
    the new port of the other.
    """

    def __init__(
        self,
        portOf: Callable[[str, int], OvsInterface | None],
        write: Callable[[str], object] = print,
    ) -> None:
        """
        @param portOf: C{interfaceByOfport} of the factory.
        @param write: takes each instruction for the switch.
        """
        self._portOf = portOf
        self._write = write
        self._installed: dict[tuple[str, str], Flow] = {}

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
        self._install(event.switch, event.interface, None)

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
        self._install(switch, interface, self._wanted(interface))

    def _wanted(self, interface: OvsInterface) -> Flow | None:
        bridge, ofport = interface.bridge, interface.ofport
        if not interface.ready or bridge is None or ofport is None:
            return None
        if self._portOf(bridge, ofport) != interface:
            return None
        match = f"in_port={ofport}"
        if interface.attached_mac is not None:
            match += f",dl_src={interface.attached_mac}"
        return Flow(bridge, ofport, match)

    def _install(self, switch: str, interface: OvsInterface, flow: Flow | None) -> None:
        before = self._installed.pop((switch, interface.uuid), None)
        if flow is not None:
            self._installed[switch, interface.uuid] = flow
        if before == flow:
            return
        if before is not None:
            self._write(f"del-flows {before.bridge} cookie={cookie(interface)}/-1")
        if flow is not None:
            what = f"cookie={cookie(interface)},{flow.match},actions=normal"
            self._write(f"add-flow {flow.bridge} {what}")
        if before is not None:
            # Another VM may have waited for this number.
            heir = self._portOf(before.bridge, before.ofport)
            if heir is not None and heir.kind is InterfaceKind.VM:
                self._update(switch, heir)


def cookie(interface: OvsInterface) -> str:
    """
    The cookie of an interface's flows: the first half of its UUID. (With -1 as its
    mask, all of its bits must match.)
    """
    return f"0x{interface.uuid.replace('-', '')[:16]}"


PARSER = argparse.ArgumentParser(description="Print the flows of the VMs of a switch.")
PARSER.add_argument("server", metavar="SERVER", nargs="?", default=SERVER)


async def main(reactor: Any, server: str = SERVER) -> None:
    """
    Keep the flows of a server's VMs until Ctrl-C.
    """
    try:
        endpoint = clientFromRemote(reactor, server)
    except ValueError as e:
        PARSER.error(str(e))
    factory = OvsdbMonitorFactory(bridges=True)
    factory.addObserver(Flows(factory.interfaceByOfport, lambda text: print(text, flush=True)))
    service = OvsdbMonitorService(endpoint, factory)
    service.startService()
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    await Deferred()


if __name__ == "__main__":
    given = PARSER.parse_args()
    log = textFileLogObserver(sys.stderr)
    globalLogBeginner.beginLoggingTo([log], redirectStandardIO=False)
    task.react(lambda *args: ensureDeferred(main(*args)), [given.server])
