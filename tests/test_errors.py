# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.errors}.
"""

from __future__ import annotations

import copy
import pickle
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import (
    TEXT_LIMIT,
    MonitorCanceled,
    MonitorStopped,
    NotLeader,
    OvsdbError,
    PeerSilent,
    ProtocolViolation,
    RpcError,
    SessionLost,
    SwitchRefused,
    TransactionFailed,
    asReason,
    describe,
    describeReason,
    printable,
)


class ErrorTests(SynchronousTestCase):
    """
    Errors carry their data and can be read.
    """

    def test_tree(self) -> None:
        """
        C{except OvsdbError} catches every error, and none of them is a subclass
        of another one.
        """
        classes = OvsdbError.__subclasses__()
        expected = {
            ProtocolViolation,
            PeerSilent,
            MonitorCanceled,
            MonitorStopped,
            NotLeader,
            RpcError,
            SessionLost,
            SwitchRefused,
        }
        self.assertEqual(expected - set(classes), set())
        self.assertTrue(all(not issubclass(a, b) for a in expected for b in expected - {a}))

    def test_rpcError(self) -> None:
        """
        The error for a refusal has the server's short text and its details.
        """
        error = RpcError("unknown database", "no database named Nope")
        self.assertEqual(error.error, "unknown database")
        self.assertEqual(error.details, "no database named Nope")
        self.assertEqual(str(error), "unknown database: no database named Nope")

    def test_rpcErrorWithoutDetails(self) -> None:
        """
        An error reply that is only a string has no details.
        """
        error = RpcError("unknown method")
        self.assertEqual((error.error, error.details), ("unknown method", ""))
        self.assertEqual(str(error), "unknown method")

    def test_sessionLost(self) -> None:
        """
        The error for a lost session says why it was lost.
        """
        reason = ProtocolViolation("not JSON")
        error = SessionLost(reason)
        self.assertIs(error.reason, reason)
        self.assertEqual(str(error), "session lost: not JSON")

    def test_stopped(self) -> None:
        """
        The error for a stop has a text, without one from the caller.
        """
        self.assertEqual(str(MonitorStopped()), "stopped")

    def test_describeReason(self) -> None:
        """
        A reason is one line without a full stop. If the error has no text, the
        reason is the name of its class.
        """
        for reason, expected in [
            (ValueError("a b"), "a b"),
            (ValueError(" a\n\tb  c. "), "a b c"),
            (ValueError(""), "ValueError"),
            (ValueError(" .\n"), "ValueError"),
            (MonitorStopped(), "stopped"),
            (ConnectionDone(), "Connection was closed cleanly"),
            # Lists as in the errors of pyOpenSSL.
            (ValueError([("SSL routines", "", "no shared cipher")]), "TLS: no shared cipher"),
            (ValueError([]), "TLS: no reason given"),
            (ValueError([("a", "", "one"), ("b", "", ""), ("a", "", "one")]), "TLS: one"),
            # These lists are not from OpenSSL.
            (ValueError([1]), "[1]"),
            (ValueError([()]), "[()]"),
        ]:
            self.assertEqual(describeReason(reason), expected)

    def test_peersText(self) -> None:
        """
        Whatever a peer sends, the text of an error is printable and short. The
        data of an error reply are kept unchanged.
        """
        for text in ("\x1b[2J\u202e\n", "x" * 1000000, "\0" * 1000000):
            for error in (
                RpcError(text),
                RpcError("constraint violation", text),
                TransactionFailed("constraint violation", text, [], 0),
            ):
                self.assertIn(text, (error.error, error.details))
                reasons: list[BaseException] = [error, SessionLost(error), ValueError(text)]
                for shown in (str(error), *map(describeReason, reasons)):
                    self.assertTrue(shown.isprintable(), shown)
                    self.assertLessEqual(len(shown), TEXT_LIMIT)
            for fault in (ProtocolViolation(text), SwitchRefused(text, text)):
                self.assertTrue(str(fault).isprintable(), fault)
                self.assertLessEqual(len(str(fault)), TEXT_LIMIT)

    def test_copies(self) -> None:
        """
        Errors can be pickled and copied, with their data.
        """
        for error in (
            ProtocolViolation("not JSON"),
            MonitorStopped(),
            SwitchRefused("too many", "s1"),
            RpcError("unknown database", "no database named Nope"),
            TransactionFailed("constraint violation", "why", [None], 1),
        ):
            copies = [copy.copy(error), copy.deepcopy(error)]
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                copies.append(pickle.loads(pickle.dumps(error, protocol)))
            for copied in copies:
                self.assertIs(type(copied), type(error))
                self.assertEqual((str(copied), vars(copied)), (str(error), vars(error)))


class ReasonTests(SynchronousTestCase):
    """
    The exceptions that say why a session ended may be kept.
    """

    def test_small(self) -> None:
        """
        An exception that carries little is kept itself, with its data, but without its
        traceback and its causes.
        """
        for error in (
            OvsdbError("x" * 1000),
            RpcError("unknown database", "x" * TEXT_LIMIT),
            TransactionFailed("constraint violation", "why", [None, {"a": ["b"]}], 1),
            SwitchRefused("too many", "s1"),
            ConnectionDone(),
            ValueError([("SSL routines", "", "no shared cipher")]),
            ZeroDivisionError("division by zero"),
        ):
            try:
                try:
                    raise KeyError("before")
                except KeyError as e:
                    raise error from e
            except Exception as raised:
                kept = asReason(raised)
            self.assertIs(kept, error)
            self.assertEqual(
                (kept.__traceback__, kept.__cause__, kept.__context__), (None, None, None)
            )

    def test_large(self) -> None:
        """
        Of one that carries more than the limit, the text is cut, and other data are left
        out. The exception itself is not changed: whoever asked may have it.
        """
        text = "x" * (TEXT_LIMIT + 1)
        failed = TransactionFailed("constraint violation", text, [text], 1)
        kept: Any = asReason(failed)
        self.assertEqual((kept.error, kept.index), ("constraint violation", 1))
        self.assertLessEqual(len(kept.details), TEXT_LIMIT)
        self.assertIsNone(kept.results)
        self.assertIsInstance(kept, TransactionFailed)
        self.assertEqual((failed.details, failed.results), (text, [text]))
        lost: Any = asReason(SessionLost(RpcError(text)))
        self.assertLessEqual(len(lost.reason.error), TEXT_LIMIT)

    def test_others(self) -> None:
        """
        In the place of another exception that carries more, there is one of ours with its
        name and the beginning of its text.
        """
        deep: Any = "a"
        for _ in range(10):
            deep = [deep]
        for error, says in (
            (KeyError("x" * 1000), "KeyError: 'xxx"),
            (ValueError(["a"] * 1000), "ValueError: ['a', 'a'"),
            (ValueError({"a": b"x" * 1000}), "ValueError: {'a': b'xxx"),
            (ValueError(deep), "ValueError: [[["),
            (ValueError(ValueError("x" * 1000)), "ValueError: xxx"),
        ):
            kept = asReason(error)
            self.assertIs(type(kept), OvsdbError)
            self.assertTrue(str(kept).startswith(says), kept)
            self.assertLessEqual(len(str(kept)), TEXT_LIMIT)


class TextTests(SynchronousTestCase):
    """
    Text for errors and logs.
    """

    def test_printable(self) -> None:
        """
        Printable characters are shown unchanged, and all others are escaped.
        """
        for text, expected in [
            ("", ""),
            ("tap-порт", "tap-порт"),
            ("a\nb", "a\\nb"),
            ("\x1b[2J", "\\x1b[2J"),
            ("\u202e", "\\u202e"),
            ("\ud800", "\\ud800"),
        ]:
            self.assertEqual(printable(text), expected)

    def test_limit(self) -> None:
        """
        A text up to the limit is shown whole. A longer one is shown without its
        middle, also if only the escapes make it longer.
        """
        whole = "a" + "x" * (TEXT_LIMIT - 2) + "z"
        self.assertEqual(printable(whole), whole)
        for text in (whole + "z", "a" + "\n" * (TEXT_LIMIT - 2) + "z"):
            shown = printable(text)
            self.assertLessEqual(len(shown), TEXT_LIMIT)
            self.assertGreaterEqual(len(shown), TEXT_LIMIT - 3)
            self.assertIn("...", shown)
            self.assertEqual((shown[0], shown[-1]), ("a", "z"))

    def test_secrets(self) -> None:
        """
        A value in an error shows no secret, as a mapping and in OVSDB's
        notation for maps.
        """
        for value, shown in (
            ({"psk": "hunter2", "a": "b"}, "{'a': 'b', 'psk': '***'}"),
            (["map", [["private_key", "hunter2"]]], "['map', [['private_key', '***']]]"),
            (["map", [["PASSWORD", ["hunter2"]]]], "['map', [['PASSWORD', '***']]]"),
            (["set", ["key", "hunter2", "x"]], "['set', ['key', 'hunter2', 'x']]"),
        ):
            self.assertEqual(describe(value), shown)

    def test_describe(self) -> None:
        """
        The description of a value is short and printable.
        """
        values: list[Any] = [None, "\x1b\n" * 100, {"a\nb": "\u202e"}, [["\0"] * 100] * 100, 10**99]
        for value in values:
            self.assertTrue(describe(value).isprintable())
            self.assertLessEqual(len(describe(value)), 60)
