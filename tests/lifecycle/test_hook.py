# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.hook}: what a hook is told by the factory
and by the listener.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError, UserError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.endpoints.test_connector import ManualEndpoint
from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.observers import Recorder
from tests.fakes.rows import uuid, vmRow
from tests.lifecycle.test_listener import ListenerTestCase
from twisted_ovsdb import EndpointConnector, OvsdbListenerFactory, OvsdbMonitorFactory
from twisted_ovsdb.errors import SwitchRefused, describeReason
from twisted_ovsdb.events import ForgetReason
from twisted_ovsdb.lifecycle.hook import ConnectionHook, Hooks

SERVER = "tcp:127.0.0.1:6640"


class RecordingHook(ConnectionHook):
    """
    Records what it is told, in a few words, and the sources in a list of their
    own.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.sources: list[str] = []

    def take(self) -> list[str]:
        """
        Take what was told since the last call.
        """
        told, self.told = self.told, []
        return told

    def attempting(self, source: str) -> None:
        """
        Record it.
        """
        self._record(source, "attempting")

    def failed(self, source: str, reason: BaseException) -> None:
        """
        Record it.
        """
        self._record(source, f"failed: {describeReason(reason)}")

    def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
        """
        Record it.
        """
        self._record(source, f"refused {switch}: {reason}")

    def synchronized(self, source: str, switch: str) -> None:
        """
        Record it.
        """
        self._record(source, f"synchronized {switch}")

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        Record it.
        """
        self._record(source, f"lost {switch}: {describeReason(reason)}")

    def forgotten(self, switch: str, reason: ForgetReason) -> None:
        """
        Record it.
        """
        self.told.append(f"forgotten {switch}: {reason.value}")

    def waiting(self, source: str, seconds: float) -> None:
        """
        Record it.
        """
        self._record(source, f"waiting {seconds:g}")

    def _record(self, source: str, text: str) -> None:
        self.sources.append(source)
        self.told.append(text)


def _stopConnect(case: FactoryTestCase) -> None:
    case.factory.stop()
    case.connector.connect()


def _stopThenConnect(case: FactoryTestCase) -> None:
    case.factory.stop().addCallback(lambda _: case.connector.connect())


METHODS = [name for name in vars(ConnectionHook) if not name.startswith("_")]

REFUSAL = SwitchRefused("too many")

EVERYTHING: list[tuple[Any, tuple[object, ...]]] = [
    (ConnectionHook.attempting, ("here",)),
    (ConnectionHook.failed, ("here", REFUSAL)),
    (ConnectionHook.refused, ("here", "one", REFUSAL)),
    (ConnectionHook.synchronized, ("here", "one")),
    (ConnectionHook.lost, ("here", "one", REFUSAL)),
    (ConnectionHook.forgotten, ("one", ForgetReason.AGE)),
    (ConnectionHook.waiting, ("here", 1.0)),
]
"""Each method, and arguments for it."""


def _raise(hook: ConnectionHook, *arguments: object) -> None:
    raise KeyError("a bug of the hook")


RaisingHook: type[ConnectionHook] = type(
    "RaisingHook", (ConnectionHook,), dict.fromkeys(METHODS, _raise)
)
"""A hook whose methods all raise an exception."""


