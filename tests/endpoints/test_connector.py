# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.connector}.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
    clientFromString,
)
from twisted.internet.error import (
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NotConnectingError,
    UserError,
)
from twisted.internet.interfaces import (
    IConnector,
    IHandshakeListener,
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.endpoints.remotes import clientFromRemote

T = TypeVar("T")

ADDRESS = IPv4Address("TCP", "127.0.0.1", 6640)


@implementer(IStreamClientEndpoint)
class ManualEndpoint:
    """
    An endpoint that connects when the test says so.
    """

    def __init__(self) -> None:
        self.factory: Any = None
        self.attempt: Deferred[Any] = Deferred()
        self.attempts = 0

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """
        Begin an attempt.
        """
        self.factory, self.attempt = protocolFactory, Deferred()
        self.attempts += 1
        return self.attempt

    def accept(self) -> StringTransport:
        """
        The attempt succeeds, with a transport that records.
        """
        return self.acceptWith(StringTransport())

    def acceptWith(self, transport: T) -> T:
        """
        The attempt succeeds, with this transport.
        """
        protocol = self.factory.buildProtocol(ADDRESS)
        protocol.makeConnection(transport)
        self.protocol = protocol
        self.attempt.callback(protocol)
        return transport

    def refuse(self) -> None:
        """
        The attempt fails.
        """
        self.attempt.errback(ConnectionRefusedError())


@implementer(IHostnameResolver)
class ForgetfulResolver:
    """
    A resolver that finds no address, when the test says so.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.receiver: Any = None

    def resolveHostName(
        self, resolutionReceiver: Any, hostName: str, *rest: Any, **more: Any
    ) -> Any:
        """
        Begin to resolve a name.
        """
        self.asked.append(hostName)
        self.receiver = resolutionReceiver
        resolutionReceiver.resolutionBegan(self)
        return resolutionReceiver

    def fail(self) -> None:
        """
        The name has no address.
        """
        self.receiver.resolutionComplete()


@implementer(IReactorPluggableNameResolver)
class ResolvingReactor(MemoryReactorClock):
    """
    A reactor with the resolver of the test.
    """

    def __init__(self, resolver: ForgetfulResolver) -> None:
        super().__init__()
        self.nameResolver = resolver


class RecordingFactory(ClientFactory):
    """
    Records what a connector tells it.
    """

    noisy = False

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.reconnect = False
        self.build: Any = Protocol

    def startFactory(self) -> None:
        self.calls.append("start")

    def stopFactory(self) -> None:
        self.calls.append("stop")

    def startedConnecting(self, connector: Any) -> None:
        self.calls.append("connecting")

    def buildProtocol(self, addr: Any) -> Any:
        self.calls.append("build")
        return self.build()

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.calls.append(("failed", reason.type))
        self._again(connector)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.calls.append(("lost", reason.type))
        self._again(connector)

    def _again(self, connector: Any) -> None:
        if self.reconnect:
            connector.connect()


class EndpointConnectorTests(SynchronousTestCase):
    """
    Tests for L{EndpointConnector}.
    """

    def setUp(self) -> None:
        self.endpoint = ManualEndpoint()
        self.factory = RecordingFactory()
        self.connector = EndpointConnector(self.endpoint, self.factory)

    def test_interface(self) -> None:
        """
        An EndpointConnector is a connector of Twisted.
        """
        verifyObject(IConnector, self.connector)

    def test_notAnEndpoint(self) -> None:
        """
        A string in the place of an endpoint is refused at once.
        """
        with self.assertRaisesRegex(TypeError, "not a client endpoint.*'tcp:127.0.0.1:6640'"):
            EndpointConnector("tcp:127.0.0.1:6640", self.factory)  # type: ignore[arg-type]

    def test_life(self) -> None:
        """
        The factory is told what C{connectTCP} would tell it.
        """
        self.connector.connect()
        self.endpoint.accept()
        self.assertEqual(self.connector.state, "connected")
        self.assertEqual(self.connector.getDestination(), ADDRESS)
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(
            self.factory.calls, ["start", "connecting", "build", ("lost", ConnectionDone), "stop"]
        )
        self.assertEqual(self.connector.state, "disconnected")

    def test_failure(self) -> None:
        """
        When an attempt fails, the factory is told of the failure.
        """
        self.connector.connect()
        self.endpoint.refuse()
        self.assertEqual(
            self.factory.calls, ["start", "connecting", ("failed", ConnectionRefusedError), "stop"]
        )

    def test_failureAtOnce(self) -> None:
        """
        If an endpoint fails or raises at once, the factory is told of the start
        first, and then of the failure.
        """
        for connect in (lambda _: fail(ZeroDivisionError()), lambda _: 1 / 0):
            factory, endpoint = RecordingFactory(), ManualEndpoint()
            endpoint.connect = connect  # type: ignore[method-assign,assignment]
            EndpointConnector(endpoint, factory).connect()
            self.assertEqual(
                factory.calls, ["start", "connecting", ("failed", ZeroDivisionError), "stop"]
            )

    def test_reconnects(self) -> None:
        """
        A factory that connects again inside its own methods is started only
        once.
        """
        self.factory.reconnect = True
        self.connector.connect()
        self.endpoint.refuse()
        self.endpoint.accept()
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.endpoint.attempts, 3)
        self.assertEqual(self.factory.calls.count("start"), 1)
        self.assertNotIn("stop", self.factory.calls)

    def test_stopConnecting(self) -> None:
        """
        stopConnecting cancels the attempt, and the factory is told UserError,
        once.
        """
        self.assertRaises(NotConnectingError, self.connector.stopConnecting)
        self.connector.connect()
        self.assertRaises(RuntimeError, self.connector.connect)
        self.connector.stopConnecting()
        self.assertEqual(self.factory.calls[2:], [("failed", UserError), "stop"])
        self.assertRaises(NotConnectingError, self.connector.stopConnecting)

    def test_disconnect(self) -> None:
        """
        disconnect ends the attempt or the connection, whichever there is.
        """
        self.connector.disconnect()
        self.connector.connect()
        self.connector.disconnect()
        self.assertEqual(self.factory.calls[2:], [("failed", UserError), "stop"])
        self.connector.connect()
        transport = self.endpoint.accept()
        self.connector.disconnect()
        self.assertTrue(transport.disconnecting)

    def test_refusedByTheFactory(self) -> None:
        """
        If the factory makes no protocol, the connector makes none.
        """
        self.factory.build = lambda: None
        self.connector.connect()
        self.assertIsNone(self.endpoint.factory.buildProtocol(ADDRESS))

    def test_protocolRaisesAtLoss(self) -> None:
        """
        If a protocol raises in connectionLost, this is logged, and the factory
        is still told of the loss.
        """

        class Raising(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                raise ZeroDivisionError

        self.factory.build = Raising
        self.connector.connect()
        self.endpoint.accept()
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIn(("lost", ConnectionDone), self.factory.calls)

    def test_passesThrough(self) -> None:
        """
        The protocol gets data, and is told when the TLS handshake is complete.
        """

        @implementer(IHandshakeListener)
        class Listener(Protocol):
            seen: list[Any] = []

            def dataReceived(self, data: bytes) -> None:
                self.seen.append(data)

            def handshakeCompleted(self) -> None:
                self.seen.append("handshake")

        self.factory.build = Listener
        self.connector.connect()
        self.endpoint.accept()
        outer = self.endpoint.protocol
        self.assertTrue(IHandshakeListener.providedBy(outer))
        outer.handshakeCompleted()
        outer.dataReceived(b"x")
        self.assertEqual(Listener.seen, ["handshake", b"x"])
        self.assertEqual(outer.logPrefix(), "Listener")

    def test_F50_resolvesEachTime(self) -> None:
        """
        The host name is resolved again for each attempt, also if it could not
        be resolved before.
        """
        resolver = ForgetfulResolver()
        reactor = ResolvingReactor(resolver)
        self.factory.reconnect = True
        EndpointConnector(HostnameEndpoint(reactor, "switch.example", 6640), self.factory).connect()
        for _ in range(3):
            resolver.fail()
            reactor.advance(0)
        self.assertEqual(resolver.asked, ["switch.example"] * 4)
        self.assertEqual(self.factory.calls.count(("failed", DNSLookupError)), 3)

    def test_destinationBefore(self) -> None:
        """
        Before the first connection, the destination is the address of the
        endpoint as text. If the endpoint does not give its address, the
        destination is its C{repr}, or the name of its class. It never has a
        memory address in it.
        """
        reactor = MemoryReactorClock()
        telling = clientFromRemote(reactor, "tcp:[::1]")

        class Shown(ManualEndpoint):
            def __repr__(self) -> str:
                return "<Shown>"

        for endpoint, expected in (
            (TCP4ClientEndpoint(reactor, "127.0.0.1", 6640), "tcp:127.0.0.1:6640"),
            (TCP6ClientEndpoint(reactor, "::1", 6640), "tcp:[::1]:6640"),
            (HostnameEndpoint(reactor, "host", 6640), "tcp:host:6640"),
            (UNIXClientEndpoint(reactor, "/run/db.sock"), "unix:/run/db.sock"),
            (clientFromString(reactor, "tcp:host=10.0.0.1:port=1"), "tcp:10.0.0.1:1"),
            (telling, "tcp:[::1]:6640"),
            (ClusterEndpoint([telling, Shown()], shuffle=False), "tcp:[::1]:6640,<Shown>"),
            (Shown(), "<Shown>"),
            (self.endpoint, "ManualEndpoint"),
        ):
            connector = EndpointConnector(endpoint, self.factory)
            self.assertEqual(str(connector.getDestination()), expected)
