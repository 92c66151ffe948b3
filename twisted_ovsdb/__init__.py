# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Open vSwitch interface events for Twisted: what comes online, goes offline and
changes, told exactly, also across outages.
"""

from twisted_ovsdb._version import __version__
from twisted_ovsdb.classify import ClassificationRules
from twisted_ovsdb.cluster import ClusterEndpoint
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
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.factory import OvsdbMonitorFactory
from twisted_ovsdb.filters import onlyKinds, withoutReplays
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.listener import OvsdbListenerFactory
from twisted_ovsdb.monitor import InterfaceMonitor
from twisted_ovsdb.notation import NamedUUID, encode, encodeRow
from twisted_ovsdb.observers import OvsdbEventObserver
from twisted_ovsdb.passive import serverFromRemote
from twisted_ovsdb.protocol import OvsdbProtocol
from twisted_ovsdb.remotes import clientFromRemote
from twisted_ovsdb.schema import DatabaseSchema
from twisted_ovsdb.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.tables import DatabaseReplica, RowChange
from twisted_ovsdb.tls import TLSFailure, TLSOptions
from twisted_ovsdb.transactions import TransactionFailed

__all__ = [
    "Cause",
    "ClassificationRules",
    "ClusterEndpoint",
    "DatabaseReplica",
    "DatabaseSchema",
    "Disconnected",
    "EndpointConnector",
    "IOvsdbEventObserver",
    "InterfaceChanged",
    "InterfaceKind",
    "InterfaceMonitor",
    "InterfaceOffline",
    "InterfaceOnline",
    "NamedUUID",
    "OvsInterface",
    "OvsdbError",
    "OvsdbEventObserver",
    "OvsdbListenService",
    "OvsdbListenerFactory",
    "OvsdbMonitorFactory",
    "OvsdbMonitorService",
    "OvsdbProtocol",
    "ProtocolViolation",
    "RowChange",
    "RpcError",
    "SessionLost",
    "SwitchIdentity",
    "Synchronized",
    "TLSFailure",
    "TLSOptions",
    "TransactionFailed",
    "__version__",
    "clientFromRemote",
    "encode",
    "encodeRow",
    "onlyKinds",
    "serverFromRemote",
    "withoutReplays",
]
