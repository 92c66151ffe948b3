# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Whether the server is still there, and does what it is there for. Nothing comes on a
connection whose other end is gone or has stopped, nor on one where nothing happens.
And a server that is broken may send bytes for ever. So each state has two limits: to a
time without progress, and to the whole time.

While the snapshot is awaited, only bytes of replies are progress. Later any byte is,
but messages must be complete within the whole time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import OvsdbError, PeerSilent

SNAPSHOT_TIMEOUT: Final = 60.0
"""
Seconds without a byte of a reply while the snapshot is awaited. A server that makes the
reply for 100,000 interfaces sends nothing to any client for 3 to 9 s.
"""

PROBE_INTERVAL: Final = 5.0
"""
Seconds without a byte until an echo is sent, and as many until the connection
is aborted: the values that ovsdb-server has for its clients.
"""

IN_ALL: Final = 10
"""
How many times the time without progress the whole time is: 600 s until the snapshot is
complete, and 100 s until a later message is. In 600 s, a link of 256 kbit/s brings the
snapshot of 60,000 interfaces, and in 100 s an update of 5,000. A broken message hides the
updates behind it no longer than that.
"""

UNREAD_TIMEOUT: Final = 30.0
"""
Seconds in which the server has to read all our answers, if they are so many that we do not
read meanwhile. As KERNEL_TIMEOUTS has it for a host that acknowledges nothing.
"""

PAUSED_ECHO: Final = 4.0
"""
Seconds between two echoes that we send while a large snapshot is read and the
connection is paused. A server asks a client that was silent for 5 s, and drops
it after another 5 s of silence.
"""


class Watchdog:
    """
    Aborts a connection on which nothing comes any more, or nothing that counts. The
    timer is not moved at every byte: when it expires, it is set again if there was
    progress meanwhile.
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
        @param snapshotTimeout: seconds without a byte of a reply, and a tenth of the
            seconds until the session is in sync; 0: no limits.
        @param probeInterval: seconds before and after an echo; 0: no echo, and no
            limits.
        """
        self._protocol = protocol
        self._clock = clock
        self._now = now
        self._probeInterval = probeInterval
        self._limit = snapshotTimeout
        self._probing = False  # whether silence is answered with an echo
        self._heard = now()  # when the last bytes came
        self._count = 0  # of the messages that were progress
        self._counted = self._begun = now()  # when the last one came, and this state began
        self._asked: float | None = None  # when an echo was sent, and no byte since
        self._probed = False  # whether one was sent, and no message since
        self._timer: IDelayedCall | None = None
        self._expires = now()  # when it should expire
        self._unread: IDelayedCall | None = None
        protocol.onReceived = self._received
        protocol.onStalled = self._stalled
        protocol.whenLost().addCallback(self._stop)
        self._wait()

    def synchronized(self) -> None:
        """The snapshot is complete: from now on, answer silence with an echo."""
        self._limit = self._probeInterval
        self._probing = True
        self._count, self._counted = self._protocol.messages, self._now()
        self._wait()

    def _received(self) -> None:
        self._note()
        self._heard = self._protocol.heard = self._now()
        # Any byte shows that the server is there, not only the answer.
        self._asked = None

    def _note(self) -> None:
        """Note whether the bytes that were the last ones have ended a message that counts."""
        protocol = self._protocol
        count = protocol.messages if self._probing else protocol.replies
        if count != self._count:
            self._count, self._counted, self._probed = count, self._heard, False

    def _wait(self) -> None:
        """Set the timer to the next time when something is to be done."""
        self._cancel()
        left = self._due() - self._now() if self._limit else PAUSED_ECHO
        if not self._probing:
            left = min(left, PAUSED_ECHO)
        if self._limit or not self._probing:
            left = max(left, 0)
            self._expires = self._now() + left
            self._timer = self._clock.callLater(left, self._expired)

    # Sums are compared as they are computed: a difference may be rounded the other way.

    def _due(self) -> float:
        due = min(self._silentAt(), self._overAt())
        return due if self._probed or not self._probing else min(due, self._counted + self._limit)

    def _silentAt(self) -> float:
        """When there was no progress for too long."""
        if self._probing:
            return (self._heard if self._asked is None else self._asked) + self._limit
        progress = self._heard if self._protocol.replyArriving else self._counted
        return progress + self._limit

    def _overAt(self) -> float:
        """When the whole time is over."""
        if self._probing:
            return self._counted + 2 * self._limit * IN_ALL
        return self._begun + self._limit * IN_ALL

    def _expired(self) -> None:
        # This process may have been suspended: that time is not the server's. And bytes may
        # wait to be read: the reactor reads them before the next turn.
        late = max(self._now() - self._expires, 0)
        self._counted += late
        self._begun += late
        self._timer = self._clock.callLater(0, self._judge)

    def _judge(self) -> None:
        protocol = self._protocol
        self._note()
        if protocol.paused:
            # The silence is ours, because we do not read. But the server must
            # hear something of us, if it reads.
            self._heard = self._counted = self._now()
            self._asked = None
            if not protocol.stalled:
                self._echo()
        now = self._now()
        if not self._limit or now < self._due():
            self._wait()
        elif not self._probing:
            self._judgeOpening(now)
        elif now >= self._overAt():
            self._abort(f"no message was complete for {2 * self._limit * IN_ALL:g} s")
        elif now >= self._silentAt() and self._asked is not None:
            self._abort(f"no answer to an echo for {self._limit:g} s")
        else:
            # Also if bytes come: the answer will be a complete message.
            self._asked, self._probed = now, True
            self._echo()
            self._wait()

    def _judgeOpening(self, now: float) -> None:
        if now >= self._silentAt():
            self._abort(f"no progress of the initial reply for {self._limit:g} s")
        else:
            self._abort(f"no initial reply for {self._limit * IN_ALL:g} s")

    def _echo(self) -> None:
        self._protocol.call("echo", []).addErrback(lambda failure: failure.trap(OvsdbError))

    def _abort(self, what: str) -> None:
        self._protocol.abort(PeerSilent(what))

    def _stalled(self) -> None:
        _end(self._unread)
        self._unread = self._clock.callLater(UNREAD_TIMEOUT, self._unreadExpired)

    def _unreadExpired(self) -> None:
        # As in _expired: the reactor may have something to send before.
        self._unread = self._clock.callLater(0, self._judgeUnread)

    def _judgeUnread(self) -> None:
        if self._protocol.stalled:
            self._abort(f"our answers were not read for {UNREAD_TIMEOUT:g} s")

    def _stop(self, reason: object) -> None:
        self._protocol.onReceived = self._protocol.onStalled = None
        self._cancel()
        _end(self._unread)

    def _cancel(self) -> None:
        _end(self._timer)


def _end(timer: IDelayedCall | None) -> None:
    if timer is not None and timer.active():
        timer.cancel()
