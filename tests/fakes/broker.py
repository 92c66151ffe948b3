# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A model of a broker with streams, in memory: fences, duplicates, purges; and what
happens on the way to it: acknowledgements that are lost, and clients that die or
freeze while their requests are on the way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import attrs
from twisted.internet.defer import Deferred, DeferredList, succeed
from zope.interface import implementer

from twisted_ovsdb.publish.streams import (
    BrokerUnavailable,
    Fenced,
    IStreams,
    Result,
    Stored,
    Stream,
    Write,
)


class ModelBroker:
    """
    The broker.

    @ivar kept: how many messages of a subject of events it keeps.
    @ivar streams: the messages, in their order.
    @ivar duplicates: the ids in its window, with their numbers.
    @ivar full: whether it takes no message.
    """

    def __init__(self, kept: int = 1000) -> None:
        self.kept = kept
        self.streams: dict[Stream, list[Stored]] = {stream: [] for stream in Stream}
        self._counts = dict.fromkeys(Stream, 0)
        self._generations = dict.fromkeys(Stream, 0)
        self.duplicates: dict[str, int] = {}
        self.full = False
        self.stored: list[Stored] = []  # every event that was ever stored

    def append(self, write: Write) -> int:
        """Store a message."""
        if self.full:
            raise BrokerUnavailable("the stream is full")
        if write.id and write.id in self.duplicates:
            return self.duplicates[write.id]
        found = self.last(write.stream, write.subject)
        last = 0 if found is None else found.sequence
        if last != write.expected:
            raise Fenced(f"last is {last}, not {write.expected}")
        self._counts[write.stream] += 1
        # Between two messages are those of other switches. No two generations have one
        # number in common, as is likely with many switches.
        number = 10 * self._counts[write.stream] + self._generations[write.stream] % 10
        message = Stored(
            write.subject,
            number,
            write.payload,
            write.id,
            write.expected if write.stream is Stream.EVENTS else 0,
        )
        messages = self.streams[write.stream]
        messages.append(message)
        kept = 1 if write.stream is Stream.NOW else self.kept
        mine = [each for each in messages if each.subject == write.subject]
        for each in mine[:-kept]:
            messages.remove(each)
        if write.id:
            self.duplicates[write.id] = number
        if write.stream is Stream.EVENTS:
            self.stored.append(message)
        return number

    def last(self, stream: Stream, subject: str) -> Stored | None:
        """The last message of a subject."""
        found = [each for each in self.streams[stream] if each.subject == subject]
        return found[-1] if found else None

    def at(self, stream: Stream, sequence: int) -> Stored | None:
        """The message with this number."""
        found = [each for each in self.streams[stream] if each.sequence == sequence]
        return found[0] if found else None

    def lastOfEach(self, stream: Stream, pattern: str) -> list[Stored]:
        """The last message of each subject that matches."""
        found = {
            each.subject: each for each in self.streams[stream] if matches(each.subject, pattern)
        }
        return list(found.values())

    def following(self, stream: Stream, subject: str, sequence: int) -> list[Stored]:
        """The messages of a subject from this number on."""
        return [
            each
            for each in self.streams[stream]
            if each.subject == subject and each.sequence >= sequence
        ]

    def purge(self, stream: Stream, pattern: str, below: int) -> None:
        """Remove messages."""
        self.streams[stream] = [
            each
            for each in self.streams[stream]
            if each.sequence >= below or not matches(each.subject, pattern)
        ]

    def passWindow(self) -> None:
        """The window of duplicates passes."""
        self.duplicates.clear()

    def makeAnew(self, *streams: Stream) -> None:
        """Streams are deleted, and made anew."""
        for stream in streams:
            self.streams[stream] = []
            self._counts[stream] = 0
            self._generations[stream] += 1
        self.duplicates.clear()

    def losePower(self, count: int) -> None:
        """The last events were never on the disk."""
        messages = self.streams[Stream.EVENTS]
        lost = messages[len(messages) - count :]
        if lost:
            del messages[len(messages) - count :]
            self._counts[Stream.EVENTS] = lost[0].sequence // 10 - 1
            self._generations[Stream.EVENTS] += 1
        self.duplicates.clear()


