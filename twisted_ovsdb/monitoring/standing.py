# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Which of several monitors speaks for a switch, as one of them sees it: the states of a
lock of OVSDB (RFC 7047, section 4.1.8), and what leads from one to another. Requests,
timers and observers are left to L{twisted_ovsdb.monitoring.switchlock}.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class Standing(enum.Enum):
    """
    Where a monitor stands.

    @cvar AWAY: there is no session in sync.
    @cvar PAUSED: the lock is asked for later.
    @cvar WAITING: the lock was asked for, and another client has it.
    @cvar GRANTED: the server has said that the lock is ours. It may be long ago.
    @cvar SPEAKING: since then, a transaction has asserted that it is ours.
    @cvar LEAVING: the lock is being given back.
    """

    AWAY = "away"
    PAUSED = "paused"
    WAITING = "waiting"
    GRANTED = "granted"
    SPEAKING = "speaking"
    LEAVING = "leaving"


class Happening(enum.Enum):
    """
    What happens to a lock.

    @cvar IN_SYNC: a session is in sync.
    @cvar ASKED: the lock is asked for.
    @cvar OURS: the server says that it is ours.
    @cvar REFUSED: the server does not take the request.
    @cvar CONFIRMED: a transaction has asserted that it is ours.
    @cvar STOLEN: another client has taken it. The request still waits.
    @cvar GIVEN_UP: it is given back, or waited for no longer.
    @cvar LEFT: the server knows that.
    @cvar ENDED: the session has ended.
    """

    IN_SYNC = "in sync"
    ASKED = "asked"
    OURS = "ours"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    STOLEN = "stolen"
    GIVEN_UP = "given up"
    LEFT = "left"
    ENDED = "ended"


_NEXT: Final[Mapping[Happening, Mapping[Standing, Standing]]] = {
    Happening.IN_SYNC: {Standing.AWAY: Standing.PAUSED},
    Happening.ASKED: {Standing.PAUSED: Standing.WAITING},
    Happening.OURS: {Standing.WAITING: Standing.GRANTED},
    Happening.REFUSED: {Standing.WAITING: Standing.PAUSED},
    Happening.CONFIRMED: {Standing.GRANTED: Standing.SPEAKING},
    Happening.STOLEN: {
        Standing.GRANTED: Standing.WAITING,
        Standing.SPEAKING: Standing.WAITING,
    },
    Happening.GIVEN_UP: {
        Standing.WAITING: Standing.LEAVING,
        Standing.GRANTED: Standing.LEAVING,
        Standing.SPEAKING: Standing.LEAVING,
    },
    Happening.LEFT: {Standing.LEAVING: Standing.PAUSED},
    Happening.ENDED: dict.fromkeys(Standing, Standing.AWAY),
}


def after(standing: Standing, happening: Happening) -> Standing:
    """
    Where a monitor stands after something has happened. What does not fit, such as a
    lock that is granted while it is given back, changes nothing.
    """
    return _NEXT[happening].get(standing, standing)
