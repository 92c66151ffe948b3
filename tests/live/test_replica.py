# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{OvsdbReplicaFactory <twisted_ovsdb.OvsdbReplicaFactory>} with real servers:
a switch, OVN's Southbound database, and a cluster, whose members keep history. The
examples about replicas run here.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Final
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.fakes.documented import CHECKOUT, load
from tests.live.cluster import MEMBERS, PrivateCluster
from tests.live.support import Recorder, requireOpenVSwitch
from tests.test_examples import Program
from tools.openvswitch import PrivateOpenVSwitch, missing
from twisted_ovsdb import (
    Cause,
    ClusterEndpoint,
    EndpointConnector,
    OvsdbProtocol,
    OvsdbReplicaFactory,
    RowChange,
    Rows,
    RpcError,
)
from twisted_ovsdb.database.knowntables import KnownTables
from twisted_ovsdb.database.monitorcondsince import NO_TRANSACTION

OVN_SCHEMA: Final = Path("/usr/share/ovn/ovn-sb.ovsschema")

OUTAGES: Final = 10

QUEUES: Final = 400
"""Rows: the history of a server is no larger than its database."""


class PrivateSouthbound(PrivateOpenVSwitch):
    """
    An ovsdb-server with an empty Southbound database of OVN.
    """

    def __init__(self) -> None:
        super().__init__(vswitchd=False)

    def start(self) -> None:
        """
        Make the database and start the server.
        """
        self.run("ovsdb-tool", "create", self.database, str(OVN_SCHEMA))
        self.startServer()

    def sbctl(self, *arguments: str) -> str:
        """
        Run ovn-sbctl.
        """
        return self.run("ovn-sbctl", f"--db=unix:{self.unix}", "--no-leader-only", *arguments)

    def bind(self, port: str, kind: str = "") -> None:
        """
        Add a logical port.
        """
        datapath = ["named-uuid", "dp"]
        row = {"logical_port": port, "type": kind, "datapath": datapath, "tunnel_key": 1}
        operations = [
            "OVN_Southbound",
            {"op": "insert", "table": "Datapath_Binding", "uuid-name": "dp", "row": {
                "tunnel_key": random.randrange(1, 2**24)}},
            {"op": "insert", "table": "Port_Binding", "row": row},
        ]  # fmt: skip
        done = self.run("ovsdb-client", "transact", f"unix:{self.unix}", json.dumps(operations))
        assert "error" not in done, done

    def up(self, port: str, up: bool) -> None:
        """
        Set whether a logical port is up, as ovn-controller does.
        """
        self.sbctl("set", "Port_Binding", port, f"up={str(up).lower()}")


