# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Clocks for tests.
"""

from __future__ import annotations

from twisted.internet.task import Clock


class TurningClock(Clock):
    """
    A clock that runs, in each turn, only what was due at its beginning.
    """

    def turn(self) -> None:
        """
        One turn of a reactor.
        """
        calls, self.calls = self.calls, []
        for call in calls:
            if call.getTime() > self.rightNow:
                self.calls.append(call)
            elif call.active():
                call.called = 1
                call.func(*call.args, **call.kw)
