# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for docs/operators: alert rules and a dashboard that ask only for metrics that
there are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from unittest import SkipTest

from tests.web.webcase import WebTestCase
from twisted_ovsdb import OvsdbMonitorFactory
from twisted_ovsdb.command.gauges import ofBroker, ofFiles, ofPublishing
from twisted_ovsdb.command.keptevents import KeptEvents
from twisted_ovsdb.command.stateservice import StateService
from twisted_ovsdb.publish.observer import PublishingObserver
from twisted_ovsdb.testing import connectedFactory
from twisted_ovsdb.web import metrics

OPERATORS = Path(__file__).parent.parent / "docs" / "operators"

NAME = re.compile(r"ovsdb_monitor_\w+")


class MetricNamesTests(WebTestCase):
    """
    The names of metrics.
    """

    if not metrics.INSTALLED:
        skip = "prometheus_client is not installed"

    def makeFactory(self) -> OvsdbMonitorFactory:
        """
        Everything that has metrics.
        """
        state = StateService(self.mktemp(), 30)
        kept = KeptEvents(self.mktemp(), state, (), False)
        nowhere: Any = None  # Nothing is published.
        observer = PublishingObserver(nowhere, "a", lambda switch: None, self.clock)
        self.service.more += [*ofFiles([kept]), *ofPublishing(observer), ofBroker(lambda: None)]
        return connectedFactory(
            self.server, self.service.watch, source="sw1", problemsAfter=30.0, audit=10.0
        )

    def names(self) -> set[str]:
        """
        The metrics that there are, as Prometheus stores them.
        """
        text = self.get("/metrics").text
        found = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        return found | {f"{name}_bucket" for name in found}

    def test_files(self) -> None:
        """
        Rules, dashboard and pages name no metric that does not exist.
        """
        names = self.names()
        files = [*OPERATORS.iterdir(), OPERATORS.parent / "operators.rst"]
        for path in files:
            self.assertEqual(set(NAME.findall(path.read_text())) - names, set(), path.name)

    def test_documented(self) -> None:
        """
        Each metric stands in the documentation.
        """
        text = (OPERATORS.parent / "operators.rst").read_text()
        for name in re.findall(r"^# TYPE (\S+)", self.get("/metrics").text, re.MULTILINE):
            self.assertIn(name.removeprefix("ovsdb_monitor_"), text)

    def test_publishing(self) -> None:
        """
        There is a rule for each thing that goes wrong with a fleet: each of its metrics is
        in a rule and on the dashboard.
        """
        rules = (OPERATORS / "alerts.yml").read_text()
        dashboard = (OPERATORS / "grafana.json").read_text()
        for name in (
            "publish_trouble",
            "publish_lag_seconds",
            "published_total",
            "fenced_total",
            "switch_speaking",
        ):
            self.assertIn(f"ovsdb_monitor_{name}", rules)
            self.assertIn(f"ovsdb_monitor_{name}", dashboard)

    def test_tested(self) -> None:
        """
        Each rule has a test.
        """
        rules = re.findall(r"alert: (\w+)", (OPERATORS / "alerts.yml").read_text())
        tests = (OPERATORS / "alerts-test.yml").read_text()
        untested = [rule for rule in rules if f"alertname: {rule}\n" not in tests]
        self.assertEqual(untested, [])

    def test_dashboard(self) -> None:
        """
        The dashboard is JSON, and each panel asks for something.
        """
        dashboard = json.loads((OPERATORS / "grafana.json").read_text())
        self.assertEqual(len({panel["id"] for panel in dashboard["panels"]}), 15)
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                self.assertIn("ovsdb_monitor_", target["expr"])


class PromtoolTests(WebTestCase):
    """
    What promtool says.
    """

    def test_promtool(self) -> None:
        """
        The rules and the configuration are right, and the tests of the rules pass.
        """
        if shutil.which("promtool") is None:
            absent = "promtool is not installed (see tools/install-browser)"
            if os.environ.get("CI"):
                self.fail(absent)
            raise SkipTest(absent)
        for command in (
            ["check", "rules", "alerts.yml"],
            ["test", "rules", "alerts-test.yml"],
            ["check", "config", "prometheus.yml"],
        ):
            done = subprocess.run(
                ["promtool", *command], cwd=OPERATORS, capture_output=True, text=True, check=False
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
