# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for what is published: subjects, messages, configurations, credentials, silence.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import datetime, timezone

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.documented import CHECKOUT, blocks
from tests.fakes.rows import vm
from twisted_ovsdb.events import (
    Cause,
    ForgetReason,
    InterfaceOffline,
    InterfaceOnline,
    SwitchForgotten,
)
from twisted_ovsdb.publish.configuration import configurationOf, problemOf, versionProblem
from twisted_ovsdb.publish.credentials import brokerOf
from twisted_ovsdb.publish.messages import Checkpoint, Lines, lineIn, objectOf, sequenceIn
from twisted_ovsdb.publish.natsmessages import PREVIOUS, storedOf
from twisted_ovsdb.publish.picture import Latest
from twisted_ovsdb.publish.silence import BEAT, SILENT, Silence
from twisted_ovsdb.publish.streams import Stream
from twisted_ovsdb.publish.subjects import LONGEST, part

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


class SubjectTests(SynchronousTestCase):
    """
    How a switch is written in a subject.
    """

    def test_parts(self) -> None:
        """
        What a subject cannot have is escaped; no two keys become one.
        """
        for text, expected in (
            ("4aa64e21-0b3c", "4aa64e21-0b3c"),
            ("tcp:10.0.0.1:6640", "tcp:10%2E0%2E0%2E1:6640"),
            ("unix:/run/db.sock", "unix:%2Frun%2Fdb%2Esock"),
            ("a b*>%", "a%20b%2A%3E%25"),
            ("\u00fc", "%C3%BC"),
            ("\ud800", "%ED%A0%80"),
            ("", "%"),
        ):
            self.assertEqual(part(text), expected)

    def test_long(self) -> None:
        """
        A key of any length has a part of limited length, and keeps its own one.
        """
        self.assertEqual(part("x" * LONGEST), "x" * LONGEST)
        long = {part("x" * LONGEST + str(n)) for n in range(3)}
        self.assertEqual({len(each) for each in long}, {LONGEST})
        self.assertEqual(len(long), 3)


class LineTests(SynchronousTestCase):
    """
    The lines of messages.
    """

    lines = Lines('a "b"', "run")

    def test_events(self) -> None:
        """
        A line is that of JSON Lines, with the instance.
        """
        line = self.lines.of(InterfaceOnline(vm(1), Cause.UPDATE, "s1"), NOW)
        value = json.loads(line.text)
        self.assertEqual((value["event"], value["instance"]), ("online", 'a "b"'))
        self.assertEqual((line.uuid, line.online, line.forgets), (vm(1).uuid, True, False))
        gone = self.lines.of(InterfaceOffline(vm(1), Cause.UPDATE, "s1"), NOW)
        self.assertEqual((gone.uuid, gone.online), (vm(1).uuid, False))
        forgotten = self.lines.of(SwitchForgotten(ForgetReason.AGE, "s1"), NOW)
        self.assertTrue(forgotten.forgets)
        started = json.loads(self.lines.started("s1", True, NOW).text)
        self.assertEqual((started["switch"], started["resumed"]), ("s1", True))

    def test_objects(self) -> None:
        """
        An object is its event's line and the sequence, and can be taken apart.
        """
        text = self.lines.of(InterfaceOnline(vm(1), Cause.UPDATE, "s1"), NOW).text
        payload = objectOf(text, 17)
        self.assertEqual(sequenceIn(payload), 17)
        self.assertEqual(lineIn(payload), text)

    def test_checkpoint(self) -> None:
        """
        A checkpoint is read as it was written; what is none is none.
        """
        value = Checkpoint(17, "t-4", "s1", "a", 3, True)
        self.assertEqual(Checkpoint.parse(value.payload()), value)
        self.assertEqual(value.token, "t")
        for payload in (b"", b"[]", b"{}", b'{"sequence":"1"}', b"\xff"):
            self.assertIsNone(Checkpoint.parse(payload))
        for wrong in (10**30, -1, True, 1.0):
            payload = json.dumps({**json.loads(value.payload()), "sequence": wrong}).encode()
            self.assertIsNone(Checkpoint.parse(payload), wrong)
            self.assertEqual(sequenceIn(payload), 0)

    def test_foreign(self) -> None:
        """
        Numbers that nobody of ours writes stop nothing: a time that is too large, and a
        predecessor that is none.
        """
        text = self.lines.of(InterfaceOnline(vm(1), Cause.UPDATE, "s1"), NOW).text
        later = json.dumps({**json.loads(text), "timestamp": 10**400}).encode()
        found = Latest.parse(later, 17)
        assert found is not None
        self.assertEqual((found.interface, found.timestamp), (vm(1), 0.0))
        for previous in ("\u00b2", "9" * 5000, "x", "", "-1"):
            stored = storedOf("ovsdb.event.s1", 3, b"", {PREVIOUS: previous})
            self.assertEqual(stored.previous, 0)


