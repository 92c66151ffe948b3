# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many requests to NATS at once, with one subscription for the replies and one timer for
all of them. The client's own requests cost a task, a timer and a random name each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Union

import attrs

from twisted_ovsdb.publish.natsfaults import TooLarge

_HEADER: Final = len(b"NATS/1.0\r\n\r\n")

_NOBODY: Final = "503"
"""The status of a reply where nobody listens."""


@attrs.frozen
class Request:
    """A message that is answered."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]

    @property
    def size(self) -> int:
        """Its bytes as the broker counts them, at most: the payload and the headers."""
        headers = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        return len(self.payload) + headers + _HEADER


Reply = Union[bytes, Exception]

Done = Callable[[list[Reply]], object]


class _Batch:
    """Requests that were sent together."""

    def __init__(self, requests: Sequence[Request], first: int, done: Done) -> None:
        self.requests = requests
        self.first = first
        self.replies: list[Reply] = [asyncio.TimeoutError() for _ in requests]
        self.left = len(requests)
        self.timer: asyncio.TimerHandle | None = None
        self._done = done

    def answer(self, place: int, reply: Reply) -> None:
        """A request was answered, or could not be sent."""
        self.replies[place] = reply
        self.left -= 1
        if not self.left:
            self.end()

    def end(self) -> None:
        """What has no reply now gets none."""
        if self.timer is not None:
            self.timer.cancel()
        self._done(self.replies)


class Requests:
    """The requests on one connection. It is used in the thread of the client's loop."""

    def __init__(self, client: Any) -> None:
        """@param client: of nats-py."""
        self._client = client
        self._inbox = ""
        self._latest = 0
        self._waiting: dict[int, _Batch] = {}
        self._outgoing: asyncio.Queue[_Batch] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen to replies, and send what is given to L{send}: the client is connected."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._heard)
        self._sender = asyncio.ensure_future(self._send())

    async def _heard(self, message: Any) -> None:
        number = int(message.subject.rpartition(".")[2])
        batch = self._waiting.pop(number, None)
        if batch is not None:
            nobody = message.headers is not None and message.headers.get("Status") == _NOBODY
            reply: Reply = Exception("no responders") if nobody else message.data
            batch.answer(number - batch.first, reply)

    def send(self, requests: Sequence[Request], timeout: float, done: Done) -> None:
        """
        Send one or more requests.

        @param timeout: seconds that the replies may take.
        @param done: is called once, with the reply to each, or why there is none.
        """
        first = self._latest + 1
        self._latest += len(requests)
        batch = _Batch(requests, first, done)
        if self._sender is None:
            batch.replies = [_lost() for _ in requests]
            batch.end()
            return
        for place in range(len(requests)):
            self._waiting[first + place] = batch
        batch.timer = asyncio.get_running_loop().call_later(timeout, self._expired, batch)
        self._outgoing.put_nowait(batch)

    async def ask(self, requests: Sequence[Request], timeout: float) -> list[Reply]:
        """Send requests, and wait for the replies, each as in L{send}."""
        if not requests:
            return []
        done: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()

        def answered(replies: list[Reply]) -> None:
            if not done.done():  # It was cancelled.
                done.set_result(replies)

        self.send(requests, timeout, answered)
        return await done

    async def _send(self) -> None:
        publish = self._client.publish
        while True:
            batch = await self._outgoing.get()
            for place, each in enumerate(batch.requests):
                number = batch.first + place
                if number not in self._waiting:  # It has waited for too long.
                    continue
                inbox = f"{self._inbox}.{number}"
                try:
                    # The client does not count the headers; the broker would hang up.
                    if each.size > self._client.max_payload:
                        raise TooLarge(_tooLarge(each, self._client.max_payload))
                    await publish(each.subject, each.payload, inbox, each.headers)
                except Exception as e:
                    if self._waiting.pop(number, None) is not None:
                        batch.answer(place, e)

    def _expired(self, batch: _Batch) -> None:
        for number in range(batch.first, batch.first + len(batch.requests)):
            self._waiting.pop(number, None)
        batch.end()

    def end(self) -> None:
        """The connection is lost: nothing more is sent or answered."""
        sender, self._sender = self._sender, None
        if sender is not None:
            sender.cancel()
        waiting, self._waiting = self._waiting, {}
        for number, batch in waiting.items():
            batch.answer(number - batch.first, _lost())


def _lost() -> Exception:
    return ConnectionError("the connection was lost")


def _tooLarge(request: Request, limit: int) -> str:
    return f"a message for {request.subject} has {request.size} bytes, and max_payload is {limit}"
