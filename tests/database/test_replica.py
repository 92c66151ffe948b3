# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.database.tableset}, in the dialect C{monitor}.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.database.monitor import MONITOR
from twisted_ovsdb.database.tableset import MonitoredTable, Replica, TableSet
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.notation import JSONRow, optionalInteger, string
from twisted_ovsdb.wire.rowreader import SLICE

PROPERTY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)

Row = tuple[str, int | None]
"""What these tests make of a row: its name and its ofport."""

Changes = list[tuple[str, Row | None, Row | None]]


def uuid(number: int) -> str:
    """
    A UUID for each number.
    """
    return f"{number:08x}-0000-4000-8000-000000000000"


KNOWN, OTHER, NEW = uuid(1), uuid(2), uuid(3)


def row(name: str, ofport: int | None = None) -> dict[str, Any]:
    """
    A row as JSON, with a column that nobody reads.
    """
    return {"name": name, "ofport": ["set", []] if ofport is None else ofport, "more": 1}


class Rows:
    """
    Reads such rows.
    """

    columns = ("name", "ofport")

    def whole(self, uuid: str, row: JSONRow) -> Row:
        """
        Read a row.
        """
        for column in self.columns:
            if column not in row:
                raise ProtocolViolation(f"column {column}: missing")
        return string("name", row["name"]), optionalInteger("ofport", row["ofport"])


class AsIs:
    """
    Takes rows as they are.
    """

    columns = ()

    def whole(self, uuid: str, row: JSONRow) -> JSONRow:
        """
        Take a row.
        """
        return row


class Table:
    """
    A set of one table.
    """

    def __init__(self, name: str = "Interface", rows: Any = Rows()) -> None:
        self.name = name
        self.replica: Replica[Any] = Replica()
        self.set = TableSet(MONITOR, {name: MonitoredTable(rows, self.replica)})

    @property
    def rows(self) -> Any:
        """The rows that are known."""
        return self.replica.rows

    def readAll(self, tables: Any) -> tuple[dict[str, Any], int]:
        """
        Read a snapshot to its end.

        @return: its rows, and how often the reader let others run.
        """
        reader = self.set.reader()
        pauses = sum(1 for _ in reader.readRest(tables))
        return reader.rows[self.name], pauses

    def readUpdate(self, tables: Any) -> dict[str, Any]:
        """
        Read an update.
        """
        return self.set.readUpdate(tables).get(self.name, {})

    def snapshot(self, tables: Any) -> Changes:
        """
        Read a snapshot and put it in place.
        """
        return list(self.replica.replace(self.readAll(tables)[0]))

    def update(self, tables: Any) -> Changes:
        """
        Read an update and apply it.
        """
        return list(self.replica.apply(self.readUpdate(tables)))


EMPTY_TABLES: list[Any] = [{}, {"Interface": {}}]

NO_OBJECTS: list[Any] = [None, [], [{}], "x", 1, False]

WRONG_TABLES: list[tuple[Any, str]] = [
    *[(tables, "table updates are no object: ") for tables in NO_OBJECTS],
    *[({"Bridge": updates}, "table 'Bridge' is not monitored") for updates in [{}, *NO_OBJECTS]],
    ({"interface": {}}, "table 'interface' is not monitored"),
    ({"": {}}, "table '' is not monitored"),
    *[({"Interface": updates}, "table Interface: no object: ") for updates in NO_OBJECTS],
    *[
        ({"Interface": {key: {"new": row("a")}}}, "table Interface: not a UUID: ")
        for key in ("", "tap1", NEW + "0", NEW.replace("-", ""))
    ],
]
"""Tables that are wrong in a snapshot and in an update, and what is said."""

WRONG_ROWS: list[tuple[Any, str]] = [
    *[(update, "the update is no object: ") for update in NO_OBJECTS],
    *[({"new": new}, "new is no object: ") for new in NO_OBJECTS],
    ({"new": {}}, "column name: missing"),
    ({"new": {"name": "a"}}, "column ofport: missing"),
    ({"new": {"name": 5, "ofport": 1}}, "column name: expected a string"),
    ({"new": {"name": "a", "ofport": "1"}}, "column ofport: expected an integer"),
]
"""Updates of the row NEW that are wrong in both, and what is said."""

