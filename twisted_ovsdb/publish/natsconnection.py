# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
One connection to a NATS server, with the client nats-py (the extra C{nats}), and what is
asked on it. It is used in the thread of the client's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted_ovsdb.publish.configuration import (
    EVENTS_KEPT,
    configurationOf,
    problemOf,
    versionProblem,
)
from twisted_ovsdb.publish.messages import MOST_BYTES
from twisted_ovsdb.publish.natsfaults import NO_STREAM, ApiError, TooLarge, reasonOf
from twisted_ovsdb.publish.natsmessages import gotten, numberIn, requestOf, storedOf
from twisted_ovsdb.publish.natsrequests import Reply, Request, Requests
from twisted_ovsdb.publish.streams import (
    ATTEMPT,
    BrokerUnavailable,
    Refused,
    Result,
    Stored,
    Stream,
    Write,
)
from twisted_ovsdb.publish.subjects import ALIVE_PREFIX

MISSING: Final = "--publish needs nats-py: pip install 'twisted_ovsdb[nats]'"

PING: Final = 10
"""Seconds between two pings: a broker that does not answer two of them is gone."""

TOGETHER: Final = 16 * 2**20
"""
Bytes that are asked for at once, if each message is as large as the broker allows. It drops
a connection to which more than 64 MiB wait.
"""

LISTED: Final = 2_000
"""Subjects of which each is asked for. Of more, a consumer reads them."""


