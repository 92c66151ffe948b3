# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What outlives a connection: the rows as they were last known, and what each
observer has been told of them.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.database.replica import Replica
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import Event, OvsInterface, SwitchIdentity
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.monitoring.delivery import Delivery
from twisted_ovsdb.monitoring.lookup import Lookup
from twisted_ovsdb.monitoring.session import MonitorSession, Settled
from twisted_ovsdb.monitoring.stream import Handover, stream
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.rows import TABLE, InterfaceRows
from twisted_ovsdb.openvswitch.tracker import Present, Tracker

Change = tuple[str, "OvsInterface | None", "OvsInterface | None"]

EXPLAINED: Final = 10
"""
Interfaces of one message of which a debug line says why they have no class:
twistd writes debug lines too, and a snapshot may hold thousands.
"""


class InterfaceMonitor(Lookup):
    """
    The interfaces of one database server, across all its connections.

    L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>} makes its own.
    An application that owns its connections makes one itself and gives it
    each new protocol with L{attach}.

    @ivar inSync: whether what is known is what the server has.
    """

    _log = Logger()

    def __init__(
        self,
        observers: Iterable[IOvsdbEventObserver] = (),
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        source: str = "",
        clock: IReactorTime | None = None,
    ) -> None:
        """
        @param observers: who is told.
        @param rules: which class an interface has.
        @param replay: whether interfaces that an outage left unchanged are
            told once more, as online with the cause REPLAY.
        @param extraColumns: columns of the Interface table to monitor beyond
            the usual six; their values are in L{OvsInterface.extra}.
        @param source: what events name as their source.
        @param clock: the reactor, if not the global one.
        """
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        self._replay = replay
        self._rows = InterfaceRows(rules, extraColumns)
        self._replica = Replica(TABLE, self._rows.decode)
        super().__init__(Present(self._replica.rows, source), clock)
        self._session: MonitorSession | None = None
        self._deliveries: list[Delivery] = []
        self._greeting: IDelayedCall | None = None
        self._settling: IDelayedCall | None = None
        self._settled: Waiters[None] = Waiters()
        self._warned: frozenset[str] = frozenset()
        # In the order they began; who drops one ends it.
        self._streams: weakref.WeakKeyDictionary[Handover, None] = weakref.WeakKeyDictionary()
        for observer in observers:
            self.addObserver(observer)

    @property
    def inSync(self) -> bool:
        """Whether what is known is what the server has."""
        return self._present.inSync

    @property
    def source(self) -> str:
        """What events name as their source."""
        return self._present.source

    @source.setter
    def source(self, source: str) -> None:
        self._present.source = source

    @property
    def identity(self) -> SwitchIdentity:
        """Who events say that the switch is."""
        return self._present.identity

    @identity.setter
    def identity(self, identity: SwitchIdentity) -> None:
        self._present.identity = identity

    # Observers

    def addObserver(self, observer: IOvsdbEventObserver) -> None:
        """
        Tell this observer too. It is told nothing before this call returns;
        then what exists now (INITIAL, and Synchronized), if the monitor is in
        sync, else nothing until the next snapshot, which is INITIAL for it.

        @raise TypeError: if it does not provide L{IOvsdbEventObserver}.
        @raise ValueError: if it has been added already.
        """
        # zope's TypeError names the object and the interface.
        adapted: IOvsdbEventObserver = IOvsdbEventObserver(observer)
        if any(delivery.observer is adapted for delivery in self._deliveries):
            raise ValueError(f"{observer!r} is an observer already")
        delivery = Delivery(adapted, Tracker(self._present, self._replay), self._clock)
        self._deliveries.append(delivery)
        if self._session is not None and self._greeting is None:
            self._greeting = self._clock.callLater(0, self._greet)

    def removeObserver(self, observer: IOvsdbEventObserver) -> None:
        """
        Tell this observer nothing more: what waits for it is dropped, and a
        Deferred of its that is awaited is cancelled.

        @raise ValueError: if it is no observer.
        """
        for delivery in self._deliveries:
            if delivery.observer is observer or delivery.observer == observer:
                self._deliveries.remove(delivery)
                delivery.close()
                return
        raise ValueError(f"{observer!r} is no observer")

    def events(self) -> AsyncGenerator[Event, None]:
        """
        Events for C{async for}, as an observer is told that is added when the
        first one is asked for. While its consumer is busy, what happens is
        merged as for any observer.

        @return: ends when the monitor is stopped. Leaving the loop closes it;
            C{contextlib.aclosing} does so also where something else keeps it.
        """
        handover = Handover(self._clock)
        self._streams[handover] = None
        return stream(self, handover)

    def _greet(self) -> None:
        """
        Tell those who were added meanwhile.
        """
        self._greeting = None
        self._startDeliveries()

    # The connection

    def attach(self, protocol: OvsdbProtocol, database: str = "Open_vSwitch") -> Deferred[None]:
        """
        Monitor the Interface table on this connection, which must be up.

        The connection stays the caller's. When it is lost, what is known is
        kept and compared with the snapshot of the next connection.

        @param database: the database's name.
        @return: fires when the snapshot has been applied. L{RpcError} or
            L{OvsdbError} if the server cannot be monitored: the connection
            is up, and closing it is the caller's. L{ProtocolViolation} if the
            reply is not understood, and L{SessionLost} if the connection
            goes: then it is lost already.
        @raise RuntimeError: if a connection is attached already.
        """
        if self._session is not None:
            raise RuntimeError("a connection is attached already")
        session = MonitorSession(
            protocol,
            self._rows,
            self._replica,
            self._snapshotRead,
            self._updateRead,
            self._clock,
        )
        self._session = session
        protocol.whenLost().addCallback(self._sessionLost, session)
        return session.start(database)

    def detach(self) -> None:
        """
        Let go of the connection, if there is one, without closing it.

        Observers that are not busy are told Disconnected (reason:
        L{MonitorStopped}) and then, like all others, nothing until the next
        L{attach}. Who calls this from inside eventReceived is busy with that
        event. What is known is kept.
        """
        if self._session is not None:
            self._lose(MonitorStopped())
        for delivery in self._deliveries:
            delivery.stop()
        if self._greeting is not None:
            self._greeting.cancel()
            self._greeting = None
        if self._settling is not None:
            self._settling.cancel()
            self._settle()
        self._answerNobody()
        for handover in tuple(self._streams):
            handover.end()

    def _snapshotRead(self, rows: dict[str, OvsInterface]) -> Settled:
        self._note(self._replica.replace(rows))
        self._present.session += 1
        self._present.inSync = True
        self._warnOfLacking()
        self._answerSnapshot()
        # Unless one who was answered has stopped it.
        return self._startDeliveries() if self._present.inSync else None

    def _warnOfLacking(self) -> None:
        """
        Say once which columns the server does not have.
        """
        lacking = self._session.lacking if self._session is not None else frozenset()
        if lacking - self._warned:
            self._warned |= lacking
            self._log.warn(
                "{source}: table {table} has no column {columns}; going on without",
                source=self.source,
                table=TABLE,
                columns=", ".join(sorted(lacking)),
            )

    def _updateRead(self, changes: dict[str, OvsInterface | None]) -> Settled:
        self._note(self._replica.apply(changes))
        self._answerUpdate(changes.values())
        return self._deliver()

    def _sessionLost(self, reason: BaseException, session: MonitorSession) -> None:
        if self._session is session:
            self._lose(reason)

    def _lose(self, reason: BaseException) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._present.inSync:
            self._present.inSync = False
            self._present.reason = reason
            self._deliver()

    # What both need

    def _note(self, changes: Iterator[Change]) -> None:
        unclassified: list[OvsInterface] = []
        trackers = [delivery.tracker for delivery in self._deliveries]
        notes = [tracker.note for tracker in trackers if tracker.begun]
        notes += [index.note for index in (self._byName, self._byIfaceId) if index.made]
        for uuid, before, now in changes:
            for note in notes:
                note(uuid, before, now)
            if now is not None and now.kind is None and (before is None or before.kind is not None):
                unclassified.append(now)
        if unclassified:
            self._explain(unclassified)

    def _explain(self, interfaces: list[OvsInterface]) -> None:
        """
        Say why these have no class.
        """
        explain = self._rows.rules.explain
        for interface in interfaces[:EXPLAINED]:
            why = explain(interface.name, interface.type, interface.external_ids)
            self._log.debug("no class: {why}", why=why)
        if len(interfaces) > EXPLAINED:
            self._log.debug("no class: {count} more", count=len(interfaces) - EXPLAINED)

    def _startDeliveries(self) -> Settled:
        for delivery in tuple(self._deliveries):
            delivery.start()
        return self._deliver()

    def _deliver(self) -> Settled:
        """
        Tell everyone.

        @return: None if all that are not busy have been told all.
        """
        for delivery in tuple(self._deliveries):
            delivery.deliver()
        if not any(delivery.slicing for delivery in self._deliveries):
            return None
        if self._settling is None:
            self._settling = self._clock.callLater(0, self._settle)
        return self._settled.wait()

    def _settle(self) -> None:
        """
        Look at each turn whether all that are not busy have been told all.
        """
        if any(delivery.slicing for delivery in self._deliveries):
            self._settling = self._clock.callLater(0, self._settle)
        else:
            self._settling = None
            self._settled.fire(lambda waiter: waiter.callback(None))