class FactoryHookTests(FactoryTestCase):
    """
    What a factory tells its hook.
    """

    def setUp(self) -> None:
        super().setUp()
        self.start()

    def start(self, **options: Any) -> None:
        """
        Make a factory with a hook, and let it connect.
        """
        self.hook = RecordingHook()
        self.makeFactory(hook=self.hook, source=SERVER, **options)

    def test_life(self) -> None:
        """
        Attempts, failures, waits, sessions and losses are told as they happen,
        always with the source.
        """
        self.assertEqual(self.hook.take(), ["attempting"])
        self.endpoint.refuse()
        self.clock.advance(1)
        refused = "failed: Connection was refused by other side"
        self.assertEqual(self.hook.take(), [refused, "waiting 1", "attempting"])
        self.synchronize()
        self.assertEqual(self.hook.take(), [f"synchronized {SERVER}"])
        self.clock.advance(2)
        self.lose(ConnectionLost())
        self.clock.advance(0)
        lost = f"lost {SERVER}: Connection to the other side was lost in a non-clean fashion"
        self.assertEqual(self.hook.take(), [lost, "waiting 0", "attempting"])
        self.assertEqual(set(self.hook.sources), {SERVER})

    def test_failures(self) -> None:
        """
        An attempt that takes too long, a server that refuses and a server that
        breaks the protocol are failures with their reasons.
        """
        self.clock.advance(5)
        self.clock.advance(1)
        self.accept()
        self.receive(b'{"id":1,"error":"unknown database"}')
        self.lose()
        self.clock.advance(8)
        self.accept()
        self.receive(b"HTTP/1.1 400 Bad Request")
        self.lose()
        failures = [text for text in self.hook.take() if text.startswith("failed")]
        self.assertEqual(
            failures[:2], ["failed: no connection for 5 s", "failed: unknown database"]
        )
        self.assertIn("begins with b'H'", failures[2])
        self.assertEqual(len(failures), 3)

    def test_noSource(self) -> None:
        """
        If the user gives no source, the source is the address to which the
        connector connects, also before there is a connection.
        """
        hook = RecordingHook()
        self.makeFactory(hook=hook)
        self.endpoint.refuse()
        self.clock.advance(1)
        self.synchronize()
        self.assertEqual(hook.sources[-1], SERVER)
        self.assertTrue(all(hook.sources))

    def test_identified(self) -> None:
        """
        With C{identify}, the hook is told the system-id of the switch.
        """
        self.start(identify=True)
        self.accept()
        row = {"new": {"external_ids": ["map", [["system-id", "s-1"]]]}}
        tables = {"Open_vSwitch": {uuid(9): row}}
        self.receive(json.dumps({"id": 1, "result": tables}).encode())
        self.lose()
        self.assertEqual(
            self.hook.take()[1:3],
            ["synchronized s-1", "lost s-1: Connection was closed cleanly"],
        )

    def test_stop(self) -> None:
        """
        In every state a stop ends the attempt or the session, once.
        """
        self.factory.stop()
        self.assertEqual(self.hook.take(), ["attempting", "failed: stopped"])

        self.start()
        self.endpoint.refuse()
        self.hook.take()
        self.factory.stop()
        self.assertEqual(self.hook.take(), [])

        self.start()
        self.accept()
        self.factory.stop()
        self.lose()
        self.assertEqual(self.hook.take(), ["attempting", "failed: stopped"])

        self.start()
        self.synchronize()
        self.hook.take()
        self.factory.stop()
        self.lose()
        self.assertEqual(self.hook.take(), [f"lost {SERVER}: stopped"])

    def test_acts(self) -> None:
        """
        A hook may connect, retry or stop the factory whenever it is told something.
        No attempt begins during another one, no timer outlives a stop, and a stopped
        factory never connects again.
        """
        actions: dict[str, Callable[[FactoryHookTests], object]] = {
            "connect": lambda case: case.connector.connect(),
            "retry": lambda case: case.factory.retry(),
            "stop": lambda case: case.factory.stop(),
            "stop, connect": _stopConnect,
            "stop, then connect": _stopThenConnect,
        }
        for method in ("attempting", "failed", "waiting", "synchronized", "lost"):
            for name, action in actions.items():
                with self.subTest(method=method, action=name):
                    self.start()
                    self.act(method, action)
                    stopped = self.factory.stop()
                    if self.connector.state == "connected":
                        self.lose()
                    self.successResultOf(stopped)
                    self.assertEqual(self.clock.getDelayedCalls(), [])
                    self.assertEqual(self.attemptsWithin(60), 0)

    def act(self, method: str, action: Callable[[FactoryHookTests], object]) -> None:
        """
        Do this when the hook is told that for the first time. Meanwhile an attempt
        fails, one takes long and succeeds, and the session ends.
        """
        done: list[str] = []

        def told(source: str, *arguments: object) -> None:
            if not done:
                done.append(method)
                with contextlib.suppress(
                    RuntimeError
                ):  # The connector cannot connect at this moment.
                    action(self)

        setattr(self.hook, method, told)
        if method == "attempting":
            self.factory.stop()
            self.connector.connect()
        for outcome in (self.endpoint.refuse, self.synchronize, self.lose, self.synchronize):
            if self.connector.state == ("connected" if outcome == self.lose else "connecting"):
                outcome()
            self.clock.advance(4)
        self.assertEqual(done, [method])

    def test_stoppedByAnObserver(self) -> None:
        """
        If an observer stops the factory while it is told the snapshot, the hook
        is told that the attempt failed, and nothing else.
        """
        factory = self.factory

        class Stopper(Recorder):
            def eventReceived(self, event: Any) -> None:
                super().eventReceived(event)
                factory.stop()

        factory.addObserver(Stopper())
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.assertEqual(self.hook.take(), ["attempting", "failed: stopped"])

    def test_exitingObserver(self) -> None:
        """
        If an observer raises SystemExit or KeyboardInterrupt, or its coroutine
        does, the other observers are told everything, the hook is told that the
        session is in sync, and silence is answered with an echo.
        """

        class Exiting:
            def eventReceived(self, event: Any) -> None:
                raise SystemExit

        class Interrupted:
            async def eventReceived(self, event: Any) -> None:
                raise KeyboardInterrupt

        after = Recorder()
        for observer in (Exiting(), Interrupted(), after):
            self.factory.addObserver(observer)
        self.synchronize({1: vmRow("tap1")})
        self.sent()
        self.assertEqual(
            after.take(), [("online", "vm", "tap1", "initial"), ("synchronized", "initial")]
        )
        self.assertEqual(self.hook.take(), ["attempting", f"synchronized {SERVER}"])
        self.advance(6)
        self.assertEqual(self.sent(), [("echo", [])])
        for error in (SystemExit, KeyboardInterrupt):
            self.assertEqual(len(self.flushLoggedErrors(error)), 2)


