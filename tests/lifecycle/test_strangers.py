# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.strangers}.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from tests.lifecycle.test_hook import RecordingHook
from tests.lifecycle.test_listener import ListenerTestCase, Switch
from twisted_ovsdb.errors import SwitchRefused
from twisted_ovsdb.lifecycle.strangers import IDENTIFY_LENGTH, IDENTIFY_TIMEOUT

IGNORED = b'{"id":null,"method":"x","params":[]}'


class StrangerTests(ListenerTestCase):
    """
    Connections that do not say which switch they are.
    """

    def isOpen(self, switch: Switch) -> bool:
        """
        Whether a connection was not aborted.
        """
        return not switch.transport.disconnecting

    def test_F61_bytes(self) -> None:
        """
        A peer may send 64 kB before it has said which switch it is, and not one
        byte more: in one message, or in many.
        """
        for begin, fill in ((b'{"id":1,"result":["', b"x"), (b"", IGNORED + b" ")):
            switch = self.dial()
            data = begin + fill * (IDENTIFY_LENGTH // len(fill) + 1)
            switch.protocol.dataReceived(data[: IDENTIFY_LENGTH - 1])
            switch.protocol.dataReceived(data[IDENTIFY_LENGTH - 1 : IDENTIFY_LENGTH])
            self.assertTrue(self.isOpen(switch))
            with capturedLogs() as logs:
                switch.protocol.dataReceived(data[IDENTIFY_LENGTH : IDENTIFY_LENGTH + 1])
            self.assertFalse(self.isOpen(switch))
            why = "more than 65536 bytes before it was identified"
            self.assertEqual(self.reasons(logs), [why] if begin else [])

    def test_F61_bytesAfterwards(self) -> None:
        """
        There is no such limit for a switch that has said who it is.
        """
        switch = self.dial()
        switch.identify("one")
        switch.snapshot(*range(1, 1000))
        for _ in range(50):
            self.clock.advance(0)
        self.assertTrue(self.listener.monitors["one"].inSync)

    def test_F61_time(self) -> None:
        """
        A peer has ten seconds to say which switch it is, also if it goes on
        sending.
        """
        silent, talking = self.dial(host=1), self.dial(host=2)
        with capturedLogs() as logs:
            for _ in range(int(IDENTIFY_TIMEOUT) - 1):
                self.clock.advance(1)
                talking.protocol.dataReceived(IGNORED)
            self.assertTrue(self.isOpen(silent) and self.isOpen(talking))
            self.clock.advance(1)
        self.assertFalse(self.isOpen(silent) or self.isOpen(talking))
        why = "the switch did not identify itself within 10 s"
        self.assertEqual(self.reasons(logs), [why, why])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_F61_longestGoesFirst(self) -> None:
        """
        When silent connections have all places, a good switch still gets in: the
        one that is silent for longest goes, and the number of them stays.
        """
        self.listen(maxSwitches=3)
        silent = [self.dial() for _ in range(3)]
        silent[0].protocol.dataReceived(IGNORED)  # A byte is no progress.
        self.synchronize("good", 1)
        self.assertTrue(self.listener.monitors["good"].inSync)
        self.assertEqual([self.isOpen(each) for each in silent], [False, True, True])
        # Its place is free again.
        more = self.dial()
        self.assertEqual([self.isOpen(each) for each in silent], [False, True, True])
        self.dial()
        self.assertEqual([self.isOpen(each) for each in silent], [False, False, True])
        self.assertTrue(self.isOpen(more))
        self.assertEqual(len(self.listener._strangers), 3)

    def test_F61_flood(self) -> None:
        """
        However many silent connections come, no more are kept than there are
        places, and one line says so for each host.
        """
        self.listen(maxSwitches=10)
        with capturedLogs() as logs:
            switches = [self.dial() for _ in range(500)]
        self.assertEqual(sum(map(self.isOpen, switches)), 10)
        self.assertEqual(len(self.lines(logs)), 1)
        for switch in switches:
            switch.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.listener._links, set())

    def test_stoppedByAHook(self) -> None:
        """
        If a hook stops the listener because a connection had to go, the new one is
        not accepted.
        """
        case = self

        class Stopper(RecordingHook):
            def refused(self, source: str, switch: str, reason: SwitchRefused) -> None:
                super().refused(source, switch, reason)
                case.listener.stop()

        hook = Stopper()
        self.listen(maxSwitches=1, hook=hook)
        self.dial()
        self.assertIsNone(self.dial().protocol)
        self.assertEqual(hook.take()[-1], "failed: stopped")
