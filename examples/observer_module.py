# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer for C{--observer}. In the log of twistd it says how many VMs are
ready; with C{--bridges}, also on which bridge.

    PYTHONPATH=examples twistd -n ovsdb-monitor --observer observer_module.ReadyVMs
"""

from __future__ import annotations

from collections import Counter

from twisted.logger import Logger
from zope.interface import implementer

from twisted_ovsdb import (
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    IOvsdbEventObserver,
    Synchronized,
)
from twisted_ovsdb.events import Event


@implementer(IOvsdbEventObserver)
class ReadyVMs:
    """
    Knows which VMs are ready.

    The class implements the interface itself. Its one method takes all events,
    and ignores those that it does not know.
    """

    _log = Logger()

    def __init__(self) -> None:
        # The bridge of each VM by switch and UUID; empty without --bridges.
        self._ready: dict[tuple[str, str], str] = {}
        self._complete: set[str] = set()

    def eventReceived(self, event: Event) -> None:
        """
        Take one event of one of the servers.
        """
        if isinstance(event, Synchronized):
            self._complete.add(event.switch)
            self._tell()
        elif isinstance(event, (InterfaceOnline, InterfaceChanged, InterfaceOffline)):
            if event.kind is not InterfaceKind.VM:
                return
            vm = (event.switch, event.interface.uuid)
            before = self._ready.pop(vm, None)
            if event.interface.ready and not isinstance(event, InterfaceOffline):
                self._ready[vm] = event.interface.bridge or ""
            # No line before the first Synchronized: until then, not all VMs are known.
            if self._ready.get(vm) != before and event.switch in self._complete:
                self._tell()

    def _tell(self) -> None:
        bridges = Counter(filter(None, self._ready.values()))
        where = ", ".join(f"{bridge} {count}" for bridge, count in sorted(bridges.items()))
        self._log.info(
            "VMs ready: {count}{where}",
            count=len(self._ready),
            where=f" ({where})" if where else "",
        )
