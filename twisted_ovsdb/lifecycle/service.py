# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lifetime of a monitor, as a Twisted service.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory


class OvsdbMonitorService(Service):
    """
    Monitors a server from start to stop; may be started again, and then
    compares what it finds with what it knew.

    @ivar factory: the factory, for C{whenSynchronized} and observers.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, factory: OvsdbMonitorFactory) -> None:
        """
        @param endpoint: where the server is.
        @param factory: what serves the connections.
        """
        self.factory = factory
        self._connector = EndpointConnector(endpoint, factory)
        self._stopping: Deferred[None] | None = None

    def startService(self) -> None:
        """
        Begin to connect; what it takes to stay connected goes on by itself.
        """
        Service.startService(self)
        if self._stopping is None:
            self._connector.connect()

    def stopService(self) -> Deferred[Any]:
        """
        Close the connection.

        @return: fires when all is closed.
        """
        Service.stopService(self)
        if self._stopping is None:
            self._stopping = self.factory.stop()
            self._stopping.addCallback(self._stopped)
        result: Deferred[Any] = Deferred()
        if self._stopping is not None:
            self._stopping.chainDeferred(result)
        else:
            result.callback(None)
        return result

    def _stopped(self, _: None) -> None:
        self._stopping = None
        # Started again before it had stopped.
        if self.running:
            self._connector.connect()


class OvsdbListenService(Service):
    """
    Listens for switches that dial in, from start to stop; may be started
    again.

    @ivar factory: the factory, for its monitors.
    """

    _log = Logger()

    def __init__(self, endpoint: IStreamServerEndpoint, factory: OvsdbListenerFactory) -> None:
        """
        @param endpoint: where to listen.
        @param factory: what serves the connections.
        """
        self.factory = factory
        self._endpoint = endpoint
        self._listening: Deferred[Any] | None = None

    def startService(self) -> None:
        """
        Listen.
        """
        Service.startService(self)
        self.factory.start()
        self._listening = self._endpoint.listen(self.factory)
        self._listening.addErrback(self._notListening)

    def stopService(self) -> Deferred[Any]:
        """
        Listen no more, and close all connections.

        @return: fires when all are closed.
        """
        Service.stopService(self)
        # At once: observers are told while those who write events are there.
        return Deferred.fromCoroutine(self._stop(self.factory.stop()))

    async def _stop(self, stopped: Deferred[None]) -> None:
        listening, self._listening = self._listening, None
        port = await listening if listening is not None else None
        if port is not None:
            await maybeDeferred(port.stopListening)
        await stopped

    def _notListening(self, failure: Failure) -> None:
        assert failure.value is not None
        self._log.error("cannot listen: {reason}", reason=describeReason(failure.value))
