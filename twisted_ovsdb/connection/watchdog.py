# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether the server is still there.

A connection whose other end has gone without a word, or has stopped, looks
the same as one with nothing to say. Every state has a way out of that: while
the snapshot is awaited, a time without progress; in steady state, an echo
that has to be answered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import OvsdbError, PeerSilent

SNAPSHOT_TIMEOUT: Final = 60.0
"""
Seconds without a byte while the snapshot is awaited. A server that composes
the reply for 100,000 interfaces is silent for 3 to 9 s, for everyone.
"""

PROBE_INTERVAL: Final = 5.0
"""
Seconds without a byte until an echo is sent, and as many until its answer is
given up: the values that ovsdb-server has for its clients.
"""

PAUSED_ECHO: Final = 4.0
"""
Seconds between two signs of life of our own while a large snapshot is taken
in and nothing is read: a server drops a client from which it hears nothing
for 5 s, and does not answer an echo for 5 s more.
"""


class Watchdog:
    """
    Aborts a connection on which nothing comes any more.

    Timers are not moved at every byte: a timer that expires looks at when the
    last byte came, and goes on waiting if that was not long ago.
    """

    def __init__(
        self,
        protocol: OvsdbProtocol,
        clock: IReactorTime,
        now: Callable[[], float],
        snapshotTimeout: float = SNAPSHOT_TIMEOUT,
        probeInterval: float = PROBE_INTERVAL,
    ) -> None:
        """
        @param snapshotTimeout: seconds without progress, 0 for ever.
        @param probeInterval: seconds before and after an echo, 0 for none.
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
        """
        The snapshot is there: from now on probe.
        """
        if self._protocol.lost is None:
            self._limit = self._probeInterval
            self._probing = True
            self._wait()

    def _received(self) -> None:
        self._heard = self._now()
        # Any byte is a sign of life, not only the answer.
        self._asked = None

    def _wait(self) -> None:
        """
        Wait until nothing has come for as long as is allowed.
        """
        self._cancel()
        since = self._heard if self._asked is None else self._asked
        left = since + self._limit - self._now() if self._limit else PAUSED_ECHO
        if not self._probing:
            left = min(left, PAUSED_ECHO)
        if self._limit or not self._probing:
            self._timer = self._clock.callLater(max(left, 0), self._due)

    def _due(self) -> None:
        # This process may have slept, and what came meanwhile may wait to be
        # read: the reactor reads before it comes back.
        self._timer = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        self._timer = None
        if self._protocol.paused:
            # Nothing is heard because nothing is listened to; but the server
            # wants to hear something.
            self._received()
            self._echo()
        since = self._heard if self._asked is None else self._asked
        # As _wait computes it: a difference may round to the other side.
        if not self._limit or self._now() < since + self._limit:
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
