# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A place of C{--listen}. If it cannot be opened, the command does not start: a process
that nobody can reach would look as if all was well.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.python.failure import Failure

from twisted_ovsdb.errors import describeReason
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.service import OvsdbListenService


class PlaceService(OvsdbListenService):
    """Listens from start to stop, and refuses to start where it cannot."""

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        factory: OvsdbListenerFactory,
        fail: Callable[[str], BaseException] = SystemExit,
    ) -> None:
        """@param fail: makes the exception for a place that cannot be opened."""
        OvsdbListenService.__init__(self, endpoint, factory)
        self._fail = fail

    def privilegedStartService(self) -> None:
        """Listen, and accept connections."""
        reasons: list[BaseException] = []

        def failed(failure: Failure) -> None:
            assert failure.value is not None
            reasons.append(failure.value)

        self.whenListening().addErrback(failed)
        OvsdbListenService.privilegedStartService(self)
        if reasons:
            reason = describeReason(reasons[0])
            raise self._fail(f"--listen: cannot listen: {reason}") from reasons[0]