class SwitchTests(TestCase):
    """
    Bridge and Port of a switch.
    """

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        requireOpenVSwitch(self)
        self.ovs = PrivateOpenVSwitch(vswitchd=False)
        self.addCleanup(deferToThread, self.ovs.stop)
        await deferToThread(self.ovs.start)
        self.lines: Recorder[str] = Recorder()

    def connect(self, factory: OvsdbReplicaFactory) -> None:
        """
        Connect a factory until the end of the test.
        """
        EndpointConnector(UNIXClientEndpoint(reactor, self.ovs.unix), factory).connect()
        self.addCleanup(factory.stop)

    async def vsctl(self, commands: str) -> None:
        """
        Run ovs-vsctl.
        """
        await deferToThread(self.ovs.vsctl, *commands.split())

    async def test_example(self) -> None:
        """
        The example tells of a port that moves, and after kill -9 only what differs.
        """
        ports = load(CHECKOUT / "examples" / "bridge_ports.py").Ports(self.lines.record)
        await self.vsctl("add-br a -- add-br b -- add-port a tap1")
        self.connect(ports.factory)
        told = await self.lines.takeSome(3)
        self.assertEqual(
            told, ["initial: a comes to a", "initial: tap1 comes to a", "initial: b comes to b"]
        )
        await self.vsctl("del-port tap1 -- add-port b tap1")
        self.assertEqual((await self.lines.takeSome(1))[0], "update: tap1 leaves a")
        self.assertEqual((await self.lines.takeSome(1))[0], "update: tap1 comes to b")
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(lambda: self.ovs.startServer(hidden=True))
        await self.vsctl("add-port a tap2")
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(self.ovs.startServer)
        self.assertEqual((await self.lines.takeSome(1))[0], "resync: tap2 comes to a")
        self.assertEqual(self.lines.take(), [])

    async def test_stopped(self) -> None:
        """
        A server that SIGSTOP has stopped is noticed within 10 s. Afterwards nothing is
        told, because nothing has changed.
        """
        factory = OvsdbReplicaFactory(
            "Open_vSwitch", ["Bridge"], lambda changes, cause: self.lines.record(cause.value)
        )
        self.connect(factory)
        self.assertEqual((await self.lines.takeSome(1))[0], "initial")
        clock: Any = reactor
        link: Any = factory._link
        self.ovs.signal("ovsdb-server", signal.SIGSTOP)
        before = clock.seconds()
        await link.protocol.whenLost()
        self.assertLess(clock.seconds() - before, 10.5)
        self.ovs.signal("ovsdb-server", signal.SIGCONT)
        await factory.whenSynchronized()
        self.assertEqual(self.lines.take(), [])

    async def test_conditions(self) -> None:
        """
        Rows that other conditions bring and take away are told as changes.
        """
        changes: Recorder[Any] = Recorder()
        factory = OvsdbReplicaFactory(
            "Open_vSwitch",
            {"Port": Rows(["name"], where=[["name", "==", "tap1"]])},
            lambda step, cause: changes.record(
                (cause, [(c.before and c.before["name"], c.now and c.now["name"]) for c in step])
            ),
        )
        await self.vsctl("add-br a -- add-port a tap1 -- add-port a tap2")
        self.connect(factory)
        self.assertEqual((await changes.takeSome(1))[0], (Cause.INITIAL, [(None, "tap1")]))
        await factory.changeConditions({"Port": [["name", "==", "tap2"]]})
        cause, told = (await changes.takeSome(1))[0]
        self.assertIs(cause, Cause.UPDATE)
        self.assertEqual(set(told), {("tap1", None), (None, "tap2")})
        await factory.changeConditions({"Port": None})
        cause, told = (await changes.takeSome(1))[0]
        self.assertEqual(sorted(told), [(None, "a"), (None, "tap1")])
        self.assertEqual(len(factory.replica["Port"]), 3)

    async def test_conditionOfValue(self) -> None:
        """
        Values of a replica's rows are values of conditions: texts that are references,
        sets and maps. A value that does not fit leaves the former conditions.
        """
        factory = OvsdbReplicaFactory(
            "Open_vSwitch",
            {"Bridge": ["name", "ports", "fail_mode", "external_ids"], "Port": ["name"]},
            lambda *told: None,
        )
        await self.vsctl(
            "add-br a -- add-br b -- add-port b tap1"
            " -- set Bridge b external_ids:x=y -- set-fail-mode b secure"
        )
        self.connect(factory)
        await factory.whenSynchronized()

        def names(table: str) -> list[Any]:
            return sorted(row["name"] for row in factory.replica[table].values())

        (tap1,) = [u for u, row in factory.replica["Port"].items() if row["name"] == "tap1"]
        (b,) = [row for row in factory.replica["Bridge"].values() if row["name"] == "b"]
        await factory.changeConditions({"Port": [["_uuid", "==", tap1]]})
        self.assertEqual(names("Port"), ["tap1"])
        for where in (
            [["ports", "includes", tap1]],
            [["ports", "==", b["ports"]]],
            [["external_ids", "includes", b["external_ids"]]],
            [["fail_mode", "==", b["fail_mode"]]],
        ):
            await factory.changeConditions({"Bridge": [False]})
            self.assertEqual(names("Bridge"), [])
            await factory.changeConditions({"Bridge": where})
            self.assertEqual(names("Bridge"), ["b"])
        await factory.changeConditions({"Bridge": [["fail_mode", "==", None]]})
        self.assertEqual(names("Bridge"), ["a"])
        for wrong in (["ports", "includes", "tap1"], ["name", "<", "b"]):
            with self.assertRaises(RpcError) as raised:
                await factory.changeConditions({"Bridge": [wrong]})
            self.assertIn("Bridge", str(raised.exception))
        self.assertEqual(names("Bridge"), ["a"])

    async def test_refusedConditions(self) -> None:
        """
        ovsdb-server takes over a part of a change that it refuses. The replica keeps the
        former conditions of each table, also in an outage.
        """
        await self.vsctl("add-br a -- add-port a tap1")
        first: list[Any] = [["name", "==", "a"]]
        tables = {name: Rows(["name"], first) for name in ("Bridge", "Port", "Interface")}
        factory = OvsdbReplicaFactory("Open_vSwitch", tables, lambda step, cause: None)
        self.connect(factory)
        await factory.whenSynchronized()
        other: list[Any] = [["name", "==", "tap1"]]
        for bad in ([["nosuch", "==", 1]], [["name", "==", 1]]):
            for changes in ({"Bridge": bad, "Port": other}, {"Bridge": other, "Port": bad}):
                await self.assertFailure(factory.changeConditions(changes), RpcError)
                # The reply shows what the server has for the other tables.
                for where in (other, first):
                    await factory.changeConditions({"Interface": where})
                names = [[row["name"] for row in t.values()] for t in factory.replica.values()]
                self.assertEqual(names, [["a"], ["a"], ["a"]])
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(self.ovs.startServer)
        await factory.whenSynchronized()
        self.assertEqual(len(factory.replica["Port"]), 1)


