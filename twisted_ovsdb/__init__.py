# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Open vSwitch interface events for Twisted: what comes online, goes offline and
changes, told exactly, also across outages.
"""

from twisted_ovsdb._version import __version__
from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.connector import EndpointConnector
from twisted_ovsdb.errors import OvsdbError, ProtocolViolation, RpcError, SessionLost
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    InterfaceChanged,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Synchronized,
)
from twisted_ovsdb.factory import OvsdbMonitorFactory
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.monitor import InterfaceMonitor
from twisted_ovsdb.observers import OvsdbEventObserver
from twisted_ovsdb.protocol import OvsdbProtocol
from twisted_ovsdb.service import OvsdbMonitorService

__all__ = [
    "Cause",
    "ClassificationRules",
    "Disconnected",
    "EndpointConnector",
    "IOvsdbEventObserver",
    "InterfaceChanged",
    "InterfaceKind",
    "InterfaceMonitor",
    "InterfaceOffline",
    "InterfaceOnline",
    "OvsInterface",
    "OvsdbError",
    "OvsdbEventObserver",
    "OvsdbMonitorFactory",
    "OvsdbMonitorService",
    "OvsdbProtocol",
    "ProtocolViolation",
    "RpcError",
    "SessionLost",
    "Synchronized",
    "__version__",
]
