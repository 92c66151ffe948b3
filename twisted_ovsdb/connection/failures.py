# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Failures that keep nothing alive. An exception that was raised refers to the frames that it
came through, and their variables are messages and rows of 100 MB. Applications keep
exceptions for as long as they like, and logs keep events.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from twisted_ovsdb.errors import OvsdbError, asReason


def handled() -> Failure:
    """
    @return: the exception that is being handled, for a log: its traceback is text, and its
        own text is short.
    """
    return forLog(Failure())


def forLog(failure: Failure) -> Failure:
    """@return: the same failure, changed as L{handled} says."""
    failure.cleanFailure()
    assert failure.value is not None
    failure.value = asReason(failure.value)
    return failure


def letGo(failure: Failure) -> Failure:
    """
    For C{addErrback}: an error of a session refers to no frame. A bug still does.

    @return: the failure.
    """
    if failure.check(OvsdbError):
        failure.cleanFailure()
        assert failure.value is not None
        failure.value.__cause__ = failure.value.__context__ = None
    return failure