def matches(subject: str, pattern: str) -> bool:
    """Whether a subject matches a pattern, part by part."""
    parts, wanted = subject.split("."), pattern.split(".")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


@attrs.define
class Request:
    """A request on its way."""

    run: Callable[[], Any]
    answer: Deferred[Any]


@implementer(IStreams)
class ModelStreams:
    """
    One client of the model.

    @ivar auto: whether each request is answered at once.
    @ivar requests: those that the broker has not got, in their order.
    @ivar frozen: whether the client gets no answers now.
    """

    def __init__(self, broker: ModelBroker, auto: bool = True) -> None:
        self.broker = broker
        self.auto = auto
        self.down = False
        self.requests: list[Request] = []
        self.frozen = False
        self.connection = 1
        self._answers: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    @property
    def eventsKept(self) -> int:
        """How many events of a switch the broker keeps."""
        return self.broker.kept

    def _request(self, run: Callable[[], Any]) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred(lambda _: None)
        request = Request(run, answer)
        if self.down:
            answer.errback(BrokerUnavailable("down"))
        else:
            self.requests.append(request)
            if self.auto:
                self.serve()
        return answer

    def serve(self, lost: bool = False) -> None:
        """
        The broker gets the oldest request, and answers.

        @param lost: whether the answer is lost: with the connection.
        """
        request = self.requests.pop(0)
        try:
            result = request.run()
        except (Fenced, BrokerUnavailable) as e:
            error = e
            self._answer(request.answer, lambda: request.answer.errback(error))
        else:
            if lost:
                self._answer(request.answer, lambda: request.answer.errback(_cut()))
                self.cut()
            else:
                self._answer(request.answer, lambda: request.answer.callback(result))

    def cut(self, reach: bool = False) -> None:
        """
        The connection is lost, and the requests on their way fail.

        @param reach: whether the broker gets them.
        """
        requests, self.requests = self.requests, []
        self.connection += 1
        for request in requests:
            if reach:
                with contextlib.suppress(Fenced, BrokerUnavailable):
                    request.run()
            answer = request.answer
            self._answer(answer, lambda answer=answer: answer.errback(_cut()))  # type: ignore[misc]

    def _answer(self, answer: Deferred[Any], call: Callable[[], Any]) -> None:
        if self.frozen:
            self._answers.append((answer, call))
        elif not answer.called:
            call()

    def wake(self) -> None:
        """The client goes on."""
        self.frozen = False
        answers, self._answers = self._answers, []
        for answer, call in answers:
            if not answer.called:
                call()

    # IStreams

    def available(self) -> Deferred[None]:
        """See L{IStreams}."""
        return succeed(None)

    def append(self, write: Write) -> Deferred[int]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.append(write))

    def appendAll(self, writes: Sequence[Write]) -> Deferred[list[Result]]:
        """See L{IStreams}."""
        gathered: Deferred[list[tuple[bool, Any]]] = DeferredList(
            [self.append(write) for write in writes], consumeErrors=True
        )
        return gathered.addCallback(
            lambda results: [value if good else value.value for good, value in results]
        )

    def last(self, stream: Stream, subject: str) -> Deferred[Stored | None]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.last(stream, subject))

    def at(self, stream: Stream, sequence: int) -> Deferred[Stored | None]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.at(stream, sequence))

    def lastOfEach(self, stream: Stream, pattern: str) -> Deferred[list[Stored]]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.lastOfEach(stream, pattern))

    def following(self, stream: Stream, subject: str, sequence: int) -> Deferred[list[Stored]]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.following(stream, subject, sequence))

    def purge(self, stream: Stream, pattern: str, below: int) -> Deferred[None]:
        """See L{IStreams}."""
        return self._request(lambda: self.broker.purge(stream, pattern, below))

    def close(self) -> Deferred[None]:
        """See L{IStreams}."""
        return succeed(None)


def _cut() -> BrokerUnavailable:
    return BrokerUnavailable("the connection was lost")
