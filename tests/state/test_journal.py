# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.journal}.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import vm
from twisted_ovsdb import Cause, InterfaceOffline, OvsInterface, SwitchForgotten, SwitchIdentity
from twisted_ovsdb.events import Disconnected, ForgetReason, InterfaceOnline
from twisted_ovsdb.state.journal import NOWHERE, Journal
from twisted_ovsdb.state.position import Position


def online(interface: OvsInterface) -> InterfaceOnline:
    """
    An interface comes online.
    """
    return InterfaceOnline(interface, Cause.INITIAL, "s")


class JournalTests(SynchronousTestCase):
    """
    What the next process reads.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.journal = self.open(None)

    def open(self, last: Position | None, limit: int = 10**6) -> Journal:
        """
        A process begins.
        """
        journal = Journal(self.path, limit)
        self.batch = journal.open(last)
        self.addCleanup(journal.close)
        return journal

    def assertNext(self, last: Position | None, *rows: OvsInterface) -> Journal:
        """
        A process is killed, and the next one finds that these are online, behind a
        commit.
        """
        journal = self.open(last)
        found = [row for each in self.batch.switches.values() for row in each.rows.values()]
        self.assertEqual(found, list(rows))
        return journal

    def test_behindTheCommit(self) -> None:
        """
        What was noted after the cut of the last commit is found, once.
        """
        self.journal.note(online(vm(1)))
        position = self.journal.cut()()
        self.assertNext(position)
        self.journal.note(online(vm(2)))
        self.journal.note(InterfaceOffline(vm(2), Cause.UPDATE, "s"))
        self.journal.note(online(vm(3)))
        journal = self.open(position)
        (changes,) = self.batch.switches.values()
        self.assertEqual(changes.rows, {vm(2).uuid: None, vm(3).uuid: vm(3)})
        self.assertFalse(journal.isNew)

    def test_begun(self) -> None:
        """
        What was about to be told online when the process ended is found with all that
        is needed to tell it, until it was told or is gone.
        """
        identity = SwitchIdentity("sw", "host", "192.0.2.1")
        events = [InterfaceOnline(vm(n), Cause.UPDATE, "s", identity=identity) for n in (1, 2)]
        position = self.journal.cut()()
        for event in events:
            self.journal.begin(event)
        self.journal.begin(InterfaceOffline(vm(3), Cause.UPDATE, "s"))
        self.journal.note(events[1])
        self.open(position)
        changes = self.batch.switches["sw"]
        # A commit of what was told before.
        later = self.journal.cut()()
        self.assertGreater(later.offset, position.offset)
        self.open(later)
        self.assertEqual(self.batch.switches["sw"].begun, changes.begun)
        self.journal.cancel(events[0])
        self.open(self.journal.cut()())
        self.assertFalse(self.batch)
        expected = attrs.evolve(events[0], cause=Cause.RESYNC)
        self.assertEqual(
            (changes.begun, changes.rows), ({vm(1).uuid: expected}, {vm(2).uuid: vm(2)})
        )

    def test_nothingCommitted(self) -> None:
        """
        Without a commit it is not known what the lines are: they do not count, and
        the next ones count from the next commit on.
        """
        self.journal.note(online(vm(1)))
        journal = self.assertNext(None)
        self.assertTrue(journal.isNew)
        position = journal.cut()()
        journal.note(online(vm(2)))
        self.assertNext(position, vm(2))

    def test_whatIsWritten(self) -> None:
        """
        A replay and what is no news of interfaces are not written; a switch that is
        forgotten is.
        """
        self.journal.note(InterfaceOnline(vm(1), Cause.REPLAY, "s"))
        self.journal.note(Disconnected(ConnectionError(), "s"))
        self.assertEqual(self.path.read_bytes(), b"")
        position = self.journal.cut()()
        self.journal.note(SwitchForgotten(ForgetReason.AGE, "s"))
        self.open(position)
        self.assertTrue(self.batch.switches["s"].forgotten)

    def test_newFile(self) -> None:
        """
        A file that is long enough is replaced at a commit. Whether the process is
        killed before or after this commit, or in the next file, nothing is lost.
        """
        journal = self.open(None, limit=300)
        before = journal.cut()()
        journal.note(online(vm(1)))
        after = journal.cut()()
        self.assertEqual(after.offset, 0)
        journal.note(online(vm(2)))
        self.assertNext(before, vm(1), vm(2))
        self.assertNext(after, vm(2))
        last = journal.cut()()
        journal.note(online(vm(3)))
        self.assertNext(last, vm(3))
        self.assertEqual(len(list(self.path.parent.glob(f"{self.path.name}*"))), 2)

    def test_lostLines(self) -> None:
        """
        A file that has lost lines that were committed, as after a loss of power, does
        not count: what it has is older than what is stored.
        """
        self.journal.note(online(vm(1)))
        length = self.path.stat().st_size
        self.journal.note(online(vm(2)))
        position = self.journal.cut()()
        os.truncate(self.path, length)
        self.assertTrue(self.assertNext(position).isNew)

    def test_torn(self) -> None:
        """
        A line that was not written to its end does not spoil the next one.
        """
        position = self.journal.cut()()
        self.path.write_bytes(b'{"event":"onl')
        journal = self.open(position)
        journal.note(online(vm(1)))
        self.assertNext(position, vm(1))

    def test_fullDisk(self) -> None:
        """
        On a full disk lines are lost, also a part of one, and nothing else.
        """
        position = self.journal.cut()()
        write = os.write

        def full(descriptor: int, data: bytes) -> int:
            if len(data) > 10:
                return write(descriptor, data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        patch = self.patch(os, "write", full)
        self.journal.note(online(vm(1)))
        patch.restore()
        self.journal.note(online(vm(2)))
        self.assertNext(position, vm(2))

    def test_closed(self) -> None:
        """
        Where there is no file, nothing is written, and nothing is stored of it.
        """
        self.journal.close()
        self.journal.note(online(vm(1)))
        self.assertEqual(self.journal.cut()(), NOWHERE)
        self.assertEqual(self.path.read_bytes(), b"")
