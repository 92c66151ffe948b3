# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Unix sockets whose path is longer than the system's calls take. Open vSwitch
reaches them in the same way: by a short path that leads to the open folder
(lib/socket-util-unix.c).
"""

from __future__ import annotations

import os
from typing import Any, Final

import attrs
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
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


def isLong(path: str) -> bool:
    """
    Whether a path can be reached through its folder only.

    @raise ValueError: if its last part is too long even then.
    """
    length, last = len(os.fsencode(path)), len(os.fsencode(os.path.basename(path)))
    if length > LONGEST_PATH and last > LONGEST_NAME:
        raise ValueError(
            f"the path of a unix socket has at most {LONGEST_PATH} bytes, or its last part at"
            f" most {LONGEST_NAME}, not {last}"
        )
    return length > LONGEST_PATH


class _Shortcut:
    """
    A short path that leads to a long one, until it is closed.

    @ivar path: the short path.
    """

    def __init__(self, path: str) -> None:
        """@raise OSError: if the folder cannot be opened."""
        folder, name = os.path.split(path)
        self._descriptor = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.path = f"{_FOLDER}/{self._descriptor}/{name}"

    def close(self, result: Any = None) -> Any:
        """@return: C{result}, so that this can be a callback."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
        return result


@implementer(IStreamClientEndpoint)
class LongPathEndpoint:
    """Connects to a unix socket, however long the path of its folder is."""

    def __init__(self, reactor: Any, path: str) -> None:
        """
        @raise ValueError: if the last part of the path is too long.
        """
        self._reactor = reactor
        self._path = path
        isLong(path)

    def __str__(self) -> str:
        return f"unix:{self._path}"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See L{IStreamClientEndpoint}."""
        try:
            shortcut = _Shortcut(self._path)
        except OSError as e:
            return fail(ConnectError(e.errno, e.strerror))
        endpoint = UNIXClientEndpoint(self._reactor, shortcut.path)
        address = UNIXAddress(os.fsencode(self._path))
        connecting: Deferred[IProtocol] = endpoint.connect(_Renamed(protocolFactory, address))
        return connecting.addBoth(shortcut.close)


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


@attrs.frozen
class LongPathReactor:
    """
    A reactor for a L{UNIXServerEndpoint
    <twisted.internet.endpoints.UNIXServerEndpoint>}: it listens on a unix socket,
    however long the path of its folder is.
    """

    _reactor: Any

    def listenUNIX(self, address: str, factory: Any, **options: Any) -> IListeningPort:
        """See L{twisted.internet.interfaces.IReactorUNIX}."""
        if not isLong(address):
            port: IListeningPort = self._reactor.listenUNIX(address, factory, **options)
            return port
        try:
            shortcut = _Shortcut(address)
        except OSError as e:
            raise CannotListenError(None, address, e) from e
        try:
            port = self._reactor.listenUNIX(shortcut.path, factory, **options)
        except CannotListenError as e:
            shortcut.close()
            raise CannotListenError(None, address, e.socketError) from e
        except BaseException:
            shortcut.close()
            raise
        return _LongPathPort(port, shortcut, UNIXAddress(os.fsencode(address)))


@implementer(IListeningPort)
@attrs.frozen
class _LongPathPort:
    """A port that removes its socket when it is closed, for which it needs the folder."""

    _port: IListeningPort
    _shortcut: _Shortcut
    _address: UNIXAddress

    def startListening(self) -> None:
        self._port.startListening()

    def stopListening(self) -> Deferred[Any]:
        return maybeDeferred(self._port.stopListening).addBoth(self._shortcut.close)

    def getHost(self) -> IAddress:
        return self._address
