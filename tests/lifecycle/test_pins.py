# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.pins}: a switch is bound to the certificate that
first brought it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs
from twisted.test.iosim import IOPump

from tests.endpoints.test_tls import PumpedEndpoint
from tests.fakes.pki import Authority, KeyPair
from tests.lifecycle.test_listener import ROW, ListenerTestCase, identityRow
from twisted_ovsdb.endpoints.secure import SecureServerFactory, TLSClientEndpoint
from twisted_ovsdb.endpoints.subject import peerSubject
from twisted_ovsdb.lifecycle.pins import PINS_PER_PLACE


class Dialling(Protocol):
    """
    A switch behind TLS that says who it is, and sends an empty snapshot.

    @ivar closed: whether the listener has closed the connection.
    """

    def __init__(self, system_id: str, snapshot: bool) -> None:
        self.closed = False
        self._row = identityRow(system_id, "host")
        self._snapshot = snapshot

    def dataReceived(self, data: bytes) -> None:
        """
        Answer a request.
        """
        request = json.loads(data)
        results: dict[str, Any] = {
            "transact": [{"rows": [{"_uuid": ["uuid", ROW], **self._row}]}],
            "echo": [],
        }
        if self._snapshot:
            results["monitor"] = {"Open_vSwitch": {ROW: {"new": self._row}}}
        if request["method"] in results:
            reply = {"id": request["id"], "result": results[request["method"]], "error": None}
            self.transport.write(json.dumps(reply).encode())  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        """
        The listener has closed the connection, or the test.
        """
        self.closed = True


