# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: the names that twistd looks for here.
"""

from __future__ import annotations

import time
from functools import partial
from itertools import repeat

from twisted.application.service import IService, MultiService

from twisted_ovsdb.command.endingobserver import EndingObserver
from twisted_ovsdb.command.options import Options
from twisted_ovsdb.command.output import (
    EventsService,
    HangUpService,
    standardErrorLog,
)
from twisted_ovsdb.interfaces import IOvsdbEventObserver
from twisted_ovsdb.lifecycle.factory import OvsdbMonitorFactory
from twisted_ovsdb.lifecycle.listener import OvsdbListenerFactory
from twisted_ovsdb.lifecycle.places import DAY
from twisted_ovsdb.lifecycle.service import OvsdbListenService, OvsdbMonitorService
from twisted_ovsdb.observers.filters import onlyBridges
from twisted_ovsdb.observers.log import LoggingObserver

__all__ = ["Options", "makeService", "standardErrorLog"]


def makeService(options: Options) -> IService:
    """
    Make the service that a command line asks for. Nothing is opened here, because
    twistd forks afterwards.
    """
    services = MultiService()
    observers: list[IOvsdbEventObserver] = [*map(EndingObserver, options["observers"])]
    names = [type(each).__qualname__ for each in options["observers"]]
    files = [EventsService(path, options.failure) for path in options["events"]]
    for each in files:
        services.addService(each)
        observers.append(each.observer)
    names += [f"--events {path}" for path in options["events"]]
    if files:
        services.addService(HangUpService(files))
    if not observers:
        several = len(options["endpoints"]) > 1 or options["listen"]
        observers.append(LoggingObserver(nameSource=bool(several)))
        names.append("log")
    web = None
    if options["http"] is not None:
        # Only now: twisted.web and prometheus_client take a while to import.
        from twisted_ovsdb.web.counted import CountedObserver
        from twisted_ovsdb.web.service import WebService

        web = WebService(
            options["http"], options["http-hosts"], options["http-token"], fail=options.failure
        )
        services.addService(web)
        web.checks += [each.missing for each in files]
        web.observers += map(CountedObserver, observers, names, repeat(time.monotonic))
        observers = [*web.observers, web.watch]
    if options["bridge-patterns"]:
        views = [onlyBridges(each, *options["bridge-patterns"]) for each in observers]
        observers = [*views]
        if web is not None:
            web.wants = views[-1].wants
    told = dict(zip(files, observers[len(options["observers"]) :], strict=False))
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
    }
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory] = []
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
        services.addService(OvsdbMonitorService(endpoint, factory))
        monitored.append(factory)
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
    if web is not None:
        web.monitored += monitored
    for each in files:
        each.replay = partial(_replay, monitored, told[each])
    return services


def _replay(
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory], observer: IOvsdbEventObserver
) -> None:
    for each in monitored:
        each.replayTo(observer)
