# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.listener}: switches that connect to us.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.fold import Fold
from tests.fakes.observers import Recorder
from tests.fakes.rows import uuid as uuidOf
from tests.fakes.rows import vmRow
from twisted_ovsdb.connection.inturn import InTurn
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory

ROW = uuidOf(99)
"""The UUID of a switch's Open_vSwitch row."""


def identityRow(system_id: str | None, hostname: str) -> dict[str, Any]:
    """
    The row of the Open_vSwitch table of a switch.
    """
    pairs = [["hostname", hostname]]
    if system_id is not None:
        pairs.append(["system-id", system_id])
    return {"external_ids": ["map", pairs]}


class Switch:
    """
    A switch that has connected. The test decides what it does.
    """

    def __init__(self, listener: OvsdbListenerFactory, port: int, host: int = 1) -> None:
        address = IPv4Address("TCP", f"10.0.0.{host}", port)
        self.protocol: Any = listener.buildProtocol(address)
        self.transport = StringTransport()
        if self.protocol is not None:
            self.protocol.makeConnection(self.transport)

    def requests(self) -> list[Any]:
        """
        Take the requests that the switch got since the last call: id and
        method.
        """
        text, found = self.transport.value().decode(), []
        self.transport.clear()
        while text:
            value, end = json.JSONDecoder().raw_decode(text)
            found.append((value["id"], value.get("method")))
            text = text[end:]
        return found

    def answer(self, messageId: int, result: object) -> None:
        """
        The switch answers a request.
        """
        data = json.dumps({"id": messageId, "result": result, "error": None})
        self.protocol.dataReceived(data.encode())

    def identify(self, system_id: str | None, hostname: str = "host") -> None:
        """
        The switch answers with its identity.
        """
        self.row = identityRow(system_id, hostname)
        self.answer(1, [{"rows": [{"_uuid": ["uuid", ROW], **self.row}]}])

    def snapshot(self, *numbers: int) -> None:
        """
        The switch sends a snapshot with these VMs.
        """
        rows = {uuidOf(n): {"new": vmRow(f"tap{n}")} for n in numbers}
        identity = {"Open_vSwitch": {ROW: {"new": self.row}}}
        self.answer(2, {"Interface": rows, **identity} if rows else identity)

    def rename(self, system_id: str | None, hostname: str = "host") -> None:
        """
        The switch gets another identity.
        """
        row = {ROW: {"old": self.row, "new": identityRow(system_id, hostname)}}
        params = ["twisted_ovsdb", {"Open_vSwitch": row}]
        data = json.dumps({"id": None, "method": "update", "params": params})
        self.protocol.dataReceived(data.encode())

    def lose(self) -> None:
        """
        The connection is lost.
        """
        self.protocol.connectionLost(Failure(ConnectionDone()))


