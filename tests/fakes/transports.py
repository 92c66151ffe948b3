# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
A transport whose peer reads only what the test says.
"""

from __future__ import annotations

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import UNIXAddress
from twisted.internet.testing import MemoryReactor


class SlowTransport(FileDescriptor):
    """
    Twisted's own buffer of a socket, whose peer reads nothing by itself.

    @ivar taken: what the peer has read.
    @ivar aborted: how often the connection was aborted.
    """

    def __init__(self) -> None:
        super().__init__(MemoryReactor())
        self.connected = 1
        self.taken = b""
        self.aborted = 0
        self._room = 0
        self.startReading()

    @property
    def reading(self) -> bool:
        """
        Whether we read from the peer.
        """
        return self in self.reactor.getReaders()

    @property
    def unsent(self) -> int:
        """
        How many bytes the peer has not read.
        """
        buffered: int = len(self.dataBuffer) - self.offset + self._tempDataLen
        return buffered

    def peerReads(self, count: int | None = None) -> None:
        """
        The peer reads this number of bytes, or all.
        """
        self._room = self.unsent if count is None else count
        while self._room and self.unsent:
            self.doWrite()
        # Only now the transport learns that nothing is left.
        if not self.unsent:
            self.doWrite()

    def writeSomeData(self, data: bytes) -> int:
        """
        Send as much as there is room for.
        """
        piece = bytes(data[: self._room])
        self._room -= len(piece)
        self.taken += piece
        return len(piece)

    def abortConnection(self) -> None:
        """
        The connection is aborted.
        """
        self.aborted += 1
        self.stopReading()

    def getPeer(self) -> UNIXAddress:
        """
        The address of the peer.
        """
        return UNIXAddress("/run/db.sock")
