# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Properties of changes of conditions in any history: good and bad changes, transactions,
cancelled Deferreds, and connections that are cut anywhere, in each dialect. The server
is a model that keeps history, and takes over a part of what it refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.database.test_replica import PROPERTY
from tests.fakes.history import RAW, changes, initial, row, transaction
from tests.fakes.rows import uuid
from tests.monitoring.test_replicas import METHODS, ReplicaCase, Server
from twisted_ovsdb import OvsdbError, Rows

TABLES: Final = ("T", "U")

BAD: Final = "zz"
"""A column that there is not."""

Where = Any

Database = Mapping[str, Mapping[int, Any]]
"""Rows by table and number."""


def matches(where: Where, value: Mapping[str, Any]) -> bool:
    """
    Whether a row matches conditions of C{s} and C{o}.
    """
    if where is None:
        return True
    return any(c if isinstance(c, bool) else value[c[0]] == c[2] for c in where)


def isBad(where: Where) -> bool:
    """
    Whether a server refuses these conditions.
    """
    return where is not None and any(not isinstance(c, bool) and c[0] == BAD for c in where)


def seen(database: Database, wheres: Mapping[str, Where]) -> dict[str, dict[int, Any]]:
    """
    The rows that match; of their columns only C{s}.
    """
    return {
        name: {n: {"s": v["s"]} for n, v in database[name].items() if matches(where, v)}
        for name, where in wheres.items()
    }


class Model:
    """
    A server that answers when it is told to, and whose messages are on their way until
    they are told to arrive.

    @ivar wheres: the conditions of the present monitor, by table; empty without one.
    """

    def __init__(self, server: Server, keepsHistory: bool) -> None:
        self.server = server
        self.keepsHistory = keepsHistory
        self.now: dict[str, dict[int, Any]] = {name: {} for name in TABLES}
        self.history: list[Database] = [{name: {} for name in TABLES}]
        self.wheres: dict[str, Where] = {}
        self.method = ""
        self.view: Database = {}
        self.arriving: list[Any] = []
        self.requests: list[Any] = []
        self.up = False

    def transact(self, table: str, number: int, value: Any) -> None:
        """
        Write a row, or remove it.
        """
        number += 10 * TABLES.index(table)  # UUIDs of two tables differ.
        self.now[table].pop(number, None)
        if value is not None:
            self.now[table][number] = value
        self.history.append({name: dict(rows) for name, rows in self.now.items()})
        self.flush()

    def open(self) -> None:
        """
        Accept the next connection.
        """
        if not self.up:
            self.up = True
            self.server.transport = self.server.endpoint.accept()

    def cut(self) -> None:
        """
        Cut the connection: what was on its way is lost.
        """
        if self.up:
            self.up = False
            self.arriving, self.requests, self.wheres = [], [], {}
            self.server.lose()

    def cutAndOpen(self) -> None:
        """
        Cut it, and accept the next one.
        """
        self.cut()
        self.open()

    def flush(self) -> None:
        """
        Report what differs from what was reported.
        """
        if not self.wheres:
            return
        before, self.view = self.view, seen(self.now, self.wheres)
        old = self.method == "monitor"
        parts = [(n, changes(before[n], self.view[n], not old)) for n in self.wheres]
        updates = {name: found["T"] for name, found in parts if found}
        if updates:
            name = {METHODS[0]: "update3", METHODS[1]: "update2", METHODS[2]: "update"}
            last = [self.last] if self.method == METHODS[0] else []
            params = ["twisted_ovsdb", *last, updates]
            self.arriving.append({"id": None, "method": name[self.method], "params": params})

    @property
    def last(self) -> str:
        """The last transaction."""
        return transaction(len(self.history) if self.keepsHistory else 0)

    def serve(self, count: int) -> None:
        """
        Answer requests.
        """
        if not self.up:
            return
        text, decoder = self.server.transport.value().decode(), json.JSONDecoder()
        self.server.transport.clear()
        while text:
            message, end = decoder.raw_decode(text)
            text = text[end:]
            self.requests.append(message)
        for message in self.requests[:count]:
            result, error = self.answer(message["method"], message["params"]), None
            if isinstance(result, str):
                result, error = None, result
            self.arriving.append({"id": message["id"], "result": result, "error": error})
        del self.requests[:count]

    def answer(self, method: str, params: Any) -> Any:
        """
        @return: the result; a text if it is an error.
        """
        if method == "get_schema":
            table = RAW["tables"]["T"]
            return {**RAW, "tables": dict.fromkeys(TABLES, table)}
        if method == "monitor_cond_change":
            for name, ((change,),) in ((n, (r,)) for n, r in params[2].items()):
                if isBad(change["where"]):
                    return "unknown column"
                self.wheres[name] = change["where"]
            self.flush()
            return {}
        if method not in self.server.knows:
            return "unknown method"
        wheres = {name: request[0].get("where") for name, request in params[2].items()}
        if any(map(isBad, wheres.values())):
            return "unknown column"
        self.method, self.wheres = method, wheres
        self.view = seen(self.now, wheres)
        if method != METHODS[0]:
            return self.tables(self.view, method != "monitor")
        if self.keepsHistory and params[3] != transaction(0):
            known = seen(self.history[int(params[3][:8], 16) - 1], wheres)
            parts = [(n, changes(known[n], self.view[n])) for n in wheres]
            return [True, self.last, {name: found["T"] for name, found in parts if found}]
        return [False, self.last, self.tables(self.view, True)]

    def tables(self, view: Database, differences: bool) -> Any:
        """
        The rows of an initial reply.
        """
        return {name: initial(rows, differences)["T"] for name, rows in view.items() if rows}

    def deliver(self, count: int) -> None:
        """
        Let messages arrive.
        """
        for _ in range(count):
            if self.arriving and self.up:
                self.server.send(self.arriving.pop(0))

    def settle(self) -> None:
        """
        Let everything happen.
        """
        for _ in range(200):
            self.open()
            self.serve(99)
            if not self.arriving:
                return
            self.deliver(99)


