# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lifetime of a factory or a listener, as a Twisted service.
"""

from __future__ import annotations

from typing import Any, ClassVar, Generic, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

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


class OvsdbListenService(Service):
    """
    Listens for switches that connect to us, from start to stop. It may be
    started again. Several of these services may have the same factory: a
    switch may then connect to any of their endpoints.

    @ivar factory: the listener, for its C{monitors}.
    """

    # Twisted's StreamServerEndpointService does not listen again after a stop.

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
        self.factory = factory
        self._endpoint = endpoint
        self._started = False
        self._port: Deferred[Any] | None = None  # from the start until it is closed
        self._stopping = False  # while it closes
        self._stopped: Waiters[None] = Waiters()
        self._listening = False
        self._opened: Waiters[None] = Waiters()

    def whenListening(self) -> Deferred[None]:
        """
        @return: fires when connections are accepted, at once if they are. It fails if
            the next attempt to listen does; the log does not say it then.
        """
        return succeed(None) if self._listening else self._opened.wait()

    def privilegedStartService(self) -> None:
        """Listen, and accept connections."""
        self._started = True
        self.factory.start()
        # An address is free only when the port that had it is closed.
        if not self._stopping:
            self._listen()

    def startService(self) -> None:
        """The same, unless L{privilegedStartService} was called."""
        Service.startService(self)
        if not self._started:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Stop to listen, and close all connections. The Deferred fires after that."""
        Service.stopService(self)
        # First and at once, because observers that write events still run.
        closed = self.factory.stop()
        self._started = False
        if self._port is None:
            return closed
        stopped = self._stopped.wait()
        if not self._stopping:
            self._stopping = True
            self._port.cancel()  # if it does not listen yet
            self._port.addCallback(_stopListening).addBoth(self._portClosed)
        return stopped.addCallback(lambda _: closed)

    def _listen(self) -> None:
        listening = maybeDeferred(self._endpoint.listen, self.factory)
        self._port = listening.addCallbacks(self._open, self._cannotListen)

    def _open(self, port: Any) -> Any:
        self._listening = True
        self._opened.callback(None)
        return port

    def _cannotListen(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        assert failure.value is not None
        if self._opened:
            self._opened.errback(failure.value)
        else:
            # In one line: Twisted's service would log a traceback.
            self._log.error("cannot listen: {reason}", reason=describeReason(failure.value))

    def _portClosed(self, result: Any) -> None:
        if isinstance(result, Failure):
            self._log.failure("while a port was closed", result)
        self._port, self._stopping, self._listening = None, False, False
        # The service may have been started again before it had stopped.
        if self._started:
            self._listen()
        self._stopped.callback(None)


def _stopListening(port: Any) -> Any:
    return None if port is None else port.stopListening()
