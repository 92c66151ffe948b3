# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The server of a soak.
"""

from __future__ import annotations

import random
import socket

from tools.openvswitch import PrivateOpenVSwitch


class SoakOpenVSwitch(PrivateOpenVSwitch):
    """
    An ovsdb-server without an ovs-vswitchd. It listens on a TCP port, too.
    """

    def __init__(self) -> None:
        super().__init__(tcp=True, vswitchd=False)
        self.port = _quietPort()


def _quietPort() -> int:
    """
    A TCP port that the kernel gives to no program by itself. With any other
    port, a client can connect to itself: while the server is down, the client
    makes many attempts, and the kernel may give one of them the server's own
    port as its source.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
