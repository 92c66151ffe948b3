# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.publish.natsfaults}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_ovsdb.publish.natsfaults import ApiError, reasonOf


class ReasonTests(SynchronousTestCase):
    """
    What a fault is for people.
    """

    def test_F116_enlarge(self) -> None:
        """
        A store that is full says what has to be enlarged, and of which stream.
        """
        for description, remedy in (
            ("OVSDB_EVENTS: maximum bytes exceeded", "enlarge its max_bytes"),
            ("OVSDB_EVENTS: maximum messages exceeded", "enlarge its max_msgs"),
            ("OVSDB_NOW: insufficient resources", "enlarge its max_file_store, or the disk"),
            ("OVSDB_NOW: resource limits exceeded for account", "enlarge max_file of the account"),
        ):
            reason = reasonOf(ApiError({"err_code": 10023, "description": description}))
            self.assertTrue(reason.startswith(f"{description}: "), reason)
            self.assertTrue(reason.endswith(remedy), reason)

    def test_other(self) -> None:
        """
        Any other error is what the server says.
        """
        fault = ApiError({"description": "stream is offline"})
        self.assertEqual(reasonOf(fault), "stream is offline")
