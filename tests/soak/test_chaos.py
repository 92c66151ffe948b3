# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The short form of the soak; C{python -m tests.soak} is the long one.
"""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.soak.chaos import Chaos
from tests.soak.faults import KINDS
from tools.openvswitch import missing

SEED = int(os.environ.get("SOAK_SEED", "20261122"))


class ChaosTests(TestCase):
    """
    Tests for all faults in one run.
    """

    timeout = 180

    async def test_chaos(self) -> None:
        """
        After all faults of the server and of the network, the events that
        observers were told add up to what the server has.
        """
        if missing():
            absent = f"not installed: {', '.join(missing())} (see tools/install-openvswitch)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        chaos = Chaos(reactor, 10, len(KINDS), 1000, SEED, longestStop=1.5)
        figures = await chaos.run()
        self.assertEqual([figure for figure in figures if not figure.holds], [], f"seed {SEED}")
