# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A private cluster of three ovsdb-servers on the loopback interface. A run kills
its leader several times, and checks what its clients are told:

    python -m tests.live.cluster --kills 10
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from statistics import median
from typing import Any, Final

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.task import react
from twisted.internet.threads import deferToThread

from benchmarks.connection import Connection
from tests.soak.churn import Churn
from tests.soak.database import connectOne, readRows, withKind
from tests.soak.figures import Figure, Figures, markdown
from tests.soak.switch import SoakOpenVSwitch
from tests.soak.waiting import until, wait
from tests.soak.watching import Sceptic
from tools.openvswitch import SCHEMA, missing
from twisted_ovsdb import (
    EndpointConnector,
    OvsdbError,
    OvsdbMonitorFactory,
    Synchronized,
)
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.events import Event

MEMBERS: Final = 3

POLL: Final = 0.02
"""Seconds between two checks of which member is the leader."""

PATIENCE: Final = 30.0
"""Seconds that an election or a restart may take."""

CALM: Final = (1.2, 2.5)
"""Seconds of churn between two kills: at least, and at most."""

BAR: Final = 5.0
"""Seconds from an election until a client that follows the leader is in sync, at most."""

_STATE: Final = {
    "op": "select",
    "table": "Database",
    "where": [["name", "==", "Open_vSwitch"]],
    "columns": ["leader", "connected"],
}


class Member(SoakOpenVSwitch):
    """
    One member of a cluster. All its methods block.

    @ivar raft: the address that the other members connect to.
    """

    def __init__(self) -> None:
        super().__init__()
        # A second port that no other program gets by chance while this server
        # is down.
        spare = SoakOpenVSwitch()
        spare.stop()
        self.raft = f"tcp:127.0.0.1:{spare.port}"

    def create(self, other: Member | None) -> None:
        """
        Make the database of a new cluster, or of a member that joins one.
        """
        if other is None:
            self.run("ovsdb-tool", "create-cluster", self.database, str(SCHEMA), self.raft)
        else:
            tool = ("ovsdb-tool", "join-cluster", self.database, "Open_vSwitch")
            self.run(*tool, self.raft, other.raft)

    def startServer(self, *options: str, hidden: bool = False) -> None:
        """
        Start the server and wait until it is connected to the cluster.
        """
        super().startServer(*options, hidden=hidden)
        _await(lambda: self.state().get("connected") is True, f"{self.raft} does not join")

    def state(self) -> dict[str, Any]:
        """
        @return: C{leader} and C{connected} of the member's row in
            _Server.Database; empty if it does not answer.
        """
        assert self.port is not None
        try:
            with Connection(self.port) as connection:
                (result,) = connection.request("transact", "_Server", _STATE)
        except (OSError, RuntimeError):
            return {}
        return result["rows"][0] if result["rows"] else {}


class PrivateCluster:
    """
    A cluster of three members with one Open_vSwitch database. All its methods
    block.

    @ivar members: all members, running or not.
    @ivar up: the members that are running.
    """

    def __init__(self) -> None:
        self.members = [Member() for _ in range(MEMBERS)]
        self.up: set[Member] = set()

    def start(self) -> None:
        """
        Make the cluster.
        """
        first = self.members[0]
        for member in self.members:
            member.create(None if member is first else first)
            self.restart(member)
        first.vsctl("--no-wait", "init")

    def stop(self) -> None:
        """
        End all servers and remove their folders.
        """
        for member in self.members:
            member.stop()

    def leader(self) -> Member:
        """
        Wait until one of the running members is the leader, and return it.
        """
        found: list[Member] = []

        def look() -> bool:
            found.extend(member for member in self.up if member.state().get("leader"))
            return bool(found)

        _await(look, "no member is the leader")
        return found[0]

    def kill(self, member: Member) -> None:
        """
        Kill a member with SIGKILL.
        """
        self.up.discard(member)
        member.kill("ovsdb-server")

    def restart(self, member: Member) -> None:
        """
        Start a member that is down, and wait until it has joined the cluster
        again.
        """
        member.startServer()
        self.up.add(member)

    def transact(self, *operations: dict[str, object]) -> list[Any]:
        """
        Run a transaction on any member that is running.
        """
        port = next(iter(self.up)).port
        assert port is not None
        with Connection(port) as connection:
            return connection.transact([*operations])


