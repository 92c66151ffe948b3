# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The monitor of one server: it outlives the connections, keeps what was last known,
and answers questions about it. The audience has the observers, the session has
the requests on a connection.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from operator import attrgetter
from typing import Final

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from twisted_ovsdb.connection.failures import letGo
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.waiters import Waiters
from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.monitorcond import MONITOR_COND
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import Event, ForgetReason, InterfaceKind, OvsInterface, SwitchIdentity
from twisted_ovsdb.interfaces import Observer, asObservers
from twisted_ovsdb.monitoring.answers import Index, Readiness
from twisted_ovsdb.monitoring.audience import Audience
from twisted_ovsdb.monitoring.earlier import Told
from twisted_ovsdb.monitoring.kindless import KindlessLog
from twisted_ovsdb.monitoring.oddities import OdditiesLog
from twisted_ovsdb.monitoring.reading import Settled
from twisted_ovsdb.monitoring.session import MonitorSession, Rows
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.openvswitch.known import Changes, KnownSwitch
from twisted_ovsdb.openvswitch.rows import TABLE
from twisted_ovsdb.openvswitch.views import checkBridges
from twisted_ovsdb.ovsinterface import kindOf


def _text(parameter: str, value: str) -> str:
    """Otherwise an index would have nothing under it, for ever and in silence."""
    if not isinstance(value, str):
        raise TypeError(f"{parameter} must be a text, not {value!r}")
    return value


DIALECTS: Final = {dialect.method: dialect for dialect in (MONITOR, MONITOR_COND)}
"""What C{method} may be."""


def checkMethod(method: str | None) -> None:
    """@raise ValueError: if there is no such request."""
    if method is not None and method not in DIALECTS:
        raise ValueError(f"method must be one of {', '.join(DIALECTS)}, not {method!r}")


def _bridgeAndOfport(row: OvsInterface) -> tuple[str, int] | None:
    return None if row.bridge is None or row.ofport is None else (row.bridge, row.ofport)


