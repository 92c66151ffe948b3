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
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb import (
    ClassificationRules,
    ClusterEndpoint,
    DatabaseReplica,
    DatabaseSchema,
    EndpointConnector,
    InterfaceKind,
    InterfaceMonitor,
    OvsdbEventObserver,
    OvsdbListenerFactory,
    OvsdbListenService,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    OvsdbProtocol,
    OvsdbReplicaFactory,
    OvsInterface,
    Rows,
    TLSOptions,
    clientFromRemote,
    onlyBridges,
    onlyKinds,
    serverFromRemote,
    withoutReplays,
)
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver
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

    def test_bridges(self) -> None:
        """
        An observer of some bridges would be told nothing by a monitor that does not
        know the bridges.
        """
        view = withoutReplays(onlyBridges(Ports(), "br-int"))
        words = "onlyBridges needs to know the bridges: pass bridges=True"
        for make in (factory, OvsdbListenerFactory, InterfaceMonitor):
            self.assertSays(words, make, [view])
        self.assertSays("pass bridges=True", factory().addObserver, view)
        factory([view], bridges=True)
        self.assertSays(
            "method must be one of monitor, monitor_cond, not 'x'",
            lambda: InterfaceMonitor(method="x", clock=Clock()),
        )

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
            ({"database": ["Open_vSwitch"]}, "database must be a text"),
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
            ({"clock": Clock}, "clock must be a reactor or a Clock()"),
            ({"source": 0}, "source must be a text"),
            ({"members": 1.5}, "members must be a whole number above zero, not 1.5"),
            ({"members": 0}, "members must be a whole number above zero, not 0"),
            ({"members": 2, "lock": "fleet"}, "members must be 1"),
            ({"lock": "fleet", "instance": 5}, "instance must be a text"),
            ({"lock": 5}, "lock must be a text"),
            ({"members": True}, "members must be a whole number above zero, not True"),
            ({"method": ["monitor"]}, "method must be one of monitor, monitor_cond, not ['mon"),
        ):
            self.assertSays(words, lambda options=options: factory(**options))
        self.assertSays("source must be a text", lambda: self.replica(source=5))
        self.assertSays("ifaceId must be a text", factory().whenReady, 5)
        self.assertSays("timeout must be a number of seconds", factory().whenReady, "vm", "5")
        for seconds in (-1, float("nan")):
            words = f"timeout must be a number from zero up, not {seconds}"
            self.assertSays(words, factory().whenReady, "vm", seconds)
        self.assertSays("ifaceId must be a text", factory().interfacesByIfaceId, 5)
        self.assertSays("name must be a text", factory().interfaceByName, ANY)
        for bridges in (True, False):
            known = factory(bridges=bridges)
            self.assertSays("ofport must be an integer", known.interfaceByOfport, "br0", "3")
            self.assertSays("ofport must be an integer", known.interfaceByOfport, "br0", True)
            self.assertSays("bridge must be a text", known.interfaceByOfport, 3, "br0")
            wrong: Any
            for wrong in (b"br0", 7, ["br0"]):
                self.assertSays("bridge must be a text", known.interfaces, None, wrong)

    def test_valuesOfOthers(self) -> None:
        """
        The listener and the factory of a replica, which make no monitor of interfaces,
        find the same mistakes.
        """
        options: dict[str, Any]
        for options, words in (
            ({"database": ["Open_vSwitch"]}, "database must be a text"),
            ({"clock": Clock}, "clock must be a reactor or a Clock()"),
            ({"clock": 5}, "clock must be a reactor or a Clock()"),
            ({"hook": print}, "hook must be an instance of ConnectionHook"),
            ({"snapshotTimeout": -1}, "snapshotTimeout must be a number from zero up"),
            ({"probeInterval": -1}, "probeInterval must be a number from zero up"),
            ({"maxLength": 0}, "maxLength must be a number above zero"),
        ):
            self.assertSays(words, lambda options=options: self.listener(**options))
            self.assertSays(words, lambda options=options: self.replica(**options))
        for options, words in (
            ({"replay": "no"}, "replay must be True or False"),
            ({"bridges": "no"}, "bridges must be True or False"),
            ({"pin": "no"}, "pin must be True or False"),
            ({"extraColumns": "mtu"}, "extraColumns must be a list of names"),
            ({"extraColumns": [5]}, "extraColumns must be a list of names"),
            ({"rules": "dragonflow"}, "rules must be ClassificationRules"),
            ({"method": "x"}, "method must be one of monitor, monitor_cond, not 'x'"),
            ({"problemsAfter": 0}, "problemsAfter must be a number above zero"),
            ({"audit": 0}, "audit must be a number above zero"),
            ({"forgetAfter": -1}, "forgetAfter must be a number from zero up"),
            ({"lock": "no lock"}, "lock must have letters"),
            ({"instance": "a"}, "instance needs lock"),
            ({"fleet": 0}, "fleet must be a whole number above zero"),
        ):
            self.assertSays(words, lambda options=options: self.listener(**options))
        for options, words in (
            ({"connectTimeout": "5"}, "connectTimeout must be a number from zero up, not '5'"),
            ({"leaderOnly": 1}, "leaderOnly must be True or False"),
            ({"maxDelay": 0}, "maxDelay must be a number above zero"),
            ({"members": 0}, "members must be a whole number above zero, not 0"),
        ):
            self.assertSays(words, lambda options=options: self.replica(**options))

    def listener(self, **options: Any) -> Any:
        """
        A listener that does not listen.
        """
        return OvsdbListenerFactory(**{"clock": Clock(), **options})

    def replica(self, **options: Any) -> Any:
        """
        A factory of a replica that does not connect.
        """
        defaults = {"database": "D", "clock": Clock()}
        return OvsdbReplicaFactory(tables=["T"], onChanges=print, **{**defaults, **options})

    def test_tables(self) -> None:
        """
        A text in the place of names of tables or of columns, and no column.
        """
        schema = DatabaseSchema.parse({"name": "D", "tables": {"T": {"columns": {}}}})
        for tables in ("T", {"T": "s"}):
            self.assertSays("a list of names is needed", DatabaseReplica, schema, tables)
        self.assertSays("columns must be a list of at least one name, not []", Rows, [])

    def test_within(self) -> None:
        """
        The observer within a view was not added: the error says what to pass.
        """
        ports, other = Ports(), Ports()
        view = withoutReplays(onlyKinds(ports, "vm"))
        known, listener = factory([view]), OvsdbListenerFactory([view], clock=Clock())
        words = "is within withoutReplays(...): pass what that returned"
        for method in (known.replayTo, known.removeObserver, listener.replayTo):
            self.assertSays(words, method, ports)
            self.assertSays(words, method, view.observer)
            self.assertSays("is no observer", method, other)
        self.assertSays(
            "maxSwitches must be a whole number above zero",
            lambda: OvsdbListenerFactory(maxSwitches=1.5),  # type: ignore[arg-type]
        )

    def test_ownMonitor(self) -> None:
        """
        Values of another type for the monitor of an application that owns its
        connections. A listener makes its monitors later, so these mistakes would
        be found only then.
        """
        for options, words in (
            ({"replay": "no"}, "replay must be True or False"),
            ({"identify": "no"}, "identify must be True or False"),
            ({"source": 5}, "source must be a text"),
            ({"rules": "dragonflow"}, "rules must be ClassificationRules"),
            ({"rules": ClassificationRules}, "rules must be ClassificationRules(...)"),
            ({"extraColumns": [5]}, "extraColumns is a sequence of names"),
            ({"clock": Clock}, "clock must be a reactor or a Clock()"),
            ({"bridges": "no"}, "bridges must be True or False"),
            ({"problemsAfter": 0}, "problemsAfter must be a number above zero"),
            ({"audit": 0}, "audit must be a number above zero"),
            ({"lock": "no lock"}, "lock must have letters"),
            ({"instance": "a"}, "instance needs lock"),
            ({"lock": "fleet", "instance": ""}, "instance must have 1 to 100 printable"),
        ):
            arguments: Any = {"clock": Clock(), **options}
            self.assertSays(words, lambda arguments=arguments: InterfaceMonitor(**arguments))
        monitor = InterfaceMonitor(clock=Clock())
        self.assertSays("protocol must be an OvsdbProtocol", monitor.attach, factory())
        self.assertSays(
            "protocol must be an OvsdbProtocol", monitor.attach, "Open_vSwitch", OvsdbProtocol()
        )

    def test_told(self) -> None:
        """
        What an observer was told before: one interface in the place of several,
        their JSON, or a class.
        """
        interface = OvsInterface(uuid="1", name="tap1")
        for told, words in (
            (interface, "told must be interfaces, such as a list, not OvsInterface("),
            ("tap1", "told must be interfaces, such as a list, not 'tap1'"),
            ([interface.toJSON()], "told: not an OvsInterface"),
            (Ports, "told must be interfaces or a function, not a class"),
        ):
            self.assertSays(words, factory().addObserver, Ports(), told)

    def test_requests(self) -> None:
        """
        Parameters of requests. A text is a sequence too: without an error, its
        characters would be sent one by one.
        """
        protocol = OvsdbProtocol()
        protocol.makeConnection(StringTransport())
        self.assertSays(
            "get_schema: params must be a list, not 'Open_vSwitch'",
            *(protocol.call, "get_schema", "Open_vSwitch"),
        )
        self.assertSays("method must be a text", protocol.call, ["echo"], [])
        self.assertSays("params must be a list", protocol.notify, "cancel", "1")
        operations: Any = [{"op": "comment", "comment": ""}]
        self.assertSays("several are arguments", protocol.transact, "Open_vSwitch", operations)
        self.assertSays("database must be a text", protocol.transact, *operations)
        self.assertSays(
            "requests must be by table", protocol.monitor, "Open_vSwitch", "id", ["Bridge"], print
        )
        self.assertSays("database must be a text", protocol.monitor, 5, "id", {}, print)
        self.assertSays("monitorId must be a text", protocol.monitor, "Open_vSwitch", 5, {}, print)
        self.assertSays(
            "onUpdate must be a function", protocol.monitor, "Open_vSwitch", "id", {}, None
        )
        self.assertSays("onChange must be a function", protocol.lock, "lock", True)
        self.assertSays("database must be a text", protocol.getSchema, b"Open_vSwitch")
        self.assertSays("monitorId must be a text", protocol.monitorCancel, ["id"])
        self.assertSays("lockId must be a text", protocol.unlock, 5)
        self.assertSays("maxLength must be a number above zero", OvsdbProtocol, print)
        self.assertSays("onConnected must be a function", OvsdbProtocol, 1000, "made")
        transport: Any = protocol.transport
        self.assertEqual(transport.value(), b"")

    def test_files(self) -> None:
        """
        The observer of JSON Lines takes a function, not a path. The files of TLS
        are one value.
        """
        self.assertSays("write must be a function, not 'events'", JSONLinesObserver, "events")
        self.assertSays("caCert must be a path, not None", TLSOptions, "key", "cert", None)
        self.assertSays(
            "verifyHostname must be True or False", TLSOptions, "key", "cert", "ca", "no"
        )
        for make, place in ((clientFromRemote, "ssl:host"), (serverFromRemote, "pssl:")):
            self.assertSays("tls must be TLSOptions(...)", make, REACTOR, place, "ca.pem")

    def test_rules(self) -> None:
        """
        Parameters of the rules.
        """
        for options in ({"vmKeys": "iface-id"}, {"bridgeNames": [5]}):
            arguments: Any = options
            self.assertSays(
                "a sequence of strings is needed",
                lambda arguments=arguments: ClassificationRules(**arguments),
            )
        self.assertSays(
            "localPorts must be True or False", lambda: ClassificationRules(localPorts=ANY)
        )
