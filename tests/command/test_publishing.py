# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.publishing}.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command import publishing
from twisted_ovsdb.command.options import Options
from twisted_ovsdb.command.publishing import SWITCH_INTERVAL, PublishService
from twisted_ovsdb.lifecycle.service import OvsdbMonitorService
from twisted_ovsdb.publish.natsstreams import NatsStreams
from twisted_ovsdb.publish.observer import Publishing
from twisted_ovsdb.tap import makeService
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory
from twisted_ovsdb.web.service import WebService


class OptionTests(SynchronousTestCase):
    """
    What the options mean, and what is refused.
    """

    def parse(self, *words: str) -> Options:
        """Parse a command line."""
        options = Options()
        options.parseOptions(words)
        return options

    def test_refused(self) -> None:
        """
        A mistake is one line, which shows no password.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("two\nlines\n")
        for words, text in (
            (["--publish", "host:4222"], "--publish host:4222: must be nats://"),
            (["--publish", "nats://u:secret@h:x"], "--publish (with a password): has a wrong"),
            (["--publish-credentials", path], "--publish must be given too"),
            (["--publish", "nats://h", "--publish-credentials", path], "must have one line"),
            (["--publish", "nats://h", "--publish-credentials", "none"], "No such file"),
            (["--publish", "nats://h", "--instance", ""], "--instance must have 1 to 100"),
            (["--publish", "nats://h", "--endpoint", "tcp:a:1,tcp:b:1"], "--publish: --endpoint"),
            (["--once", "--publish", "nats://h"], "--once: not with --publish"),
        ):
            refused = self.assertRaises(SystemExit, self.parse, *words)
            self.assertIn(text, str(refused))
            self.assertNotIn("secret", str(refused))

    def test_lock(self) -> None:
        """
        Monitors that publish share a lock, which may be named.
        """
        self.assertEqual(self.parse("--publish", "nats://h")["lock"], "ovsdb_monitor")
        self.assertEqual(self.parse("--publish", "nats://h", "--lock", "a")["lock"], "a")
        self.assertIsNone(self.parse()["lock"])
        self.assertIn("default with --publish: ovsdb_monitor", " ".join(str(Options()).split()))

    def test_identify(self) -> None:
        """
        What is published is keyed by the switch, and not by how its endpoint is written.
        """
        published = self.parse("--publish", "nats://h", "--endpoint", "unix:/db.sock")
        self.assertTrue(published["identify"])
        self.assertFalse(self.parse()["identify"])
        self.assertTrue(self.parse("--identify")["identify"])

    def test_missing(self) -> None:
        """
        Without nats-py, the command says what to install.
        """
        self.patch(importlib.util, "find_spec", lambda name: None)
        refused = self.assertRaises(UsageError, publishing.broker, "nats://h", None, {})
        self.assertIn("pip install 'twisted_ovsdb[nats]'", str(refused))

    def test_switchInterval(self) -> None:
        """
        While it publishes, Python changes threads often enough that the reactor need not wait
        for the thread of the broker's client; afterwards as before.
        """
        self.patch(publishing, "_reactor", Clock)
        self.patch(NatsStreams, "start", lambda streams: None)
        found = publishing.broker("nats://h", None, {})
        assert found is not None
        service = PublishService(found, "a", "fleet")
        before = sys.getswitchinterval()
        service.startService()
        self.addCleanup(sys.setswitchinterval, before)
        self.assertAlmostEqual(sys.getswitchinterval(), SWITCH_INTERVAL)
        self.successResultOf(service.stopService())
        self.assertEqual(sys.getswitchinterval(), before)

    def test_service(self) -> None:
        """
        The observer is told events in place of the log, is asked what was told, and
        nothing is opened before the start.
        """
        services: Any = makeService(self.parse("--publish", "nats://h", "--instance", "a"))
        found = [each for each in services if isinstance(each, publishing.PublishService)]
        self.assertEqual(len(found), 1)
        monitored: Any = found[0].monitored[0]
        self.assertIsInstance(found[0].observer, Publishing)
        self.assertFalse(found[0].observer.replays)
        self.assertIs(found[0]._monitorOf(monitored.monitor.switch), monitored.monitor)
        self.assertIsNone(found[0]._monitorOf("another"))
        self.assertEqual(found[0].missing(), "--publish: is not connected yet")
        # It asks for no lock before.
        self.assertFalse(found[0].terms.ready(monitored.monitor.switch))
        self.assertIs(monitored.monitor._lock.terms, found[0].terms)

    def test_trouble(self) -> None:
        """
        With --http, a metric says that nothing can be published now.
        """
        services: Any = makeService(self.parse("--publish", "nats://h", "--http", "0"))
        [web] = [each for each in services if isinstance(each, WebService)]
        [trouble] = [each for each in web.more if each.name == "publish_trouble"]
        self.assertEqual(list(trouble.samples()), [((), 1)])
        [publisher] = [each for each in services if isinstance(each, PublishService)]
        self.patch(publisher._streams, "_connection", publisher)
        self.assertEqual(list(trouble.samples()), [((), 0)])

    def test_F114_relieved(self) -> None:
        """
        On a unix socket too, other monitors that publish find one that hangs, so no warning
        says that nobody takes over, as it does with the lock alone.
        """
        told = []
        for words in (["--publish", "nats://h"], ["--lock", "a"]):
            services: Any = makeService(self.parse(*words, "--endpoint", "unix:/db.sock"))
            [made] = [each for each in services if isinstance(each, OvsdbMonitorService)]
            terms: Any = made.factory._settings.lock  # type: ignore[attr-defined]
            with capturedLogs() as logs:
                terms.warnOfUnix("unix:/db.sock")
            told.append([formatEvent(event) for event in logs])
        [published, [line]] = told
        self.assertEqual(published, [])
        self.assertIn("a monitor that hangs keeps lock a, and nobody takes over", line)

    def test_twoEndpoints(self) -> None:
        """
        Of two endpoints that lead to one switch, the one that has the lock is asked: when it
        is lost, the other one takes over.
        """
        self.patch(publishing, "_reactor", Clock)
        broker = publishing.broker("nats://h", None, {})
        assert broker is not None
        service = PublishService(broker, "a", "fleet")
        server = MemoryServer()
        factories = [
            connectedFactory(server, RecordingObserver(), source=each, identify=True, lock="fleet")
            for each in ("tcp:10.0.0.1:6640", "unix:/db.sock")
        ]
        service.monitored += factories
        for _ in factories:
            server.advance(5)
            [speaker] = [each for each in factories if each.speaking]
            self.assertIs(service._monitorOf(speaker.monitor.switch), speaker.monitor)
            speaker.stop()
