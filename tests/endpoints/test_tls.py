# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.tls} and L{twisted_ovsdb.endpoints.secure}.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, NoProtocol
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocol,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.fakes.pki import Authority, KeyPair
from twisted_ovsdb.endpoints.secure import HANDSHAKE_TIMEOUT, SecureServerFactory, TLSClientEndpoint
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions, VerifyingCreator, nameTrouble
from twisted_ovsdb.errors import openSSLReasons


@implementer(IHandshakeListener)
class Recording(Protocol):
    """
    Records what happens to it.
    """

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.received = b""
        self.reason: Any = None

    def connectionMade(self) -> None:
        """Record the call."""
        self.happened.append("made")

    def handshakeCompleted(self) -> None:
        """Record the call."""
        self.happened.append("handshake")

    def dataReceived(self, data: bytes) -> None:
        """Record the call."""
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Record the call."""
        self.happened.append("lost")
        self.reason = reason.value


class RecordingFactory(Factory):
    """
    Keeps the protocols that it has made.
    """

    noisy = False

    def __init__(self) -> None:
        self.made: list[Recording] = []
        self.calls: list[str] = []
        self.refuses = False

    def buildProtocol(self, addr: Any) -> Recording | None:
        """Make a protocol, unless the factory refuses."""
        if self.refuses:
            return None
        self.made.append(Recording())
        return self.made[-1]

    def doStart(self) -> None:
        """Record the call."""
        self.calls.append("start")

    def doStop(self) -> None:
        """Record the call."""
        self.calls.append("stop")


@implementer(IStreamClientEndpoint)
class PumpedEndpoint:
    """
    Leads to a factory in the same process.
    """

    def __init__(self, server: Any, clock: Clock) -> None:
        self.attempts = 0
        self.pump: IOPump
        self._server = server
        self._clock = clock

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:
        """
        Connect at once, but move no byte.
        """
        self.attempts += 1
        protocolFactory.doStart()
        client = protocolFactory.buildProtocol(None)
        server = self._server.buildProtocol(None)
        self.pump = connect(
            server,
            FakeTransport(server, isServer=True),
            client,
            FakeTransport(client, isServer=False),
            greet=False,
            clock=self._clock,
        )
        return succeed(client)


class TLSCase(SynchronousTestCase):
    """
    A test with a certificate authority of its own.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.authority = Authority(self.folder, "ours")


