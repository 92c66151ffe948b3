# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What the programs of examples/ do to a real Open vSwitch.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.threads import deferToThread

from tests.fakes.documented import CHECKOUT, load
from tests.live.bridgescase import BridgesTestCase
from tests.live.support import Recorder, connect
from twisted_ovsdb import DatabaseReplica, OvsdbMonitorFactory
from twisted_ovsdb.database.tables import RowChange

SCENE = (
    "add-br br-int"
    " -- add-port br-int tap1"
    " -- set Interface tap1 external_ids:iface-id=port-1 ofport_request=11"
    " -- add-port br-int tap2"
    " -- set Interface tap2 external_ids:iface-id=port-2 ofport_request=12"
)

SWAPPED = "set Interface tap1 ofport_request=12 -- set Interface tap2 ofport_request=11"


def example(name: str) -> Any:
    """
    The module of an example.
    """
    return load(CHECKOUT / "examples" / name)


class FlowsTestCase(BridgesTestCase):
    """
    Runs flows.py, and gives the switch what it prints.
    """

    async def begin(self) -> OvsdbMonitorFactory:
        """
        Install the flows of two VMs.
        """
        await self.vsctl(SCENE)
        self.written: list[str] = []
        factory = self.watch(bridges=True)
        self.flows = example("flows.py").Flows(factory.interfaceByOfport, self.written.append)
        factory.addObserver(self.flows)
        await self.observer.untilSynchronized()
        await self.assertInstalled(tap1=11, tap2=12)
        return factory

    async def ofctl(self, command: str, bridge: str, *arguments: str) -> str:
        """
        Run ovs-ofctl on a bridge.
        """
        place = f"unix:{self.ovs.folder}/{bridge}.mgmt"
        return await deferToThread(self.ovs.run, "ovs-ofctl", command, place, *arguments)

    async def installed(self, bridge: str = "br-int") -> dict[int, int]:
        """
        The cookies of the flows in a bridge, by the port that they match.
        """
        text = await self.ofctl("dump-flows", bridge)
        found = re.findall(r"cookie=(0x\w+),.*in_port=\"?(\w+)\"?", text)
        ofports = {i.name: i.ofport for i in (await self.placed()).values()}
        return {ofports.get(port) or int(port): int(cookie, 16) for cookie, port in found}

    async def assertInstalled(self, bridge: str = "br-int", **ofports: int) -> None:
        """
        Carry out the instructions. Assert that the bridge has a flow for each of
        these VMs, at this OpenFlow port, and no others.
        """
        await self.assertPlaced()
        while self.written:
            command, *arguments = self.written.pop(0).split(" ")
            if command != "in":  # sync
                await self.ofctl(command, *arguments)
        table = {i.name: i for i in (await self.placed()).values()}
        cookie = example("flows.py").cookie
        wanted = {ofport: int(cookie(table[name]), 16) for name, ofport in ofports.items()}
        self.assertEqual(await self.installed(bridge), wanted)


class FlowsTests(FlowsTestCase):
    """
    The flows that are in the switch in the end.
    """

    async def test_swap(self) -> None:
        """
        Two VMs exchange their ports in one transaction, also while the program is
        not connected. Each has the flow of its new port.
        """
        factory = await self.begin()
        await self.vsctl(SWAPPED)
        await self.assertInstalled(tap1=12, tap2=11)
        await factory.stop()
        self.observer.take()
        await self.vsctl(
            "set Interface tap1 ofport_request=11 -- set Interface tap2 ofport_request=12"
        )
        self.connect(factory)
        await self.observer.untilSynchronized()
        await self.assertInstalled(tap1=11, tap2=12)
        await self.vsctl("del-port tap1")
        await self.assertInstalled(tap2=12)

    async def test_moved(self) -> None:
        """
        A VM moves to another bridge, on which another one has its number, and back to
        the first, on which the number is free. No flow is lost.
        """
        await self.begin()
        await self.vsctl(
            "add-br br-ex -- add-port br-ex tap3"
            " -- set Interface tap3 external_ids:iface-id=port-3 ofport_request=11"
        )
        await self.assertInstalled("br-ex", tap3=11)
        port = (await self.vsctl("get Port tap1 _uuid")).strip()
        await self.vsctl(f"remove Bridge br-int ports {port} -- add Bridge br-ex ports {port}")
        await self.assertInstalled("br-int", tap2=12)
        (tap1,) = [row for row in (await self.placed()).values() if row.name == "tap1"]
        assert tap1.ofport is not None
        self.assertNotIn(tap1.ofport, (11, -1))
        await self.assertInstalled("br-ex", tap1=tap1.ofport, tap3=11)
        await self.vsctl(f"remove Bridge br-ex ports {port} -- add Bridge br-int ports {port}")
        await self.assertInstalled("br-ex", tap3=11)
        await self.assertInstalled("br-int", tap1=11, tap2=12)


class RestartTests(FlowsTestCase):
    """
    ovs-vswitchd is killed and started again.
    """

    async def restart(self) -> None:
        """
        Kill ovs-vswitchd, start it again, and wait until it has read the database.
        """
        await deferToThread(self.ovs.kill, "ovs-vswitchd")
        await deferToThread(self.ovs.startVswitchd)
        await self.vsctl("set Bridge br-int external_ids:restarted=yes")

    async def test_nothingSaysSo(self) -> None:
        """
        All flows are gone, and nothing in the database says so: only what the port
        is now (its MAC) and its counters. What was installed can be installed again.
        """
        factory = await self.begin()
        protocol = await connect(self, self.ovs.unix)
        schema = await protocol.getSchema("Open_vSwitch")
        changes: list[RowChange] = []
        await protocol.follow(DatabaseReplica(schema), "all", changes.extend)
        await self.restart()
        await protocol.echo()
        changed = [
            f"{change.table}.{column}"
            for change in changes
            for column in change.now or {"deleted": None}
            if change.before is None or change.before[column] != (change.now or {}).get(column)
        ]
        byTheTest = ["Bridge.external_ids", "Open_vSwitch.cur_cfg", "Open_vSwitch.next_cfg"]
        counters = ("Interface.mac_in_use", "Interface.statistics")
        self.assertCountEqual([name for name in changed if name not in counters], byTheTest)
        self.assertEqual(await self.installed(), {})
        self.assertEqual(self.observer.take(), [])
        self.flows.forget()
        factory.replayTo(self.flows)
        await self.assertInstalled(tap1=11, tap2=12)

    async def test_statistics(self) -> None:
        """
        restarts.py tells a restart from the statistics, if they are enabled.
        """
        await self.vsctl("add-br br-int")
        module = example("restarts.py")
        said: Recorder[str] = Recorder()
        rows: Recorder[RowChange] = Recorder()
        protocol = await connect(self, self.ovs.unix)
        await module.Restarts(said.record).follow(protocol)
        self.assertIn("enable-statistics=true", (await said.takeSome(1))[0])
        replica = DatabaseReplica(await protocol.getSchema("Open_vSwitch"), ["Open_vSwitch"])
        await protocol.follow(replica, "rows", lambda changes: [*map(rows.record, changes)])
        await self.vsctl("set Open_vSwitch . other_config:enable-statistics=true")
        self.assertIn("has been running for", (await said.takeSome(1))[0])
        # Wait until it is said that it has been running for longer than a start takes.
        await rows.until(lambda change: (module.uptime(change.now) or 0) > 5000)
        await self.restart()
        self.assertEqual(await said.takeSome(1), ["ovs-vswitchd has restarted"])
