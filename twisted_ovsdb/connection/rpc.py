# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A JSON-RPC session of RFC 7047, section 4: it sends requests, and receives
replies and notifications. Of its own accord it sends only answers to echo. What
notifications mean is left to the subclass.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import OvsdbError, SessionLost, describe, printable
from twisted_ovsdb.parameters import checkCallables, checkPositive, checkTexts
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.rowreader import RowReader, arrivingReply
from twisted_ovsdb.wire.tableupdates import decodeMessage, parsed

TRANSACT: Final = "transact"
"""The one request that can be cancelled (RFC 7047, section 4.1.4)."""

KERNEL_TIMEOUTS: Final = {
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 30_000,
}
"""
In the units of tcp(7): seconds, seconds, a count and milliseconds. By default
the kernel keeps a connection to a host that is gone for hours.
"""


class JSONRPCProtocol(Protocol):
    """
    A JSON-RPC session.

    @ivar lost: the exception that ended the session; None while it is up.
    @ivar paused: whether nothing is read, because of L{pauseProducing}.
    @ivar onReceived: called whenever bytes have come, if it is not None.
    """

    _log = Logger()

    def __init__(self, maxLength: int, onConnected: Callable[[Any], object] | None) -> None:
        """See L{OvsdbProtocol <twisted_ovsdb.OvsdbProtocol>}."""
        checkPositive(maxLength=maxLength)
        if onConnected is not None:
            checkCallables(onConnected=onConnected)
        self.lost: BaseException | None = None
        self.onReceived: Callable[[], object] | None = None
        self.paused = False
        self._stream = JSONStream(maxLength, decodeMessage)
        self._stream.readArrived = self._readArrived
        self._onConnected = onConnected
        self._lastId = 0
        self._calls: dict[int, tuple[Deferred[Any], RowReader | None]] = {}  # by id
        self._loss: Waiters[BaseException] = Waiters()
        self._closed = False
        self._closing: Waiters[None] = Waiters()

    # What users call

    def call(self, method: str, params: Sequence[object]) -> Deferred[Any]:
        """
        Send a request.

        @return: the result. L{RpcError <twisted_ovsdb.RpcError>} if the
            server refuses, L{SessionLost} if the session ends before the
            server answers. When it is cancelled, the reply is ignored; a
            C{transact} is cancelled at the server too (RFC 7047, section
            4.1.4).
        @raise TypeError: if the parameters are no list, or not JSON.
        """
        _checkParams(method, params)
        return self._call(method, params)

    def notify(self, method: str, params: Sequence[object]) -> None:
        """
        Send a notification, which the server does not answer.

        @raise TypeError: as L{call}.
        """
        _checkParams(method, params)
        if self.lost is None:
            self._transport().write(jsonrpc.encodeNotification(method, params))

    def whenLost(self) -> Deferred[BaseException]:
        """@return: the exception that ended the session, as soon as it has ended."""
        return self._loss.wait() if self.lost is None else succeed(self.lost)

    def whenClosed(self) -> Deferred[None]:
        """
        @return: fires when the transport is closed, which is later than the
            end of the session if L{abort} or L{close} ended it.
        """
        return succeed(None) if self._closed else self._closing.wait()

    def abort(self, reason: BaseException) -> None:
        """
        End the session for this reason, and cut the connection. Every request
        fails, and what arrives later is ignored.
        """
        if self.lost is None:
            self._end(reason)
            # loseConnection may wait for the peer without an end.
            self._transport().abortConnection()

    def close(self, reason: BaseException) -> None:
        """
        End the session for this reason, as L{abort} does. But the connection
        closes only when the peer has taken what was written. A peer that reads
        nothing keeps it open: callers should set a limit to L{whenClosed}.
        """
        if self.lost is None:
            self._end(reason)
            self._transport().loseConnection()

    def pauseProducing(self) -> None:
        """
        Read no further message until L{resumeProducing}, not even one that
        has arrived.
        """
        if not self.paused and self.lost is None:
            self.paused = True
            self._transport().pauseProducing()

    def resumeProducing(self) -> None:
        """Go on reading where L{pauseProducing} has stopped."""
        if self.paused:
            self.paused = False
            if self.lost is None:
                self._transport().resumeProducing()
                self.dataReceived(b"")

    # What Twisted calls

    def connectionMade(self) -> None:
        """See L{Protocol}."""
        noticeDeadPeer(self._transport())
        if self._onConnected is not None:
            self._onConnected(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Read the messages that are complete. A fault of the peer and a bug of
        ours end the session: a replica must not miss part of an update.
        """
        if self.lost is not None:
            return
        if self.onReceived is not None:
            self.onReceived()
        if self.paused:
            # With TLS a little may still come.
            self._stream.feed(data)
            return
        try:
            self._read(self._stream.feed(data))
        except OvsdbError as e:
            self.abort(e)
        # failuresHandled would cost time for each update. Twisted ends a connection
        # for SystemExit too, but not where reading goes on after a pause.
        except BaseException as e:
            self._log.failure("while a message was read")
            self.abort(e)

    def _read(self, values: Iterator[dict[str, Any]]) -> None:
        for value in values:
            self._messageReceived(jsonrpc.parseMessage(value))
            if self.lost is not None or self.paused:
                break

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """See L{Protocol}."""
        if self.lost is None:
            assert reason.value is not None
            self._end(reason.value)
        self._closed = True
        self._closing.callback(None)

    # What the server sends

    def _messageReceived(self, message: jsonrpc.Message) -> None:
        if isinstance(message, jsonrpc.Notification):
            self._notificationReceived(message)
        elif isinstance(message, jsonrpc.Request):
            if message.method == "echo":
                answer = jsonrpc.encodeReply(message.id, message.params)
            else:
                self._log.debug("unknown request {method}", method=printable(message.method))
                answer = jsonrpc.encodeError(message.id, "unknown method")
            self._transport().write(answer)
        else:
            self._replied(message)

    def _notificationReceived(self, message: jsonrpc.Notification) -> None:
        """For the subclass to override."""

    def _readArrived(self, message: bytearray) -> int:
        """Read the rows of a reply that has come in part, as L{RowReader.readArrived}."""
        arriving = arrivingReply(message)
        if arriving is None:
            return 0
        messageId, start = arriving
        _, reader = self._calls.get(messageId, (None, None))
        return 0 if reader is None else reader.readArrived(message, start)

    def _replied(self, message: jsonrpc.Reply | jsonrpc.ErrorReply) -> None:
        # We send int ids. True is equal to 1, but is no id of ours.
        known = type(message.id) is int and message.id in self._calls
        waiting, reader = self._calls[message.id] if known else (None, None)
        result = message.result if isinstance(message, jsonrpc.Reply) else Failure(message.error)
        if reader is None:
            result = parsed(result)
        if waiting is None:
            self._log.debug("reply to no request: {id}", id=describe(message.id))
            return
        # Only now: if the result is wrong, this request fails with all others.
        del self._calls[message.id]
        waiting.callback(result)

    # What a subclass uses

    def _call(
        self, method: str, params: Sequence[object], reader: RowReader | None = None
    ) -> Deferred[Any]:
        """
        Send a request, as L{call} does.

        @param reader: reads the rows of the reply that arrive before its end.
            The result is then the rest of the reply, for C{readRest} of the
            reader. Until that is done, nothing more may be read from the
            connection: use L{pauseProducing}.
        """
        if self.lost is not None:
            return fail(SessionLost(self.lost))
        if self.transport is None:
            raise RuntimeError(f"{method}: there is no connection yet")
        messageId = self._lastId = self._lastId + 1
        data = jsonrpc.encodeRequest(messageId, method, params)
        result: Deferred[Any] = Deferred(lambda _: self._cancel(messageId, method))
        self._calls[messageId] = (result, reader)
        self._transport().write(data)
        return result

    def _cancel(self, messageId: int, method: str) -> None:
        if self._calls.pop(messageId, None) is not None and method == TRANSACT:
            self.notify("cancel", [messageId])

    def _transport(self) -> Any:
        assert self.transport is not None, "there is no connection yet"
        return self.transport

    def _end(self, reason: BaseException) -> None:
        self.lost = reason
        # Both refer to this protocol: without the cycles it is freed at once.
        self._stream.readArrived = self._onConnected = None
        calls, self._calls = self._calls, {}
        self._loss.callback(reason)
        for waiting, _ in calls.values():
            waiting.errback(Failure(SessionLost(reason)))


def noticeDeadPeer(connection: object) -> None:
    """
    Make the kernel notice when the other host of a TCP connection is gone, also
    where no watchdog does. Other transports are left as they are.
    """
    # A TLS transport says that it is a TCP transport, but its handle is OpenSSL's.
    while isinstance(connection, ProtocolWrapper):
        connection = connection.transport
    # The transport of a unix socket says so too.
    if not ITCPTransport.providedBy(connection) or not isinstance(
        connection.getPeer(), (IPv4Address, IPv6Address)
    ):
        return
    transport: Any = connection
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    for name, value in KERNEL_TIMEOUTS.items():
        # Not every system has all of them.
        if hasattr(socket, name):
            transport.getHandle().setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _checkParams(method: str, params: Sequence[object]) -> None:
    """A text is a sequence too, and its characters would be sent one by one."""
    checkTexts(method=method)
    if isinstance(params, (str, bytes)) or not isinstance(params, Sequence):
        raise TypeError(f"{method}: params must be a list, not {describe(params)}")
