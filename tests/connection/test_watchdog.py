# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.watchdog}.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.logger import capturedLogs

from tests.connection.test_outgoing import FULL, echo
from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import reply, update, vmRow
from tests.fakes.transports import SlowTransport
from twisted_ovsdb import OvsdbReplicaFactory
from twisted_ovsdb.connection.outgoing import MAX_UNSENT_ANSWERS
from twisted_ovsdb.connection.watchdog import IN_ALL, UNREAD_TIMEOUT
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

    def test_shortInterval(self) -> None:
        """
        Any interval counts from the snapshot on, also one that is much shorter than
        the times before the snapshot.
        """
        for interval in (0.5, 1.0, 3.0, 20.0):
            self.makeFactory(probeInterval=interval)
            self.synchronize()
            self.sent()
            self.advance(interval - 0.25, 0.25)
            self.assertEqual(self.sent(), [], interval)
            self.advance(0.25, 0.25)
            self.clock.advance(0)
            self.assertEqual(self.sent(), [("echo", [])], interval)
            self.advance(interval, 0.25)
            self.clock.advance(0)
            self.assertEqual(str(self.protocol.lost), f"no answer to an echo for {interval:g} s")

    def test_F3_F7_noProgress(self) -> None:
        """
        While the initial reply is awaited, silence of up to 60 s is the server
        composing: no probe, no reconnection. Any byte of the reply is progress.
        """
        self.accept()
        self.sent()
        self.advance(59)
        self.receive(b"{")
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

    def test_pausedAfterAnEcho(self) -> None:
        """
        A server is not given up while we do not read: its answer may wait.
        """
        self.synchronize()
        self.sent()
        self.advance(5.5)
        self.assertEqual(self.sent(), [("echo", [])])
        self.protocol.pauseProducing()
        self.advance(20)
        self.assertTrue(self.factory.monitor.inSync)

    def test_heard(self) -> None:
        """
        The monitor says when something came last, also after the session.
        """
        self.assertIsNone(self.factory.monitor.heard)
        for _ in range(2):
            self.synchronize()
            self.clock.advance(1)
            self.receive(b" ")
            heard = self.clock.seconds()
            self.assertEqual(self.factory.monitor.heard, heard)
            self.clock.advance(1)
            self.lose()
            self.assertEqual(self.factory.monitor.heard, heard)
            self.clock.advance(8)

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

    def test_serverProbes(self) -> None:
        """
        While the server's own probes arrive in time, they are answered, and nothing is
        added to them.
        """
        self.synchronize()
        self.sent()
        for _ in range(100):
            self.advance(4.75, 0.25)
            self.assertEqual(self.sent(), [])
            self.receive(b'{"id":"echo","method":"echo","params":[]}')
            self.assertEqual(self.transport.value(), b'{"id":"echo","result":[],"error":null}')
            self.transport.clear()
        self.assertTrue(self.factory.monitor.inSync)

    def test_F8_trickle(self) -> None:
        """
        A reply that comes one byte at a time is progress all along.
        """
        self.accept()
        for byte in reply(1, {1: vmRow("tap1")}):
            self.advance(2)
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


ECHO = b'{"id":"echo","method":"echo","params":[]}'