class SouthboundTests(TestCase):
    """
    Logical ports of OVN.
    """

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        requireOpenVSwitch(self)
        if not OVN_SCHEMA.exists() or shutil.which("ovn-sbctl") is None:
            absent = "not installed: ovn-central (see tools/install-openvswitch)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        self.ovn = PrivateSouthbound()
        self.addCleanup(deferToThread, self.ovn.stop)
        await deferToThread(self.ovn.start)

    async def test_example(self) -> None:
        """
        The example tells of logical ports that go up and down, also in an outage, and
        nothing of ports of other types.
        """
        ovn, lines = self.ovn, Recorder[str]()
        for port, kind in (("vm1", ""), ("vm2", ""), ("lr0", "patch")):
            await deferToThread(ovn.bind, port, kind)
        await deferToThread(ovn.up, "vm1", True)
        ports = load(CHECKOUT / "examples" / "ovn_ports.py").LogicalPorts(lines.record)
        EndpointConnector(UNIXClientEndpoint(reactor, ovn.unix), ports.factory).connect()
        self.addCleanup(ports.factory.stop)
        self.assertEqual((await lines.takeSome(1))[0], "initial: vm1 up")
        await deferToThread(ovn.up, "lr0", True)
        await deferToThread(ovn.up, "vm2", True)
        self.assertEqual((await lines.takeSome(1))[0], "update: vm2 up")
        await deferToThread(ovn.up, "vm2", False)
        self.assertEqual((await lines.takeSome(1))[0], "update: vm2 down")
        await ports.factory.stop()
        await deferToThread(ovn.up, "vm1", False)
        await deferToThread(ovn.up, "vm2", True)
        EndpointConnector(UNIXClientEndpoint(reactor, ovn.unix), ports.factory).connect()
        self.assertEqual((await lines.takeSome(1))[0], "resync: vm1 down")
        self.assertEqual((await lines.takeSome(1))[0], "resync: vm2 up")
        replica = ports.factory.replica["Port_Binding"]
        self.assertEqual({row["logical_port"] for row in replica.values()}, {"vm1", "vm2"})

    async def test_program(self) -> None:
        """
        The example runs as it stands.
        """
        await deferToThread(self.ovn.bind, "vm1")
        script = str(CHECKOUT / "examples" / "ovn_ports.py")
        program = Program(sys.executable, script, f"unix:{self.ovn.unix}")
        self.addCleanup(program.kill)
        await program.line("in sync")
        await deferToThread(self.ovn.up, "vm1", True)
        self.assertEqual(await program.line("vm1"), "update: vm1 up")
        await program.end("INT")


class Forgetful(KnownTables):
    """
    Asks for everything at each connection.
    """

    @property
    def lastId(self) -> str:
        """
        None.
        """
        return NO_TRANSACTION


