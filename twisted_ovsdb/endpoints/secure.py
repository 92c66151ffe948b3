# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
TLS for the connections of a client endpoint, and for those of a server.

An error says in words what is wrong. OpenSSL and Twisted alone do not.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.endpoints.addresses import EndpointAddress
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions, VerifyingCreator
from twisted_ovsdb.errors import describeReason, openSSLReasons

HANDSHAKE_TIMEOUT: Final = 30.0
"""Seconds that a handshake may take, as endpoints allow for a connection."""

IS_IT_TLS: Final = " (is TLS spoken there?)"

_NOT_TLS: Final = ("wrong version number", "packet length too long", "http request")
"""What OpenSSL reports when the peer does not speak TLS."""


@implementer(IHandshakeListener)
class _Secured(Protocol):
    """
    Stands between TLS and a protocol, which hears in words why a connection
    ended. It hears of the connection before the handshake, so that it can limit
    the time that the other side may take.
    """

    transport: Any
    _handshaken = False
    _refusal = ""

    def __init__(self, wrapped: IProtocol | None) -> None:
        self._wrapped: Any = wrapped

    def refused(self, reason: str) -> None:
        self._refusal = reason

    def connectionMade(self) -> None:
        self._wrapped.makeConnection(self.transport)

    def handshakeCompleted(self) -> None:
        self._handshaken = True
        if IHandshakeListener.providedBy(self._wrapped):
            self._wrapped.handshakeCompleted()

    def dataReceived(self, data: bytes) -> None:
        self._wrapped.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._wrapped.connectionLost(self._explain(reason))

    def _explain(self, reason: Failure) -> Failure:
        from OpenSSL import SSL

        cause = reason.value
        if isinstance(cause, SSL.Error):
            text = self._refusal or _describe(openSSLReasons(cause))
        elif not self._handshaken and isinstance(cause, (ConnectionDone, ConnectionLost)):
            text = f"closed before the TLS handshake was over{IS_IT_TLS}"
        else:
            return reason
        return Failure(TLSFailure(text))


def _describe(reasons: list[str]) -> str:
    text = "; ".join(reasons) or "no reason given"
    _, alert, said = text.partition("alert ")
    if alert:
        return f"the other side refuses TLS with us: {said}"
    return f"TLS: {text}{IS_IT_TLS if any(r in _NOT_TLS for r in reasons) else ''}"


class _SecuredClient(_Secured):
    """
    Makes its protocol only after the server has been verified.

    @ivar up: a Deferred of the protocol.
    """

    def __init__(self, factory: IProtocolFactory, address: IAddress) -> None:
        super().__init__(None)
        self.up: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._factory = factory
        self._address = address

    def connectionMade(self) -> None:
        pass

    def handshakeCompleted(self) -> None:
        """See L{IHandshakeListener<interfaces.IHandshakeListener>}."""
        self._wrapped = self._factory.buildProtocol(self._address)
        if self._wrapped is None:
            self.up.errback(NoProtocol())
            self.transport.abortConnection()
            return
        super().connectionMade()
        super().handshakeCompleted()
        self.up.callback(self._wrapped)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._wrapped is not None:
            super().connectionLost(reason)
        elif not self.up.called:
            self.up.errback(self._explain(reason))


class _Forwarding(Factory):
    noisy = False

    def __init__(self, wrapped: IProtocolFactory) -> None:
        self._wrapped: Any = wrapped

    def doStart(self) -> None:
        self._wrapped.doStart()

    def doStop(self) -> None:
        self._wrapped.doStop()


class _ClientFactory(_Forwarding):
    def buildProtocol(self, addr: Any) -> Protocol:
        return _SecuredClient(self._wrapped, addr)


class SecureServerFactory(_Forwarding):
    """
    Wraps a server's factory in TLS. Each client must present a certificate.

    C{connectionMade} is called before the handshake. When the client has been
    verified, C{handshakeCompleted} is called on a protocol that provides
    L{IHandshakeListener}. If the client is refused, C{connectionLost} gets a
    L{TLSFailure} with the reason.
    """

    _log = Logger()

    def __init__(self, options: TLSOptions, wrapped: IProtocolFactory, clock: IReactorTime) -> None:
        """
        @param options: the files, which are read for each connection. While
            they cannot be used, clients are refused with a warning.
        @param wrapped: the factory that makes the protocols.
        @param clock: the reactor.
        """
        super().__init__(wrapped)
        self._options = options
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Protocol | None:
        """@return: None while the files cannot be used."""
        try:
            creator = VerifyingCreator(self._options)
        except TLSFailure as e:
            self._log.warn("{address}: refused: {reason}", address=addr, reason=describeReason(e))
            return None
        protocol = self._wrapped.buildProtocol(addr)
        if protocol is None:
            return None
        from twisted.protocols.tls import TLSMemoryBIOFactory

        single = Factory.forProtocol(partial(_Secured, protocol))
        return TLSMemoryBIOFactory(creator, False, single, self._clock).buildProtocol(addr)


@implementer(IStreamClientEndpoint)
@attrs.frozen
class TLSClientEndpoint:
    """
    Connects with TLS through another endpoint. The connection is made when the
    server has been verified. If the server then refuses our certificate, as it
    may with TLS 1.3, the connection is lost.

    @ivar tls: the files, which are read for each connection.
    @ivar host: the server's name or address, as the user wrote it.
    @ivar clock: the reactor.
    """

    endpoint: IStreamClientEndpoint
    tls: TLSOptions
    host: str
    clock: IReactorTime

    def __str__(self) -> str:
        return str(EndpointAddress(self.endpoint)).replace("tcp:", "ssl:", 1)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        @return: a Deferred of the protocol. It fails with L{TLSFailure} if a file
            cannot be used, or if the handshake fails.
        """
        try:
            creator = VerifyingCreator(self.tls, self.host)
        except TLSFailure:
            return fail()
        from twisted.protocols.tls import TLSMemoryBIOFactory

        factory = TLSMemoryBIOFactory(creator, True, _ClientFactory(protocolFactory), self.clock)
        # TLSMemoryBIOFactory passes doStart and doStop on to protocolFactory.
        return self.endpoint.connect(factory).addCallback(self._shakeHands)

    def _shakeHands(self, connection: Any) -> Deferred[IProtocol]:
        up: Deferred[IProtocol] = connection.wrappedProtocol.up
        return up.addTimeout(HANDSHAKE_TIMEOUT, self.clock, _tooLong)


def _tooLong(result: object, seconds: float) -> IProtocol:
    raise TLSFailure(f"no TLS handshake for {seconds:g} s{IS_IT_TLS}")


@implementer(IStreamServerEndpoint)
@attrs.frozen
class TLSServerEndpoint:
    """
    Listens on another endpoint, with TLS.

    @ivar tls: the files, which are read for each connection.
    @ivar clock: the reactor.
    """

    endpoint: IStreamServerEndpoint
    tls: TLSOptions
    clock: IReactorTime

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        return self.endpoint.listen(SecureServerFactory(self.tls, protocolFactory, self.clock))
