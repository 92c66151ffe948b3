# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Streams of NATS JetStream, with the client nats-py (the extra C{nats}). Each connection
is a client of its own: what was sent on one is never sent again on another.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.errors import printable
from twisted_ovsdb.publish.asyncloop import Loop, fire, loopOf
from twisted_ovsdb.publish.configuration import (
    EVENTS_KEPT,
    configurationOf,
    problemOf,
    versionProblem,
)
from twisted_ovsdb.publish.messages import MOST_BYTES
from twisted_ovsdb.publish.natsrequests import Reply, Request, Requests
from twisted_ovsdb.publish.streams import (
    ATTEMPT,
    BrokerUnavailable,
    Fenced,
    IStreams,
    Result,
    Stored,
    Stream,
    Write,
)
from twisted_ovsdb.publish.subjects import ALIVE_PREFIX
from twisted_ovsdb.publish.trouble import Trouble

T = TypeVar("T")

MISSING: Final = "--publish needs nats-py: pip install 'twisted_ovsdb[nats]'"

AGAIN: Final = 1.0
"""Seconds between two attempts to connect, or to make the streams."""

PING: Final = 10
"""Seconds between two pings: a broker that does not answer two of them is gone."""

BATCH: Final = 500
"""Messages that are asked for at once."""

LISTED: Final = 2_000
"""Subjects of which each is asked for. Of more, a consumer reads them."""

PREVIOUS: Final = "Ovsdb-Previous"
"""The header that names the event before."""

NO_CONNECTION: Final = "there is no connection"

_EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
_ID: Final = "Nats-Msg-Id"
_STREAM: Final = "Nats-Expected-Stream"

_MEANINGS: Final[Mapping[str, str]] = {
    "no responders": "it has no JetStream",
    "authorization violation": "it refuses us: the credentials are missing or wrong",
    "expecting info": "what answers there is no NATS server, or closes the connection",
    "json parse error": "what answers there is no NATS server",
}
"""What errors mean, by a part of their text."""

_WRONG_LAST: Final = 10071  # JSStreamWrongLastSequenceErrF
_NO_MESSAGE: Final = 10037  # JSNoMessageFoundErr
_NO_STREAM: Final = 10059  # JSStreamNotFoundErr


