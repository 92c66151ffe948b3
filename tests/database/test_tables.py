# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.database.tables}: replicas of any tables, fed by C{monitor}
and by C{monitor_cond}.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.fakes.rows import uuid
from twisted_ovsdb.database.datatypes import DEFAULTS, AtomicType, ColumnType
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.errors import ProtocolViolation
from twisted_ovsdb.wire.rowreader import SLICE
from twisted_ovsdb.wire.tableupdates import decodeMessage

ANY_NUMBER = {"min": 0, "max": "unlimited"}

SCHEMA = DatabaseSchema.parse(
    {
        "name": "T",
        "tables": {
            "A": {
                "columns": {
                    "s": {"type": "string"},
                    "o": {"type": {"key": "integer", "min": 0}},
                    "set": {"type": {"key": "string", **ANY_NUMBER}},
                    "map": {"type": {"key": "string", "value": "real", **ANY_NUMBER}},
                }
            },
            "B": {"columns": {"u": {"type": "uuid"}}},
        },
    }
)

EMPTY: Any = {"s": "", "o": ["set", []], "set": ["set", []], "map": ["map", []]}
"""A row of A with the default values, as C{monitor} tells it."""

DEFAULT_ROW: dict[str, Any] = {"s": "", "o": None, "set": frozenset(), "map": {}}

X, Y = uuid(1), uuid(2)


class ReplicaTestCase(SynchronousTestCase):
    """
    An empty replica of either kind.
    """

    conditional = False

    def setUp(self) -> None:
        self.replica = DatabaseReplica(SCHEMA, conditional=self.conditional)

    def assertViolations(self, wrong: list[tuple[Any, str]], initial: bool) -> None:
        """
        Each of these is a violation that says this, and changes nothing, also
        not by what is right beside it.
        """
        before = {name: dict(rows) for name, rows in self.replica.tables.items()}
        receive = self.replica.snapshot if initial else self.replica.update
        for message, text in wrong:
            with self.assertRaises(ProtocolViolation, msg=f"{message}") as raised:
                receive(message)
            self.assertIn(text, str(raised.exception), f"{message}")
            self.assertEqual(self.replica.tables, before)


class DatabaseReplicaTests(ReplicaTestCase):
    """
    What is the same for both kinds.
    """

    def test_requests(self) -> None:
        """
        By default all columns of all tables are asked for; otherwise those
        tables, or those columns.
        """
        all = {"A": [{"columns": ["s", "o", "set", "map"]}], "B": [{"columns": ["u"]}]}
        self.assertEqual(self.replica.requests(), all)
        self.assertEqual(DatabaseReplica(SCHEMA, ["B"]).requests(), {"B": all["B"]})
        some = DatabaseReplica(SCHEMA, {"A": ("o", "_uuid"), "B": ()}, True)
        self.assertEqual(
            some.requests(), {"A": [{"columns": ["o", "_uuid"]}], "B": [{"columns": []}]}
        )
        self.assertEqual((self.replica.conditional, some.conditional), (False, True))
        self.assertEqual(dict(some.tables), {"A": {}, "B": {}})

    def test_unknown(self) -> None:
        """
        A table or column that the schema has not is refused at once.
        """
        wrong: list[Any] = [["C"], {"C": []}, {"A": ["nope"]}]
        for tables in wrong:
            self.assertRaises(KeyError, DatabaseReplica, SCHEMA, tables)

    def test_readOnly(self) -> None:
        """
        Callers can read the tables, and cannot change them.
        """
        self.replica.snapshot({"A": {X: {"new": EMPTY}}})
        for mapping in (self.replica.tables, self.replica.tables["A"], self.replica.tables["A"][X]):
            self.assertFalse(hasattr(mapping, "__setitem__"))


