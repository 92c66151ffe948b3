# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The folder of C{--state}, from start to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from twisted_ovsdb.errors import escaped
from twisted_ovsdb.lifecycle.places import DAY
from twisted_ovsdb.state.database import StateRefused, moment
from twisted_ovsdb.state.store import Store
from twisted_ovsdb.state.thread import DiskThread


class StateService(MultiService):
    """
    The store of C{--state}, from start to stop. The files that it keeps are its
    services.

    @ivar store: the store, while it is open.
    @ivar thread: waits for the disk.
    """

    _log = Logger()

    def __init__(
        self, folder: str, forget: float, fail: Callable[[str], BaseException] = SystemExit
    ) -> None:
        """
        @param folder: the folder.
        @param forget: days after which a switch that does not come back is forgotten;
            0: never.
        @param fail: makes the exception for a store that cannot be used.
        """
        MultiService.__init__(self)
        self._folder = Path(folder)
        self.shown = escaped(folder)
        self.forget = forget * DAY or float("inf")
        self._fail = fail
        self.store: Store | None = None
        self.thread: Any = None

    def startService(self) -> None:
        """Open the store, then the files. The reactor does not run yet."""
        try:
            self.store = Store(self._folder, moment())
        except StateRefused as e:
            raise self._fail(f"--state {self.shown}: {e}") from e
        if self.store.movedAside is not None:
            self._log.warn(
                "--state {folder}: the database is damaged; it is now {aside}, and everything is"
                " told as INITIAL",
                folder=self.shown,
                aside=escaped(self.store.movedAside),
            )
        self.thread = _makeThread()
        self.thread.start()
        MultiService.startService(self)

    def stopService(self) -> Deferred[Any]:
        """Close the files, then the store."""
        stopped: Deferred[Any] = MultiService.stopService(self)
        return stopped.addCallback(self._close)

    def _close(self, _: object) -> None:
        store, self.store = self.store, None
        if store is not None:
            self.thread.stop()
            store.close()


def _makeThread() -> Any:
    from twisted.internet import reactor

    return DiskThread(reactor)
