# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Connections that claim to be a switch that is connected already. It keeps its name
until its connection is dead by the rules for every connection; the claim does not
make them harder. This only asks it for a sign of life, and lets the others wait.
"""

from __future__ import annotations

from typing import Final

import attrs
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.errors import RpcError, SessionLost, SwitchRefused
from twisted_ovsdb.lifecycle.link import Link

MAX_CLAIMANTS: Final = 100
"""
Connections that may wait at the same time, for different switches: few enough to
cost nothing, and more than the hosts that lose power together and are back before
their old connections are found to be dead.
"""


@attrs.define(eq=False)
class _Contest:
    """
    A switch that is connected, and the connections that claim to be the same one.

    @ivar asked: whether the answer to an echo is awaited.
    @ivar later: whether the claim is newer than that echo.
    """

    present: Link
    claimant: Link | None = None
    decision: Deferred[None] | None = None
    asked: bool = False
    later: bool = False


class Claims:
    """
    The connections that wait for the name of a switch that is connected: for each
    switch one, the newest. A switch has one connection to us, so if it claims its
    name twice, the older one is dead too.
    """

    def __init__(self, limit: float, clock: IReactorTime) -> None:
        """@param limit: seconds that a connection may wait."""
        self._limit = limit
        self._clock = clock
        # By switch. They stay until the present connection is lost, so that each
        # connection is asked once to tell that.
        self._contests: dict[str, _Contest] = {}
        self._waiting: dict[_Contest, None] = {}  # the longest waiting first

    def __len__(self) -> int:
        return len(self._waiting)

    async def settle(self, link: Link, present: Link) -> None:
        """
        Wait until the connection that is present is lost.

        @raise SwitchRefused: if that answers an echo that was sent after this
            call: hosts that were cloned have the same system-id. If a newer
            connection claims the name; if too many wait for other names; after
            the limit.
        @raise SessionLost: if the connection that waits is lost.
        """
        contest = self._contests.get(link.switch)
        if contest is None:
            contest = self._contests[link.switch] = _Contest(present)
            present.protocol.whenLost().addCallback(lambda _: self._presentLost(link.switch))
        self._makePlace(contest, link)
        decision = self._claim(contest, link)
        self._ask(contest)
        try:
            await decision.addTimeout(self._limit, self._clock)
        except TimeoutError as e:
            twice = f"switch {link.switch} is connected already, from {present.source}"
            raise SwitchRefused(f"{twice}, and silent for {self._limit:g} s", link.switch) from e

    def _makePlace(self, contest: _Contest, link: Link) -> None:
        if contest.claimant is not None:
            newer = f"switch {link.switch} has connected again, from {link.source}"
            self._refuse(contest, newer)
        elif len(self._waiting) >= MAX_CLAIMANTS:
            first = next(iter(self._waiting))
            self._refuse(first, f"too many connections wait for a switch ({MAX_CLAIMANTS})")

    def _claim(self, contest: _Contest, link: Link) -> Deferred[None]:
        def timedOut(_: object) -> None:
            self._take(contest)

        def lost(reason: BaseException) -> None:
            if contest.claimant is link:
                self._take(contest).errback(SessionLost(reason))

        contest.claimant, contest.later = link, contest.asked
        decision = contest.decision = Deferred(timedOut)
        self._waiting[contest] = None
        link.protocol.whenLost().addCallback(lost)
        return decision

    def _ask(self, contest: _Contest) -> None:
        """Ask for a sign of life; one echo at a time, however many claims come."""
        if not contest.asked:
            contest.asked = True
            contest.present.protocol.echo().addBoth(self._answered, contest)

    def _answered(self, answer: object, contest: _Contest) -> None:
        # An error is an answer too. A connection that is lost or full has not answered.
        if isinstance(answer, Failure) and not answer.check(RpcError):
            return
        contest.asked = False
        if contest.claimant is None:
            return
        if contest.later:
            contest.later = False
            self._ask(contest)
            return
        switch = contest.claimant.switch
        twice = f"switch {switch} is connected already, from {contest.present.source}"
        self._refuse(contest, f"{twice}; were the hosts cloned?")

    def _presentLost(self, switch: str) -> None:
        contest = self._contests.pop(switch)
        if contest.claimant is not None:
            self._take(contest).callback(None)

    def _refuse(self, contest: _Contest, why: str) -> None:
        assert contest.claimant is not None
        switch = contest.claimant.switch
        self._take(contest).errback(SwitchRefused(why, switch))

    def _take(self, contest: _Contest) -> Deferred[None]:
        """End the claim. Its decision is the caller's to tell."""
        decision = contest.decision
        assert decision is not None
        contest.claimant = contest.decision = None
        del self._waiting[contest]
        return decision
