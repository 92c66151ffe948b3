# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
TLS with a real ovsdb-server, and the ways in which it can fail. After each
failure, the log has the reason, observers are told nothing, and the next
attempt waits as long as the back-off requires.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, IProtocol, IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.fakes.pki import Authority, KeyPair
from tests.live.commandcase import CHECKOUT, Command
from tests.live.support import SCENE, SCENE_KINDS, LiveTestCase, Recorder
from tools.openvswitch import freePort
from twisted_ovsdb import EndpointConnector, OvsdbMonitorFactory, OvsdbProtocol
from twisted_ovsdb.endpoints.remotes import clientFromRemote
from twisted_ovsdb.endpoints.secure import SecureServerFactory
from twisted_ovsdb.endpoints.tls import TLSOptions

MAX_DELAY = 0.2
"""Seconds between two attempts in these tests, at most."""

SHORTEST = 0.75 * MAX_DELAY
"""The shortest such wait, in seconds: jitter takes away up to a quarter."""


@implementer(IStreamClientEndpoint)
class Counted:
    """
    An endpoint that records the time of each attempt to connect.
    """

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self.attempts: Recorder[float] = Recorder()
        self._endpoint = endpoint

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:
        """
        Begin an attempt.
        """
        clock: Any = reactor
        self.attempts.record(clock.seconds())
        return self._endpoint.connect(protocolFactory)


class TLSTestCase(LiveTestCase):
    """
    A server that listens with TLS, and with TCP.
    """

    vswitchd = False
    tcp = True

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        self.ssl = freePort()
        self.folder = Path(self.mktemp())
        self.authority = Authority(self.folder, "ours")
        self.ours = self.authority.options(self.authority.issue("client"))
        await self.vsctl(SCENE)

    async def serve(self, pair: KeyPair, caCert: str) -> None:
        """
        Start the server again, with this certificate.
        """
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(
            self.ovs.startServer,
            f"--remote=pssl:{self.ssl}:127.0.0.1",
            f"--private-key={os.path.abspath(pair.privateKey)}",
            f"--certificate={os.path.abspath(pair.certificate)}",
            f"--ca-cert={os.path.abspath(caCert)}",
        )

    def watchRemote(self, remote: str, tls: TLSOptions | None) -> Counted:
        """
        Watch a server until the end of the test.
        """
        factory = OvsdbMonitorFactory([self.observer], source=remote, maxDelay=MAX_DELAY)
        self.addCleanup(factory.stop)
        endpoint = Counted(clientFromRemote(reactor, remote, tls))
        EndpointConnector(endpoint, factory).connect()
        return endpoint

    def watchTLS(self, tls: TLSOptions) -> Counted:
        """
        Watch the server through TLS.
        """
        return self.watchRemote(f"ssl:127.0.0.1:{self.ssl}", tls)

    async def assertInSync(self) -> None:
        """
        Assert that all interfaces are told, as they are in the database.
        """
        events = await self.observer.untilSynchronized()
        self.assertEqual(len(events), len(SCENE_KINDS) + 1)
        await self.assertFoldEqualsTable()

    async def assertRefused(self, endpoint: Counted, *words: str) -> None:
        """
        Assert that the log has the reason and one warning, that observers are
        told nothing, and that attempts wait as long as the back-off requires.
        """
        times = await endpoint.attempts.takeSome(6)
        self.assertGreaterEqual(times[-1] - times[0], 5 * SHORTEST)
        warning, *others = self.log.take()
        self.assertTrue(warning.startswith("warn: "), warning)
        # A closing connection may also be reset. That is another reason,
        # logged as info.
        self.assertFalse([line for line in others if not line.startswith("info: ")], others)
        told = "\n".join([warning, *others])
        for word in words:
            self.assertIn(word, told)
        self.assertEqual(self.observer.everything, [])


