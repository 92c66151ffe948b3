# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The contract between a monitor and its observers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any, Protocol, Union

from zope.interface import Interface

from twisted_ovsdb.events import Event
from twisted_ovsdb.parameters import checkFlags

ObserverResult = Union[None, Awaitable[object]]
"""A Deferred is an Awaitable, and so is a coroutine."""


class IOvsdbEventObserver(Interface):
    """An object that is told which interfaces come, go and change."""

    def eventReceived(event: Event) -> ObserverResult:
        """
        Receive one event.

        This is called in the reactor thread, for one event after another, in
        the order that L{twisted_ovsdb.InterfaceMonitor} documents. Everything
        in the event is immutable and may be kept.

        An observer that returns a Deferred or a coroutine is busy until that
        ends, and receives nothing meanwhile. What happens in between reaches
        it as one difference: transient states are left out, and the sum of all
        events stays right.

        An exception or a failed Deferred is logged with its traceback; the
        event counts as delivered, and other observers are not affected. This
        includes SystemExit: to end the program, stop the reactor. This method
        may add and remove observers and stop the service.

        An observer that has an attribute C{wantsProblems} that is true is told
        L{ProblemFound <twisted_ovsdb.ProblemFound>} and L{ProblemSolved
        <twisted_ovsdb.ProblemSolved>} too, where problems are looked for
        (C{problemsAfter}).

        @param event: an L{Event <twisted_ovsdb.Event>}. Other classes of events
            may be added: ignore those that you do not know.
        @return: None, a Deferred or a coroutine, whose result is ignored.
        """


class EventReceiver(Protocol):
    """
    An observer, for type checkers without a plugin for zope.interface, such as
    pyright: any object with this method. It need not inherit from this class,
    nor declare that it provides L{IOvsdbEventObserver}.
    """

    def eventReceived(self, event: Event, /) -> ObserverResult:
        """Receive one event: see L{IOvsdbEventObserver}."""


Observer = Union[IOvsdbEventObserver, EventReceiver]
"""
What can be added as an observer: mypy with its plugin for zope.interface sees
the first, pyright the second.
"""


def wantsProblems(observer: Observer) -> bool:
    """
    Whether an observer asks to be told of problems.

    @raise TypeError: if its C{wantsProblems} is neither True nor False.
    """
    wanted: Any = getattr(observer, "wantsProblems", False)
    checkFlags(wantsProblems=wanted)
    return bool(wanted)


def asObservers(observers: Iterable[Observer]) -> tuple[Observer, ...]:
    """
    Accept the observers that an application gives to a constructor.

    @raise TypeError: if it is no list, or has something else than observers in it.
    """
    if isinstance(observers, str) or not isinstance(observers, Iterable):
        raise TypeError(f"observers must be a list, such as [Ports()], not {observers!r}")
    found = tuple(observers)
    for observer in found:
        asObserver(observer)
    return found


def asObserver(observer: Observer) -> IOvsdbEventObserver:
    """
    Accept an observer that an application adds: an object that provides
    L{IOvsdbEventObserver}, that can be adapted to it, or that simply has a
    method C{eventReceived}.

    @return: the observer, or its adapter.
    @raise TypeError: if it is none of these, or a class in place of an object.
    """
    adapted: Any = IOvsdbEventObserver(observer, None)
    if adapted is not None:
        return adapted  # type: ignore[no-any-return]
    found: Any = observer
    if isinstance(found, type):
        raise TypeError(f"an observer is an object, not a class: pass {found.__name__}(...)")
    if not callable(getattr(found, "eventReceived", None)):
        raise TypeError(f"an observer has a method eventReceived, and this has none: {found!r}")
    return found  # type: ignore[no-any-return]
