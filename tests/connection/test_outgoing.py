# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.outgoing}, with Twisted's own buffer of a socket
whose peer does not read.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.fakes.transports import SlowTransport
from twisted_ovsdb import OvsdbProtocol, RequestNotSent, SessionLost
from twisted_ovsdb.connection.outgoing import (
    MAX_UNSENT_ANSWERS,
    MAX_UNSENT_REQUESTS,
    REQUEST_COST,
    Outgoing,
)
from twisted_ovsdb.connection.rpc import JSONRPCProtocol
from twisted_ovsdb.errors import MonitorStopped

FULL = 2**16
"""Bytes from which on Twisted's transports say that they are full."""


def echo(size: int) -> bytes:
    """
    An echo request whose answer has this size.
    """
    empty = len(b'{"id":"echo","result":[""],"error":null}')
    return b'{"id":"echo","method":"echo","params":["%b"]}' % (b"x" * (size - empty))


class SlowPeerCase(SynchronousTestCase):
    """
    A connection whose peer reads only what the test says.
    """

    def setUp(self) -> None:
        self.protocol = OvsdbProtocol()
        self.transport = SlowTransport()
        self.protocol.makeConnection(self.transport)

    def receive(self, data: bytes) -> None:
        """
        The server sends.
        """
        self.protocol.dataReceived(data)

    def taken(self) -> list[Any]:
        """
        The messages that the peer has read whole since the last call.
        """
        text, found = self.transport.taken.decode(), []
        self.transport.taken = b""
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append(value)
            text = text[end:]
        return found


