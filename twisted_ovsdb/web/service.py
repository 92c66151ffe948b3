# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lifetime of the web: from the port that is opened to the connections that are
closed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.endpoints.addresses import describeAddress
from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.openvswitch.present import Wants
from twisted_ovsdb.openvswitch.views import behindViews
from twisted_ovsdb.web.connections import Connections
from twisted_ovsdb.web.counted import CountedObserver
from twisted_ovsdb.web.door import Door
from twisted_ovsdb.web.gauge import Gauge
from twisted_ovsdb.web.lag import Lag
from twisted_ovsdb.web.metrics import Watched
from twisted_ovsdb.web.outgoing import turns
from twisted_ovsdb.web.readiness import Check, Readiness
from twisted_ovsdb.web.site import Shown, WebSite
from twisted_ovsdb.web.stream import Streams
from twisted_ovsdb.web.switches import Monitored, Switches
from twisted_ovsdb.web.watch import Watch


class WebService(Service):
    """
    Serves the page, the stream, the metrics and the rest, from start to stop.

    @ivar watch: the observer that all factories and listeners have to have.
    @ivar monitored: these factories and listeners, to be added before the start.
    @ivar checks: what C{/ready} asks beside the endpoints.
    @ivar observers: other observers, for the metrics.
    @ivar wants: which interfaces are shown; None: all.
    @ivar more: the metrics of other parts.
    """

    _log = Logger()

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        hosts: Iterable[str] = (),
        token: str | None = None,
        fail: Callable[[str], BaseException] = SystemExit,
        clock: IReactorTime | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        @param endpoint: where to listen.
        @param hosts: see L{Door}.
        @param token: see L{Door}.
        @param fail: makes the exception for a port that cannot be opened.
        @param clock: schedules calls; None: the reactor.
        @param now: the time in seconds that never jump.
        """
        self.watch = Watch(uuid.uuid4().hex[:8], now=now)
        self.monitored: list[Monitored] = []
        self.checks: list[Check] = []
        self.observers: list[CountedObserver] = []
        self.wants: Wants | None = None
        self.more: list[Gauge] = []
        self._endpoint = endpoint
        self._hosts = tuple(hosts)
        self._door = Door(self._hosts, token)
        self._fail = fail
        self._clock = clock
        self._now = now
        self._port: Any = None
        self._factory: Connections | None = None
        self._streams: Streams | None = None
        self._lag: Lag | None = None
        self._readiness: Readiness | None = None

    def count(self, name: str, observer: IOvsdbEventObserver) -> IOvsdbEventObserver:
        """
        Count how an observer does.

        @param name: what it is called in the metrics.
        @return: what to give to the factories in its place.
        """

        def make(behind: IOvsdbEventObserver) -> CountedObserver:
            counted = CountedObserver(behind, name, self._now)
            self.observers.append(counted)
            return counted

        return behindViews(observer, make)

    def privilegedStartService(self) -> None:
        """Listen: a port below 1024 needs privileges, which are dropped afterwards."""
        if self._factory is None:
            self._factory = self._makeFactory()
            listening = maybeDeferred(self._endpoint.listen, self._factory)
            problems: list[BaseException] = []
            listening.addCallback(self._listening).addErrback(self._cannotListen, problems)
            if problems:
                reason = describeReason(problems[0])
                raise self._fail(f"--http: cannot listen: {reason}") from problems[0]

    def startService(self) -> None:
        """The same, unless L{privilegedStartService} was called."""
        Service.startService(self)
        self.privilegedStartService()
        assert self._lag is not None and self._readiness is not None
        self._lag.start()
        self._readiness.start()

    def stopService(self) -> Deferred[Any] | None:
        """Close the port and all connections."""
        Service.stopService(self)
        if self._lag is not None:
            self._lag.stop()
        if self._streams is not None:
            self._streams.close()
        if self._factory is not None:
            self._factory.close()
        port, self._port, self._factory = self._port, None, None
        return None if port is None else maybeDeferred(port.stopListening)

    @property
    def address(self) -> IAddress | None:
        """Where it listens; None if it does not."""
        return None if self._port is None else self._port.getHost()

    def _makeFactory(self) -> Connections:
        clock: Any = self._clock
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        switches = Switches(self.monitored, self.watch, self.wants)
        self._lag = Lag(clock, self._now)
        self._readiness = Readiness(switches, self._now, self.checks)
        self._streams = streams = Streams(self.watch.recent, clock)
        self.watch.onEvent = streams.noteEvent
        watched = Watched(switches, self._lag, self.observers, self.more)
        shown = Shown(
            watched=watched,
            streams=streams,
            readiness=self._readiness,
            door=self._door,
            cooperator=turns(clock, self._now),
            clock=clock,
        )
        return Connections(WebSite(shown), clock)

    def _listening(self, port: Any) -> None:
        self._port = port
        host = port.getHost()
        where = getattr(host, "host", None)
        if where is None:
            self._log.info("the page is on {place}", place=describeAddress(host))
            return
        if where in ("0.0.0.0", "::") and self._hosts:
            where = self._hosts[0]
        address = f"[{where}]" if ":" in where else where
        scheme = "https" if isinstance(self._endpoint, SSL4ServerEndpoint) else "http"
        url = f"{scheme}://{address}:{host.port}/"
        self._log.info("the page is on {url}", url=url)

    def _cannotListen(self, failure: Failure, problems: list[BaseException]) -> None:
        assert failure.value is not None
        problems.append(failure.value)
