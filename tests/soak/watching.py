# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Observers that check every event, and a count of what is logged.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from tests.fakes.fold import Fold
from tests.fakes.observers import summary
from twisted_ovsdb import (
    Cause,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    IOvsdbEventObserver,
    Synchronized,
)
from twisted_ovsdb.events import Event


class Alternation:
    """
    Checks that online and offline alternate for each UUID, without replays,
    and that no two interfaces with one name are online at once. It shares no
    code with L{Fold}, so that each can find errors of the other.

    @ivar violations: what was wrong.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._online: set[str] = set()
        self._names: dict[str, str] = {}

    def receive(self, event: Event) -> None:
        """
        Check an event.
        """
        if isinstance(event, InterfaceOnline) and event.cause is not Cause.REPLAY:
            uuid, name = event.interface.uuid, event.interface.name
            if uuid in self._online:
                self.violations.append(f"online twice: {event.interface}")
            if name in self._names:
                self.violations.append(f"two online: {self._names[name]}, {event.interface}")
            self._online.add(uuid)
            self._names[name] = uuid
        elif isinstance(event, InterfaceOffline):
            if event.interface.uuid not in self._online:
                self.violations.append(f"offline but was not online: {event.interface}")
            self._online.discard(event.interface.uuid)
            self._names.pop(event.interface.name, None)


@implementer(IOvsdbEventObserver)
class Sceptic:
    """
    Checks every event against all that it was told before.

    @ivar fold: what the events add up to.
    @ivar contradictions: events that do not fit.
    @ivar counts: counts events, by the names of their Python classes.
    @ivar latency: seconds that it is busy with an event, at most; 0 if it is
        prompt.
    @ivar gone: whether it was removed, so that no more events may come.
    """

    def __init__(self, name: str, replay: bool, reactor: Any, latency: float = 0.0) -> None:
        self.name = name
        self.fold = Fold(replay)
        self.alternation = Alternation()
        self.contradictions: list[str] = []
        self.counts: Counter[str] = Counter()
        self.latency = latency
        self.gone = False
        self._reactor = reactor
        self._rng = random.Random(name)
        self._busy: Deferred[None] | None = None

    def eventReceived(self, event: Event) -> Deferred[None] | None:
        """
        Check the event, and be busy for a while if this observer is slow.
        """
        self.counts[type(event).__name__] += 1
        if self.gone:
            self.contradictions.append(f"{self.name}: told after its removal: {summary(event)}")
        if self._busy is not None and not self._busy.called:
            self.contradictions.append(f"{self.name}: told while busy: {summary(event)}")
        try:
            self.fold.receive(event)
        except AssertionError as e:
            self.contradictions.append(f"{self.name}: {summary(event)}: {e}")
        self.alternation.receive(event)
        if not self.latency or self._rng.random() < 0.5:
            return None
        busy = self._busy = Deferred(lambda _: self._late.cancel())
        seconds = self._rng.uniform(0, self.latency)
        self._late = self._reactor.callLater(seconds, busy.callback, None)
        return busy

    def close(self) -> None:
        """
        End the work on the present event.
        """
        if self._busy is not None and not self._busy.called:
            self._late.cancel()
            self._busy.callback(None)

    @property
    def transitions(self) -> int:
        """How many online, offline and changed events there were."""
        kinds = (InterfaceOnline, InterfaceOffline, InterfaceChanged)
        return sum(self.counts[kind.__name__] for kind in kinds)

    @property
    def synchronizations(self) -> int:
        """How often it was told Synchronized."""
        return self.counts[Synchronized.__name__]


class LogCount:
    """
    Counts what is logged, from L{start} to L{stop}.

    @ivar lines: counts the package's lines, without debug lines, by the number
        of the latest fault.
    @ivar failures: all that was logged with a traceback, also by other
        packages.
    """

    def __init__(self) -> None:
        self.lines: Counter[int] = Counter()
        self.texts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.fault = 0
        self._publisher: Any = globalLogPublisher

    def start(self) -> None:
        """
        Begin to count.
        """
        self._publisher.addObserver(self._logged)

    def stop(self) -> None:
        """
        End counting.
        """
        self._publisher.removeObserver(self._logged)

    def _logged(self, event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            failure: Any = event["log_failure"]
            self.failures.append(f"{formatEvent(event)}\n{failure.getTraceback()}")
        level = event.get("log_level", LogLevel.info)
        if event.get("log_namespace", "").startswith("twisted_ovsdb") and level >= LogLevel.info:
            self.lines[self.fault] += 1
            self.texts[f"{level.name} {event.get('log_format')}"] += 1
