# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.watchdog}.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.logger import capturedLogs

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import reply, vmRow
from twisted_ovsdb.errors import PeerSilent


class SilenceTests(FactoryTestCase):
    """
    A server that sends nothing is given up, in sync or not.
    """

    def test_rounding(self) -> None:
        """
        The time is up when the timer is due, also where sums are rounded
        (3.2 + 5 - 3.2 < 5): the timer is not set again and again.
        """
        self.clock.advance(3.2)
        self.synchronize()
        self.sent()
        self.clock.advance(5)
        self.assertEqual(self.sent(), [("echo", [])])

    def test_F3_F7_noProgress(self) -> None:
        """
        While the initial reply is awaited, silence of up to 60 s is the server
        composing: no probe, no reconnection. Any byte is progress.
        """
        self.accept()
        self.sent()
        self.advance(59)
        self.receive(b" ")
        self.advance(59.5)
        self.assertIsNone(self.protocol.lost)
        self.assertEqual(self.sent(), [])
        self.advance(1)
        self.assertTrue(self.transport.disconnecting)
        with capturedLogs() as logs:
            self.lose()
        self.assertEqual(logs[0]["reason"], "no progress of the initial reply for 60 s")

    def test_F5_halfOpen(self) -> None:
        """
        In sync, 5 s of silence are answered with an echo, and 5 s more
        without a byte end the session.
        """
        self.synchronize()
        self.sent()
        self.advance(4.5)
        self.assertEqual(self.sent(), [])
        self.advance(1)
        self.assertEqual(self.sent(), [("echo", [])])
        self.advance(4)
        self.assertTrue(self.factory.monitor.inSync)
        self.advance(1)
        self.assertFalse(self.factory.monitor.inSync)
        last: Any = self.observer.events[-1]
        self.assertIsInstance(last.reason, PeerSilent)
        self.assertEqual(str(last.reason), "no answer to an echo for 5 s")
        self.lose()
        self.assertEqual(self.attemptsWithin(0), 1)

    def test_probeAnswered(self) -> None:
        """
        An answer, or any other byte, is a sign of life.
        """
        self.synchronize()
        for sign in (b'{"id":2,"result":[],"error":null}', b" ", b"\n"):
            self.sent()
            self.advance(6)
            self.assertEqual(self.sent(), [("echo", [])])
            self.receive(sign)
        self.advance(4.5)
        self.assertTrue(self.factory.monitor.inSync)
        self.assertEqual(self.sent(), [])

    def test_F8_trickle(self) -> None:
        """
        A reply that comes one byte at a time, slowly, is progress all along.
        """
        self.accept()
        for byte in reply(1, {1: vmRow("tap1")}):
            self.clock.advance(50)
            self.receive(bytes([byte]))
        self.assertTrue(self.factory.monitor.inSync)

    def test_echoWhilePaused(self) -> None:
        """
        While a large snapshot is read and the connection is paused, we still
        send echoes: the server drops clients that are silent for 10 s.
        """
        self.accept()
        self.sent()
        protocol = self.protocol
        protocol.pauseProducing()
        self.advance(70)
        self.assertGreaterEqual(len(self.sent()), 70 // 5)
        self.assertIsNone(protocol.lost)
        protocol.resumeProducing()
        self.receive(reply(1, {}))
        self.assertTrue(self.factory.monitor.inSync)

    def test_off(self) -> None:
        """
        With 0 nothing is given up and nothing is asked.
        """
        self.makeFactory(snapshotTimeout=0, probeInterval=0)
        self.accept()
        self.advance(1000, 10)
        self.receive(reply(1, {}))
        self.sent()
        self.advance(1000, 10)
        self.assertEqual(self.sent(), [])
        self.assertTrue(self.factory.monitor.inSync)

    def test_F43_readBeforeJudging(self) -> None:
        """
        After this process was suspended, the bytes that have come are read
        before the server is given up.
        """
        self.synchronize()
        self.advance(6)
        self.clock.rightNow += 100
        for call in self.clock.getDelayedCalls():
            if call.getTime() <= self.clock.rightNow:
                self.clock.callLater(0, self.receive, b" ")
                break
        self.advance(1)
        self.assertTrue(self.factory.monitor.inSync)

    def test_F42_clockStep(self) -> None:
        """
        A step of the wall clock is no silence: time is measured by a clock
        that does not jump.
        """
        self.synchronize()
        self.sent()
        frozen = [1000.0]
        self.factory.stop()
        self.lose()
        self.factory._settings = attrs.evolve(self.factory._settings, now=lambda: frozen[0])
        self.connector.connect()
        self.synchronize()
        self.sent()
        self.clock.advance(3600)
        self.clock.advance(1)
        self.assertEqual(self.sent(), [])
        self.assertTrue(self.factory.monitor.inSync)
