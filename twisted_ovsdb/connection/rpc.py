# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A JSON-RPC session of RFC 7047, section 4: it sends requests, and receives
replies and notifications. Of its own accord it sends only answers to echo. What
notifications mean is left to the subclass.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import handled
from twisted_ovsdb.connection.inturn import COST, InTurn
from twisted_ovsdb.connection.keepalive import noticeDeadPeer
from twisted_ovsdb.connection.outgoing import MAX_UNSENT_REQUESTS, Outgoing
from twisted_ovsdb.connection.sparing import Sparing
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import (
    OvsdbError,
    ProtocolViolation,
    RequestNotSent,
    SessionLost,
    asReason,
    describe,
    printable,
)
from twisted_ovsdb.parameters import checkCallables, checkPositive, checkTexts
from twisted_ovsdb.wire import jsonrpc
from twisted_ovsdb.wire.jsonstream import JSONStream
from twisted_ovsdb.wire.rowreader import RowReader, arrivingReply
from twisted_ovsdb.wire.tableupdates import decodeMessage, parsed

TRANSACT: Final = "transact"
"""The one request that can be cancelled (RFC 7047, section 4.1.4)."""

_FIRST_MEMBER: Final = re.compile(
    rb'\{\s{,9}"(?:id"\s{,9}:\s{,9}([^\s,}]{1,20}(?=[\s,}])|[^\s,}]{21})|method"|params")'
)
"""
The beginning of a message that says whether it may be a reply: the whole id, or a
member that replies do not have. Few bytes are looked at, because the peer may have
sent many of any kind.
"""


