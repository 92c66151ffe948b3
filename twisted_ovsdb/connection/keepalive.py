# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
How the kernel notices that the other host of a TCP connection is gone. What the host
or the server does not say in time while it is there is left to the watchdog.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ITCPTransport

from twisted_ovsdb.connection.outgoing import innermost

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
    Make the kernel notice when the other host of a TCP connection is gone, also
    where no watchdog does. Other transports are left as they are.
    """
    connection = innermost(connection)
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
