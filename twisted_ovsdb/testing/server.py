# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An ovsdb-server in memory, with what operators do to it, and a factory that is
connected to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.openvswitch.classify import LOCAL_OFPORT
from twisted_ovsdb.testing.database import MemoryDatabase
from twisted_ovsdb.testing.network import MemoryEndpoint, MemoryNetwork
from twisted_ovsdb.testing.schema import DATABASE, SCHEMA
from twisted_ovsdb.testing.session import Databases, ServerSession
from twisted_ovsdb.wire.notation import encode


class MemoryServer:
    """
    An ovsdb-server in memory, and what ovs-vsctl and ovs-vswitchd do to it.

    Ports get their OpenFlow port from L{assignOfport}, as from ovs-vswitchd:
    in a transaction after the one that made them. The rows stay when the
    server is killed and started, their ephemeral columns excepted.

    @ivar clock: the time; connectedFactory gives it to the factory.
    @ivar endpoint: where clients connect to.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        """
        @param clock: the time, if there is one already.
        """
        self.clock = Clock() if clock is None else clock
        self._schema = DatabaseSchema.parse(SCHEMA)
        self._served = Databases()
        self._network = MemoryNetwork(self.clock, self._session)
        self.endpoint = MemoryEndpoint(self._network)
        self.createDatabase()

    def listen(self, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort]:
        """
        Answer over real sockets, too. Time passes there as it does.
        """
        return endpoint.listen(Factory.forProtocol(self._session))

    # What an operator does to the server

    def kill(self) -> None:
        """
        End it, as C{kill -9} does: connections break, and none can be made.
        """
        self._network.up = False
        self._drop()

    def start(self) -> None:
        """
        Start it again, with the rows that it had.
        """
        self._network.up = True
        self._served.stalled = False
        for database in self._served.databases.values():
            database.forgetEphemeral()
        self.advance(0)

    def restart(self) -> None:
        """
        L{kill} and L{start}. The client comes back when its back-off is over:
        L{advance} by ten seconds.
        """
        self.kill()
        self.start()

    def stall(self) -> None:
        """
        Do nothing any more, as after SIGSTOP: connections stay, and can be
        made, and nothing is answered.
        """
        self._served.stalled = True

    def resume(self) -> None:
        """Go on after L{stall}."""
        self._served.stalled = False
        for session in tuple(self._served.sessions):
            session.dataReceived(b"")
        self.advance(0)

    def dropDatabase(self) -> None:
        """
        Remove the database, as C{ovs-appctl ovsdb-server/remove-db} does: the
        clients are dropped, and the next are refused.
        """
        del self._served.databases[DATABASE]
        self._drop()

    def createDatabase(self) -> None:
        """
        Put an empty database in place of the old one; clients are dropped.
        """
        self._served.databases[DATABASE] = MemoryDatabase(self._schema)
        self.transact({"op": "insert", "table": "Open_vSwitch", "row": {}})
        self._drop()

    def advance(self, seconds: float) -> None:
        """
        Let time pass, for back-off and probes, and all happen that is due.
        """
        self._network.advance(seconds)

    # What ovs-vsctl and ovs-vswitchd do to the database

    def addBridge(self, name: str, **columns: object) -> None:
        """
        C{ovs-vsctl add-br}: with its local port, which has its OpenFlow port
        at once.

        @param columns: of the local port's Interface.
        """
        row = {"name": name, "type": "internal", "ofport": LOCAL_OFPORT, **columns}
        self._transact(
            *self._insertPort(name, row),
            _insert("Bridge", "b", {"name": name, "ports": _named(f"p-{name}")}),
            _mutate("Open_vSwitch", [], "bridges", "insert", _named("b")),
        )

    def deleteBridge(self, name: str) -> None:
        """
        C{ovs-vsctl del-br}: with all its ports, in one transaction.
        """
        bridge = ["uuid", self._find("Bridge", name)]
        self._transact(_mutate("Open_vSwitch", [], "bridges", "delete", bridge))

    def addPort(
        self, bridge: str, name: str, iface_id: str | None = None, **columns: object
    ) -> None:
        """
        C{ovs-vsctl add-port}.

        @param iface_id: C{external_ids:iface-id}, which makes it a vm.
        @param columns: more of its Interface: C{type}, C{ofport},
            C{external_ids}, C{options} and so on.
        """
        self._transact(*self._addPort(bridge, name, _interfaceRow(name, iface_id, columns)))

    def addTunnel(
        self, bridge: str, name: str, remote_ip: str, type: str = "geneve", **columns: Any
    ) -> None:
        """
        A tunnel port to another host.
        """
        options = {"remote_ip": remote_ip, **_mapping(columns.pop("options", {}))}
        self.addPort(bridge, name, type=type, options=options, **columns)

    def addPatchPair(self, bridge: str, name: str, otherBridge: str, otherName: str) -> None:
        """
        Two patch ports that are each other's peer, in one transaction.
        """
        operations = []
        for place, own, peer in ((bridge, name, otherName), (otherBridge, otherName, name)):
            row = {"name": own, "type": "patch", "options": {"peer": peer}}
            operations += self._addPort(place, own, row)
        self._transact(*operations)

    def deletePort(self, name: str) -> None:
        """C{ovs-vsctl del-port}."""
        port = self._find("Port", name)
        where = [["ports", "includes", ["uuid", port]]]
        self._transact(_mutate("Bridge", where, "ports", "delete", ["uuid", port]))

    def assignOfport(self, name: str, ofport: int | None = None) -> None:
        """
        Give an interface its OpenFlow port, as ovs-vswitchd does.

        @param ofport: by default the lowest that is free on its bridge; -1 is
            what an interface gets that fails.
        """
        if ofport is None:
            taken = {row["ofport"] for row in self._neighbours(name)}
            ofport = next(number for number in range(1, LOCAL_OFPORT) if number not in taken)
        self.setInterface(name, ofport=ofport)

    def setInterface(self, name: str, **columns: object) -> None:
        """
        C{ovs-vsctl set Interface}: each column is replaced whole.

        @param columns: values as L{encode <twisted_ovsdb.encode>} takes them.
        """
        where = [["_uuid", "==", ["uuid", self._find("Interface", name)]]]
        row = {column: encode(value) for column, value in columns.items()}
        self._transact({"op": "update", "table": "Interface", "where": where, "row": row})

    def transact(self, *operations: Mapping[str, Any]) -> list[Any]:
        """
        Do any transaction (RFC 7047, section 5.2).

        @return: its results as the server would write them.
        """
        results = self._served.transact(DATABASE, list(operations))
        self.advance(0)
        return results

    @property
    def tables(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """The rows by table and UUID, as they are now."""
        return self._served.databases[DATABASE].tables

    def _session(self) -> ServerSession:
        return ServerSession(self._served)

    def _transact(self, *operations: dict[str, Any]) -> None:
        for result in self.transact(*operations):
            if result is not None and "error" in result:
                raise ValueError(f"{result['error']}: {result['details']}")

    def _find(self, table: str, name: str) -> str:
        for key, row in self.tables[table].items():
            if row["name"] == name:
                return key
        raise ValueError(f"no {table} has the name {name}")

    def _neighbours(self, name: str) -> list[Mapping[str, Any]]:
        """
        The interfaces of the bridge that an interface is on.
        """
        wanted = self._find("Interface", name)
        for bridge in self.tables["Bridge"].values():
            keys = [k for p in bridge["ports"] for k in self.tables["Port"][p]["interfaces"]]
            if wanted in keys:
                return [self.tables["Interface"][key] for key in keys]
        return []

    def _addPort(self, bridge: str, name: str, row: Mapping[str, object]) -> list[dict[str, Any]]:
        where = [["_uuid", "==", ["uuid", self._find("Bridge", bridge)]]]
        return [
            *self._insertPort(name, row),
            _mutate("Bridge", where, "ports", "insert", _named(f"p-{name}")),
        ]

    def _insertPort(self, name: str, row: Mapping[str, object]) -> list[dict[str, Any]]:
        values = {column: encode(value) for column, value in row.items()}
        return [
            _insert("Interface", f"i-{name}", values),
            _insert("Port", f"p-{name}", {"name": name, "interfaces": _named(f"i-{name}")}),
        ]

    def _drop(self) -> None:
        for session in tuple(self._served.sessions):
            session.drop()
        self.advance(0)


def _interfaceRow(name: str, iface_id: str | None, columns: dict[str, object]) -> dict[str, object]:
    ids = dict(_mapping(columns.pop("external_ids", {})))
    if iface_id is not None:
        ids["iface-id"] = iface_id
    return {"name": name, "external_ids": ids, **columns}


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a mapping is needed, not {value!r}")
    return value


def _named(name: str) -> list[str]:
    return ["named-uuid", name]


def _insert(table: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def _mutate(table: str, where: list[Any], column: str, mutator: str, value: Any) -> dict[str, Any]:
    mutations = [[column, mutator, value]]
    return {"op": "mutate", "table": table, "where": where, "mutations": mutations}


def connectedFactory(
    server: MemoryServer, *observers: Observer, **options: Any
) -> OvsdbMonitorFactory:
    """
    A factory that is connected to this server and in sync with it.

    @param options: as L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>}
        takes them.
    @raise AssertionError: if it does not come in sync at once.
    """
    options = {"clock": server.clock, "source": "memory", **options}
    factory = OvsdbMonitorFactory(observers, **options)
    EndpointConnector(server.endpoint, factory).connect()
    server.advance(0)
    if not factory.monitor.inSync:
        raise AssertionError("the factory is not in sync: is the server up?")
    return factory