class ConfigurationTests(SynchronousTestCase):
    """
    Which streams and servers are accepted.
    """

    def test_ours(self) -> None:
        """
        What we make is right; so are limits and replicas of somebody else.
        """
        for stream in Stream:
            ours = configurationOf(stream)
            self.assertIsNone(problemOf(stream, ours))
            more = {"num_replicas": 3, "max_bytes": 10**9, "storage": "memory", "mirror": None}
            self.assertIsNone(problemOf(stream, {**ours, **more}))

    def test_documented(self) -> None:
        """
        The streams that docs/fleet.rst shows are those that a monitor makes.
        """
        page = CHECKOUT / "docs" / "fleet.rst"
        shown = [json.loads(each.text) for each in blocks(page) if each.text.startswith("{\n")]
        self.assertEqual([each["name"] for each in shown], [each.value for each in Stream])
        for stream, found in zip(Stream, shown, strict=True):
            self.assertEqual(found, configurationOf(stream))
            self.assertIsNone(problemOf(stream, found))

    def test_F117_wrong(self) -> None:
        """
        What would break the promise is refused, with the reason.
        """
        for name, value in (
            ("subjects", ["ovsdb.event.a"]),
            ("retention", "workqueue"),
            ("discard", "old"),
            ("discard_new_per_subject", True),
            ("max_age", 10**12),
            ("max_msgs_per_subject", 99),
            ("max_msgs_per_subject", -1),
            ("sealed", True),
            ("deny_purge", True),
            ("no_ack", True),
            ("mirror", {"name": "x"}),
        ):
            found = {**configurationOf(Stream.EVENTS), name: value}
            self.assertIn(name, str(problemOf(Stream.EVENTS, found)))
        found = {**configurationOf(Stream.EVENTS), "max_msgs_per_subject": 100}
        self.assertIsNone(problemOf(Stream.EVENTS, found))
        found = {**configurationOf(Stream.NOW), "max_msgs_per_subject": 2}
        self.assertIn("needs 1", str(problemOf(Stream.NOW, found)))

    def test_versions(self) -> None:
        """
        Old servers are refused; with replicas, some more of them.
        """
        self.assertIn("too old", str(versionProblem("2.8.4")))
        self.assertIsNone(versionProblem("2.9.0"))
        self.assertIsNone(versionProblem("2.9.10"))
        self.assertIn("2.9.21", str(versionProblem("2.9.20", 3)))
        self.assertIsNone(versionProblem("2.9.21", 3))
        self.assertIsNone(versionProblem("2.12.0-RC.1", 3))


