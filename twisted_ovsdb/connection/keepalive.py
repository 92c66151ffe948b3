# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
TCP keepalive: the kernel notices when the other host is gone, also where no
watchdog does.
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
In the units of tcp(7): seconds, seconds, a count and milliseconds. By default
the kernel keeps a connection to a host that is gone for hours.
"""


def noticeDeadPeer(connection: object) -> None:
    """
    Make the kernel notice when the other host of a TCP connection is gone.
    Other transports are left as they are.
    """
    # A TLS transport says that it is a TCP transport, but its handle is OpenSSL's.
    while isinstance(connection, ProtocolWrapper):
        connection = connection.transport
    # The transport of a unix socket says so too.
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
