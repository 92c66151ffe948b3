# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the types that users see: programs of users are checked against the
installed wheel, by mypy with the plugin for zope.interface and by pyright,
which knows nothing of zope.interface.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

import twisted_ovsdb
from tests.fakes.documented import PAGES, blocks

CHECKOUT = Path(twisted_ovsdb.__file__).parent.parent

SETTINGS = """
[mypy]
strict = true
plugins = mypy_zope:plugin
untyped_calls_exclude = twisted
"""
"""Users may call functions of Twisted that have no annotations."""

RIGHT = '''
"""An application with an observer of its own, and its test."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.task import react
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from twisted_ovsdb import (
    Disconnected,
    EndpointConnector,
    Event,
    EventReceiver,
    InterfaceEvent,
    InterfaceKind,
    InterfaceMonitor,
    InterfaceOnline,
    IOvsdbEventObserver,
    MonitorStopped,
    NotLeader,
    OvsdbEventObserver,
    OvsdbListenerFactory,
    OvsdbMonitorFactory,
    OvsdbMonitorService,
    OvsInterface,
    PeerSilent,
    onlyKinds,
    withoutReplays,
)
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory


@implementer(IOvsdbEventObserver)
class Names:
    def __init__(self) -> None:
        self.names: set[str] = set()

    def eventReceived(self, event: Event) -> None:
        if isinstance(event, InterfaceOnline) and event.kind is InterfaceKind.VM:
            self.names.add(event.interface.name)


@implementer(IOvsdbEventObserver)
class Slow:
    async def eventReceived(self, event: Event) -> None:
        print(event.source)


class Plugs(OvsdbEventObserver):
    def vmOnline(self, event: InterfaceOnline) -> None:
        port: int | None = event.interface.ofport
        print(event.interface.iface_id, port, event.cause.value)


class Undeclared:
    def eventReceived(self, received: Event) -> Deferred[None] | None:
        if isinstance(received, InterfaceEvent):
            print(received.kind.value, OvsInterface.fromJSON(received.interface.toJSON()))
        elif isinstance(received, Disconnected):
            if not isinstance(received.reason, (MonitorStopped, NotLeader, PeerSilent)):
                return Deferred()
        return None


async def main(reactor: Any, server: str) -> None:
    factory = OvsdbMonitorFactory([Names(), Slow(), Plugs()], extraColumns=("link_state",))
    endpoint = clientFromString(reactor, server)
    EndpointConnector(endpoint, factory).connect()
    interfaces: tuple[OvsInterface, ...] = await factory.whenSynchronized()
    print([one.remote_ip for one in interfaces])
    observer: EventReceiver = Plugs()
    factory.addObserver(observer)
    factory.removeObserver(observer)
    for each in (Names(), Slow(), Undeclared()):
        OvsdbListenerFactory([each])
        InterfaceMonitor([onlyKinds(withoutReplays(each), InterfaceKind.VM)])
        factory.addObserver(withoutReplays(onlyKinds(each, InterfaceKind.BRIDGE)))
    await factory.stop()
    OvsdbMonitorService(endpoint, factory).startService()


class NamesTests(SynchronousTestCase):
    def test_online(self) -> None:
        server, names, recorder = MemoryServer(), Names(), RecordingObserver()
        server.addBridge("br-int")
        connectedFactory(server, names, recorder)
        server.addPort("br-int", "tap1", iface_id="vm-1")
        assert names.names == {"tap1"}
        events: list[Event] = recorder.take()
        server.assignOfport("tap1", 7)
        recorder.expect("changed vm tap1")
        server.advance(len(events))


def program() -> None:
    react(lambda reactor: Deferred.fromCoroutine(main(reactor, "tcp:127.0.0.1:6640")))
'''
"""A correct program: neither mypy nor pyright finds an error in it."""

RIGHT_FOR_MYPY = """
from twisted_ovsdb import IOvsdbEventObserver, InterfaceKind, OvsdbEventObserver
from twisted_ovsdb import OvsdbMonitorFactory, onlyKinds, withoutReplays

observer: IOvsdbEventObserver = OvsdbEventObserver()
filtered: IOvsdbEventObserver = withoutReplays(onlyKinds(observer, InterfaceKind.VM))
OvsdbMonitorFactory([observer]).addObserver(filtered)
"""
"""Pyright does not know that an object provides an interface of zope's."""

WRONG = """
from twisted.internet.endpoints import clientFromString
from zope.interface import implementer

from twisted_ovsdb import EndpointConnector, IOvsdbEventObserver, OvsdbMonitorFactory
from twisted_ovsdb import OvsdbEventObserver, InterfaceOffline
from twisted_ovsdb.events import Event


@implementer(IOvsdbEventObserver)
class Deaf:  # is missing following 'IOvsdbEventObserver' interface members: eventReceived
    def somethingElse(self, event: Event) -> None:
        pass


class Misunderstood:
    def eventReceived(self, event: str) -> None:
        pass


class Mistaken(OvsdbEventObserver):
    def vmOnline(self, event: InterfaceOffline) -> None:  # is incompatible with supertype
        print(event.interface.ofport + 1)  # for + ("None" and "int")


factory = OvsdbMonitorFactory(maxDelay="8")  # "maxDelay" to "OvsdbMonitorFactory"
OvsdbMonitorFactory([object()])  # "object"; expected "EventReceiver"
OvsdbMonitorFactory([Misunderstood()])  # "Misunderstood"; expected "EventReceiver"
factory.addObserver(Mistaken)  # "type[Mistaken]"; expected "IOvsdbEventObserver
EndpointConnector("tcp:127.0.0.1:6640", factory)  # "str"; expected "IStreamClientEndpoint"
factory.whenSynchronised()  # has no attribute "whenSynchronised"
"""
"""
Each comment is a part of mypy's message about its line. Pyright finds an error
in the same lines, except in the one about zope.interface.
"""

