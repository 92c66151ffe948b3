# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Clustered databases (ovsdb(7)): several servers of one database, of which one
is the leader.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer


@implementer(IStreamClientEndpoint)
class ClusterEndpoint:
    """
    The members of one cluster: each attempt goes to the next of them.

    @ivar members: the endpoints, in the order in which they are tried.
    """

    def __init__(self, members: Iterable[IStreamClientEndpoint], shuffle: bool = True) -> None:
        """
        @param shuffle: whether the order is a random one, so that not all
            clients go to the same member.
        @raise ValueError: if there is no member.
        """
        self.members = list(members)
        if not self.members:
            raise ValueError("a cluster needs a member")
        if shuffle:
            random.shuffle(self.members)
        self._next = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect to the next member.
        """
        member = self.members[self._next]
        self._next = (self._next + 1) % len(self.members)
        result: Deferred[Any] = member.connect(protocolFactory)
        return result