class FilesTests(TLSCase):
    """
    Tests for L{TLSOptions.check}.
    """

    def refusal(self, options: TLSOptions) -> str:
        """
        The reason why files cannot be used.
        """
        return str(self.assertRaises(TLSFailure, options.check))

    def test_good(self) -> None:
        """
        Good files are accepted, also if the certificate of the authority
        follows in the file of the certificate.
        """
        pair = self.authority.issue("good")
        self.authority.options(pair).check()
        chain = Path(pair.certificate)
        chain.write_bytes(chain.read_bytes() + Path(self.authority.caCert).read_bytes())
        self.authority.options(pair).check()

    def test_missing(self) -> None:
        """
        If a file does not exist or is a folder, the error has its option and
        its path.
        """
        pair = self.authority.issue("pair")
        key, certificate, ca = pair.privateKey, pair.certificate, self.authority.caCert
        folder = str(self.folder)
        for options, refusal in (
            (TLSOptions("/no/key", certificate, ca), "private-key /no/key: No such file"),
            (TLSOptions(key, "/no/cert", ca), "certificate /no/cert: No such file"),
            (TLSOptions(key, certificate, "/no/ca"), "ca-cert /no/ca: No such file"),
            (TLSOptions(folder, certificate, ca), f"private-key {folder}: Is a directory"),
        ):
            self.assertTrue(self.refusal(options).startswith(refusal), self.refusal(options))

    def test_otherContent(self) -> None:
        """
        If a file has other content, the error has its option and its path.
        """
        pair = self.authority.issue("pair")
        key, certificate, ca = pair.privateKey, pair.certificate, self.authority.caCert
        junk = str(self.folder / "junk")
        fault = "has no such thing in PEM format"
        for content in (b"", b"junk\n", b"-----BEGIN CERTIFICATE-----\n"):
            Path(junk).write_bytes(content)
            for options, option in (
                (TLSOptions(junk, certificate, ca), "private-key"),
                (TLSOptions(key, junk, ca), "certificate"),
                (TLSOptions(key, certificate, junk), "ca-cert"),
            ):
                refusal = self.refusal(options)
                self.assertTrue(refusal.startswith(f"{option} {junk}: "), refusal)
                self.assertGreater(len(refusal), len(f"{option} {junk}: "), refusal)
                if not content.startswith(b"-"):
                    self.assertIn(fault, refusal)
        self.assertIn(fault, self.refusal(TLSOptions(certificate, certificate, ca)))
        self.assertIn(fault, self.refusal(TLSOptions(key, key, ca)))

    def test_mismatch(self) -> None:
        """
        The private key of another certificate is refused.
        """
        pair, other = self.authority.issue("pair"), self.authority.issue("other")
        options = self.authority.options(KeyPair(other.privateKey, pair.certificate))
        self.assertEqual(
            self.refusal(options),
            f"private-key {other.privateKey}: does not belong to the certificate",
        )

    def test_keyForEverybody(self) -> None:
        """
        There is one warning if everybody can read the private key, however often it
        is used. Its group may, as that of Debian's /etc/ssl/private.
        """
        pair = self.authority.issue("pair")
        options = self.authority.options(pair)
        for mode, count in ((0o640, 0), (0o644, 1), (0o604, 0)):
            os.chmod(pair.privateKey, mode)
            with capturedLogs() as logs:
                options.check()
                options.check()
            self.assertEqual(len(logs), count, oct(mode))
            for event in logs:
                self.assertEqual(
                    formatEvent(event),
                    f"private-key {pair.privateKey}: everybody can read it (chmod o-r)",
                )

    def test_encrypted(self) -> None:
        """
        A private key with a passphrase is refused, because a daemon cannot ask
        for the passphrase.
        """
        pair = self.authority.issue("pair", passphrase=b"secret")
        self.assertEqual(
            self.refusal(self.authority.options(pair)),
            f"private-key {pair.privateKey}: is encrypted; a key without a passphrase is needed",
        )

    def test_withoutPyOpenSSL(self) -> None:
        """
        If the packages for TLS are missing, the error says how to install them.
        """
        options = self.authority.options(self.authority.issue("pair"))
        modules: dict[str, Any] = sys.modules
        self.addCleanup(modules.__setitem__, "OpenSSL", modules["OpenSSL"])
        modules["OpenSSL"] = None
        refusal = self.refusal(options)
        self.assertIn("pip install twisted_ovsdb[tls]", refusal)
        self.assertTrue(refusal.startswith(f"private-key {options.privateKey}: "))

    def test_reasons(self) -> None:
        """
        The reasons in an error of OpenSSL are read, whatever form the error
        has.
        """
        for arguments, reasons in (
            (([("a", "", "one"), ("b", "", "two"), ("a", "", "one")],), ["one", "two"]),
            (([],), []),
            (([("a", "", "")],), []),
            ((), []),
            (("text",), ["text"]),
        ):
            self.assertEqual(openSSLReasons(SSL.Error(*arguments)), reasons)


