# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A connector for any client endpoint. It tells a client factory what
C{reactor.connectTCP} would tell it. An endpoint alone never tells a factory
that its connection was lost.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import interfaces
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import NotConnectingError, UserError
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

from twisted_ovsdb.endpoints.addresses import EndpointAddress


@implementer(interfaces.IConnector)
class EndpointConnector:
    """
    Connects a client factory through an endpoint, whenever L{connect} is called.

    @ivar state: C{disconnected}, C{connecting} or C{connected}.
    """

    _log = Logger()

    def __init__(self, endpoint: interfaces.IStreamClientEndpoint, factory: ClientFactory) -> None:
        """@raise TypeError: if C{endpoint} is no endpoint, or C{factory} no client factory."""
        if not interfaces.IStreamClientEndpoint.providedBy(endpoint):
            raise TypeError(f"not a client endpoint, as clientFromRemote makes: {endpoint!r}")
        if not isinstance(factory, ClientFactory):
            raise TypeError(f"not a client factory, as OvsdbMonitorFactory: {factory!r}")
        self.state = "disconnected"
        self._endpoint = endpoint
        self._factory = factory
        self._factoryStarted = False
        self._address: interfaces.IAddress = EndpointAddress(endpoint)
        self._attempt: Deferred[Any] | None = None
        self._protocol: Any = None

    def connect(self) -> None:
        """
        Start to connect.

        @raise RuntimeError: if it is connecting or connected already.
        """
        if self.state != "disconnected":
            raise RuntimeError(f"cannot connect while {self.state}")
        self.state = "connecting"
        if not self._factoryStarted:
            self._factoryStarted = True
            self._factory.doStart()
        self._factory.startedConnecting(self)
        if self.state == "stopping":
            self._failed(Failure(UserError()))
            return
        # The endpoint may connect, or fail, before connect returns.
        attempt = self._attempt = maybeDeferred(self._endpoint.connect, _WatchingFactory(self))
        attempt.addErrback(self._failed)

    def stopConnecting(self) -> None:
        """
        Give up the attempt. The factory's C{clientConnectionFailed} is called
        with L{UserError}.

        @raise NotConnectingError: if there is no attempt.
        """
        if self.state != "connecting":
            raise NotConnectingError("there is no attempt to connect")
        self.state = "stopping"
        if self._attempt is not None:
            self._attempt.cancel()

    def disconnect(self) -> None:
        """Close the connection, or give up the attempt to make one."""
        if self.state == "connecting":
            self.stopConnecting()
        elif self.state == "connected":
            self._protocol.transport.loseConnection()

    def getDestination(self) -> interfaces.IAddress:
        """@return: the address of the latest connection; an L{EndpointAddress} before the first."""
        return self._address

    def _failed(self, reason: Failure) -> None:
        if self.state == "stopping":
            reason = Failure(UserError())
        self._down(self._factory.clientConnectionFailed, reason)

    def _down(self, tell: Any, reason: Failure) -> None:
        self.state = "disconnected"
        self._attempt = self._protocol = None
        tell(self, reason)
        # The factory may have called connect just now.
        if self.state == "disconnected" and self._factoryStarted:
            self._factoryStarted = False
            self._factory.doStop()


class _WatchingFactory(Factory):
    noisy = False

    def __init__(self, connector: EndpointConnector) -> None:
        self._connector = connector

    def buildProtocol(self, addr: interfaces.IAddress | None) -> Protocol | None:
        """See L{Factory}."""
        connector = self._connector
        if addr is not None:
            connector._address = addr
        protocol = connector._factory.buildProtocol(addr)
        if protocol is None:
            return None
        connector._protocol = watcher = _Watcher(connector, protocol)
        return watcher


class _Watcher(Protocol):
    """
    Passes everything on to a protocol, and tells the connector when the
    connection is made and lost.
    """

    def __init__(self, connector: EndpointConnector, wrapped: interfaces.IProtocol) -> None:
        self._connector = connector
        self._wrapped: Any = wrapped
        if interfaces.IHandshakeListener.providedBy(wrapped):
            directlyProvides(self, interfaces.IHandshakeListener)

    def logPrefix(self) -> str:
        return type(self._wrapped).__name__

    def connectionMade(self) -> None:
        self._connector.state = "connected"
        self._wrapped.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._wrapped.dataReceived(data)

    def handshakeCompleted(self) -> None:
        self._wrapped.handshakeCompleted()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # An exception here must not stop the factory from connecting again.
        with self._connector._log.failuresHandled("while a connection was lost"):
            self._wrapped.connectionLost(reason)
        self._connector._down(self._connector._factory.clientConnectionLost, reason)
