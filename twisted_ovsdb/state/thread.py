# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The thread that waits for the disk, so that the reactor never does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")

Run = Callable[..., Deferred[Any]]
"""Calls a function in the thread, after those that were given before."""


class DiskThread:
    """
    One thread, from start to stop, in which functions run one after another. It may
    be started again.

    The thread itself begins with its first function: a process that ends before it
    has one, such as a command whose options are wrong, need not stop it.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._running = False
        self._pool: ThreadPool | None = None

    def start(self) -> None:
        """Allow functions."""
        self._running = True

    def stop(self) -> None:
        """End the thread after the functions that it was given."""
        self._running = False
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()

    def run(self, function: Callable[..., T], *arguments: object) -> Deferred[T]:
        """Call a function in the thread."""
        assert self._running, "the thread does not run"
        if self._pool is None:
            self._pool = ThreadPool(1, 1, "twisted_ovsdb.state")
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, function, *arguments)
