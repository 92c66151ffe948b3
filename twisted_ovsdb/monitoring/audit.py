# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The audit: rows are read from the database once more, some at a time, and compared
with what is known. It finds what a bug here or in a server has left wrong, which
otherwise stays wrong until the next outage.

A reply comes after all updates of what was committed before it, on the same
connection. So what is known when it comes is what it has to show.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.errors import (
    OvsdbError,
    ProtocolViolation,
    ReplicaWrong,
    RequestNotSent,
    describe,
    describeReason,
    printable,
)
from twisted_ovsdb.openvswitch.present import Present
from twisted_ovsdb.openvswitch.rows import COLUMNS, TABLE, InterfaceRows
from twisted_ovsdb.ovsinterface import OvsInterface
from twisted_ovsdb.parameters import checkPositive

AUDIT_ROWS: Final = 100
"""Rows that are read at a time: some milliseconds of the server, and 60 kB."""

SUSPECTS: Final = AUDIT_ROWS
"""Rows that are read again because they were wrong: more of them make no difference."""

LOGGED: Final = 10
"""Wrong rows of one step that are logged. All are counted."""


def checkAudit(audit: float | None) -> None:
    """@raise ValueError: if this is neither None nor a number above zero."""
    if audit is not None:
        checkPositive(audit=audit)


@attrs.frozen
class AuditCounts:
    """
    What an audit has done so far.

    @ivar rounds: how often it has read everything.
    @ivar rows: how many rows it has compared.
    @ivar mismatches: how many rows were wrong twice. Each time, the session was
        ended.
    """

    rounds: int = 0
    rows: int = 0
    mismatches: int = 0


class Audit:
    """
    Audits one switch, across its connections.

    @ivar counts: what it has done so far.
    """

    _log = Logger()

    def __init__(self, present: Present, interval: float, clock: IReactorTime) -> None:
        """@param interval: seconds between two steps of L{AUDIT_ROWS} rows."""
        self.counts = AuditCounts()
        self._present = present
        self._interval = interval
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._session: _Session | None = None

    def begin(self, protocol: OvsdbProtocol, database: str, rows: InterfaceRows) -> None:
        """
        A session is in sync.

        @param rows: reads the rows of this server.
        """
        self._session = _Session(protocol, database, rows)
        self._wait()

    def end(self) -> None:
        """The session is over."""
        self._session = None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self) -> None:
        self._call = self._clock.callLater(self._interval, self._step)

    def _step(self) -> None:
        self._call = None
        assert self._session is not None
        asking = Deferred.fromCoroutine(self._ask(self._session))
        asking.addErrback(lambda failure: self._log.failure("a bug in the audit", failure))

    async def _ask(self, session: _Session) -> None:
        operations = session.operations(self._present.rows)
        try:
            results = await session.protocol.transact(session.database, *operations)
            if session is self._session:
                self._compare(results, session)
        except ProtocolViolation as e:
            session.protocol.abort(copy(e))
        except RequestNotSent:
            self._wait()  # It fails at once: the session is the same.
        except OvsdbError as e:
            # Not when the session was lost meanwhile.
            if session is self._session:
                self._log.warn(
                    "{source}: no audit of this session: {reason}",
                    source=printable(self._present.source),
                    reason=describeReason(e),
                )

    def _compare(self, results: list[Any], session: _Session) -> None:
        wrong = session.compare(results, self._present.rows)
        counts = self.counts
        self.counts = AuditCounts(
            counts.rounds + session.roundEnded,
            counts.rows + len(session.asked),
            counts.mismatches + len(wrong),
        )
        if not wrong:
            self._wait()
            return
        for what in wrong[:LOGGED]:
            self._log.error(
                "{source}: audit: {what}", source=printable(self._present.source), what=what
            )
        session.protocol.abort(ReplicaWrong(wrong[0]))


class _Session:
    """
    The audit of one session.

    @ivar asked: the UUIDs that are being read.
    @ivar roundEnded: whether the latest step was the last one of a round.
    """

    def __init__(self, protocol: OvsdbProtocol, database: str, rows: InterfaceRows) -> None:
        self.protocol = protocol
        self.database = database
        self.asked: list[str] = []
        self.roundEnded = False
        self._rows = rows
        self._columns = tuple(c for c in rows.columns if c not in ("_uuid", "_version"))
        self._waiting: list[str] = []  # in this round; taken from the end
        self._suspects: dict[str, None] = {}  # wrong once
        self._listing = True  # whether a round begins with the next step

    def operations(self, known: Mapping[str, OvsInterface]) -> list[dict[str, Any]]:
        """The operations of a step: the list of UUIDs first, if a round begins."""
        operations = []
        if self._listing:
            self._waiting = list(known)
            operations.append(_select([], ["_uuid"]))
        rest = max(AUDIT_ROWS - len(self._suspects), 1)
        self._waiting, some = self._waiting[:-rest], self._waiting[-rest:]
        self.asked = list(dict.fromkeys([*self._suspects, *some]))
        columns = list(self._columns)
        for uuid in self.asked:
            operations.append(_select([["_uuid", "==", ["uuid", uuid]]], columns))
        return operations

    def compare(self, results: list[Any], known: Mapping[str, OvsInterface]) -> list[str]:
        """
        Compare the results with what is known.

        @return: what is wrong with rows that were wrong before.
        @raise ProtocolViolation: if the results are not those of a select.
        """
        suspects: dict[str, None] = {}
        wrong = []
        if self._listing:
            listed = {_uuidIn(row) for row in _rowsOf(results[0])}
            suspects.update(dict.fromkeys(listed ^ known.keys()))
            results = results[1:]
        for uuid, result in zip(self.asked, results, strict=True):
            what = self._whatIsWrong(uuid, result, known.get(uuid))
            if what is not None:
                suspects[uuid] = None
                if uuid in self._suspects:
                    wrong.append(what)
        self.roundEnded = self._listing = not self._waiting
        self._suspects = dict.fromkeys(list(suspects)[:SUSPECTS])
        return wrong

    def _whatIsWrong(self, uuid: str, result: Any, known: OvsInterface | None) -> str | None:
        found = _rowsOf(result)
        if not found:
            return None if known is None else f"{_named(known)} is not in the database"
        now = self._rows.whole(uuid, found[0])
        if known is None:
            return f"{_named(now)} is in the database, and is not known"
        for column in (*COLUMNS, "extra"):
            if getattr(now, column) != getattr(known, column):
                return f"{_named(known)}: column {column} is another one in the database"
        return None


def _named(row: OvsInterface) -> str:
    return f"interface {printable(row.name)} ({row.uuid})"


def _select(where: list[Any], columns: list[str]) -> dict[str, Any]:
    return {"op": "select", "table": TABLE, "where": where, "columns": columns}


def _rowsOf(result: Any) -> list[Any]:
    rows = result.get("rows") if isinstance(result, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolViolation(f"not the result of a select: {describe(result)}")
    return rows


def _uuidIn(row: dict[str, Any]) -> str:
    value = row.get("_uuid")
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], str):
        return value[1]
    raise ProtocolViolation(f"column _uuid: not a UUID: {describe(value)}")