class NatsConnection:
    """
    A connection whose streams are right, once it is open. It is never opened again.

    @ivar eventsKept: how many events of a switch the broker keeps.
    """

    def __init__(
        self, onClosed: Callable[[NatsConnection], object], onAlive: Callable[[str], object]
    ) -> None:
        """
        @param onClosed: is called when it is closed.
        @param onAlive: is told each sign of life.
        @raise BrokerUnavailable: nats-py is missing.
        """
        self._client = _newClient()
        self._requests = Requests(self._client)
        self._onClosed = onClosed
        self._onAlive = onAlive
        self._faults: list[Exception] = []
        self._violation = ""
        self._closing: asyncio.Future[None] | None = None
        self.eventsKept = EVENTS_KEPT

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return bool(self._client.is_closed)

    async def open(self, servers: Sequence[str], options: Mapping[str, Any], name: str) -> None:
        """
        Connect, and look at the streams.

        @param servers: see L{NatsStreams<twisted_ovsdb.publish.natsstreams.NatsStreams>}.
        @param options: more for C{nats.connect}.
        @param name: of the connection, for the broker.
        """
        client = self._client
        try:
            await client.connect(
                servers=list(servers),
                name=name,
                # What was sent on one connection is never sent again on another.
                allow_reconnect=False,
                max_reconnect_attempts=1,
                connect_timeout=int(ATTEMPT),
                ping_interval=PING,
                closed_cb=self._ended,
                error_cb=self._failed,
                **options,
            )
            await self._prepare()
            await self._requests.start()
            await client.subscribe(f"{ALIVE_PREFIX}.*", cb=self._heard)
            await client.flush(int(ATTEMPT))
            if self._violation:
                raise BrokerUnavailable(self._violation)
        except BaseException as e:
            # After a failed handshake the client would wait in vain for the end.
            self._closing = asyncio.ensure_future(self.close())
            if self._faults and type(e).__name__ == "NoServersError":
                # The client says why each server was of no use, and then only that none was.
                raise BrokerUnavailable(reasonOf(self._faults[-1])) from e
            raise

    async def _ended(self) -> None:
        self._requests.end()
        self._onClosed(self)

    async def _failed(self, fault: Exception) -> None:
        if self._client.is_connected or self._client.is_closed:
            if "permissions violation" in str(fault).lower():
                self._violation = reasonOf(fault)
        else:
            self._faults.append(fault)

    async def _prepare(self) -> None:
        """Look at the streams, and make those that do not exist."""
        client = self._client
        version = str(client.connected_server_version)
        problem = versionProblem(version)
        if problem is not None:
            raise BrokerUnavailable(problem)
        if client.max_payload < MOST_BYTES * 2:
            raise BrokerUnavailable(
                f"its max_payload is {client.max_payload}, and {MOST_BYTES * 2} is needed"
            )
        for stream in Stream:
            try:
                found = await self._api(f"STREAM.INFO.{stream.value}")
            except ApiError as e:
                if e.code != NO_STREAM:
                    raise
                found = await self._create(stream)
            config = found["config"]
            problem = problemOf(stream, config)
            problem = problem or versionProblem(version, config.get("num_replicas", 1))
            if problem is not None:
                raise BrokerUnavailable(problem)
            if stream is Stream.EVENTS:
                self.eventsKept = config["max_msgs_per_subject"]

    async def _create(self, stream: Stream) -> dict[str, Any]:
        try:
            return await self._api(f"STREAM.CREATE.{stream.value}", configurationOf(stream))
        except ApiError:
            # Another monitor may have made it since.
            with contextlib.suppress(ApiError):
                return await self._api(f"STREAM.INFO.{stream.value}")
            raise

    async def _heard(self, message: Any) -> None:
        self._onAlive(message.data.decode("utf-8", "replace"))

    async def beat(self, sign: str) -> None:
        """Give a sign of life."""
        await self._client.publish(f"{ALIVE_PREFIX}.0", sign.encode())

    async def close(self) -> None:
        """Close it."""
        with contextlib.suppress(Exception):  # It is gone.
            await asyncio.wait_for(self._client.close(), ATTEMPT)

    def faultOf(self, fault: Exception) -> BrokerUnavailable:
        """What a request failed with, in one line for people."""
        refused = bool(self._violation) or isinstance(fault, (ApiError, TooLarge))
        return (Refused if refused else BrokerUnavailable)(self._violation or reasonOf(fault))

    async def look(self) -> None:
        """
        See whether the broker answers, and has the streams.

        @raise ApiError: it does not have one of them.
        @raise BrokerUnavailable: it does not answer.
        """
        for stream in Stream:
            await self._api(f"STREAM.INFO.{stream.value}")

    def abandon(self) -> None:
        """End it, where L{close} would wait for a peer that reads nothing."""
        self._requests.end()
        with contextlib.suppress(AttributeError):  # It has none any more.
            self._client._transport._io_writer.transport.abort()

    # Requests

    async def _api(self, what: str, request: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = b"" if request is None else json.dumps(request).encode()
        try:
            reply = await self._client.request(f"$JS.API.{what}", data, timeout=ATTEMPT)
        except Exception as e:
            raise self.faultOf(e) from e
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise ApiError(answer["error"])
        return answer

    def append(self, writes: Sequence[Write], done: Callable[[list[Result]], object]) -> None:
        """
        Store one or more messages.

        @param done: is called with what became of each.
        """

        def answered(replies: list[Reply]) -> None:
            done([self._resultOf(*pair) for pair in zip(writes, replies, strict=True)])

        self._requests.send([requestOf(write) for write in writes], ATTEMPT, answered)

    def _resultOf(self, write: Write, reply: Reply) -> Result:
        try:
            if isinstance(reply, Exception):
                raise reply
            return numberIn(write, reply)
        except Exception as e:
            return self.faultOf(e)

    @property
    def _batch(self) -> int:
        """How many messages may be asked for at once."""
        return max(1, TOGETHER // int(self._client.max_payload))

    async def get(self, stream: Stream, request: Mapping[str, Any]) -> Stored | None:
        """
        One message; None if there is no such message.

        @param request: which one, as in C{STREAM.MSG.GET}.
        """
        # Not the direct get, which a follower may answer that is behind.
        data = json.dumps(request).encode()
        name = f"$JS.API.STREAM.MSG.GET.{stream.value}"
        reply = await self._client.request(name, data, timeout=ATTEMPT)
        return gotten(json.loads(reply.data))

    async def lastOfEach(self, stream: Stream, pattern: str) -> list[Stored]:
        """The last message of each subject that matches."""
        # A consumer would have the server look at each message of the stream.
        info = await self._api(f"STREAM.INFO.{stream.value}", {"subjects_filter": pattern})
        subjects = list(info["state"].get("subjects") or ())
        if len(subjects) > LISTED:
            return await self.all(stream, pattern, {"deliver_policy": "last_per_subject"})
        get = f"$JS.API.STREAM.MSG.GET.{stream.value}"
        asked = [Request(get, json.dumps({"last_by_subj": each}).encode(), {}) for each in subjects]
        found: list[Stored] = []
        batch = self._batch
        for start in range(0, len(asked), batch):
            for reply in await self._requests.ask(asked[start : start + batch], ATTEMPT):
                if isinstance(reply, Exception):
                    raise reply
                stored = gotten(json.loads(reply))
                if stored is not None:
                    found.append(stored)
        return found

    async def all(self, stream: Stream, pattern: str, policy: Mapping[str, Any]) -> list[Stored]:
        """
        Read all messages of a pattern that there are now, with a consumer.

        @param policy: where it begins, as in C{CONSUMER.CREATE}.
        """
        client = self._client
        config = {
            **policy,
            "filter_subject": pattern,
            "ack_policy": "none",
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": 30 * 10**9,
        }
        request = {"stream_name": stream.value, "config": config}
        info = await self._api(f"CONSUMER.CREATE.{stream.value}", request)
        left, name = info["num_pending"], info["name"]
        found: list[Stored] = []
        if left:
            inbox = client.new_inbox()
            subscription = await client.subscribe(inbox, pending_bytes_limit=2**30)
            try:
                while left > 0:
                    batch = min(left, self._batch)
                    ask = json.dumps({"batch": batch, "expires": int(ATTEMPT * 10**9)}).encode()
                    subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream.value}.{name}"
                    await client.publish(subject, ask, reply=inbox)
                    for _ in range(batch):
                        message = await subscription.next_msg(timeout=ATTEMPT)
                        headers = message.headers or {}
                        if headers.get("Status"):
                            raise BrokerUnavailable(f"reading {stream.value}: {headers}")
                        number = message.metadata.sequence.stream
                        found.append(storedOf(message.subject, number, message.data, headers))
                        left = message.metadata.num_pending
                        if not left:
                            break
            finally:
                await subscription.unsubscribe()
        # It would end by itself, but a takeover of many switches makes many.
        await client.publish(f"$JS.API.CONSUMER.DELETE.{stream.value}.{name}", b"")
        return found

    async def purge(self, stream: Stream, pattern: str, below: int) -> None:
        """Remove the messages of these subjects whose numbers are smaller."""
        await self._api(f"STREAM.PURGE.{stream.value}", {"filter": pattern, "seq": below})


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
