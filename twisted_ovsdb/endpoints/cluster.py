# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An endpoint for a clustered database (ovsdb(7)): several servers have the same
database, and one of them is the leader. L{twisted_ovsdb.lifecycle.questions}
asks a member whether it leads, after the connection is made.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from twisted_ovsdb.endpoints.addresses import EndpointAddress
from twisted_ovsdb.parameters import checkFlags


@implementer(IStreamClientEndpoint)
class ClusterEndpoint:
    """
    The members of one cluster. Each attempt to connect goes to the next member.

    @ivar members: their endpoints, in the order of the attempts.
    """

    def __init__(self, members: Iterable[IStreamClientEndpoint], shuffle: bool = True) -> None:
        """
        @param shuffle: whether to bring them into a random order, so that not
            all clients connect to the same member.
        @raise ValueError: if there is no member.
        @raise TypeError: if a member is no endpoint.
        """
        checkFlags(shuffle=shuffle)
        self.members = list(members)
        if not self.members:
            raise ValueError("a cluster needs a member")
        for member in self.members:
            if not IStreamClientEndpoint.providedBy(member):
                raise TypeError(f"not a client endpoint, as clientFromRemote makes: {member!r}")
        if shuffle:
            random.shuffle(self.members)
        self._next = 0

    def __str__(self) -> str:
        return ",".join(str(EndpointAddress(member)) for member in self.members)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """Connect to the next member."""
        member = self.members[self._next]
        self._next = (self._next + 1) % len(self.members)
        return member.connect(protocolFactory)
