# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.errors}.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.errors import (
    MonitorCanceled,
    MonitorStopped,
    OvsdbError,
    PeerSilent,
    ProtocolViolation,
    RpcError,
    SessionLost,
    describeReason,
)


class ErrorTests(SynchronousTestCase):
    """
    Errors carry their data and can be read.
    """

    def test_tree(self) -> None:
        """
        One C{except} catches all, and none is another.
        """
        classes = OvsdbError.__subclasses__()
        expected = {
            ProtocolViolation,
            PeerSilent,
            MonitorCanceled,
            MonitorStopped,
            RpcError,
            SessionLost,
        }
        self.assertEqual(expected - set(classes), set())
        self.assertTrue(all(not issubclass(a, b) for a in expected for b in expected - {a}))

    def test_rpcError(self) -> None:
        """
        A refusal has the server's short error and its details.
        """
        error = RpcError("unknown database", "no database named Nope")
        self.assertEqual(error.error, "unknown database")
        self.assertEqual(error.details, "no database named Nope")
        self.assertEqual(str(error), "unknown database: no database named Nope")

    def test_rpcErrorWithoutDetails(self) -> None:
        """
        An error that is only a string is only that string.
        """
        error = RpcError("unknown method")
        self.assertEqual((error.error, error.details), ("unknown method", ""))
        self.assertEqual(str(error), "unknown method")

    def test_sessionLost(self) -> None:
        """
        A lost session says why.
        """
        reason = ProtocolViolation("not JSON")
        error = SessionLost(reason)
        self.assertIs(error.reason, reason)
        self.assertEqual(str(error), "session lost: not JSON")

    def test_stopped(self) -> None:
        """
        Stopping has a reason too, which needs no words of the caller.
        """
        self.assertEqual(str(MonitorStopped()), "stopped")

    def test_describeReason(self) -> None:
        """
        A reason is one line without a full stop; where there is no text, it
        is the name of the error.
        """
        for reason, expected in [
            (ValueError("a b"), "a b"),
            (ValueError(" a\n\tb  c. "), "a b c"),
            (ValueError(""), "ValueError"),
            (ValueError(" .\n"), "ValueError"),
            (MonitorStopped(), "stopped"),
            (ConnectionDone(), "Connection was closed cleanly"),
            # As pyOpenSSL's Error has them.
            (ValueError([("SSL routines", "", "no shared cipher")]), "TLS: no shared cipher"),
            (ValueError([]), "TLS: no reason given"),
        ]:
            self.assertEqual(describeReason(reason), expected)