class OpeningTests(FactoryTestCase):
    """
    A server that is there, but does not send the snapshot (F74).
    """

    def untilLost(self, *sent: bytes, every: float = 5) -> float:
        """
        The server sends these, one after the other, and then again the last one.

        @return: after how many seconds the session ends.
        """
        self.accept()
        begin, waiting = self.clock.seconds(), list(sent)
        while self.protocol.lost is None:
            self.advance(every)
            self.receive(waiting.pop(0) if len(waiting) > 1 else waiting[0])
            self.assertLess(self.clock.seconds() - begin, 100_000)
        self.assertIsInstance(self.protocol.lost, PeerSilent)
        self.assertFalse(self.factory.monitor.inSync)
        return self.clock.seconds() - begin

    def test_F74_otherMessages(self) -> None:
        """
        Echo requests, notifications, replies to nothing and white space are no progress,
        also cut anywhere: the session ends as if nothing came.
        """
        for message in (
            ECHO,
            b'{"id":null,"method":"locked","params":["l"]}',
            b'{"method":"locked","params":["l"],"id":null}',
            b'{"id":99,"result":[],"error":null}',
            b" ",
        ):
            self.makeFactory()
            self.assertEqual(self.untilLost(message), 60, message)
            self.assertEqual(str(self.protocol.lost), "no progress of the initial reply for 60 s")
        # Not ended, but not a reply to a request of ours either.
        for beginning in (b'{"id":"' + b"x" * 30, b'{"id": 99 ,', b'{"method":"echo",'):
            self.makeFactory()
            self.assertLessEqual(self.untilLost(beginning, b" "), 60, beginning)
        for cutAt in (15, 30):
            self.makeFactory()
            again = ECHO[cutAt:] + ECHO[:cutAt]
            self.assertLessEqual(self.untilLost(ECHO[:cutAt], again), 65)

    def test_F74_inAll(self) -> None:
        """
        A reply that makes progress has ten times as long. One that is complete just
        before counts.
        """
        self.assertEqual(self.untilLost(b'{"id":1,"result":{', b" "), 60 * IN_ALL)
        self.assertEqual(str(self.protocol.lost), "no initial reply for 600 s")
        self.makeFactory()
        self.accept()
        self.receive(b'{"id":1,"result":{')
        for _ in range(60 * IN_ALL - 1):
            self.advance(1)
            self.receive(b" ")
        self.receive(b'},"error":null}')
        self.assertTrue(self.factory.monitor.inSync)

    def test_F74_anyForm(self) -> None:
        """
        A reply that does not begin as those of ovsdb-server is one too, and so is the
        first part of any message.
        """
        for beginning in (b'{"result": {', b'{ "error": null, "result": {', b'{ "id" : 1 ,', b"{"):
            self.makeFactory()
            self.assertEqual(self.untilLost(beginning, b" "), 60 * IN_ALL, beginning)

    def test_F74_setting(self) -> None:
        """
        Both limits follow C{snapshotTimeout}.
        """
        self.makeFactory(snapshotTimeout=10)
        self.assertEqual(self.untilLost(ECHO, every=1), 10)
        self.makeFactory(snapshotTimeout=10)
        self.assertEqual(self.untilLost(b'{"id":1,', b" ", every=1), 100)

    def test_F74_questions(self) -> None:
        """
        The questions before the snapshot count as the snapshot does: each reply is
        progress, and all of them together have ten times as long.
        """
        self.makeFactory(method="monitor_cond", bridges=True)
        self.accept()
        self.advance(59)
        self.receive(b'{"id":1,"error":"unknown method"}')
        self.advance(59)
        self.assertIsNone(self.protocol.lost)
        self.advance(1.5)
        self.assertIsInstance(self.protocol.lost, PeerSilent)

    def test_F74_replica(self) -> None:
        """
        So it is for replicas, from the schema on.
        """
        self.factory.stop()
        replicas: Any = OvsdbReplicaFactory("T", ["A"], lambda *args: None, clock=self.clock)
        self.factory = replicas
        self.connector = type(self.connector)(self.endpoint, replicas)
        self.connector.connect()
        self.accept()
        for _ in range(11):
            self.advance(5)
            self.receive(ECHO)
        self.receive(b'{"id":1,"result":{"name":"T","tables":{')
        self.advance(59)
        self.receive(b'"A":{"columns":{"s":{"type":"string"}}}}},"error":null}')
        for _ in range(11):
            self.advance(5)
            self.receive(ECHO)
        self.assertIsNone(self.protocol.lost)
        self.advance(5)
        self.assertIsInstance(self.protocol.lost, PeerSilent)

    def test_F74_suspended(self) -> None:
        """
        The time in which this process was suspended is not the server's.
        """
        self.accept()
        self.receive(b'{"id":1,"result":{')
        self.clock.rightNow += 1000
        self.clock.callLater(0, self.receive, b" ")
        self.advance(1)
        self.receive(b'},"error":null}')
        self.assertTrue(self.factory.monitor.inSync)


