# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The short form of the soak that kills the monitor; C{python -m tests.soak} has the
long one.
"""

from __future__ import annotations

import os
from unittest import SkipTest

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from tests.soak.survival import Survival
from tests.soak.test_chaos import SEED
from tools.openvswitch import missing


class SurvivalTests(TestCase):
    """
    Tests for a monitor that is killed.
    """

    timeout = 180

    async def assertHolds(self, name: str, kills: int, switches: int = 1) -> None:
        """
        Kill it, and assert that all figures are as wanted.
        """
        if missing():
            absent = f"not installed: {', '.join(missing())} (see tools/install-openvswitch)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        figures = await Survival(reactor, name, kills, SEED, switches).run()
        self.assertEqual([figure for figure in figures if not figure.holds], [], f"seed {SEED}")

    async def test_F97_command(self) -> None:
        """
        The lines of a command that is killed with C{--state} have each event exactly
        once.
        """
        await self.assertHolds("command", 4)

    async def test_F97_listen(self) -> None:
        """
        The same with three switches that connect to it.
        """
        await self.assertHolds("listen", 5, 3)

    async def test_F97_observer(self) -> None:
        """
        An observer that is remembered is told again what it was told in the last
        moments, and nothing else.
        """
        await self.assertHolds("observer", 3)