class Asked:
    """
    A change that was asked for, and what became of it.
    """

    def __init__(self, wheres: Mapping[str, Where], deferred: Deferred[None]) -> None:
        self.wheres = wheres
        self.deferred = deferred
        self.results: list[Any] = []
        deferred.addBoth(self.results.append)


GOOD: Any = st.sampled_from(
    (
        None,
        [False],
        [["s", "==", "a"]],
        [["s", "==", "b"], ["s", "==", "a"]],
        [["o", "==", 1]],
        [["o", "==", 0], ["s", "==", "c"]],
    )
)

WHERES: Any = GOOD | GOOD | st.just([[BAD, "==", 1]])

ROWS: Any = st.builds(row, s=st.sampled_from("abc"), o=st.sampled_from((0, 1)))

ASKED: Any = st.dictionaries(st.sampled_from(TABLES), WHERES, min_size=1)

STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("transact"), st.sampled_from(TABLES), st.integers(1, 3), st.none() | ROWS
        ),
        st.tuples(st.just("change"), ASKED),
        st.tuples(st.just("cutMidway"), ASKED, st.integers(0, 2)),
        st.tuples(st.just("serve"), st.integers(1, 2)),
        st.tuples(st.just("deliver"), st.integers(1, 2)),
        st.tuples(st.sampled_from(("cut", "cutAndOpen", "settle"))),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
    ),
    min_size=15,
    max_size=40,
)


