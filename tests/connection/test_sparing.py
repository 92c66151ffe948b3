# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.sparing}: lines that a peer can repeat.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import OvsdbProtocol
from twisted_ovsdb.connection.sparing import Sparing


class SparingTests(SynchronousTestCase):
    """
    Tests for L{Sparing}.
    """

    def test_F64_counts(self) -> None:
        """
        In each time some lines are said. The others are counted, and their number is
        said before the first line of a later time, or when it is asked for.
        """
        clock = Clock()
        log, sparing = Logger(), Sparing("{count} more", lines=2, seconds=60, now=clock.seconds)

        def say(*names: str) -> list[str]:
            with capturedLogs() as logs:
                for name in names:
                    sparing.say(log, LogLevel.info, "{name}!", name=name)
            return [formatEvent(event) for event in logs]

        self.assertEqual(say("a", "b", "c", "d"), ["a!", "b!"])
        clock.advance(59)
        self.assertEqual(say("e"), [])
        clock.advance(1)
        self.assertEqual(say("f", "g", "h"), ["3 more", "f!", "g!"])
        with capturedLogs() as logs:
            sparing.sayCount(log)
            sparing.sayCount(log)
        self.assertEqual([formatEvent(event) for event in logs], ["1 more"])
        self.assertEqual(say("i"), ["i!"])

    def test_F64_meaningless(self) -> None:
        """
        A server that sends thousands of messages that mean nothing makes a few lines,
        and one with their number when the connection ends.
        """
        protocol = OvsdbProtocol()
        protocol.makeConnection(StringTransport())
        messages = (
            b'{"id":7,"result":{},"error":null}'
            b'{"id":null,"method":"unheard","params":[]}'
            b'{"id":null,"method":"update","params":["nobody",{}]}'
            b'{"id":null,"method":"locked","params":["nobody"]}'
            b'{"id":1,"method":"unheard","params":[]}'
        )
        with capturedLogs() as logs:
            protocol.dataReceived(messages * 1000)
            self.assertEqual(len(logs), 10)
            protocol.abort(ValueError())
        self.assertEqual(formatEvent(logs[-1]), "... and 4990 more such lines")
        self.assertEqual(len(logs), 11)
