# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{twistd ovsdb-monitor}: the names that twistd looks for here.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from twisted.application.service import IService, MultiService

from twisted_ovsdb.command.beginning import AT_ONCE, SpreadService
from twisted_ovsdb.command.collector import CollectorService
from twisted_ovsdb.command.endingobserver import EndingObserver
from twisted_ovsdb.command.listen import PlaceService
from twisted_ovsdb.command.once import OnceService
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
from twisted_ovsdb.monitoring.lockterms import LockTerms, instanceName
from twisted_ovsdb.monitoring.monitor import InterfaceMonitor
from twisted_ovsdb.observers.filters import onlyBridges
from twisted_ovsdb.observers.log import LoggingObserver
from twisted_ovsdb.openvswitch.views import behindViews

if TYPE_CHECKING:
    from twisted_ovsdb.command.publishing import PublishService
    from twisted_ovsdb.web.gauge import Gauge
    from twisted_ovsdb.web.service import WebService

__all__ = ["Options", "makeService", "standardErrorLog"]


def makeService(options: Options) -> IService:
    """
    Make the service that a command line asks for. Nothing is opened here, because
    twistd forks afterwards.
    """
    services = MultiService()
    services.addService(CollectorService())
    files = _files(options, services)
    if files:
        services.addService(HangUpService(files))
    named: list[tuple[str, IOvsdbEventObserver]] = []
    for each in options["observers"]:
        named.append((type(each).__qualname__, behindViews(each, EndingObserver)))
    named += [(f"--events {each.shown}", each.observer) for each in files]
    publisher = _publisher(options, services)
    if publisher is not None:
        named.append(("--publish", publisher.observer))
    if not named and not options["once"]:
        several = len(options["endpoints"]) > 1 or bool(options["listen"])
        log = LoggingObserver(nameSource=several, logAll=bool(options["log-all"]))
        named.append(("log", log))
    web = _web(options, named, files, services)
    observers = [each for _, each in named]
    if options["bridge-patterns"]:
        observers[:] = [onlyBridges(each, *options["bridge-patterns"]) for each in observers]
    lock = options["lock"] if publisher is None else publisher.terms
    monitored = _monitored(options, observers, services, lock)
    if publisher is not None:
        publisher.monitored += monitored
    if web is not None:
        web.monitored += monitored
        if publisher is not None:
            web.checks.append(publisher.missing)
            web.more += [*publisher.gauges(), _ofBroker(publisher)]
    for each, observer in zip(files, observers[len(options["observers"]) :], strict=False):
        each.replay = partial(_replay, monitored, observer)
        each.replayOf = partial(_replayOf, monitored, observer)
    if "NOTIFY_SOCKET" in os.environ:
        from twisted_ovsdb.command.systemd import SystemdService

        listening = [each for each in services if isinstance(each, OvsdbListenService)]
        services.addService(
            SystemdService(
                lambda: [each.whenListening() for each in listening],
                lambda: [each for one in monitored for each in _monitorsOf(one)],
            )
        )
    return services


def _publisher(options: Options, services: MultiService) -> PublishService | None:
    if options["publish"] is None:
        return None
    # Only now: it takes a while to import, and few need it.
    from twisted_ovsdb.command.publishing import PublishService

    instance = options["instance"] or instanceName()
    made = PublishService(options["publish"], instance, options["lock"])
    services.addService(made)
    return made


def _ofBroker(publisher: PublishService) -> Gauge:
    # Only now: few need it.
    from twisted_ovsdb.command.gauges import ofBroker

    return ofBroker(publisher.missing)


def _web(
    options: Options,
    named: list[tuple[str, IOvsdbEventObserver]],
    files: list[EventsService],
    services: MultiService,
) -> WebService | None:
    """
    @param named: the observers, with what they are called in the metrics; these are
        replaced by what counts their failures, and that of the web is added.
    """
    if options["http"] is None:
        return None
    # Only now: twisted.web and prometheus_client take a while to import.
    from twisted_ovsdb.command.gauges import ofFiles
    from twisted_ovsdb.web.service import WebService

    web = WebService(
        options["http"], options["http-hosts"], options["http-token"], fail=options.failure
    )
    services.addService(web)
    web.checks += [each.missing for each in files]
    web.more += ofFiles(files)
    named[:] = [(name, web.count(name, observer)) for name, observer in named]
    named.append(("--http", web.watch))
    if options["bridge-patterns"]:
        web.wants = onlyBridges(web.watch, *options["bridge-patterns"]).wants
    return web


def _monitored(
    options: Options,
    observers: list[IOvsdbEventObserver],
    services: MultiService,
    lock: str | LockTerms | None,
) -> list[OvsdbMonitorFactory | OvsdbListenerFactory]:
    """Make a factory for each endpoint, and a listener, with their services."""
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
        "lock": lock,
        "instance": options["instance"],
    }
    servers: list[tuple[str, OvsdbMonitorFactory]] = []
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
    if options["once"]:
        shown = options["timeout"], options["format"], options["bridge-patterns"]
        services.addService(OnceService(servers, *shown))
    monitored: list[OvsdbMonitorFactory | OvsdbListenerFactory] = [each for _, each in servers]
    if options["listen"]:
        # One listener for all places: a switch may connect to any of them.
        listener = OvsdbListenerFactory(
            **common,
            maxSwitches=options["max-switches"],
            forgetAfter=options["forget"] * DAY,
            pin=options["pin"],
            fleet=options["fleet"],
        )
        for place in options["listen"]:
            services.addService(PlaceService(place, listener, options.failure))
        monitored.append(listener)
    return monitored


def _files(options: Options, services: MultiService) -> list[EventsService]:
    if options["state"] is None:
        files = [EventsService(path, options.failure) for path in options["events"]]
        for each in files:
            services.addService(each)
        return files
    # Only now: SQLite takes a while to import.
    from twisted_ovsdb.command.keptevents import KeptEvents
    from twisted_ovsdb.command.stateservice import StateService

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