class HistoryTests(ReplicaCase):
    """
    Any history ends as it should.
    """

    @PROPERTY
    @given(
        st.sampled_from((METHODS[0], METHODS[0], *METHODS)),
        st.booleans(),
        st.fixed_dictionaries(dict.fromkeys(TABLES, GOOD)),
        STEPS,
    )
    def test_history(
        self, method: str, keepsHistory: bool, first: Mapping[str, Where], steps: list[Any]
    ) -> None:
        """
        At the end the replica has the rows of the last good changes, and so has what was
        told. Good changes succeed and bad ones fail, unless they were replaced before.
        The server's differences always fit.
        """
        if method == "monitor":
            first = dict.fromkeys(TABLES)
        server = Server({name: Rows(["s"], where) for name, where in first.items()}, (method,))
        self.model, self.asked = Model(server, keepsHistory), list[Asked]()
        for table in TABLES:
            for number, value in enumerate("abc"):
                self.model.transact(table, number + 1, row(s=value, o=number % 2))
        self.model.settle()
        for step, *arguments in steps:
            getattr(self if hasattr(HistoryTests, step) else self.model, step)(*arguments)
        for table in TABLES:
            self.model.settle()
            self.model.transact(table, 4, row(s="a"))
        self.model.settle()
        wheres = dict(first)
        for number, asked in enumerate(self.asked):
            if self.succeeded(asked, self.asked[number + 1 :]):
                wheres.update(asked.wheres)
        expected = seen(self.model.now, wheres)
        for name, rows in expected.items():
            replica = server.factory.replica[name]
            self.assertEqual(
                {n: v["s"] for n, v in replica.items()},
                {uuid(n): v["s"] for n, v in rows.items()},
            )
            told: dict[str, Any] = {}
            for _, changes_ in server.told:
                for change in changes_.values():
                    if change.table == name:
                        self.assertEqual(told.get(change.uuid), change.before)
                        told[change.uuid] = change.now
            self.assertEqual({n: v for n, v in told.items() if v is not None}, replica)
        self.assertEqual(set(server.hook.reasons) - {str(ConnectionDone())}, set())

    def change(self, wheres: Mapping[str, Where]) -> None:
        """
        Ask for conditions.
        """
        changed = self.model.server.factory.changeConditions(wheres)
        changed.addCallback(self.check, wheres, len(self.asked) + 1)
        self.asked.append(Asked(wheres, changed))

    def cutMidway(self, wheres: Mapping[str, Where], messages: int) -> None:
        """
        Ask for conditions, and cut the connection after the update, the reply, or both.
        """
        self.model.settle()
        self.change(wheres)
        self.model.serve(1)
        self.model.deliver(messages)
        self.model.cutAndOpen()

    def check(self, _: None, wheres: Mapping[str, Where], count: int) -> None:
        """
        When a change has succeeded, and no later one wants its tables, the server
        reports by its conditions.
        """
        for name in wheres:
            if not any(name in each.wheres for each in self.asked[count:]):
                self.assertEqual(self.model.wheres[name] or [True], wheres[name] or [True])

    def cancel(self, number: int) -> None:
        """
        Cancel a Deferred. One that may be refused in part is left: nobody could say
        what became of it.
        """
        if number < len(self.asked):
            asked = self.asked[number]
            if len(self.wrong(asked.wheres)) in (0, len(asked.wheres)):
                asked.deferred.cancel()

    def wrong(self, wheres: Mapping[str, Where]) -> set[str]:
        """
        The tables whose conditions the server refuses.
        """
        if self.model.server.knows == ("monitor",):
            return {name for name, where in wheres.items() if where is not None}
        return {name for name, where in wheres.items() if isBad(where)}

    def succeeded(self, asked: Asked, later: list[Asked]) -> bool:
        """
        @return: whether the conditions of this change hold, unless later ones do.
        """
        (result,) = asked.results
        wrong = self.wrong(asked.wheres)
        if not isinstance(result, Failure):
            good = [set(each.wheres) - self.wrong(each.wheres) for each in later]
            self.assertLessEqual(wrong, set[str]().union(*good))
            return True
        if result.check(CancelledError):
            return not wrong
        self.assertTrue(wrong)
        self.assertTrue(result.check(OvsdbError))
        return False
