# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the kernel can do about a host that is gone: a second line of defence,
which needs no timer of ours.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ITCPTransport
from twisted.protocols.policies import ProtocolWrapper

KERNEL_TIMEOUTS: Final = {
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}
"""
tcp(7): seconds, seconds, a count and milliseconds. By default a connection to
a host that has gone is kept for hours.
"""


def noticeDeadPeer(connection: object) -> None:
    """
    Have the kernel notice when the other host of a TCP connection is gone.
    Other transports are left as they are.
    """
    # TLS claims to be what it is wrapped around, but its handle is OpenSSL's.
    while isinstance(connection, ProtocolWrapper):
        connection = connection.transport
    # Unix sockets' transports claim to be TCP's too.
    if not ITCPTransport.providedBy(connection) or not isinstance(
        connection.getPeer(), (IPv4Address, IPv6Address)
    ):
        return
    transport: Any = connection
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    for name, value in KERNEL_TIMEOUTS.items():
        # Not every system has all of them.
        if hasattr(socket, name):
            transport.getHandle().setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