class AnswerTests(SlowPeerCase):
    """
    A server that sends echo requests and does not read the answers (F70).
    """

    def test_F70_stopsReading(self) -> None:
        """
        What waits is bounded: when the transport is full and too many answers wait
        behind it, nothing more is read. When the peer has read all of them, reading
        goes on.
        """
        self.receive(echo(FULL))
        for _ in range(MAX_UNSENT_ANSWERS // 1024):
            self.receive(echo(1024))
            self.assertTrue(self.transport.reading)
        self.assertLessEqual(self.transport.unsent, FULL + MAX_UNSENT_ANSWERS)
        self.receive(echo(1024))
        self.assertFalse(self.transport.reading)
        self.assertTrue(self.protocol.paused)
        unsent = self.transport.unsent
        # With TLS a little may still come. It is read later.
        self.receive(echo(1024))
        self.assertEqual(self.transport.unsent, unsent)
        self.transport.peerReads(unsent - 1)
        self.assertFalse(self.transport.reading)
        self.transport.peerReads()
        self.assertTrue(self.transport.reading)
        self.assertFalse(self.protocol.paused)
        self.transport.peerReads()
        self.assertEqual(len(self.taken()), MAX_UNSENT_ANSWERS // 1024 + 3)

    def test_F70_oneChunk(self) -> None:
        """
        Also the messages of one chunk are answered only up to the bound. The others
        are answered when the peer has read.
        """
        self.receive(echo(1024) * 1000)
        self.assertLess(self.transport.unsent, FULL + MAX_UNSENT_ANSWERS + 2 * 1024)
        answers = 0
        while self.transport.unsent:
            self.transport.peerReads()
            answers += len(self.taken())
        self.assertEqual(answers, 1000)
        self.assertTrue(self.transport.reading)

    def test_F70_unknownRequests(self) -> None:
        """
        Errors are answers too.
        """
        request = b'{"id":"%b","method":"steal_all","params":[]}' % (b"x" * 1024)
        self.receive(request * 1000)
        self.assertFalse(self.transport.reading)
        self.assertLess(self.transport.unsent, FULL + MAX_UNSENT_ANSWERS + 4 * 1024)

    def test_F70_usualEchoes(self) -> None:
        """
        A server that reads is answered without end, and a server that reads late is
        not held up for a few answers.
        """
        for _ in range(1000):
            self.receive(echo(1024))
            self.transport.peerReads()
        self.protocol.transact("T", {"op": "comment", "comment": "x" * 1_000_000})
        self.receive(echo(40) * 100)
        self.assertTrue(self.transport.reading)

    def test_eachTimeAnew(self) -> None:
        """
        What the peer has read counts no more: it may be late again and again.
        """
        for _ in range(5):
            self.receive(echo(FULL))
            self.receive(echo(MAX_UNSENT_ANSWERS * 3 // 4))
            self.assertTrue(self.transport.reading)
            self.transport.peerReads()
        self.assertIsNone(self.protocol.lost)

    def test_F70_twoReasonsToPause(self) -> None:
        """
        A caller that has paused the connection, and answers that wait: reading goes on
        when both are over, in any order.
        """
        for first in ("caller", "peer"):
            self.setUp()
            self.protocol.pauseProducing()
            self.protocol.resumeProducing()
            self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
            self.protocol.pauseProducing()
            if first == "caller":
                self.protocol.resumeProducing()
                self.assertFalse(self.transport.reading)
                self.assertTrue(self.protocol.paused)
                self.transport.peerReads()
            else:
                self.transport.peerReads()
                self.assertFalse(self.transport.reading)
                self.assertTrue(self.protocol.paused)
                self.protocol.resumeProducing()
            self.assertTrue(self.transport.reading)
            self.assertFalse(self.protocol.paused)

    def test_F70_resumedWithoutPause(self) -> None:
        """
        A caller that did not pause the connection does not resume it.
        """
        self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.protocol.resumeProducing()
        self.assertFalse(self.transport.reading)

    def test_F70_lost(self) -> None:
        """
        The session may end while answers wait. What the transport says later has no
        effect.
        """
        self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.protocol.abort(MonitorStopped())
        self.protocol.resumeProducing()
        self.protocol.pauseProducing()
        self.assertEqual(self.transport.aborted, 1)
        self.transport.peerReads()
        self.assertFalse(self.transport.reading)

    def test_F70_lostByTheTransport(self) -> None:
        """
        The transport may end the connection while answers wait.
        """
        self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.transport.connectionLost(Failure(ConnectionLost()))
        self.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertIsInstance(self.protocol.lost, ConnectionLost)

    def test_F70_closed(self) -> None:
        """
        A polite end sends what waits, and then closes.
        """
        self.receive(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.protocol.close(MonitorStopped())
        self.transport.peerReads()
        self.assertEqual(len(self.taken()), 1)
        self.assertEqual(self.transport.unsent, 0)


class RequestTests(SlowPeerCase):
    """
    A server that does not read the requests of the application (F71).
    """

    def fill(self, size: int) -> None:
        """
        Let requests of this size wait, as they are counted.
        """
        result = self.protocol.call("fill", ["x" * (size - REQUEST_COST - len(self.encoded("")))])
        result.addErrback(lambda failure: failure.trap(SessionLost))

    def encoded(self, text: str) -> bytes:
        """
        The request that L{fill} makes.
        """
        return b'{"method":"fill","params":["%b"],"id":1}' % text.encode()

    def test_F71_refused(self) -> None:
        """
        Requests wait up to a bound. A request beyond it fails at once and says why; the
        session goes on. When the server has read, requests are sent again.
        """
        last = b'{"method":"a","params":[],"id":2}'
        self.fill(MAX_UNSENT_REQUESTS - REQUEST_COST - len(last))
        self.assertNoResult(self.protocol.call("a", []))
        failure = self.failureResultOf(self.protocol.call("a", []), RequestNotSent)
        self.assertEqual(
            str(failure.value),
            "a: not sent, because the server does not read, and requests of 16 MiB wait to be sent",
        )
        self.assertRaises(RequestNotSent, self.protocol.notify, "a", [])
        self.assertIsNone(self.protocol.lost)
        self.transport.peerReads()
        self.protocol.notify("b", [])
        again = self.protocol.call("c", [])
        self.transport.peerReads()
        self.assertEqual([message["method"] for message in self.taken()], ["fill", "a", "b", "c"])
        self.receive(b'{"id":4,"result":"here","error":null}')
        self.assertEqual(self.successResultOf(again), "here")

    def test_eachTimeAnew(self) -> None:
        """
        Requests that the server has read count no more.
        """
        for _ in range(4):
            self.assertNoResult(self.protocol.call("a", ["x" * (MAX_UNSENT_REQUESTS // 2)]))
            self.assertNoResult(self.protocol.call("b", []))
            self.transport.peerReads()

    def test_F71_oneTooMany(self) -> None:
        """
        One byte more than the bound is refused.
        """
        last = b'{"method":"a","params":[],"id":2}'
        self.fill(MAX_UNSENT_REQUESTS - REQUEST_COST - len(last) + 1)
        self.failureResultOf(self.protocol.call("a", []), RequestNotSent)

    def test_F71_large(self) -> None:
        """
        A request that is larger than the bound is sent if nothing waits before it.
        """
        self.fill(2 * MAX_UNSENT_REQUESTS)
        self.assertGreater(self.transport.unsent, MAX_UNSENT_REQUESTS)
        self.failureResultOf(self.protocol.echo(), RequestNotSent)

    def test_F71_small(self) -> None:
        """
        Small requests count with what is kept for each of them.
        """
        self.fill(FULL + 2 * REQUEST_COST)
        waiting, sent = self.protocol.call("a", []), 0
        while not waiting.called and sent <= MAX_UNSENT_REQUESTS // REQUEST_COST:
            waiting, sent = self.protocol.call("a", []), sent + 1
        self.failureResultOf(waiting, RequestNotSent)
        self.assertLess(sent, MAX_UNSENT_REQUESTS // REQUEST_COST)
        self.assertGreater(sent, 0.9 * MAX_UNSENT_REQUESTS // REQUEST_COST)

    def test_F71_stillReads(self) -> None:
        """
        Requests that wait never stop reading: a server that has much to send to us does
        not read before we have read that, and both would wait for ever.
        """
        result = self.protocol.call("list_dbs", [])
        self.fill(2 * MAX_UNSENT_REQUESTS)
        self.receive(b'{"id":1,"result":["T"],"error":null}' + echo(40) * 10)
        self.assertEqual(self.successResultOf(result), ["T"])
        self.assertTrue(self.transport.reading)

    def test_F71_monitor(self) -> None:
        """
        The name of a monitor that was not asked for is free.
        """
        self.fill(2 * MAX_UNSENT_REQUESTS)
        for _ in range(2):
            refused = self.protocol.monitor("T", "m", {}, lambda tables: None)
            self.failureResultOf(refused, RequestNotSent)

    def test_F71_cancel(self) -> None:
        """
        A transaction can be cancelled also if much waits.
        """
        waiting = self.protocol.transact("T", {"op": "comment", "comment": "x" * FULL})
        self.fill(MAX_UNSENT_REQUESTS - FULL - 2 * REQUEST_COST)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.transport.peerReads()
        self.assertEqual(self.taken()[-1], {"method": "cancel", "params": [1], "id": None})


class TransportTests(SynchronousTestCase):
    """
    Which transport tells that it is full.
    """

    def test_interface(self) -> None:
        """
        The transport calls what Twisted's interface says, also when it is lost.
        """
        outgoing = Outgoing(lambda: None, lambda: None)
        verifyObject(IPushProducer, outgoing)
        outgoing.stopProducing()

    def test_wrapped(self) -> None:
        """
        Under TLS it is the transport of the socket, and TLS itself has no producer: its
        C{loseConnection}, which an application may call, would not end before that one does.
        """
        inner = StringTransport()
        wrapper = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        wrapper.makeConnection(inner)
        protocol = OvsdbProtocol()
        protocol.makeConnection(wrapper)
        self.assertIsNotNone(inner.producer)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertIsNone(inner.producer)

    def test_neverConnected(self) -> None:
        """
        A protocol whose connection was never made may be lost.
        """
        protocol = OvsdbProtocol()
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertIsInstance(protocol.lost, ConnectionLost)

    def test_onStalled(self) -> None:
        """
        Whoever watches is told at once that answers wait.
        """
        told: list[bool] = []
        protocol = JSONRPCProtocol(2**20, None)
        protocol.makeConnection(SlowTransport())
        protocol.onStalled = lambda: told.append(protocol.stalled)
        protocol.dataReceived(echo(FULL + MAX_UNSENT_ANSWERS + 1))
        self.assertEqual(told, [True])
