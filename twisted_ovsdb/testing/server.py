# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
An ovsdb-server in memory, with what operators do to it, and a factory that is
connected to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock

from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.interfaces import Observer
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.ovsinterface import LOCAL_OFPORT
from twisted_ovsdb.testing import vsctl
from twisted_ovsdb.testing.database import MemoryDatabase
from twisted_ovsdb.testing.network import MemoryNetwork
from twisted_ovsdb.testing.schema import SCHEMA
from twisted_ovsdb.testing.session import Served, ServerSession
from twisted_ovsdb.wire.notation import encode


class MemoryServer:
    """
    An ovsdb-server in memory, and what ovs-vsctl and ovs-vswitchd do to it.

    A port has no OpenFlow port until L{assignOfport} is called: ovs-vswitchd,
    too, assigns it in a later transaction. The rows stay when the server is
    killed and started, except their ephemeral columns.

    @ivar clock: the time; connectedFactory gives it to the factory.
    @ivar endpoint: where clients connect to.
    """

    endpoint: IStreamClientEndpoint

    def __init__(self, clock: Clock | None = None) -> None:
        """@param clock: the time, by default a new clock."""
        self.clock = Clock() if clock is None else clock
        self._served = Served()
        self.endpoint = self._network = MemoryNetwork(self.clock, self._session)
        self.createDatabase()

    def listen(self, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort]:
        """
        Answer over real sockets, too. These need a running reactor, and not
        L{advance}.
        """
        return endpoint.listen(Factory.forProtocol(self._session))

    # What an operator does to the server

    def kill(self) -> None:
        """End it, as C{kill -9} does: connections break, and none can be made."""
        self._network.up = False
        self._drop()

    def start(self) -> None:
        """Start it again, with the rows that it had."""
        self._network.up = True
        self._served.stalled = False
        if self._served.database is not None:
            self._served.database.forgetEphemeral()
        self.advance(0)

    def restart(self) -> None:
        """
        L{kill} and L{start}. The client connects again when its back-off is
        over: L{advance} by ten seconds.
        """
        self.kill()
        self.start()

    def stall(self) -> None:
        """
        Do nothing any more, as after SIGSTOP: connections stay and can be
        made, and nothing is answered.
        """
        self._served.stalled = True
        for session in self._served.sessions:
            session.transport.pauseProducing()

    def resume(self) -> None:
        """Go on after L{stall}."""
        self._served.stalled = False
        for session in self._served.sessions:
            session.transport.resumeProducing()
        self.advance(0)

    def dropDatabase(self) -> None:
        """
        Remove the database, as C{ovs-appctl ovsdb-server/remove-db} does: the
        clients are dropped, and their next requests are refused.
        """
        self._served.database = None
        self._drop()

    def createDatabase(self) -> None:
        """Put an empty database in place of the old one; clients are dropped."""
        self._served.database = MemoryDatabase(DatabaseSchema.parse(SCHEMA))
        self.transact({"op": "insert", "table": "Open_vSwitch", "row": {}})
        self._drop()

    def forgetMethods(self, *methods: str) -> None:
        """
        Refuse these requests from now on as unknown, as an older server does:
        Open vSwitch before 2.6 has no C{monitor_cond}, and before 2.12 no
        C{monitor_cond_since}.
        """
        self._served.unknown.update(methods)

    def stealLock(self, name: str) -> None:
        """Another client takes this lock, and keeps it until L{freeLock}."""
        self._served.locks.lock(self._others, "steal", [name])
        self.advance(0)

    def freeLock(self, name: str) -> None:
        """Give back what L{stealLock} has taken."""
        self._served.locks.unlock(self._others, [name])
        self.advance(0)

    def _others(self, method: str, name: str) -> None:
        """Stands for another client, which takes no notice of what it is told."""

    def advance(self, seconds: float) -> None:
        """
        Let time pass, and let everything happen that is due: back-off, probes
        and time limits.
        """
        self._network.advance(seconds)

    # What ovs-vsctl and ovs-vswitchd do to the database

    def addBridge(self, name: str, **columns: Any) -> None:
        """
        C{ovs-vsctl add-br}. The bridge has its local port, and that has its
        OpenFlow port at once.

        @param columns: columns of the local port's Interface.
        """
        row = {"name": name, "type": "internal", "ofport": LOCAL_OFPORT, **columns}
        self._transact(vsctl.addBridge(name, row))

    def addFakeBridge(self, name: str, parent: str, vlan: int, **columns: Any) -> None:
        """
        C{ovs-vsctl add-br NAME PARENT VLAN}. In the database, the fake bridge
        and its ports are ports of the parent.

        @param columns: columns of its Interface.
        """
        row = {"name": name, "type": "internal", **columns}
        self._transact(vsctl.addFakeBridge(self.tables, name, parent, vlan, row))

    def deleteBridge(self, name: str) -> None:
        """
        C{ovs-vsctl del-br}, also of a fake bridge. All its ports go in the
        same transaction.
        """
        self._transact(vsctl.deleteBridge(self.tables, name))

    def addPort(self, bridge: str, name: str, iface_id: str | None = None, **columns: Any) -> None:
        """
        C{ovs-vsctl add-port}.

        @param bridge: a bridge or a fake bridge.
        @param iface_id: C{external_ids:iface-id}, which makes it a vm.
        @param columns: other columns of its Interface, such as C{type},
            C{ofport}, C{external_ids} and C{options}.
        """
        if iface_id is not None:
            columns["external_ids"] = {**columns.get("external_ids", {}), "iface-id": iface_id}
        self._transact(vsctl.addPort(self.tables, bridge, name, [{"name": name, **columns}]))

    def addBond(self, bridge: str, name: str, interfaces: Iterable[str], **columns: Any) -> None:
        """
        C{ovs-vsctl add-bond}: one port that has several interfaces.

        @param interfaces: their names.
        @param columns: columns of each Interface.
        """
        rows = [{"name": interface, **columns} for interface in interfaces]
        self._transact(vsctl.addPort(self.tables, bridge, name, rows))

    def movePort(self, name: str, bridge: str) -> None:
        """
        Move a port to another bridge or fake bridge, in one transaction: the
        rows stay the same ones. The interfaces keep their OpenFlow ports until
        L{assignOfport} is called.

        @param name: the port's name, which for a bond is not the name of an
            interface.
        """
        self._transact(vsctl.movePort(self.tables, name, bridge))

    def addTunnel(
        self, bridge: str, name: str, remote_ip: str, type: str = "geneve", **columns: Any
    ) -> None:
        """A tunnel port to another host."""
        columns["options"] = {"remote_ip": remote_ip, **columns.get("options", {})}
        self.addPort(bridge, name, type=type, **columns)

    def addPatchPair(self, bridge: str, name: str, otherBridge: str, otherName: str) -> None:
        """Two patch ports that are each other's peer, in one transaction."""
        tables = self.tables
        patch = {"name": name, "type": "patch", "options": {"peer": otherName}}
        other = {"name": otherName, "type": "patch", "options": {"peer": name}}
        self._transact(
            vsctl.addPort(tables, bridge, name, [patch])
            + vsctl.addPort(tables, otherBridge, otherName, [other])
        )

    def deletePort(self, name: str) -> None:
        """C{ovs-vsctl del-port}. The interfaces of a bond go together."""
        self._transact(vsctl.deletePort(self.tables, name))

    def assignOfport(self, name: str, ofport: int | None = None) -> None:
        """
        Give an interface its OpenFlow port, as ovs-vswitchd does.

        @param ofport: by default the lowest that is free on its bridge. An
            interface that fails gets -1.
        """
        if ofport is None:
            taken = {row["ofport"] for row in self._neighbours(name)}
            ofport = next(number for number in range(1, LOCAL_OFPORT) if number not in taken)
        self.setInterface(name, ofport=ofport)

    def setInterface(self, name: str, **columns: Any) -> None:
        """
        C{ovs-vsctl set Interface}. The whole column gets the new value.

        @param columns: values as L{encode <twisted_ovsdb.encode>} takes them.
        """
        vsctl.find(self.tables, "Interface", name)
        row = {column: encode(value) for column, value in columns.items()}
        where = [["name", "==", name]]
        self._transact([{"op": "update", "table": "Interface", "where": where, "row": row}])

    def transact(self, *operations: Mapping[str, Any]) -> list[Any]:
        """
        Do a transaction of the operations insert, select, update, mutate,
        delete, comment, commit, abort and assert (RFC 7047, section 5.2).

        @return: the results, as the server would write them.
        """
        results = self._served.transact(list(operations))
        self.advance(0)
        return results

    @property
    def tables(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        """The rows by table and UUID, as they are now, with C{_uuid} and C{_version}."""
        return self._served.present().tables

    def _session(self) -> ServerSession:
        return ServerSession(self._served)

    def _transact(self, operations: vsctl.Operations) -> None:
        for result in self.transact(*operations):
            if result is not None and "error" in result:
                raise ValueError(f"{result['error']}: {result['details']}")

    def _neighbours(self, name: str) -> list[Mapping[str, Any]]:
        """The interfaces of the bridge that an interface is on."""
        wanted = vsctl.find(self.tables, "Interface", name)
        for bridge in self.tables["Bridge"].values():
            keys = [k for p in bridge["ports"] for k in self.tables["Port"][p]["interfaces"]]
            if wanted in keys:
                return [self.tables["Interface"][key] for key in keys]
        return []

    def _drop(self) -> None:
        for session in tuple(self._served.sessions):
            session.transport.abortConnection()
        self.advance(0)


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
