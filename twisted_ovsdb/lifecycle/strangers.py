# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Connections that have not said yet which switch they are. Whoever can connect can
open as many as there is room for, so they get little: a few seconds, a few bytes,
and the place of one that had its time already.
"""

from __future__ import annotations

from typing import Final

from twisted.internet.defer import TimeoutError
from twisted.internet.interfaces import IReactorTime

from twisted_ovsdb.errors import PeerSilent, SwitchRefused
from twisted_ovsdb.events import SwitchIdentity
from twisted_ovsdb.lifecycle.link import Link
from twisted_ovsdb.lifecycle.questions import askIdentity
from twisted_ovsdb.openvswitch.identity import SWITCH_TABLE

IDENTIFY_TIMEOUT: Final = 10.0
"""
Seconds until a connection must have said which switch it is. A server that makes
the reply for 100,000 interfaces, for another client, is silent for up to 9 s.
"""

IDENTIFY_LENGTH: Final = 64 * 1024
"""
Bytes that a connection may send until then. It is asked for one column of one row,
which has a few hundred.
"""


class Strangers:
    """Connections until they are identified."""

    def __init__(self, maximum: int, limit: float, clock: IReactorTime) -> None:
        """
        @param maximum: how many there may be.
        @param limit: seconds that each of them may take.
        """
        self._maximum = maximum
        self._limit = limit
        self._clock = clock
        self._links: dict[Link, None] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._links)

    def makePlace(self) -> None:
        """
        A connection comes. If there is no place, the one goes that has not said
        for longest which switch it is. A switch says it at once, so it gets in
        while others are silent.
        """
        if len(self._links) >= self._maximum:
            limit = f"{len(self._links)}, --max-switches"
            refusal = SwitchRefused(f"too many unidentified connections ({limit})")
            next(iter(self._links)).protocol.abort(refusal)

    async def identify(self, link: Link, database: str) -> tuple[str, SwitchIdentity]:
        """
        Ask a connection which switch it is.

        @return: the UUID of the row in its Open_vSwitch table, and the identity in
            it.
        @raise PeerSilent: if there is no answer in time. Any byte satisfies the
            watchdog, but here there is a limit to the whole time.
        @raise SwitchRefused: if its table is empty.
        """
        protocol, limit = link.protocol, self._limit
        protocol.limitUntilIdentified(IDENTIFY_LENGTH)
        asked = askIdentity(protocol, database)
        self._links[link] = None
        try:
            found = await asked.addTimeout(limit, self._clock)
        except TimeoutError as e:
            raise PeerSilent(f"the switch did not identify itself within {limit:g} s") from e
        finally:
            del self._links[link]
            protocol.limitUntilIdentified(None)
        if found is None:
            raise SwitchRefused(f"the table {SWITCH_TABLE} of the switch is empty")
        return found
