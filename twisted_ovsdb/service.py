# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lifetime of a monitor, as a Twisted service.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint

from twisted_ovsdb.connector import EndpointConnector
from twisted_ovsdb.factory import OvsdbMonitorFactory


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
