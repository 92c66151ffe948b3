# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The store: what each observer was told, by its name. It waits for the disk, so that
only the thread of L{twisted_ovsdb.state.thread} uses it while the reactor runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from twisted_ovsdb.events import OvsInterface
from twisted_ovsdb.state.batch import Batch, Rows, SwitchChanges
from twisted_ovsdb.state.database import FILE, Damaged, isDamage, lock, moveAside, openDatabase
from twisted_ovsdb.state.position import Position
from twisted_ovsdb.state.storedrow import checksum, rowOf, textOf


@attrs.define
class StoredSwitch:
    """
    What is stored of a switch beside its interfaces.

    @ivar source: its endpoint, as it was written; None if it connects to us.
    @ivar absent: seconds that it has been away while it was awaited.
    @ivar rows: how many interfaces of it were told.
    @ivar total: the sum of their checksums.
    """

    number: int
    sink: int
    key: str
    source: str | None
    absent: float = attrs.field(converter=float)
    rows: int = 0
    total: int = 0

    @property
    def checksum(self) -> int:
        """Of all values."""
        return checksum(*attrs.astuple(self))


@attrs.define
class StoredSink:
    """
    What is stored of an observer.

    @ivar position: how far its file has come; None if it writes none.
    @ivar switches: by their keys.
    """

    number: int
    name: str
    position: Position | None = None
    switches: dict[str, StoredSwitch] = attrs.Factory(dict)