class NameTests(TLSCase):
    """
    Tests for L{nameTrouble}.
    """

    def trouble(self, host: str, names: Sequence[str]) -> str | None:
        """
        What is wrong with a certificate that has these names.
        """
        content = Path(self.authority.issue("any", names).certificate).read_bytes()
        return nameTrouble(x509.load_pem_x509_certificate(content), host)

    def test_match(self) -> None:
        """
        A host is accepted if it is one of the names, or fits a wildcard.
        """
        for host, names in (
            ("host", ["host"]),
            ("host.", ["host"]),
            ("HOST", ["host"]),
            ("b.example", ["a.example", "b.example"]),
            ("a.b.example", ["*.b.example"]),
            ("my_container", ["my_container"]),
            ("bücher.example", ["xn--bcher-kva.example"]),
            ("192.0.2.1", ["host", "192.0.2.1"]),
            ("::1", ["::1"]),
            ("fe80::1%eth0", ["fe80::1"]),
        ):
            self.assertIsNone(self.trouble(host, names), host)

    def test_mismatch(self) -> None:
        """
        A host that is none of the names is refused. The error has the first
        five names.
        """
        for host, names in (
            ("host", ["other"]),
            ("host", ["192.0.2.1"]),
            ("192.0.2.1", ["host"]),
            ("192.0.2.1", ["192.0.2.2"]),
            ("a.b.c.example", ["*.c.example"]),
        ):
            trouble = self.trouble(host, names)
            self.assertEqual(trouble, f"the certificate is for {', '.join(names)}, not for {host}")
        trouble = self.trouble("host", [f"h{i}" for i in range(6)])
        self.assertEqual(trouble, "the certificate is for h0, h1, h2, h3, h4, ..., not for host")

    def test_none(self) -> None:
        """
        A certificate without a subjectAltName is valid for no host, not even
        for the host in its subject.
        """
        for host in ("any", "192.0.2.1"):
            self.assertEqual(
                self.trouble(host, []),
                f"the certificate has no subjectAltName, so it is not for {host}",
            )

    def test_unreadable(self) -> None:
        """
        A certificate whose names cannot be read is valid for no host.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any")])
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, now, now)
            .add_extension(
                x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"junk"), False
            )
            .sign(key, hashes.SHA256())
        )
        trouble = nameTrouble(certificate, "any")
        assert trouble is not None
        self.assertTrue(trouble.startswith("the certificate cannot be read: "), trouble)


class HandshakeCase(TLSCase):
    """
    A client endpoint that leads to a TLS server in the same process.
    """

    def setUp(self) -> None:
        super().setUp()
        self.clock: Any = Clock()
        self.ours = self.authority.options(self.authority.issue("client"))
        self.theirs = self.authority.options(self.authority.issue("server", ["host"]))
        self.serverFactory = RecordingFactory()
        self.factory = RecordingFactory()
        self.leadTo(SecureServerFactory(self.theirs, self.serverFactory, self.clock))

    def leadTo(self, serverFactory: Any) -> None:
        """
        Let connections lead to this server.
        """
        self.inner = PumpedEndpoint(serverFactory, self.clock)

    def connect(self, verifyHostname: bool = False, host: str = "host") -> Deferred[IProtocol]:
        """
        Begin to connect.
        """
        options = self.ours
        if verifyHostname:
            options = TLSOptions(options.privateKey, options.certificate, options.caCert, True)
        return TLSClientEndpoint(self.inner, options, host, self.clock).connect(self.factory)

    def connected(self, **options: Any) -> tuple[Recording, Recording]:
        """
        Make a connection that succeeds, and return its two protocols.
        """
        attempt = self.connect(**options)
        self.assertNoResult(attempt)
        self.inner.pump.flush()
        client: Any = self.successResultOf(attempt)
        return client, self.serverFactory.made[-1]

    def refusal(self, **options: Any) -> str:
        """
        Make a connection that fails before a protocol is made on our side, and
        return the reason.
        """
        attempt = self.connect(**options)
        self.inner.pump.flush()
        failure = self.failureResultOf(attempt, TLSFailure)
        self.assertEqual(self.factory.made, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return str(failure.value)


class ClientTests(HandshakeCase):
    """
    Tests for L{TLSClientEndpoint}.
    """

    def test_interfaces(self) -> None:
        """
        The endpoint and the connection creator provide Twisted's interfaces.
        """
        endpoint = TLSClientEndpoint(self.inner, self.ours, "host", self.clock)
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertIn("host", repr(endpoint))
        creator = VerifyingCreator(self.ours, "host")
        verifyObject(IOpenSSLClientConnectionCreator, creator)
        verifyObject(IOpenSSLServerConnectionCreator, creator)

    def test_good(self) -> None:
        """
        The protocol is made when the server is verified. From then on, the
        connection is used like any other.
        """
        client, server = self.connected()
        self.assertEqual(client.happened, ["made", "handshake"])
        self.assertEqual(server.happened, ["made", "handshake"])
        assert client.transport is not None and server.transport is not None
        client.transport.write(b"from client")
        server.transport.write(b"from server")
        self.inner.pump.flush()
        self.assertEqual((client.received, server.received), (b"from server", b"from client"))
        server.transport.loseConnection()
        self.inner.pump.flush()
        self.assertIsInstance(client.reason, ConnectionDone)
        self.assertEqual(client.happened, ["made", "handshake", "lost"])
        self.assertEqual(self.factory.calls, ["start"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_transport(self) -> None:
        """
        The transport of the protocol gives access to the TLS connection below
        it.
        """
        client, _ = self.connected()
        self.assertIsInstance(client.transport, ProtocolWrapper)
        transport: Any = client.transport
        self.assertGreaterEqual(transport.getHandle().get_protocol_version(), SSL.TLS1_2_VERSION)

    def test_serverName(self) -> None:
        """
        The client sends the host name to the server, in ASCII. It does not send
        an IP address, because TLS does not allow that.
        """
        for host, name in (
            ("host", b"host"),
            ("bücher.example.", b"xn--bcher-kva.example"),
            ("192.0.2.1", None),
            ("::1", None),
        ):
            _, server = self.connected(host=host)
            transport: Any = server.transport
            self.assertEqual(transport.getHandle().get_servername(), name)

    def test_wrongAuthority(self) -> None:
        """
        A server whose certificate is from another authority is refused, and the
        server is told the reason.
        """
        other = Authority(self.folder / "other", "other")
        pair = other.issue("server")
        theirs = TLSOptions(pair.privateKey, pair.certificate, self.authority.caCert)
        self.leadTo(SecureServerFactory(theirs, self.serverFactory, self.clock))
        self.assertEqual(
            self.refusal(),
            "certificate verify failed: unable to get issuer certificate locally",
        )
        [server] = self.serverFactory.made
        self.assertEqual(str(server.reason), "the other side refuses TLS with us: unknown ca")

    def test_sameNameOfAuthority(self) -> None:
        """
        A server is refused if its authority only has the same name as ours.
        """
        pair = Authority(self.folder / "other", "ours").issue("server")
        theirs = TLSOptions(pair.privateKey, pair.certificate, self.authority.caCert)
        self.leadTo(SecureServerFactory(theirs, self.serverFactory, self.clock))
        self.assertEqual(self.refusal(), "certificate verify failed: certificate signature failure")

    def test_expired(self) -> None:
        """
        A server whose certificate has expired is refused.
        """
        self.authority.issue("server", expired=True)
        self.assertEqual(self.refusal(), "certificate verify failed: certificate has expired")

    def test_verifyHostname(self) -> None:
        """
        The host name is checked if this was asked for. A certificate without
        names is then refused.
        """
        self.connected(verifyHostname=True)
        self.factory.made.clear()
        self.assertEqual(
            self.refusal(verifyHostname=True, host="other"),
            "certificate verify failed: the certificate is for host, not for other",
        )
        self.authority.issue("server")
        self.assertEqual(
            self.refusal(verifyHostname=True),
            "certificate verify failed: the certificate has no subjectAltName, so it is not for"
            " host",
        )
        self.connected(verifyHostname=False)

    def test_namesOfThePeer(self) -> None:
        """
        Names in a certificate cannot add lines to a log, or make a long one.
        """
        self.authority.issue("server", ["a\nb", *(f"{i}.{'x' * 100}.example" for i in range(3))])
        refusal = self.refusal(verifyHostname=True)
        self.assertTrue(refusal.isprintable(), refusal)
        self.assertIn("the certificate is for a\\nb, 0.xxx", refusal)
        self.assertTrue(refusal.endswith(".example, not for host"), refusal)
        self.assertLessEqual(len(refusal), 200)

    def test_oldTLS(self) -> None:
        """
        A server that has nothing newer than TLS 1.1 is refused.
        """
        made = TLSOptions.makeContext

        def old(options: TLSOptions) -> SSL.Context:
            context = made(options)
            if options is self.theirs:
                context.set_min_proto_version(SSL.TLS1_VERSION)
                context.set_max_proto_version(SSL.TLS1_1_VERSION)
                context.set_cipher_list(b"ALL:@SECLEVEL=0")
            return context

        self.patch(TLSOptions, "makeContext", old)
        self.assertIn("protocol", self.refusal())

    def test_plaintextServer(self) -> None:
        """
        If the server answers in plain text, the error asks whether TLS is
        spoken there.
        """

        class Talking(Protocol):
            def connectionMade(self) -> None:
                assert self.transport is not None
                self.transport.write(b'{"method":"echo","params":[],"id":"echo"}')

        self.leadTo(Factory.forProtocol(Talking))
        # OpenSSL's words for it differ by version.
        self.assertRegex(self.refusal(), r"^TLS: .+ \(is TLS spoken there\?\)$")

    def test_closingServer(self) -> None:
        """
        If the server closes the connection during the handshake, the error asks
        whether TLS is spoken there.
        """

        class Closing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.transport.loseConnection()

        self.leadTo(Factory.forProtocol(Closing))
        self.assertEqual(
            self.refusal(), "closed before the TLS handshake was over (is TLS spoken there?)"
        )

    def test_silentServer(self) -> None:
        """
        A handshake that does not end is given up after 30 s.
        """
        self.leadTo(Factory.forProtocol(Protocol))
        attempt = self.connect()
        self.inner.pump.flush()
        self.clock.advance(HANDSHAKE_TIMEOUT - 0.001)
        self.assertNoResult(attempt)
        self.clock.advance(0.001)
        failure = self.failureResultOf(attempt, TLSFailure)
        self.assertEqual(str(failure.value), "no TLS handshake for 30 s (is TLS spoken there?)")
        self.assertTrue(self.inner.pump.clientIO.disconnecting)
        self.inner.pump.flush()
        self.assertEqual(self.factory.made, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancel(self) -> None:
        """
        If an attempt is cancelled during the handshake, its connection is
        closed.
        """
        attempt = self.connect()
        attempt.cancel()
        self.failureResultOf(attempt, CancelledError)
        self.assertTrue(self.inner.pump.clientIO.disconnecting)
        self.inner.pump.flush()
        self.assertEqual(self.factory.made, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_noProtocol(self) -> None:
        """
        If the factory makes no protocol, the attempt fails and the connection
        is closed.
        """
        self.factory.refuses = True
        attempt = self.connect()
        self.inner.pump.flush()
        self.failureResultOf(attempt, NoProtocol)
        self.assertTrue(self.inner.pump.clientIO.disconnected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refusedByServer(self) -> None:
        """
        If the server refuses our certificate, the protocol is told the reason.
        With TLS 1.3 this comes after the handshake.
        """
        theirs = TLSOptions(
            self.theirs.privateKey,
            self.theirs.certificate,
            Authority(self.folder / "other", "other").caCert,
        )
        self.leadTo(SecureServerFactory(theirs, self.serverFactory, self.clock))
        client, server = self.connected()
        self.assertEqual(client.happened, ["made", "handshake", "lost"])
        self.assertIsInstance(client.reason, TLSFailure)
        self.assertEqual(str(client.reason), "the other side refuses TLS with us: unknown ca")
        self.assertEqual(server.happened, ["made", "lost"])
        self.assertIn("certificate verify failed: ", str(server.reason))

    def test_failsBelow(self) -> None:
        """
        A failure before TLS begins is passed on unchanged.
        """
        refused = ConnectionRefusedError()

        def connect(_: object) -> Deferred[IProtocol]:
            failed: Deferred[IProtocol] = Deferred()
            failed.errback(Failure(refused))
            return failed

        self.patch(self.inner, "connect", connect)
        failure = self.failureResultOf(self.connect())
        self.assertIs(failure.value, refused)

    def test_files(self) -> None:
        """
        Files are read for each connection. If a file is wrong, the attempt
        fails for that reason, and no connection is made.
        """
        kept = self.ours.certificate + ".kept"
        os.rename(self.ours.certificate, kept)
        failure = self.failureResultOf(self.connect(), TLSFailure)
        self.assertIn(f"certificate {self.ours.certificate}: No such file", str(failure.value))
        self.assertEqual(self.inner.attempts, 0)
        os.rename(kept, self.ours.certificate)
        self.connected()

    def test_replaced(self) -> None:
        """
        If files are replaced, both sides use the new ones from the next
        connection on. Connections that exist stay.
        """
        client, _ = self.connected()
        new = Authority(self.folder / "new", "ours")
        pair = new.issue("server", ["host"])
        shutil.copy(pair.privateKey, self.theirs.privateKey)
        shutil.copy(pair.certificate, self.theirs.certificate)
        self.factory.made.clear()
        self.assertIn("signature failure", self.refusal())
        mine = new.issue("client")
        shutil.copy(mine.privateKey, self.ours.privateKey)
        shutil.copy(mine.certificate, self.ours.certificate)
        shutil.copy(new.caCert, self.authority.caCert)
        self.connected()
        self.assertEqual(client.happened, ["made", "handshake"])


class ServerTests(HandshakeCase):
    """
    Tests for L{SecureServerFactory}.
    """

    def test_withoutCertificate(self) -> None:
        """
        A client without a certificate is refused.
        """

        def anonymous(options: TLSOptions) -> SSL.Context:
            if options is self.theirs:
                return made(options)
            context = SSL.Context(SSL.TLS_METHOD)
            context.load_verify_locations(options.caCert)
            return context

        made = TLSOptions.makeContext
        self.patch(TLSOptions, "makeContext", anonymous)
        _, server = self.connected()
        self.assertEqual(server.happened, ["made", "lost"])
        self.assertIsInstance(server.reason, TLSFailure)
        self.assertIn("peer did not return a certificate", str(server.reason))

    def test_plaintextClient(self) -> None:
        """
        If a client sends plain text, the reason asks whether TLS is spoken
        there.
        """
        protocol = SecureServerFactory(self.theirs, self.serverFactory, self.clock).buildProtocol(
            None
        )
        assert protocol is not None
        transport = FakeTransport(protocol, isServer=True)
        protocol.makeConnection(transport)
        protocol.dataReceived(b'{"method":"echo","params":[],"id":"echo"}')
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        [server] = self.serverFactory.made
        self.assertEqual(server.happened, ["made", "lost"])
        self.assertIn("(is TLS spoken there?)", str(server.reason))

    def test_files(self) -> None:
        """
        While the files cannot be used, clients are refused with a warning.
        """
        os.rename(self.theirs.privateKey, self.theirs.privateKey + ".kept")
        factory = SecureServerFactory(self.theirs, self.serverFactory, self.clock)
        with capturedLogs() as logs:
            self.assertIsNone(factory.buildProtocol(None))
        [warning] = logs
        self.assertEqual(warning["log_level"].name, "warn")
        self.assertIn(f"private-key {self.theirs.privateKey}: No such file", warning["reason"])
        self.assertEqual(self.serverFactory.made, [])

    def test_factory(self) -> None:
        """
        The wrapped factory is started and stopped, and may refuse a connection.
        """
        factory = SecureServerFactory(self.theirs, self.serverFactory, self.clock)
        factory.doStart()
        factory.doStop()
        self.assertEqual(self.serverFactory.calls, ["start", "stop"])
        self.serverFactory.refuses = True
        self.assertIsNone(factory.buildProtocol(None))