class Side:
    """
    One of two replicas that are compared.

    @ivar told: what it was told since the last connection.
    @ivar received: the bytes of the present connection.
    """

    def __init__(self, cluster: PrivateCluster) -> None:
        self.told: list[tuple[Cause, dict[str, RowChange]]] = []
        self.received = 0
        tables = {"Queue": ["external_ids", "other_config", "dscp"]}
        self.factory = OvsdbReplicaFactory("Open_vSwitch", tables, self.changed, members=MEMBERS)
        self._cluster = cluster

    def changed(self, changes: tuple[RowChange, ...], cause: Cause) -> None:
        """
        Keep what is told.
        """
        self.told.append((cause, {change.uuid: change for change in changes}))

    async def connect(self) -> None:
        """
        Connect to one of the members that are up, and wait until it is in sync.
        """
        self.received = 0
        self.told.clear()
        ports = sorted(member.port or 0 for member in self._cluster.up)
        members = ClusterEndpoint(HostnameEndpoint(reactor, "127.0.0.1", p) for p in ports)
        EndpointConnector(members, self.factory).connect()
        await self.factory.whenSynchronized()
        # This fires before anything is told.
        await deferLater(reactor, 0.05)


class ClusterTests(TestCase):
    """
    Replicas of a cluster's database.
    """

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]
        if missing():
            requireOpenVSwitch(self)
        self.cluster = PrivateCluster()
        self.addCleanup(deferToThread, self.cluster.stop)
        await deferToThread(self.cluster.start)

    def operation(self, rng: random.Random) -> dict[str, Any]:
        """
        A random operation on a few rows.
        """
        number = str(rng.randrange(QUEUES + 40))
        where = [["external_ids", "includes", ["map", [["n", number]]]]]
        row: dict[str, Any]
        what = rng.choice(("insert", "update", "update", "mutate", "delete"))
        if what == "insert":
            row = {"external_ids": ["map", [["n", number], ["made", str(rng.random())]]]}
            return {"op": "insert", "table": "Queue", "row": row}
        if what == "update":
            config = ["map", [["k", str(rng.random())]]]
            values = {"dscp": rng.randrange(64), "other_config": config}
            return {"op": "update", "table": "Queue", "where": where, "row": values}
        if what == "mutate":
            pairs = ["map", [[rng.choice("abc"), rng.choice("xyz")]]]
            mutation = ["external_ids", rng.choice(("insert", "delete")), pairs]
            return {"op": "mutate", "table": "Queue", "where": where, "mutations": [mutation]}
        return {"op": "delete", "table": "Queue", "where": where}

    async def test_sinceAndWhole(self) -> None:
        """
        Random outages, in some of which the leader is killed: a replica that asks for
        what has happened since is told the same changes as one that asks for
        everything, and ends with the same rows. It costs a small part of the bytes.
        """
        rng = random.Random(14)
        rows: list[dict[str, object]] = [
            {"op": "insert", "table": "Queue", "row": {
                "external_ids": ["map", [["n", str(n)], ["text", "x" * 20]]]}}
            for n in range(QUEUES)
        ]  # fmt: skip
        cluster = self.cluster
        await deferToThread(cluster.transact, *rows)
        sides = since, whole = [Side(cluster), Side(cluster)]
        whole.factory.monitor._known.__class__ = Forgetful
        original = OvsdbProtocol.dataReceived

        def count(protocol: OvsdbProtocol, data: bytes) -> None:
            for side in sides:
                link = side.factory._link
                if link is not None and link.protocol is protocol:
                    side.received += len(data)
            original(protocol, data)

        self.patch(OvsdbProtocol, "dataReceived", count)
        for side in sides:
            self.addCleanup(side.factory.stop)
            await side.connect()
        found, both = 0, [0, 0]
        for outage in range(OUTAGES):
            for side in sides:
                await side.factory.stop()
            killed = await deferToThread(cluster.leader) if outage % 4 == 3 else None
            if killed is not None:
                await deferToThread(cluster.kill, killed)
                await deferToThread(cluster.leader)
            for _ in range(rng.randrange(6)):
                count_ = rng.randrange(1, 5)
                await deferToThread(cluster.transact, *[self.operation(rng) for _ in range(count_)])
            # A follower may be behind the member that has taken them.
            await deferLater(reactor, 0.2)
            for side in sides:
                await side.connect()
            session: Any = since.factory.monitor._session
            if session.found:
                found += 1
                both[0] += since.received
                both[1] += whole.received
            self.assertEqual(since.told, whole.told, f"outage {outage}")
            self.assertEqual(since.factory.replica, whole.factory.replica)
            if killed is not None:
                await deferToThread(cluster.restart, killed)
        self.assertGreaterEqual(found, OUTAGES // 3)
        # Both have the schema too, some 30 kB.
        self.assertLess(both[0], both[1] * 0.6, f"bytes of {found} resyncs: {both}")
