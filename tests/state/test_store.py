# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.state.store} and L{twisted_ovsdb.state.database}.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid, vm
from twisted_ovsdb.events import Cause, InterfaceOffline, InterfaceOnline, OvsInterface
from twisted_ovsdb.state.batch import Batch
from twisted_ovsdb.state.database import (
    FILE,
    LOCK,
    VERSION,
    Damaged,
    StateRefused,
    isDamage,
)
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.store import Store


def online(*interfaces: OvsInterface, source: str = "tcp:a") -> Batch:
    """
    A batch in which these interfaces come online.
    """
    batch = Batch()
    for each in interfaces:
        batch.note(InterfaceOnline(each, Cause.INITIAL, source))
    return batch


class StoreTestCase(SynchronousTestCase):
    """
    A store in a folder of its own.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.store = self.open()

    def open(self) -> Store:
        """
        Open the store. It is closed at the end of the test.
        """
        self.store = Store(self.folder, "now")
        self.addCleanup(self.close, self.store)
        return self.store

    def close(self, store: Store | None = None) -> None:
        """
        Close a store that may be closed already.
        """
        if store is None or store is self.store:
            with contextlib.suppress(OSError):
                self.store.close()

    def again(self) -> Store:
        """
        Close the store and open it again.
        """
        self.store.close()
        self.store = Store(self.folder, "now")
        return self.store

    def told(self, switch: str = "tcp:a", name: str = "x") -> list[OvsInterface] | None:
        """
        What is stored.
        """
        return self.store.told(name, switch)


class CommitTests(StoreTestCase):
    """
    Tests for L{Store.commit}.
    """

    def test_rows(self) -> None:
        """
        What was committed is there after the store was opened again, by observer
        and switch.
        """
        self.store.commit("x", online(vm(1), vm(2)))
        self.store.commit("x", online(vm(1), source="tcp:b"))
        self.store.commit("y", online(vm(3)))
        for _ in range(2):
            self.assertEqual(self.told(), [vm(1), vm(2)])
            self.assertEqual(self.told("tcp:b"), [vm(1)])
            self.assertEqual(self.told(name="y"), [vm(3)])
            self.assertIsNone(self.told("tcp:c"))
            self.assertIsNone(self.told(name="z"))
            self.again()
            self.assertIsNone(self.store.movedAside)

    def test_changes(self) -> None:
        """
        Later commits change, add and remove rows. A switch of which nothing is
        online is known all the same.
        """
        self.store.commit("x", online(vm(1), vm(2)))
        batch = online(vm(1, ofport=1), vm(3))
        for number in (2, 4):
            batch.note(InterfaceOffline(vm(number), Cause.UPDATE, "tcp:a"))
        self.store.commit("x", batch)
        self.again()
        self.assertEqual(self.told(), [vm(1, ofport=1), vm(3)])
        batch = Batch()
        for number in (1, 3):
            batch.note(InterfaceOffline(vm(number), Cause.UPDATE, "tcp:a"))
        self.store.commit("x", batch)
        self.again()
        self.assertEqual(self.told(), [])

    def test_void(self) -> None:
        """
        A switch that is forgotten is gone, and so is everything after a run that
        did not go on from it.
        """
        self.store.commit("x", online(vm(1)))
        self.store.commit("x", online(vm(2), source="tcp:b"))
        batch = Batch()
        batch.forget("tcp:a")
        batch.forget("unknown")
        self.store.commit("x", batch)
        self.again()
        self.assertEqual((self.told(), self.told("tcp:b")), (None, [vm(2)]))
        batch = Batch()
        batch.clear()
        batch.note(InterfaceOnline(vm(3), Cause.INITIAL, "tcp:c"))
        self.store.commit("x", batch)
        self.again()
        self.assertEqual((self.told("tcp:b"), self.told("tcp:c")), (None, [vm(3)]))
        batch = Batch()
        batch.forget("tcp:c")
        batch.note(InterfaceOnline(vm(4), Cause.INITIAL, "tcp:c"))
        self.store.commit("x", batch)
        self.again()
        self.assertEqual(self.told("tcp:c"), [vm(4)])

    def test_position(self) -> None:
        """
        Rows and position are of one transaction. A commit without a position keeps
        the last one.
        """
        place = Position(1, 2, 3, 4)
        self.store.commit("x", online(vm(1)), lambda: place)
        self.store.commit("x", online(vm(2)))
        self.again()
        sink = self.store.sink("x")
        assert sink is not None
        self.assertEqual(sink.position, place)
        self.assertIsNone(self.store.sink("y"))

    def test_fails(self) -> None:
        """
        If a commit fails, nothing of it is stored, and it may be tried again.
        """
        self.store.commit("x", online(vm(1)))

        def fail() -> None:
            raise OSError(28, "No space left on device")

        self.assertRaises(OSError, self.store.commit, "x", online(vm(2)), fail)
        # A row that cannot be written: the second one of the batch.
        broken = online(vm(2), vm(3))
        broken.switches["tcp:a"].rows[uuid(3)] = OvsInterface("u", object())  # type: ignore
        self.assertRaises(TypeError, self.store.commit, "x", broken)
        self.assertEqual(self.told(), [vm(1)])
        self.store.commit("x", online(vm(2)))
        self.again()
        self.assertEqual(self.told(), [vm(1), vm(2)])

    def test_full(self) -> None:
        """
        A full disk is an error that may pass.
        """
        connection = self.store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        batch = online(*(vm(n) for n in range(1000)))
        fault = self.assertRaises(sqlite3.Error, self.store.commit, "x", batch)
        self.assertFalse(isDamage(fault))
        self.assertEqual(str(fault), "database or disk is full")
        connection.execute("PRAGMA max_page_count = 100000")
        self.store.commit("x", batch)
        self.assertEqual(len(self.told() or ()), 1000)

    def test_switches(self) -> None:
        """
        Of each switch it is stored where it is, and how long it has been away.
        """
        batch = online(vm(1))
        batch.switches["tcp:a"].absent = 5
        self.store.commit("x", batch)
        sink = self.again().sink("x")
        assert sink is not None
        found = sink.switches["tcp:a"]
        self.assertEqual((found.source, found.absent, found.rows), ("tcp:a", 5, 1))


class OpenTests(StoreTestCase):
    """
    Tests for how the store is opened.
    """

    def damaged(self) -> None:
        """
        The database is moved aside, and a new one is empty.
        """
        self.store = Store(self.folder, "now")
        self.assertEqual(self.store.movedAside, str(self.folder / f"{FILE}.corrupt-now"))
        self.assertTrue(os.path.exists(str(self.store.movedAside)))
        self.assertIsNone(self.told())

    def test_F92_twice(self) -> None:
        """
        A folder has one user. When that has ended, another one may come.
        """
        with self.assertRaisesRegex(StateRefused, "^another process uses it$"):
            Store(self.folder, "now")
        self.again()

    def test_F91_newer(self) -> None:
        """
        A database that a newer version has written is left as it is.
        """
        self.store._connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        self.store.close()
        for _ in range(2):
            with self.assertRaisesRegex(StateRefused, "was written by a newer version"):
                Store(self.folder, "now")
        self.assertEqual(sorted(os.listdir(self.folder)), [FILE, LOCK])

    def test_F94_cannotOpen(self) -> None:
        """
        What cannot be used is refused with the reason.
        """
        self.store.close()
        for folder, reason in (
            (self.folder / "missing" / "deeper", "No such file or directory"),
            (self.folder / FILE, "Not a directory|File exists"),
        ):
            with self.assertRaisesRegex(StateRefused, f"^cannot be used: ({reason})"):
                Store(folder, "now")

    def test_mode(self) -> None:
        """
        What is stored is for its owner and group only.
        """
        self.store.commit("x", online(vm(1)))
        for name in os.listdir(self.folder):
            self.assertEqual((self.folder / name).stat().st_mode & 0o137, 0, name)

    def test_F90_noDatabase(self) -> None:
        """
        Something else in its place is moved aside: text, the database of another
        program, half a file.
        """
        self.store.commit("x", online(*(vm(n) for n in range(100))))
        self.store.close()
        path = self.folder / FILE
        whole = path.read_bytes()
        other = self.folder / "other"
        with sqlite3.connect(other) as connection:
            connection.execute("CREATE TABLE t (x)")
        connection.close()
        for content in (b"x" * 5000, other.read_bytes(), whole[: len(whole) // 2]):
            path.write_bytes(content)
            self.damaged()
            self.store.close()

    def test_emptyFile(self) -> None:
        """
        An empty file, as of a process that was killed at its first start, is not
        damaged.
        """
        self.store.close()
        (self.folder / FILE).write_bytes(b"")
        self.assertIsNone(self.open().movedAside)

    def test_F90_tables(self) -> None:
        """
        Rows that are missing, changed or too many are noticed, and so is a value of
        another type.
        """
        for statement in (
            f"DELETE FROM told WHERE uuid = '{uuid(1)}'",
            "UPDATE told SET row = CAST(x'ff' AS TEXT)",
            "ALTER TABLE told ADD COLUMN more",
            "CREATE TABLE more (x)",
            f"UPDATE told SET row = replace(row, 'tap1', 'tap9') WHERE uuid = '{uuid(1)}'",
            f"UPDATE told SET uuid = '{uuid(9)}' WHERE uuid = '{uuid(1)}'",
            "UPDATE told SET switch = 77",
            "DELETE FROM switch",
            "UPDATE switch SET key = 'tcp:b'",
            "UPDATE switch SET source = x'00'",
            "UPDATE sink SET offset = offset + 1",
            "UPDATE sink SET name = 'y'",
            "DELETE FROM sink",
            "DROP TABLE told",
            "ALTER TABLE told RENAME TO untold",
            "PRAGMA application_id = 5",
            f"PRAGMA user_version = {VERSION - 1}",
        ):
            self.store.commit("x", online(vm(1), vm(2)), lambda: Position(1, 2, 3, 4))
            self.store._connection.execute(statement)
            self.store.close()
            self.damaged()

    def test_F90_notUTF8(self) -> None:
        """
        A flipped bit that makes a text or a name no UTF-8 any more is damage as any
        other: in an interface, a UUID, a key, a table, a column.
        """
        self.store.commit("x", online(vm(1), vm(2)))
        self.store.close()
        path = self.folder / FILE
        content = path.read_bytes()
        texts = (b'"name"', uuid(2), b"tcp:a", b"CREATE TABLE told", b"told (", b"row TEXT")
        for text in texts:
            changed = bytearray(content)
            changed[content.index(text if isinstance(text, bytes) else text.encode())] ^= 0x80
            path.write_bytes(changed)
            self.damaged()
            self.store.close()

    def test_F90_flipped(self) -> None:
        """
        Bytes that are flipped anywhere in the database, or in its log, are noticed
        or do no harm: what is told is what was committed, last or before, or
        nothing.
        """
        states: list[list[OvsInterface] | None] = [None]
        for number in range(1, 300, 30):
            self.store.commit("x", online(*(vm(n) for n in range(number, number + 30))))
            states.append(self.told())
        saved = Path(self.mktemp())
        shutil.copytree(self.folder, saved)  # with its log, as after a kill
        self.store.close()
        rng = random.Random(5)
        outcomes = []
        for _ in range(60):
            folder = Path(self.mktemp())
            shutil.copytree(saved, folder)
            path = folder / rng.choice([FILE, f"{FILE}-wal"])
            content = bytearray(path.read_bytes())
            for _ in range(rng.choice((1, 1, 5))):
                content[rng.randrange(len(content))] ^= rng.randrange(1, 256)
            path.write_bytes(content)
            try:
                store = Store(folder, "now")
            except StateRefused:
                outcomes.append("refused")
                continue
            found = store.told("x", "tcp:a")
            outcomes.append("aside" if store.movedAside else "open")
            store.close()
            self.assertIn(found, states)
        self.assertIn("open", outcomes)

    def test_F90_flippedWhole(self) -> None:
        """
        The same for a database without a log.
        """
        self.store.commit("x", online(*(vm(n) for n in range(300))))
        whole = self.told()
        self.store.close()
        path = self.folder / FILE
        content = path.read_bytes()
        rng = random.Random(6)
        aside = 0
        for _ in range(60):
            changed = bytearray(content)
            changed[rng.randrange(len(changed))] ^= rng.randrange(1, 256)
            path.write_bytes(changed)
            try:
                store = Store(self.folder, "now")
            except StateRefused:
                continue
            found = store.told("x", "tcp:a")
            aside += store.movedAside is not None
            self.assertIn(found, (whole, None))
            store.close()
        self.assertGreater(aside, 10)

    def test_damagedLater(self) -> None:
        """
        Damage that shows while the store is used says so.
        """
        self.store._connection.execute("DROP TABLE told")
        self.assertRaises(Damaged, self.store.commit, "x", online(vm(1)))
