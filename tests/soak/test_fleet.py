# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The short form of the soak of several monitors that publish as one; C{python -m
tests.soak} has the long one.
"""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.soak.fleet import Fleet
from tests.soak.test_chaos import SEED
from tools import broker
from tools.openvswitch import missing


class FleetTests(TestCase):
    """
    Tests for monitors that fail while they publish as one.
    """

    timeout = 180

    async def test_faults(self) -> None:
        """
        What is told with a broker is right, once and in order, whatever fails.
        """
        if found := [*missing(), *broker.missing()]:
            absent = f"not installed: {', '.join(found)}"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        figures = await Fleet(reactor, 8, SEED, long=False).run()
        self.assertEqual([figure for figure in figures if not figure.holds], [], f"seed {SEED}")
