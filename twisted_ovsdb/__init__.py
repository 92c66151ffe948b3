# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Events of Open vSwitch's interfaces for Twisted: what comes online, goes offline
and changes, exactly, also across outages.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from twisted_ovsdb._version import __version__
from twisted_ovsdb.connection.protocol import OvsdbProtocol
from twisted_ovsdb.database.schema import DatabaseSchema
from twisted_ovsdb.database.tables import DatabaseReplica, RowChange
from twisted_ovsdb.database.wanted import Rows
from twisted_ovsdb.endpoints.cluster import ClusterEndpoint
from twisted_ovsdb.endpoints.connector import EndpointConnector
from twisted_ovsdb.endpoints.passive import serverFromRemote
from twisted_ovsdb.endpoints.remotes import clientFromRemote
from twisted_ovsdb.endpoints.tls import TLSFailure, TLSOptions
from twisted_ovsdb.errors import (
    LockLost,
    MonitorCanceled,
    MonitorStopped,
    NotLeader,
    OvsdbError,
    PeerSilent,
    ProtocolViolation,
    ReplicaWrong,
    RequestNotSent,
    RpcError,
    SessionLost,
    SwitchChanged,
    SwitchRefused,
    TransactionFailed,
)
from twisted_ovsdb.events import (
    Cause,
    Disconnected,
    Event,
    ForgetReason,
    InterfaceChanged,
    InterfaceEvent,
    InterfaceKind,
    InterfaceOffline,
    InterfaceOnline,
    OvsInterface,
    Problem,
    ProblemFound,
    ProblemSolved,
    SwitchForgotten,
    SwitchIdentity,
    Synchronized,
)
from twisted_ovsdb.interfaces import EventReceiver, IOvsdbEventObserver
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.hook import ConnectionHook
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.replica import OvsdbReplicaFactory
from twisted_ovsdb.lifecycle.service import (
    OvsdbListenService,
    OvsdbMonitorService,
    OvsdbReplicaService,
)
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.base import OvsdbEventObserver
from twisted_ovsdb.observers.filters import onlyBridges, onlyKinds, withoutReplays
from twisted_ovsdb.openvswitch.classify import ClassificationRules
from twisted_ovsdb.wire.notation import NamedUUID, decode, encode, encodeRow

if TYPE_CHECKING:
    from twisted_ovsdb.state.database import StateRefused
    from twisted_ovsdb.state.observerstate import ObserverState

__all__ = [
    "Cause",
    "ClassificationRules",
    "ClusterEndpoint",
    "ConnectionHook",
    "DatabaseReplica",
    "DatabaseSchema",
    "Disconnected",
    "EndpointConnector",
    "Event",
    "EventReceiver",
    "ForgetReason",
    "IOvsdbEventObserver",
    "InterfaceChanged",
    "InterfaceEvent",
    "InterfaceKind",
    "InterfaceMonitor",
    "InterfaceOffline",
    "InterfaceOnline",
    "LockLost",
    "MonitorCanceled",
    "MonitorStopped",
    "NamedUUID",
    "NotLeader",
    "ObserverState",
    "OvsInterface",
    "OvsdbError",
    "OvsdbEventObserver",
    "OvsdbListenService",
    "OvsdbListenerFactory",
    "OvsdbMonitorFactory",
    "OvsdbMonitorService",
    "OvsdbProtocol",
    "OvsdbReplicaFactory",
    "OvsdbReplicaService",
    "PeerSilent",
    "Problem",
    "ProblemFound",
    "ProblemSolved",
    "ProtocolViolation",
    "ReplicaWrong",
    "RequestNotSent",
    "RowChange",
    "Rows",
    "RpcError",
    "SessionLost",
    "StateRefused",
    "SwitchChanged",
    "SwitchForgotten",
    "SwitchIdentity",
    "SwitchRefused",
    "Synchronized",
    "TLSFailure",
    "TLSOptions",
    "TransactionFailed",
    "__version__",
    "clientFromRemote",
    "decode",
    "encode",
    "encodeRow",
    "onlyBridges",
    "onlyKinds",
    "serverFromRemote",
    "withoutReplays",
]

# Few programs need these, and SQLite takes a while to import.
_LATER = {
    "ObserverState": "twisted_ovsdb.state.observerstate",
    "StateRefused": "twisted_ovsdb.state.database",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
