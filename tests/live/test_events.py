# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What an observer is told while a real Open vSwitch is driven by ovs-vsctl.
"""

from __future__ import annotations

from signal import SIGCONT, SIGSTOP

from twisted.internet.threads import deferToThread

from tests.live.support import SCENE, SCENE_KINDS, LiveTestCase, summaries
from twisted_ovsdb import InterfaceOffline, InterfaceOnline, Synchronized
from twisted_ovsdb.events import Event, InterfaceEvent

ADD_TAP2 = "add-port br-int tap2 -- set Interface tap2 external_ids:iface-id=port-2"


class EventTests(LiveTestCase):
    """
    One session, from the first reply on.
    """

    async def begin(self, commands: str = SCENE) -> list[Event]:
        """
        Make a scene, watch it, and take what is told of it.
        """
        await self.vsctl(commands)
        self.watch()
        return await self.observer.untilSynchronized()

    async def vsctlWhilePaused(self, commands: str) -> None:
        """
        Run ovs-vsctl while ovs-vswitchd is held up: otherwise the server may
        tell both programs' transactions in one update.
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
        Nothing more came, and the events add up to the table.
        """
        await self.assertFoldEqualsTable()
        self.assertEqual(summaries(self.observer.take()), [])

    async def test_initial(self) -> None:
        """
        Every interface that exists is online, by its kind; then the snapshot
        is complete and names the same interfaces.
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
        A new VM is online without an OpenFlow port, which it then gets.
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

    async def test_portDeleted(self) -> None:
        """
        A removed VM is offline, and is told as it was last.
        """
        await self.begin()
        await self.vsctl("del-port tap1")
        (offline,) = await self.assertTold(("offline", "vm", "tap1", "update"))
        self.assertEqual(offline.interface.iface_id, "port-1")
        self.assertTrue(offline.interface.ready)
        await self.assertEnd()

    async def test_interfaceIDSetLater(self) -> None:
        """
        A port without an iface-id is nobody's business until it has one.
        """
        await self.begin()
        await self.vsctl("add-port br-int tap2")
        await self.vsctl("set Interface tap2 external_ids:iface-id=port-2")
        (online,) = await self.assertTold(("online", "vm", "tap2", "update"))
        self.assertTrue(online.interface.ready)
        await self.assertEnd()

    async def test_interfaceIDChanged(self) -> None:
        """
        Another iface-id is another VM: the old is offline, the new online.
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
        Without its iface-id, a port is a VM no longer.
        """
        await self.begin()
        await self.vsctl("remove Interface tap1 external_ids iface-id")
        (offline,) = await self.assertTold(("offline", "vm", "tap1", "update"))
        self.assertEqual(offline.interface.iface_id, "port-1")
        await self.assertEnd()

    async def test_otherKeyChanged(self) -> None:
        """
        Another external_id of a VM is a change of the same VM.
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
        A port that is removed and made anew at once is two interfaces under
        one name: the old is offline before the new is online.
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
        With a bridge, all its interfaces go offline.
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
        # The other patch port has lost its peer, which ovs-vswitchd may tell.
        await self.assertFoldEqualsTable()
        for event in self.observer.take():
            self.assertEqual(summaries([event])[0][:3], ("changed", "patch", "patch-int"))

    async def test_bridgeAdded(self) -> None:
        """
        A new bridge is online, and gets its local port.
        """
        await self.begin()
        await self.vsctlWhilePaused("add-br br-tun")
        await self.assertTold(("online", "bridge", "br-tun", "update"))
        self.resume()
        await self.assertTold(("changed", "bridge", "br-tun", "update", {"ofport": (None, 65534)}))
        await self.assertEnd()

    async def test_typeChanged(self) -> None:
        """
        A VM whose device has another type is the same VM, changed.
        """
        await self.begin()
        await self.vsctlWhilePaused("set Interface tap1 type=internal")
        await self.assertTold(("changed", "vm", "tap1", "update", {"type": ("", "internal")}))
        self.resume()
        await self.assertFoldEqualsTable()

    async def test_kindChanged(self) -> None:
        """
        A type that makes another kind of an interface: it is offline as what
        it was and online as what it is.
        """
        await self.begin()
        await self.vsctl("set Interface tap1 type=geneve options:remote_ip=192.0.2.7")
        offline, online = await self.assertTold(
            ("offline", "vm", "tap1", "update"), ("online", "tunnel", "tap1", "update")
        )
        self.assertEqual(offline.interface.uuid, online.interface.uuid)
        await self.assertFoldEqualsTable()

    async def test_badType(self) -> None:
        """
        A type that Open vSwitch does not know leaves the VM without a port and
        with an error: not ready, but not offline.
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
        The end of ovs-vswitchd changes no row and tells nothing; a VM that is
        added meanwhile has no OpenFlow port until it is back.
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