class OpenVSwitchPKITests(TLSTestCase):
    """
    Tests with the certificates of ovs-pki.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        if shutil.which("ovs-pki") is None:
            if os.environ.get("CI"):
                self.fail("not installed: ovs-pki")
            raise SkipTest("not installed: ovs-pki")
        await super().setUp()
        await deferToThread(self._makePKI)

    def _makePKI(self) -> None:
        for words in ("init", "req+sign controller controller", "req+sign switch switch"):
            subprocess.run(
                ["ovs-pki", "--dir=pki", "--log=log", "--batch", *words.split()],
                cwd=self.folder,
                env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
                check=True,
                capture_output=True,
            )

    def pair(self, name: str) -> KeyPair:
        """
        A key and its certificate.
        """
        return KeyPair(
            str(self.folder / f"{name}-privkey.pem"), str(self.folder / f"{name}-cert.pem")
        )

    def authorityOf(self, kind: str) -> str:
        """
        The certificate of the authority of switches, or of controllers.
        """
        return str(self.folder / "pki" / f"{kind}ca" / "cacert.pem")

    async def test_good(self) -> None:
        """
        We have a certificate for controllers and the server has one for
        switches. Each trusts the other's authority, and they connect, also
        after an outage.
        """
        await self.serve(self.pair("switch"), self.authorityOf("controller"))
        ours = self.pair("controller")
        self.watchTLS(TLSOptions(ours.privateKey, ours.certificate, self.authorityOf("switch")))
        await self.assertInSync()
        await self.serve(self.pair("switch"), self.authorityOf("controller"))
        await self.observer.untilSynchronized()
        await self.assertFoldEqualsTable()

    async def test_otherAuthority(self) -> None:
        """
        If we trust only the authority for controllers, the switch is refused,
        although the names of the two authorities differ in one word only.
        """
        await self.serve(self.pair("switch"), self.authorityOf("controller"))
        ours = self.pair("controller")
        endpoint = self.watchTLS(
            TLSOptions(ours.privateKey, ours.certificate, self.authorityOf("controller"))
        )
        await self.assertRefused(endpoint, "certificate verify failed: ")

    async def test_verifyHostname(self) -> None:
        """
        With verifyHostname, certificates of ovs-pki are refused: they are for
        a name that no host has.
        """
        await self.serve(self.pair("switch"), self.authorityOf("controller"))
        ours = self.pair("controller")
        endpoint = self.watchTLS(
            TLSOptions(ours.privateKey, ours.certificate, self.authorityOf("switch"), True)
        )
        await self.assertRefused(endpoint, "certificate is for switch id:", "not for 127.0.0.1")


class PeerTests(TLSTestCase):
    """
    Tests for servers and clients that must not be trusted.
    """

    async def test_wrongAuthority(self) -> None:
        """
        A server with a certificate of another authority is refused.
        """
        other = Authority(self.folder / "other", "other")
        await self.serve(other.issue("server"), self.authority.caCert)
        await self.assertRefused(
            self.watchTLS(self.ours),
            "certificate verify failed: unable to get issuer certificate locally",
        )

    async def test_expired(self) -> None:
        """
        A server whose certificate has expired is refused.
        """
        await self.serve(self.authority.issue("server", expired=True), self.authority.caCert)
        await self.assertRefused(
            self.watchTLS(self.ours), "certificate verify failed: certificate has expired"
        )

    async def test_clientRefused(self) -> None:
        """
        The log says that the server does not trust our authority.
        """
        other = Authority(self.folder / "other", "other")
        await self.serve(self.authority.issue("server"), other.caCert)
        await self.assertRefused(
            self.watchTLS(self.ours), "the other side refuses TLS with us: unknown ca"
        )

    async def test_clientExpired(self) -> None:
        """
        The log says that the server refuses our certificate as expired.
        """
        await self.serve(self.authority.issue("server"), self.authority.caCert)
        ours = self.authority.options(self.authority.issue("late", expired=True))
        await self.assertRefused(
            self.watchTLS(ours), "the other side refuses TLS with us: certificate expired"
        )

    async def test_plaintextToTLS(self) -> None:
        """
        C{tcp:} fails where the server speaks TLS.
        """
        await self.serve(self.authority.issue("server"), self.authority.caCert)
        await self.assertRefused(
            self.watchRemote(f"tcp:127.0.0.1:{self.ssl}", None),
            f"tcp:127.0.0.1:{self.ssl}: Connection ",
        )

    async def test_TLSToPlaintext(self) -> None:
        """
        C{ssl:} fails where the server does not speak TLS.
        """
        await self.assertRefused(
            self.watchRemote(f"ssl:127.0.0.1:{self.ovs.port}", self.ours),
            "closed before the TLS handshake was over (is TLS spoken there?)",
        )


class HostnameTests(TLSTestCase):
    """
    Tests for the verification of the server's name.
    """

    async def watchNamed(self, *hosts: str, remote: str = "127.0.0.1") -> Counted:
        """
        Watch a server whose certificate is for these hosts.
        """
        await self.serve(self.authority.issue("server", hosts), self.authority.caCert)
        ours = self.authority.options(self.authority.issue("client"), verifyHostname=True)
        return self.watchRemote(f"ssl:{remote}:{self.ssl}", ours)

    async def test_address(self) -> None:
        """
        A certificate that names the server's address is accepted.
        """
        await self.watchNamed("192.0.2.1", "127.0.0.1")
        await self.assertInSync()

    async def test_name(self) -> None:
        """
        A certificate that names the server's host is accepted.
        """
        await self.watchNamed("localhost", remote="localhost")
        await self.assertInSync()

    async def test_otherAddress(self) -> None:
        """
        A certificate for another address is refused.
        """
        endpoint = await self.watchNamed("192.0.2.1", "switch.example")
        await self.assertRefused(
            endpoint, "the certificate is for 192.0.2.1, switch.example, not for 127.0.0.1"
        )

    async def test_otherName(self) -> None:
        """
        A certificate for another name is refused.
        """
        endpoint = await self.watchNamed("switch.example", "127.0.0.1", remote="localhost")
        await self.assertRefused(endpoint, "is for switch.example, 127.0.0.1, not for localhost")

    async def test_none(self) -> None:
        """
        A certificate without subjectAltName is refused: it names no host.
        """
        endpoint = await self.watchNamed()
        await self.assertRefused(endpoint, "the certificate has no subjectAltName")


class ReplacedTests(TLSTestCase):
    """
    Tests for certificates that are replaced on disk.
    """

    async def test_refusedThenGood(self) -> None:
        """
        The server does not trust our certificate. When the files are replaced
        by a good key and certificate, the next attempt succeeds.
        """
        await self.serve(self.authority.issue("server"), self.authority.caCert)
        other = Authority(self.folder / "other", "other")
        pair = other.issue("client")
        ours = TLSOptions(pair.privateKey, pair.certificate, self.authority.caCert)
        await self.assertRefused(self.watchTLS(ours), "unknown ca")
        good = self.authority.issue("client")
        shutil.copy(good.privateKey, pair.privateKey)
        shutil.copy(good.certificate, pair.certificate)
        await self.assertInSync()

    async def test_everythingReplaced(self) -> None:
        """
        Between two connections, each side gets a new key, a new certificate
        and a new authority. The second connection succeeds.
        """
        await self.serve(self.authority.issue("server"), self.authority.caCert)
        self.watchTLS(self.ours)
        await self.assertInSync()
        new = Authority(self.folder, "new")
        new.issue("client")
        await self.serve(new.issue("server"), new.caCert)
        await self.observer.untilSynchronized()
        await self.assertFoldEqualsTable()

    async def test_unreadable(self) -> None:
        """
        While a file is missing, attempts fail and the log names the file. When
        the file is back, an attempt succeeds.
        """
        await self.serve(self.authority.issue("server"), self.authority.caCert)
        hidden = f"{self.ours.privateKey}.hidden"
        os.rename(self.ours.privateKey, hidden)
        await self.assertRefused(
            self.watchTLS(self.ours),
            f"private-key {self.ours.privateKey}: No such file or directory",
        )
        os.rename(hidden, self.ours.privateKey)
        await self.assertInSync()


@implementer(IHandshakeListener)
class Controller(OvsdbProtocol):
    """
    The protocol for a server that connects to us.
    """

    def handshakeCompleted(self) -> None:
        """
        The server is verified.
        """
        factory: Any = self.factory
        factory.verified.record(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Record the reason.
        """
        super().connectionLost(reason)
        factory: Any = self.factory
        factory.lost.record(str(self.lost))