class InterfaceMonitor:
    """
    The interfaces of one database server, across all its connections.

    L{OvsdbMonitorFactory <twisted_ovsdb.OvsdbMonitorFactory>} makes its own
    monitor. An application that owns its connections makes a monitor and gives
    it each new protocol with L{attach}.
    """

    def __init__(
        self,
        observers: Iterable[Observer] = (),
        rules: ClassificationRules = ClassificationRules(),
        replay: bool = True,
        extraColumns: Iterable[str] = (),
        source: str = "",
        clock: IReactorTime | None = None,
        identify: bool = False,
        bridges: bool = False,
        method: str | None = None,
    ) -> None:
        """
        The parameters are those of L{OvsdbMonitorFactory
        <twisted_ovsdb.OvsdbMonitorFactory>}. Events name no source unless
        C{source} is given.
        """
        if clock is None:
            from twisted.internet import reactor

            clock = reactor
        checkMethod(method)
        dialect = DIALECTS[method or ("monitor_cond" if bridges else "monitor")]
        self._known = KnownSwitch(
            rules, extraColumns, dialect, identify, bridges, source, self._leave
        )
        self._present = present = self._known.present
        self._session: MonitorSession | None = None
        self._audience = Audience(present, replay, clock, self._remembered)
        self._clock = clock
        self._synchronized: Waiters[tuple[OvsInterface, ...]] = Waiters()
        self._byName = Index(present.rows, attrgetter("name"))
        self._byIfaceId = Index(present.rows, attrgetter("iface_id"))
        self._byOfport = Index(present.rows, _bridgeAndOfport)
        self._indexes = (self._byName, self._byIfaceId, self._byOfport)
        self._kindless = KindlessLog(rules, clock)
        self._readiness = Readiness(present, self._byIfaceId, clock)
        self._oddities = OdditiesLog(present)
        self._wasInSync = False  # since it was made, or forgotten
        self._heard: float | None = None  # of the last session
        for observer in asObservers(observers):
            self.addObserver(observer)

    @property
    def inSync(self) -> bool:
        """Whether everything is known as the server has it now."""
        return self._present.inSync

    @property
    def wasInSync(self) -> bool:
        """Whether it was in sync at any time since it was made, or forgotten."""
        return self._wasInSync

    @property
    def source(self) -> str:
        """The server's name in events."""
        return self._present.source

    @source.setter
    def source(self, source: str) -> None:
        self._present.source = source

    @property
    def identity(self) -> SwitchIdentity:
        """The identity of the switch in events."""
        return self._present.identity

    @property
    def switch(self) -> str:
        """The key of the switch: its system-id if that is known, else C{source}."""
        return self._present.switch

    @property
    def heard(self) -> float | None:
        """
        When the server's last bytes came, in the seconds of the clock that watches its
        connections: C{time.monotonic}, or the clock that a factory was given. None if
        none came, or no factory watches.
        """
        now = None if self._session is None else self._session.protocol.heard
        return self._heard if now is None else now

    # Observers

    def addObserver(self, observer: Observer, told: Told | None = None) -> None:
        """
        Tell this observer too. Nothing is told before this call returns. If
        the monitor is in sync, the observer is then told what exists now
        (INITIAL, and Synchronized); if not, it is told nothing until the next
        snapshot, which is INITIAL for this observer.

        With C{told}, the observer goes on from what it was told in an earlier
        life, for example before the process was restarted. Its first snapshot
        is then a RESYNC, as after an outage.

        @param told: the interfaces that the observer was told (those without a
            kind are ignored), or a function that is called with the switch key
            (the system-id, or the source if that is not known) and returns
            them, or an awaitable of them, such as a Deferred. It is called
            once, before the observer's first event. Until its Deferred fires,
            this observer is told nothing, and the others go on; removing the
            observer cancels the Deferred. If the function returns None, the
            observer was never told anything of this switch, and its first
            snapshot is INITIAL. It is INITIAL too if the function fails, which
            is logged once.
        @raise TypeError: if C{observer} is not an observer, or
            C{told} is neither a function nor interfaces.
        @raise ValueError: if it has been added already.
        """
        checkBridges(observer, self._known.bridges)
        self._audience.add(observer, told)

    def removeObserver(self, observer: Observer) -> None:
        """
        Tell this observer nothing more. What waits for it is dropped, and the
        Deferred that it is busy with is cancelled.

        @raise ValueError: if it is no observer.
        """
        self._audience.remove(observer)

    def replayTo(self, observer: Observer) -> None:
        """
        Tell this observer once more what it was told, as after an outage that
        changed nothing: an online event with the cause REPLAY for each interface,
        then Synchronized. While the monitor is not in sync, this waits for the
        next snapshot. Nothing is told before this call returns.

        @raise ValueError: if it is no observer.
        """
        self._audience.replayTo(observer)

    def events(self) -> AsyncGenerator[Event, None]:
        """
        Events for C{async for}: what an observer is told that is added when
        the first event is asked for. While the consumer is busy, changes are
        merged as for any observer.

        @return: ends when the monitor is stopped. It is closed when the loop
            is left, unless something else keeps a reference to it;
            C{contextlib.aclosing} closes it in any case.
        """
        return self._audience.events()

    # Questions. No answer waits for an observer.

    def interfaces(
        self, kind: InterfaceKind | str | None = None, bridge: str | None = None
    ) -> tuple[OvsInterface, ...]:
        """
        Every interface that has a kind; in an outage, as it was last known.

        @param kind: only interfaces of this kind, or of the kind of this name.
        @param bridge: only interfaces on the bridge of this name.
        @raise ValueError: if there is no such kind; for a bridge, if the monitor
            does not ask for bridges.
        """
        wanted = None if kind is None else kindOf(kind)
        found = self._present.interfaces()
        if bridge is not None:
            self._requireBridges()
        elif wanted is None:
            return found
        return tuple(
            row
            for row in found
            if (wanted is None or row.kind is wanted) and (bridge is None or row.bridge == bridge)
        )

    def interfaceByOfport(self, bridge: str, ofport: int) -> OvsInterface | None:
        """
        @param bridge: the name of a bridge: an OpenFlow port number means nothing
            without it.
        @return: the interface that has this OpenFlow port; None if there is none,
            or it has no kind. In an outage, as it was last known.
        @raise ValueError: if the monitor does not ask for bridges.
        """
        self._requireBridges()
        return next(iter(self._byOfport.get((bridge, ofport))), None)

    def _requireBridges(self) -> None:
        if not self._known.bridges:
            raise ValueError("the bridges of interfaces are not known: pass bridges=True")

    def interfaceByName(self, name: str) -> OvsInterface | None:
        """
        @return: the interface of this name; None if there is none, or it has
            no kind. In an outage, as it was last known.
        """
        return next(iter(self._byName.get(_text("name", name))), None)

    def interfacesByIfaceId(self, ifaceId: str) -> tuple[OvsInterface, ...]:
        """
        @return: the interfaces that have a kind and this
            C{external_ids:iface-id}: usually one, and two while a VM's port
            moves to another interface. In an outage, as they were last known.
        """
        return self._byIfaceId.get(_text("ifaceId", ifaceId))

    def whenSynchronized(self) -> Deferred[tuple[OvsInterface, ...]]:
        """
        @return: every interface that has a kind, as soon as a snapshot has
            been applied, at once if the monitor is in sync; does not wait for
            observers. CancelledError when the monitor is stopped.
        """
        if self._present.inSync:
            return succeed(self._present.interfaces())
        return self._synchronized.wait()

    def whenReady(self, ifaceId: str, timeout: float | None = None) -> Deferred[OvsInterface]:
        """
        Wait until a VM's interface can be used.

        @param ifaceId: its C{external_ids:iface-id}.
        @param timeout: seconds to wait at most; None: no limit.
        @return: the interface of kind VM that has this iface-id and is
            L{ready <OvsInterface.ready>}, at once if there is one already. In
            an outage nothing is ready until the next snapshot. Does not wait
            for observers. L{twisted.internet.defer.TimeoutError} after the
            timeout, whose text says what is missing; CancelledError when the
            monitor is stopped.
        @raise TypeError: if one of them is of another type.
        """
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
        return self._readiness.wait(_text("ifaceId", ifaceId), timeout)

    # The connection

    def attach(self, protocol: OvsdbProtocol, database: str = "Open_vSwitch") -> Deferred[None]:
        """
        Monitor the Interface table on this connection, which must be up.

        The connection stays the caller's. When it is lost, what is known is
        kept and compared with the snapshot of the next connection.

        @param database: the database's name.
        @return: fires when the snapshot has been applied. L{RpcError} or
            L{OvsdbError} if the server cannot be monitored: the connection is
            still up, and the caller has to close it. L{ProtocolViolation} if
            the reply is not understood, and L{SessionLost} if the connection
            is lost: there is no connection to close. If the Deferred is
            cancelled, the monitor leaves the connection, which is still up.
            After any of these, the monitor may be attached again.
        @raise RuntimeError: if a connection is attached already.
        """
        return self._attach(protocol, database)

    def _attach(
        self,
        protocol: OvsdbProtocol,
        database: str,
        address: str | None = None,
    ) -> Deferred[None]:
        """
        As L{attach}.

        @param address: from where the switch connected to a listener. C{source}
            is the key of the switch then. The Deferred fails with
            L{SwitchChanged} if another switch is behind the connection.
        """
        if self._session is not None:
            raise RuntimeError("a connection is attached already")
        self._known.address = address
        session = MonitorSession(
            protocol,
            self._known.tables,
            self._known.prepare,
            self._snapshotRead,
            self._updateRead,
            self._clock,
        )
        self._session = session
        protocol.whenLost().addCallback(self._sessionLost, session)
        attached = Deferred.fromCoroutine(session.start(database)).addErrback(letGo)
        return attached.addErrback(self._attachFailed, session)

    def detach(self) -> None:
        """
        Stop: leave the connection, if there is one, without closing it.

        Observers that are not busy are told Disconnected (reason:
        L{MonitorStopped}). Then no observer is told anything until the next
        L{attach}. An observer that calls this from inside eventReceived is
        busy with that event. What is known is kept.
        """
        if self._session is not None:
            self._lose(MonitorStopped())
        self._audience.stop()
        self._synchronized.errback(CancelledError())
        self._readiness.cancel()

    def _forget(self, reason: ForgetReason) -> Deferred[None]:
        """
        Forget the switch, which is not connected now. Its observers are told
        that, also after a L{detach}; those that were told nothing of it are not.

        @return: fires when all of them have been told, and are not busy. Until
            then another connection may be attached; its snapshot is told as the
            first one, after that.
        """
        self._wasInSync = False
        forgotten = self._audience.forget(reason)
        self._note(self._known.forget())
        self._synchronized.errback(CancelledError())
        self._readiness.cancel()
        return forgotten

    @property
    def _parted(self) -> bool:
        """Whether all observers that have to know it were told that the switch is forgotten."""
        return self._audience.parted

    def _goOn(self) -> None:
        """After L{detach}: tell what waits, if there is no connection."""
        self._audience.start()

    def _close(self) -> None:
        """Remove all observers, and end the loops over L{events}."""
        self.detach()
        self._audience.close()

    def _snapshotRead(self, rows: Rows) -> Settled:
        self._note(self._known.snapshot(rows))
        self._wasInSync = True
        self._present.session += 1
        self._present.inSync = True
        if self._session is not None:
            self._oddities.lacking(self._session.lacking)
            if self._session.fellBack:
                self._oddities.fellBack(self._known.tables.dialect.method)
        if self._synchronized:
            self._synchronized.callback(self._present.interfaces())
        self._readiness.look(self._present.rows.values())
        # A callback may have stopped the monitor.
        return self._audience.start() if self._present.inSync else None

    def _updateRead(self, rows: Rows) -> Settled:
        self._note(self._known.update(rows))
        self._readiness.look(rows.get(TABLE, {}).values())
        return self._audience.deliver()

    def _leave(self) -> None:
        self._audience.leave()

    def _remembered(self, told: Iterable[OvsInterface]) -> None:
        self._note(self._known.remember(told))
        self._audience.deliver()

    def _attachFailed(self, failure: Failure, session: MonitorSession) -> Failure:
        # The connection may be up, and the monitor may be attached again.
        assert failure.value is not None
        self._sessionLost(failure.value, session)
        return failure

    def _sessionLost(self, reason: BaseException, session: MonitorSession) -> None:
        if self._session is session:
            self._lose(reason)

    def _lose(self, reason: BaseException) -> None:
        if self._session is not None:
            self._heard = self.heard
            self._session.close()
            self._session = None
        if self._present.inSync:
            self._present.inSync = False
            self._present.reason = reason
            self._audience.deliver()

    def _note(self, changes: Changes) -> None:
        """Let the trackers and indexes note these changes."""
        notes = self._audience.notes()
        notes += [index.note for index in self._indexes if index.made]
        for uuid, before, now in changes:
            for note in notes:
                note(uuid, before, now)
            if now is not None and now.kind is None:
                self._kindless.note(before, now)
        self._kindless.explain()
        self._oddities.torn(self._known.torn)
