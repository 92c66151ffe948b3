# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a list of events claims about interfaces.
"""

from __future__ import annotations

from collections.abc import Iterable

from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Problem,
    ProblemEvent,
    ProblemFound,
    SwitchForgotten,
    Synchronized,
)


class Fold:
    """
    Adds up the events that one observer was told. An event that contradicts the
    events before it is an AssertionError.

    @ivar interfaces: the interfaces that are online, by UUID.
    @ivar problems: the problems that were told and are not solved.
    @ivar inSync: whether the observer is in sync: there was no Disconnected
        after the last Synchronized.
    """

    def __init__(self, replay: bool = True, told: Iterable[OvsInterface] | None = None) -> None:
        """
        @param told: what the observer was told in an earlier process; None if
            it was told nothing.
        """
        self.interfaces = {row.uuid: row for row in told or () if row.kind is not None}
        self._switches: dict[str, str] = {}  # by UUID, where it is known
        self.problems: dict[tuple[str, Problem], str] = {}  # the switch of each
        self.inSync = False
        self._replay = replay
        self._synchronizedOnce = told is not None
        self._anew: dict[str, OvsInterface] | None = None

    def repeated(self) -> None:
        """
        Everything is told once more. Until the next Synchronized, what is told from
        here on has to make sense for somebody who begins with nothing.
        """
        self._anew = {}
        self.problems = {}

    def receive(self, event: Event) -> None:
        """
        Add an event.
        """
        if isinstance(event, Synchronized):
            assert not self.inSync or self._anew is not None, "synchronized twice"
            expected = Cause.RESYNC if self._synchronizedOnce else Cause.INITIAL
            assert event.cause is expected, event
            self.inSync = self._synchronizedOnce = True
            told = {interface.uuid: interface for interface in event.interfaces}
            assert told == self.interfaces, "Synchronized differs from what was told"
            assert self._anew in (None, told), "Synchronized differs from what was told anew"
            self._anew = None
        elif isinstance(event, Disconnected):
            assert self.inSync, "disconnected twice"
            self.inSync = False
        elif isinstance(event, SwitchForgotten):
            assert not self.inSync, "forgotten while in sync"
            self._forget(event.switch)
        elif isinstance(event, ProblemEvent):
            self._receiveProblem(event)
        else:
            self._receiveInterface(event)

    def _forget(self, switch: str) -> None:
        for uuid, told in tuple(self._switches.items()):
            if told == switch:
                del self._switches[uuid], self.interfaces[uuid]
        self._anew = None
        self.problems = {key: told for key, told in self.problems.items() if told != switch}
        # Whatever is told of it next is told as of a new switch.
        self._synchronizedOnce = False

    def _receiveProblem(self, event: ProblemEvent) -> None:
        uuid = "" if event.interface is None else event.interface.uuid
        key = (uuid, event.problem)
        if isinstance(event, ProblemFound):
            assert self.inSync, "a problem while not in sync"
            assert key not in self.problems, f"found twice: {event}"
            self.problems[key] = event.switch
        else:
            assert self.problems.pop(key, None) == event.switch, f"solved, but not told: {event}"

    def _receiveInterface(
        self, event: InterfaceOnline | InterfaceOffline | InterfaceChanged
    ) -> None:
        interface, cause = event.interface, event.cause
        assert interface.kind is not None, "an event of an interface without a kind"
        known = self.interfaces.get(interface.uuid)
        if self._anew is None or cause is not Cause.REPLAY:
            assert (cause is Cause.UPDATE) == self.inSync, f"{cause} while in sync: {self.inSync}"
        if known is not None:
            told = self._switches.setdefault(interface.uuid, event.switch)
            assert told == event.switch, f"told of {told}, and now of {event.switch}"
        if isinstance(event, InterfaceOffline):
            self._switches.pop(interface.uuid)
            assert known == interface, f"offline of {interface}, known as {known}"
            del self.interfaces[interface.uuid]
        elif isinstance(event, InterfaceChanged):
            assert known == event.previous, f"changed from {event.previous}, known as {known}"
            assert known != interface, "changed to the same"
            assert known.kind is interface.kind
            assert known.iface_id == interface.iface_id or known.kind is InterfaceKind.BRIDGE
            self.interfaces[interface.uuid] = interface
        elif cause is Cause.REPLAY:
            assert self._replay or self._anew is not None, "a replay that was not asked for"
            assert known == interface, f"replay of {interface}, known as {known}"
        else:
            assert known is None, f"online twice: {interface}"
            others = set(self._switches.values()) - {event.switch}
            assert not others, f"{event.switch} before {others} has gone"
            self._switches[interface.uuid] = event.switch
            self.interfaces[interface.uuid] = interface
        if self._anew is not None:
            if isinstance(event, InterfaceOffline):
                assert self._anew.pop(interface.uuid) == interface, "offline of what was not told"
            else:
                if isinstance(event, InterfaceChanged):
                    assert self._anew[interface.uuid] == event.previous
                elif cause is not Cause.REPLAY:
                    assert interface.uuid not in self._anew, "online twice"
                self._anew[interface.uuid] = interface
