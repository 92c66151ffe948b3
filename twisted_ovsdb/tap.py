# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: the names that twistd looks for here.
"""

from __future__ import annotations

import os
from functools import partial

from twisted.application.service import IService, MultiService

from twisted_ovsdb.command.beginning import AT_ONCE, SpreadService
from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.command.endingobserver import EndingObserver
from twisted_ovsdb.command.keptevents import KeptEvents, StateService
from twisted_ovsdb.command.once import OnceService
from twisted_ovsdb.command.options import Options
from twisted_ovsdb.command.output import (
    EventsService,
    HangUpService,
    standardErrorLog,
)
from twisted_ovsdb.command.systemd import SystemdService
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.places import DAY
from twisted_ovsdb.lifecycle.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.filters import onlyBridges
from twisted_ovsdb.observers.log import LoggingObserver

__all__ = ["Options", "makeService", "standardErrorLog"]


def makeService(options: Options) -> IService:
    """
    Make the service that a command line asks for. Nothing is opened here, because
    twistd forks afterwards.
    """
    services = MultiService()
    services.addService(CollectorService())
    observers: list[IOvsdbEventObserver] = [*map(EndingObserver, options["observers"])]
    files = _files(options, services)
    if files:
        services.addService(HangUpService(files))
    observers += [each.observer for each in files]
    if not observers and not options["once"]:
        several = len(options["endpoints"]) > 1 or options["listen"]
        logAll = bool(options["log-all"])
        observers.append(LoggingObserver(nameSource=bool(several), logAll=logAll))
    if options["bridge-patterns"]:
        observers = [onlyBridges(each, *options["bridge-patterns"]) for each in observers]
    common = {
        "observers": observers,
        "database": options["database"],
        "rules": options["rules"],
        "replay": not options["no-replay"],
        "extraColumns": options["columns"],
        "snapshotTimeout": options["snapshot-timeout"],
        "probeInterval": options["probe-interval"],
        "bridges": options["bridges"],
        "method": options["method"],
        "problemsAfter": options["report"],
        "audit": options["audit"],
    }
    servers: list[tuple[str, OvsdbMonitorFactory]] = []
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory] = []
    places = services
    if len(options["endpoints"]) > AT_ONCE:
        places = SpreadService()
        services.addService(places)
    for text, endpoint, members in options["endpoints"]:
        factory = OvsdbMonitorFactory(
            **common,
            source=text,
            maxDelay=options["max-delay"],
            connectTimeout=options["connect-timeout"],
            identify=bool(options["identify"]),
            leaderOnly=bool(options["leader-only"]),
            members=members,
        )
        places.addService(OvsdbMonitorService(endpoint, factory))
        servers.append((text, factory))
        monitored.append(factory)
    if options["once"]:
        shown = options["timeout"], options["format"], options["bridge-patterns"]
        services.addService(OnceService(servers, *shown))
    if options["listen"]:
        # One listener for all places: a switch may connect to any of them.
        listener = OvsdbListenerFactory(
            **common,
            maxSwitches=options["max-switches"],
            forgetAfter=options["forget"] * DAY,
            pin=options["pin"],
        )
        for place in options["listen"]:
            services.addService(OvsdbListenService(place, listener))
        monitored.append(listener)
    for each, observer in zip(files, observers[len(options["observers"]) :], strict=False):
        each.replay = partial(_replay, monitored, observer)
        if isinstance(each, KeptEvents):
            each.replayOf = partial(_replayOf, monitored, observer)
    if "NOTIFY_SOCKET" in os.environ:
        listening = [each for each in services if isinstance(each, OvsdbListenService)]
        services.addService(
            SystemdService(
                lambda: [each.whenListening() for each in listening],
                lambda: [each for one in monitored for each in _monitorsOf(one)],
            )
        )
    return services


def _files(options: Options, services: MultiService) -> list[EventsService]:
    if options["state"] is None:
        files = [EventsService(path, options.failure) for path in options["events"]]
        for each in files:
            services.addService(each)
        return files
    state = StateService(options["state"], options["forget"], options.failure)
    services.addService(state)
    sources = [text for text, _, _ in options["endpoints"]]
    kept: list[EventsService] = []
    for path in options["events"]:
        each = KeptEvents(path, state, sources, bool(options["listen"]), options.failure)
        each.setServiceParent(state)  # type: ignore[no-untyped-call]
        kept.append(each)
    return kept


def _monitorsOf(factory: OvsdbMonitorFactory | OvsdbListenerFactory) -> list[InterfaceMonitor]:
    if isinstance(factory, OvsdbMonitorFactory):
        return [factory.monitor]
    return list(factory.monitors.values())


def _replay(
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory], observer: IOvsdbEventObserver
) -> None:
    for each in monitored:
        each.replayTo(observer)


def _replayOf(
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory],
    observer: IOvsdbEventObserver,
    switch: str,
) -> None:
    for each in monitored:
        for monitor in _monitorsOf(each):
            if monitor.switch == switch:
                monitor.replayTo(observer)