class _ApiError(Exception):
    """The server refused a request of JetStream's API."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("description", "an error")))
        self.code = error.get("err_code")


@implementer(IStreams)
class NatsStreams:
    """
    Two streams of a NATS server, or a cluster of them.

    @ivar trouble: what is wrong now.
    @ivar onAlive: is told which other instances are alive.
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
        self._client: Any = None
        self._requests: Requests | None = None
        self._connecting = False
        self._closed = False
        self._timer: IDelayedCall | None = None
        self._closing: asyncio.Future[None] | None = None
        self._violation = ""
        self._available: Waiters[None] = Waiters()
        self.connection = 0
        self.eventsKept = EVENTS_KEPT
        self.onAlive: Callable[[str], object] = lambda instance: None

    # The connection

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._closed = False
        if self._loop is None:
            self._loop = loopOf(self._reactor)
        self._connect()

    def available(self) -> Deferred[None]:
        """See L{IStreams.available}."""
        return succeed(None) if self._client is not None else self._available.wait()

    @property
    def connected(self) -> bool:
        """Whether there is a connection, and the streams are right."""
        return self._client is not None

    def _connect(self) -> None:
        self._timer = None
        if self._connecting or self._closed or self._client is not None:
            return
        assert self._loop is not None
        self._connecting = True
        self._loop.run(self._open()).addCallbacks(self._opened, self._failed)

    def _failed(self, failure: Failure) -> None:
        self._connecting = False
        if self._closed:
            return
        self.trouble.begin("connection", _reasonOf(failure.value))
        self._timer = self._reactor.callLater(AGAIN, self._connect)

    def _opened(self, found: tuple[Any, Requests, int]) -> None:
        self._connecting = False
        client, requests, self.eventsKept = found
        if self._closed or client.is_closed:
            self._lost(client)
            return
        self._client, self._requests = client, requests
        self.connection += 1
        self.trouble.end("connection")
        self._available.callback(None)

    def _lost(self, client: Any) -> None:
        if self._client is client:
            self._client = None
            self.connection += 1
        if not self._closed and self._timer is None and not self._connecting:
            self.trouble.begin("connection", "the connection was lost")
            self._timer = self._reactor.callLater(0.05, self._connect)

    async def _open(self) -> tuple[Any, Requests, int]:
        client = _newClient()
        loop = self._loop
        assert loop is not None
        requests: Requests | None = None

        async def closed() -> None:
            if requests is not None:
                requests.end()
            loop.callInReactor(self._lost, client)

        faults: list[Exception] = []

        async def failed(fault: Exception) -> None:
            if client.is_connected or client.is_closed:
                if "permissions violation" in str(fault).lower():
                    self._violation = _reasonOf(fault)
            else:
                faults.append(fault)

        self._violation = ""
        try:
            await client.connect(
                servers=self._servers,
                name=f"ovsdb-monitor {self._instance}",
                # A new client for each connection: see above.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                connect_timeout=int(ATTEMPT),
                ping_interval=PING,
                closed_cb=closed,
                error_cb=failed,
                **self._options,
            )
            kept = await self._prepare(client)
            requests = Requests(client)
            await requests.start()
            await client.subscribe(f"{ALIVE_PREFIX}.*", cb=self._heard)
            await client.flush(int(ATTEMPT))
            if self._violation:
                raise BrokerUnavailable(self._violation)
        except BaseException as e:
            # After a failed handshake the client would wait in vain for the end.
            self._closing = asyncio.ensure_future(_close(client))
            if faults and type(e).__name__ == "NoServersError":
                # The client says why each server was of no use, and then only that none was.
                raise BrokerUnavailable(_reasonOf(faults[-1])) from e
            raise
        return client, requests, kept

    async def _prepare(self, client: Any) -> int:
        """
        Look at the streams, and make those that do not exist.

        @return: how many events of a switch are kept.
        """
        version = str(client.connected_server_version)
        problem = versionProblem(version)
        if problem is not None:
            raise BrokerUnavailable(problem)
        if client.max_payload < MOST_BYTES * 2:
            raise BrokerUnavailable(
                f"its max_payload is {client.max_payload}, and {MOST_BYTES * 2} is needed"
            )
        kept = EVENTS_KEPT
        for stream in Stream:
            try:
                found = await self._api(client, f"STREAM.INFO.{stream.value}")
            except _ApiError as e:
                if e.code != _NO_STREAM:
                    raise
                wanted = configurationOf(stream)
                found = await self._api(client, f"STREAM.CREATE.{stream.value}", wanted)
            config = found["config"]
            problem = problemOf(stream, config)
            problem = problem or versionProblem(version, config.get("num_replicas", 1))
            if problem is not None:
                raise BrokerUnavailable(problem)
            if stream is Stream.EVENTS:
                kept = config["max_msgs_per_subject"]
        return kept

    async def _heard(self, message: Any) -> None:
        assert self._loop is not None
        self._loop.callInReactor(self.onAlive, message.data.decode("utf-8", "replace"))

    def beat(self) -> None:
        """Say that this instance is alive."""
        client, loop = self._client, self._loop
        if client is not None and loop is not None:
            data = self._instance.encode()
            loop.run(client.publish(f"{ALIVE_PREFIX}.0", data)).addErrback(lambda _: None)

    def close(self) -> Deferred[None]:
        """See L{IStreams.close}."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        client, self._client = self._client, None
        loop, self._loop = self._loop, None
        if loop is None:
            return succeed(None)
        done: Deferred[Any] = loop.run(_close(client)) if client is not None else succeed(None)
        return done.addBoth(lambda _: loop.stop())

    # Requests

    def _run(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> Deferred[T]:
        client, loop = self._client, self._loop
        if client is None or loop is None:
            return fail(BrokerUnavailable(NO_CONNECTION))
        return loop.run(self._guarded(client, work))

    async def _guarded(self, client: Any, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        try:
            return await work(client)
        except (Fenced, BrokerUnavailable):
            raise
        except Exception as e:
            raise BrokerUnavailable(self._unavailable(e)) from e

    def _unavailable(self, fault: Exception) -> str:
        reason = self._violation or _reasonOf(fault)
        loop = self._loop
        if loop is not None:  # It is not closed.
            loop.callInReactor(self.trouble.begin, "requests", reason)
        return reason

    async def _api(
        self, client: Any, what: str, request: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        data = b"" if request is None else json.dumps(request).encode()
        try:
            reply = await client.request(f"$JS.API.{what}", data, timeout=ATTEMPT)
        except Exception as e:
            raise BrokerUnavailable(self._violation or _reasonOf(e)) from e
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise _ApiError(answer["error"])
        return answer

    def append(self, write: Write) -> Deferred[int]:
        """See L{IStreams.append}."""
        return self.appendAll([write]).addCallback(_onlyOf)

    def appendAll(self, writes: Sequence[Write]) -> Deferred[list[Result]]:
        """See L{IStreams.appendAll}."""
        requests, loop = self._requests, self._loop
        if self._client is None or requests is None or loop is None:
            return fail(BrokerUnavailable(NO_CONNECTION))
        # To cancel does not take it back: what was sent is sent.
        result: Deferred[list[Result]] = Deferred(lambda _: None)
        loop.callInLoop(self._send, loop, requests, writes, result)
        return result

    def _send(
        self,
        loop: Loop,
        requests: Requests,
        writes: Sequence[Write],
        result: Deferred[list[Result]],
    ) -> None:
        def answered(replies: list[Reply]) -> None:
            results = [self._resultOf(*pair) for pair in zip(writes, replies, strict=True)]
            loop.callInReactor(fire, result, results)

        requests.send([_requestOf(write) for write in writes], ATTEMPT, answered)

    def _resultOf(self, write: Write, reply: Reply) -> Result:
        try:
            if isinstance(reply, Exception):
                raise reply
            # Of bytes, json would guess the encoding first.
            answer = json.loads(str(reply, "utf-8"))
            error = answer.get("error")
            if error is None:
                self._wentWell()
                return int(answer["seq"])
            if error.get("err_code") == _WRONG_LAST:
                return Fenced(str(error.get("description")))
            # It is full, for example.
            raise _ApiError(
                {**error, "description": f"{write.stream.value}: {error['description']}"}
            )
        except Exception as e:
            return BrokerUnavailable(self._unavailable(e))

    def _wentWell(self) -> None:
        if self.trouble.has("requests") and self._loop is not None:
            self._loop.callInReactor(self.trouble.end, "requests")

    def last(self, stream: Stream, subject: str) -> Deferred[Stored | None]:
        """See L{IStreams.last}."""
        return self._run(lambda client: self._get(client, stream, {"last_by_subj": subject}))

    def at(self, stream: Stream, sequence: int) -> Deferred[Stored | None]:
        """See L{IStreams.at}."""
        return self._run(lambda client: self._get(client, stream, {"seq": sequence}))

    async def _get(self, client: Any, stream: Stream, request: Mapping[str, Any]) -> Stored | None:
        # Not the direct get, which a follower may answer that is behind.
        data = json.dumps(request).encode()
        reply = await client.request(
            f"$JS.API.STREAM.MSG.GET.{stream.value}", data, timeout=ATTEMPT
        )
        return _gotten(json.loads(reply.data))

    def lastOfEach(self, stream: Stream, pattern: str) -> Deferred[list[Stored]]:
        """See L{IStreams.lastOfEach}."""
        requests = self._requests

        async def work(client: Any) -> list[Stored]:
            assert requests is not None
            # A consumer would have the server look at each message of the stream.
            name, which = f"STREAM.INFO.{stream.value}", {"subjects_filter": pattern}
            info = await self._api(client, name, which)
            subjects = list(info["state"].get("subjects") or ())
            if len(subjects) > LISTED:
                policy = {"deliver_policy": "last_per_subject"}
                return await self._all(client, stream, pattern, policy)
            get = f"$JS.API.STREAM.MSG.GET.{stream.value}"
            asked = [
                Request(get, json.dumps({"last_by_subj": each}).encode(), {}) for each in subjects
            ]
            found: list[Stored] = []
            for start in range(0, len(asked), BATCH):
                for reply in await requests.ask(asked[start : start + BATCH], ATTEMPT):
                    if isinstance(reply, Exception):
                        raise reply
                    stored = _gotten(json.loads(reply))
                    if stored is not None:
                        found.append(stored)
            return found

        return self._run(work)

    def following(self, stream: Stream, subject: str, sequence: int) -> Deferred[list[Stored]]:
        """See L{IStreams.following}."""
        policy = {"deliver_policy": "by_start_sequence", "opt_start_seq": max(sequence, 1)}
        return self._run(lambda client: self._all(client, stream, subject, policy))

    async def _all(
        self, client: Any, stream: Stream, pattern: str, policy: Mapping[str, Any]
    ) -> list[Stored]:
        """Read all messages of a pattern that there are now, with a consumer."""
        config = {
            **policy,
            "filter_subject": pattern,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 30 * 10**9,
        }
        request = {"stream_name": stream.value, "config": config}
        info = await self._api(client, f"CONSUMER.CREATE.{stream.value}", request)
        left, name = info["num_pending"], info["name"]
        found: list[Stored] = []
        if left:
            inbox = client.new_inbox()
            subscription = await client.subscribe(inbox, pending_bytes_limit=2**30)
            try:
                while left > 0:
                    batch = min(left, BATCH)
                    ask = json.dumps({"batch": batch, "expires": int(ATTEMPT * 10**9)}).encode()
                    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream.value}.{name}"
                    await client.publish(subject, ask, reply=inbox)
                    for _ in range(batch):
                        message = await subscription.next_msg(timeout=ATTEMPT)
                        headers = message.headers or {}
                        if headers.get("Status"):
                            raise BrokerUnavailable(f"reading {stream.value}: {headers}")
                        number = message.metadata.sequence.stream
                        found.append(_stored(message.subject, number, message.data, headers))
                        left = message.metadata.num_pending
                        if not left:
                            break
            finally:
                await subscription.unsubscribe()
        # It would end by itself, but a takeover of many switches makes many.
        await client.publish(f"$JS.API.CONSUMER.DELETE.{stream.value}.{name}", b"")
        return found

    def purge(self, stream: Stream, pattern: str, below: int) -> Deferred[None]:
        """See L{IStreams.purge}."""

        async def work(client: Any) -> None:
            request = {"filter": pattern, "seq": below}
            await self._api(client, f"STREAM.PURGE.{stream.value}", request)

        return self._run(work)


def _newClient() -> Any:
    try:
        from nats.aio.client import Client
    except ImportError as e:
        raise BrokerUnavailable(MISSING) from e

    class EncryptedClient(Client):
        """Tells no password to a server of tls:// that does not begin with TLS."""

        def _connect_command(self) -> bytes:
            if self.options.get("tls") is not None and not self._server_info.get("tls_required"):
                raise BrokerUnavailable("the server does not speak TLS, and tls:// was asked for")
            return super()._connect_command()

    return EncryptedClient()


