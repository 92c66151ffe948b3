# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.command.output}: where JSON Lines go.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.command.output import EventsService, openAppend
from twisted_ovsdb.errors import MonitorStopped
from twisted_ovsdb.events import Cause, Disconnected, Synchronized


class EventsServiceTests(SynchronousTestCase):
    """
    Tests for L{EventsService}.
    """

    def test_life(self) -> None:
        """
        The file is open from start to stop, and lines are appended to it. The
        service can be started again. Events while it is stopped are not
        written.
        """
        path = Path(self.mktemp())
        path.write_bytes(b"before\n")
        service = EventsService(str(path))
        descriptors = len(os.listdir("/proc/self/fd"))

        def tell(source: str) -> None:
            service.observer.eventReceived(Synchronized(Cause.INITIAL, (), source))

        tell("early")
        for source in ("first", "second"):
            service.startService()
            self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors + 1)
            tell(source)
            service.observer.eventReceived(Disconnected(MonitorStopped(), source))
            service.stopService()
            self.assertEqual(len(os.listdir("/proc/self/fd")), descriptors)
            tell("late")
        before, *lines = path.read_bytes().splitlines()
        self.assertEqual(before, b"before")
        self.assertEqual(
            [(json.loads(line)["event"], json.loads(line)["source"]) for line in lines],
            [(e, s) for s in ("first", "second") for e in ("synchronized", "disconnected")],
        )

    def test_mode(self) -> None:
        """
        A new file cannot be read by others: options of interfaces may be
        secrets. A file that is there keeps its mode.
        """
        path = self.mktemp()
        os.close(openAppend(path))
        self.assertEqual(os.stat(path).st_mode & 0o007, 0)
        os.chmod(path, 0o644)
        os.close(openAppend(path))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o644)

    def test_namedPipeWithoutReader(self) -> None:
        """
        A named pipe can be opened before its reader. The reader then gets the
        lines that were written before.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        writing = openAppend(pipe)
        self.addCleanup(os.close, writing)
        os.write(writing, b"line\n")
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reading)
        self.assertEqual(os.read(reading, 100), b"line\n")
