# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
When Python looks for cycles of garbage in the process of the command. Interfaces have
none, but because of their number each look at all objects stops the reactor for
a tenth of a second, several times while a thousand switches synchronize.
"""

from __future__ import annotations

import gc
from typing import Final

from twisted.application.service import Service

FULL: Final = 500
"""
How many looks at younger objects there are between two looks at all; Python has 10. It
is as many as some million new objects: some snapshots of 100,000 interfaces, or
thousands of connections that come and go.
"""


class CollectorService(Service):
    """Makes the looks at all objects rare, from start to stop."""

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None

    def startService(self) -> None:
        """
        Leave out what is there already, which is mostly code. It is not looked at
        before: that would take a tenth of the time that the command needs to start.
        """
        Service.startService(self)
        gc.freeze()
        self._before = gc.get_threshold()
        gc.set_threshold(*self._before[:2], FULL)

    def stopService(self) -> None:
        """As before."""
        Service.stopService(self)
        if self._before is not None:
            gc.set_threshold(*self._before)
            gc.unfreeze()
            self._before = None
