# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether the server is still there. Nothing comes on a connection whose other end
is gone or has stopped, nor on one where nothing happens. So there is a limit:
to a time without progress while the snapshot is awaited, and later to the time
until an echo is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import OvsdbError, PeerSilent

SNAPSHOT_TIMEOUT: Final = 60.0
"""
Seconds without a byte while the snapshot is awaited. A server that makes the
reply for 100,000 interfaces sends nothing to any client for 3 to 9 s.
"""

PROBE_INTERVAL: Final = 5.0
"""
Seconds without a byte until an echo is sent, and as many until the connection
is aborted: the values that ovsdb-server has for its clients.
"""

PAUSED_ECHO: Final = 4.0
"""
Seconds between two echoes that we send while a large snapshot is read and the
connection is paused. A server asks a client that was silent for 5 s, and drops
it after another 5 s of silence.
"""


class Watchdog:
    """
    Aborts a connection on which nothing comes any more. The timer is not moved
    at every byte: when it expires, it is set again if a byte has come meanwhile.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        clock: IReactorTime,
        now: Callable[[], float],
        snapshotTimeout: float,
        probeInterval: float,
    ) -> None:
        """
        @param now: tells the time, in seconds that never jump.
        @param snapshotTimeout: seconds without a byte; 0: no limit.
        @param probeInterval: seconds before and after an echo; 0: no echo.
        """
        self._protocol = protocol
        self._clock = clock
        self._now = now
        self._probeInterval = probeInterval
        self._limit = snapshotTimeout
        self._probing = False  # whether silence is answered with an echo
        self._heard = now()
        self._asked: float | None = None  # when an echo was sent
        self._timer: IDelayedCall | None = None
        protocol.onReceived = self._received
        protocol.whenLost().addCallback(self._stop)
        self._wait()

    def synchronized(self) -> None:
        """The snapshot is complete: from now on, answer silence with an echo."""
        if self._protocol.lost is None:
            self._limit = self._probeInterval
            self._probing = True
            self._wait()

    def _received(self) -> None:
        self._heard = self._now()
        # Any byte shows that the server is there, not only the answer.
        self._asked = None

    def _wait(self) -> None:
        """Set the timer to the time when the server has been silent for too long."""
        self._cancel()
        left = self._due() - self._now() if self._limit else PAUSED_ECHO
        if not self._probing:
            left = min(left, PAUSED_ECHO)
        if self._limit or not self._probing:
            self._timer = self._clock.callLater(max(left, 0), self._expired)

    def _due(self) -> float:
        return (self._heard if self._asked is None else self._asked) + self._limit

    def _expired(self) -> None:
        # This process may have been suspended, and bytes may wait to be read:
        # the reactor reads them before the next turn.
        self._timer = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._timer = None
        if self._protocol.paused:
            # The silence is ours, because we do not read. But the server must
            # hear something of us.
            self._received()
            self._echo()
        # Compared as it was computed: a difference may be rounded the other way.
        if not self._limit or self._now() < self._due():
            self._wait()
        elif not self._probing:
            self._abort("no progress of the initial reply")
        elif self._asked is not None:
            self._abort("no answer to an echo")
        else:
            self._asked = self._now()
            self._echo()
            self._wait()

    def _echo(self) -> None:
        self._protocol.call("echo", []).addErrback(lambda failure: failure.trap(OvsdbError))

    def _abort(self, what: str) -> None:
        self._protocol.abort(PeerSilent(f"{what} for {self._limit:g} s"))

    def _stop(self, reason: object) -> None:
        self._protocol.onReceived = None
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