class JSONRPCProtocol(Protocol):
    """
    A JSON-RPC session.

    @ivar lost: the exception that ended the session; None while it is up.
    @ivar paused: whether nothing is read: because of L{pauseProducing}, because the
        peer does not read our answers, or because others are read first.
    @ivar onReceived: called whenever bytes have come, if it is not None.
    @ivar onStalled: called when the peer has left too many of our answers unread,
        and nothing more is read from it; if it is not None.
    @ivar inTurn: shared with other connections, which read in turns; None: this one
        reads whatever comes.
    @ivar heard: when bytes have come last, in the seconds of whatever watches the
        connection; None if nothing does.
    @ivar received: how many bytes have come.
    @ivar messages: how many messages have come.
    @ivar replies: how many of them were replies to our requests.
    """

    _log = Logger()

    def __init__(self, maxLength: int, onConnected: Callable[[Any], object] | None) -> None:
        """See L{OvsdbProtocol <twisted_ovsdb.OvsdbProtocol>}."""
        checkPositive(maxLength=maxLength)
        if onConnected is not None:
            checkCallables(onConnected=onConnected)
        self.lost: BaseException | None = None
        self.onReceived: Callable[[], object] | None = None
        self.onStalled: Callable[[], object] | None = None
        self.inTurn: InTurn | None = None
        self.paused = False
        self.received = self.messages = self.replies = 0
        self.heard: float | None = None
        self._held = False  # by pauseProducing
        self._queued = False  # until it is the turn of this connection
        self._odd = Sparing()  # what means nothing
        self._outgoing = Outgoing(self._stalled, self._resume)
        self._stream = JSONStream(maxLength, decodeMessage)
        self._stream.readArrived = self._readArrived
        self._onConnected = onConnected
        # How many bytes may still come, and the limit, while there is one.
        self._unidentified: tuple[int, int] | None = None
        self._lastId = 0
        self._calls: dict[int, tuple[Deferred[Any], RowReader | None]] = {}  # by id
        self._loss: Waiters[BaseException] = Waiters()
        self._closed = False
        self._closing: Waiters[None] = Waiters()

    @property
    def maxLength(self) -> int:
        """How many bytes one message of the server may have."""
        return self._stream.maxLength

    # What users call

    def call(self, method: str, params: Sequence[object]) -> Deferred[Any]:
        """
        Send a request.

        @return: the result. L{RpcError <twisted_ovsdb.RpcError>} if the
            server refuses, L{ProtocolViolation} if it breaks the protocol
            before this is answered, L{SessionLost} if the session ends
            otherwise, L{RequestNotSent <twisted_ovsdb.RequestNotSent>} if the
            server does not read and too much waits to be sent. When it is
            cancelled, the reply is ignored; a C{transact} is cancelled at the
            server too (RFC 7047, section 4.1.4).
        @raise TypeError: if the parameters are no list, or not JSON.
        """
        _checkParams(method, params)
        return self._call(method, params)

    def notify(self, method: str, params: Sequence[object]) -> None:
        """
        Send a notification, which the server does not answer.

        @raise TypeError: as L{call}.
        @raise RequestNotSent: if the server does not read and too much waits to
            be sent.
        """
        _checkParams(method, params)
        if self.lost is None:
            data = jsonrpc.encodeNotification(method, params)
            if not self._outgoing.hasRoom(data):
                raise _notSent(method)
            self._outgoing.request(data)

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

    def limitUntilIdentified(self, limit: int | None) -> None:
        """
        Abort the connection when it sends more bytes than these, whatever they are,
        before L{None} lifts the limit: it is not known yet whose connection it is.
        """
        self._unidentified = None if limit is None else (limit, limit)

    def pauseProducing(self) -> None:
        """
        Read no further message until L{resumeProducing}, not even one that
        has arrived.
        """
        if self.lost is None:
            self._held = True
            self._pause()

    def resumeProducing(self) -> None:
        """
        Go on reading where L{pauseProducing} has stopped; while the peer does not
        read our answers, later.
        """
        if self._held:
            self._held = False
            self._resume()

    @property
    def stalled(self) -> bool:
        """Whether nothing is read because the peer does not read our answers."""
        return self._outgoing.stalled

    @property
    def replyArriving(self) -> bool:
        """
        Whether the last byte that has come belongs to an incomplete message that may
        be the reply to one of our requests.
        """
        message = self._stream.arrived
        first = _FIRST_MEMBER.match(message)
        if first is None:
            return bool(message)
        messageId = first.group(1)
        return messageId is not None and any(messageId == b"%d" % sent for sent in self._calls)

    # What Twisted calls

    def connectionMade(self) -> None:
        """See L{Protocol}."""
        transport = self._transport()
        noticeDeadPeer(transport)
        self._outgoing.open(transport)
        if self._onConnected is not None:
            self._onConnected(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Read the messages that are complete. A fault of the peer and a bug of
        ours end the session: a replica must not miss part of an update.
        """
        if self.lost is not None:
            return
        self.received += len(data)
        if self.onReceived is not None:
            self.onReceived()
        if self._unidentified is not None:
            left, limit = self._unidentified
            if len(data) > left:
                self.abort(ProtocolViolation(f"more than {limit} bytes before it was identified"))
                return
            self._unidentified = left - len(data), limit
        if data and self.inTurn is not None and not self.paused:
            self._waitForTurn(self.inTurn, len(data) + COST)
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
            self._log.failure("while a message was read", handled())
            self.abort(e)

    def _read(self, values: Iterator[dict[str, Any]]) -> None:
        for value in values:
            self.messages += 1
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
                unknown = "unknown request {method}"
                self._odd.say(self._log, LogLevel.debug, unknown, method=printable(message.method))
                answer = jsonrpc.encodeError(message.id, "unknown method")
            self._outgoing.answer(answer)
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
            self._odd.say(
                self._log, LogLevel.debug, "reply to no request: {id}", id=describe(message.id)
            )
            return
        # Only now: if the result is wrong, this request fails with all others.
        del self._calls[message.id]
        self.replies += 1
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
        if not self._outgoing.hasRoom(data):
            return fail(_notSent(method))
        result: Deferred[Any] = Deferred(lambda _: self._cancel(messageId, method))
        self._calls[messageId] = (result, reader)
        self._outgoing.request(data)
        return result

    def _cancel(self, messageId: int, method: str) -> None:
        if self._calls.pop(messageId, None) is not None and method == TRANSACT:
            # Never refused: there are no more of these than requests.
            self._outgoing.request(jsonrpc.encodeNotification("cancel", [messageId]))

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._transport().pauseProducing()

    def _resume(self) -> None:
        """Go on reading, unless there is another reason not to."""
        if self.paused and not (self._held or self._queued or self._outgoing.stalled):
            self.paused = False
            if self.lost is None:
                self._transport().resumeProducing()
                self.dataReceived(b"")

    def _waitForTurn(self, inTurn: InTurn, cost: int) -> None:
        if not inTurn.take(self, cost):
            self._queued = True
            self._pause()
            inTurn.wait(cost, self._turnCame)

    def _turnCame(self) -> None:
        self._queued = False
        self._resume()

    def _stalled(self) -> None:
        self._pause()
        if self.onStalled is not None:
            self.onStalled()

    def _transport(self) -> Any:
        assert self.transport is not None, "there is no connection yet"
        return self.transport

    def _end(self, reason: BaseException) -> None:
        self.lost = reason = asReason(reason)
        self._outgoing.close()
        self._odd.sayCount(self._log)
        self._stream.close()
        # It refers to what made this protocol: without the cycle, this is freed at once.
        self._onConnected = None
        calls, self._calls = self._calls, {}
        self._loss.callback(reason)
        # What is wrong may be the reply to any of them: whether a reply can be told
        # from other rubbish depends on how it is written. Each gets an exception of its
        # own: who raises it leaves frames in it.
        broken = isinstance(reason, ProtocolViolation)
        for waiting, _ in calls.values():
            waiting.errback(Failure(copy.copy(reason) if broken else SessionLost(reason)))


def _notSent(method: str) -> RequestNotSent:
    return RequestNotSent(
        f"{method}: not sent, because the server does not read, and requests of"
        f" {MAX_UNSENT_REQUESTS >> 20} MiB wait to be sent"
    )


def _checkParams(method: str, params: Sequence[object]) -> None:
    """A text is a sequence too, and its characters would be sent one by one."""
    checkTexts(method=method)
    if isinstance(params, (str, bytes)) or not isinstance(params, Sequence):
        raise TypeError(f"{method}: params must be a list, not {describe(params)}")