class MonitorTests(ReplicaTestCase):
    """
    Fed by C{monitor}.
    """

    def test_rows(self) -> None:
        """
        Rows come, change and go, and each change tells the row before and now.
        """
        (new,) = self.replica.snapshot({"A": {X: {"new": {**EMPTY, "s": "a"}}}})
        row: Any = {**DEFAULT_ROW, "s": "a"}
        self.assertEqual(new, RowChange("A", X, None, row))
        changes = self.replica.update(
            {
                "A": {X: {"new": {**EMPTY, "map": ["map", [["k", 1]]]}, "old": {"s": "a"}}},
                "B": {Y: {"new": {"u": ["uuid", X]}}},
            }
        )
        changed: Any = {**DEFAULT_ROW, "map": {"k": 1.0}}
        self.assertEqual(
            changes, [RowChange("A", X, row, changed), RowChange("B", Y, None, {"u": X})]
        )
        self.assertEqual(self.replica.tables, {"A": {X: changed}, "B": {Y: {"u": X}}})
        (gone,) = self.replica.update({"A": {X: {"old": EMPTY}}})
        self.assertEqual(gone, RowChange("A", X, changed, None))
        self.assertEqual(self.replica.tables["A"], {})
        self.assertEqual(self.replica.update({}), [])

    def test_again(self) -> None:
        """
        A second snapshot tells what has changed since; a table that it does
        not speak of is empty.
        """
        self.replica.snapshot({"A": {X: {"new": EMPTY}}, "B": {Y: {"new": {"u": ["uuid", X]}}}})
        self.assertEqual(self.replica.snapshot({"A": {X: {"new": EMPTY}}})[0].now, None)
        self.assertEqual(self.replica.snapshot({"A": {X: {"new": EMPTY}}}), [])
        self.assertEqual(self.replica.tables, {"A": {X: DEFAULT_ROW}, "B": {}})

    def test_wrong(self) -> None:
        """
        Whatever is wrong is named, and nothing of the message is applied.
        """
        new: Any = {"new": EMPTY}
        self.replica.snapshot({"A": {X: new}})
        right = {"B": {Y: {"new": {"u": ["uuid", X]}}}}
        both: list[tuple[Any, str]] = [
            ([], "table updates are no object"),
            ({**right, "C": {}}, "table 'C' is not monitored"),
            ({**right, "A": []}, "table A: no object"),
            ({**right, "A": {"x": new}}, "table A: not a UUID"),
            ({**right, "A": {Y: []}}, f"table A, row {Y}: the update is no object"),
            ({**right, "A": {Y: {"new": []}}}, f"table A, row {Y}: new is no object"),
            ({**right, "A": {Y: {"new": {}}}}, f"table A, row {Y}: column s: missing"),
            (
                {**right, "A": {Y: {"new": {**EMPTY, "set": 5}}}},
                f"table A, row {Y}: column set: expected string, got 5",
            ),
            (
                {**right, "A": {Y: {"new": {**EMPTY, "x": 5}}}},
                f"table A, row {Y}: column 'x': is not monitored",
            ),
        ]
        self.assertViolations(both, initial=True)
        self.assertViolations(both, initial=False)
        self.assertViolations([({"A": {X: {"old": {}}}}, "only new rows")], initial=True)
        known = [
            ({**right, "A": {X: new}}, f"table A, row {X}: is inserted, and exists already"),
            (
                {**right, "A": {Y: {"old": {}}}},
                f"table A, row {Y}: is modified or deleted, and was",
            ),
            ({**right, "A": {Y: {"modify": {}}}}, f"table A, row {Y}: the update has neither"),
        ]
        self.assertViolations(known, initial=False)


