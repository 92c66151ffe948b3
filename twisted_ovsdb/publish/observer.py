# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The observer that publishes: it tells each switch's events to that switch's speaker.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from twisted_ovsdb.events import Event, OvsInterface, SwitchForgotten
from twisted_ovsdb.interfaces import IOvsdbEventObserver, ObserverResult
from twisted_ovsdb.openvswitch.views import View
from twisted_ovsdb.publish.ipublisher import IEventPublisher
from twisted_ovsdb.publish.messages import Lines
from twisted_ovsdb.publish.nowwriter import boottime
from twisted_ovsdb.publish.speaker import LockedMonitor, Speaker

RESULTS: Final = ("acknowledged", "fenced", "refused", "unacknowledged")
"""
What becomes of a line: the broker has it; another instance had taken over; the broker
does not take it; this monitor gave up before it knew.
"""


@implementer(IOvsdbEventObserver)
class PublishingObserver:
    """
    Publishes what it is told of switches for which this monitor speaks.

    @cvar wantsProblems: True: problems are published too, where they are looked for.
    @ivar speakers: by the key of the switch.
    @ivar published: how many lines had which of L{RESULTS}.
    """

    wantsProblems = True

    def __init__(
        self,
        publisher: IEventPublisher,
        instance: str,
        monitorOf: Callable[[str], LockedMonitor | None],
        clock: IReactorTime,
        now: Callable[[], float] = boottime,
        wallClock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        """
        @param instance: names this monitor among those that share switches.
        @param monitorOf: the monitor of a switch, by its key; None if there is none.
        @param now: the time in seconds that never jump.
        @param wallClock: the time in UTC.
        """
        self._publisher = publisher
        self._monitorOf = monitorOf
        self._clock = clock
        self._now = now
        self._wallClock = wallClock
        self._lines = Lines(instance, uuid.uuid4().hex[:8])
        self.speakers: dict[str, Speaker] = {}
        self.published: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.speakers)} switches>"

    def told(self, switch: str) -> Deferred[list[OvsInterface] | None]:
        """Take over, and say what was told: this monitor was granted the switch's lock."""
        speaker = self.speakers.get(switch)
        if speaker is None:
            speaker = self.speakers[switch] = Speaker(
                switch,
                self._publisher,
                self._monitorOf,
                lambda resumed: self._lines.started(switch, resumed, self._wallClock()),
                self._clock,
                self._now,
                self._count,
                lambda: self.speakers.pop(switch, None),
            )
        return speaker.takeOver()

    def eventReceived(self, event: Event) -> ObserverResult:
        """Publish the event, if this monitor speaks for its switch."""
        speaker = self.speakers.get(event.switch)
        if speaker is None:
            self._unknown(event)
            return None
        told = speaker.tell(self._lines.of(event, self._wallClock()))
        if isinstance(event, SwitchForgotten) and not speaker.speaking:
            del self.speakers[event.switch]
        return told

    def _unknown(self, event: Event) -> None:
        """
        The switch has got another key while this monitor speaks for it: what was told
        under that key has to be read first.
        """
        monitor = self._monitorOf(event.switch)
        if monitor is not None and monitor.speaking:
            monitor.giveUp()

    def _count(self, result: str, lines: int) -> None:
        self.published[result] += lines

    @property
    def lag(self) -> float:
        """
        Seconds since the oldest line that the broker does not have, also if this monitor
        has given it up; 0 if it has all.
        """
        return max((speaker.lag for speaker in self.speakers.values()), default=0.0)

    def works(self) -> None:
        """The broker works: whoever speaks next publishes what this monitor has given up."""
        for speaker in self.speakers.values():
            speaker.owedSince = None

    @property
    def fenced(self) -> int:
        """How often the broker refused a message, because another instance had taken over."""
        return self.published["fenced"]

    def close(self) -> Deferred[None]:
        """Publish nothing more, and end."""
        closed = self._publisher.close()
        for speaker in self.speakers.values():
            speaker.standBy()
        return closed


@attrs.frozen(eq=False)
class Publishing(View):
    """
    The observer that publishes, as monitors have to have it: they ask it at each
    takeover what was told. Nothing is told again that did not change.
    """

    _told: Callable[[str], Deferred[list[OvsInterface] | None]] = attrs.field(repr=False)

    @property
    def told(self) -> Any:
        """A function of the key of the switch."""
        return self._told

    @property
    def replays(self) -> bool:
        """False."""
        return False


def publishing(observer: PublishingObserver) -> Publishing:
    """What to give to factories and listeners."""
    return Publishing(observer, observer.told)
