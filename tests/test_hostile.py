# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A hostile server, over real sockets on the loopback interface.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from tests.fakes.fold import Fold
from tests.fakes.hostile import ANSWERS, HostileServer
from tests.fakes.observers import Recorder
from tests.fakes.rows import vm
from twisted_ovsdb import ConnectionHook, Disconnected, OvsdbMonitorFactory, Synchronized

reactor: Any = _reactor

MEBIBYTE = 2**20

FLOODED = """
import resource, sys
from twisted.internet import reactor
from twisted_ovsdb import OvsdbMonitorFactory

class Factory(OvsdbMonitorFactory):
    def retry(self, connector=None):
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
        self.stop().addCallback(lambda _: reactor.stop())

start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
reactor.connectTCP("127.0.0.1", int(sys.argv[1]), Factory(maxLength=int(sys.argv[2])))
reactor.run()
"""


class Reasons(ConnectionHook):
    """
    Keeps the reasons of failures and losses.
    """

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def failed(self, source: str, reason: BaseException) -> None:
        """
        An attempt has failed.
        """
        self.reasons.append(str(reason))

    def lost(self, source: str, switch: str, reason: BaseException) -> None:
        """
        A session is lost.
        """
        self.reasons.append(str(reason))


class HostileTests(TestCase):
    """
    A server that breaks the protocol, on each connection in another way.
    """

    timeout = 60

    async def test_F11_F12_F20_F24_F25_everyWrongAnswer(self) -> None:
        """
        Each wrong answer ends the connection with its reason, and observers are
        told nothing wrong. The first correct answer is followed by all events.
        """
        port = reactor.listenTCP(0, HostileServer(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        observer = Recorder()
        hook = Reasons()
        reasons = hook.reasons
        factory = OvsdbMonitorFactory([observer], maxDelay=0.001, maxLength=200_000, hook=hook)
        with capturedLogs() as logs:
            reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
            while len(reasons) < len(ANSWERS):
                await factory.whenSynchronized()
                await self.turn()
            await factory.whenSynchronized()
            await self.turn()
        await factory.stop()
        self.assertGreaterEqual(len(ANSWERS), 40)
        self.assertEqual(reasons.pop(), "stopped")
        for (data, expected), reason in zip(ANSWERS, reasons, strict=True):
            self.assertIn(expected, reason, data[:80])
        self.assertEqual([log for log in logs if "log_failure" in log], [])
        fold = Fold()
        for event in observer.events:
            fold.receive(event)
            if isinstance(event, Synchronized):
                self.assertEqual(event.interfaces, (vm(1),))
        last: Any = observer.events[-1]
        self.assertIsInstance(last, Disconnected)
        self.assertEqual(str(last.reason), "stopped")

    def turn(self) -> Deferred[None]:
        """
        Wait for one turn of the reactor.
        """
        turned: Deferred[None] = Deferred()
        reactor.callLater(0, turned.callback, None)
        return turned

    async def test_F10_flood(self) -> None:
        """
        A message that never ends is cut off at the maximum length. Whatever the
        server sends after it, the process takes at most that much memory and
        150 MiB.
        """

        class Flood(Protocol):
            def dataReceived(self, data: bytes) -> None:
                assert self.transport is not None
                self.left = 600
                self.transport.write(b'{"a":"')
                self.transport.registerProducer(self, False)  # type: ignore[attr-defined]

            def resumeProducing(self) -> None:
                assert self.transport is not None
                self.left -= 1
                self.transport.write(b"x" * MEBIBYTE)
                if not self.left:
                    self.transport.loseConnection()

            def stopProducing(self) -> None:
                pass

        flood = ServerFactory.forProtocol(Flood)
        flood.noisy = False
        port = reactor.listenTCP(0, flood, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        maxLength = 256 * MEBIBYTE
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-c", FLOODED, str(port.getHost().port), str(maxLength)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        self.assertEqual((status, err), (0, b""))
        self.assertLess(int(out), maxLength + 150 * MEBIBYTE)
        self.assertGreater(int(out), maxLength)
