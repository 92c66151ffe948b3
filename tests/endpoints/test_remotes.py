# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.endpoints.remotes}.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.fakes.pki import Authority
from twisted_ovsdb.endpoints.addresses import EndpointAddress
from twisted_ovsdb.endpoints.longpath import LONGEST_PATH
from twisted_ovsdb.endpoints.remotes import clientFromRemote, isOpenVSwitchTLS
from twisted_ovsdb.endpoints.tls import TLSOptions

NO_FILES = TLSOptions("key", "certificate", "ca")
"""These files do not exist. Files are not opened before a connection is made."""


@implementer(IReactorPluggableNameResolver, IHostnameResolver)
class RecordingReactor(MemoryReactorClock):
    """
    Resolves each name to an IPv6 address and an IPv4 address, and records what
    an endpoint connects to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = self
        self.asked: list[str] = []

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """
        Resolve a name at once.
        """
        self.asked.append(hostName)
        resolutionReceiver.resolutionBegan(self)
        resolutionReceiver.addressResolved(IPv6Address("TCP", "::1", portNumber))
        resolutionReceiver.addressResolved(IPv4Address("TCP", "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolutionReceiver

    def reached(self) -> list[Any]:
        """
        The places to which connections were begun.
        """
        return [
            *((client[0], client[1]) for client in self.tcpClients),
            *((client[0], client[1], "ssl") for client in self.sslClients),
            *(client[0] for client in self.unixClients),
        ]


NAMED = [("::1", 6640), ("127.0.0.1", 6640)]

# The remote, where it leads to, and the names that are looked up.
ACCEPTED: list[tuple[str, list[Any], list[str]]] = [
    ("tcp:127.0.0.1:6640", [("127.0.0.1", 6640)], []),
    ("tcp:127.0.0.1", [("127.0.0.1", 6640)], []),
    ("tcp:127.0.0.1:1", [("127.0.0.1", 1)], []),
    ("tcp:127.0.0.1:65535", [("127.0.0.1", 65535)], []),
    ("tcp:[::1]:6641", [("::1", 6641)], []),
    ("tcp:[::1]", [("::1", 6640)], []),
    ("tcp:[fe80::1%eth0]:6640", [("fe80::1%eth0", 6640)], []),
    ("TCP:127.0.0.1:1", [("127.0.0.1", 1)], []),
    ("tcp:host", NAMED, ["host"]),
    ("tcp:host:6640", NAMED, ["host"]),
    ("tcp:switch-1.example.", NAMED, ["switch-1.example."]),
    ("tcp:localhost:80", [("::1", 80), ("127.0.0.1", 80)], ["localhost"]),
    ("tcp:bücher.example", NAMED, ["bücher.example"]),
    ("tcp:my_container:6640", [("my_container", 6640)], []),
    ("tcp:my_container", [("my_container", 6640)], []),
    ("ssl:10.0.0.1:6640", [("10.0.0.1", 6640)], []),
    ("ssl:10.0.0.1", [("10.0.0.1", 6640)], []),
    ("ssl:[::1]", [("::1", 6640)], []),
    ("ssl:[::1]:6641", [("::1", 6641)], []),
    ("ssl:host", NAMED, ["host"]),
    ("SSL:host", NAMED, ["host"]),
    ("unix:/path/db.sock", ["/path/db.sock"], []),
    ("unix:db.sock", ["db.sock"], []),
    ("unix:/a:b/c=d.sock", ["/a:b/c=d.sock"], []),
    (f"unix:/{'x' * (LONGEST_PATH - 1)}", [f"/{'x' * (LONGEST_PATH - 1)}"], []),
    # In the notation of Twisted.
    ("tcp:host=127.0.0.1:port=6641", [("127.0.0.1", 6641)], []),
    ("tcp:host=127.0.0.1:6641", [("127.0.0.1", 6641)], []),
    ("tcp:127.0.0.1:port=6641", [("127.0.0.1", 6641)], []),
    ("tcp:ho\\st=127.0.0.1:p\\ort=66\\41", [("127.0.0.1", 6641)], []),
    ("tcp:127.0.0.1:6641:timeout=3", [("127.0.0.1", 6641)], []),
    ("tcp:\\:\\:1:6641", [("::1", 6641)], []),
    ("unix:path=/path/db.sock", ["/path/db.sock"], []),
    ("unix:/path/db.sock:timeout=3", ["/path/db.sock"], []),
    ("unix:/a\\:b", ["/a:b"], []),
    ("tls:host:6640", NAMED, ["host"]),
    ("tls:host:6640:5", NAMED, ["host"]),
]

# The remote, and its short form.
WRITTEN: list[tuple[str, str]] = [
    ("tcp:127.0.0.1", "tcp:127.0.0.1:6640"),
    ("TCP:host:06641", "tcp:host:6641"),
    ("tcp:[::1]", "tcp:[::1]:6640"),
    ("ssl:host", "ssl:host:6640"),
    ("ssl:[::1]:6641", "ssl:[::1]:6641"),
    ("unix:/path/db.sock", "unix:/path/db.sock"),
    ("unix:/a:b/c=d.sock", "unix:/a:b/c=d.sock"),
    ("unix:path=/a\\:b:timeout=3", "unix:/a:b"),
    ("tcp:\\:\\:1:6641", "tcp:[::1]:6641"),
    ("tcp:port=6641:host=host", "tcp:host:6641"),
    ("tls:host:6640", "tls:host:6640"),
]

EXPECTED = ["tcp:HOST[:PORT]", "ssl:HOST[:PORT]", "unix:/var/run", "Twisted client endpoint"]

# The remote, and what the error has to name.
REFUSED: list[tuple[str, list[str]]] = [
    ("", ["Unknown endpoint type: ''", *EXPECTED]),
    ("tcp", ["has no host", *EXPECTED]),
    ("tcp:", ["has no host", *EXPECTED]),
    ("tcp::6640", ["has no host", *EXPECTED]),
    ("tcp:[]:6640", ["is not an IPv6 address", *EXPECTED]),
    ("tcp:[127.0.0.1]:6640", ["'127.0.0.1' in brackets", *EXPECTED]),
    ("tcp:[host]", ["'host' in brackets", *EXPECTED]),
    ("tcp:::1", ["brackets, such as tcp:[::1]", *EXPECTED]),
    ("tcp:fe80::1:6640", ["brackets", *EXPECTED]),
    ("tcp:[::1]6640", [*EXPECTED]),
    ("tcp:6640", ["'6640' is neither", *EXPECTED]),
    ("tcp:10.0.0.256", ["'10.0.0.256' is neither", *EXPECTED]),
    ("tcp:10.0.0:6640", ["'10.0.0' is neither", *EXPECTED]),
    ("tcp:a host", ["'a host' is neither", *EXPECTED]),
    ("tcp:a..b", ["'a..b' is neither", *EXPECTED]),
    ("tcp:-host", ["'-host' is neither", *EXPECTED]),
    ("tcp:http://host", ["'//host' is not a port", *EXPECTED]),
    (f"tcp:{'x' * 64}", ["is neither", *EXPECTED]),
    ("tcp:host:", ["'' is not a port from 1 to 65535", *EXPECTED]),
    ("tcp:host:port", ["'port' is not a port", *EXPECTED]),
    ("tcp:host:0", ["'0' is not a port", *EXPECTED]),
    ("tcp:host:65536", ["'65536' is not a port", *EXPECTED]),
    ("tcp:host:-1", ["'-1' is not a port", *EXPECTED]),
    ("tcp:host:+1", ["'+1' is not a port", *EXPECTED]),
    ("tcp:host:\u0661", ["is not a port", *EXPECTED]),
    ("tcp:host:1:2", ["too many", *EXPECTED]),
    ("tcp:host:1:bogus=2", ["unknown", *EXPECTED]),
    ("tcp:host=:port=1", ["has no host", *EXPECTED]),
    ("tcp:host=::1:port=1", ["has no host", *EXPECTED]),
    ("tcp:host=host:port=65536", ["'65536' is not a port", *EXPECTED]),
    ("tcp:host=host:port=x", ["'x'", *EXPECTED]),
    ("tls:host:0", ["'0' is not a port", *EXPECTED]),
    ("unix:", ["has no path", *EXPECTED]),
    ("unix:path=", ["has no path", *EXPECTED]),
    ("unix:/a:timeout=soon", ["'soon'", *EXPECTED]),
    ("unix:/a\\", [*EXPECTED]),
    (f"unix:path=/{'x' * LONGEST_PATH}", ["at most 107 bytes, or its last part at most 82, not"]),
    (f"unix:/{'x' * LONGEST_PATH}", ["at most 107 bytes, or its last part at most 82, not 107"]),
    ("foo:bar", ["'foo'", *EXPECTED]),
    ("127.0.0.1:6640", ["'127.0.0.1'", *EXPECTED]),
    ("ptcp:6640", ["'ptcp'", *EXPECTED]),
    ("ssl:", ["has no host", *EXPECTED]),
    ("ssl:host:99999", ["'99999' is not a port", *EXPECTED]),
    ("ssl:host:6640:timeout=3", ["without caCertsDir", "tls:HOST:PORT", "--ca-cert"]),
    ("SSL:host:6640:timeout=3", ["without caCertsDir", "tls:HOST:PORT"]),
    ("s\\sl:host:6640", ["without caCertsDir", "tls:HOST:PORT"]),
    ("ssl:host=host:port=6640", ["without caCertsDir", "tls:HOST:PORT"]),
    ("ssl:host:6640:caCertsDir=/missing", ["/missing", *EXPECTED]),
    ("tls:", [*EXPECTED]),
    ("tls:host:6640:certificate=/missing", ["/missing", *EXPECTED]),
]


class AcceptedTests(SynchronousTestCase):
    """
    An endpoint connects to the place that its remote names, in both notations.
    """

    def setUp(self) -> None:
        self.reactor = RecordingReactor()

    def reach(self, endpoint: IStreamClientEndpoint) -> list[Any]:
        """
        The places to which an endpoint connects.
        """
        verifyObject(IStreamClientEndpoint, endpoint)
        attempt = endpoint.connect(Factory())
        # The addresses of a name are tried one after another.
        self.reactor.advance(1)
        reached = self.reactor.reached()
        attempt.cancel()
        self.failureResultOf(attempt)
        return reached

    def test_opensNothing(self) -> None:
        """
        Making an endpoint resolves no name and opens no file.
        """
        for text, *_ in ACCEPTED:
            clientFromRemote(self.reactor, text, NO_FILES)
        self.assertEqual((self.reactor.asked, self.reactor.reached()), ([], []))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_written(self) -> None:
        """
        The address of an endpoint has the same short form, however its remote
        was written.
        """
        for text, expected in WRITTEN:
            endpoint = clientFromRemote(self.reactor, text, NO_FILES)
            self.assertEqual(str(EndpointAddress(endpoint)), expected, text)

    def test_twistedsOwnTLS(self) -> None:
        """
        Twisted's C{ssl:} strings that verify the server are accepted.
        """
        folder = Path(self.mktemp())
        Authority(folder)
        endpoint = clientFromRemote(self.reactor, f"ssl:127.0.0.1:6641:caCertsDir={folder}")
        self.assertEqual(self.reach(endpoint), [("127.0.0.1", 6641, "ssl")])
        self.assertEqual(str(EndpointAddress(endpoint)), "ssl:127.0.0.1:6641")


def _add(case: type, text: str, test: Any) -> None:
    words = re.sub("[^a-zA-Z0-9]+", "_", text)[:60]
    number = sum(name.startswith("test_") for name in vars(case))
    setattr(case, f"test_{number:02}_{words}", test)


def _addAccepted(text: str, reached: list[Any], asked: list[str]) -> None:
    def test(self: AcceptedTests) -> None:
        authority = Authority(Path(self.mktemp()))
        tls = authority.options(authority.issue("client"))
        endpoint = clientFromRemote(self.reactor, text, tls)
        self.assertEqual(self.reach(endpoint), reached)
        self.assertEqual(self.reactor.asked, asked)

    test.__doc__ = f"{text!r} leads to {reached}."
    _add(AcceptedTests, text, test)


class RefusedTests(SynchronousTestCase):
    """
    A text that is right in neither notation is refused with a ValueError that
    says what was expected.
    """

    def refusal(self, text: str, tls: TLSOptions | None = NO_FILES) -> str:
        """
        The text of the error.
        """
        error = self.assertRaises(ValueError, clientFromRemote, RecordingReactor(), text, tls)
        self.assertIs(type(error), ValueError)
        self.assertTrue(str(error).startswith(f"{text}: "), error)
        self.assertEqual(len(str(error).splitlines()), 1)
        return str(error)

    def test_withoutFiles(self) -> None:
        """
        C{ssl:} in the notation of Open vSwitch is refused without its three
        files. There is never a connection without verification.
        """
        for text in ("ssl:10.0.0.1:6640", "ssl:[::1]", "ssl:host", "SSL:host:1"):
            refusal = self.refusal(text, None)
            for option in ("--private-key", "--certificate", "--ca-cert", "TLSOptions"):
                self.assertIn(option, refusal)

    def test_withoutPyOpenSSL(self) -> None:
        """
        If the packages for TLS are missing, the error says how to install them.
        Remotes without TLS still work.
        """
        modules: dict[str, Any] = sys.modules
        for missing in ("OpenSSL", "service_identity"):
            kept = modules[missing]
            self.addCleanup(modules.__setitem__, missing, kept)
            modules[missing] = None
            for text in ("ssl:host", "tls:host:1", "ssl:host:1:caCertsDir=/etc/ssl/certs"):
                self.assertIn("pip install twisted_ovsdb[tls]", self.refusal(text))
            clientFromRemote(RecordingReactor(), "tcp:host")
            clientFromRemote(RecordingReactor(), "unix:/path")
            modules[missing] = kept

    def test_isOpenVSwitchTLS(self) -> None:
        """
        isOpenVSwitchTLS finds the remotes for which the options for TLS of Open
        vSwitch are used.
        """
        for text in ("ssl:host", "ssl:10.0.0.1:6640", "ssl:[::1]:6640", "SSL:host"):
            self.assertTrue(isOpenVSwitchTLS(text), text)
        for text in ("tcp:host", "tls:host:1", "unix:/ssl:host", "ssl:h:1:caCertsDir=/"):
            self.assertFalse(isOpenVSwitchTLS(text), text)


def _addRefused(text: str, names: list[str]) -> None:
    def test(self: RefusedTests) -> None:
        refusal = self.refusal(text)
        for name in names:
            self.assertIn(name, refusal)

    test.__doc__ = f"{text!r}: the error names {names[0]}."
    _add(RefusedTests, text, test)


for _accepted in ACCEPTED:
    _addAccepted(*_accepted)
for _refused in REFUSED:
    _addRefused(*_refused)