async def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # It is gone.
        await asyncio.wait_for(client.close(), ATTEMPT)


def _requestOf(write: Write) -> Request:
    headers = {_EXPECTED: str(write.expected), _STREAM: write.stream.value}
    if write.id:
        headers[_ID] = write.id
    if write.stream is Stream.EVENTS:
        headers[PREVIOUS] = str(write.expected)
    return Request(write.subject, write.payload, headers)


def _onlyOf(results: list[Result]) -> int:
    [result] = results
    if isinstance(result, int):
        return result
    raise result


def _stored(subject: str, number: int, payload: bytes, headers: Mapping[str, str]) -> Stored:
    previous = headers.get(PREVIOUS, "0")
    return Stored(
        subject,
        number,
        payload,
        headers.get(_ID, ""),
        int(previous) if previous.isdigit() else 0,
    )


def _gotten(answer: Mapping[str, Any]) -> Stored | None:
    """What was asked for by C{STREAM.MSG.GET}; None if there is no such message."""
    if "error" in answer:
        if answer["error"].get("err_code") == _NO_MESSAGE:
            return None
        raise _ApiError(answer["error"])
    message = answer["message"]
    headers = _headersIn(base64.b64decode(message.get("hdrs", "")))
    payload = base64.b64decode(message.get("data", ""))
    return _stored(message["subject"], message["seq"], payload, headers)


def _headersIn(raw: bytes) -> dict[str, str]:
    lines = raw.decode("utf-8", "replace").split("\r\n")[1:]
    pairs = [line.partition(":") for line in lines if ":" in line]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _reasonOf(fault: BaseException | None) -> str:
    """One line for people."""
    if isinstance(fault, ssl.SSLError):
        return f"TLS: {printable(getattr(fault, 'verify_message', '') or fault.reason or 'failed')}"
    if isinstance(fault, (asyncio.TimeoutError, TimeoutError)):
        return "it does not answer"
    if isinstance(fault, socket.gaierror):
        return f"the name of the host cannot be resolved: {fault.strerror}"
    if isinstance(fault, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    text = str(fault).removeprefix("nats: ") or type(fault).__name__
    for known, meaning in _MEANINGS.items():
        if known in text.lower():
            return meaning
    # The name of an inbox is another one each time; one line is enough.
    return printable(re.sub(r"_inbox\.[\w.*]+", "_INBOX.>", text, flags=re.IGNORECASE))
