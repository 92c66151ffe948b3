# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An observer for C{--observer}. In the log of twistd it says how many VMs are
ready.

    PYTHONPATH=examples twistd -n ovsdb-monitor --observer observer_module.ReadyVMs
"""

from __future__ import annotations

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
        self._ready: set[tuple[str, str]] = set()
        self._complete: set[str] = set()

    def eventReceived(self, event: Event) -> None:
        """
        Take one event of one of the servers.
        """
        before = len(self._ready)
        if isinstance(event, Synchronized):
            self._complete.add(event.switch)
            self._tell()
        elif isinstance(event, (InterfaceOnline, InterfaceChanged, InterfaceOffline)):
            if event.kind is not InterfaceKind.VM:
                return
            vm = (event.switch, event.interface.uuid)
            if event.interface.ready and not isinstance(event, InterfaceOffline):
                self._ready.add(vm)
            else:
                self._ready.discard(vm)
            # No line before the first Synchronized: until then, not all VMs are known.
            if len(self._ready) != before and event.switch in self._complete:
                self._tell()

    def _tell(self) -> None:
        self._log.info("VMs ready: {count}", count=len(self._ready))
