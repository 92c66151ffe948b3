# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.inturn}.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import OvsdbProtocol
from twisted_ovsdb.connection.inturn import COST, SHARE, InTurn
from twisted_ovsdb.errors import MonitorStopped


class CountingClock(Clock):
    """
    Counts the turns of the reactor that were asked for.
    """

    turns = 0

    def callLater(self, *args: Any, **kwargs: Any) -> Any:
        """
        Count the call.
        """
        self.turns += 1
        return super().callLater(*args, **kwargs)


class InTurnTests(SynchronousTestCase):
    """
    Tests for L{InTurn}.
    """

    def setUp(self) -> None:
        self.clock = CountingClock()
        self.inTurn = InTurn.of(self.clock)

    def test_shared(self) -> None:
        """
        All connections of a reactor share one; those of another one do not.
        """
        self.assertIs(InTurn.of(self.clock), self.inTurn)
        self.assertIsNot(InTurn.of(Clock()), self.inTurn)

    def test_little(self) -> None:
        """
        Little work is done at once, and needs no timer.
        """
        self.assertTrue(self.inTurn.take(1, COST))
        self.assertTrue(self.inTurn.take(2, COST))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_alone(self) -> None:
        """
        One connection alone may do anything, and needs no timer; nor does another one
        that comes after it.
        """
        for _ in range(3):
            self.assertTrue(self.inTurn.take(1, SHARE))
        self.assertTrue(self.inTurn.take(2, COST))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_aloneAgain(self) -> None:
        """
        One connection alone may do anything again, when the others are quiet.
        """
        self.assertTrue(self.inTurn.take(1, 1))
        self.assertTrue(self.inTurn.take(2, SHARE))
        self.clock.pump([0, 0])
        for _ in range(3):
            self.assertTrue(self.inTurn.take(2, SHARE))

    def test_limit(self) -> None:
        """
        One turn of the reactor has room for L{SHARE} of several connections; what
        comes then has to wait. The next turn has room again.
        """
        self.assertTrue(self.inTurn.take(1, 1))
        self.assertTrue(self.inTurn.take(2, SHARE - 1))
        self.assertTrue(self.inTurn.take(1, 1))
        self.assertFalse(self.inTurn.take(2, 1))
        self.assertFalse(self.inTurn.take(1, 1))
        self.clock.advance(0)
        self.assertTrue(self.inTurn.take(1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_order(self) -> None:
        """
        What waits is done in its order, a share in each turn, and nothing that comes
        later is done before it. Then no timer is left.
        """
        done: list[tuple[int, int]] = []

        def work(number: int) -> None:
            done.append((self.clock.turns, number))
            self.assertEqual(self.inTurn.take(2, 0), number == 4)

        self.assertTrue(self.inTurn.take(1, 0))
        self.assertTrue(self.inTurn.take(2, SHARE))
        for number in range(5):
            self.inTurn.wait(SHARE // 2, partial(work, number))
        self.clock.advance(0)
        self.assertEqual(done, [(1, 0), (1, 1), (2, 2), (2, 3), (3, 4)])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ProtocolTests(SynchronousTestCase):
    """
    Connections that are read in turns.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.protocols = [self.connect(), self.connect()]
        for protocol in self.protocols:
            self.echo(protocol, 0)
            self.transportOf(protocol).clear()

    def connect(self) -> OvsdbProtocol:
        """
        A connection that shares the reactor with the others.
        """
        protocol = OvsdbProtocol()
        protocol.inTurn = InTurn.of(self.clock)
        protocol.makeConnection(StringTransport())
        return protocol

    def echo(self, protocol: OvsdbProtocol, number: int, size: int = 10) -> None:
        """
        The server asks for an echo.
        """
        text = json.dumps({"method": "echo", "params": ["x" * size], "id": number})
        protocol.dataReceived(text.encode())

    def answered(self, protocol: OvsdbProtocol) -> int:
        """
        How many echoes were answered.
        """
        answers: int = self.transportOf(protocol).value().count(b'"result"')
        return answers

    def transportOf(self, protocol: OvsdbProtocol) -> StringTransport:
        """
        The transport of a connection.
        """
        transport = protocol.transport
        assert isinstance(transport, StringTransport)
        return transport

    def test_turns(self) -> None:
        """
        When one connection has used up the turn, another one is paused, and what it
        has sent is read in the next turn.
        """
        first, second = self.protocols
        self.echo(first, 1, SHARE)
        self.echo(second, 2)
        self.assertEqual((self.answered(first), self.answered(second)), (1, 0))
        self.assertTrue(second.paused)
        # As with TLS, a little may still come.
        self.echo(second, 3)
        self.clock.advance(0)
        self.assertEqual(self.answered(second), 2)
        self.assertFalse(second.paused)

    def test_held(self) -> None:
        """
        If the session holds the connection when its turn comes, it is read when the
        session goes on; and the other way round.
        """
        first, second = self.protocols
        self.echo(first, 1, SHARE)
        self.echo(second, 2)
        second.pauseProducing()
        self.clock.advance(0)
        self.assertEqual(self.answered(second), 0)
        second.resumeProducing()
        self.assertEqual(self.answered(second), 1)
        self.clock.advance(0)
        self.echo(first, 1, SHARE)
        self.echo(second, 2)
        second.pauseProducing()
        second.resumeProducing()
        self.assertEqual(self.answered(second), 1)
        self.clock.advance(0)
        self.assertEqual(self.answered(second), 2)

    def test_lost(self) -> None:
        """
        A connection that is lost while it waits is not read any more.
        """
        first, second = self.protocols
        self.echo(first, 1, SHARE)
        self.echo(second, 2)
        second.connectionLost(Failure(ConnectionLost()))
        self.clock.advance(0)
        self.assertEqual(self.answered(second), 0)
        second, third = self.connect(), self.connect()
        self.clock.advance(0)
        self.echo(first, 1, SHARE)
        self.echo(third, 2)
        third.abort(MonitorStopped())
        self.clock.advance(0)
        self.assertEqual(self.answered(third), 0)
