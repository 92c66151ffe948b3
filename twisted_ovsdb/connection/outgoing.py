# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What was written to a connection and not taken by the peer. A peer that reads
nothing must not make us keep all that we write for it.

Answers are written because the peer asks, so the peer decides how many there are:
too many unsent ones stop our reading. Requests are written because the application
asks. They never stop our reading: a server that has much to send to us does not
read before we do, and both sides would wait for ever. Beyond a bound they are
refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from twisted.protocols.policies import ProtocolWrapper
from zope.interface import implementer

MAX_UNSENT_ANSWERS: Final = 64 * 1024
"""
Bytes of answers that may wait behind a full transport, until nothing more is read:
some 2,000 answers to an echo. ovsdb-server sends one echo, and waits for its answer.
"""

MAX_UNSENT_REQUESTS: Final = 16 * 1024 * 1024
"""
Bytes of requests that may wait behind a full transport. A larger request is sent if
it is the first that waits. The largest transactions of a controller have some MB.
"""

REQUEST_COST: Final = 1024
"""What a request counts in addition to its bytes: its Deferred and its callbacks are kept too."""


@implementer(IPushProducer)
class Outgoing:
    """
    Writes to one transport. The transport says when it is full (it has more than
    64 KiB to send), and when all is sent; what is written in between is counted.

    @ivar stalled: whether too many answers wait.
    """

    def __init__(self, onStalled: Callable[[], object], onSent: Callable[[], object]) -> None:
        """
        @param onStalled: called when too many answers wait.
        @param onSent: called when all of them are sent.
        """
        self.stalled = False
        self._onStalled: Callable[[], object] | None = onStalled
        self._onSent: Callable[[], object] | None = onSent
        self._transport: Any = None
        self._full = False
        self._answers = 0  # bytes, since the transport is full
        self._requests = 0

    def open(self, transport: Any) -> None:
        """Begin to write to a transport."""
        self._transport = transport
        innermost(transport).registerProducer(self, True)

    def close(self) -> None:
        """Count no more. What was written is still sent."""
        if self._transport is not None:
            innermost(self._transport).unregisterProducer()
        # They refer to the protocol: without the cycle it is freed at once.
        self._onStalled = self._onSent = None
        self.stalled = self._full = False

    def answer(self, data: bytes) -> None:
        """Write an answer."""
        self._transport.write(data)
        if self._full:
            self._answers += len(data)
            if self._answers > MAX_UNSENT_ANSWERS and not self.stalled:
                self._tell(self._onStalled, True)

    def hasRoom(self, data: bytes) -> bool:
        """Whether a request may be written."""
        return not self._full or self._requests + len(data) + REQUEST_COST <= MAX_UNSENT_REQUESTS

    def request(self, data: bytes) -> None:
        """Write a request, or a notification."""
        self._transport.write(data)
        if self._full:
            self._requests += len(data) + REQUEST_COST

    # What the transport calls

    def pauseProducing(self) -> None:
        """See L{IPushProducer}: the transport is full."""
        self._full = True

    def resumeProducing(self) -> None:
        """See L{IPushProducer}: all is sent."""
        self._full = False
        self._answers = self._requests = 0
        if self.stalled:
            self._tell(self._onSent, False)

    def stopProducing(self) -> None:
        """See L{IPushProducer}: the connection is lost."""

    def _tell(self, function: Callable[[], object] | None, stalled: bool) -> None:
        self.stalled = stalled
        assert function is not None, "closed"
        function()


def innermost(transport: Any) -> Any:
    """
    The transport of the socket. TLS is a wrapper around it: its handle is no socket, and
    its C{loseConnection} would wait until the producer is taken away.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    return transport
