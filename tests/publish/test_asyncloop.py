# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.asyncloop}.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.asyncloop import ThreadLoop


class Reactor(Clock):
    """A reactor whose time is played."""

    def callFromThread(self, function: Any, *arguments: Any) -> None:
        """See L{IReactorFromThreads}. The tests do not look at what is called."""


class ThreadLoopTests(SynchronousTestCase):
    """
    A loop in a thread.
    """

    def setUp(self) -> None:
        self.reactor = Reactor()
        self.loop = ThreadLoop(self.reactor)
        self.stopped = False
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """Stop it, once."""
        if not self.stopped:
            self.stopped = True
            self.loop.stop()

    def test_calls(self) -> None:
        """
        What is called in the loop runs in its thread, together with all that was called in
        the same turn of the reactor.
        """
        found: list[tuple[int, bool]] = []
        done = threading.Event()

        def note(number: int) -> None:
            found.append((number, threading.current_thread() is threading.main_thread()))

        self.loop.callInLoop(note, 1)
        self.loop.callInLoop(note, 2)
        self.loop.callInLoop(done.set)
        self.assertEqual(found, [])
        self.reactor.advance(0)
        self.assertTrue(done.wait(20))
        self.assertEqual(found, [(1, False), (2, False)])

    def test_stopped(self) -> None:
        """
        What is called just before the loop is stopped is left out, without an error.
        """
        found: list[int] = []
        self.loop.callInLoop(found.append, 1)
        self.stop()
        self.reactor.advance(0)
        self.assertEqual(found, [])

    def test_cleaningUp(self) -> None:
        """
        What begins to clean up when it is cancelled by the end is ended too: nothing is left
        for Python to complain about.
        """
        begun, ended = threading.Event(), threading.Event()
        kept: list[asyncio.Future[None]] = []

        async def cleanUp() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        async def work() -> None:
            try:
                begun.set()
                await asyncio.sleep(3600)
            finally:
                kept.append(asyncio.ensure_future(cleanUp()))
                await asyncio.sleep(0)

        self.loop.run(work()).addErrback(lambda _: None)
        self.assertTrue(begun.wait(20))
        self.stop()
        self.assertTrue(ended.is_set())
