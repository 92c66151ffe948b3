# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a broker has to do for the observer that publishes. Another broker is another
class that provides L{IEventPublisher}; C{tests/publish/test_contract.py} has the tests that
it has to pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.publish.messages import Line


@attrs.frozen
class LastTold:
    """
    What was last told of a switch, by whichever instance.

    @ivar switch: its key.
    @ivar interfaces: those that were told and are not told offline; None if nothing
        was told, or if that is not known.
    @ivar place: where the broker was when this was read: for its class alone.
    """

    switch: str
    interfaces: list[OvsInterface] | None
    place: Any = attrs.field(repr=False)

    @property
    def resumed(self) -> bool:
        """Whether events may go on from it."""
        return self.interfaces is not None


class IEventPublisher(Interface):
    """
    Publishes events, and reads what was published. Of all instances that publish
    events of one switch, only the one that took over last can.

    While the broker cannot be reached, Deferreds wait. They may be cancelled; what
    was to be published may be published nevertheless, and then L{takeOver} has to
    come before the next L{publish}.
    """

    def read(switch: str) -> Deferred[LastTold]:
        """Read what was last told of a switch."""

    def takeOver(
        told: LastTold, lines: Sequence[Line], onLost: Callable[[], object]
    ) -> Deferred[None]:
        """
        Publish the first lines of this instance for a switch. From then on no other
        instance can, until it takes over.

        @param told: what was read. L{Fenced <twisted_ovsdb.publish.streams.Fenced>}:
            something was published since.
        @param onLost: is called at most once, later: another instance has taken over,
            or what the broker has is not what it had. L{publish} may notice it first.
        @return: fires when the broker has them.
        """

    def publish(switch: str, lines: Sequence[Line]) -> Deferred[None]:
        """
        Publish lines. This is called again when the Deferred has fired.

        @param lines: no more than C{MOST_LINES}.
        @return: fires when the broker has them. L{Fenced
            <twisted_ovsdb.publish.streams.Fenced>}: another instance has taken over.
        """

    def speakerOf(switch: str) -> Deferred[str | None]:
        """
        Which instance speaks for a switch; None if that is not known. This does not
        wait for a broker that cannot be reached.
        """

    def leave(switch: str) -> None:
        """Another instance may take over; nothing is published any more."""

    def close() -> Deferred[None]:
        """Finish what was published, and publish nothing more."""