class PinTests(ListenerTestCase):
    """
    A listener that pins switches, behind TLS.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority(Path(self.mktemp()))
        self.theirs = self.authority.options(self.authority.issue("controller"))
        self.listen(pin=True)

    def secured(self, name: str, system_id: str, snapshot: bool = True) -> tuple[Dialling, IOPump]:
        """
        A switch connects with a certificate of this name.
        """
        pair = self.pairs.setdefault(name, self.authority.issue(name))
        switch = Dialling(system_id, snapshot)
        clock: Any = self.clock
        server = SecureServerFactory(self.theirs, self.listener, clock)
        endpoint = PumpedEndpoint(server, self.clock)
        ours = self.authority.options(pair)
        endpointOfTheirs: Any = TLSClientEndpoint(endpoint, ours, "host", clock)
        connecting = endpointOfTheirs.connect(_Only(switch))
        pump: Any = endpoint.pump
        pump.flush()
        self.successResultOf(connecting)
        return switch, pump

    @property
    def pairs(self) -> dict[str, KeyPair]:
        """
        The certificates that were issued, by name.
        """
        found: dict[str, KeyPair] = self.__dict__.setdefault("_pairs", {})
        return found

    def hangUp(self, switch: Dialling, pump: IOPump) -> None:
        """
        A switch closes its connection.
        """
        transport: Any = switch.transport
        transport.abortConnection()
        pump.flush()

    def test_F63_anotherSubject(self) -> None:
        """
        A switch that was brought by one certificate is refused with the certificate
        of another subject, which the log names; also when the first one is gone.
        With a new certificate of its own subject it is welcome.
        """
        switch, pump = self.secured("switch-one", "one")
        self.assertTrue(self.listener.monitors["one"].inSync)
        with capturedLogs() as logs:
            thief, _ = self.secured("switch-two", "one")
        self.assertTrue(thief.closed)
        self.assertFalse(switch.closed)
        why = "switch one is pinned to CN=switch-one; this is CN=switch-two (--pin)"
        self.assertEqual(self.reasons(logs), [why])
        self.hangUp(switch, pump)
        self.assertFalse(self.listener.monitors["one"].inSync)
        self.assertTrue(self.secured("switch-two", "one")[0].closed)
        self.pairs.clear()
        self.secured("switch-one", "one")
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_F63_claimsNothing(self) -> None:
        """
        A claim with a foreign certificate does not wait, and the switch that is
        connected is not even asked for a sign of life.
        """
        self.secured("switch-one", "one")
        (link,) = self.listener._links
        before = link.protocol._lastId
        self.secured("switch-two", "one")
        self.assertEqual(link.protocol._lastId, before)
        self.assertEqual(len(self.listener._claims), 0)

    def test_neverInSync(self) -> None:
        """
        Only a switch that was in sync is pinned: a name that was claimed, and no
        more, stays free.
        """
        switch, pump = self.secured("switch-two", "one", snapshot=False)
        self.hangUp(switch, pump)
        self.secured("switch-one", "one")
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_F63_afterForgetting(self) -> None:
        """
        A pin outlives what is known of the switch: nobody gets the name by waiting.
        """
        self.listen(pin=True, forgetAfter=10)
        switch, pump = self.secured("switch-one", "one")
        self.hangUp(switch, pump)
        self.clock.advance(10)
        self.assertEqual(self.listener.monitors, {})
        self.assertTrue(self.secured("switch-two", "one")[0].closed)

    def test_F63_bounded(self) -> None:
        """
        There are ten pins for each place. Whoever makes up more names loses the
        oldest of their own pins, not those of others.
        """
        self.listen(pin=True, maxSwitches=1)
        self.hangUp(*self.secured("victim", "victim"))
        for number in range(2 * PINS_PER_PLACE):
            self.hangUp(*self.secured("greedy", f"made-up-{number}"))
        pins = self.listener._pins
        assert pins is not None
        self.assertEqual(len(pins), PINS_PER_PLACE)
        self.assertTrue(self.secured("greedy", "victim")[0].closed)
        self.assertNotIn("made-up-0", pins._subjects)
        self.assertEqual(set(pins._switches), {"CN=victim", "CN=greedy"})

    def test_oneEach(self) -> None:
        """
        Where each subject has one pin, the oldest goes, and nothing is left of it.
        """
        self.listen(pin=True, maxSwitches=1)
        for number in range(PINS_PER_PLACE + 1):
            self.hangUp(*self.secured(f"cn-{number}", f"s{number}"))
        pins = self.listener._pins
        assert pins is not None
        self.assertEqual(list(pins._subjects), [f"s{n}" for n in range(1, PINS_PER_PLACE + 1)])
        self.assertNotIn("CN=cn-0", pins._switches)

    def test_F63_noCertificate(self) -> None:
        """
        Without TLS there is no certificate, and the switch is refused.
        """
        with capturedLogs() as logs:
            switch = self.dial()
            switch.identify("one")
        self.assertTrue(switch.transport.disconnecting)
        why = "switch one has no certificate with a subject (--pin)"
        self.assertEqual(self.reasons(logs), [why])

    def test_notPinned(self) -> None:
        """
        Without C{pin}, another certificate of the authority may bring the switch.
        """
        self.listen()
        self.hangUp(*self.secured("switch-one", "one"))
        self.secured("switch-two", "one")
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_flag(self) -> None:
        """
        C{pin} is True or False.
        """
        self.assertRaises(TypeError, self.listen, pin="no")

    def test_longSubjects(self) -> None:
        """
        A long subject does not hide the other one in the line that names both.
        """
        long = "x" * 60
        self.hangUp(*self.secured(long, "one"))
        with capturedLogs() as logs:
            self.secured("switch-two", "one")
        (reason,) = self.reasons(logs)
        self.assertIn("xxx...; this is CN=switch-two (--pin)", reason)


class SubjectTests(ListenerTestCase):
    """
    Tests for L{peerSubject}.
    """

    def test_none(self) -> None:
        """
        There is no subject without TLS, without a certificate, in a certificate
        that has none, or that cannot be read.
        """

        class Certificate:
            def __init__(self, text: str | None) -> None:
                self.text = text

            def to_cryptography(self) -> Any:
                if self.text is None:
                    raise ValueError("not a certificate")
                return self

            @property
            def subject(self) -> Any:
                return self

            def rfc4514_string(self) -> str | None:
                return self.text

        class Transport:
            def __init__(self, certificate: object) -> None:
                self.getPeerCertificate = lambda: certificate

        self.assertIsNone(peerSubject(None))
        self.assertIsNone(peerSubject(object()))
        self.assertIsNone(peerSubject(Transport(None)))
        self.assertIsNone(peerSubject(Transport(Certificate(""))))
        self.assertIsNone(peerSubject(Transport(Certificate(None))))
        self.assertEqual(peerSubject(Transport(Certificate("CN=x"))), "CN=x")


class _Only(Factory):
    """
    Makes one protocol, which exists.
    """

    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        return self._protocol