class ControllerFactory(Factory):
    """
    Records which servers are verified, and why connections are lost.
    """

    protocol = Controller
    noisy = False

    def __init__(self) -> None:
        self.verified: Recorder[Controller] = Recorder()
        self.lost: Recorder[str] = Recorder()


class ListenTests(TLSTestCase):
    """
    Tests for the other direction: an ovsdb-server connects to us.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        await super().setUp()
        ours = self.authority.options(self.authority.issue("controller"))
        self.factory = ControllerFactory()
        listening: Any = reactor
        secured = SecureServerFactory(ours, self.factory, listening)
        port = listening.listenTCP(0, secured, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.dialled = port.getHost().port

    async def dial(self, pair: KeyPair, scheme: str = "ssl") -> None:
        """
        Make a server with this certificate connect to us.
        """
        await deferToThread(self.ovs.kill, "ovsdb-server")
        await deferToThread(
            self.ovs.startServer,
            f"--remote={scheme}:127.0.0.1:{self.dialled}",
            f"--private-key={pair.privateKey}",
            f"--certificate={pair.certificate}",
            f"--ca-cert={self.authority.caCert}",
        )

    async def test_good(self) -> None:
        """
        A verified server answers requests.
        """
        await self.dial(self.authority.issue("switch"))
        [protocol] = await self.factory.verified.takeSome(1)
        self.assertIn("Open_vSwitch", await protocol.call("list_dbs", []))
        protocol.abort(RuntimeError("enough"))

    async def test_wrongAuthority(self) -> None:
        """
        A server with a certificate of another authority is refused.
        """
        await self.dial(Authority(self.folder / "other", "other").issue("switch"))
        [reason] = await self.factory.lost.takeSome(1)
        self.assertIn("certificate verify failed: unable to get issuer certificate", reason)
        self.assertEqual(self.factory.verified.everything, [])

    async def test_plaintext(self) -> None:
        """
        A server that connects in plain text is never verified. Its connection
        is lost after a while, and the reason asks whether TLS is spoken there.
        """
        await self.dial(self.authority.issue("switch"), "tcp")
        [reason] = await self.factory.lost.takeSome(1)
        self.assertIn("(is TLS spoken there?)", reason)
        self.assertEqual(self.factory.verified.everything, [])


class CommandTests(TLSTestCase):
    """
    Tests for the command line.
    """

    def run_(self, *options: str) -> Command:
        """
        Run the command in the folder of the certificates.
        """
        command = Command()
        processes: Any = reactor
        twistd = str(Path(sys.executable).with_name("twistd"))
        words = [twistd, "-n", "--pidfile=", "ovsdb-monitor", "--max-delay=0.2", *options]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        process = processes.spawnProcess(command, twistd, words, environment, str(self.folder))

        def end() -> Deferred[int] | None:
            if command.ended.called:
                return None
            process.signalProcess("TERM")
            return command.ended

        self.addCleanup(end)
        return command

    async def test_good(self) -> None:
        """
        With the three files, C{ssl:} is a remote like any other.
        """
        await self.serve(self.authority.issue("server", ["127.0.0.1"]), self.authority.caCert)
        command = self.run_(
            *("--endpoint", f"ssl:127.0.0.1:{self.ssl}", "--private-key", "client-privkey.pem"),
            *("--certificate", "client-cert.pem", "--ca-cert", "cacert.pem"),
            *("--verify-hostname", "--events", "-"),
        )
        lines = await command.output.until(lambda line: '"synchronized"' in line)
        self.assertEqual(len(lines), len(SCENE_KINDS) + 2)
        self.assertEqual(json.loads(lines[-1])["source"], f"ssl:127.0.0.1:{self.ssl}")

    async def test_refused(self) -> None:
        """
        If the files do not belong together, the command says so in one line,
        before it does anything else.
        """
        self.authority.issue("other")
        command = self.run_(
            *("--endpoint", "ssl:127.0.0.1", "--private-key", "other-privkey.pem"),
            *("--certificate", "client-cert.pem", "--ca-cert", "cacert.pem"),
        )
        self.assertEqual(await command.ended, 1)
        [line] = command.log.everything
        self.assertIn(": --private-key ", line)
        self.assertIn("other-privkey.pem: does not belong to the certificate", line)
