# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.passive}: where to listen.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ServerFactory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.endpoints.passive import BACKLOG, isPassiveTLS, serverFromRemote
from twisted_ovsdb.endpoints.secure import TLSServerEndpoint
from twisted_ovsdb.endpoints.tls import TLSOptions

TLS = TLSOptions("key.pem", "cert.pem", "ca.pem")


class ServerFromRemoteTests(SynchronousTestCase):
    """
    Tests for L{serverFromRemote}.
    """

    def listening(self, text: str, tls: TLSOptions | None = None) -> tuple[int, str]:
        """
        The port and the address at which a remote listens.
        """
        reactor: Any = MemoryReactorClock()
        endpoint = serverFromRemote(reactor, text, tls)
        self.successResultOf(endpoint.listen(ServerFactory()))
        port, _, self.backlog, address = reactor.tcpServers[0]
        return port, address

    def test_accepted(self) -> None:
        """
        The notation of Open vSwitch, with its default port, and the notation of
        Twisted are accepted.
        """
        for text, expected in (
            ("ptcp", (6640, "")),
            ("ptcp:", (6640, "")),
            ("ptcp:6641", (6641, "")),
            ("PTCP:6641:127.0.0.1", (6641, "127.0.0.1")),
            ("ptcp::127.0.0.1", (6640, "127.0.0.1")),
            ("ptcp:6641:[::1]", (6641, "::1")),
            ("tcp:6642:interface=127.0.0.2", (6642, "127.0.0.2")),
        ):
            self.assertEqual(self.listening(text), expected, text)

    def test_backlog(self) -> None:
        """
        A thousand switches may connect at once. A string of Twisted's says itself how
        many.
        """
        for text in ("ptcp:", "ptcp:6641:[::1]", "pssl:"):
            self.listening(text, TLS)
            self.assertEqual(self.backlog, BACKLOG, text)
        self.listening("tcp:6642:backlog=7")
        self.assertEqual(self.backlog, 7)

    def test_tls(self) -> None:
        """
        pssl listens with TLS.
        """
        self.assertEqual(self.listening("pssl:6641:127.0.0.1", TLS), (6641, "127.0.0.1"))
        endpoint = serverFromRemote(MemoryReactorClock(), "pssl", TLS)
        self.assertIsInstance(endpoint, TLSServerEndpoint)
        self.assertTrue(isPassiveTLS("pssl:6640"))
        self.assertFalse(isPassiveTLS("ptcp:6640"))

    def test_unix(self) -> None:
        """
        punix listens on a unix socket, and replaces one that nobody listens on
        any more. The socket is not for everybody.
        """
        reactor: Any = MemoryReactorClock()
        for text in ("punix:/run/a:b.sock", "PUNIX:relative.sock"):
            self.successResultOf(serverFromRemote(reactor, text).listen(ServerFactory()))
        listening = [(path, mode, lock) for path, _, _, mode, lock in reactor.unixServers]
        self.assertEqual(
            listening, [("/run/a:b.sock", 0o660, True), ("relative.sock", 0o660, True)]
        )

    def test_refused(self) -> None:
        """
        A text that is right in neither notation is refused, and so is pssl
        without files for TLS. The error has the text, and says what was
        expected.
        """
        for text in (
            "",
            "ptcp:x",
            "ptcp:0",
            "ptcp:65536",
            "ptcp:6640:1.2.3",
            "ptcp:6640:[1.2.3.4]",
            "ptcp:6640:localhost",
            "nonsense:1",
            "tcp:x",
            "punix:",
            "unix:",
        ):
            error = self.assertRaises(ValueError, serverFromRemote, MemoryReactorClock(), text)
            self.assertTrue(str(error).startswith(f"{text}: "), error)
            self.assertIn("expected ptcp:", str(error))
        error = self.assertRaises(ValueError, serverFromRemote, MemoryReactorClock(), "pssl:6640")
        self.assertIn("--ca-cert", str(error))