ONLY_MYPY = "'IOvsdbEventObserver' interface members"


class TypesTests(TestCase):
    """
    Tests for C{mypy --strict} with the plugin for zope.interface, and for
    basedpyright in the mode of pyright, on the programs of users.
    """

    timeout = 240

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        # The checkout must not be found.
        hidden = ("PYTHONPATH", "MYPYPATH")
        self.environment = {k: v for k, v in os.environ.items() if k not in hidden}

    async def run_(self, *words: str | Path) -> tuple[str, int]:
        """
        Run a module with this interpreter.

        @return: what it printed, and its exit status.
        """
        out, err, status = await getProcessOutputAndValue(
            sys.executable,
            ["-m", *map(str, words)],
            env=self.environment,
            path=str(self.folder),
        )
        return (out + err).decode(), status

    async def install(self) -> Path:
        """
        Build the wheel and install it, and only it, into a folder.

        @return: that folder.
        """
        copy, dist, site = (self.folder / name for name in ("copy", "dist", "site"))
        for name in ("twisted_ovsdb", "twisted"):
            ignore = shutil.ignore_patterns("__pycache__", "dropin.cache")
            shutil.copytree(CHECKOUT / name, copy / name, ignore=ignore)
        for path in CHECKOUT.iterdir():
            if path.is_file():
                shutil.copy(path, copy)
        pip = ("pip", "--quiet", "--disable-pip-version-check")
        told, status = await self.run_(
            *pip, "wheel", "--no-deps", "--no-build-isolation", "-w", dist, copy
        )
        self.assertEqual(status, 0, told)
        shutil.rmtree(copy)
        told, status = await self.run_(
            *pip, "install", "--no-deps", "--target", site, *dist.iterdir()
        )
        self.assertEqual(status, 0, told)
        return site

    def faults(self) -> dict[int, str]:
        """
        The comments in the wrong program, by line.
        """
        lines = enumerate(WRONG.lstrip().splitlines(), 1)
        return {number: line.partition("  # ")[2] for number, line in lines if "  # " in line}

    async def test_programs(self) -> None:
        """
        Both checkers accept a correct program. In a wrong program they report
        every fault, with a message that names it, and nothing else.
        """
        site = await self.install()
        for name, program in [
            ("right", RIGHT),
            ("declared", RIGHT_FOR_MYPY),
            ("wrong", WRONG),
        ]:
            (self.folder / f"{name}.py").write_text(program.lstrip(), "utf-8")
        await self.checkMypy(site)
        await self.checkDocumentation()
        await self.checkPyright(site)

    async def checkMypy(self, site: Path) -> None:
        """
        Check the programs with mypy.
        """
        self.environment["PYTHONPATH"] = str(site)
        (self.folder / "mypy.ini").write_text(SETTINGS, "utf-8")
        programs = ("right.py", "declared.py", "wrong.py")
        told, status = await self.run_("mypy", "--no-error-summary", *programs)
        self.assertEqual(status, 1, told)
        found = re.findall(r"^(\w+)\.py:(\d+): error: (.*)$", told, re.MULTILINE)
        faults = self.faults()
        expected = [("wrong", str(number)) for number in faults]
        self.assertEqual([(file, line) for file, line, _ in found], expected, told)
        for (_, line, message), part in zip(found, faults.values(), strict=True):
            self.assertIn(part, message, line)

    async def checkDocumentation(self) -> None:
        """
        Check the code of README.md and docs/ with the configuration that the
        documentation gives, and the programs of examples/ with C{strict = true} too.
        """
        shown = [block for page in PAGES for block in blocks(page)]
        (given,) = [block.text for block in shown if block.language == "ini"]
        documented, examples = self.folder / "documented", self.folder / "examples"
        documented.mkdir()
        for page in PAGES:
            code = [block.text for block in blocks(page) if block.language == "python"]
            name = page.stem.replace("-", "_").lower()
            (documented / f"{name}_page.py").write_text("\n".join(code), "utf-8")
        shutil.copytree(CHECKOUT / "examples", examples)
        for programs, more in ((documented, ""), (examples, "strict = true\n")):
            (self.folder / "given.ini").write_text(given + more, "utf-8")
            told, status = await self.run_("mypy", "--config-file", "given.ini", programs.name)
            self.assertEqual(status, 0, told)

    async def checkPyright(self, site: Path) -> None:
        """
        Check the programs with pyright.
        """
        settings = {
            "typeCheckingMode": "standard",
            "include": ["right.py", "wrong.py"],
            "extraPaths": [str(site)],
        }
        (self.folder / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
        told, status = await self.run_(
            "basedpyright", "--outputjson", "--pythonpath", sys.executable
        )
        self.assertEqual(status, 1, told)
        found = [
            (Path(each["file"]).name, each["range"]["start"]["line"] + 1)
            for each in json.loads(told)["generalDiagnostics"]
        ]
        lines = [line for line, part in self.faults().items() if ONLY_MYPY not in part]
        self.assertEqual(found, [("wrong.py", line) for line in lines], told)
