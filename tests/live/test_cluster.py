# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What observers are told when a real cluster changes its leader.

The long form of these tests is C{python -m tests.live.cluster}.
"""

from __future__ import annotations

import os
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live.cluster import Failovers, PrivateCluster, watch
from tests.live.support import RecordingObserver, summaries
from tools.openvswitch import missing
from twisted_ovsdb import Disconnected, OvsdbMonitorFactory
from twisted_ovsdb.errors import NotLeader

TAP1 = "add-br br-int -- add-port br-int tap1 -- set Interface tap1 external_ids:iface-id=port-1"

TAP2 = "add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=port-2"

RESIGN = "cluster/failure-test transfer-leadership"
"""For ovs-appctl: the leader lets the cluster elect another member."""


class ClusterTests(TestCase):
    """
    Each test has a cluster of its own.
    """

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        if missing():
            absent = f"not installed: {', '.join(missing())} (see tools/install-openvswitch)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        self.cluster = PrivateCluster()
        self.addCleanup(deferToThread, self.cluster.stop)
        await deferToThread(self.cluster.start)

    def watch(self, observer: RecordingObserver, **options: Any) -> OvsdbMonitorFactory:
        """
        Watch the cluster until the end of the test.
        """
        factory = watch(reactor, self.cluster, observer, **options)
        self.addCleanup(factory.stop)
        return factory

    async def test_leaderKilled(self) -> None:
        """
        The leader is killed several times while ports come and go. The events
        add up to what is in the database, and an observer sees nothing but
        outages of one source.
        """
        run = Failovers(reactor, self.cluster, seed=5)
        self.addCleanup(run.stop)
        await run.run(kills=2)
        self.assertTrue(await run.settled())
        self.assertEqual(run.anyone.contradictions + run.follower.contradictions, [])
        self.assertEqual(len(run.anyone.sources), 1)
        self.assertEqual(run.follower.sources, {"cluster"})
        self.assertGreaterEqual(len(run.follower.synchronized), 3)

    async def test_leadershipMoves(self) -> None:
        """
        A client that follows the leader leaves a member that is the leader no
        longer, and connects to the new leader. Its observer is told of nothing
        but an outage. Another client stays connected to its member.
        """
        anyone, follower = RecordingObserver(), RecordingObserver()
        await deferToThread(self.cluster.members[0].vsctl, *TAP1.split())
        self.watch(anyone)
        factory = self.watch(follower, leaderOnly=True)
        first = await anyone.untilSynchronized()
        self.assertEqual(len(first), 3)
        await follower.untilSynchronized()
        left = await deferToThread(self.cluster.leader)
        await deferToThread(left.appctl, "ovsdb-server", *RESIGN.split())
        disconnected, *replays, synchronized = await follower.untilSynchronized()
        leader = await deferToThread(self.cluster.leader)
        self.assertIsNot(leader, left)
        assert isinstance(disconnected, Disconnected)
        self.assertIsInstance(disconnected.reason, NotLeader)
        self.assertCountEqual(
            summaries(replays),
            [("online", "bridge", "br-int", "replay"), ("online", "vm", "tap1", "replay")],
        )
        self.assertEqual(summaries([synchronized]), [("synchronized", "resync")])
        assert factory.connector is not None
        self.assertEqual(factory.connector.getDestination().port, leader.port)  # type: ignore[attr-defined]
        await deferToThread(leader.vsctl, *TAP2.split())
        for observer in (anyone, follower):
            (online,) = await observer.takeSome(1)
            self.assertEqual(summaries([online]), [("online", "vm", "tap2", "update")])
            self.assertEqual({event.source for event in observer.everything}, {online.source})