class MonitorCondTests(ReplicaTestCase):
    """
    Fed by C{monitor_cond}.
    """

    conditional = True

    def test_rows(self) -> None:
        """
        Defaults are left out of new rows, changes are differences.
        """
        (new,) = self.replica.snapshot({"A": {X: {"initial": {"s": "a", "set": "q"}}}})
        first: Any = {**DEFAULT_ROW, "s": "a", "set": frozenset("q")}
        self.assertEqual(new, RowChange("A", X, None, first))
        difference = {"o": 5, "set": ["set", ["q", "r"]], "map": ["map", [["k", 1]]]}
        changes = self.replica.update(
            {"A": {X: {"modify": difference}, Y: {"insert": {}}}, "B": {Y: {"insert": {}}}}
        )
        second: Any = {"s": "a", "o": 5, "set": frozenset("r"), "map": {"k": 1.0}}
        zero = str(DEFAULTS[AtomicType.UUID])
        self.assertEqual(
            changes,
            [
                RowChange("A", X, first, second),
                RowChange("A", Y, None, DEFAULT_ROW),
                RowChange("B", Y, None, {"u": zero}),
            ],
        )
        (gone,) = self.replica.update({"A": {X: {"delete": None}}})
        self.assertEqual(gone, RowChange("A", X, second, None))
        self.assertEqual(self.replica.tables["A"], {Y: DEFAULT_ROW})

    def test_nothingChanged(self) -> None:
        """
        A difference of nothing is no change.
        """
        self.replica.snapshot({"A": {X: {"initial": {}}}})
        for difference in ({}, {"s": "", "set": ["set", []]}):
            self.assertEqual(self.replica.update({"A": {X: {"modify": difference}}}), [])

    def test_large(self) -> None:
        """
        A large reply that is decoded by members is read as any other.
        """
        rows = ",".join(
            f'"{uuid(n)}":{{"initial":{{"s":"{"x" * 100}","o":{n}}}}}' for n in range(SLICE + 1)
        )
        text = f'{{"id":1,"result":{{"A":{{{rows}}}}},"error":null}}'
        changes = self.replica.snapshot(decodeMessage(bytearray(text.encode()))["result"])
        self.assertEqual(len(changes), SLICE + 1)
        self.assertEqual(self.replica.tables["A"][uuid(7)]["o"], 7)

    def test_wrong(self) -> None:
        """
        Whatever is wrong is named, and nothing of the message is applied.
        """
        self.replica.snapshot({"A": {X: {"initial": {"set": "q"}}}})
        right: Any = {"B": {Y: {"insert": {}}}}
        initial: list[tuple[Any, str]] = [
            ([], "table updates are no object"),
            *[
                ({"A": {Y: {kind: {}}}}, f"table A, row {Y}: {kind!r} in an initial reply")
                for kind in ("insert", "modify", "delete", "new")
            ],
            ({"A": {Y: {}}}, f"table A, row {Y}: not one of its members: []"),
            ({"A": {Y: {"initial": None}}}, f"table A, row {Y}: initial is no object: None"),
            ({"A": {Y: {"initial": {"s": 5}}}}, f"table A, row {Y}: column s: expected string"),
        ]
        self.assertViolations(initial, initial=True)
        wrong: list[tuple[Any, str]] = [
            ([], "table updates are no object"),
            ({**right, "C": {}}, "table 'C' is not monitored"),
            ({**right, "A": {X: {"insert": {}}}}, f"row {X}: is inserted, and exists already"),
            ({**right, "A": {Y: {"modify": {}}}}, f"row {Y}: modify: it was never inserted"),
            ({**right, "A": {Y: {"delete": None}}}, f"row {Y}: delete: it was never inserted"),
            ({**right, "A": {Y: {"initial": {}}}}, f"row {Y}: 'initial' in an update"),
            ({**right, "A": {Y: {"new": {}, "old": {}}}}, f"row {Y}: not one of its members"),
            ({**right, "A": {X: {"modify": None}}}, f"row {X}: modify is no object: None"),
            ({**right, "A": {X: {"modify": {"x": 5}}}}, f"row {X}: column 'x': is not monitored"),
            ({**right, "A": {X: {"modify": {"set": 5}}}}, f"row {X}: column set: expected string"),
            ({**right, "A": {Y: {"insert": {"x": 5}}}}, f"row {Y}: column 'x': is not monitored"),
        ]
        self.assertViolations(wrong, initial=False)
        self.replica.update(right)


# Any schema, any rows, any changes.

POOLS: dict[str, list[Any]] = {
    "integer": [0, 1, -(2**63)],
    "real": [0.0, 1.0, -2.5],
    "boolean": [False, True],
    "string": ["", "a", "set"],
    "uuid": [DEFAULTS[AtomicType.UUID], X, Y],
}

COLUMN_TYPES = st.builds(
    lambda key, value, least, most: {
        "key": key,
        "min": least,
        "max": most,
        **({} if value is None else {"value": value}),
    },
    st.sampled_from(sorted(POOLS)),
    st.sampled_from([None, *sorted(POOLS)]),
    st.integers(0, 1),
    st.sampled_from([1, 2, "unlimited"]),
)


