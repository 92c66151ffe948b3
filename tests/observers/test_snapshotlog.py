# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.observers.snapshotlog}, through the observer that logs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.observers.values import SOURCE, interface
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    InterfaceChanged,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.observers.log import LoggingObserver
from twisted_ovsdb.observers.snapshotlog import FAILED_NAMES, SNAPSHOT_LINES

MANY = SNAPSHOT_LINES + 1
SYNCHRONIZED = "synchronized: 0 bridge, 0 vm, 0 tunnel, 0 patch"


def rows(count: int, **columns: Any) -> list[OvsInterface]:
    """
    So many interfaces.
    """
    return [interface(uuid=f"u{n}", name=f"tap{n}", **columns) for n in range(count)]


def online(interfaces: Iterable[OvsInterface], cause: Cause, source: str = SOURCE) -> list[Event]:
    """
    They come online.
    """
    return [InterfaceOnline(row, cause, source) for row in interfaces]


def synchronized(cause: Cause = Cause.INITIAL, source: str = SOURCE) -> Event:
    """
    The end of a snapshot.
    """
    return Synchronized(cause, (), source)


class SnapshotTests(SynchronousTestCase):
    """
    Tests for L{Snapshot}.
    """

    def logged(self, *events: Event, **options: bool) -> list[str]:
        """
        The lines for these events.
        """
        observer = LoggingObserver(**options)
        with capturedLogs() as logs:
            for event in events:
                observer.eventReceived(event)
        self.assertEqual(observer._snapshots, {})
        self.levels = [log["log_level"] for log in logs]
        return [formatEvent(log) for log in logs]

    def test_few(self) -> None:
        """
        A small snapshot has a line for each interface, before that of its end.
        """
        few = rows(SNAPSHOT_LINES, ofport=1)
        lines = self.logged(*online(few, Cause.INITIAL), synchronized())
        self.assertEqual(len(lines), SNAPSHOT_LINES + 1)
        self.assertEqual(lines[0], "vm tap0 online: ofport 1 [initial]")
        self.assertEqual(lines[-1], f"{SYNCHRONIZED} [initial]")

    def test_many(self) -> None:
        """
        A larger one has one line.
        """
        lines = self.logged(*online(rows(MANY), Cause.INITIAL), synchronized())
        self.assertEqual(lines, [f"{SYNCHRONIZED} [initial]; not listed: {MANY} online"])
        self.assertEqual(self.levels, [LogLevel.info])

    def test_all(self) -> None:
        """
        C{logAll} has a line for each, at once.
        """
        told = online(rows(MANY), Cause.INITIAL)
        self.assertEqual(len(self.logged(*told, logAll=True)), MANY)

    def test_failed(self) -> None:
        """
        Those that failed are named, and then the line is a warning; but no more of
        them than a line can have.
        """
        broken = rows(2, error="no device")
        told = online([*rows(MANY), *broken], Cause.INITIAL)
        self.assertEqual(
            self.logged(*told, synchronized()),
            [
                f"{SYNCHRONIZED} [initial]; not listed: {MANY + 2} online; failed: tap0, tap1",
            ],
        )
        self.assertEqual(self.levels, [LogLevel.warn])
        [line] = self.logged(
            *online(rows(FAILED_NAMES + 3, ofport=-1), Cause.INITIAL), synchronized()
        )
        self.assertTrue(line.endswith(f", tap{FAILED_NAMES - 1} and 3 more"), line)

    def test_resync(self) -> None:
        """
        After an outage, a few differences have a line each, although many
        interfaces are as they were.
        """
        [gone, before] = rows(2)
        now = interface(uuid=before.uuid, name=before.name, ofport=3)
        lines = self.logged(
            InterfaceOffline(gone, Cause.RESYNC, SOURCE),
            InterfaceChanged(now, Cause.RESYNC, SOURCE, previous=before),
            *online(rows(1), Cause.RESYNC),
            *online(rows(MANY), Cause.REPLAY),
            synchronized(Cause.RESYNC),
        )
        self.assertEqual(
            lines,
            [
                "vm tap0 offline: ofport none yet [resync]",
                "vm tap1 changed: ofport none -> 3 [resync]",
                "vm tap0 online: ofport none yet [resync]",
                f"{SYNCHRONIZED} [resync]; not listed: {MANY} unchanged",
            ],
        )

    def test_manyGone(self) -> None:
        """
        Of many that are gone, the first ones have a line at once, because what comes
        next may come much later. One that failed and is gone is no warning.
        """
        gone = [InterfaceOffline(row, Cause.RESYNC, SOURCE) for row in rows(MANY + 1, ofport=-1)]
        lines = self.logged(*gone, synchronized(Cause.RESYNC))
        self.assertEqual(len(lines), SNAPSHOT_LINES + 1)
        self.assertEqual(lines[-1], f"{SYNCHRONIZED} [resync]; not listed: 2 offline")
        self.assertEqual(self.levels[-1], LogLevel.info)

    def test_lost(self) -> None:
        """
        What was not listed is said with the next line, also if the snapshot has no
        end.
        """
        gone = [InterfaceOffline(row, Cause.RESYNC, SOURCE) for row in rows(MANY)]
        lines = self.logged(*gone, Disconnected(ConnectionLost("gone"), SOURCE))
        self.assertIn("disconnected: ", lines[-1])
        self.assertTrue(lines[-1].endswith("; not listed: 1 offline"), lines[-1])

    def test_updates(self) -> None:
        """
        Each update has a line, however many there are.
        """
        self.assertEqual(len(self.logged(*online(rows(MANY), Cause.UPDATE))), MANY)

    def test_switches(self) -> None:
        """
        The snapshots of several switches are told in turns, and counted apart.
        """
        many, few = online(rows(MANY), Cause.INITIAL, "a"), online(rows(1), Cause.INITIAL, "b")
        told = [*many[:9], *few, *many[9:], synchronized(source="b"), synchronized(source="a")]
        self.assertEqual(
            self.logged(*told, nameSource=True),
            [
                "vm tap0 online: ofport none yet [initial] from b",
                f"{SYNCHRONIZED} [initial] from b",
                f"{SYNCHRONIZED} [initial]; not listed: {MANY} online from a",
            ],
        )
