# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Streams of NATS JetStream. Each connection is a client of its own: what was sent on one is
never sent again on another.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.publish.asyncloop import Loop, fire, loopOf
from twisted_ovsdb.publish.configuration import EVENTS_KEPT
from twisted_ovsdb.publish.natsconnection import NatsConnection
from twisted_ovsdb.publish.natsfaults import ApiError, reasonOf
from twisted_ovsdb.publish.streams import (
    BrokerUnavailable,
    Fenced,
    IStreams,
    Refused,
    Result,
    Stored,
    Stream,
    Write,
)
from twisted_ovsdb.publish.subjects import switchIn
from twisted_ovsdb.publish.trouble import Trouble

T = TypeVar("T")

AGAIN: Final = 1.0
"""Seconds between two attempts to connect, or to make the streams."""

NO_CONNECTION: Final = "there is no connection"


@implementer(IStreams)
class NatsStreams:
    """
    Two streams of a NATS server, or a cluster of them.

    @ivar trouble: what is wrong now.
    @ivar onAlive: is told each sign of life.
    @ivar onConnected: is called at each connection.
    """

    def __init__(
        self,
        servers: Sequence[str],
        options: Mapping[str, Any],
        reactor: Any,
        trouble: Trouble,
        instance: str = "",
    ) -> None:
        """
        @param servers: URLs, such as C{nats://127.0.0.1:4222}, without passwords.
        @param options: more for C{nats.connect}: credentials, and TLS.
        @param instance: the name of the connection.
        """
        self._servers = list(servers)
        self._options = dict(options)
        self._reactor = reactor
        self.trouble = trouble
        self._instance = instance
        self._loop: Loop | None = None
        self._connection: NatsConnection | None = None
        self._connecting = False
        self._closed = False
        self._timer: IDelayedCall | None = None
        self._available: Waiters[None] = Waiters()
        self.connection = 0
        self.eventsKept = EVENTS_KEPT
        self._looking = False
        self.onAlive: Callable[[str], object] = lambda sign: None
        self.onConnected: Callable[[], object] = lambda: None

    # The connection

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._closed = False
        if self._loop is None:
            self._loop = loopOf(self._reactor)
        self._connect()

    def available(self) -> Deferred[None]:
        """See L{IStreams.available}."""
        return succeed(None) if self._connection is not None else self._available.wait()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, and the streams are right."""
        return self._connection is not None

    def _connect(self) -> None:
        self._timer = None
        if self._connecting or self._closed or self._connection is not None:
            return
        assert self._loop is not None
        self._connecting = True
        self._loop.run(self._open(self._loop)).addCallbacks(self._opened, self._failed)

    async def _open(self, loop: Loop) -> NatsConnection:
        connection = NatsConnection(
            lambda closed: loop.callInReactor(self._lost, closed),
            lambda sign: loop.callInReactor(self.onAlive, sign),
        )
        await connection.open(self._servers, self._options, f"ovsdb-monitor {self._instance}")
        return connection

    def _failed(self, failure: Failure) -> None:
        self._connecting = False
        if self._closed:
            return
        self.trouble.begin("connection", reasonOf(failure.value))
        self._timer = self._reactor.callLater(AGAIN, self._connect)

    def _opened(self, connection: NatsConnection) -> None:
        self._connecting = False
        if self._closed or connection.closed:
            self._again()
            return
        self._connection, self.eventsKept = connection, connection.eventsKept
        self.connection += 1
        self.trouble.end("connection")
        self._available.callback(None)
        self.onConnected()

    def _lost(self, connection: NatsConnection) -> None:
        if self._connection is connection:
            self._connection = None
            self.connection += 1
            self._again()

    def _again(self) -> None:
        if not self._closed and self._timer is None and not self._connecting:
            self.trouble.begin("connection", "the connection was lost")
            self._timer = self._reactor.callLater(0.05, self._connect)

    def beat(self, sign: str) -> None:
        """
        Give a sign of life, and see whether a broker that did not answer does so again.
        """
        self.trouble.look()
        connection, loop = self._connection, self._loop
        if connection is None or loop is None:
            return
        if connection.closed:
            # The client waits for what it cannot send any more, and does not say so.
            loop.callInLoop(connection.abandon)
            self._lost(connection)
            return
        loop.run(connection.beat(sign)).addErrback(lambda _: None)
        if self.trouble.missing() is not None and not self._looking:
            self._looking = True
            looking = loop.run(connection.look())
            looking.addCallbacks(self._answers, self._unseen, errbackArgs=(loop, connection))
            looking.addBoth(self._looked)

    def _unseen(self, failure: Failure, loop: Loop, connection: NatsConnection) -> None:
        if failure.check(ApiError):
            # A stream was removed. The next connection makes it.
            loop.run(connection.close()).addErrback(lambda _: None)

    def _answers(self, result: object = None) -> None:
        if self.trouble.has("requests"):
            self.trouble.end("requests")

    def _looked(self, result: object) -> None:
        self._looking = False

    def close(self) -> Deferred[None]:
        """See L{IStreams.close}."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        loop, self._loop = self._loop, None
        if loop is None:
            return succeed(None)
        done: Deferred[Any] = succeed(None)
        if connection is not None:
            done = loop.run(connection.close())
        return done.addBoth(lambda _: loop.stop())

    # Requests

    def append(self, write: Write) -> Deferred[int]:
        """See L{IStreams.append}."""
        return self.appendAll([write]).addCallback(_onlyOf)

    def appendAll(self, writes: Sequence[Write]) -> Deferred[list[Result]]:
        """See L{IStreams.appendAll}."""
        connection, loop = self._connection, self._loop
        if connection is None or loop is None:
            return fail(BrokerUnavailable(NO_CONNECTION))
        # To cancel does not take it back: what was sent is sent.
        result: Deferred[list[Result]] = Deferred(lambda _: None)

        def stored(results: list[Result]) -> None:
            loop.callInReactor(self._noteResults, writes, results)
            loop.callInReactor(fire, result, results)

        loop.callInLoop(connection.append, writes, stored)
        return result

    def _noteResults(self, writes: Sequence[Write], results: Sequence[Result]) -> None:
        for write, result in zip(writes, results, strict=True):
            if isinstance(result, BrokerUnavailable):
                self._note(write.subject, result)
            else:
                self._answers()
                if isinstance(result, int):
                    self.trouble.take(switchIn(write.subject))

    def _note(self, subject: str, fault: BrokerUnavailable) -> None:
        if self._closed:
            return
        if isinstance(fault, Refused):
            self._answers()
            self.trouble.refuse(switchIn(subject), str(fault))
        else:
            self.trouble.begin("requests", str(fault))

    def _run(
        self, subject: str, work: Callable[[NatsConnection], Coroutine[Any, Any, T]]
    ) -> Deferred[T]:
        connection, loop = self._connection, self._loop
        if connection is None or loop is None:
            return fail(BrokerUnavailable(NO_CONNECTION))
        return loop.run(self._guarded(loop, connection, subject, work))

    async def _guarded(
        self,
        loop: Loop,
        connection: NatsConnection,
        subject: str,
        work: Callable[[NatsConnection], Coroutine[Any, Any, T]],
    ) -> T:
        try:
            return await work(connection)
        except (Fenced, BrokerUnavailable):
            raise
        except Exception as e:
            fault = connection.faultOf(e)
            loop.callInReactor(self._note, subject, fault)
            raise fault from e

    def last(self, stream: Stream, subject: str) -> Deferred[Stored | None]:
        """See L{IStreams.last}."""
        which = {"last_by_subj": subject}
        return self._run(subject, lambda connection: connection.get(stream, which))

    def at(self, stream: Stream, sequence: int) -> Deferred[Stored | None]:
        """See L{IStreams.at}."""
        return self._run("", lambda connection: connection.get(stream, {"seq": sequence}))

    def lastOfEach(self, stream: Stream, pattern: str) -> Deferred[list[Stored]]:
        """See L{IStreams.lastOfEach}."""
        return self._run(pattern, lambda connection: connection.lastOfEach(stream, pattern))

    def following(self, stream: Stream, subject: str, sequence: int) -> Deferred[list[Stored]]:
        """See L{IStreams.following}."""
        policy = {"deliver_policy": "by_start_sequence", "opt_start_seq": max(sequence, 1)}
        return self._run(subject, lambda connection: connection.all(stream, subject, policy))

    def purge(self, stream: Stream, pattern: str, below: int) -> Deferred[None]:
        """See L{IStreams.purge}."""
        return self._run(pattern, lambda connection: connection.purge(stream, pattern, below))


def _onlyOf(results: list[Result]) -> int:
    [result] = results
    if isinstance(result, int):
        return result
    raise result