def valuesOf(type_: ColumnType) -> st.SearchStrategy[Any]:
    """
    Values of a column, few enough that old and new have some in common.
    """
    pool = POOLS[type_.key.type.value]
    keys = st.sampled_from(pool)
    most = len(pool) if type_.max is None else min(type_.max, len(pool))
    if type_.value is not None:
        items = st.sampled_from(POOLS[type_.value.type.value])
        return st.dictionaries(keys, items, min_size=type_.min, max_size=most)
    if type_.isSet:
        return st.frozensets(keys, min_size=type_.min, max_size=most)
    return keys if type_.min else st.one_of(st.none(), keys)


def written(type_: ColumnType, value: Any) -> Any:
    """
    A value as ovsdb-server writes it: one element is written alone.
    """
    json = type_.encode(value)
    if type(json) is list and json[0] == "set" and len(json[1]) == 1:
        return json[1][0]
    return json


def difference(type_: ColumnType, old: Any, new: Any) -> Any:
    """
    The difference as ovsdb-server(7) defines it, by other means than ours.
    """
    if type_.max == 1:
        return written(type_, new)
    loose = ColumnType(type_.key, type_.value, 0, None)
    if type_.value is None:
        return written(loose, frozenset(a for a in {*old, *new} if (a in old) != (a in new)))
    pairs: dict[Any, Any] = {}
    for key in {*old, *new}:
        if key not in new:
            pairs[key] = old[key]
        elif key not in old or old[key] != new[key]:
            pairs[key] = new[key]
    return written(loose, pairs)


class SideBySideTests(SynchronousTestCase):
    """
    Both kinds of replica, told of the same changes.
    """

    @settings(
        max_examples=300,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(data=st.data(), columns=st.lists(COLUMN_TYPES, min_size=1, max_size=5))
    def test_same(self, data: st.DataObject, columns: list[Any]) -> None:
        """
        For any schema and any changes of its rows, C{update} and C{update2}
        give the rows that are there, and the same changes.
        """
        json = {f"c{n}": {"type": column} for n, column in enumerate(columns)}
        schema = DatabaseSchema.parse({"name": "T", "tables": {"A": {"columns": json}}})
        types = {name: column.type for name, column in schema.tables["A"].columns.items()}
        rows = st.fixed_dictionaries(
            {name: st.one_of(st.just(t.default), valuesOf(t)) for name, t in types.items()}
        )
        model: dict[str, Any] = {}
        replicas = [DatabaseReplica(schema, None, conditional) for conditional in (False, True)]
        for step in range(data.draw(st.integers(1, 5))):
            changes = data.draw(
                st.dictionaries(st.sampled_from([uuid(n) for n in range(4)]), st.none() | rows)
            )
            whole, differing = self.messages(types, model, changes, first=step == 0)
            model = {u: row for u, row in {**model, **changes}.items() if row is not None}
            told = [
                replica.update(tables) if step else replica.snapshot(tables)
                for replica, tables in zip(replicas, (whole, differing), strict=True)
            ]
            self.assertEqual(told[0], told[1])
            for replica in replicas:
                self.assertEqual(replica.tables["A"], model)

    def messages(
        self, types: dict[str, ColumnType], model: Any, changes: Any, first: bool
    ) -> tuple[Any, Any]:
        """
        How C{monitor} and how C{monitor_cond} tell these changes.
        """
        whole: dict[str, Any] = {}
        differing: dict[str, Any] = {}
        for rowId, new in changes.items():
            old = model.get(rowId)
            if old == new:
                continue
            one: dict[str, Any] = {}
            two: dict[str, Any] = {}
            if new is not None:
                one["new"] = {name: written(types[name], new[name]) for name in types}
            if old is not None:
                one["old"] = {
                    name: written(types[name], old[name])
                    for name in types
                    if new is None or old[name] != new[name]
                }
            if new is None:
                two["delete"] = None
            elif old is None:
                two["initial" if first else "insert"] = {
                    name: value for name, value in one["new"].items()
                    if new[name] != types[name].default
                }  # fmt: skip
            else:
                two["modify"] = {
                    name: difference(types[name], old[name], new[name])
                    for name in types
                    if old[name] != new[name]
                }
            whole[rowId], differing[rowId] = one, two
        return ({"A": whole}, {"A": differing}) if whole else ({}, {})
