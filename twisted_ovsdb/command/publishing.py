# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What C{--publish} and C{--publish-credentials} mean, and the service that they make.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import stat
import sys
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Union

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.usage import UsageError

from twisted_ovsdb.errors import printable
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.monitoring.standing import Standing
from twisted_ovsdb.publish.credentials import Broker, brokerOf
from twisted_ovsdb.publish.natsconnection import MISSING
from twisted_ovsdb.publish.natsstreams import NatsStreams
from twisted_ovsdb.publish.nowwriter import boottime
from twisted_ovsdb.publish.observer import Publishing, PublishingObserver, publishing
from twisted_ovsdb.publish.silence import BEAT, Silence
from twisted_ovsdb.publish.streampublisher import StreamPublisher
from twisted_ovsdb.publish.subjects import part
from twisted_ovsdb.publish.trouble import Trouble

if TYPE_CHECKING:
    from twisted_ovsdb.web.gauge import Gauge

_log = Logger()

SWITCH_INTERVAL: Final = 0.001
"""
Seconds after which the thread that speaks to the broker lets the reactor go on. Python's
own value is 5 ms, and the reactor would wait for as long after each read of a socket.
"""

# asyncio says so whenever a server ends TLS. The client is not ours.
logging.getLogger("asyncio").addFilter(lambda record: "eof_received()" not in str(record.msg))

Monitored = Union[OvsdbMonitorFactory, OvsdbListenerFactory]


def broker(
    text: str | None, path: str | None, environment: Mapping[str, str] = os.environ
) -> Broker | None:
    """Read C{--publish} and C{--publish-credentials}."""
    if text is None:
        if path is not None:
            raise UsageError("--publish-credentials: --publish must be given too")
        return None
    if importlib.util.find_spec("nats") is None:
        raise UsageError(MISSING)
    # A password may be in the URL: the error does not show it.
    shown = text if "@" not in text else "(with a password)"
    try:
        found = brokerOf(text, None, environment)
    except ValueError as e:
        raise UsageError(f"--publish {shown}: {e}") from e
    if path is None:
        return found
    try:
        found = brokerOf(text, path, environment)
        public = os.stat(path).st_mode & stat.S_IROTH
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else e
        raise UsageError(f"--publish-credentials {path}: {reason}") from e
    if public:
        _log.warn(
            "publish-credentials {path}: everybody can read it (chmod o-r)", path=printable(path)
        )
    return found


class PublishService(Service):
    """
    Publishes to a broker, from start to stop.

    @ivar observer: what all factories and listeners have to have.
    @ivar terms: of the lock of each switch: this monitor asks for it while it can publish.
    @ivar monitored: these factories and listeners, to be added before the start.
    """

    def __init__(self, broker: Broker, instance: str, lock: str) -> None:
        clock: Any = _reactor()
        self._trouble = Trouble(broker.shown)
        self._streams = NatsStreams(broker.servers, broker.options, clock, self._trouble, instance)
        publisher = StreamPublisher(self._streams, instance, clock)
        self._observer = PublishingObserver(publisher, instance, self._monitorOf, clock)
        self.observer: Publishing = publishing(self._observer)
        self.monitored: list[Monitored] = []
        self._silence = Silence(
            instance, uuid.uuid4().hex, self._standby, publisher.speakerOf, boottime
        )
        self._streams.onAlive = self._silence.heard
        self._streams.onConnected = publisher.connected
        # Others listen to its signs of life: they take over from it where it hangs.
        self.terms = LockTerms(lock, instance, boottime, self._isReady, relieved=True)
        self._beating: IDelayedCall | None = None
        self._before = sys.getswitchinterval()

    def startService(self) -> None:
        """Connect to the broker."""
        Service.startService(self)
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._streams.start()
        self._beat()

    def stopService(self) -> Deferred[None]:
        """Write what is now, and end the connection."""
        Service.stopService(self)
        sys.setswitchinterval(self._before)
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        return self._observer.close()

    def _beat(self) -> None:
        self._beating = _reactor().callLater(BEAT, self._beat)
        self._streams.beat(self._silence.sign)
        self._silence.look()
        if self.missing() is None:
            self._observer.works()

    def _isReady(self, switch: str) -> bool:
        return self._streams.connected and not self._trouble.stops(part(switch))

    def missing(self) -> str | None:
        """Why nothing can be published now; None if it can. For C{/ready}."""
        if self._trouble.missing() is None and not self._streams.connected:
            return "--publish: is not connected yet"
        return self._trouble.missing()

    def gauges(self) -> list[Gauge]:
        """Makes the metrics."""
        from twisted_ovsdb.command.gauges import ofPublishing

        return ofPublishing(self._observer)

    def _standby(self) -> Iterator[tuple[str, Any]]:
        """The switches on unix sockets, where a frozen monitor is not found by the switch."""
        for each in self.monitored:
            one = isinstance(each, OvsdbMonitorFactory)
            monitors = [each.monitor] if one else each.monitors.values()  # type: ignore[union-attr]
            for monitor in monitors:
                place = monitor.identity.address or monitor.source
                if monitor.inSync and place.startswith(("unix:", "punix:")):
                    yield monitor.switch, monitor

    def _monitorOf(self, switch: str) -> Any:
        """The monitor of a switch: of several, by several endpoints, the one with the lock."""
        found: list[InterfaceMonitor] = []
        for each in self.monitored:
            if isinstance(each, OvsdbListenerFactory):
                found += filter(None, [each.monitors.get(switch)])
            elif each.monitor.switch == switch:
                found.append(each.monitor)
        return max(found, key=_holds, default=None)


def _holds(monitor: InterfaceMonitor) -> bool:
    lock = monitor._lock
    return lock is not None and lock.standing in (Standing.GRANTED, Standing.SPEAKING)


def _reactor() -> Any:
    from twisted.internet import reactor

    return reactor
