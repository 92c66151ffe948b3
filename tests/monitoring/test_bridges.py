# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for a monitor that knows the bridges, on a server in memory.
"""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import Recorder
from tests.fakes.rows import vm
from twisted_ovsdb import (
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsdbMonitorFactory,
    onlyBridges,
    onlyKinds,
    withoutReplays,
)
from twisted_ovsdb.monitoring.oddities import TORN, OdditiesLog
from twisted_ovsdb.observers.jsonlines import eventToJSON
from twisted_ovsdb.observers.log import describeEvent
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.testing import MemoryServer, connectedFactory


class BridgesTestCase(SynchronousTestCase):
    """
    A server with two bridges, and a port on each.
    """

    def setUp(self) -> None:
        self.server = MemoryServer()
        for number, bridge in ((1, "br-int"), (2, "br-ex")):
            self.server.addBridge(bridge)
            self.server.addPort(bridge, f"tap{number}", iface_id=f"vm-{number}", ofport=1)

    def connect(self, observer: Any, **options: Any) -> OvsdbMonitorFactory:
        """
        A factory that knows the bridges.
        """
        return connectedFactory(self.server, observer, bridges=True, **options)


class EventsTests(BridgesTestCase):
    """
    What observers are told.
    """

    def test_moved(self) -> None:
        """
        A port that moves is one changed event, in the log and in JSON too.
        """
        observer = Recorder()
        factory = self.connect(observer)
        observer.take()
        self.server.movePort("tap1", "br-ex")
        (event,) = observer.events
        assert isinstance(event, InterfaceChanged)
        self.assertEqual((event.previous.bridge, event.interface.bridge), ("br-int", "br-ex"))
        self.assertEqual(
            describeEvent(event), "vm tap1 changed on br-ex: bridge br-int -> br-ex [update]"
        )
        from datetime import datetime, timezone

        value = eventToJSON(event, datetime.now(timezone.utc))
        self.assertEqual(value["changes"], {"bridge": ["br-int", "br-ex"]})
        self.assertEqual(value["interface"]["bridge"], "br-ex")
        self.assertEqual(len(factory.interfaces("vm", bridge="br-ex")), 2)

    def test_torn(self) -> None:
        """
        An interface on several bridges is warned of once, also after more changes and
        in the next session; another one is warned of too.
        """

        def tear(name: str) -> None:
            ports = self.server.tables["Port"]
            (port,) = (key for key, row in ports.items() if row["name"] == name)
            where = [["name", "!=", "no bridge"]]
            change = [["ports", "insert", ["uuid", port]]]
            mutate = {"op": "mutate", "table": "Bridge", "where": where, "mutations": change}
            self.server.transact(mutate)

        factory = self.connect(Recorder())
        with capturedLogs() as logs:
            tear("tap1")
            self.server.setInterface("tap1", ofport=7)
            self.server.restart()
            self.server.advance(10)
            self.assertTrue(factory.monitor.inSync)
            tear("tap2")
            for name in ("tap1", "tap2"):
                self.server.setInterface(name, ofport=8)
        torn = [log for log in logs if "several bridges" in log["log_format"]]
        self.assertEqual(
            [(log["name"], log["bridges"], log["log_level"]) for log in torn],
            [
                ("tap1", "br-ex, br-int", LogLevel.warn),
                ("tap2", "br-ex, br-int", LogLevel.warn),
            ],
        )

    def test_manyTorn(self) -> None:
        """
        However many interfaces are on several bridges, the names of no more than a
        hundred are kept, and each of them is warned of.
        """
        names = [f"tap{number}" for number in range(TORN * 3)]
        present = Present({name: attrs.evolve(vm(1), name=name) for name in names})
        oddities = OdditiesLog(present, bridges=True)
        with capturedLogs() as logs:
            for name in names:
                oddities.torn({name: ("br-a", "br-b")})
                oddities.torn({name: ("br-a", "br-b")})
                self.assertLessEqual(len(oddities._torn), TORN)
        self.assertEqual([log["name"] for log in logs], names)

    def test_movedInAnOutage(self) -> None:
        """
        A port that has moved during an outage is changed too, and again when it
        moves back.
        """
        observer = Recorder()
        self.connect(observer, replay=False)
        observer.take()
        self.server.kill()
        self.server.movePort("tap1", "br-ex")
        self.server.start()
        self.server.advance(10)
        self.assertEqual(
            observer.take()[1:], [("changed", "vm", "tap1", "resync"), ("synchronized", "resync")]
        )
        # What differs from now on differs from what there was after the outage.
        self.server.movePort("tap1", "br-int")
        (moved,) = observer.events
        assert isinstance(moved, InterfaceChanged)
        self.assertEqual((moved.previous.bridge, moved.interface.bridge), ("br-ex", "br-int"))

    def test_exact(self) -> None:
        """
        A bridge is the interface with the name of its bridge, in whatever state;
        an internal port or a fake bridge is none.
        """
        self.server.addBridge("lan", type="gre", options={"remote_ip": "192.0.2.1"})
        self.server.addPort("br-int", "br-vlan10", type="internal")
        self.server.addFakeBridge("br-fake", "br-int", 7)
        factory = self.connect(Recorder())
        names = {row.name for row in factory.interfaces(InterfaceKind.BRIDGE)}
        self.assertEqual(names, {"br-int", "br-ex", "lan"})

    def test_bond(self) -> None:
        """
        All interfaces of a bond are on its bridge.
        """
        factory = self.connect(Recorder())
        self.server.addBond("br-ex", "bond0", ["e0", "e1"])
        self.server.setInterface("e0", external_ids={"iface-id": "x"})
        self.assertEqual(
            {row.name for row in factory.interfaces("vm", bridge="br-ex")}, {"tap2", "e0"}
        )

    def test_notAsked(self) -> None:
        """
        Without C{bridges}, no interface has a bridge, and questions about bridges
        are refused.
        """
        factory = connectedFactory(self.server, Recorder())
        self.assertEqual({row.bridge for row in factory.interfaces()}, {None})
        self.assertRaises(ValueError, factory.interfaces, bridge="br-int")
        self.assertRaises(ValueError, factory.interfaceByOfport, "br-int", 1)

    def test_byOfport(self) -> None:
        """
        An OpenFlow port is looked up on its bridge, also after it has moved.
        """
        factory = self.connect(Recorder())
        self.assertEqual(self.named(factory.interfaceByOfport("br-int", 1)), "tap1")
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 1)), "tap2")
        self.server.setInterface("tap1", ofport=7)
        self.assertIsNone(factory.interfaceByOfport("br-int", 1))
        self.server.movePort("tap1", "br-ex")
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 7)), "tap1")
        self.assertIsNone(factory.interfaceByOfport("br-int", 7))

    def test_byOfportWhileMoving(self) -> None:
        """
        A port that has moved has its old number until it gets another one. The number
        means the port that had it on this bridge before, also if that has no kind,
        and if nothing was asked before the move.
        """
        factory = self.connect(Recorder())
        self.server.addPort("br-ex", "eth0", ofport=5)
        self.server.addPort("br-int", "tap5", iface_id="vm-5", ofport=5)
        self.server.movePort("tap5", "br-ex")
        self.assertIsNone(factory.interfaceByOfport("br-ex", 5))
        self.server.movePort("tap1", "br-ex")
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 1)), "tap2")
        # Moved there and back again: it has gone last.
        self.server.movePort("tap2", "br-int")
        self.server.movePort("tap2", "br-ex")
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 1)), "tap1")
        self.server.assignOfport("tap2", 2)
        self.server.assignOfport("tap2", 1)
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 1)), "tap2")
        self.server.deletePort("tap2")
        self.assertEqual(self.named(factory.interfaceByOfport("br-ex", 1)), "tap1")

    def test_byOfportUnknown(self) -> None:
        """
        Who begins while two ports have one number does not know which one it means,
        in whichever order they come. Later it does.
        """
        self.server.movePort("tap1", "br-ex")
        for name, bridge in (("tap4", "br-ex"), ("tap3", "br-int")):
            self.server.addPort(bridge, name, iface_id=name, ofport=4)
        self.server.movePort("tap3", "br-ex")
        factory = self.connect(Recorder())
        self.assertIsNone(factory.interfaceByOfport("br-ex", 1))
        self.assertIsNone(factory.interfaceByOfport("br-ex", 4))
        self.server.assignOfport("tap1", 2)
        self.server.assignOfport("tap3", 3)
        names = [self.named(factory.interfaceByOfport("br-ex", n)) for n in (1, 2, 3, 4)]
        self.assertEqual(names, ["tap2", "tap1", "tap3", "tap4"])

    def test_byOfportFailed(self) -> None:
        """
        The -1 of ports that failed is no OpenFlow port.
        """
        factory = self.connect(Recorder())
        self.server.addPort("br-int", "bad", iface_id="vm-9", ofport=-1, error="no device")
        self.assertIsNone(factory.interfaceByOfport("br-int", -1))

    def named(self, interface: Any) -> str:
        """
        The name of an interface.
        """
        return str(interface.name)

    def test_oldServer(self) -> None:
        """
        A server that does not know C{monitor_cond} is asked by C{monitor}. One
        warning says what this costs.
        """
        self.server.forgetMethods("monitor_cond", "monitor_cond_since")
        with capturedLogs() as logs:
            factory = self.connect(Recorder())
            self.server.restart()
            self.server.advance(10)
        lines = [log["log_format"].format(**log) for log in logs]
        warnings = [line for line in lines if "too old for monitor_cond" in line]
        self.assertEqual(len(warnings), 1, lines)
        self.assertIn("each new port costs as many bytes as its bridge has ports", warnings[0])
        (tap1,) = factory.interfaces("vm", bridge="br-int")
        self.assertEqual(tap1.name, "tap1")
        with capturedLogs() as logs:
            connectedFactory(self.server, Recorder(), method="monitor_cond")
        (line,) = [log["log_format"].format(**log) for log in logs if "cost" in log]
        self.assertIn("each change costs the whole row of the interface", line)

    def test_methods(self) -> None:
        """
        C{method} chooses the request; something else is refused.
        """
        for method in ("monitor", "monitor_cond"):
            factory = self.connect(Recorder(), method=method)
            self.assertEqual(len(factory.interfaces("vm", bridge="br-int")), 1)
        self.assertRaises(ValueError, OvsdbMonitorFactory, method="monitor_all")


class ViewsTests(BridgesTestCase):
    """
    Observers of some bridges, and of some kinds.
    """

    def test_onlyBridges(self) -> None:
        """
        A port that moves away goes offline, one that moves here comes online.
        """
        observer = Recorder()
        self.connect(onlyBridges(observer, "br-i*"))
        self.assertEqual(
            observer.take(),
            [
                ("online", "bridge", "br-int", "initial"),
                ("online", "vm", "tap1", "initial"),
                ("synchronized", "initial"),
            ],
        )
        self.server.movePort("tap1", "br-ex")
        self.assertEqual(observer.take(), [("offline", "vm", "tap1", "update")])
        self.server.setInterface("tap1", ofport=9)
        self.assertEqual(observer.take(), [])
        self.server.movePort("tap2", "br-int")
        self.assertEqual(observer.take(), [("online", "vm", "tap2", "update")])

    def test_swap(self) -> None:
        """
        Two ports that change places are offline, then online: not as the
        transaction has them.
        """
        one, two = Recorder(), Recorder()
        factory = self.connect(onlyBridges(one, "br-int"))
        factory.addObserver(onlyKinds(onlyBridges(two, "br-ex"), "vm"))
        self.server.advance(0)
        one.take()
        two.take()
        bridges = {row["name"]: row for row in self.server.tables["Bridge"].values()}
        ints, exs = (bridges[name]["ports"] for name in ("br-int", "br-ex"))
        ports = {row["name"]: uuid for uuid, row in self.server.tables["Port"].items()}
        swapped = {ports["tap1"], ports["tap2"]}
        self.server.transact(
            *(
                {
                    "op": "update",
                    "table": "Bridge",
                    "where": [["name", "==", name]],
                    "row": {"ports": ["set", [["uuid", uuid] for uuid in its ^ swapped]]},
                }
                for name, its in (("br-int", ints), ("br-ex", exs))
            )
        )
        self.assertEqual(
            one.take(), [("offline", "vm", "tap1", "update"), ("online", "vm", "tap2", "update")]
        )
        self.assertEqual(
            two.take(), [("offline", "vm", "tap2", "update"), ("online", "vm", "tap1", "update")]
        )

    def test_inOtherObservers(self) -> None:
        """
        A view that an observer of the user calls passes on what it lets through:
        a move is then offline or online too.
        """
        inner = Recorder()
        view = withoutReplays(onlyBridges(inner, "br-int"))

        class Forwarding:
            def eventReceived(self, event: Any) -> Any:
                return view.eventReceived(event)

        self.connect(Forwarding())
        inner.take()
        self.server.movePort("tap1", "br-ex")
        self.server.movePort("tap2", "br-int")
        self.server.setInterface("tap2", ofport=4)
        offline, online, changed = inner.events
        self.assertIsInstance(offline, InterfaceOffline)
        self.assertIsInstance(online, InterfaceOnline)
        self.assertIsInstance(changed, InterfaceChanged)
        inner.take()
        self.server.restart()
        self.server.advance(10)
        self.assertEqual([told[0] for told in inner.take()], ["disconnected", "synchronized"])

    def test_refused(self) -> None:
        """
        No bridge, or something that is no name, is refused.
        """
        wrong: Any = 5
        self.assertRaises(ValueError, onlyBridges, Recorder())
        self.assertRaises(ValueError, onlyBridges, Recorder(), "br-int", "")
        self.assertRaises(TypeError, onlyBridges, Recorder(), wrong)
        self.assertRaises(TypeError, onlyBridges, wrong, "br-int")

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["add", "move", "delete", "ofport", "ids", "restart"]),
                st.integers(1, 5),
                st.sampled_from(["br-int", "br-ex"]),
            ),
            max_size=15,
        )
    )
    def test_random(self, steps: list[tuple[str, int, str]]) -> None:
        """
        After any changes, an observer of one bridge and of one kind knows exactly
        what is there, and no event contradicts the others.
        """
        self.setUp()
        recorder = Recorder()
        factory = self.connect(onlyKinds(onlyBridges(recorder, "br-int"), "vm"))
        for what, number, bridge in steps:
            name = f"tap{number}"
            exists = any(row["name"] == name for row in self.server.tables["Interface"].values())
            if what == "restart":
                self.server.restart()
                self.server.advance(10)
            elif what == "add" and not exists:
                self.server.addPort(bridge, name, iface_id="x")
            elif not exists:
                continue
            elif what == "move":
                self.server.movePort(name, bridge)
            elif what == "delete":
                self.server.deletePort(name)
            elif what == "ofport":
                self.server.setInterface(name, ofport=number)
            elif what == "ids":
                ids = {} if bridge == "br-ex" else {"iface-id": bridge}
                self.server.setInterface(name, external_ids=ids)
        fold = Fold()
        for event in recorder.events:
            fold.receive(event)
        expected = {row.uuid: row for row in factory.interfaces("vm", bridge="br-int")}
        self.assertEqual(fold.interfaces, expected)
