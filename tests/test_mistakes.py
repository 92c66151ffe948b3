# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Mistakes that are easy to make, and that would otherwise be silent: each raises at
once, and its text says what was meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import (
    ClusterEndpoint,
    EndpointConnector,
    InterfaceKind,
    InterfaceMonitor,
    OvsdbEventObserver,
    OvsdbListenerFactory,
    OvsdbListenService,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    clientFromRemote,
    onlyKinds,
    serverFromRemote,
    withoutReplays,
)
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

REACTOR: Any = MemoryReactorClock()

ANY: Any = object()


class Ports(OvsdbEventObserver):
    """
    An observer of an application.
    """


def factory(*arguments: Any, **options: Any) -> Any:
    """
    A factory that does not connect.
    """
    return OvsdbMonitorFactory(*arguments, **{"clock": Clock(), **options})


def subclass(**methods: Any) -> type:
    """
    A subclass of the base class with these methods.
    """
    return type("Mine", (OvsdbEventObserver,), methods)


def method(self: object, event: object) -> None:
    """
    A method of an observer.
    """


class MistakesTests(SynchronousTestCase):
    """
    Each mistake, and the words that its error has.
    """

    def assertSays(self, words: str, mistake: Callable[..., object], *arguments: Any) -> None:
        """
        Assert that a mistake raises, and what the error says.
        """
        fault = self.assertRaises((TypeError, ValueError), mistake, *arguments)
        self.assertIn(words, str(fault))

    def test_classForInstance(self) -> None:
        """
        A class stands in the place of an observer, or one observer in the place
        of several.
        """
        pass_: Any = Ports
        for make in (factory, OvsdbListenerFactory, InterfaceMonitor):
            self.assertSays("not a class: pass Ports(...)", make, [pass_])
            self.assertSays("observers must be a list, such as [Ports()]", make, Ports())
            self.assertSays("observers must be a list, such as [Ports()]", make, pass_)
            self.assertSays("observers must be a list", make, "Ports")
        self.assertSays("not a class: pass Ports(...)", factory().addObserver, pass_)
        self.assertSays("not a class: pass Ports(...)", onlyKinds, pass_, "vm")
        self.assertSays("not a class: pass Ports(...)", withoutReplays, pass_)

    def test_kinds(self) -> None:
        """
        A kind may be given by its name. A name that is no kind is an error.
        """
        server = MemoryServer()
        server.addBridge("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1")
        observer = RecordingObserver()
        connected = connectedFactory(server, onlyKinds(observer, "vm"))
        (tap1,) = connected.interfaces("vm")
        self.assertEqual(connected.interfaces(InterfaceKind.VM), (tap1,))
        observer.expect("online vm tap1", "synchronized")
        expected = "expected a kind (bridge, vm, tunnel, patch), got 'VM'"
        self.assertSays(expected, connected.interfaces, "VM")
        self.assertSays(expected, onlyKinds, Ports(), "VM")
        self.assertSays("expected a kind", onlyKinds, Ports(), ["vm"])

    def test_misspelt(self) -> None:
        """
        A method whose name is almost that of an event raises where the class is
        made. Other names are free.
        """
        for name, meant in (
            ("vmonline", "vmOnline"),
            ("vm_online", "vmOnline"),
            ("onVmOnline", "vmOnline"),
            ("vmOnlines", "vmOnline"),
            ("VMOffline", "vmOffline"),
            ("bridge_changed", "bridgeChanged"),
            ("tunelOnline", "tunnelOnline"),
            ("synchronised", "synchronized"),
            ("disconected", "disconnected"),
            ("event_received", "eventReceived"),
        ):
            self.assertSays(
                f"Mine.{name} would never be called: the method is named {meant}",
                lambda name=name: subclass(**{name: method}),
            )
        free = ("online", "offline", "remove", "update", "vmCount", "isOnline", "tunnels", "close")
        verbs = ("synchronize", "disconnect", "connected", "vmReady", "bridges")
        subclass(
            **dict.fromkeys(free + verbs, method), vmonline=5, _vmonline=method, vmOnline=method
        )

    def test_swapped(self) -> None:
        """
        Endpoint and factory in the wrong order, or one of them as text.
        """
        endpoint = clientFromRemote(REACTOR, "tcp:127.0.0.1")
        place = TCP4ServerEndpoint(REACTOR, 6640)
        listener = OvsdbListenerFactory(clock=Clock())
        self.assertSays(
            "factory must be an OvsdbMonitorFactory", OvsdbMonitorService, factory(), endpoint
        )
        self.assertSays(
            "factory must be an OvsdbMonitorFactory", OvsdbMonitorService, endpoint, listener
        )
        self.assertSays("not a client endpoint", OvsdbMonitorService, "tcp:127.0.0.1", factory())
        self.assertSays("not a client endpoint", EndpointConnector, factory(), endpoint)
        self.assertSays("not a client factory", EndpointConnector, endpoint, endpoint)
        self.assertSays("not a server endpoint", OvsdbListenService, listener, place)
        self.assertSays("must be an OvsdbListenerFactory", OvsdbListenService, place, factory())
        self.assertSays("not a client endpoint", ClusterEndpoint, ["tcp:127.0.0.1"])
        for remote in (clientFromRemote, serverFromRemote):
            self.assertSays("is a text, such as", remote, REACTOR, b"tcp:6640")

    def test_values(self) -> None:
        """
        Values of another type than the parameter's.
        """
        for options, words in (
            ({"database": ["Open_vSwitch"]}, "database must be a name"),
            ({"source": 5}, "source must be a text"),
            ({"replay": "no"}, "replay must be True or False"),
            ({"identify": "no"}, "identify must be True or False"),
            ({"leaderOnly": 1}, "leaderOnly must be True or False"),
            ({"connectTimeout": "5"}, "connectTimeout must be a number from zero up, not '5'"),
            ({"probeInterval": -1}, "probeInterval must be a number from zero up"),
            ({"maxDelay": 0}, "maxDelay must be a number above zero"),
            ({"extraColumns": "mtu"}, "extraColumns must be a list of names"),
            ({"rules": "dragonflow"}, "rules must be ClassificationRules"),
            ({"hook": print}, "hook must be an instance of ConnectionHook"),
        ):
            self.assertSays(words, lambda options=options: factory(**options))
        self.assertSays("ifaceId must be a text", factory().whenReady, 5)
        self.assertSays("timeout must be a number of seconds", factory().whenReady, "vm", "5")
        self.assertSays("ifaceId must be a text", factory().interfacesByIfaceId, 5)
        self.assertSays("name must be a text", factory().interfaceByName, ANY)
