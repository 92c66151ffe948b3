# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What became of a transaction (RFC 7047, section 4.1.3).

The reply to C{transact} is a success even when the transaction is not: the
error is one of its results.
"""

from __future__ import annotations

from typing import Any

from twisted_ovsdb.errors import ProtocolViolation, RpcError, describe


class TransactionFailed(RpcError):
    """
    A transaction was taken back because an operation failed, or all
    operations succeeded and the commit did not (RFC 7047, section 4.1.3).

    @ivar results: the results as the server gave them: of the operations
        before the failure, its error, and None for those after it.
    @ivar index: which one failed; the number of operations, if the commit
        did.
    """

    def __init__(self, error: str, details: str, results: list[Any], index: int) -> None:
        super().__init__(error, details)
        self.results = results
        self.index = index


def readResults(results: Any, count: int) -> list[Any]:
    """
    Read the reply to C{transact}.

    @param count: how many operations there were.
    @return: their results.
    @raise TransactionFailed: if one of them is an error, or there is one
        more, the error of the commit.
    @raise ProtocolViolation: if they are no results.
    """
    if type(results) is not list:
        raise ProtocolViolation(f"transact: expected results, got {describe(results)}")
    for index, result in enumerate(results):
        if type(result) is dict and type(result.get("error")) is str:
            details = result.get("details", "")
            text = details if type(details) is str else describe(details)
            raise TransactionFailed(result["error"], text, results, index)
    if len(results) != count:
        raise ProtocolViolation(f"transact: {len(results)} results of {count} operations")
    return results
