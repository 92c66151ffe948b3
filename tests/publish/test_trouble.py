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
        What was refused of a switch may be tried again after a while, counted from the last
        refusal; what is not answered ends only when something is.
        """
        self.trouble.end("connection")
        self.assertLines(lambda: self.trouble.refuse("s1", "full"), "full")
        self.clock.advance(REFUSED - 1)
        self.assertLines(lambda: self.trouble.refuse("s1", "full"))
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

    def test_F116_oneSwitch(self) -> None:
        """
        What is refused of one switch is one line, however often another one is taken, and
        keeps nobody from publishing the others.
        """
        self.trouble.end("connection")
        self.assertLines(lambda: self.trouble.refuse("s1", "too large"), "too large")
        self.assertLines(lambda: self.trouble.refuse("s2", "too large"))
        for _ in range(3):
            self.assertLines(lambda: self.trouble.take("s2"))
            self.assertLines(lambda: self.trouble.refuse("s1", "too large"))
        self.assertEqual([self.trouble.stops(each) for each in ("s1", "s2")], [True, False])
        self.assertLines(lambda: self.trouble.take("s1"), "publishing again")
        self.trouble.begin("connection", "lost")
        self.assertTrue(self.trouble.stops("s2"))
