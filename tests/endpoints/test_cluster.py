# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.cluster}.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from tests.endpoints.test_connector import ManualEndpoint
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint


class ClusterEndpointTests(SynchronousTestCase):
    """
    Tests for L{ClusterEndpoint}.
    """

    def test_inTurn(self) -> None:
        """
        Each attempt goes to the next member, and after the last member to the
        first one again.
        """
        for count in (1, 2, 3, 5):
            members = [ManualEndpoint() for _ in range(count)]
            cluster = ClusterEndpoint(members, shuffle=False)
            for number in (*range(count), *range(count), 0):
                before = members[number].attempts
                cluster.connect(None)  # type: ignore[arg-type]
                self.assertEqual(members[number].attempts, before + 1)

    def test_shuffled(self) -> None:
        """
        By default the members are in random order, and none is left out: each of them
        is the first one of some clients, with two members too.
        """
        state = random.getstate()
        self.addCleanup(random.setstate, state)
        random.seed(1)
        for count in (2, 3, 5):
            members = [ManualEndpoint() for _ in range(count)]
            orders = [ClusterEndpoint(members).members for _ in range(100)]
            for order in orders:
                self.assertCountEqual(order, members)
            for place in range(count):
                self.assertEqual(len({id(order[place]) for order in orders}), count)

    def test_empty(self) -> None:
        """
        A cluster without members is refused.
        """
        self.assertRaises(ValueError, ClusterEndpoint, [])