def _await(condition: Any, complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(POLL)


class Witness(Sceptic):
    """
    Watches a cluster, and checks every event.

    @ivar sources: the sources that the events named.
    @ivar synchronized: the times of the Synchronized events, by the monotonic
        clock.
    """

    def __init__(self, reactor: Any, name: str) -> None:
        super().__init__(name, True, reactor)
        self.sources: set[str] = set()
        self.synchronized: list[float] = []

    def eventReceived(self, event: Event) -> None:
        """
        Check an event.
        """
        super().eventReceived(event)
        self.sources.add(event.source)
        if isinstance(event, Synchronized):
            self.synchronized.append(time.monotonic())


def watch(
    reactor: Any, cluster: PrivateCluster, observer: Any, **options: Any
) -> OvsdbMonitorFactory:
    """
    Connect to the cluster over TCP.
    """
    ports = [member.port or 0 for member in cluster.members]
    members = ClusterEndpoint(HostnameEndpoint(reactor, "127.0.0.1", port) for port in ports)
    factory = OvsdbMonitorFactory([observer], members=MEMBERS, **options)
    EndpointConnector(members, factory).connect()
    return factory


class Failovers:
    """
    Two clients watch a cluster whose leader is killed several times under
    churn. One of the clients follows the leader.

    @ivar anyone: the observer of the client that connects to any member.
    @ivar follower: the observer of the client that follows the leader.
    @ivar elections: for each kill, the seconds until a new leader was found.
    @ivar moves: for each kill, the seconds from that moment until C{follower}
        was told Synchronized.
    """

    def __init__(self, reactor: Any, cluster: PrivateCluster, seed: int) -> None:
        self.anyone = Witness(reactor, "any member")
        self.follower = Witness(reactor, "leader only")
        self.elections: list[float] = []
        self.moves: list[float] = []
        self._reactor = reactor
        self._cluster = cluster
        self._rng = random.Random(seed)
        paths = [member.unix for member in cluster.members]
        self.writer = Churn(reactor, paths, "c", random.Random(seed))
        self._factories = [
            watch(reactor, cluster, self.anyone),
            watch(reactor, cluster, self.follower, leaderOnly=True, source="cluster"),
        ]

    async def run(self, kills: int) -> None:
        """
        Kill and restart the leader several times. Before each kill, wait until
        both clients are in sync.

        @param kills: how many times.
        """
        self.writer.start()
        try:
            await self._inSync()
            for _ in range(kills):
                await wait(self._reactor, self._rng.uniform(*CALM))
                await self._killLeader()
        finally:
            await self.writer.pause()

    async def settled(self) -> bool:
        """
        @return: whether both clients get to know exactly what the database has.
        """
        # Other members may lag behind the leader.
        leader = await deferToThread(self._cluster.leader)
        protocol = await connectOne(self._reactor, leader.unix)
        rows = await readRows(protocol)
        protocol.close(OvsdbError("the end"))
        folds = (self.anyone.fold, self.follower.fold)
        return await until(
            self._reactor,
            lambda: all(fold.interfaces == withKind(rows, fold.interfaces) for fold in folds),
        )

    async def stop(self) -> None:
        """
        Close all connections.
        """
        await self.writer.stop()
        for factory in self._factories:
            await factory.stop()

    async def _killLeader(self) -> None:
        await self._inSync()
        leader = await deferToThread(self._cluster.leader)
        before = len(self.follower.synchronized)
        killed = time.monotonic()
        await deferToThread(self._cluster.kill, leader)
        await deferToThread(self._cluster.leader)
        elected = time.monotonic()
        if not await until(self._reactor, lambda: len(self.follower.synchronized) > before):
            raise RuntimeError("the client that follows the leader did not find the new one")
        self.elections.append(elected - killed)
        self.moves.append(max(0.0, self.follower.synchronized[before] - elected))
        await deferToThread(self._cluster.restart, leader)

    async def _inSync(self) -> None:
        for factory in self._factories:
            await factory.whenSynchronized()


def figuresOf(run: Failovers, settled: bool) -> list[Figure]:
    """
    The figures of a run.
    """
    figures = Figures("cluster")
    figures.tell("leaders killed", len(run.moves))
    figures.tell("transactions committed", run.writer.committed)
    figures.tell("kill to new leader, worst (s)", max(run.elections))
    figures.tell("new leader to Synchronized, median (s)", median(run.moves))
    figures.atMost("new leader to Synchronized, worst", max(run.moves), BAR, " s")
    figures.equal("fold of the events = table", settled, True)
    for witness in (run.anyone, run.follower):
        figures.tell(f"{witness.name}: Synchronized", len(witness.synchronized))
        figures.equal(f"{witness.name}: sources", len(witness.sources), 1)
        figures.equal(f"{witness.name}: contradictions", len(witness.contradictions), 0)
    return figures.all


async def main(reactor: Any, *arguments: str) -> None:
    """
    Kill leaders and print the figures: the long form of the test.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.live.cluster")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args(arguments)
    if missing():
        raise SystemExit(f"not installed: {', '.join(missing())}")
    print(f"cluster: seed {options.seed} ...", flush=True)
    cluster = PrivateCluster()
    try:
        await deferToThread(cluster.start)
        run = Failovers(reactor, cluster, options.seed)
        try:
            await run.run(options.kills)
            figures = figuresOf(run, await run.settled())
        finally:
            await run.stop()
    finally:
        await deferToThread(cluster.stop)
    print(markdown(figures), flush=True)
    if not all(figure.holds for figure in figures):
        raise SystemExit(1)


if __name__ == "__main__":
    react(main, sys.argv[1:])