class CredentialTests(SynchronousTestCase):
    """
    Who we are for the broker.
    """

    def test_places(self) -> None:
        """
        Credentials come from the file, else from the URL, else from the environment.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("u:p:q\n")
        both = {"NATS_USER": "e", "NATS_PASSWORD": "f"}
        url = "nats://x:y%40z@h"
        for text, place, environment, expected in (
            ("nats://h", None, {}, {}),
            ("nats://h", None, both, {"user": "e", "password": "f"}),
            ("nats://h", None, {"NATS_TOKEN": "t"}, {"token": "t"}),
            (url, None, both, {"user": "x", "password": "y@z"}),
            ("nats://t@h", None, both, {"token": "t"}),
            ("nats://h", path, both, {"user": "u", "password": "p:q"}),
        ):
            found = brokerOf(text, place, environment)
            self.assertEqual((found.servers, found.options), (("nats://h:4222",), expected))
        self.assertNotIn("y@z", repr(brokerOf(url, None, {})))
        self.assertEqual(brokerOf(url, None, {}).shown, "nats://h:4222")

    def test_cluster(self) -> None:
        """
        Several servers, IPv6, and TLS.
        """
        found = brokerOf("tls://a:1,tls://[::1]", None, {})
        self.assertEqual(found.servers, ("tls://a:1", "tls://[::1]:4222"))
        self.assertTrue(found.options["tls"].check_hostname)

    def test_withoutNkeys(self) -> None:
        """
        Without nkeys, a C{.creds} file is refused with what to install.
        """
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("-----BEGIN NATS USER JWT-----\ne30.e30.AA\n------END NATS USER JWT------\n")
        self.patch(importlib.util, "find_spec", lambda name: None)
        refused = self.assertRaises(ValueError, brokerOf, "nats://h", path, {})
        self.assertEqual(
            str(refused), "a .creds file needs nkeys: pip install 'twisted_ovsdb[nats]'"
        )

    def test_wrong(self) -> None:
        """
        What is no broker is refused.
        """
        for text in ("h", "http://h", "nats://", "nats://h:x", "nats://h/y", "", "nats://h:0"):
            self.assertRaises(ValueError, brokerOf, text, None, {})

    def test_F118_secretsInURLs(self) -> None:
        """
        A password or a token with characters that a URL cannot have is refused, and no part
        of it is shown, or taken for the host.
        """
        for text in (
            "nats://user:secr\uff1aet@127.0.0.1:4222",
            "nats://secret#@host:1",
            "nats://se?cret@host",
            "nats://user:12345#67@h",
            "nats://secret secret",
        ):
            refused = self.assertRaises(ValueError, brokerOf, text, None, {})
            self.assertRegex(str(refused), "^(must be nats://HOST|has a wrong port)")
            for part_ in ("secr", "cret", "123"):
                self.assertNotIn(part_, str(refused))
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(b"\xffsecret")
        refused = self.assertRaises(ValueError, brokerOf, "nats://h", path, {})
        self.assertEqual(str(refused), "is no text in UTF-8")


class Standby:
    """
    A monitor that does not hold the lock.
    """

    speaking = False

    def __init__(self) -> None:
        self.stolen = 0

    def confirmLock(self) -> Deferred[None]:
        """Not used."""
        return succeed(None)

    def giveUp(self) -> None:
        """Not used."""

    def stealLock(self) -> None:
        """Count it."""
        self.stolen += 1


class SilenceTests(SynchronousTestCase):
    """
    When a lock is stolen.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.standby = Standby()
        self.silence = Silence(
            "us",
            "0us",
            lambda: [("s1", self.standby)],
            lambda key: succeed("they"),
            self.clock.seconds,
        )
        self.assertEqual(self.silence.sign, "0us us")

    def beat(self, seconds: float, *instances: str) -> None:
        """Signs of life of these, for so long."""
        for _ in range(round(seconds / BEAT)):
            self.clock.advance(BEAT)
            for each in instances:
                self.silence.heard(f"0{each} {each}")
            self.silence.look()

    def test_silent(self) -> None:
        """
        The lock of an instance that is silent is stolen, not before.
        """
        self.beat(60, "us", "they")
        self.beat(SILENT - BEAT, "us")
        self.assertEqual(self.standby.stolen, 0)
        self.beat(BEAT, "us")
        self.assertEqual(self.standby.stolen, 1)

    def test_brokerDown(self) -> None:
        """
        If nothing comes at all, not even our own signs, nobody is silent; nor is
        somebody right after that.
        """
        self.beat(60, "us", "they")
        self.beat(60)
        self.beat(SILENT, "us")
        self.assertEqual(self.standby.stolen, 0)
        self.beat(BEAT, "us")
        self.assertEqual(self.standby.stolen, 1)

    def test_sameName(self) -> None:
        """
        Another process with the name of this one is warned of once, and its signs are not
        taken for our own.
        """
        with capturedLogs() as logs:
            for _ in range(20):
                self.silence.heard("0other us")
                self.clock.advance(BEAT)
                self.silence.look()
        [line] = map(formatEvent, logs)
        self.assertIn("another monitor has the name us too", line)
        self.assertEqual(self.standby.stolen, 0)

    def test_late(self) -> None:
        """
        Whoever has just begun to listen waits, too.
        """
        self.beat(SILENT, "us")
        self.assertEqual(self.standby.stolen, 0)
        self.beat(BEAT, "us")
        self.assertEqual(self.standby.stolen, 1)
