# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observer behind the page and the metrics: it counts events, knows the state of
each switch, and keeps what happened lately. Interfaces are not kept here: the
monitors have them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Final

from zope.interface import implementer

from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    Problem,
    ProblemEvent,
    ProblemFound,
    SwitchForgotten,
    Synchronized,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.observers.base import EVENT_NAMES, countKinds
from twisted_ovsdb.web.recent import Recent
from twisted_ovsdb.web.unready import Unready

KINDS: Final = tuple(kind.value for kind in InterfaceKind)


class Seen:
    """
    What was told of one switch.

    @ivar counts: how many interfaces it has, by kind.
    @ivar inSync: whether it was told that the switch is in sync.
    @ivar since: when that changed last, in seconds since the epoch; None before
        the first time.
    @ivar reason: why that was so last: of the end of a session, or of the lock.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.inSync = False
        self.since: float | None = None
        self.reason: str | None = None
        self._problems: Counter[str] = Counter()
        self._own: dict[Problem, ProblemFound] = {}

    @property
    def problems(self) -> dict[str, int]:
        """How many problems it and its interfaces have, by name; none in an outage."""
        return {name: count for name, count in self._problems.items() if count > 0 and self.inSync}

    @property
    def ownProblems(self) -> tuple[ProblemFound, ...]:
        """The problems of the switch itself; none in an outage."""
        return tuple(self._own.values()) if self.inSync else ()

    def noteProblem(self, event: ProblemEvent) -> None:
        """A problem was found or solved."""
        found = isinstance(event, ProblemFound)
        self._problems[event.problem.value] += 1 if found else -1
        if event.interface is None:
            self._own.pop(event.problem, None)
            if isinstance(event, ProblemFound):
                self._own[event.problem] = event


@implementer(IOvsdbEventObserver)
class Watch:
    """
    Counts events, and keeps the recent ones.

    @cvar wantsProblems: True.
    @ivar recent: the recent events.
    @ivar unready: the interfaces that have no port.
    @ivar events: how many events there were, by name, kind and cause; the last two
        are empty for events that have none.
    @ivar onEvent: called when there is something new in C{recent}.
    """

    wantsProblems = True

    def __init__(
        self,
        run: str,
        wall: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param run: see L{Recent}.
        @param wall: the time in seconds since the epoch.
        @param now: the time in seconds that never jump.
        """
        self.recent = Recent(run)
        self.unready = Unready()
        self.events: Counter[tuple[str, str, str]] = Counter()
        self.onEvent: Callable[[], object] = lambda: None
        self._seen: dict[tuple[str, str], Seen] = {}
        self._wall = wall
        self._now = now

    def __repr__(self) -> str:
        return "<the observer of --http>"

    def seen(self, switch: str, source: str) -> Seen:
        """
        What was told of a switch by this source; nothing, if nothing was. Two endpoints
        may lead to one switch.
        """
        return self._seen.get((switch, source)) or Seen()

    def wallOf(self, moment: float) -> float:
        """A moment in seconds that never jump, in seconds since the epoch."""
        return self._wall() - (self._now() - moment)

    def keep(self, switches: set[tuple[str, str]]) -> None:
        """
        Forget all switches but these. An identity may change without a word.

        @param switches: each with its source.
        """
        for key in self._seen.keys() - switches:
            del self._seen[key]

    def eventReceived(self, event: Event) -> None:
        """See L{IOvsdbEventObserver}."""
        wall = self._wall()
        kind = getattr(event, "kind", None)
        cause = event.cause.value if isinstance(event, (InterfaceEvent, Synchronized)) else ""
        self.events[EVENT_NAMES[type(event)], kind.value if kind else "", cause] += 1
        self.unready.note(event, self._now())
        self._note(event, wall)
        self.recent.add(event, datetime.fromtimestamp(wall, timezone.utc))
        self.onEvent()

    def _note(self, event: Event, wall: float) -> None:
        key = event.switch, event.source
        if isinstance(event, SwitchForgotten):
            self._seen.pop(key, None)
            return
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = Seen()
        if isinstance(event, InterfaceOffline):
            seen.counts[event.kind.value] -= 1
        elif isinstance(event, InterfaceOnline) and event.cause is not Cause.REPLAY:
            seen.counts[event.kind.value] += 1
        elif isinstance(event, Synchronized):
            seen.counts = countKinds(event.interfaces)
            if not seen.inSync:  # else it was only told again
                seen.inSync, seen.since = True, wall
        elif isinstance(event, Disconnected):
            seen.inSync, seen.since = False, wall
            seen.reason = describeReason(event.reason)
        elif isinstance(event, ProblemEvent):
            seen.noteProblem(event)
