# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Unix sockets whose path is longer than the system's calls take. Open vSwitch's own
clients reach them in the same way: by a short path that leads to the open folder
(lib/socket-util-unix.c).
"""

from __future__ import annotations

import os
from typing import Any, Final

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from zope.interface import implementer

LONGEST_PATH: Final = 107
"""Bytes of the path of a unix socket; unix(7). With more, Twisted hangs."""

_FOLDER: Final = "/proc/self/fd"

LONGEST_NAME: Final = LONGEST_PATH - len(f"{_FOLDER}/1234567890/")
"""Bytes of the last part of a path that is reached through its folder."""


@implementer(IStreamClientEndpoint)
class LongPathEndpoint:
    """Connects to a unix socket, however long the path of its folder is."""

    def __init__(self, reactor: Any, path: str) -> None:
        """
        @raise ValueError: if the last part of the path is too long.
        """
        self._reactor = reactor
        self._path = path
        name = os.path.basename(path)
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise ValueError(
                f"the path of a unix socket has at most {LONGEST_PATH} bytes, or its last part at"
                f" most {LONGEST_NAME}, not {len(os.fsencode(name))}"
            )

    def __str__(self) -> str:
        return f"unix:{self._path}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See L{IStreamClientEndpoint}."""
        folder, name = os.path.split(self._path)
        try:
            descriptor = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:
            return fail(ConnectError(e.errno, e.strerror))
        endpoint = UNIXClientEndpoint(self._reactor, f"{_FOLDER}/{descriptor}/{name}")
        address = UNIXAddress(os.fsencode(self._path))
        connecting: Deferred[IProtocol] = endpoint.connect(_Renamed(protocolFactory, address))

        def close(result: Any) -> Any:
            os.close(descriptor)
            return result

        return connecting.addBoth(close)


@implementer(IProtocolFactory)
@attrs.frozen
class _Renamed:
    """Tells a factory the real path of the socket."""

    _factory: Any
    _address: IAddress

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:
        built: IProtocol | None = self._factory.buildProtocol(self._address)
        return built

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()
