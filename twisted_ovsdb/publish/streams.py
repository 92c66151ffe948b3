# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What is needed of a broker that has streams: messages in an order, by subject, and a
fence. NATS JetStream has this; so has the model in the tests.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, Union

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from twisted_ovsdb.errors import OvsdbError

ATTEMPT: Final = 5.0
"""Seconds that a broker may take for one request."""


class Stream(enum.Enum):
    """
    The streams, by their names.

    @cvar EVENTS: every event of each switch.
    @cvar NOW: the last message of each subject.
    """

    EVENTS = "OVSDB_EVENTS"
    NOW = "OVSDB_NOW"


class Fenced(OvsdbError):
    """The subject has another last message than was expected."""


class BrokerUnavailable(OvsdbError):
    """
    The broker does not answer, or does not take a message now. Whether it has stored
    the message is not known.
    """


class Refused(BrokerUnavailable):
    """The broker answers, and does not take this: it is full, or forbids it."""


@attrs.frozen
class Stored:
    """
    A message in a stream.

    @ivar sequence: its number in the stream.
    @ivar id: its id; empty if it has none.
    @ivar previous: of an event, the number of the event before it of this switch.
    """

    subject: str
    sequence: int
    payload: bytes
    id: str = ""
    previous: int = 0


@attrs.frozen
class Write:
    """
    A message to be stored.

    @ivar expected: the number of the last message of the subject; 0 if there is none.
    @ivar id: its id. The broker may know by it that it has the message already.
    """

    stream: Stream
    subject: str
    payload: bytes
    expected: int
    id: str = ""


Result = Union[int, Fenced, BrokerUnavailable]


class IStreams(Interface):
    """
    A connection to a broker. Each Deferred fails with L{BrokerUnavailable} if the
    broker does not answer; nothing is tried again here, and nothing is sent again on
    another connection.
    """

    connection: int = Attribute("The number of the present connection.")

    eventsKept: int = Attribute("How many events of a switch the broker keeps at least.")

    def available() -> Deferred[None]:
        """@return: fires when there is a connection; at once if there is one."""

    def append(write: Write) -> Deferred[int]:
        """
        Store a message.

        @return: fires with its number. L{Fenced}: the subject has another last
            message than is expected.
        """

    def appendAll(writes: Sequence[Write]) -> Deferred[list[Result]]:
        """Store messages of different subjects, in any order, each as L{append}."""

    def last(stream: Stream, subject: str) -> Deferred[Stored | None]:
        """The last message of a subject, as the broker has it now."""

    def at(stream: Stream, sequence: int) -> Deferred[Stored | None]:
        """The message with this number."""

    def lastOfEach(stream: Stream, pattern: str) -> Deferred[list[Stored]]:
        """The last message of each subject that matches."""

    def following(stream: Stream, subject: str, sequence: int) -> Deferred[list[Stored]]:
        """The messages of a subject from this number on."""

    def purge(stream: Stream, pattern: str, below: int) -> Deferred[None]:
        """Remove the messages of these subjects whose numbers are smaller."""

    def close() -> Deferred[None]:
        """End the connection."""
