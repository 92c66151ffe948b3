# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
TLS around connections, for client endpoints and for what listens. What fails
says so in words, which OpenSSL and Twisted alone do not.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions, openSSLReasons
from twisted_ovsdb.endpoints.verify import VerifyingCreator

HANDSHAKE_TIMEOUT: Final = 30.0
"""Seconds that a handshake may take, as endpoints allow for a connection."""

IS_IT_TLS: Final = " (is TLS spoken there?)"

_NOT_TLS: Final = ("wrong version number", "packet length too long", "http request")
"""What OpenSSL makes of a peer that says anything but TLS."""


@implementer(IHandshakeListener)
class _Secured(Protocol):
    """
    Between TLS and a protocol, which it tells in words why a connection ends.
    """

    transport: Any
    _wrapped: Any = None
    _handshaken = False
    _refusal = ""

    def refused(self, reason: str) -> None:
        """
        The peer's certificate is refused.
        """
        self._refusal = reason

    def handshakeCompleted(self) -> None:
        self._handshaken = True

    def dataReceived(self, data: bytes) -> None:
        self._wrapped.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._wrapped.connectionLost(self._explain(reason))

    def _wrap(self, protocol: IProtocol) -> None:
        self._wrapped = protocol
        protocol.makeConnection(self.transport)

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
    Makes its protocol when the server has been verified, and not earlier.

    @ivar up: fires with the protocol, or fails with the reason.
    """

    def __init__(self, factory: IProtocolFactory, address: IAddress) -> None:
        self.up: Deferred[IProtocol] = Deferred(lambda _: self.transport.abortConnection())
        self._builds = factory
        self._address = address

    def handshakeCompleted(self) -> None:
        super().handshakeCompleted()
        protocol = self._builds.buildProtocol(self._address)
        if protocol is None:
            self.up.errback(NoProtocol())
            self.transport.abortConnection()
            return
        self._wrap(protocol)
        if IHandshakeListener.providedBy(protocol):
            protocol.handshakeCompleted()
        self.up.callback(protocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._wrapped is not None:
            super().connectionLost(reason)
        elif not self.up.called:
            self.up.errback(self._explain(reason))


class _SecuredServer(_Secured):
    """
    Tells its protocol of a connection at once, so that it may put a limit on
    the time until it hears of its client.
    """

    def __init__(self, protocol: IProtocol) -> None:
        self._builds = protocol

    def connectionMade(self) -> None:
        self._wrap(self._builds)

    def handshakeCompleted(self) -> None:
        super().handshakeCompleted()
        if IHandshakeListener.providedBy(self._wrapped):
            self._wrapped.handshakeCompleted()


class _Forwarding(Factory):
    """
    Starts and stops another factory.
    """

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


class _Single(Factory):
    """
    For one connection.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._protocol


class _ServerFactory(_Forwarding):
    _log = Logger()

    def __init__(self, options: TLSOptions, wrapped: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(wrapped)
        self._options = options
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Protocol | None:
        try:
            creator = VerifyingCreator(self._options)
        except TLSFailure as e:
            self._log.warn("{address}: refused: {reason}", address=addr, reason=str(e))
            return None
        protocol = self._wrapped.buildProtocol(addr)
        if protocol is None:
            return None
        from twisted.protocols.tls import TLSMemoryBIOFactory

        secured = _Single(_SecuredServer(protocol))
        return TLSMemoryBIOFactory(creator, False, secured, self._clock).buildProtocol(addr)


@implementer(IStreamClientEndpoint)
class TLSClientEndpoint:
    """
    Connects with TLS through another endpoint: the connection is made when
    the server has been verified. (It may still refuse us: in TLS 1.3 that
    comes to light with the first reply, or instead of it.)
    """

    def __init__(
        self, reactor: IReactorTime, endpoint: IStreamClientEndpoint, options: TLSOptions, host: str
    ) -> None:
        """
        @param endpoint: leads to the server.
        @param options: the files, read for each connection.
        @param host: the server's name or address, as its user gave it.
        """
        self._reactor = reactor
        self._endpoint = endpoint
        self._options = options
        self._host = host

    def __repr__(self) -> str:
        return f"<TLSClientEndpoint {self._host}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        @return: the protocol. L{TLSFailure} if a file cannot be used, or the
            handshake fails.
        """
        try:
            creator = VerifyingCreator(self._options, self._host)
        except TLSFailure:
            return fail()
        from twisted.protocols.tls import TLSMemoryBIOFactory

        factory = TLSMemoryBIOFactory(creator, True, _ClientFactory(protocolFactory), self._reactor)
        # The factory stands for what is wrapped in it.
        return self._endpoint.connect(factory).addCallback(self._shakeHands)

    def _shakeHands(self, connection: Any) -> Deferred[IProtocol]:
        up: Deferred[IProtocol] = connection.wrappedProtocol.up
        return up.addTimeout(HANDSHAKE_TIMEOUT, self._reactor, _tooLong)


def _tooLong(result: object, seconds: float) -> IProtocol:
    raise TLSFailure(f"no TLS handshake for {seconds:g} s{IS_IT_TLS}")


def secureServerFactory(
    options: TLSOptions, factory: IProtocolFactory, clock: IReactorTime
) -> Factory:
    """
    Have what listens speak TLS, and demand a certificate of each client: give
    the result to C{listenTCP} or to a server endpoint.

    C{connectionMade} is called before the handshake; a protocol that provides
    L{IHandshakeListener} is told when the client is verified. Where it is not,
    C{connectionLost} gets a L{TLSFailure} with the reason.

    @param options: the files, read for each connection. While they cannot be
        used, clients are refused, with a warning.
    @param factory: makes the protocols.
    @param clock: the reactor.
    """
    return _ServerFactory(options, factory, clock)
