# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.web.metrics}: what Prometheus is told. promtool checks it,
where it is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.web.webcase import WebTestCase, configure
from twisted_ovsdb.testing import RecordingObserver, connectedFactory
from twisted_ovsdb.web import metrics
from twisted_ovsdb.web.counted import CountedObserver
from twisted_ovsdb.web.gauge import Gauge
from twisted_ovsdb.web.lag import Lag
from twisted_ovsdb.web.switches import Switches

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    missing = "prometheus_client is not installed"
else:
    missing = ""

HOSTILE = 'a"b\\c\nd</script><img src=x onerror=alert(1)>\x00é\U0001f600'

PREFIX = "ovsdb_monitor_"


class MetricsTests(WebTestCase):
    """
    The metrics of a switch in memory.
    """

    if missing:
        skip = missing

    def setUp(self) -> None:
        super().setUp()
        self.server.addBridge("br-int")
        observer = CountedObserver(RecordingObserver(), "log", self.clock.seconds)
        self.service.observers.append(observer)

    def families(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """
        Scrape. Each family comes once.
        """
        text = self.get("/metrics").text
        self.assertEqual(text.count("# TYPE "), len(set(self.types(text))))
        return {
            family.name.removeprefix(PREFIX): [(s.labels, s.value) for s in family.samples]
            for family in text_string_to_metric_families(text)
        }

    def types(self, text: str) -> list[str]:
        """
        The names of the families.
        """
        return [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]

    def test_values(self) -> None:
        """
        What is known of a switch, in sync and not.
        """
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.assignOfport("tap1")
        found = self.families()
        sw1 = {"switch": "sw1"}
        self.assertEqual(found["switch_in_sync"], [(sw1, 1)])
        self.assertEqual(
            found["switch_info"], [({"switch": "sw1", "hostname": "", "source": "sw1"}, 1)]
        )
        self.assertIn(({"switch": "sw1", "kind": "vm"}, 1), found["interfaces"])
        self.assertIn(({"switch": "sw1", "kind": "patch"}, 0), found["interfaces"])
        self.assertEqual(found["disconnects"], [(sw1, 0)])
        self.assertIn(({"event": "online", "kind": "vm", "cause": "update"}, 1), found["events"])
        self.assertIn(({"le": "0.005"}, 2), found["time_to_ready_seconds"])
        self.assertIn(({}, 2), found["time_to_ready_seconds"])
        self.assertEqual(found["observer_failures"], [({"observer": "log"}, 0)])
        self.assertEqual(found["reactor_lag_seconds"], [({}, 0)])
        self.assertEqual(found["problems_omitted"], [({}, 0)])
        [(_, heard)] = found["last_message_timestamp_seconds"]
        self.server.kill()
        self.clock.advance(100)
        found = self.families()
        self.assertEqual(found["switch_in_sync"], [(sw1, 0)])
        self.assertEqual(found["disconnects"], [(sw1, 1)])
        self.assertIn(({"switch": "sw1", "kind": "vm"}, 1), found["interfaces"])
        [(_, later)] = found["last_message_timestamp_seconds"]
        self.assertLess(later - heard, 1)

    def test_speaking(self) -> None:
        """
        With a lock, it is shown for which switches this monitor speaks. While it stands by,
        it counts no interfaces: the monitor that speaks counts them.
        """
        self.assertEqual(self.families()["switch_speaking"], [])
        self.server.stealLock("fleet")
        options = {"clock": self.clock, "lock": "fleet", "instance": "a", "source": "sw2"}
        factory = connectedFactory(self.server, self.service.watch, **options)
        self.service.monitored.append(factory)
        self.server.advance(2)
        sw2 = {"switch": "sw2"}
        found = self.families()
        self.assertEqual(found["switch_speaking"], [(sw2, 0)])
        self.assertIn((sw2, 1), found["switch_in_sync"])
        self.assertNotIn("sw2", [labels["switch"] for labels, _ in found["interfaces"]])
        self.server.freeLock("fleet")
        found = self.families()
        self.assertEqual(found["switch_speaking"], [(sw2, 1)])
        self.assertIn("sw2", [labels["switch"] for labels, _ in found["interfaces"]])
        factory.stop()

    def test_lockIsNoOutage(self) -> None:
        """
        When the lock is given up and comes back, no session has ended, and no switch has
        come into sync. A session that ends counts, also while this monitor stands by.
        """
        options = {"clock": self.clock, "lock": "fleet", "instance": "a", "source": "sw2"}
        factory = connectedFactory(self.server, self.service.watch, **options)
        self.service.monitored.append(factory)
        self.server.advance(2)
        sw2 = {"switch": "sw2"}
        self.service.watch._wall = lambda: 1_800_000_000 + self.clock.seconds()
        before = self.families()
        self.assertIn((sw2, 0), before["disconnects"])
        [_, (_, synced)] = before["last_sync_timestamp_seconds"]
        self.assertIn((sw2, 1), before["switch_speaking"])
        for _ in range(3):
            factory.giveUp()
            self.server.advance(7)
            self.assertTrue(factory.speaking)
        self.server.stealLock("fleet")
        found = self.families()
        for name in ("disconnects", "last_sync_timestamp_seconds"):
            self.assertEqual(found[name], before[name])
        [_, switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["disconnects"], switch["speaking"]), (0, False))
        self.assertEqual(switch["last_sync"], synced)
        self.server.restart()
        self.server.advance(10)
        found = self.families()
        self.assertIn((sw2, 1), found["disconnects"])
        self.assertGreater(found["last_sync_timestamp_seconds"][1][1], synced)
        factory.stop()
        self.server.advance(0)

    def test_noSeriesForInterfaces(self) -> None:
        """
        More healthy interfaces are not more series.
        """
        before = self.get("/metrics").text.count("\n")
        for number in range(100):
            self.server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}")
            self.server.assignOfport(f"tap{number}")
        self.assertLessEqual(self.get("/metrics").text.count("\n"), before + 4)

    def test_problems(self) -> None:
        """
        What --report finds: the first thousand by name, and how many others there are;
        a hostile name is text. A name that is shortened is not told twice. In an outage
        there are none.
        """
        wrong: dict[str, Any] = {"type": "nonsense", "ofport": -1, "error": "unknown type"}
        hostile = HOSTILE.replace("\x00", "")  # which no database has
        for name in (hostile, "a" * 300 + "1", "a" * 300 + "2"):
            self.server.addPort("br-int", name, **wrong)
        configure(self.server, 2, 1)
        self.clock.advance(30)
        families = self.families()
        self.assertIn(({"switch": "sw1", "problem": "failed"}, 3), families["problems"])
        self.assertIn(({"switch": "sw1", "problem": "not-applying"}, 1), families["problems"])
        self.assertEqual(families["problems_omitted"], [({}, 0)])
        names = [labels["interface"] for labels, _ in families["problem_info"]]
        self.assertCountEqual(names, [hostile, "a" * metrics.LABEL_LIMIT, ""])
        places = [labels["bridge"] for labels, _ in families["problem_info"]]
        self.assertCountEqual(places, ["br-int", "br-int", ""])
        self.patch(metrics, "PROBLEMS", 2)
        families = self.families()
        self.assertEqual(families["problems_omitted"], [({}, 2)])
        self.assertEqual(len(families["problem_info"]), 2)
        self.server.kill()
        self.assertEqual(self.families()["problems"], [])

    def test_many(self) -> None:
        """
        If everything fails, a scrape still has many small steps.
        """
        for number in range(500):
            self.server.addPort("br-int", f"p{number}", type="nonsense", ofport=-1, error="no")
        self.clock.advance(30)
        self.patch(metrics, "SLICE", 50)
        switches = Switches(self.service.monitored, self.service.watch)
        watched = metrics.Watched(switches, Lag(self.clock, self.clock.seconds))
        pieces = list(metrics.exposition(watched))
        self.assertLess(max(piece.count(b"\n") for piece in pieces), 60)
        self.assertEqual(b"".join(pieces).count(b"problem_info{"), 500)

    def test_audit(self) -> None:
        """
        What --audit has done; without it there is no such family.
        """
        self.assertNotIn("audit_rows", self.families())
        factory = connectedFactory(self.server, self.service.watch, source="sw2", audit=1.0)
        self.addCleanup(factory.stop)
        self.service.monitored.append(factory)
        self.server.advance(1)
        found = self.families()
        sw2 = {"switch": "sw2"}
        self.assertEqual(found["audit_rounds"], [(sw2, 1)])
        self.assertEqual(found["audit_rows"], [(sw2, 1)])
        self.assertEqual(found["audit_mismatches"], [(sw2, 0)])

    def test_more(self) -> None:
        """
        Other parts have metrics too, which are asked for at each scrape.
        """
        values = iter([1.0, 2.0])
        gauge = Gauge("thing_bytes", "Help.", ["file"], lambda: [(("f",), next(values))])
        self.service.more.append(gauge)
        self.assertEqual(self.families()["thing_bytes"], [({"file": "f"}, 1)])
        self.assertEqual(self.families()["thing_bytes"], [({"file": "f"}, 2)])

    def test_F103_hostile(self) -> None:
        """
        A hostile text is one label, shortened, and no line of its own.
        """
        self.factory.monitor.source = HOSTILE + "a" * 1000
        [(labels, _)] = self.families()["switch_in_sync"]
        self.assertEqual(labels["switch"], (HOSTILE + "a" * 1000)[: metrics.LABEL_LIMIT])

    def test_slices(self) -> None:
        """
        A large family is written in slices, and has one header.
        """
        samples = [((f"s{number}",), number) for number in range(metrics.SLICE * 2 + 1)]
        parts = list(metrics._gauge("x", "Help.", ["switch"], samples))
        self.assertEqual(len(parts), 3)
        text = b"".join(parts)
        self.assertEqual(text.count(b"# HELP"), 1)
        self.assertEqual(text.count(b"\n"), 2 + len(samples))
        [empty] = metrics._gauge("x", "Help.", ["switch"], [])
        self.assertEqual(empty.count(b"\n"), 2)

    def test_promtool(self) -> None:
        """
        promtool has nothing to say against the metrics.
        """
        if shutil.which("promtool") is None:
            raise SkipTest("promtool is not installed")
        text = self.get("/metrics").body
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
        )
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))