class ListenerHookTests(ListenerTestCase):
    """
    What a listener tells its hook.
    """

    def listen(self, **options: Any) -> None:
        """
        Make a listener with a hook.
        """
        self.hook = RecordingHook()
        super().listen(hook=self.hook, **options)

    def test_life(self) -> None:
        """
        A switch is named by its system-id, and the source is its address.
        """
        switch = self.synchronize("one")
        self.assertEqual(self.hook.take(), ["attempting", "synchronized one"])
        switch.lose()
        self.assertEqual(self.hook.take(), ["lost one: Connection was closed cleanly"])
        self.assertEqual(set(self.hook.sources), {"tcp:10.0.0.1:1"})

    def test_refused(self) -> None:
        """
        The hook is told each connection that is refused, with the reason.
        """
        self.listen(maxSwitches=1)
        first = self.synchronize("one")
        first.requests()
        self.hook.take()
        self.dial().identify("one")
        ((messageId, _),) = first.requests()
        first.answer(messageId, [])
        clone = "switch one is connected already, from tcp:10.0.0.1:1; were the hosts cloned?"
        self.assertEqual(self.hook.take(), ["attempting", f"refused one: {clone}"])
        self.dial().identify("two")
        many = "too many switches are connected (1, --max-switches)"
        self.assertEqual(self.hook.take(), ["attempting", f"refused two: {many}"])
        self.dial().answer(1, [{"rows": []}])
        unknown = "the table Open_vSwitch of the switch is empty"
        told = ["attempting", f"refused tcp:10.0.0.1:4: {unknown}"]
        self.assertEqual(self.hook.take(), told)
        self.dial()
        self.dial()
        many = "too many unidentified connections (1, --max-switches)"
        # The older one goes.
        told = ["attempting", "attempting", f"refused tcp:10.0.0.1:5: {many}"]
        self.assertEqual(self.hook.take(), told)

    def test_failed(self) -> None:
        """
        The hook is told a failure for a switch that does not identify itself,
        and for a switch that is lost before it is in sync.
        """
        self.dial()
        for _ in range(10):
            self.clock.advance(1)
        switch = self.dial()
        switch.identify("one")
        switch.lose()
        self.assertEqual(
            self.hook.take(),
            [
                "attempting",
                "failed: the switch did not identify itself within 10 s",
                "attempting",
                "failed: Connection was closed cleanly",
            ],
        )

    def test_stop(self) -> None:
        """
        A stop ends each session and each attempt, once. The hook is not told of
        connections after it.
        """
        switches = [self.synchronize("one"), self.dial()]
        self.hook.take()
        self.listener.stop()
        for switch in switches:
            switch.lose()
        self.dial()
        self.assertEqual(sorted(self.hook.take()), ["failed: stopped", "lost one: stopped"])


