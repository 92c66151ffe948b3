# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Many requests to NATS at once, with one subscription for the replies and one timer for
all of them. The client's own requests cost a task, a timer and a random name each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, Union

import attrs

_NOBODY: Final = "503"
"""The status of a reply where nobody listens."""


@attrs.frozen
class Request:
    """A message that is answered."""

    subject: str
    payload: bytes
    headers: Mapping[str, str]


Reply = Union[bytes, Exception]


class _Batch:
    """Requests that were sent together."""

    def __init__(self, count: int) -> None:
        self.replies: list[Reply] = [asyncio.TimeoutError() for _ in range(count)]
        self.left = count
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, place: int, reply: Reply) -> None:
        """A request was answered, or could not be sent."""
        self.replies[place] = reply
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(None)


class Requests:
    """The requests on one connection."""

    def __init__(self, client: Any) -> None:
        """@param client: of nats-py; it is connected."""
        self._client = client
        self._inbox: str = client.new_inbox()
        self._latest = 0
        self._waiting: dict[int, tuple[_Batch, int]] = {}

    async def start(self) -> None:
        """Listen to replies."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._heard)

    async def _heard(self, message: Any) -> None:
        number = int(message.subject.rpartition(".")[2])
        batch, place = self._waiting.pop(number, (None, 0))
        if batch is not None:
            nobody = message.headers is not None and message.headers.get("Status") == _NOBODY
            batch.answer(place, Exception("no responders") if nobody else message.data)

    async def ask(self, requests: Sequence[Request], timeout: float) -> list[Reply]:
        """
        Send requests, and wait for the replies.

        @return: of each, the reply, or why there is none.
        """
        if not requests:
            return []
        batch, first = _Batch(len(requests)), self._latest + 1
        self._latest += len(requests)
        try:
            for place, each in enumerate(requests):
                number = first + place
                self._waiting[number] = batch, place
                inbox = f"{self._inbox}.{number}"
                try:
                    await self._client.publish(each.subject, each.payload, inbox, each.headers)
                except Exception as e:
                    if self._waiting.pop(number, None) is not None:
                        batch.answer(place, e)
            await asyncio.wait([batch.done], timeout=timeout)
        finally:
            for number in range(first, first + len(requests)):
                self._waiting.pop(number, None)
        return batch.replies

    def end(self) -> None:
        """The connection is lost: nothing more is answered."""
        for batch, place in tuple(self._waiting.values()):
            batch.answer(place, ConnectionError("the connection was lost"))
        self._waiting.clear()
