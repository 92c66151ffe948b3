# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The shape of a dialect: one of the ways in which a server reports the rows of
tables. Each dialect has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from twisted_ovsdb.errors import ProtocolViolation, describe
from twisted_ovsdb.wire.notation import JSONRow


@attrs.frozen
class Dialect:
    """
    How to read row updates. Each function gets an object that reads the columns
    of the table, a UUID and a row update. It raises L{ProtocolViolation} if the
    row update is wrong, or does not fit the row that is known; the caller adds
    which row it was.

    @ivar method: the request that begins it.
    @ivar notification: the notification of changes.
    @ivar initial: reads a row update of the initial reply; returns the row's
        value.
    @ivar change: reads a row update of a notification. It also gets the row's
        value before, None if the row is not known; it returns the value now,
        None if the row is gone.
    """

    method: str
    notification: str
    initial: Callable[[Any, str, JSONRow], Any]
    change: Callable[[Any, str, JSONRow, Any], Any]


def rowObject(member: str, value: Any) -> JSONRow:
    """
    @return: the content of a member of a row update.
    @raise ProtocolViolation: if it is no object.
    """
    if type(value) is not dict:
        raise ProtocolViolation(f"{member} is no object: {describe(value)}")
    return value
