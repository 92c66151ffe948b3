# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer is told while ovs-vsctl changes a real Open vSwitch.
"""

from __future__ import annotations

from signal import SIGCONT, SIGSTOP

from twisted.internet.threads import deferToThread

from tests.fakes.documented import CHECKOUT, load
from tests.live.support import SCENE, SCENE_KINDS, LiveTestCase, connect, isReady, summaries
from twisted_ovsdb import InterfaceOffline, InterfaceOnline, Synchronized
from twisted_ovsdb.events import Event, InterfaceEvent

ADD_TAP2 = "add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=port-2"


class EventTests(LiveTestCase):
    """
    Tests for one session, from its initial reply on.
    """

    async def begin(self, commands: str = SCENE) -> list[Event]:
        """
        Make a scene, watch it, and take the events up to Synchronized.
        """
        await self.vsctl(commands)
        self.watch()
        return await self.observer.untilSynchronized()

    async def vsctlWhilePaused(self, commands: str) -> None:
        """
        Run ovs-vsctl while ovs-vswitchd is stopped. Otherwise the server may
        report the transactions of both programs in one update.
        """
        self.ovs.signal("ovs-vswitchd", SIGSTOP)
        await self.vsctl(f"--no-wait {commands}")

    def resume(self) -> None:
        """
        Let ovs-vswitchd go on.
        """
        self.ovs.signal("ovs-vswitchd", SIGCONT)

    async def assertEnd(self) -> None:
        """
        Assert that no more events came, and that all events add up to the
        table.
        """
        await self.assertFoldEqualsTable()
        self.assertEqual(summaries(self.observer.take()), [])

    async def test_initial(self) -> None:
        """
        Every interface that exists is told as online, with its kind. Then
        Synchronized names the same interfaces.
        """
        *online, synchronized = await self.begin()
        self.assertCountEqual(
            summaries(online),
            [("online", kind, name, "initial") for name, kind in SCENE_KINDS.items()],
        )
        assert isinstance(synchronized, Synchronized)
        self.assertCountEqual(
            synchronized.interfaces,
            [event.interface for event in online if isinstance(event, InterfaceOnline)],
        )
        self.assertTrue(all(interface.ready for interface in synchronized.interfaces))
        told = {interface.name: interface for interface in synchronized.interfaces}
        self.assertEqual(told["tap1"].iface_id, "port-1")
        self.assertEqual(told["df1"].remote_ip, "192.0.2.1")
        self.assertEqual(told["patch-ex"].peer, "patch-int")
        self.assertEqual(synchronized.source, f"unix:{self.ovs.unix}")
        await self.assertEnd()

    async def test_portAdded(self) -> None:
        """
        A new VM is online before it has an OpenFlow port. When it gets one, it
        is changed.
        """
        await self.begin()
        await self.vsctlWhilePaused(ADD_TAP2)
        (online,) = await self.assertTold(("online", "vm", "tap2", "update"))
        self.assertIsNone(online.interface.ofport)
        self.assertFalse(online.interface.ready)
        self.resume()
        (changed,) = await self.observer.takeSome(1)
        assert isinstance(changed, InterfaceEvent)
        self.assertEqual(
            summaries([changed]),
            [("changed", "vm", "tap2", "update", {"ofport": (None, changed.interface.ofport)})],
        )
        self.assertTrue(changed.interface.ready)
        await self.assertEnd()

    async def test_recipe(self) -> None:
        """
        The port that examples/port.py adds gets its OpenFlow port from
        ovs-vswitchd, and is gone when that program removes it.
        """
        await self.begin()
        port = load(CHECKOUT / "examples" / "port.py")
        protocol = await connect(self, self.ovs.unix)
        await port.addPort(protocol, "br-int", "tap9", "port-9")
        told = await self.observer.until(isReady)
        # A server may tell of both transactions at once: then it comes online ready.
        self.assertEqual(summaries(told[-1:])[0][1:3], ("vm", "tap9"))
        await port.removePort(protocol, "br-int", "tap9")
        (*_, offline) = await self.observer.until(lambda event: isinstance(event, InterfaceOffline))
        self.assertEqual(summaries([offline]), [("offline", "vm", "tap9", "update")])
        self.assertEqual(await self.vsctl("find Port name=tap9"), "")
        await self.assertEnd()

    async def test_portDeleted(self) -> None:
        """
        A removed VM is offline. The event has its latest state.
        """
        await self.begin()
        await self.vsctl("del-port tap1")
        (offline,) = await self.assertTold(("offline", "vm", "tap1", "update"))
        self.assertEqual(offline.interface.iface_id, "port-1")
        self.assertTrue(offline.interface.ready)
        await self.assertEnd()

    async def test_interfaceIDSetLater(self) -> None:
        """
        No event tells of a port without an iface-id. When it gets one, it is
        online as a VM.
        """
        await self.begin()
        await self.vsctl("add-port br-int tap2")
        await self.vsctl("set Interface tap2 external_ids:iface-id=port-2")
        (online,) = await self.assertTold(("online", "vm", "tap2", "update"))
        self.assertTrue(online.interface.ready)
        await self.assertEnd()

    async def test_interfaceIDChanged(self) -> None:
        """
        Another iface-id is another VM: the old one is offline, then the new
        one is online.
        """
        await self.begin()
        await self.vsctl("set Interface tap1 external_ids:iface-id=port-9")
        offline, online = await self.assertTold(
            ("offline", "vm", "tap1", "update"), ("online", "vm", "tap1", "update")
        )
        self.assertEqual(offline.interface.iface_id, "port-1")
        self.assertEqual(online.interface.iface_id, "port-9")
        self.assertEqual(offline.interface.uuid, online.interface.uuid)
        await self.assertEnd()

    async def test_interfaceIDRemoved(self) -> None:
        """
        A port whose iface-id is removed is no longer a VM: it is offline.
        """
        await self.begin()
        await self.vsctl("remove Interface tap1 external_ids iface-id")
        (offline,) = await self.assertTold(("offline", "vm", "tap1", "update"))
        self.assertEqual(offline.interface.iface_id, "port-1")
        await self.assertEnd()

    async def test_otherKeyChanged(self) -> None:
        """
        When another key of external_ids changes, the same VM is changed.
        """
        await self.begin()
        await self.vsctl("set Interface tap1 external_ids:attached-mac=fa\\:16\\:3e\\:00\\:00\\:01")
        before = {"iface-id": "port-1"}
        after = {**before, "attached-mac": "fa:16:3e:00:00:01"}
        (changed,) = await self.assertTold(
            ("changed", "vm", "tap1", "update", {"external_ids": (before, after)})
        )
        self.assertEqual(changed.interface.attached_mac, "fa:16:3e:00:00:01")
        await self.assertEnd()

    async def test_replacedInOneTransaction(self) -> None:
        """
        A port that is removed and added again in one transaction is two
        interfaces with one name. The old one is offline before the new one is
        online.
        """
        await self.begin()
        await self.vsctl(
            "del-port tap1 -- add-port br-int tap1"
            " -- set Interface tap1 external_ids:iface-id=port-1"
        )
        offline, online = await self.assertTold(
            ("offline", "vm", "tap1", "update"), ("online", "vm", "tap1", "update")
        )
        self.assertNotEqual(offline.interface.uuid, online.interface.uuid)
        await self.assertFoldEqualsTable()

    async def test_bridgeDeleted(self) -> None:
        """
        When a bridge is deleted, all its interfaces are offline.
        """
        await self.begin()
        await self.vsctl("del-br br-int")
        gone = ("br-int", "tap1", "df1", "patch-ex")
        events: list[Event] = []
        while len([e for e in events if isinstance(e, InterfaceOffline)]) < len(gone):
            events += await self.observer.until(lambda event: isinstance(event, InterfaceOffline))
        self.assertCountEqual(
            summaries(events), [("offline", SCENE_KINDS[name], name, "update") for name in gone]
        )
        # The other patch port has lost its peer. ovs-vswitchd may write that
        # into its row.
        await self.assertFoldEqualsTable()
        for event in self.observer.take():
            self.assertEqual(summaries([event])[0][:3], ("changed", "patch", "patch-int"))

    async def test_bridgeAdded(self) -> None:
        """
        A new bridge is online, and then gets its OpenFlow port.
        """
        await self.begin()
        await self.vsctlWhilePaused("add-br br-tun")
        await self.assertTold(("online", "bridge", "br-tun", "update"))
        self.resume()
        await self.assertTold(("changed", "bridge", "br-tun", "update", {"ofport": (None, 65534)}))
        await self.assertEnd()

    async def test_typeChanged(self) -> None:
        """
        When the type of a VM's device changes, the same VM is changed.
        """
        await self.begin()
        await self.vsctlWhilePaused("set Interface tap1 type=internal")
        await self.assertTold(("changed", "vm", "tap1", "update", {"type": ("", "internal")}))
        self.resume()
        await self.assertFoldEqualsTable()

    async def test_kindChanged(self) -> None:
        """
        When a new type changes the kind of an interface, it is offline as the
        old kind and then online as the new kind.
        """
        await self.begin()
        await self.vsctl("set Interface tap1 type=geneve options:remote_ip=192.0.2.7")
        offline, online = await self.assertTold(
            ("offline", "vm", "tap1", "update"), ("online", "tunnel", "tap1", "update")
        )
        self.assertEqual(offline.interface.uuid, online.interface.uuid)
        await self.assertFoldEqualsTable()

    async def test_localPort(self) -> None:
        """
        The local port of a bridge stays a bridge, whatever type, options and
        iface-id its row gets.
        """
        await self.begin("add-br sw-b")
        for commands in (
            "set Interface sw-b type=gre options:remote_ip=192.0.2.1",
            "set Interface sw-b type=patch options:peer=other",
            "set Interface sw-b external_ids:iface-id=port-9",
            "remove Interface sw-b external_ids iface-id",
        ):
            await self.vsctl(commands)
        await self.vsctl("set Interface sw-b ofport=-1")
        await self.assertFoldEqualsTable()
        told = {words[0] for words in summaries(self.observer.take())}
        self.assertEqual(told, {"changed"})
        await self.vsctl("del-br sw-b")
        await self.assertTold(("offline", "bridge", "sw-b", "update"))
        await self.assertEnd()

    async def test_localPortWithAnotherType(self) -> None:
        """
        If another type is set in the transaction that creates the bridge, only
        its ofport shows that it is the local port: then it is a bridge.
        """
        await self.begin()
        await self.vsctlWhilePaused(
            "add-br sw-b -- set Interface sw-b type=gre options:remote_ip=192.0.2.1"
        )
        await self.assertTold(("online", "tunnel", "sw-b", "update"))
        self.resume()
        await self.assertTold(
            ("offline", "tunnel", "sw-b", "update"), ("online", "bridge", "sw-b", "update")
        )
        await self.assertFoldEqualsTable()

    async def test_badType(self) -> None:
        """
        A VM with a type that Open vSwitch does not know has an error and no
        OpenFlow port. It is not ready, but it is not offline.
        """
        await self.begin()
        await self.vsctlWhilePaused("set Interface tap1 type=nonsense")
        await self.assertTold(("changed", "vm", "tap1", "update", {"type": ("", "nonsense")}))
        self.resume()
        (changed,) = await self.observer.takeSome(1)
        assert isinstance(changed, InterfaceEvent)
        self.assertEqual(changed.interface.ofport, -1)
        self.assertIn("tap1", changed.interface.error or "")
        self.assertFalse(changed.interface.ready)
        await self.assertEnd()

    async def test_vswitchdKilled(self) -> None:
        """
        When ovs-vswitchd is killed, no row changes and no event is told. A VM
        that is added then has no OpenFlow port until ovs-vswitchd runs again.
        """
        await self.begin("add-br br-int")
        await deferToThread(self.ovs.kill, "ovs-vswitchd")
        await self.vsctl(f"--no-wait {ADD_TAP2}")
        (online,) = await self.assertTold(("online", "vm", "tap2", "update"))
        self.assertIsNone(online.interface.ofport)
        await deferToThread(self.ovs.startVswitchd)
        (changed,) = await self.observer.takeSome(1)
        assert isinstance(changed, InterfaceEvent)
        self.assertEqual(changed.interface.name, "tap2")
        self.assertTrue(changed.interface.ready)
        await self.assertFoldEqualsTable()
