# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A thread for the disk that runs when the test says so, and a reactor for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure


class DiskReactor(Clock):
    """
    A clock with the end of a reactor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[FakeThread] = []
        self.triggers: list[Callable[[], Any]] = []

    def addSystemEventTrigger(self, phase: str, kind: str, call: Callable[[], Any]) -> Any:
        """
        Call this when the reactor stops.
        """
        self.triggers.append(call)
        return call

    def removeSystemEventTrigger(self, trigger: Any) -> None:
        """
        Do not call this when the reactor stops.
        """
        self.triggers.remove(trigger)

    def work(self) -> int:
        """
        Let all threads do everything, and return how much it was.
        """
        done = 0
        while any(thread.waiting for thread in self.threads):
            for thread in self.threads:
                done += thread.work()
        return done


class FakeThread:
    """
    Runs functions in the thread of the test, when L{work} is called.
    """

    def __init__(self, reactor: DiskReactor) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self.running = False
        reactor.threads.append(self)

    def start(self) -> None:
        """
        Start.
        """
        self.running = True

    def stop(self) -> None:
        """
        Do what was given, and stop.
        """
        self.work()
        self.running = False

    def run(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """
        Run a function later.
        """
        assert self.running, "the thread does not run"
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, function, arguments))
        return done

    def work(self) -> int:
        """
        Run all functions that wait now, and return their number.
        """
        waiting, self.waiting = self.waiting, []
        for done, function, arguments in waiting:
            try:
                result = function(*arguments)
            except Exception:
                done.errback(Failure())
            else:
                done.callback(result)
        return len(waiting)
