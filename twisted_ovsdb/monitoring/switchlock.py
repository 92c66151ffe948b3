# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The lock of one switch, over all its connections: when it is asked for, given back and
stolen, and when it is certain that it is ours. What is told meanwhile is left to the
monitor.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import (
    LockLost,
    OvsdbError,
    ProtocolViolation,
    RequestNotSent,
    RpcError,
    SessionLost,
    describeReason,
)
from twisted_ovsdb.monitoring.lockterms import LockTerms
from twisted_ovsdb.monitoring.standing import Happening, Standing, after
from twisted_ovsdb.openvswitch.present import Present

CONFIRM_TIMEOUT: Final = 5.0
"""
Seconds in which a server has to say that the lock is ours. A server that is silent for
longer may have given this connection up, and with it the lock.
"""

AGAIN: Final = (2.0, 6.0)
"""
Seconds after which a lock that was given up is asked for again, at random: another monitor
that waits has it at once, and two that cannot speak do not pass it on in a circle.
"""

NOT_READY: Final = (1.0, 2.0)
"""Seconds after which a monitor that could not speak looks again whether it could, at random."""

REFUSED: Final = 60.0
"""Seconds until a lock is asked for again at a server that refuses it."""

_HELD: Final = (Standing.GRANTED, Standing.SPEAKING)