WRONG_IN_SNAPSHOT: list[tuple[str, Any, str]] = [
    (NEW, {}, "an initial reply has only new rows"),
    (NEW, {"old": {}}, "an initial reply has only new rows"),
    (NEW, {"old": None}, "an initial reply has only new rows"),
    (NEW, {"new": row("a"), "old": {}}, "an initial reply has only new rows"),
    (NEW, {"new": row("a"), "old": None}, "an initial reply has only new rows"),
    (NEW, {"initial": {"name": "a"}}, "an initial reply has only new rows"),
    (NEW, {"insert": row("a")}, "an initial reply has only new rows"),
]
"""A row, its update, and what is said."""

WRONG_IN_UPDATE: list[tuple[str, Any, str]] = [
    (NEW, {}, "the update has neither old nor new"),
    (KNOWN, {}, "the update has neither old nor new"),
    (KNOWN, {"modify": {}}, "the update has neither old nor new"),
    (KNOWN, {"delete": None}, "the update has neither old nor new"),
    (NEW, {"insert": row("a")}, "the update has neither old nor new"),
    *[(KNOWN, {"old": old}, "old is no object: ") for old in NO_OBJECTS],
    *[(KNOWN, {"old": old, "new": row("a")}, "old is no object: ") for old in NO_OBJECTS],
    (KNOWN, {"new": row("tap1", 1)}, "is inserted, and exists already"),
    (KNOWN, {"new": {}}, "is inserted, and exists already"),
    (NEW, {"old": row("a")}, "is modified or deleted, and was never inserted"),
    (NEW, {"old": {}}, "is modified or deleted, and was never inserted"),
    (NEW, {"old": {}, "new": row("a")}, "is modified or deleted, and was never inserted"),
    (KNOWN, {"old": {}, "new": {}}, "column name: missing"),
    (KNOWN, {"old": {}, "new": None}, "new is no object: "),
]
"""A row, its update, and what is said."""


