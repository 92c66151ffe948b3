# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lifetime of a factory or a listener, as a Twisted service.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

import attrs
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import (
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.lifecycle.client import OvsdbClientFactory
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.replica import OvsdbReplicaFactory

ClientFactory = TypeVar("ClientFactory", bound=OvsdbClientFactory[Any])


class OvsdbClientService(Service, Generic[ClientFactory]):
    """
    Keeps the connection of a factory from start to stop. It may be started again:
    what it then finds is compared with what it knew.

    @cvar factoryClass: what the factory has to be.
    @ivar factory: the factory, for C{whenSynchronized} and observers.
    """

    factoryClass: ClassVar[type[OvsdbClientFactory[Any]]]

    def __init__(self, endpoint: IStreamClientEndpoint, factory: ClientFactory) -> None:
        """
        @param endpoint: where the server is.
        @param factory: monitors the server.
        @raise TypeError: if one of them is something else.
        """
        if not isinstance(factory, self.factoryClass):
            wanted = self.factoryClass.__name__
            raise TypeError(f"factory must be an {wanted}, not {factory!r}")
        self.factory = factory
        self._connector = EndpointConnector(endpoint, factory)
        self._stopping = False
        self._stopped: Waiters[None] = Waiters()

    def startService(self) -> None:
        """Begin to connect. From then on the factory keeps the connection."""
        Service.startService(self)
        if not self._stopping:
            self._connector.connect()

    def stopService(self) -> Deferred[Any]:
        """Close the connection. The Deferred fires when it is closed."""
        Service.stopService(self)
        stopped = self._stopped.wait()
        if not self._stopping:
            self._stopping = True
            self.factory.stop().addCallback(self._factoryStopped)
        return stopped

    def _factoryStopped(self, _: None) -> None:
        self._stopping = False
        # The service may have been started again before it had stopped.
        if self.running:
            self._connector.connect()
        self._stopped.callback(None)


class OvsdbMonitorService(OvsdbClientService[OvsdbMonitorFactory]):
    """Monitors the interfaces of a server from start to stop."""

    factoryClass = OvsdbMonitorFactory


class OvsdbReplicaService(OvsdbClientService[OvsdbReplicaFactory]):
    """Keeps a replica of a server's tables from start to stop."""

    factoryClass = OvsdbReplicaFactory


class OvsdbListenService(StreamServerEndpointService):
    """
    Listens for switches that connect to us, from start to stop. It may be
    started again. Several of these services may have the same factory: a
    switch may then connect to any of their endpoints.

    @ivar factory: the listener, for its C{monitors}.
    """

    factory: OvsdbListenerFactory

    _log = Logger()

    def __init__(self, endpoint: IStreamServerEndpoint, factory: OvsdbListenerFactory) -> None:
        """
        @param endpoint: where to listen.
        @param factory: monitors the switches.
        @raise TypeError: if one of them is something else.
        """
        if not IStreamServerEndpoint.providedBy(endpoint):
            raise TypeError(f"not a server endpoint, as serverFromRemote makes: {endpoint!r}")
        if not isinstance(factory, OvsdbListenerFactory):
            raise TypeError(f"factory must be an OvsdbListenerFactory, not {factory!r}")
        StreamServerEndpointService.__init__(self, _LoggingEndpoint(endpoint), factory)
        self._started = False
        self._closing = False  # the port is being closed
        self._portClosed: Waiters[None] = Waiters()

    def privilegedStartService(self) -> None:
        """Listen, and accept connections."""
        self._started = True
        self.factory.start()
        if not self._closing:
            StreamServerEndpointService.privilegedStartService(self)

    def startService(self) -> None:
        """The same, unless L{privilegedStartService} was called."""
        # Twisted's service does not listen again after a stop.
        if not self._started:
            self.privilegedStartService()
        StreamServerEndpointService.startService(self)

    def stopService(self) -> Deferred[Any]:
        """Stop to listen, and close all connections. The Deferred fires after that."""
        # First and at once, because observers that write events still run.
        closed = self.factory.stop()
        started, self._started = self._started, False
        if started and not self._closing:
            self._closing = True
            stopped: Deferred[Any] = StreamServerEndpointService.stopService(self)
            stopped.addErrback(lambda failure: self._log.failure("cannot close", failure))
            stopped.addCallback(self._closed)
        self.running = 0
        portClosed = self._portClosed.wait() if self._closing else succeed(None)
        return portClosed.addCallback(lambda _: closed)

    def _closed(self, _: None) -> None:
        self._closing = False
        # The service may have been started again before the port was closed.
        if self._started:
            StreamServerEndpointService.privilegedStartService(self)
            self.running = 1
        self._portClosed.callback(None)


@implementer(IStreamServerEndpoint)
@attrs.frozen
class _LoggingEndpoint:
    """Logs in one line why it cannot listen. Twisted's service would log a traceback."""

    _endpoint: IStreamServerEndpoint

    _log = Logger()

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """@return: the port, or None if it cannot listen."""
        listening = maybeDeferred(self._endpoint.listen, protocolFactory)
        return listening.addErrback(self._cannotListen)

    def _cannotListen(self, failure: Failure) -> Failure | None:
        if failure.check(CancelledError):
            return failure
        assert failure.value is not None
        self._log.error("cannot listen: {reason}", reason=describeReason(failure.value))
        return None