class HooksTests(SynchronousTestCase):
    """
    Tests for L{Hooks} and for hooks that fail.
    """

    def tell(self, *hooks: ConnectionHook | None) -> None:
        """
        Call every method of these hooks.
        """
        for method, arguments in EVERYTHING:
            Hooks(*hooks).tell(method, *arguments)

    def test_raising(self) -> None:
        """
        If a hook raises an exception, it is logged, and the next hook is still
        told.
        """
        recorder = RecordingHook()
        self.tell(RaisingHook(), None, recorder)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 7)
        self.assertEqual(
            recorder.take(),
            [
                "attempting",
                "failed: too many",
                "refused one: too many",
                "synchronized one",
                "lost one: too many",
                "forgotten one: age",
                "waiting 1",
            ],
        )

    def test_nothing(self) -> None:
        """
        A hook need not override any method.
        """
        self.tell(ConnectionHook())
        self.tell()

    def test_allOfThem(self) -> None:
        """
        These tests call all methods that a hook has.
        """
        self.assertEqual([method.__name__ for method, _ in EVERYTHING], METHODS)
        self.assertLessEqual(set(METHODS), set(vars(RecordingHook)))


class RaisingHookTests(FactoryTestCase):
    """
    A factory whose hook always raises an exception.
    """

    def test_harmless(self) -> None:
        """
        The factory connects, is in sync, connects again and stops, as if there
        were no hook.
        """
        self.makeFactory(hook=RaisingHook())
        self.endpoint.refuse()
        self.clock.advance(1)
        self.synchronize({1: vmRow("tap1")})
        self.lose()
        self.clock.advance(2)
        self.synchronize({1: vmRow("tap1")})
        self.assertTrue(self.factory.monitor.inSync)
        stopped = self.factory.stop()
        self.lose()
        self.successResultOf(stopped)
        self.assertGreater(len(self.flushLoggedErrors(KeyError)), 6)


class Acting(ConnectionHook):
    """
    A hook that calls a function when it is told of an attempt, of a failure, or
    of a wait.

    @ivar acted: how often it has called the function.
    """

    def __init__(self, at: str, act: Callable[[], object], times: int = 1000) -> None:
        self.acted = 0
        self._at = at
        self._act = act
        self._times = times

    def attempting(self, source: str) -> None:
        """
        Call the function, if this is the event for it.
        """
        self._told("attempting")

    def failed(self, source: str, reason: BaseException) -> None:
        """
        Call the function, if this is the event for it.
        """
        self._told("failed")

    def waiting(self, source: str, seconds: float) -> None:
        """
        Call the function, if this is the event for it.
        """
        self._told("waiting")

    def _told(self, what: str) -> None:
        if what == self._at and self.acted < self._times:
            self.acted += 1
            self._act()


class TCPConnector:
    """
    Fails at once when it is stopped, as connectors of TCP do.
    """

    def __init__(self, factory: OvsdbMonitorFactory) -> None:
        self._factory = factory

    def stopConnecting(self) -> None:
        """
        Stop.
        """
        this: Any = self
        self._factory.clientConnectionFailed(this, Failure(UserError()))

    def getDestination(self) -> IPv4Address:
        """
        The server.
        """
        return IPv4Address("TCP", "127.0.0.1", 6640)