class ReplicaTests(SynchronousTestCase):
    """
    A replica of two rows.
    """

    def setUp(self) -> None:
        """
        Read two rows.
        """
        self.replica = Table()
        tables = {"Interface": {KNOWN: {"new": row("tap1", 1)}, OTHER: {"new": row("br-int")}}}
        self.changes = self.replica.snapshot(tables)
        self.rows = dict(self.replica.rows)

    def refuse(self, tables: Any, *says: str, snapshots: bool = True, updates: bool = True) -> None:
        """
        These tables are refused in these words, and change nothing.
        """
        readers = [lambda: self.replica.readAll(tables)] * snapshots
        for read in [*readers, *[lambda: self.replica.readUpdate(tables)] * updates]:
            fault = str(self.assertRaises(ProtocolViolation, read))
            for words in says:
                self.assertIn(words, fault, tables)
            self.assertEqual(self.replica.rows, self.rows, tables)

    def refuseRow(
        self, key: str, change: Any, says: str, snapshots: bool = False, updates: bool = False
    ) -> None:
        """
        This row is refused, alone, behind good rows and before them.
        """
        where = f"table Interface, row {key}: {says}"
        good = {uuid(n): {"new": row(f"tap{n}")} for n in (8, 9)}
        for rows in ({key: change}, {**good, key: change}, {key: change, **good}):
            self.refuse({"Interface": rows}, where, snapshots=snapshots, updates=updates)

    def test_wrongTables(self) -> None:
        """
        What is no table updates, of another table or of no row is a fault.
        """
        for tables, says in WRONG_TABLES:
            self.refuse(tables, says)

    def test_wrongRows(self) -> None:
        """
        A row of the wrong shape is a fault that names the table, the row and
        the column; nothing of its message counts.
        """
        for change, says in WRONG_ROWS:
            self.refuseRow(NEW, change, says, snapshots=True, updates=True)

    def test_wrongInSnapshot(self) -> None:
        """
        The initial reply knows new rows only.
        """
        for key, change, says in WRONG_IN_SNAPSHOT:
            self.refuseRow(key, change, says, snapshots=True)

    def test_wrongInUpdate(self) -> None:
        """
        A row that exists cannot be inserted, and one that does not can be
        neither modified nor deleted.
        """
        for key, change, says in WRONG_IN_UPDATE:
            self.refuseRow(key, change, says, updates=True)

    def test_oneWrongTable(self) -> None:
        """
        A table that was not asked for spoils the one that was.
        """
        self.refuse({"Interface": {NEW: {"new": row("a")}}, "Port": {}}, "table 'Port'")

    def test_firstSnapshot(self) -> None:
        """
        Every row of the first snapshot is new.
        """
        expected = [(KNOWN, None, ("tap1", 1)), (OTHER, None, ("br-int", None))]
        self.assertEqual(self.changes, expected)
        self.assertEqual(self.rows, {KNOWN: ("tap1", 1), OTHER: ("br-int", None)})

    def test_emptyReply(self) -> None:
        """
        A table without rows is absent from the reply: all rows are gone.
        """
        for tables in EMPTY_TABLES:
            self.setUp()
            expected = [(KNOWN, ("tap1", 1), None), (OTHER, ("br-int", None), None)]
            self.assertEqual(self.replica.snapshot(tables), expected)
            self.assertEqual(self.replica.rows, {})
            self.assertEqual(self.replica.snapshot(tables), [])

    def test_emptyUpdate(self) -> None:
        """
        An update that tells nothing changes nothing.
        """
        for tables in EMPTY_TABLES:
            self.assertEqual(self.replica.update(tables), [])
        self.assertEqual(self.replica.rows, self.rows)

    def test_nextSnapshot(self) -> None:
        """
        A later snapshot tells what went, then what changed or came.
        """
        tables = {"Interface": {NEW: {"new": row("a")}, OTHER: {"new": row("br-int", 65534)}}}
        expected = [
            (KNOWN, ("tap1", 1), None),
            (NEW, None, ("a", None)),
            (OTHER, ("br-int", None), ("br-int", 65534)),
        ]
        self.assertEqual(self.replica.snapshot(tables), expected)
        self.assertEqual(self.replica.rows, {OTHER: ("br-int", 65534), NEW: ("a", None)})

    def test_update(self) -> None:
        """
        One update inserts, modifies and deletes, each row once, in its order.
        """
        changes = {
            NEW: {"new": row("tap1", 2)},
            KNOWN: {"old": row("tap1", 1)},
            OTHER: {"new": row("br-int", 65534), "old": {"ofport": ["set", []]}},
        }
        expected = [
            (NEW, None, ("tap1", 2)),
            (KNOWN, ("tap1", 1), None),
            (OTHER, ("br-int", None), ("br-int", 65534)),
        ]
        self.assertEqual(self.replica.update({"Interface": changes}), expected)
        self.assertEqual(self.replica.rows, {NEW: ("tap1", 2), OTHER: ("br-int", 65534)})

    def test_emptyOld(self) -> None:
        """
        An C{old} that is empty is there: with C{new} it modifies, alone it
        deletes.
        """
        tables: Any = {"Interface": {KNOWN: {"new": row("tap1", 5), "old": {}}}}
        self.assertEqual(self.replica.update(tables), [(KNOWN, ("tap1", 1), ("tap1", 5))])
        tables = {"Interface": {KNOWN: {"old": {}}}}
        self.assertEqual(self.replica.update(tables), [(KNOWN, ("tap1", 5), None)])

    def test_emptyNew(self) -> None:
        """
        A C{new} that is empty is there: a row without columns exists.
        """
        replica = Table("T", AsIs())
        tables: Any = {"T": {NEW: {"new": {}}}}
        self.assertEqual(replica.update(tables), [(NEW, None, {})])
        self.assertEqual(replica.rows, {NEW: {}})
        self.assertEqual(replica.readAll(tables), ({NEW: {}}, 0))

    def test_equalRowsStay(self) -> None:
        """
        A row that is told again and is the same is no change, and stays the
        object that it was.
        """
        before = self.replica.rows[KNOWN]
        again = {KNOWN: {"new": row("tap1", 1)}, OTHER: {"new": row("br-int")}}
        self.assertEqual(self.replica.snapshot({"Interface": again}), [])
        again = {KNOWN: {"new": row("tap1", 1), "old": {"more": 2}}}
        self.assertEqual(self.replica.update({"Interface": again}), [])
        self.assertIs(self.replica.rows[KNOWN], before)

    def test_deletedAndBack(self) -> None:
        """
        A UUID that was deleted may come back.
        """
        self.assertEqual(len(self.replica.update({"Interface": {KNOWN: {"old": {}}}})), 1)
        tables = {"Interface": {KNOWN: {"new": row("tap1")}}}
        self.assertEqual(self.replica.update(tables), [(KNOWN, None, ("tap1", None))])

    def test_readingChangesNothing(self) -> None:
        """
        What was read counts when it is applied, and not before.
        """
        tables = {"Interface": {NEW: {"new": row("a")}}}
        self.replica.readAll(tables)
        self.replica.readUpdate(tables)
        self.assertEqual(self.replica.rows, self.rows)

    def test_readOnly(self) -> None:
        """
        Users see the rows as they are, and cannot change them.
        """
        self.assertIs(type(self.replica.rows), MappingProxyType)