class DeafTests(FactoryTestCase):
    """
    A server whose messages do not end (F72).
    """

    def setUp(self) -> None:
        super().setUp()
        self.synchronize()
        self.sent()

    def test_F72_updatesInAMessage(self) -> None:
        """
        After the beginning of a message that does not end, nothing is known of the
        updates behind it, as they may be part of it. Such a session ends after 100 s, also
        if bytes come all the time. A server that completes its message is asked for a sign
        of life once, and the session goes on.
        """
        self.receive(b'{"id":99,"result":[')
        for _ in range(20 * IN_ALL - 1):
            self.advance(0.5)
            self.receive(b"1,")
        self.assertIsNone(self.protocol.lost)
        self.assertEqual(self.sent(), [("echo", [])])
        self.receive(b"1]}" + update({1: {"new": vmRow("tap1")}}))
        self.assertEqual(len(self.factory.interfaces()), 1)
        self.receive(b'{"id":99,"result":[')
        for _ in range(2 * 5 * IN_ALL):
            self.advance(1)
            self.receive(b"1,")
        self.assertEqual(str(self.protocol.lost), "no message was complete for 100 s")
        self.assertFalse(self.factory.monitor.inSync)

    def test_F72_slowLink(self) -> None:
        """
        A large update on a slow link comes without end of the session, and is told. So
        does the next one.
        """
        text = update({n: {"new": vmRow(f"tap{n}")} for n in range(1, 100)})
        for data in (text, text.replace(b'"new"', b'"old"')):
            for start in range(0, len(data), len(data) // 90):
                self.advance(1)
                self.receive(data[start : start + len(data) // 90])
        self.assertIsNone(self.protocol.lost)
        self.assertEqual(len(self.observer.events), 1 + 2 * 99)

    def test_F72_silentInAMessage(self) -> None:
        """
        A message that stops coming is silence: an echo after 5 s, and the end after 10 s.
        """
        self.receive(b'{"id":99,"result":[')
        self.advance(9.5)
        self.assertEqual(self.sent(), [("echo", [])])
        self.assertIsNone(self.protocol.lost)
        self.advance(1)
        self.assertEqual(str(self.protocol.lost), "no answer to an echo for 5 s")

    def test_F72_whiteSpace(self) -> None:
        """
        White space is no message: the server is asked, and with its answer the session
        goes on.
        """
        for _ in range(3):
            for _ in range(90):
                self.advance(1)
                self.receive(b" ")
            self.assertEqual(self.sent(), [("echo", [])])
            self.receive(b'{"id":99,"result":[],"error":null}')
        self.assertIsNone(self.protocol.lost)

    def test_F72_setting(self) -> None:
        """
        The limit follows C{probeInterval}.
        """
        self.makeFactory(probeInterval=1)
        self.synchronize()
        self.receive(b'{"id":99,"result":[')
        for _ in range(2 * IN_ALL - 1):
            self.advance(1)
            self.receive(b"1,")
        self.assertIsNone(self.protocol.lost)
        self.advance(1)
        self.assertEqual(str(self.protocol.lost), "no message was complete for 20 s")

    def test_F72_afterALongPause(self) -> None:
        """
        While we do not read, nothing can be complete. That time does not count.
        """
        self.receive(b'{"id":99,"result":[')
        self.protocol.pauseProducing()
        self.advance(200)
        self.protocol.resumeProducing()
        self.advance(4)
        self.receive(b"1]}")
        self.assertTrue(self.factory.monitor.inSync)


class UnreadTests(FactoryTestCase):
    """
    A server that does not read our answers (F70).
    """

    def stall(self) -> None:
        """
        The server asks so much that nothing more is read.
        """
        self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.assertTrue(self.protocol.stalled)

    def accept(self) -> Any:
        """
        The server accepts, and reads only what the test says.
        """
        transport: Any = self.endpoint.acceptWith(SlowTransport())
        return transport

    def test_F70_unread(self) -> None:
        """
        A server that does not read them for 30 s is given up, whether in sync or not, and
        also if there are no other limits. It is not asked anything meanwhile.
        """
        for options in ({}, {"snapshotTimeout": 0, "probeInterval": 0}):
            for inSync in (True, False):
                self.makeFactory(**options)
                transport: Any = self.accept()
                if inSync:
                    self.receive(reply(1, {}))
                self.stall()
                unsent = transport.unsent
                self.advance(UNREAD_TIMEOUT - 0.5)
                self.assertIsNone(self.protocol.lost)
                self.assertEqual(transport.unsent, unsent)
                self.advance(0.5)
                self.assertEqual(str(self.protocol.lost), "our answers were not read for 30 s")
                self.assertEqual(transport.aborted, 1)
                self.factory.stop()
                self.lose()
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_F70_lostWhileUnread(self) -> None:
        """
        A connection that is lost while the answers wait leaves no timer.
        """
        self.accept()
        self.receive(reply(1, {}))
        self.stall()
        self.factory.stop()
        self.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_F70_readAtLast(self) -> None:
        """
        A server that reads them in time is read again. Each time, it has 30 s.
        """
        transport: Any = self.accept()
        self.receive(reply(1, {}))
        for _ in range(4):
            self.stall()
            self.advance(UNREAD_TIMEOUT - 1)
            transport.peerReads()
        self.assertTrue(transport.reading)
        self.receive(update({1: {"new": vmRow("tap1")}}))
        self.assertEqual(len(self.factory.interfaces()), 1)
        self.advance(5)
        transport.peerReads()
        self.receive(ECHO)
        self.assertIsNone(self.protocol.lost)

    def test_F70_readWithoutAnotherStall(self) -> None:
        """
        After that, the time for the answers means nothing.
        """
        transport: Any = self.accept()
        self.receive(reply(1, {}))
        self.stall()
        self.advance(UNREAD_TIMEOUT - 1)
        transport.peerReads()
        self.advance(2)
        self.receive(ECHO)
        self.advance(2)
        self.assertTrue(self.factory.monitor.inSync)

    def test_F70_suspended(self) -> None:
        """
        After this process was suspended, what can be sent is sent before the server is
        given up.
        """
        transport: Any = self.accept()
        self.receive(reply(1, {}))
        self.stall()
        self.clock.rightNow += 1000
        self.clock.callLater(0, transport.peerReads)
        self.clock.callLater(0, self.receive, ECHO)
        self.advance(1)
        self.assertTrue(self.factory.monitor.inSync)
