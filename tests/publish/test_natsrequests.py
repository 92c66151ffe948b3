# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.natsrequests}, with a client that answers by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.natsfaults import TooLarge
from twisted_ovsdb.publish.natsrequests import Reply, Request, Requests


@attrs.frozen
class Message:
    """A reply."""

    subject: str
    data: bytes
    headers: Mapping[str, str] | None = None


class Client:
    """
    What is used of a client of nats-py.

    @ivar sent: of each message, its payload and where the reply goes.
    @ivar refused: how many messages it did not take.
    @ivar room: is awaited before a message is sent.
    """

    max_payload = 1000

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, str]] = []
        self.refused = 0
        self.room: Any = None
        self.hear: Any = None

    def new_inbox(self) -> str:
        """See nats-py."""
        return "_INBOX.me"

    async def subscribe(self, subject: str, cb: Any) -> None:
        """See nats-py."""
        assert subject == "_INBOX.me.*"
        self.hear = cb

    async def publish(
        self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str]
    ) -> None:
        """See nats-py."""
        if payload == b"too large":
            self.refused += 1
            raise ValueError("maximum payload exceeded")
        self.sent.append((payload, reply))
        if self.room is not None:
            await self.room.wait()


class RequestsTests(SynchronousTestCase):
    """
    Many requests at once.
    """

    def replies(self, payloads: list[bytes], answer: Any, timeout: float = 5) -> list[Reply]:
        """
        Ask.

        @param answer: a coroutine function of the client and the requests.
        """

        async def run() -> list[Reply]:
            client = Client()
            self.requests = Requests(client)
            await self.requests.start()
            wanted = [Request("s", each, {}) for each in payloads]
            asked = asyncio.ensure_future(self.requests.ask(wanted, timeout))
            while len(client.sent) + client.refused < len(payloads):
                await asyncio.sleep(0)
            await answer(client, self.requests)
            return await asked

        found = asyncio.run(run())
        self.assertEqual(self.requests._waiting, {})
        return found

    def test_order(self) -> None:
        """
        Each request gets its own reply, in whichever order they come; a reply that comes
        twice, or to nobody, is ignored.
        """

        async def backwards(client: Client, requests: Requests) -> None:
            for payload, inbox in reversed(client.sent):
                await client.hear(Message(inbox, b"to " + payload))
                await client.hear(Message(inbox, b"again"))
            await client.hear(Message("_INBOX.me.77", b"to nobody"))

        self.assertEqual(self.replies([b"1", b"2"], backwards), [b"to 1", b"to 2"])

    def test_faults(self) -> None:
        """
        One that cannot be sent, one that nobody listens to, and one that is not answered in
        time do not keep the others.
        """

        async def some(client: Client, requests: Requests) -> None:
            (_, first), (_, nobody), _ = client.sent
            await client.hear(Message(first, b"stored"))
            await client.hear(Message(nobody, b"", {"Status": "503"}))

        found = self.replies([b"too large", b"1", b"2", b"3"], some, timeout=0.01)
        self.assertEqual(found[1], b"stored")
        self.assertEqual(str(found[0]), "maximum payload exceeded")
        self.assertEqual(str(found[2]), "no responders")
        self.assertIsInstance(found[3], asyncio.TimeoutError)

    def test_F116_tooLarge(self) -> None:
        """
        A message that the broker would hang up for is not sent: its headers count too.
        """

        async def one(client: Client, requests: Requests) -> None:
            headers = {"Nats-Msg-Id": "x" * 100}
            asked = requests.ask([Request("s", b"x" * 900, headers)], 5)
            [found] = await asked
            self.assertIsInstance(found, TooLarge)
            self.assertEqual(str(found), "a message for s has 1027 bytes, and max_payload is 1000")
            await client.hear(Message(client.sent[0][1], b"stored"))

        self.assertEqual(self.replies([b"1"], one), [b"stored"])

    def test_lost(self) -> None:
        """When the connection is lost, nothing waits for the end of its time."""

        async def lost(client: Client, requests: Requests) -> None:
            await client.hear(Message(client.sent[0][1], b"stored"))
            requests.end()

        first, second = self.replies([b"1", b"2"], lost)
        self.assertEqual(first, b"stored")
        self.assertIsInstance(second, ConnectionError)

    def test_notSentInTime(self) -> None:
        """
        What could not be sent before its time was over is not sent later: whoever asked has
        been told that it failed.
        """

        async def full(client: Client, requests: Requests) -> None:
            client.room = asyncio.Event()
            first = asyncio.ensure_future(requests.ask([Request("s", b"first", {})], 5))
            second = asyncio.ensure_future(requests.ask([Request("s", b"second", {})], 0.01))
            [late] = await second
            self.assertIsInstance(late, asyncio.TimeoutError)
            client.room.set()
            last = asyncio.ensure_future(requests.ask([Request("s", b"last", {})], 5))
            while client.sent[-1][0] != b"last":
                await asyncio.sleep(0)
            self.assertEqual([each[0] for each in client.sent], [b"1", b"first", b"last"])
            for payload, inbox in client.sent:
                await client.hear(Message(inbox, payload))
            self.assertEqual((await first, await last), ([b"first"], [b"last"]))

        self.assertEqual(self.replies([b"1"], full), [b"1"])

    def test_afterEnd(self) -> None:
        """On a connection that is lost, a request fails at once."""

        async def ended(client: Client, requests: Requests) -> None:
            requests.end()
            [found] = await requests.ask([Request("s", b"late", {})], 5)
            self.assertIsInstance(found, ConnectionError)
            self.assertEqual([each[0] for each in client.sent], [b"1"])

        [found] = self.replies([b"1"], ended)
        self.assertIsInstance(found, ConnectionError)

    def test_none(self) -> None:
        """No requests are answered at once."""

        async def nothing(client: Client, requests: Requests) -> None:
            self.assertEqual(client.sent, [])

        self.assertEqual(self.replies([], nothing), [])