class ListenerTestCase(SynchronousTestCase):
    """
    A listener to which the test connects switches.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.observer = Recorder()
        self.port = 0
        self.listen()

    def listen(self, **options: Any) -> None:
        """
        Make a listener with these options.
        """
        self.listener = OvsdbListenerFactory([self.observer], clock=self.clock, **options)

    def dial(self, host: int = 1) -> Switch:
        """
        A switch connects.
        """
        InTurn.of(self.clock)._next()  # In one turn of the reactor, not all would be read.
        self.port += 1
        return Switch(self.listener, self.port, host)

    def synchronize(self, system_id: str, *numbers: int) -> Switch:
        """
        A switch connects, identifies itself and sends these VMs.
        """
        switch = self.dial()
        switch.identify(system_id)
        switch.snapshot(*numbers)
        return switch

    def reasons(self, logs: Any) -> list[str]:
        """
        Find why connections were dropped or refused.
        """
        return [str(log["reason"]) for log in logs if "reason" in log]

    def lines(self, logs: Any) -> list[str]:
        """
        Find what an operator reads in the log.
        """
        return [log["log_format"].format(**log) for log in logs]


class ListenerTests(ListenerTestCase):
    """
    Tests for L{OvsdbListenerFactory}.
    """

    def test_manySwitches(self) -> None:
        """
        Each switch is asked for its identity, then monitored, and its events
        name it.
        """
        first = self.dial()
        self.assertEqual(first.requests(), [(1, "transact")])
        first.identify("one", "h1")
        self.assertEqual(first.requests(), [(2, "monitor")])
        first.snapshot(1)
        self.synchronize("two", 2)
        events = self.observer.events
        told = [(e.switch, e.source, e.system_id, e.hostname, e.address) for e in events]
        self.assertEqual(told[:2], [("one", "one", "one", "h1", "tcp:10.0.0.1:1")] * 2)
        self.assertEqual(told[2:], [("two", "two", "two", "host", "tcp:10.0.0.1:2")] * 2)
        self.assertEqual(set(self.listener.monitors), {"one", "two"})

    def test_comesBack(self) -> None:
        """
        A switch that connects again, from another port, is compared with what
        was last known of it. Its source stays the same, and its address does
        not.
        """
        switch = self.synchronize("one", 1, 2)
        switch.lose()
        self.synchronize("one", 2, 3)
        fold = Fold()
        for event in self.observer.events:
            fold.receive(event)
        self.assertEqual({i.name for i in fold.interfaces.values()}, {"tap2", "tap3"})
        self.assertEqual({event.source for event in self.observer.events}, {"one"})
        addresses = list(dict.fromkeys(event.address for event in self.observer.events))
        self.assertEqual(addresses, ["tcp:10.0.0.1:1", "tcp:10.0.0.1:2"])
        self.assertEqual(self.observer.take()[-1], ("synchronized", "resync"))

    def test_clone(self) -> None:
        """
        A second switch of the same system-id is refused while the first one
        answers, with a warning that names both addresses.
        """
        first = self.synchronize("one", 1)
        first.requests()
        second = self.dial()
        second.identify("one")
        ((messageId, method),) = first.requests()
        self.assertEqual(method, "echo")
        with capturedLogs() as logs:
            first.answer(messageId, [])
        (reason,) = self.reasons(logs)
        self.assertIn("connected already, from tcp:10.0.0.1:1", reason)
        self.assertEqual(logs[0]["source"], "tcp:10.0.0.1:2")
        self.assertTrue(second.transport.disconnecting)
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_warnsOfACloneOnce(self) -> None:
        """
        If a clone connects again and again, there is one warning. There is
        another one if the switch was in sync meanwhile.
        """
        first = self.synchronize("one", 1)
        with capturedLogs() as logs:
            for _ in range(3):
                first.requests()
                clone = self.dial()
                clone.identify("one")
                ((messageId, _),) = first.requests()
                first.answer(messageId, [])
                clone.lose()
        self.assertEqual(len(self.reasons(logs)), 1)
        first.lose()
        second = self.synchronize("one", 1)
        with capturedLogs() as logs:
            second.requests()
            self.dial().identify("one")
            ((messageId, _),) = second.requests()
            second.answer(messageId, [])
        self.assertEqual(len(self.reasons(logs)), 1)

    def test_trickle(self) -> None:
        """
        A peer that goes on sending and does not say which switch it is may
        not stay longer than one that is silent.
        """
        self.listen(snapshotTimeout=10)
        switch = self.dial()
        with capturedLogs() as logs:
            for _ in range(30):
                self.clock.advance(0.5)
                switch.protocol.dataReceived(b'{"id":null,"method":"x","params":[]}')
        self.assertTrue(switch.transport.disconnecting)
        self.assertEqual(self.reasons(logs), ["the switch did not identify itself within 10 s"])

    def test_cloneThatRefusesEcho(self) -> None:
        """
        If the first switch answers the echo with an error, it is alive too, and
        the second one is refused.
        """
        first = self.synchronize("one", 1)
        first.requests()
        second = self.dial()
        second.identify("one")
        ((messageId, _),) = first.requests()
        first.protocol.dataReceived(json.dumps({"id": messageId, "error": "no"}).encode())
        self.assertTrue(second.transport.disconnecting)

    def test_replacesTheWrong(self) -> None:
        """
        If the first connection breaks the protocol when it is asked, the second
        one replaces it: the fault is not the second one's.
        """
        first = self.synchronize("one", 1)
        second = self.dial()
        second.identify("one")
        first.protocol.dataReceived(b"[]")
        self.assertTrue(first.transport.disconnecting)
        self.assertFalse(second.transport.disconnecting)
        second.snapshot(1)
        self.assertEqual(
            [event[0] for event in self.observer.take()],
            ["online", "synchronized", "disconnected", "online", "synchronized"],
        )

    def test_replacesTheSilent(self) -> None:
        """
        If a switch does not answer until it is dead by the rules for every
        connection, a newer connection with the same system-id replaces it.
        """
        first = self.synchronize("one", 1)
        second = self.dial()
        second.identify("one")
        for _ in range(9):
            self.clock.advance(1)
            self.assertFalse(first.transport.disconnecting)
        self.clock.advance(1)
        self.clock.advance(0)
        self.assertTrue(first.transport.disconnecting)
        second.snapshot(1)
        [reason] = [event.reason for event in self.observer.events if hasattr(event, "reason")]
        self.assertEqual(str(reason), "no answer to an echo for 5 s")
        self.assertEqual(
            [event[0] for event in self.observer.take()],
            ["online", "synchronized", "disconnected", "online", "synchronized"],
        )

    def test_newcomerGoesWhileTheOldIsAsked(self) -> None:
        """
        If the second connection is lost before the first one is given up, it
        does not replace the first one.
        """
        self.synchronize("one", 1)
        second = self.dial()
        second.identify("one")
        second.lose()
        for _ in range(10):
            self.clock.advance(1)
        self.clock.advance(0)
        self.assertFalse(self.listener.monitors["one"].inSync)
        third = self.dial()
        third.identify("one")
        self.assertEqual(third.requests()[-1][1], "monitor")

    def test_withoutSystemId(self) -> None:
        """
        A switch without a system-id is known by the UUID of its row, with one
        warning.
        """
        with capturedLogs() as logs:
            for number in (1, 2):
                switch = self.dial()
                switch.identify(None)
                switch.snapshot(number)
                switch.lose()
        self.assertEqual({event.switch for event in self.observer.events}, {ROW})
        self.assertEqual({event.source for event in self.observer.events}, {ROW})
        self.assertEqual({event.system_id for event in self.observer.events}, {None})
        warnings = [line for line in self.lines(logs) if "no external_ids:system-id" in line]
        self.assertEqual(len(warnings), 1)

    def test_renamed(self) -> None:
        """
        A switch whose system-id changes is dropped, and its interfaces go
        offline under the old key. It comes back under the new key, and the old
        one is free for a host that was cloned.
        """
        switch = self.synchronize("one", 1)
        switch.rename("one", "other")
        self.assertFalse(switch.transport.disconnecting)
        self.assertEqual(self.listener.monitors["one"].identity.hostname, "other")
        switch.rename("two")
        self.assertTrue(switch.transport.disconnecting)
        switch.lose()
        self.synchronize("two", 1)
        self.synchronize("one", 1)
        told = [event.switch for event in self.observer.events]
        self.assertEqual(
            list(zip(told, [" ".join(words) for words in self.observer.take()], strict=True)),
            [
                ("one", "online vm tap1 initial"),
                ("one", "synchronized initial"),
                ("one", "disconnected switch one has become switch two"),
                ("one", "offline vm tap1 resync"),
                ("two", "online vm tap1 initial"),
                ("two", "synchronized initial"),
                ("one", "online vm tap1 resync"),
                ("one", "synchronized resync"),
            ],
        )

    def test_getsASystemId(self) -> None:
        """
        A switch that was known by the UUID of its row gets a system-id: it is
        another key.
        """
        switch = self.dial()
        switch.identify(None)
        switch.snapshot(1)
        switch.rename("one")
        self.assertTrue(switch.transport.disconnecting)
        self.assertEqual(self.observer.take()[-1], ("offline", "vm", "tap1", "resync"))

    def test_disagrees(self) -> None:
        """
        A switch whose snapshot has another system-id than its answer before is
        dropped, and nothing is told.
        """
        switch = self.dial()
        switch.identify("one")
        switch.row = identityRow("two", "host")
        with capturedLogs() as logs:
            switch.snapshot(1)
        self.assertTrue(switch.transport.disconnecting)
        self.assertEqual(self.reasons(logs), ["switch one has become switch two"])
        self.assertEqual(self.observer.events, [])

    def test_replayTo(self) -> None:
        """
        An observer is told everything of every switch once more.
        """
        self.synchronize("one", 1)
        self.synchronize("two", 2)
        self.observer.take()
        self.listener.replayTo(self.observer)
        self.clock.advance(0)
        self.assertEqual(
            self.observer.take(),
            [
                ("online", "vm", "tap1", "replay"),
                ("synchronized", "resync"),
                ("online", "vm", "tap2", "replay"),
                ("synchronized", "resync"),
            ],
        )
        self.assertRaises(ValueError, self.listener.replayTo, Recorder())

    def test_wrongIdentity(self) -> None:
        """
        A peer whose answer is not understood is dropped.
        """
        wrong: list[Any] = [None, [], {}, [{}], [{"rows": 5}], [{"rows": [5]}], [5]]
        wrong += [[{"rows": [{"external_ids": ["map", []]}]}]]
        wrong += [[{"rows": [{"_uuid": 5, "external_ids": ["map", []]}]}]]
        wrong += [[{"rows": [{"_uuid": ["uuid", ROW], "external_ids": 5}]}]]
        for answer in wrong:
            switch = self.dial()
            switch.answer(1, answer)
            self.assertTrue(switch.transport.disconnecting, answer)

    def test_nobody(self) -> None:
        """
        A switch without a row, a switch that refuses, and a peer that is no
        OVSDB server are dropped with one line each.
        """
        with capturedLogs() as logs:
            anonymous = self.dial(host=1)
            anonymous.answer(1, [{"rows": []}])
            refusing = self.dial(host=2)
            refusing.protocol.dataReceived(b'{"id":1,"error":"unknown database"}')
            stranger = self.dial(host=3)
            stranger.protocol.dataReceived(b"GET / HTTP/1.1\r\n")
        for switch in (anonymous, refusing, stranger):
            self.assertTrue(switch.transport.disconnecting)
        no, unknown, http = self.reasons(logs)
        self.assertEqual(no, "the table Open_vSwitch of the switch is empty")
        self.assertEqual(unknown, "unknown database")
        self.assertIn("begins with b'G'", http)
        self.assertEqual(self.observer.events, [])

    def test_silent(self) -> None:
        """
        A peer that sends nothing is dropped after C{snapshotTimeout}, if that is
        less than ten seconds.
        """
        self.listen(snapshotTimeout=4)
        switch = self.dial()
        with capturedLogs() as logs:
            for _ in range(30):
                self.clock.advance(0.5)
        self.assertTrue(switch.transport.disconnecting)
        self.assertEqual(self.reasons(logs), ["the switch did not identify itself within 4 s"])

    def test_maxSwitches(self) -> None:
        """
        The number of connected switches is limited, and so is the number of
        unidentified connections: the oldest one is closed. A known switch may
        connect again. The log says which limit was reached, and which option sets
        it.
        """
        self.listen(maxSwitches=2)
        first = self.synchronize("one")
        self.synchronize("two")
        with capturedLogs() as logs:
            third = self.dial(host=3)
            third.identify("three")
            self.assertTrue(third.transport.disconnecting)
            waiting = [self.dial(host=4), self.dial(host=5)]
            last = self.dial(host=6)
        gone = [switch.transport.disconnecting for switch in (*waiting, last)]
        self.assertEqual(gone, [True, False, False])
        self.assertEqual(
            self.lines(logs),
            [
                "tcp:10.0.0.3:3: refused: too many switches are connected (2, --max-switches)",
                "tcp:10.0.0.4:4: refused: too many unidentified connections (2, --max-switches)",
            ],
        )
        first.lose()
        self.synchronize("one", 1)
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_badSnapshot(self) -> None:
        """
        A switch that breaks the protocol is dropped, and may connect again.
        """
        switch = self.dial()
        switch.identify("one")
        switch.answer(2, [])
        self.assertTrue(switch.transport.disconnecting)
        switch.lose()
        self.synchronize("one", 1)
        self.assertEqual(self.observer.take()[-1], ("synchronized", "initial"))

    def test_bug(self) -> None:
        """
        A bug in this package is logged with its traceback, and ends the
        connection.
        """
        self.patch(self.listener._places, "_makeMonitor", lambda _: 1 / 0)
        switch = self.dial()
        switch.identify("one")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertTrue(switch.transport.disconnecting)

    def test_stop(self) -> None:
        """
        A stop closes every connection, tells Disconnected (stopped), and
        keeps what is known for the next start.
        """
        self.successResultOf(self.listener.stop())
        self.listener.start()
        switches = [self.synchronize("one", 1), self.synchronize("two"), self.dial()]
        self.observer.take()
        stopped, again = self.listener.stop(), self.listener.stop()
        self.assertEqual(self.observer.take(), [("disconnected", "stopped")] * 2)
        self.assertIsNone(self.dial().protocol)
        self.assertNoResult(stopped)
        for switch in switches:
            self.assertTrue(switch.transport.disconnecting)
            switch.lose()
        self.successResultOf(stopped)
        self.successResultOf(again)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.listener.start()
        self.synchronize("one", 1)
        self.assertEqual(self.observer.take()[-1], ("synchronized", "resync"))

    def test_stopIsQuiet(self) -> None:
        """
        A stop writes no line for a connection, neither for a switch in sync nor for
        those that are opened: the operator wanted it.
        """
        claimed = self.synchronize("one", 1)
        unidentified, awaited, claimant = self.dial(2), self.dial(3), self.dial(4)
        awaited.identify("two")
        claimant.identify("one")
        with capturedLogs() as logs:
            stopped = self.listener.stop()
            for switch in (claimed, unidentified, awaited, claimant):
                switch.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.lines(logs), [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopEndsQuestions(self) -> None:
        """
        A stop cancels who waits for a switch, and ends the loops over its events;
        also the second stop, and also for a switch that is not connected.
        """
        for _ in range(2):
            connected, gone = self.synchronize("one", 1), self.synchronize("two", 2)
            gone.lose()
            waiting: list[Deferred[Any]] = []
            ended: list[Deferred[None]] = []
            for key in ("one", "two"):
                monitor = self.listener.monitors[key]
                waiting.append(monitor.whenReady("no port", 5))

                async def consume(events: Any = monitor.events()) -> None:
                    async for _ in events:
                        pass

                ended.append(Deferred.fromCoroutine(consume()))
            waiting.append(self.listener.monitors["two"].whenSynchronized())
            stopped = self.listener.stop()
            for waiter in waiting:
                self.failureResultOf(waiter, CancelledError)
            for loop in ended:
                self.successResultOf(loop)
            connected.lose()
            self.successResultOf(stopped)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.listener.start()

    def test_secondStop(self) -> None:
        """
        Every stop closes the connections that are there then, and ends.
        """
        for number in range(3):
            switch = self.synchronize("one", number + 1)
            stopped = self.listener.stop()
            self.assertTrue(switch.transport.disconnecting)
            self.assertEqual(self.observer.take()[-1], ("disconnected", "stopped"))
            self.assertNoResult(stopped)
            switch.lose()
            self.successResultOf(stopped)
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.listener.start()

    def test_stopCutsOff(self) -> None:
        """
        If a peer does not let its connection close, the connection is aborted
        after a second.
        """
        switch = self.synchronize("one")
        aborted: list[bool] = []
        switch.transport.abortConnection = lambda: aborted.append(True)  # type: ignore
        stopped = self.listener.stop()
        self.clock.advance(1)
        self.assertEqual(aborted, [True])
        switch.lose()
        self.successResultOf(stopped)

    def test_startWhileStopping(self) -> None:
        """
        A listener that is started again before all its connections are closed
        accepts switches, and its stop still ends.
        """
        switch = self.synchronize("one")
        stopped = self.listener.stop()
        self.listener.start()
        another = self.synchronize("two")
        self.assertNoResult(stopped)
        switch.lose()
        self.successResultOf(stopped)
        self.assertFalse(another.transport.disconnecting)

    def test_cancelStop(self) -> None:
        """
        A caller that does not want to wait for the stop cancels its Deferred
        and disturbs nothing.
        """
        switch = self.synchronize("one")
        first, second = self.listener.stop(), self.listener.stop()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        switch.lose()
        self.successResultOf(second)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_log(self) -> None:
        """
        The log has a line when a switch is in sync and when it is gone.
        """
        with capturedLogs() as logs:
            self.synchronize("one").lose()
        self.assertEqual(
            self.lines(logs),
            [
                "tcp:10.0.0.1:1: in sync with switch one (host)",
                "tcp:10.0.0.1:1: switch one (host) is gone: Connection was closed cleanly",
            ],
        )