class Store:
    """One folder with its lock and its database, from open to close."""

    def __init__(self, folder: Path, time: str) -> None:
        """
        Open the store.

        @param time: names a damaged database, which is moved aside.
        @raise StateRefused: if it cannot be used.
        """
        self._path = folder / FILE
        self._lock = lock(folder)
        self._behind: set[str] = set()  # the names whose last commit has failed
        try:
            self._connection, self.movedAside = openDatabase(folder, time)
            self._sinks = self._readSinks()
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Close the database, then let others have the folder."""
        try:
            self._connection.close()
        finally:
            os.close(self._lock)

    def abandon(self, time: str) -> None:
        """Move the database aside: it turned out to be damaged. Then only L{close} it."""
        self._connection.close()
        with contextlib.suppress(OSError):  # the next process finds the damage again
            moveAside(self._path, time)

    def sink(self, name: str) -> StoredSink | None:
        """What is stored of an observer; None if nothing was committed for it."""
        return self._sinks.get(name)

    def told(self, name: str, switch: str) -> list[OvsInterface] | None:
        """
        What an observer was told of a switch; None if it was told nothing of it.

        @raise Damaged: if that is not as it was written.
        @raise sqlite3.Error: if it cannot be read.
        """
        sink = self._sinks.get(name)
        found = None if sink is None else sink.switches.get(switch)
        if found is None:
            return None
        query = "SELECT uuid, row FROM told WHERE switch = ?"
        try:
            return [rowOf(*row) for row in self._connection.execute(query, (found.number,))]
        except ValueError as e:
            raise Damaged(str(e)) from e
        except sqlite3.Error as e:
            if isDamage(e):
                raise Damaged(str(e)) from e
            raise

    def commit(
        self,
        name: str,
        batch: Batch,
        settle: Callable[[], Position | None] = lambda: None,
    ) -> None:
        """
        Commit what an observer was told, and how far its file has come, in one
        transaction. If this fails, nothing is stored, and it may be tried again.

        @param settle: makes the file durable, and tells how far it has come. It is
            called first.
        @raise sqlite3.Error: if the disk is full, for example.
        @raise OSError: if the file could not be made durable.
        @raise Damaged: if the database turns out to be damaged.
        """
        self._behind.add(name)
        position = settle()
        before = self._sinks.get(name)
        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            try:
                sink = self._written(before, name, batch, position)
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        except sqlite3.Error as e:
            if isDamage(e):
                raise Damaged(str(e)) from e
            raise
        self._sinks[name] = sink
        self._behind.remove(name)

    def commitLast(self, name: str, batch: Batch) -> None:
        """
        As L{commit}, without another try: nothing is committed if the commit before
        this one has failed, because the state is that before both then.
        """
        if batch and name not in self._behind:
            self.commit(name, batch)

    def _written(
        self, before: StoredSink | None, name: str, batch: Batch, position: Position | None
    ) -> StoredSink:
        execute = self._connection.execute
        if before is None:
            number = execute("INSERT INTO sink VALUES (NULL, ?, 0, 0, 0, 0, 0, 0, 0)", (name,))
            before = StoredSink(_rowid(number), name)
        # Changed only when it is committed.
        sink = attrs.evolve(
            before,
            position=before.position if position is None else position,
            switches={} if batch.emptied else dict(before.switches),
        )
        if batch.emptied:
            for old in before.switches.values():
                self._remove(old)
        for key, changes in batch.switches.items():
            self._writeSwitch(sink, key, changes)
        values = _valuesOf(sink)
        execute(
            "REPLACE INTO sink VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*values, checksum(*values))
        )
        return sink

    def _writeSwitch(self, sink: StoredSink, key: str, changes: SwitchChanges) -> None:
        execute = self._connection.execute
        old = sink.switches.pop(key, None)
        if old is not None and changes.forgotten:
            self._remove(old)
        if changes.forgotten:
            return
        if old is None:
            number = execute(
                "INSERT INTO switch VALUES (NULL, ?, ?, NULL, 0, 0, 0, 0)", (sink.number, key)
            )
            switch = StoredSwitch(_rowid(number), sink.number, key, None, 0)
        else:
            switch = attrs.evolve(old)
        if changes.emptied:
            execute("DELETE FROM told WHERE switch = ?", (switch.number,))
            switch.rows = switch.total = 0
        if changes.known:
            switch.source = changes.source
        if changes.absent is not None:
            switch.absent = float(changes.absent)
        self._writeRows(switch, changes.rows)
        values = attrs.astuple(switch)
        execute("REPLACE INTO switch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, switch.checksum))
        sink.switches[key] = switch

    def _writeRows(self, switch: StoredSwitch, rows: Rows) -> None:
        execute, number = self._connection.execute, switch.number
        count, total = switch.rows, switch.total
        # In the order of the table, which writes fewer pages.
        for uuid in sorted(rows):
            row = rows[uuid]
            key = (number, uuid)
            query = "SELECT checksum FROM told WHERE switch = ? AND uuid = ?"
            for (found,) in execute(query, key):
                count -= 1
                total -= found
            if row is None:
                execute("DELETE FROM told WHERE switch = ? AND uuid = ?", key)
            else:
                text = textOf(row)
                found = checksum(number, uuid, text)
                execute("REPLACE INTO told VALUES (?, ?, ?, ?)", (number, uuid, text, found))
                count += 1
                total += found
        switch.rows, switch.total = count, total

    def _remove(self, switch: StoredSwitch) -> None:
        for query in (
            "DELETE FROM told WHERE switch = ?",
            "DELETE FROM switch WHERE id = ?",
        ):
            self._connection.execute(query, (switch.number,))

    def _readSinks(self) -> dict[str, StoredSink]:
        sinks: dict[int, StoredSink] = {}
        for number, name, device, inode, *rest in self._read("sink"):
            position = Position(device, inode, *rest[:2]) if inode else None
            sinks[number] = StoredSink(number, name, position)
        for *values, _ in self._read("switch"):
            switch = StoredSwitch(*values)
            sinks[switch.sink].switches[switch.key] = switch
        return {sink.name: sink for sink in sinks.values()}

    def _read(self, table: str) -> Iterable[tuple[Any, ...]]:
        return self._connection.execute(f"SELECT * FROM {table}")


def _valuesOf(sink: StoredSink) -> tuple[object, ...]:
    position = sink.position or Position(0, 0, 0)
    sums = [switch.checksum for switch in sink.switches.values()]
    return (sink.number, sink.name, *attrs.astuple(position), len(sums), sum(sums))


def _rowid(cursor: sqlite3.Cursor) -> int:
    number = cursor.lastrowid
    assert number is not None
    return number
