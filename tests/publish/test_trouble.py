# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.trouble}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.trouble import REFUSED, Trouble


class TroubleTests(SynchronousTestCase):
    """
    What is logged.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.trouble = Trouble("nats://h:4222", self.clock.seconds)

    def assertLines(self, call: Callable[[], None], *expected: str) -> None:
        """Assert that a call logs these lines, up to what happens next."""
        with capturedLogs() as logs:
            call()
        lines = [formatEvent(event).partition(";")[0] for event in logs]
        self.assertEqual(lines, [f"--publish nats://h:4222: {text}" for text in expected])

    def test_connected(self) -> None:
        """
        The first connection is one line, also after attempts that failed. A later one is
        told as the end of what was wrong.
        """
        self.assertLines(lambda: self.trouble.begin("connection", "refused"), "refused")
        self.assertLines(lambda: self.trouble.begin("connection", "refused"))
        self.assertLines(lambda: self.trouble.end("connection"), "connected, publishing")
        self.assertLines(lambda: self.trouble.end("connection"))
        self.assertLines(lambda: self.trouble.begin("connection", "lost"), "lost")
        self.assertLines(lambda: self.trouble.end("connection"), "publishing again")
        self.assertIsNone(self.trouble.missing())

    def test_refused(self) -> None:
        """
        What was refused may be tried again after a while, counted from the last refusal; what
        is not answered ends only when something is.
        """
        self.trouble.end("connection")
        self.assertLines(lambda: self.trouble.begin("writes", "full"), "full")
        self.clock.advance(REFUSED - 1)
        self.assertLines(lambda: self.trouble.begin("writes", "full"))
        self.clock.advance(REFUSED - 1)
        self.assertLines(self.trouble.look)
        self.assertEqual(self.trouble.missing(), "--publish nats://h:4222: full")
        self.clock.advance(1)
        self.assertLines(self.trouble.look, "publishing again")
        self.assertIsNone(self.trouble.missing())
        self.trouble.begin("requests", "it does not answer")
        self.clock.advance(2 * REFUSED)
        self.assertLines(self.trouble.look)
        self.assertTrue(self.trouble.has("requests"))
