# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.claims}: connections that claim to be a switch
that is connected already.
"""

from __future__ import annotations

from twisted.internet.defer import fail
from twisted.internet.error import ConnectionDone
from twisted.logger import capturedLogs
from twisted.python.failure import Failure

from tests.lifecycle.test_listener import ListenerTestCase, Switch
from twisted_ovsdb import RequestNotSent
from twisted_ovsdb.lifecycle import claims
from twisted_ovsdb.lifecycle.claims import MAX_CLAIMANTS

IGNORED = b'{"id":null,"method":"x","params":[]}'


class ClaimTests(ListenerTestCase):
    """
    Claims of the name of a switch that is connected.
    """

    def claim(self, system_id: str, host: int = 2) -> Switch:
        """
        Another connection claims to be this switch.
        """
        switch = self.dial(host)
        switch.identify(system_id)
        return switch

    def isOpen(self, switch: Switch) -> bool:
        """
        Whether a connection was not aborted.
        """
        return not switch.transport.disconnecting

    def echoes(self, switch: Switch) -> list[int]:
        """
        The ids of the echoes that a switch got since the last call.
        """
        return [messageId for messageId, method in switch.requests() if method == "echo"]

    def pass_(self, seconds: int) -> None:
        """
        Time passes.
        """
        for _ in range(seconds):
            self.clock.advance(1)
        self.clock.advance(0)

    def test_F62_manyClaims(self) -> None:
        """
        Of 400 connections that claim one name, one waits: the newest. The switch
        gets one echo. It keeps its name when it answers, and the claim is refused.
        """
        victim = self.synchronize("one", 1)
        victim.requests()
        claimants = [self.claim("one") for _ in range(400)]
        self.assertEqual([self.isOpen(each) for each in claimants], [False] * 399 + [True])
        self.assertEqual(len(self.listener._claims), 1)
        (first,) = self.echoes(victim)
        # This echo is older than the last claim, so it is asked once more.
        victim.answer(first, [])
        self.assertTrue(self.isOpen(claimants[-1]))
        (second,) = self.echoes(victim)
        victim.answer(second, [])
        self.assertFalse(self.isOpen(claimants[-1]))
        self.assertEqual(self.echoes(victim), [])
        self.assertTrue(self.listener.monitors["one"].inSync)
        self.assertEqual(len(self.listener._claims), 0)
        # Nothing piles up at the switch that is claimed.
        self.assertLess(len(victim.protocol._loss), 10)

    def test_F62_missedEcho(self) -> None:
        """
        A switch that does not answer the echo of a claim, but sends something, keeps
        its name: it is alive by the rules for every connection. The claim is
        refused in the end.
        """
        self.listen(snapshotTimeout=20)
        victim = self.synchronize("one", 1)
        claimant = self.claim("one")
        with capturedLogs() as logs:
            for _ in range(19):
                self.pass_(1)
                victim.protocol.dataReceived(IGNORED)
                claimant.protocol.dataReceived(IGNORED)
            self.assertTrue(self.isOpen(claimant))
            self.pass_(1)
        self.assertFalse(self.isOpen(claimant))
        self.assertTrue(self.isOpen(victim) and self.listener.monitors["one"].inSync)
        why = "switch one is connected already, from tcp:10.0.0.1:1, and silent for 20 s"
        self.assertEqual(self.reasons(logs), [why])
        self.assertEqual(len(self.listener._claims), 0)

    def test_nobodyWaits(self) -> None:
        """
        An echo that is answered when no claim waits any more means nothing.
        """
        victim = self.synchronize("one", 1)
        victim.requests()
        self.claim("one").lose()
        (echo,) = self.echoes(victim)
        victim.answer(echo, [])
        self.assertTrue(self.isOpen(victim) and self.listener.monitors["one"].inSync)
        self.assertEqual(self.echoes(victim), [])

    def test_notSent(self) -> None:
        """
        Where the echo cannot be sent, because too much waits to be sent, the claim waits.
        """
        victim = self.synchronize("one", 1)
        self.patch(victim.protocol, "echo", lambda: fail(RequestNotSent("too much waits")))
        claimant = self.claim("one")
        self.assertTrue(self.isOpen(claimant))
        victim.protocol.connectionLost(Failure(ConnectionDone()))
        claimant.snapshot(1)
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_F62_deadPresent(self) -> None:
        """
        A switch that is silent is dead after its probe and the time for that, claim
        or no claim. Then the newest claim gets the name.
        """
        victim = self.synchronize("one", 1)
        self.pass_(4)
        older, newest = self.claim("one"), self.claim("one")
        self.pass_(5)
        self.assertTrue(self.isOpen(victim))
        self.pass_(1)
        self.assertFalse(self.isOpen(victim) or self.isOpen(older))
        newest.snapshot(1)
        self.assertTrue(self.listener.monitors["one"].inSync)
        self.assertEqual(self.observer.take()[-1], ("synchronized", "resync"))

    def test_F62_inAll(self) -> None:
        """
        At most a hundred connections wait for different names. The one that waits
        for longest is refused for another.
        """
        self.patch(claims, "MAX_CLAIMANTS", 3)
        self.assertEqual(MAX_CLAIMANTS, 100)
        for number in range(4):
            self.synchronize(f"s{number}")
        waiting = [self.claim(f"s{number}") for number in range(3)]
        self.assertTrue(all(map(self.isOpen, waiting)))
        with capturedLogs() as logs:
            last = self.claim("s3")
        self.assertEqual([self.isOpen(each) for each in waiting], [False, True, True])
        self.assertTrue(self.isOpen(last))
        why = "too many connections wait for a switch (3)"
        self.assertEqual(self.reasons(logs), [why])
        self.assertEqual(len(self.listener._claims), 3)

    def test_claimantGoes(self) -> None:
        """
        If the connection that waits is lost, nothing is left of its claim, and a
        later answer of the switch harms nobody.
        """
        victim = self.synchronize("one", 1)
        victim.requests()
        self.claim("one").lose()
        self.assertEqual(len(self.listener._claims), 0)
        (messageId,) = self.echoes(victim)
        victim.answer(messageId, [])
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_presentGoes(self) -> None:
        """
        If the switch closes its connection while another one claims its name, the
        other one gets the name at once.
        """
        victim = self.synchronize("one", 1)
        claimant = self.claim("one")
        victim.lose()
        claimant.snapshot(1)
        self.assertTrue(self.listener.monitors["one"].inSync)
        self.assertEqual(self.listener._claims._contests, {})

    def test_stop(self) -> None:
        """
        A stop ends claims too, and leaves no timer.
        """
        switches = [self.synchronize("one"), self.claim("one")]
        stopped = self.listener.stop()
        for switch in switches:
            switch.lose()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.listener._claims), 0)
