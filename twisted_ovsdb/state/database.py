# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The file of the store: how it is locked, opened and checked, and what happens if it
is damaged or was written by another version.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from twisted_ovsdb.errors import OvsdbError, escaped
from twisted_ovsdb.state.storedrow import checksum

FILE: Final = "state.db"

LOCK: Final = "state.lock"

APPLICATION: Final = 0x6F767364
"""Of the database (PRAGMA application_id): C{ovsd}."""

VERSION: Final = 1
"""Of the tables (PRAGMA user_version)."""

MODE: Final = 0o640
"""Of new files: they are for their owner and group only, because options may be secrets."""

SCHEMA: Final = """
CREATE TABLE sink (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    device INTEGER, inode INTEGER, offset INTEGER, mark INTEGER,
    switches INTEGER NOT NULL, total INTEGER NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE switch (
    id INTEGER PRIMARY KEY, sink INTEGER NOT NULL, key TEXT NOT NULL,
    source TEXT, absent REAL NOT NULL,
    rows INTEGER NOT NULL, total INTEGER NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (sink, key)
);
CREATE TABLE told (
    switch INTEGER NOT NULL, uuid TEXT NOT NULL, row TEXT NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (switch, uuid)
) WITHOUT ROWID;
"""
"""
A sink is an observer that remembers. Each row has a checksum of its values; a switch
has how many rows it has and the sum of their checksums, and a sink the same of its
switches: so nothing can be lost or changed unnoticed.
"""

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    # Each commit is on the disk when it returns.
    "PRAGMA synchronous = FULL",
    # The log is cut to this after a large commit.
    "PRAGMA journal_size_limit = 4194304",
)


_DAMAGE: Final = (
    "no such",
    "malformed",
    "unsupported file format",
    "Could not decode to UTF-8",
)
"""How errors of SQLite begin that show damage, although they are OperationalErrors."""


class StateRefused(OvsdbError):
    """The store cannot be used. The text is one line that says why."""


class Damaged(Exception):
    """The database is not as it was written."""


def moment() -> str:
    """The time, as it is part of the name of a file."""
    return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")


def explain(error: Exception) -> str:
    """Why an operation on the disk failed, in a few words."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return escaped(" ".join(text.split()))


def isDamage(error: sqlite3.Error) -> bool:
    """
    Whether SQLite says that the database is not as it was written. Anything else,
    such as a full disk, may pass.
    """
    # SQLITE_CORRUPT and SQLITE_NOTADB are no OperationalError; a table that is
    # missing, or cannot be read, is one. Python 3.10 does not tell the code.
    text = str(error)
    if text.startswith(_DAMAGE):
        return True
    return not isinstance(error, sqlite3.OperationalError)


def lock(folder: Path) -> int:
    """
    Make the folder, and lock it. The lock ends with the process, however it ends.

    @return: the descriptor that holds the lock.
    @raise StateRefused: if another process has it, or the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o750, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    except OSError as e:
        raise StateRefused(f"cannot be used: {explain(e)}") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(descriptor)
        if isinstance(e, BlockingIOError):
            raise StateRefused("another process uses it") from e
        raise StateRefused(f"cannot be locked: {explain(e)}") from e
    return descriptor


def openDatabase(folder: Path, time: str) -> tuple[sqlite3.Connection, str | None]:
    """
    Open the database of a locked folder, and make it if there is none. One that is
    damaged is moved aside.

    @param time: names the database that is moved aside.
    @return: the connection, and the path of what was moved aside.
    @raise StateRefused: if it was written by a newer version, or cannot be opened.
    """
    path = folder / FILE
    try:
        try:
            return _open(path), None
        # Names that are no UTF-8 cannot even be told.
        except (Damaged, UnicodeDecodeError):
            aside = moveAside(path, time)
            return _open(path), aside
        except sqlite3.Error as e:
            if not isDamage(e):
                raise
            aside = moveAside(path, time)
            return _open(path), aside
    except (OSError, sqlite3.Error) as e:
        raise StateRefused(f"cannot be used: {explain(e)}") from e


def moveAside(path: Path, time: str) -> str:
    """Rename a database and its log. It is never removed: somebody may want to look at it."""
    aside = f"{path}.corrupt-{time}"
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(f"{path}{suffix}"):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
    # It is opened in one thread and used in another one, but never in two at once.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    application, version = (_one(connection, f"PRAGMA {p}") for p in _IDS)
    if not _one(connection, "SELECT count(*) FROM sqlite_master"):
        connection.execute(_PRAGMAS[0])
        # One transaction: a process that is killed here leaves an empty file.
        connection.executescript(
            f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION};"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )
    elif application != APPLICATION:
        raise Damaged(f"the application is {application}")
    elif version > VERSION:
        raise StateRefused(
            f"{FILE} was written by a newer version (its format is {version}, this version"
            f" reads {VERSION})"
        )
    elif version < VERSION:
        raise Damaged(f"the version is {version}")
    for pragma in _PRAGMAS:
        connection.execute(pragma)
    tables = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    if sorted(sql for (sql,) in tables) != _TABLES:
        raise Damaged("the tables are others")
    check(connection)


_TABLES: Final = sorted(sql.strip() for sql in SCHEMA.split(";") if sql.strip())
"""The statements of the schema, as the database keeps them."""


_IDS: Final = ("application_id", "user_version")


def _one(connection: sqlite3.Connection, query: str) -> int:
    (value,) = connection.execute(query).fetchone()
    if not isinstance(value, int):
        raise Damaged(f"{query}: {value!r:.100}")
    return value


def check(connection: sqlite3.Connection) -> None:
    """
    Read everything, and compare it with the checksums.

    @raise Damaged: if something is not as it was written.
    @raise sqlite3.Error: if it cannot be read.
    """
    (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise Damaged(f"{answer!r:.100}")
    rows: Counter[int] = Counter()
    totals: Counter[int] = Counter()
    for switch, uuid, row, found in connection.execute("SELECT * FROM told"):
        if found != checksum(switch, uuid, row):
            raise Damaged(f"told: {uuid!r:.100}")
        rows[switch] += 1
        totals[switch] += found
    switches: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    for number, sink, *values, found in connection.execute("SELECT * FROM switch"):
        counted = [rows.pop(number, 0), totals.pop(number, 0)]
        if found != checksum(number, sink, *values) or values[-2:] != counted:
            raise Damaged(f"switch: {values[0]!r:.100}")
        switches[sink] += 1
        sums[sink] += found
    for number, *values, found in connection.execute("SELECT * FROM sink"):
        counted = [switches.pop(number, 0), sums.pop(number, 0)]
        if found != checksum(number, *values) or values[-2:] != counted:
            raise Damaged(f"sink: {values[0]!r:.100}")
    if rows or switches:
        raise Damaged("rows of nothing")
