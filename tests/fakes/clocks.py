# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Clocks for tests.
"""

from __future__ import annotations

from twisted.internet.task import Clock


class TurningClock(Clock):
    """
    A clock that runs, in each turn, only the calls that were due when the turn
    began.
    """

    def turn(self) -> None:
        """
        Take one turn, as a reactor does.
        """
        calls, self.calls = self.calls, []
        for call in calls:
            if call.getTime() > self.rightNow:
                self.calls.append(call)
            elif call.active():
                call.called = 1
                call.func(*call.args, **call.kw)
