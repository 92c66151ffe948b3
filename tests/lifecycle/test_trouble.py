# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.trouble}.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, capturedLogs

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.support import vmRow


class LogTests(FactoryTestCase):
    """
    What the log says of troubles.
    """

    def lines(self, logs: Any) -> list[tuple[str, str]]:
        """
        Level and text of what was logged.
        """
        return [
            (log["log_level"].name, log["log_format"].format(**log))
            for log in logs
            if log["log_level"] is not LogLevel.debug
        ]

    def test_quiet(self) -> None:
        """
        One warning with a hint, a line for each new reason, and the count
        when it is back.
        """
        self.makeFactory(source="tcp:127.0.0.1:6640", connectTimeout=0)
        with capturedLogs() as logs:
            for _ in range(20):
                self.endpoint.refuse()
                self.clock.advance(8)
            for _ in range(2):
                self.endpoint.attempt.errback(OSError("no route"))
                self.clock.advance(8)
            self.synchronize()
        warning, reason, back = self.lines(logs)
        self.assertEqual(warning[0], "warn")
        self.assertIn("tcp:127.0.0.1:6640: Connection was refused", warning[1])
        self.assertIn("ovs-vsctl set-manager ptcp:6640:127.0.0.1", warning[1])
        self.assertEqual(reason, ("info", "tcp:127.0.0.1:6640: no route"))
        self.assertEqual(back, ("info", "tcp:127.0.0.1:6640: in sync after 22 failures"))

    def test_noHint(self) -> None:
        """
        No hint for another port, or for a server that was there before.
        """
        self.makeFactory(source="tcp:127.0.0.1:6641")
        with capturedLogs() as logs:
            self.endpoint.refuse()
        self.makeFactory(source="tcp:127.0.0.1:6640")
        with capturedLogs() as more:
            self.synchronize()
            self.lose()
        for _, text in self.lines(logs) + self.lines(more):
            self.assertNotIn("set-manager", text)

    def test_source(self) -> None:
        """
        Without a source of the user's, the address is the source.
        """
        self.synchronize({1: vmRow("tap1")})
        event: Any = self.observer.events[0]
        self.assertEqual(event.source, "tcp:127.0.0.1:6640")