class RefusingEndpoint(ManualEndpoint):
    """
    Refuses before C{connect} returns.
    """

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Refuse.
        """
        self.attempts += 1
        return fail(ConnectionRefusedError())


class ActingHookTests(FactoryTestCase):
    """
    Hooks that stop the factory, or connect it.
    """

    def assertStops(self) -> None:
        """
        A stop ends everything: its Deferred fires, and there is no attempt after it.
        """
        self.successResultOf(self.factory.stop())
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.connector.state, "disconnected")

    def stopAndConnect(self) -> None:
        """
        Stop the factory, and connect it as soon as it has stopped.
        """
        self.factory.stop().addCallback(lambda _: self.connector.connect())

    def test_stopWhileWaiting(self) -> None:
        """
        If a hook stops the factory after a failed attempt, there are no more
        attempts.
        """
        hook = Acting("waiting", lambda: self.factory.stop())
        self.makeFactory(hook=hook)
        self.endpoint.refuse()
        self.advance(60)
        self.assertEqual((hook.acted, self.endpoint.attempts), (1, 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopWhileAttempting(self) -> None:
        """
        A hook that stops the factory as an attempt begins leaves no timer
        behind, also under connectTCP.
        """
        factory = OvsdbMonitorFactory(
            clock=self.clock, hook=Acting("attempting", lambda: factory.stop())
        )
        connector: Any = TCPConnector(factory)
        before = len(self.clock.getDelayedCalls())
        factory.startedConnecting(connector)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)
        self.successResultOf(factory.stop())

    def test_connectWhileAttempting(self) -> None:
        """
        If a hook stops the factory as an attempt begins and connects it, which
        connectors of TCP allow, there is one limit to the new attempt.
        """
        connector: Any = None

        def again() -> None:
            factory.stop()
            factory.startedConnecting(connector)

        factory = OvsdbMonitorFactory(clock=self.clock, hook=Acting("attempting", again, 1))
        connector = TCPConnector(factory)
        before = len(self.clock.getDelayedCalls())
        factory.startedConnecting(connector)
        self.assertEqual(len(self.clock.getDelayedCalls()), before + 1)
        self.successResultOf(factory.stop())
        self.assertEqual(len(self.clock.getDelayedCalls()), before)

    def test_connectWhileWaiting(self) -> None:
        """
        If a hook connects the factory instead of the wait, and this fails at
        once, there is one next attempt. A stop ends it.
        """
        for act in (
            lambda: self.factory.retry(),
            lambda: self.connector.connect(),
            self.stopAndConnect,
        ):
            self.makeFactory(hook=Acting("waiting", act, 1))
            self.factory.stop()
            self.endpoint = RefusingEndpoint()
            self.connector = EndpointConnector(self.endpoint, self.factory)
            self.connector.connect()
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.assertStops()

    def test_retryWhileWaiting(self) -> None:
        """
        A hook that always calls retry when it is told of a wait changes nothing.
        """
        hook = Acting("waiting", lambda: self.factory.retry())
        self.makeFactory(hook=hook)
        self.endpoint.refuse()
        self.assertEqual(hook.acted, 1)
        self.assertEqual(self.attemptsWithin(0.99), 0)
        self.assertEqual(self.attemptsWithin(0.01), 1)

    def test_retryWhileConnected(self) -> None:
        """
        While the factory connects or is connected, retry does nothing, and the
        hook is told of no wait.
        """
        hook = RecordingHook()
        self.makeFactory(hook=hook)
        self.factory.retry()
        self.synchronize()
        self.factory.retry()
        self.assertEqual(hook.take(), ["attempting", f"synchronized {SERVER}"])

    def test_connectAfterAFailure(self) -> None:
        """
        If a hook connects the factory when an attempt has failed, this is the
        one next attempt, without a wait. A stop ends it.
        """

        def stopFirst() -> None:
            self.factory.stop()
            self.connector.connect()

        for act in (lambda: self.connector.connect(), stopFirst, self.stopAndConnect):
            self.makeFactory(hook=Acting("failed", act, 1))
            self.endpoint.refuse()
            self.assertEqual(self.connector.state, "connecting")
            self.assertEqual(self.attemptsWithin(4.99), 0)
            self.assertEqual(self.endpoint.attempts, 2)
            self.assertStops()
            self.assertEqual(self.attemptsWithin(60), 0)

    def test_connectAfterTheStop(self) -> None:
        """
        If a hook connects the factory when a stop has ended the attempt, the
        Deferred of the stop fires, and the new connection stays.
        """

        def again() -> None:
            self.connector.connect()
            self.synchronize()

        self.makeFactory(hook=Acting("failed", again, 1))
        self.successResultOf(self.factory.stop())
        self.assertTrue(self.factory.monitor.inSync)
        self.assertFalse(self.transport.disconnecting)
        stopped = self.factory.stop()
        self.assertNoResult(stopped)
        self.lose()
        self.successResultOf(stopped)
        self.assertStops()

    def test_wrongHook(self) -> None:
        """
        A class in the place of an instance, or anything else, is refused.
        """
        for hook in (ConnectionHook, 5):
            with self.assertRaisesRegex(TypeError, "hook must be an instance"):
                OvsdbMonitorFactory(clock=Clock(), hook=hook)  # type: ignore[arg-type]


class StoppingListenerTests(ListenerTestCase):
    """
    A hook that stops the listener.
    """

    def test_stopWhileAttempting(self) -> None:
        """
        If the hook stops the listener when a switch connects, the connection is
        not accepted.
        """
        recording = RecordingHook()
        recording.attempting = lambda source: self.listener.stop()  # type: ignore
        self.listener = OvsdbListenerFactory(clock=self.clock, hook=recording)
        self.assertIsNone(self.listener.buildProtocol(None))
        self.assertEqual(recording.take(), ["failed: stopped"])


class OtherConnectorTests(FactoryTestCase):
    """
    More than one connector, or one that is called early.
    """

    def test_second(self) -> None:
        """
        While a connector is in use, a second one is stopped. There is no timer
        for it, the hook is not told of it, and the first connector goes on.
        """
        hook = RecordingHook()
        self.makeFactory(hook=hook)
        self.synchronize()
        hook.take()
        other = EndpointConnector(self.endpoint, self.factory)
        other.connect()
        self.assertEqual((other.state, self.endpoint.attempts), ("disconnected", 1))
        self.assertIs(self.factory.connector, self.connector)
        self.clock.advance(4)
        self.assertEqual(hook.take(), [])
        self.assertTrue(self.factory.monitor.inSync)

    def test_secondWhileConnecting(self) -> None:
        """
        A second connector is stopped also while the first one still connects. The
        attempt of the first one goes on, and nothing is told of the other one.
        """
        hook = RecordingHook()
        self.makeFactory(hook=hook)
        hook.take()
        other = EndpointConnector(self.endpoint, self.factory)
        other.connect()
        self.assertEqual((other.state, self.connector.state), ("disconnected", "connecting"))
        self.assertEqual(hook.take(), [])
        self.synchronize()
        self.assertTrue(self.factory.monitor.inSync)
        self.assertEqual(self.endpoint.attempts, 1)

    def test_secondIsLost(self) -> None:
        """
        That another connector has lost its connection, as it says, means nothing for
        the session.
        """
        hook = RecordingHook()
        self.makeFactory(hook=hook)
        self.synchronize()
        hook.take()
        other = EndpointConnector(self.endpoint, self.factory)
        self.factory.clientConnectionLost(other, Failure(ConnectionDone()))
        self.lose()
        # Also while the factory waits, and while it connects.
        self.factory.clientConnectionLost(other, Failure(ConnectionDone()))
        self.clock.advance(8)
        self.factory.clientConnectionLost(other, Failure(ConnectionDone()))
        self.assertEqual(self.connector.state, "connecting")
        self.synchronize()
        self.assertEqual(self.endpoint.attempts, 2)
        self.assertTrue(self.factory.monitor.inSync)

    def test_hurry(self) -> None:
        """
        If the user calls connect while the factory waits, that wait ends.
        """
        self.endpoint.refuse()
        self.connector.connect()
        self.synchronize()
        self.clock.advance(4)
        self.assertEqual(self.endpoint.attempts, 2)
        self.assertTrue(self.factory.monitor.inSync)
