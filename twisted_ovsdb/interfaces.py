# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The contract between the monitor and those who listen to it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Union

from zope.interface import Interface

from twisted_ovsdb.events import Event

ObserverResult = Union[None, Awaitable[object]]
"""A Deferred is an Awaitable, and so is a coroutine."""


class IOvsdbEventObserver(Interface):
    """
    Something that wants to know which interfaces come, go and change.
    """

    def eventReceived(event: Event) -> ObserverResult:
        """
        Take one event.

        Called in the reactor thread, for one event after another, in the
        order that L{twisted_ovsdb.InterfaceMonitor} documents. Everything in
        the event is immutable and may be kept.

        An observer that answers with a Deferred or a coroutine is busy until
        that ends, and is told nothing meanwhile. What happens in between
        reaches it as one difference: transient states are left out, and the
        sum of all events stays right.

        An exception or a failed Deferred is logged with its traceback; the
        event counts as delivered, and nobody else is affected. Observers may
        be added and removed and the service stopped from in here.

        @param event: one of L{InterfaceOnline
            <twisted_ovsdb.InterfaceOnline>}, L{InterfaceOffline
            <twisted_ovsdb.InterfaceOffline>}, L{InterfaceChanged
            <twisted_ovsdb.InterfaceChanged>}, L{Synchronized
            <twisted_ovsdb.Synchronized>} and L{Disconnected
            <twisted_ovsdb.Disconnected>}. Others may be added: ignore those
            that you do not know.

        @return: None, a Deferred or a coroutine, whose result is ignored.
        """
