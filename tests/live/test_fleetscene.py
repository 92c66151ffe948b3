# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for C{make fleet}: real switches, a real broker, real monitors, a real reader.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.live.support import requireOpenVSwitch
from tests.live.test_broker import requireBroker
from tests.test_examples import Program


def environments(text: str) -> list[str]:
    """The commands whose environment has a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if text.encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text("utf-8").replace("\0", " "))
    return found


class SceneTests(TestCase):
    """
    The scene.
    """

    timeout = 60

    def setUp(self) -> None:
        self.scratch = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def scene(self, **environment: str) -> Program:
        """Start the scene."""
        command = (sys.executable, "-m", "tools.fleet", "--kill-every", "2")
        program = Program(*command, TMPDIR=self.scratch, **environment)
        # Killed, it would leave all that it has started.
        self.addCleanup(lambda: ensureDeferred(program.end("TERM")))
        return program

    async def test_scene(self) -> None:
        """
        The reader sees ports of both switches, and, after a kill of the monitor that
        speaks, that the other speaks, and a new port. Ctrl-C leaves nothing.
        """
        requireOpenVSwitch(self)
        requireBroker(self)
        scene = self.scene()
        await scene.line("the reader saw: no monitor has published here yet: waiting")
        await scene.line("the reader saw: switch 1: tap-vm1 came online")
        await scene.line("the reader saw: switch 2: tap-vm2 came online")
        killed = (await scene.line("kill -9 of monitor ")).partition(" monitor ")[2][0]
        other = {"a": "b", "b": "a"}[killed]
        told = await scene.line(f"monitor {other} speaks now, ")
        self.assertIn(" s after the kill", told)
        await scene.line(f"monitor {killed} is started again")
        added = (await scene.line(" is added")).partition("switch ")[2].split()
        await scene.line(f"the reader saw: switch {added[0]} {added[2]} came online")
        self.assertGreater(len(environments(self.scratch)), 7)
        ended = ensureDeferred(scene.end("INT"))
        await scene.line("the end was asked for")
        summary = await scene.line(" of these changes, 0 of them twice")
        self.assertIn(" kills; ports were added or removed ", summary)
        self.assertEqual(await ended, 0)
        self.assertEqual(os.listdir(self.scratch), [])
        self.assertEqual(await deferToThread(environments, self.scratch), [])

    async def test_missing(self) -> None:
        """
        What is missing and cannot be installed is one line, and the status is 1.
        """
        empty = Path(self.scratch, "empty")
        empty.mkdir()
        scene = self.scene(PATH=str(empty))
        await scene.line("missing: nats-server; tools/install-broker says: ")
        self.assertEqual(await scene.end(), 1)
