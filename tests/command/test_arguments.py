# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.arguments}: the options for many switches.
L{tests.command.test_options} tests mistakes in the other options.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import ClusterEndpoint, OvsdbListenService, OvsdbMonitorService, tap
from twisted_ovsdb.command.listen import PlaceService


class ManySwitchesTests(SynchronousTestCase):
    """
    C{--listen}, C{--identify}, C{--leader-only} and remotes with commas.
    """

    def parse(self, *arguments: str) -> Any:
        """
        The options of a command line.
        """
        twistd = ServerOptions()
        twistd.parseOptions(["-n", "ovsdb-monitor", *arguments])
        return twistd.subOptions

    def services(self, *arguments: str) -> list[Any]:
        """
        The services of a command line that monitor.
        """
        services = tap.makeService(self.parse(*arguments))
        assert isinstance(services, MultiService)
        kinds = (OvsdbMonitorService, OvsdbListenService)
        return [service for service in services if isinstance(service, kinds)]

    def test_listen(self) -> None:
        """
        There is one service for each C{--listen}, and all of them share one
        factory. A server is connected to only if C{--endpoint} is given too.
        """
        first, second = self.services(
            *("--listen", "ptcp:6640:127.0.0.1", "--listen", "tcp:6641", "--max-switches", "7"),
            *("--forget", "0.5"),
        )
        self.assertIsInstance(first, OvsdbListenService)
        self.assertIs(first.factory, second.factory)
        self.assertEqual(first.factory._places._maximum, 7)
        self.assertEqual(first.factory._places._forgetAfter, 12 * 3600)
        self.assertIsNone(first.factory._pins)
        both = self.services("--listen", "ptcp:6640:127.0.0.1", "--endpoint", "tcp:10.0.0.1")
        self.assertEqual([type(s) for s in both], [OvsdbMonitorService, PlaceService])

    def test_cluster(self) -> None:
        """
        Remotes with commas between them are the members of one cluster. The
        whole text is the source of its events.
        """
        text = "tcp:10.0.0.1:6640,tcp:10.0.0.2,unix:/run/db.sock"
        [service] = self.services("--endpoint", text, "--leader-only", "--identify")
        endpoint = service._connector._endpoint
        self.assertIsInstance(endpoint, ClusterEndpoint)
        self.assertEqual(len(endpoint.members), 3)
        self.assertEqual(service.factory.monitor.source, text)
        self.assertTrue(service.factory._leaderOnly)
        self.assertEqual(
            list(service.factory.monitor._known.tables.tables), ["Interface", "Open_vSwitch"]
        )

    def test_commaInOneRemote(self) -> None:
        """
        If no remote begins after a comma, the comma is part of the remote
        before it.
        """
        [(_, endpoint, members)] = self.parse("--endpoint", "unix:/run/a,b")["endpoints"]
        self.assertEqual(members, 1)
        self.assertNotIsInstance(endpoint, ClusterEndpoint)

    def test_refused(self) -> None:
        """
        A mistake is reported in one line, with the option and its value.
        """
        for arguments, words in (
            (("--listen", "ptcp:x"), "--listen ptcp:x: expected ptcp:"),
            (("--listen", "pssl:6640"), "--listen pssl:6640: needs --private-key"),
            (("--endpoint", "tcp:10.0.0.1,tcp:"), "--endpoint tcp:: has no host"),
            (("--listen", "ptcp:1", "--max-switches", "0"), "--max-switches 0: must be"),
            (("--max-switches", "x"), "--max-switches x: must be"),
            (("--forget", "-1"), "--forget -1: must be a number of days not below zero"),
            (("--forget", "x"), "--forget x: must be a number of days not below zero"),
            (("--pin",), "--pin: no --listen is pssl: (with --ca-cert)"),
            (
                ("--pin", "--listen", "ptcp:6640"),
                "--pin: --listen ptcp:6640 is not pssl:, so switches need no certificate there",
            ),
            (("--column", "link-state"), "--column 'link-state': a column's name has letters"),
            (("--column", "mtu,link_state"), "--column 'mtu,link_state': a column's name"),
            (("--column", "mtu", "--column", "2mtu"), "--column '2mtu': a column's name has"),
            (("--listen", "ptcp:1", "--column", "mtu\n"), "--column 'mtu\\n': a column's name"),
        ):
            error = self.assertRaises(SystemExit, self.parse, *arguments)
            self.assertIn(words, str(error.code))
            self.assertEqual(len(str(error.code).splitlines()), 1)
