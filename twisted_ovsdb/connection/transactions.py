# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
The reply to C{transact} (RFC 7047, section 4.1.3). It is not an error reply when
the transaction fails: the error is one of its results.
"""

from __future__ import annotations

from typing import Any

from twisted_ovsdb.errors import ProtocolViolation, RpcError, describe


class TransactionFailed(RpcError):
    """
    The server has undone a transaction, because an operation failed or because
    all operations succeeded and the commit failed (RFC 7047, section 4.1.3).

    @ivar results: the results as the server sent them: those of the operations
        before the failure, the error, and None for each operation after it.
    @ivar index: the index of the operation that failed; the number of
        operations if the commit failed.
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
    @raise TransactionFailed: if one of them is an error.
    @raise ProtocolViolation: if the reply is not a list of this many results.
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
