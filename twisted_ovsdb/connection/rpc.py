# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A JSON-RPC session of RFC 7047, section 4: requests out, replies and
notifications in.

It sends nothing of its own accord but answers to echo, keeps nothing when the
connection goes, and leaves to its subclass what the notifications mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_ovsdb.connection.keepalive import noticeDeadPeer
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import OvsdbError, SessionLost, describe, printable
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import DEFAULT_MAX_LENGTH, JSONStream
from twisted_ovsdb.wire.rowreader import RowReader, arrivingReply
from twisted_ovsdb.wire.tableupdates import TableUpdates, decodeMessage

TRANSACT: Final = "transact"
"""The one request that can be cancelled (RFC 7047, section 4.1.4)."""


@attrs.define(eq=False)
class _Call:
    """
    A request without its reply.

    @ivar reader: reads the rows in the reply, if there are any.
    """

    method: str
    result: Deferred[Any]
    reader: RowReader | None


class JSONRPCProtocol(Protocol):
    """
    A JSON-RPC session.

    @ivar lost: why the session is over, None while it is up.
    @ivar paused: whether L{pauseProducing} was called.
    @ivar onReceived: called whenever bytes have come, if it is not None.
    """

    _log = Logger()

    def __init__(
        self,
        maxLength: int = DEFAULT_MAX_LENGTH,
        onConnected: Callable[[Any], object] | None = None,
    ) -> None:
        """
        @param maxLength: how many bytes one message of the server may have.
        @param onConnected: called with this protocol when the connection is
            made.
        """
        self.lost: BaseException | None = None
        self.onReceived: Callable[[], object] | None = None
        self.paused = False
        self._stream = JSONStream(maxLength, decodeMessage)
        self._stream.readArrived = self._readArrived
        self._onConnected = onConnected
        self._lastId = 0
        self._calls: dict[int, _Call] = {}
        self._loss: Waiters[BaseException] = Waiters()

    # What users call

    def call(self, method: str, params: Sequence[object]) -> Deferred[Any]:
        """
        Send a request.

        @return: the result. L{RpcError} if the server refuses,
            L{SessionLost} if the connection goes before it answers. When
            cancelled, the reply is ignored, and the server told to cancel it
            if it is C{transact} (RFC 7047, section 4.1.4).
        @raise TypeError: if the parameters are not JSON.
        """
        return self._call(method, params)

    def notify(self, method: str, params: Sequence[object]) -> None:
        """
        Send a notification, which the server does not answer.
        """
        if self.lost is None:
            self._write(jsonrpc.encodeNotification(method, params))

    def whenLost(self) -> Deferred[BaseException]:
        """
        @return: the exception that ended the connection, once it has ended;
            at once if it has already.
        """
        return self._loss.wait() if self.lost is None else succeed(self.lost)

    def abort(self, reason: BaseException) -> None:
        """
        End the session at once, for this reason: nothing that arrives or has
        arrived counts from here on, and every request fails.
        """
        if self.lost is None:
            self._end(reason)
            # Not loseConnection, which may wait for the peer for ever.
            self._transport().abortConnection()

    def close(self, reason: BaseException) -> None:
        """
        End the session for this reason, as L{abort} does, but say goodbye:
        the connection closes when the peer has taken what was written.
        """
        if self.lost is None:
            self._end(reason)
            self._transport().loseConnection()

    def pauseProducing(self) -> None:
        """
        Read no further message, not even of the chunk at hand, until
        L{resumeProducing}.
        """
        if not self.paused and self.lost is None:
            self.paused = True
            self._transport().pauseProducing()

    def resumeProducing(self) -> None:
        """
        Go on reading where L{pauseProducing} has stopped.
        """
        if self.paused:
            self.paused = False
            if self.lost is None:
                self._transport().resumeProducing()
                self.dataReceived(b"")

    # What Twisted calls

    def connectionMade(self) -> None:
        """
        The connection is there.
        """
        noticeDeadPeer(self._transport())
        if self._onConnected is not None:
            self._onConnected(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Read what is complete. A fault of the peer, or an error of ours, ends
        the session: half understood updates are worse than none.
        """
        if self.lost is not None:
            return
        if self.onReceived is not None:
            self.onReceived()
        if self.paused:
            # On TLS a little may still come.
            self._stream.feed(data)
            return
        try:
            self._read(self._stream.feed(data))
        except OvsdbError as e:
            self.abort(e)
        # Not failuresHandled, whose cost one update would feel.
        except Exception as e:
            self._log.failure("while a message was read")
            self.abort(e)

    def _read(self, values: Iterator[dict[str, Any]]) -> None:
        for value in values:
            self._messageReceived(jsonrpc.parseMessage(value))
            if self.lost is not None or self.paused:
                break

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection is gone.
        """
        if self.lost is None:
            assert reason.value is not None
            self._end(reason.value)

    # What the server says

    def _messageReceived(self, message: jsonrpc.Message) -> None:
        if isinstance(message, jsonrpc.Notification):
            self._notificationReceived(message)
        elif isinstance(message, jsonrpc.Request):
            if message.method == "echo":
                self._write(jsonrpc.encodeReply(message.id, message.params))
            else:
                self._log.debug("unknown request {method}", method=printable(message.method))
                self._write(jsonrpc.encodeError(message.id, "unknown method"))
        else:
            self._replied(message)

    def _notificationReceived(self, message: jsonrpc.Notification) -> None:
        """
        A notification has come; a subclass knows what it means.
        """
        self._log.debug("unknown notification {method}", method=printable(message.method))

    def _readArrived(self, message: bytearray) -> int:
        """
        Have the rows of a reply read that has not come whole yet.
        """
        arriving = arrivingReply(message)
        call = self._calls.get(arriving[0]) if arriving is not None else None
        if arriving is None or call is None or call.reader is None:
            return 0
        return call.reader.readArrived(message, arriving[1])

    def _replied(self, message: jsonrpc.Reply | jsonrpc.ErrorReply) -> None:
        # A type other than ours would at most be equal, as True is to 1.
        call = self._calls.get(message.id) if type(message.id) is int else None
        if call is None:
            self._log.debug("reply to no request: {id}", id=describe(message.id))
            return
        result = message.result if isinstance(message, jsonrpc.Reply) else Failure(message.error)
        if isinstance(result, TableUpdates) and call.reader is None:
            result = result.whole()
        # Not earlier: if the result is wrong, the request fails with the rest.
        del self._calls[message.id]
        call.result.callback(result)

    # What a subclass uses

    def _call(
        self, method: str, params: Sequence[object], reader: RowReader | None = None
    ) -> Deferred[Any]:
        """
        Send a request whose reply has rows.

        @param reader: gets the rows that arrive before the end of the reply;
            the result is what is left, to be given to its C{readRest}. Nothing
            more may be read from the connection before that is done:
            L{pauseProducing} until then.
        @return: as L{call}.
        """
        if self.lost is not None:
            return fail(SessionLost(self.lost))
        messageId = self._lastId = self._lastId + 1
        data = jsonrpc.encodeRequest(messageId, method, params)
        result: Deferred[Any] = Deferred(lambda _: self._cancel(messageId))
        self._calls[messageId] = _Call(method, result, reader)
        self._write(data)
        return result

    def _cancel(self, messageId: int) -> None:
        call = self._calls.pop(messageId, None)
        if call is not None and call.method == TRANSACT:
            self.notify("cancel", [messageId])

    def _write(self, data: bytes) -> None:
        self._transport().write(data)

    def _transport(self) -> Any:
        assert self.transport is not None, "there is no connection yet"
        return self.transport

    def _end(self, reason: BaseException) -> None:
        self.lost = reason
        self._stream.readArrived = None  # a cycle, which would wait for the collector
        calls, self._calls = self._calls, {}
        self._loss.callback(reason)
        for call in calls.values():
            call.result.errback(Failure(SessionLost(reason)))