class SliceTests(SynchronousTestCase):
    """
    A large snapshot is read in slices, between which others run.
    """

    def test_slices(self) -> None:
        """
        There is a pause after each slice, and none in a small snapshot.
        """
        for count, expected in [
            (0, 0),
            (SLICE - 1, 0),
            (SLICE, 1),
            (SLICE + 1, 1),
            (2 * SLICE + 1, 2),
        ]:
            replica = Table()
            tables = {"Interface": {uuid(n): {"new": row(f"tap{n}")} for n in range(count)}}
            rows, pauses = replica.readAll(tables)
            self.assertEqual((len(rows), pauses), (count, expected))
            self.assertEqual(replica.rows, {})

    def test_faultInLaterSlice(self) -> None:
        """
        A fault in the last slice refuses all of them.
        """
        replica = Table()
        rows = {uuid(n): {"new": row(f"tap{n}")} for n in range(SLICE)}
        rows[uuid(SLICE)] = {"new": {}}
        reading = replica.set.reader().readRest({"Interface": rows})
        next(reading)
        self.assertRaises(ProtocolViolation, next, reading)
        self.assertEqual(replica.rows, {})


STATES = st.lists(
    st.dictionaries(
        st.sampled_from([uuid(n) for n in range(4)]),
        st.tuples(st.sampled_from(["a", "b"]), st.none() | st.integers(1, 2)),
    ),
    max_size=6,
)
ANYTHING = st.recursive(
    st.none() | st.integers(0, 1) | st.sampled_from(["a", {}, row("a"), {"new": row("a")}]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["Interface", KNOWN, NEW, "new", "old", "name"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def difference(before: dict[str, Row], after: dict[str, Row]) -> dict[str, Any]:
    """
    The table updates by which a server tells of the step between two states.
    """
    changes: dict[str, Any] = {}
    for key in {**before, **after}:
        if key not in after:
            changes[key] = {"old": row(*before[key])}
        elif key not in before:
            changes[key] = {"new": row(*after[key])}
        elif before[key] != after[key]:
            changes[key] = {"new": row(*after[key]), "old": {}}
    return {"Interface": changes} if changes else {}


class PropertyTests(SynchronousTestCase):
    """
    What holds for any tables.
    """

    @PROPERTY
    @given(STATES, st.booleans())
    def test_anyHistory(self, states: list[dict[str, Row]], snapshots: bool) -> None:
        """
        By updates or by snapshots, the replica is what the server has, and
        its changes are the differences, each once.
        """
        replica = Table()
        before: dict[str, Row] = {}
        for state in states:
            if snapshots:
                tables = {"Interface": {key: {"new": row(*now)} for key, now in state.items()}}
                changes = replica.snapshot(tables)
            else:
                changes = replica.update(difference(before, state))
            expected = {
                (key, before.get(key), state.get(key))
                for key in {**before, **state}
                if before.get(key) != state.get(key)
            }
            self.assertEqual(replica.rows, state)
            self.assertEqual((set(changes), len(changes)), (expected, len(expected)))
            before = state

    @PROPERTY
    @given(ANYTHING | ANYTHING.map(lambda updates: {"Interface": {KNOWN: updates, NEW: updates}}))
    def test_anyTables(self, tables: Any) -> None:
        """
        Any JSON is applied or is a fault, and never anything else.
        """
        for apply in ("snapshot", "update"):
            replica = Table()
            replica.snapshot({"Interface": {KNOWN: {"new": row("tap1")}}})
            try:
                getattr(replica, apply)(tables)
            except ProtocolViolation:
                self.assertEqual(replica.rows, {KNOWN: ("tap1", None)})
