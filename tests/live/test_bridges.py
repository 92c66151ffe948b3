# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
On which bridge each interface is, while ovs-vsctl changes a real Open vSwitch.
"""

from __future__ import annotations

from tests.live.bridgescase import BridgesTestCase
from tests.live.support import RecordingObserver, foldOf, summaries
from twisted_ovsdb import InterfaceChanged, onlyBridges
from twisted_ovsdb.events import InterfaceEvent

ADD = "add-port {bridge} {name} -- set Interface {name} external_ids:iface-id=of-{name}"


class BridgesTests(BridgesTestCase):
    """
    Tests for one session, from its initial reply on.
    """

    async def begin(self, commands: str = "add-br br-int -- add-br br-ex") -> None:
        """
        Make a scene, and watch it.
        """
        await self.vsctl(commands)
        self.factory = self.watch(bridges=True)
        await self.observer.untilSynchronized()
        await self.assertPlaced()
        self.observer.take()

    async def add(self, bridge: str, name: str) -> None:
        """
        Add the port of a VM, and wait for its OpenFlow port.
        """
        await self.vsctl(ADD.format(bridge=bridge, name=name))
        await self.assertPlaced()
        told = self.observer.take()
        self.assertEqual(summaries(told)[0], ("online", "vm", name, "update"))
        for event in told:
            assert isinstance(event, InterfaceEvent)
            self.assertEqual(event.interface.bridge, bridge)

    async def test_initial(self) -> None:
        """
        The initial reply has the bridges.
        """
        await self.vsctl("add-br br-int")
        await self.vsctl(ADD.format(bridge="br-int", name="tap1"))
        factory = self.watch(bridges=True)
        told = await self.observer.untilSynchronized()
        self.assertEqual(
            {(e.interface.name, e.interface.bridge) for e in told if isinstance(e, InterfaceEvent)},
            {("br-int", "br-int"), ("tap1", "br-int")},
        )
        await self.assertPlaced()
        (tap1,) = factory.interfaces("vm", bridge="br-int")
        assert tap1.ofport is not None
        self.assertEqual(factory.interfaceByOfport("br-int", tap1.ofport), tap1)
        self.assertIsNone(factory.interfaceByOfport("br-ex", tap1.ofport))

    async def test_moved(self) -> None:
        """
        A port that moves in one transaction is one changed event, which names
        both bridges.
        """
        await self.begin()
        await self.add("br-int", "tap1")
        port = (await self.vsctl("get Port tap1 _uuid")).strip()
        await self.vsctl(f"remove Bridge br-int ports {port} -- add Bridge br-ex ports {port}")
        await self.assertPlaced()
        told = [event for event in self.observer.take() if isinstance(event, InterfaceChanged)]
        moved = [e for e in told if e.previous.bridge != e.interface.bridge]
        self.assertEqual(
            [(e.interface.name, e.previous.bridge, e.interface.bridge) for e in moved],
            [("tap1", "br-int", "br-ex")],
        )

    async def test_nameReused(self) -> None:
        """
        A port that is removed, and added to another bridge under the same name
        in one transaction, is another interface.
        """
        await self.begin()
        await self.add("br-int", "tap1")
        await self.vsctl(f"del-port tap1 -- {ADD.format(bridge='br-ex', name='tap1')}")
        await self.assertPlaced()
        offline, online, *_ = self.observer.take()
        assert isinstance(offline, InterfaceEvent)
        assert isinstance(online, InterfaceEvent)
        self.assertEqual((offline.interface.bridge, online.interface.bridge), ("br-int", "br-ex"))

    async def test_bridgeDeleted(self) -> None:
        """
        With a bridge, all its interfaces go; each was last on that bridge.
        """
        await self.begin()
        await self.add("br-int", "tap1")
        await self.vsctl("del-br br-int")
        await self.assertPlaced()
        told = self.observer.take()
        self.assertEqual({words[0] for words in summaries(told)}, {"offline"})
        bridges = {e.interface.bridge for e in told if isinstance(e, InterfaceEvent)}
        self.assertEqual(bridges, {"br-int"})

    async def test_bond(self) -> None:
        """
        All interfaces of a bond are on its bridge.
        """
        await self.begin()
        await self.vsctl(
            "add-bond br-ex bond0 e0 e1 -- set Interface e0 external_ids:iface-id=a"
            " -- set Interface e1 external_ids:iface-id=b"
        )
        await self.assertPlaced()
        names = {row.name for row in self.factory.interfaces("vm", bridge="br-ex")}
        self.assertEqual(names, {"e0", "e1"})

    async def test_fakeBridge(self) -> None:
        """
        A fake bridge is no bridge, nor is an internal port whose name begins as
        that of a bridge. Both are on the real bridge.
        """
        await self.begin()
        await self.vsctl("add-br br-fake br-int 7")
        await self.vsctl(
            "add-port br-int br-net1-vlan10 -- set Interface br-net1-vlan10 type=internal"
        )
        await self.assertPlaced()
        self.assertEqual(self.observer.take(), [])
        await self.vsctl("set Interface br-fake external_ids:iface-id=x")
        await self.assertPlaced()
        (fake,) = self.factory.interfaces("vm")
        self.assertEqual((fake.name, fake.bridge), ("br-fake", "br-int"))

    async def test_patchPair(self) -> None:
        """
        Each end of a pair of patch ports is on its own bridge.
        """
        await self.begin()
        await self.vsctl(
            "add-port br-int p1 -- set Interface p1 type=patch options:peer=p2"
            " -- add-port br-ex p2 -- set Interface p2 type=patch options:peer=p1"
        )
        await self.assertPlaced()
        found = {(row.name, row.bridge) for row in self.factory.interfaces("patch")}
        self.assertEqual(found, {("p1", "br-int"), ("p2", "br-ex")})

    async def test_localPort(self) -> None:
        """
        A local port that has a foreign type from its first transaction on is a
        bridge, and never told as anything else.
        """
        await self.begin()
        await self.vsctl("add-br sw-b -- set Interface sw-b type=gre options:remote_ip=192.0.2.1")
        await self.assertPlaced()
        self.assertEqual({words[1] for words in summaries(self.observer.take())}, {"bridge"})
        await self.vsctl("set Interface sw-b type=patch options:peer=x external_ids:iface-id=y")
        await self.vsctl("set Interface sw-b ofport=-1")
        await self.assertPlaced()
        self.assertEqual(
            {words[:2] for words in summaries(self.observer.take())}, {("changed", "bridge")}
        )

    async def test_trunk(self) -> None:
        """
        Three bridges with patch ports between them get other names: each is
        removed and added again, with its ports.
        """
        await self.begin("add-br b1 -- add-br b2 -- add-br b3")

        def ports(a: str, b: str) -> str:
            return (
                f"add-port {a} {a}-{b} -- set Interface {a}-{b} type=patch options:peer={b}-{a}"
                f" -- add-port {b} {b}-{a} -- set Interface {b}-{a} type=patch options:peer={a}-{b}"
            )

        await self.vsctl(f"{ports('b1', 'b2')} -- {ports('b2', 'b3')}")
        await self.assertPlaced()
        await self.vsctl(
            "del-br b1 -- del-br b2 -- del-br b3 -- add-br c1 -- add-br c2 -- add-br c3"
            f" -- {ports('c1', 'c2')} -- {ports('c2', 'c3')}"
        )
        await self.assertPlaced()
        self.assertEqual(len(self.factory.interfaces("patch", bridge="c2")), 2)

    async def test_renamed(self) -> None:
        """
        The bridges of a port are exchanged under it: two ports swap bridges in
        one transaction, and observers of one bridge are told offline before
        online.
        """
        await self.begin()
        await self.add("br-int", "tap1")
        await self.add("br-ex", "tap2")
        watching = RecordingObserver()
        self.factory.addObserver(onlyBridges(watching, "br-int"))
        await watching.untilSynchronized()
        one, two = [(await self.vsctl(f"get Port tap{n} _uuid")).strip() for n in (1, 2)]
        await self.vsctl(
            f"remove Bridge br-int ports {one} -- add Bridge br-int ports {two}"
            f" -- remove Bridge br-ex ports {two} -- add Bridge br-ex ports {one}"
        )
        await self.assertPlaced()
        told = summaries(watching.take())
        self.assertEqual(
            [words for words in told if words[0] != "changed"],
            [("offline", "vm", "tap1", "update"), ("online", "vm", "tap2", "update")],
        )
        fold = {row.name for row in foldOf(watching.everything).values()}
        self.assertEqual(fold, {"br-int", "tap2"})

    async def test_torn(self) -> None:
        """
        A port in two bridges, which the schema allows, is on the one with the
        least name, and one warning says so.
        """
        await self.begin("add-br br-a -- add-br br-b")
        await self.add("br-b", "tap1")
        port = (await self.vsctl("get Port tap1 _uuid")).strip()
        self.log.take()
        await self.vsctl(f"--no-wait add Bridge br-a ports {port}")
        await self.observer.until(
            lambda event: isinstance(event, InterfaceChanged) and event.interface.bridge == "br-a"
        )
        (line,) = await self.log.takeSome(1)
        self.assertIn("interface tap1 is on several bridges: br-a, br-b; the first one", line)
