# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.trouble}.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.trouble import Trouble


class TroubleTests(SynchronousTestCase):
    """
    What is logged.
    """

    def setUp(self) -> None:
        self.trouble = Trouble("nats://h:4222")

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
