# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.lifecycle.trouble}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.factorycase import FactoryTestCase
from tests.fakes.rows import vmRow
from twisted_ovsdb import InterfaceMonitor
from twisted_ovsdb.errors import MonitorStopped, OvsdbError, SwitchChanged, SwitchRefused
from twisted_ovsdb.lifecycle import trouble
from twisted_ovsdb.lifecycle.trouble import ServerLog, SwitchLog


class LogTests(FactoryTestCase):
    """
    What the log says about connections that fail.
    """

    def lines(self, logs: Any) -> list[tuple[str, str]]:
        """
        Level and text of what was logged.
        """
        return [
            (log["log_level"].name, log["log_format"].format(**log))
            for log in logs
            if log["log_level"] is not LogLevel.debug
        ]

    def test_quiet(self) -> None:
        """
        There is one warning with a hint, a line for each new reason, and a
        line with the count of failures when the server is in sync again.
        """
        self.makeFactory(source="tcp:127.0.0.1:6640", connectTimeout=0)
        with capturedLogs() as logs:
            for _ in range(20):
                self.endpoint.refuse()
                self.clock.advance(8)
            for _ in range(2):
                self.endpoint.attempt.errback(OSError("no route"))
                self.clock.advance(8)
            self.synchronize()
        warning, reason, back = self.lines(logs)
        self.assertRegex(warning[1], r"unix:\S+/openvswitch/db.sock (does not exist|exists) here")
        self.assertEqual(warning[0], "warn")
        self.assertIn("tcp:127.0.0.1:6640: Connection was refused", warning[1])
        self.assertIn("ovs-vsctl set-manager ptcp:6640:127.0.0.1", warning[1])
        self.assertEqual(reason, ("info", "tcp:127.0.0.1:6640: no route"))
        self.assertEqual(back, ("info", "tcp:127.0.0.1:6640: in sync after 22 failures"))

    def test_hintOfTheSocket(self) -> None:
        """
        The hint says whether one of the usual sockets is here: the first one that
        exists.
        """
        for here, text in (
            (("/run/openvswitch/db.sock",), "unix:/run/openvswitch/db.sock exists here"),
            (trouble.USUAL_SOCKETS, "unix:/var/run/openvswitch/db.sock exists here"),
            ((), "unix:/var/run/openvswitch/db.sock does not exist here"),
        ):
            self.patch(os.path, "exists", here.__contains__)
            self.makeFactory(source="tcp:127.0.0.1:6640")
            with capturedLogs() as logs:
                self.endpoint.refuse()
            ((_, line),) = self.lines(logs)
            self.assertTrue(line.endswith(f"; {text}); trying again"), line)

    def test_hintOfTLS(self) -> None:
        """
        A connection that ends before the server was in sync may be one for TLS, if it
        is one without.
        """
        for source, hints in (("tcp:127.0.0.1:6640", 1), ("ssl:127.0.0.1:6640", 0)):
            self.makeFactory(source=source)
            with capturedLogs() as logs:
                self.accept()
                self.lose()
            ((_, line),) = self.lines(logs)
            self.assertEqual(
                line.count("does the server expect TLS? Then use ssl:HOST:PORT"), hints
            )

    def test_noHint(self) -> None:
        """
        There is no hint for another port, or for a server that was in sync
        before.
        """
        self.makeFactory(source="tcp:127.0.0.1:6641")
        with capturedLogs() as logs:
            self.endpoint.refuse()
        self.makeFactory(source="tcp:127.0.0.1:6640")
        with capturedLogs() as more:
            self.synchronize()
            self.lose()
        for _, text in self.lines(logs) + self.lines(more):
            self.assertNotIn("set-manager", text)

    def test_inSync(self) -> None:
        """
        The first time in sync is logged; a session that follows another one at
        once is not.
        """
        with capturedLogs() as logs:
            self.synchronize()
        self.assertEqual(self.lines(logs), [("info", "tcp:127.0.0.1:6640: in sync")])

    def test_inSyncAfterFailures(self) -> None:
        """
        The line says after how many failures the server is in sync, and says it
        again after the next outage.
        """
        for failures, text in ((1, "1 failure"), (2, "2 failures"), (3, "3 failures")):
            self.makeFactory()
            with capturedLogs() as logs:
                for _ in range(failures):
                    self.endpoint.refuse()
                    self.clock.advance(8)
                self.synchronize()
                self.clock.advance(0.5)
                self.lose()
                self.clock.advance(8)
                self.synchronize()
            said = [formatEvent(log) for log in logs if "in sync after" in log["log_format"]]
            source = self.factory.monitor.source
            lines = [f"{source}: in sync after {text}", f"{source}: in sync after 1 failure"]
            self.assertEqual(said, lines)

    def test_anotherSwitch(self) -> None:
        """
        When another switch is behind the source, this is one line, and no
        failure.
        """
        self.synchronize()
        self.clock.advance(2)
        with capturedLogs() as logs:
            self.protocol.abort(SwitchChanged("a", "b"))
            self.lose()
            self.clock.advance(1)
            self.synchronize()
        self.assertEqual(
            self.lines(logs), [("info", "tcp:127.0.0.1:6640: switch a has become switch b")]
        )

    def test_lasts(self) -> None:
        """
        An outage that lasts is logged every ten minutes, whatever the reason.
        """
        with capturedLogs() as logs:
            for _ in range(1801 // 8):
                self.endpoint.refuse()
                self.clock.advance(8)
        _, *later = self.lines(logs)
        self.assertEqual([level for level, _ in later], ["warn", "warn"])
        self.assertIn(
            ": not in sync for 10 minutes, 76 failures: Connection was refused", later[0][1]
        )
        self.assertIn(": not in sync for 20 minutes", later[1][1])

    def test_lastsSinceTheFirst(self) -> None:
        """
        The time counts from the first failure, whenever that is.
        """
        clock = Clock()
        log = ServerLog(clock.seconds)
        clock.advance(5000)
        with capturedLogs() as logs:
            for _ in range(2):
                log.failed("tcp:127.0.0.1:6641", OvsdbError("gone"))
                log.waiting("tcp:127.0.0.1:6641", 8)
                clock.advance(600)
        text = "tcp:127.0.0.1:6641: not in sync for 10 minutes, 2 failures: gone"
        self.assertEqual(self.lines(logs)[1:], [("warn", text)])

    def test_source(self) -> None:
        """
        Without a source of the user, the address is the source.
        """
        self.synchronize({1: vmRow("tap1")})
        event: Any = self.observer.events[0]
        self.assertEqual(event.source, "tcp:127.0.0.1:6640")

    def test_retryByTheUser(self) -> None:
        """
        A retry without a failure is not logged, also if there was a failure
        before the session.
        """
        self.endpoint.refuse()
        self.clock.advance(1)
        self.synchronize()
        with capturedLogs() as logs:
            self.factory.retry()
        self.assertEqual(self.lines(logs), [])

    def test_stopTrying(self) -> None:
        """
        If there is no next attempt, the log does not announce one.
        """
        self.synchronize()
        self.factory.stopTrying()
        with capturedLogs() as logs:
            self.lose()
        self.assertEqual(self.lines(logs), [])


class SwitchLogTests(SynchronousTestCase):
    """
    What the log says about switches that are refused.
    """

    def setUp(self) -> None:
        monitor = InterfaceMonitor(clock=Clock())
        self.clock = Clock()
        monitors = {"one": monitor, "two": monitor}
        self.log = SwitchLog(monitors, maxRefused=2, now=self.clock.seconds)

    def warnings(self, *switches: str, source: str = "tcp:there:1") -> int:
        """
        Refuse switches, and count the warnings.
        """
        with capturedLogs() as logs:
            for switch in switches:
                self.log.refused(source, switch, SwitchRefused("too many", switch))
        return len(logs)

    def test_once(self) -> None:
        """
        There is one warning for a refused switch, also if its session is lost
        meanwhile. There is another one if the switch was in sync meanwhile.
        """
        self.assertEqual(self.warnings("one", "one", "two", "one"), 2)
        self.log.lost("there", "one", MonitorStopped())
        self.assertEqual(self.warnings("one"), 0)
        self.log.synchronized("there", "one")
        self.assertEqual(self.warnings("one", "two"), 1)

    def test_bounded(self) -> None:
        """
        A limited number of refused switches is remembered. One more makes the
        log forget all of them.
        """
        self.assertEqual(self.warnings("one", "two", "two"), 2)
        self.assertEqual(self.warnings("three", "three", "one"), 2)

    def test_F64_crowd(self) -> None:
        """
        When thousands come and go, sixty lines are said in each minute, and the
        others are counted.
        """
        with capturedLogs() as logs:
            for port in range(5000):
                self.log.synchronized(f"tcp:there:{port}", "one")
                self.log.lost(f"tcp:there:{port}", "one", ConnectionDone())
            self.assertEqual(len(logs), 60)
            self.clock.advance(60)
            self.log.synchronized("tcp:there:1", "one")
        said = [formatEvent(event) for event in logs[60:]]
        self.assertEqual(said[0], "... and 9941 more such lines about switches")
        self.assertIn("in sync with switch one", said[1])

    def test_unknown(self) -> None:
        """
        Of connections whose switch is not known, there is one warning for each
        host, and one every ten minutes with their count.
        """
        self.clock.advance(1000)
        self.assertEqual(self.warnings("", "", source="tcp:10.0.0.1:1"), 1)
        self.assertEqual(self.warnings("", source="tcp:10.0.0.1:2"), 0)
        self.assertEqual(self.warnings("", source="tcp:10.0.0.2:2"), 1)
        self.clock.advance(599)
        self.assertEqual(self.warnings("", source="tcp:10.0.0.1:9"), 0)
        self.clock.advance(1)
        with capturedLogs() as logs:
            self.log.refused("tcp:10.0.0.1:4", "", SwitchRefused("too many"))
            self.log.failed("tcp:10.0.0.1:3", ValueError("no TLS"))
        self.assertEqual(
            [log["log_format"].format(**log) for log in logs],
            [
                "tcp:10.0.0.1:4: refused: too many (and 3 times since the last such line)",
                "tcp:10.0.0.1:3: dropped: no TLS",
            ],
        )
