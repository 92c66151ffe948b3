# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.connection.keepalive}.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from twisted_ovsdb.connection.keepalive import KERNEL_TIMEOUTS, noticeDeadPeer


class RecordingTransport(StringTransport):
    """
    Records what is set on its socket.
    """

    def __init__(self, peer: Any) -> None:
        super().__init__(peerAddress=peer)
        directlyProvides(self, ITCPTransport)
        self.set: list[Any] = []

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.set.append(("nodelay", enabled))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.set.append(("keepalive", enabled))

    def getHandle(self) -> Any:
        return self

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.set.append((level, option, value))


class NoticeDeadPeerTests(SynchronousTestCase):
    """
    Tests for L{noticeDeadPeer}.
    """

    def test_tcp(self) -> None:
        """
        On TCP the kernel probes, and gives up on what is not acknowledged.
        """
        transport = RecordingTransport(IPv4Address("TCP", "127.0.0.1", 6640))
        noticeDeadPeer(transport)
        self.assertEqual(transport.set[:2], [("nodelay", True), ("keepalive", True)])
        self.assertIn(
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, KERNEL_TIMEOUTS["TCP_USER_TIMEOUT"]),
            transport.set,
        )

    def test_tls(self) -> None:
        """
        Under TLS, the options are set on the transport beneath it: the handle of
        OpenSSL is no socket.
        """
        transport = RecordingTransport(IPv4Address("TCP", "127.0.0.1", 6640))
        outer = ProtocolWrapper(WrappingFactory(Factory()), Protocol())
        outer.makeConnection(transport)
        noticeDeadPeer(outer)
        self.assertEqual(transport.set[:2], [("nodelay", True), ("keepalive", True)])

    def test_unix(self) -> None:
        """
        A unix socket's transport claims to be TCP's, and is not.
        """
        transport = RecordingTransport(UNIXAddress("/run/db.sock"))
        noticeDeadPeer(transport)
        noticeDeadPeer(StringTransport())
        self.assertEqual(transport.set, [])

    def test_otherSystems(self) -> None:
        """
        An option that the system does not have is left out.
        """
        self.patch(socket, "TCP_USER_TIMEOUT", None)
        del socket.TCP_USER_TIMEOUT
        transport = RecordingTransport(IPv4Address("TCP", "127.0.0.1", 6640))
        noticeDeadPeer(transport)
        self.assertEqual(len(transport.set), 2 + len(KERNEL_TIMEOUTS) - 1)
