# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
For the tests of applications: an OVSDB server in memory, an observer that
records, and a function that makes a connected factory. The client is the real
one; no Open vSwitch, no network and no real time are needed::

    server, observer = MemoryServer(), RecordingObserver()
    factory = connectedFactory(server, observer)
    server.addBridge("br-int")
    server.addPort("br-int", "tap1", iface_id="vm-1")
    observer.expect("synchronized initial", "online bridge br-int", "online vm tap1")

When a method of the server returns, observers have been told everything that
it caused.
"""

from twisted_ovsdb.testing.recording import RecordingObserver
from twisted_ovsdb.testing.server import MemoryServer, connectedFactory

__all__ = ["MemoryServer", "RecordingObserver", "connectedFactory"]
