# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Open vSwitch interface events for Twisted: what comes online, goes offline and
changes, told exactly, also across outages.
"""

from twisted_ovsdb._version import __version__
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.connection.transactions import TransactionFailed
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.endpoints.passive import serverFromRemote
from twisted_ovsdb.endpoints.remotes import clientFromRemote
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions
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
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.base import OvsdbEventObserver
from twisted_ovsdb.observers.filters import onlyKinds, withoutReplays
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.notation import NamedUUID, encode, encodeRow

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