class SwitchLock:
    """
    The lock of one switch.

    @ivar terms: its name, and who this monitor is.
    @ivar standing: where this monitor stands.
    """

    def __init__(
        self,
        terms: LockTerms,
        present: Present,
        clock: IReactorTime,
        onSpeaking: Callable[[], object],
        onSilent: Callable[[BaseException], object],
    ) -> None:
        """
        @param onSpeaking: called when it is certain that the lock is ours.
        @param onSilent: called with the reason when it is ours no more, although the
            session goes on.
        """
        self.terms = terms
        self.standing = Standing.AWAY
        self._present = present
        self._clock = clock
        self._onSpeaking = onSpeaking
        self._onSilent = onSilent
        self._protocol: OvsdbProtocol | None = None
        self._database = ""
        self._grants = 0  # how often it became ours
        self._stealing = False  # whether the answer to steal is awaited
        self._timer: IDelayedCall | None = None
        # What follows when it is given back: ask again, after a time or at once.
        self._next: Callable[[], object] = self._due
        self._said: bool | None = None  # whether the log says that this monitor speaks

    @property
    def speaking(self) -> bool:
        """Whether it is certain that the lock is ours."""
        return self.standing is Standing.SPEAKING

    @property
    def askedAfter(self) -> float:
        """See L{LockTerms.delay}."""
        return self.terms.delay(self._present.switch)

    def begin(self, protocol: OvsdbProtocol, database: str) -> None:
        """A session is in sync: ask for the lock, in a while."""
        self._protocol, self._database = protocol, database
        self._note(Happening.IN_SYNC)
        transport = protocol.transport
        assert transport is not None  # The session is up.
        if isinstance(transport.getPeer(), UNIXAddress):
            self.terms.warnOfUnix(self._present.source)
        self._pause(self.askedAfter)

    def end(self) -> None:
        """The session has ended, or the monitor leaves it."""
        protocol, self._protocol = self._protocol, None
        asked = self.standing in (Standing.WAITING, *_HELD)
        self._note(Happening.ENDED)
        self._cancel()
        if asked and protocol is not None and protocol.lost is None:
            protocol.unlock(self.terms.name).addErrback(lambda failure: failure.trap(OvsdbError))

    def confirm(self) -> Deferred[None]:
        """See L{InterfaceMonitor.confirmLock}."""
        return Deferred.fromCoroutine(self._confirm())

    def giveUp(self) -> None:
        """See L{InterfaceMonitor.giveUp}."""
        self._leave(lambda: self._pause(random.uniform(*AGAIN)))

    def offer(self) -> None:
        """
        Let another monitor have the lock, if one waits for it; if not, it is ours again
        at once, and everything is told as after any takeover.
        """
        self._leave(self._due)

    def steal(self) -> None:
        """See L{InterfaceMonitor.stealLock}."""
        if self.standing is Standing.PAUSED:
            self._cancel()
            self._steal()
        elif self.standing is Standing.WAITING and not self._stealing:
            # A client has one request for a lock.
            self._leave(self._steal)
        else:
            self._next = self._steal  # if it is being given back

    # Requests

    def _pause(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds, self._due)

    def _due(self) -> None:
        self._timer = None
        if self.terms.ready(self._present.switch):
            self._ask(OvsdbProtocol.lock)
        else:
            self._pause(random.uniform(*NOT_READY))

    def _steal(self) -> None:
        self._stealing = True
        self._ask(OvsdbProtocol.steal)

    def _ask(self, method: Callable[..., Deferred[bool]]) -> None:
        protocol = self._protocol
        assert protocol is not None
        self._note(Happening.ASKED)
        Deferred.fromCoroutine(self._asking(protocol, method))

    async def _asking(self, protocol: OvsdbProtocol, method: Callable[..., Deferred[bool]]) -> None:
        def changed(ours: bool) -> None:
            if self._protocol is protocol:
                if ours:
                    self._granted()
                else:
                    self._silent(Happening.STOLEN, "another client has taken it")

        try:
            ours = await method(protocol, self.terms.name, changed)
            self._stealing = False
        except (RpcError, RequestNotSent, ValueError) as e:
            if self._protocol is protocol and self.standing is Standing.WAITING:
                self._note(Happening.REFUSED)
                self._pause(REFUSED)
                text = "{switch}: cannot have lock {lock}, so this monitor stands by: {reason}"
                self.terms.warn(text, self._present.switch, reason=describeReason(e))
            return
        except OvsdbError:
            return  # The session has ended.
        if self._protocol is not protocol:
            return
        if ours:
            self._granted()
        elif self.standing is Standing.WAITING:
            self._say(False, "another client has lock {lock}")

    def _granted(self) -> None:
        if not self.terms.ready(self._present.switch):
            self.giveUp()  # It was asked for before. Another monitor may be ready.
        elif self._note(Happening.OURS):
            self._grants += 1
            self.confirm().addErrback(lambda failure: failure.trap(LockLost))

    async def _confirm(self) -> None:
        protocol, grant = self._protocol, self._grants
        if protocol is None or self.standing not in _HELD:
            raise self._lost("this monitor does not have it")
        operation = {"op": "assert", "lock": self.terms.name}
        try:
            asserted = protocol.transact(self._database, operation)
            await asserted.addTimeout(CONFIRM_TIMEOUT, self._clock)
        except (SessionLost, ProtocolViolation) as e:
            raise self._lost(describeReason(e)) from None
        except (OvsdbError, TimeoutError) as e:
            if not self._isSame(protocol, grant):
                raise self._lost("this monitor has it no more") from None
            late = isinstance(e, TimeoutError)
            why = f"no answer for {CONFIRM_TIMEOUT:g} s" if late else describeReason(e)
            lost = self._lost(f"it is not certain that this monitor has it: {why}")
            protocol.abort(lost)
            raise lost from None
        if not self._isSame(protocol, grant):
            raise self._lost("this monitor has it no more")
        if self._note(Happening.CONFIRMED):
            self._say(True, "it has lock {lock}")
            self._onSpeaking()

    def _isSame(self, protocol: OvsdbProtocol, grant: int) -> bool:
        """Whether nothing says that what was granted then is over."""
        return self._protocol is protocol and self._grants == grant and self.standing in _HELD

    def _leave(self, then: Callable[[], object]) -> None:
        protocol = self._protocol
        if self._silent(Happening.GIVEN_UP, "this monitor has given it up"):
            assert protocol is not None
            self._next = then
            # Also if an observer that was told has left the connection, which may stay up.
            Deferred.fromCoroutine(self._leaving(protocol))

    async def _leaving(self, protocol: OvsdbProtocol) -> None:
        try:
            await protocol.unlock(self.terms.name)
        except RpcError:
            pass  # The server knows of no request.
        except RequestNotSent as e:
            # It would be ours for ever.
            protocol.abort(self._lost(f"it could not be given up: {describeReason(e)}"))
            return
        except OvsdbError:
            return  # The session has ended.
        if self._protocol is protocol and self._note(Happening.LEFT):
            self._next()

    # What changes

    def _note(self, happening: Happening) -> bool:
        """@return: whether this changes anything."""
        before, self.standing = self.standing, after(self.standing, happening)
        return self.standing is not before

    def _silent(self, happening: Happening, why: str) -> bool:
        changed = self._note(happening)
        if changed:
            self._say(False, f"lock {{lock}}: {why}")
            self._onSilent(self._lost(why))
        return changed

    def _lost(self, why: str) -> LockLost:
        return LockLost(f"lock {self.terms.name}: {why}", self.terms.name)

    def _say(self, speaks: bool, why: str) -> None:
        if self._said is not speaks:
            self._said = speaks
            what = "speaks" if speaks else "stands by"
            self.terms.say("{switch}: this monitor " + what + ": " + why, self._present.switch)

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
