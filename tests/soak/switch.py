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
    An ovsdb-server without an ovs-vswitchd, on a TCP port too.
    """

    def __init__(self) -> None:
        super().__init__(tcp=True, vswitchd=False)
        self.port = _quietPort()


def _quietPort() -> int:
    """
    A TCP port that the kernel gives to nobody by itself. Among the others, a
    client that tries again and again while the server is down once comes from
    the very port that it goes to, and is connected to itself.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
