# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for README.md and docs/. Every example runs, twistd accepts every command
line, and every line of JSON has the keys that the package writes.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import types
import unittest
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.fakes.documented import CHECKOUT, PAGES, PRINTS, Block, blocks, commands
from tests.test_examples import Program
from tools.openvswitch import freePort
from twisted_ovsdb.events import (
    UNIDENTIFIED,
    Event,
    ForgetReason,
    SwitchForgotten,
    SwitchIdentity,
)
from twisted_ovsdb.observers.base import OvsdbEventObserver
from twisted_ovsdb.observers.jsonlines import JSONLinesObserver, eventToJSON
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)

README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"
UNIT = DOCS / "ovsdb-monitor.service"

UNLINKED = ("api", "index")
"""Pages in which public names need not be links."""


class Page:
    """
    A page whose examples are run, one after another, as in one module.

    @ivar names: the names that its examples have defined.
    @ivar ran: how many examples have been run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # Not "__main__": a reactor is running already.
        self.names: dict[str, Any] = {"__name__": f"documented_{path.stem.replace('-', '_')}"}
        self.ran = 0

    def run(self) -> None:
        """
        Run all examples, and compare what they print with what the page says.
        """
        printed = io.StringIO()
        for block in blocks(self.path):
            if block.language == "python":
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    self._execute(block)
                self.ran += 1
            elif block.caption == PRINTS:
                where = f"{self.path.name}, line {block.line}"
                assert printed.getvalue() == block.text, (
                    f"{where} says:\n{block.text}and this is printed:\n{printed.getvalue()}"
                )

    def _execute(self, block: Block) -> None:
        # With these empty lines before it, a traceback shows the line of the page.
        code = compile("\n" * (block.line - 1) + block.text, str(self.path), "exec")
        exec(code, self.names)

    def cases(self) -> Iterator[type[unittest.TestCase]]:
        """
        The test cases that its examples define.
        """
        for value in self.names.values():
            if isinstance(value, type) and value.__module__ == self.names["__name__"]:
                if issubclass(value, unittest.TestCase):
                    yield value


def ran(path: Path) -> Page:
    """
    A page whose examples have been run.
    """
    page = Page(path)
    page.run()
    return page


class Hasty:
    """
    A reactor that makes a call at once if an example wants it after a minute.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def callLater(self, delay: float, *args: Any, **kwargs: Any) -> Any:
        """Schedule a call."""
        return self._reactor.callLater(0 if delay == 60 else delay, *args, **kwargs)


class PythonTests(TestCase):
    """
    Tests for the examples in Python.
    """

    def assertRuns(self, name: str, count: int) -> None:
        """
        Fail unless a page has at least this many examples and all work.
        """
        self.assertGreaterEqual(ran(CHECKOUT / name).ran, count)

    def test_readme(self) -> None:
        """
        README.md's example works as it stands.
        """
        self.assertRuns("README.md", 1)

    def test_gettingStarted(self) -> None:
        """
        The first page's examples work and print what it says.
        """
        self.assertRuns("docs/getting-started.rst", 2)

    def test_observers(self) -> None:
        """
        The examples about observers, ready ports and slow observers work.
        """
        self.assertRuns("docs/observers.rst", 5)

    def test_events(self) -> None:
        """
        The examples about kinds of interfaces and about an outage work.
        """
        self.assertRuns("docs/events.rst", 3)

    def test_tables(self) -> None:
        """
        The examples about replicas work.
        """
        self.assertRuns("docs/tables.rst", 2)

    def test_testing(self) -> None:
        """
        The examples about the server in memory work.
        """
        self.assertRuns("docs/testing.rst", 5)

    def test_lock(self) -> None:
        """
        The example of two monitors that share a switch works.
        """
        self.assertRuns("docs/lock.rst", 1)

    def test_recipes(self) -> None:
        """
        Every recipe works and prints what it says.
        """
        self.assertRuns("docs/recipes.rst", 13)

    def test_complete(self) -> None:
        """
        No example is left out. Every block that is marked as Python is found,
        and is on a page whose examples are run. No Python stands in a block
        without a mark.
        """
        total = 0
        for path in PAGES:
            text = path.read_text("utf-8")
            marked = re.findall(r"^\s*(?:```|.. code-block:: |.. sourcecode:: )py", text, re.M)
            found = [block for block in blocks(path) if block.language == "python"]
            self.assertEqual(len(found), len(marked), path.name)
            if path.name in ("index.rst", "comparison.rst", "design.rst", "api.rst", "twistd.rst"):
                self.assertEqual(found, [], path.name)
            total += len(found)
            plain = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
            hidden = re.findall(r"^ {4}(?:import|from \w+ import|class|def) .*", plain, re.M)
            self.assertEqual(hidden, [], path.name)
        self.assertGreaterEqual(total, 30)

    def test_cases(self) -> None:
        """
        The test cases that the documentation shows pass, and an observer with
        its tests takes less than 40 lines.
        """
        example = next(block for block in blocks(DOCS / "testing.rst"))
        self.assertLess(len(example.text.splitlines()), 40)
        cases = list(ran(DOCS / "testing.rst").cases())
        self.assertEqual(len(cases), 1)
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(cases[0]).run(result)
        self.assertEqual((result.errors, result.failures), ([], []))
        self.assertEqual(result.testsRun, 2)

    async def test_restart(self) -> None:
        """
        The test of a restart that the documentation shows passes.
        """
        (case,) = ran(DOCS / "state.rst").cases()
        await vars(case)["test_restart"](case("test_restart"))

    async def _main(self, path: Path) -> list[str]:
        """
        Run the C{main} of a page against a server on a socket.

        @return: the lines that it prints.
        """
        from twisted.internet import reactor

        server = MemoryServer()
        server.addBridge("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=7)
        port = await server.listen(serverFromString(reactor, "tcp:0:interface=127.0.0.1"))
        address: Any = port.getHost()
        printed = io.StringIO()
        page = ran(path)
        try:
            with contextlib.redirect_stdout(printed):
                await page.names["main"](Hasty(reactor), f"tcp:127.0.0.1:{address.port}")
        finally:
            await maybeDeferred(port.stopListening)
        return printed.getvalue().splitlines()

    async def test_mains(self) -> None:
        """
        The programs that README.md and the first page show work against a
        server, and close what they have opened.
        """
        for path in (README, DOCS / "getting-started.rst"):
            lines = await self._main(path)
            self.assertIn("2 interfaces", lines)
            self.assertTrue(any(line.startswith("plug vm-1 7") for line in lines), lines)


class ProgramTests(TestCase):
    """
    The programs that README.md and the first page show, as a user runs them.
    """

    timeout = 30

    async def test_noServer(self) -> None:
        """
        If no server answers, the program says so at once, and waits.
        """
        for page in (README, DOCS / "getting-started.rst"):
            code = next(block.text for block in blocks(page) if block.language == "python")
            path = Path(self.mktemp())
            path.write_text(code.replace("6640", str(freePort())), "utf-8")
            program = Program(sys.executable, str(path))
            self.addCleanup(program.kill)
            await program.line("Connection was refused")
            self.assertIsNone(program.status)


class JQTests(SynchronousTestCase):
    """
    The programs for jq that README.md and docs/ show.
    """

    def test_ready(self) -> None:
        """
        Each VM is printed once, when it is ready, also if it was so before the
        start. An outage prints none of them again.
        """
        if (jq := shutil.which("jq")) is None:
            raise SkipTest("jq is not installed")
        lines: list[bytes] = []
        server = MemoryServer()
        server.addBridge("br-int")
        server.addPort("br-int", "tap1", iface_id="vm-1", ofport=1)
        connectedFactory(server, JSONLinesObserver(lines.append), bridges=True)
        server.addPort("br-int", "tap2", iface_id="vm-2")
        server.assignOfport("tap2", 2)
        server.setInterface("tap2", options={"key": "1"})
        server.restart()
        server.advance(10)
        lines.insert(0, b'{"event":"started","version":"0.1.0","run":"r","resumed":false}\n')
        programs = [
            re.search(r"jq -r --unbuffered \\\n\s+'(.*)'", page.read_text("utf-8"))
            for page in (README, DOCS / "twistd.rst")
        ]
        for program in programs:
            assert program is not None
            done = subprocess.run(
                [jq, "-r", program[1]], input=b"".join(lines), capture_output=True, check=True
            )
            self.assertEqual(done.stdout, b"vm-1\tbr-int\t1\nvm-2\tbr-int\t2\n")


class CommandTests(SynchronousTestCase):
    """
    Tests for the command lines.
    """

    def setUp(self) -> None:
        """
        Provide the modules that C{--observer} names in the texts.
        """
        self.patch(sys, "path", [str(CHECKOUT / "examples"), *sys.path])
        self.addCleanup(sys.modules.pop, "observer_module", None)
        mine = types.ModuleType("mymodule")
        mine.MyObserver = OvsdbEventObserver  # type: ignore[attr-defined]
        sys.modules["mymodule"] = mine
        self.addCleanup(sys.modules.pop, "mymodule")

    def test_parse(self) -> None:
        """
        twistd accepts every command line that the texts show.
        """
        count = 0
        for path in [*PAGES, UNIT]:
            for own, ours in commands(path):
                if "--events" in ours and (place := ours.index("--events") + 1):
                    # Events go to a file of the test, not to the file that the text names.
                    ours[place] = ours[place] if ours[place] == "-" else self.mktemp()
                if "--http-token-file" in ours and (place := ours.index("--http-token-file") + 1):
                    ours[place] = self.mktemp()
                    Path(ours[place]).write_text("0123456789abcdef")
                if "--help" in ours:
                    continue
                options = ServerOptions()
                try:
                    options.parseOptions([*own, "ovsdb-monitor", *ours])
                except SystemExit as e:
                    self.fail(f"{path.name}: {' '.join(ours)}: {e}")
                count += 1
        self.assertGreaterEqual(count, 14)

    def test_unit(self) -> None:
        """
        The unit for systemd starts one daemon that stays in the foreground.
        """
        ((own, ours),) = commands(UNIT)
        self.assertIn("--nodaemon", own)
        self.assertIn("--endpoint", ours)

    def test_logrotate(self) -> None:
        """
        logrotate rotates the file that the unit writes, leaves it to the unit to
        make the new one, and reloads the unit, which is SIGHUP.
        """
        ((_, ours),) = commands(UNIT)
        text = (DOCS / "ovsdb-monitor.logrotate").read_text("ascii")
        self.assertIn(f"\n{ours[ours.index('--events') + 1]} {{\n", text)
        self.assertIn("\n    nocreate\n", text)
        self.assertIn(f"systemctl reload {UNIT.name}\n", text)
        self.assertIn("\nExecReload=/bin/kill -HUP $MAINPID\n", UNIT.read_text("ascii"))


def oneOfEach() -> dict[str, list[dict[str, Any]]]:
    """
    Objects of JSON Lines by their C{event}, from a session that has each event
    at least once.
    """
    server, observer = MemoryServer(), RecordingObserver()
    server.addBridge("br-int")
    connectedFactory(server, observer, problemsAfter=30.0)
    row = {"next_cfg": 1}
    server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})
    server.addPort("br-int", "tap1", iface_id="vm-1")
    server.advance(30)
    row = {"cur_cfg": 1}
    server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})
    server.advance(30)
    server.assignOfport("tap1")
    server.deletePort("tap1")
    server.kill()
    found: dict[str, list[dict[str, Any]]] = {}
    identity = SwitchIdentity("s-1", "host", "tcp:10.0.0.1:1")
    forgotten = SwitchForgotten(ForgetReason.AGE, "s-1", identity=identity)
    for event in (*observer.take(), forgotten):
        value = asJSON(event)
        found.setdefault(value["event"], []).append(value)
    return found


def asJSON(event: Event) -> dict[str, Any]:
    """
    The object that a line of JSON has for an event.
    """
    value: dict[str, Any] = json.loads(json.dumps(eventToJSON(event, NOW)))
    return value


def keys(value: dict[str, Any]) -> set[str]:
    """
    The keys of an object of JSON Lines and of the interface in it.
    """
    return set(value) | {f"interface.{key}" for key in value.get("interface") or ()}


class LinesTests(SynchronousTestCase):
    """
    Tests for the JSON Lines that the texts show.
    """

    def test_docs(self) -> None:
        """
        Each sample in docs/ has exactly the keys that the observer writes.
        """
        real = oneOfEach()
        samples = [
            json.loads(line)
            for path in PAGES
            for block in blocks(path)
            if block.language == "json"
            for line in block.text.splitlines()
        ]
        self.assertEqual(len(samples), 7)
        for sample in samples:
            # One key depends on whether the event makes its interface ready, and
            # a problem of the switch has no interface.
            alike = [
                value
                for value in real[sample["event"]]
                if (value.get("interface") is None) == (sample.get("interface") is None)
            ]
            wanted = keys(alike[0]) - {"became_ready"}
            self.assertEqual(keys(sample) - {"became_ready"}, wanted, sample["event"])

    def test_readme(self) -> None:
        """
        The samples in README.md are shortened. Together they have exactly the
        keys that the observer writes.
        """
        section = README.read_text("utf-8").split("## JSON Lines")[1].split("\n## ")[0]
        shown = set(re.findall(r'"(\w+)":', section))
        real = {key for values in oneOfEach().values() for value in values for key in keys(value)}
        columns = {"ofport", "bridge", "vm"}  # in changes and counts
        self.assertEqual(shown | columns, {key.split(".")[-1] for key in real} | columns)

    def test_identity(self) -> None:
        """
        Events have the identity of the switch, and their JSON has the keys
        system_id and hostname, as the texts say.
        """
        server, observer = MemoryServer(), RecordingObserver()
        server.transact(
            {
                "op": "update",
                "table": "Open_vSwitch",
                "where": [],
                "row": {"external_ids": ["map", [["system-id", "s1"], ["hostname", "h1"]]]},
            }
        )
        connectedFactory(server, observer, identify=True)
        (event,) = observer.expect("synchronized")
        self.assertEqual(event.identity, SwitchIdentity("s1", "h1"))
        self.assertNotEqual(event.identity, UNIDENTIFIED)
        self.assertLessEqual({"system_id", "hostname"}, set(asJSON(event)))


class HouseTests(SynchronousTestCase):
    """
    Tests for the page that explains the design.
    """

    page = (DOCS / "design.rst").read_text("utf-8")

    def layers(self) -> list[set[str]]:
        """
        The rooms in the contract of import-linter, from the top layer down.
        C{|} or C{:} separates the rooms of one layer.
        """
        contracts = (CHECKOUT / "pyproject.toml").read_text("utf-8")
        found = re.search(r"^layers = \[(.*?)^\]", contracts, re.M | re.S)
        assert found is not None
        return [
            set(re.split(r"\s*[|:]\s*", each)) for each in re.findall(r'"(.+)"', found.group(1))
        ]

    def test_picture(self) -> None:
        """
        The picture shows every room, in the order that import-linter checks.
        """
        picture = (DOCS / "_static" / "rooms.svg").read_text("utf-8")
        drawn: dict[int, set[str]] = {}
        for name, y in re.findall(r'<g data-room="(\w+)">\s*<rect x="\d+" y="(\d+)"', picture):
            drawn.setdefault(int(y), set()).add(name)
            self.assertIn(f">{name}</text>", picture)
        self.assertEqual([drawn[y] for y in sorted(drawn)], self.layers())

    def test_table(self) -> None:
        """
        The table lists every room in the same order, and every room is a folder
        or a module.
        """
        table = self.page.split("\nroom  ")[1].split("\n\n")[0]
        rooms = re.findall(r"^``(\w+)``", table, re.M)
        self.assertEqual(set(rooms), {room for layer in self.layers() for room in layer})
        position = {room: at for at, layer in enumerate(self.layers()) for room in layer}
        self.assertEqual(rooms, sorted(rooms, key=position.__getitem__))
        for room in rooms:
            place = CHECKOUT / "twisted_ovsdb" / room
            self.assertTrue(place.is_dir() or place.with_suffix(".py").is_file(), room)

    def test_modules(self) -> None:
        """
        The page sends a newcomer to ten modules, and every module that it names
        exists.
        """
        hour = self.page.split("The newcomer's hour\n")[1]
        self.assertEqual(len(re.findall(r"^\d+\. ``\S+\.py``:", hour, re.M)), 10)
        for name in re.findall(r"``([\w/]+\.py)``", self.page):
            roots = (CHECKOUT, CHECKOUT / "twisted_ovsdb")
            self.assertTrue(any((root / name).is_file() for root in roots), name)


class FilesTests(SynchronousTestCase):
    """
    Tests for what the pages refer to.
    """

    def test_pages(self) -> None:
        """
        Every page is in the table of contents, and every file that a page
        includes or names exists.
        """
        index = (DOCS / "index.rst").read_text("utf-8")
        for path in DOCS.glob("*.rst"):
            if path.stem != "index":
                self.assertRegex(index, rf"(?m)^   {path.stem}$")
        for path in PAGES:
            text = path.read_text("utf-8")
            for name in re.findall(r"^\.\. (?:literalinclude|image):: (\S+)", text, re.M):
                self.assertTrue((DOCS / name).is_file(), name)
            for name in re.findall(r"\b(?:examples|docs|benchmarks)/[\w.-]+\.\w+", text):
                self.assertTrue((CHECKOUT / name).is_file(), name)

    def test_publicNames(self) -> None:
        """
        The reference has every public name.
        """
        import twisted_ovsdb

        reference = (DOCS / "api.rst").read_text("utf-8")
        shown = set(
            re.findall(r"^\.\. auto\w+:: (?:twisted_ovsdb\.)?(\w+)(?:\(\))?$", reference, re.M)
        )
        self.assertEqual(set(twisted_ovsdb.__all__) - {"__version__"} - shown, set())

    def test_links(self) -> None:
        """
        A public name in the text of a page is a link to the reference. Every
        link to the reference has a target, and every link to the glossary has
        an entry there.
        """
        import twisted_ovsdb
        from twisted_ovsdb import testing

        names = set(twisted_ovsdb.__all__) | set(testing.__all__)
        terms = set(
            re.findall(r"^   (\w[\w -]*)$", (DOCS / "glossary.rst").read_text("utf-8"), re.M)
        )
        for path in sorted(DOCS.glob("*.rst")):
            text = re.sub(r"(?m)^\.\. code-block::.*\n(?:   .*\n|\n)+", "", path.read_text("utf-8"))
            plain = set(re.findall(r"(?<!`)``(\w+)(?:\(.*?\))?``", text)) & names
            if path.stem not in UNLINKED:
                linked = set(
                    re.findall(r":py:\w+:`[^`]*?~?(?:twisted_ovsdb\.)?(\w+)[\w.]*>?`", text)
                )
                self.assertEqual(plain - linked, set(), path.name)
            for target in re.findall(r":py:\w+:`(?:[^`<]*<)?~?([\w.]+)>?`", text):
                self.assertTrue(self.isPublic(target), f"{path.name}: {target}")
            for term in re.findall(r":term:`(?:[^`<]*<)?([^`<>]+)>?`", text):
                self.assertIn(" ".join(term.split()), terms, path.name)

    def isPublic(self, name: str) -> bool:
        """
        Whether a dotted name exists in one of the public modules.
        """
        import twisted_ovsdb
        from twisted_ovsdb import testing

        name = name.removeprefix("twisted_ovsdb.").removeprefix("testing.")
        for module in (twisted_ovsdb, testing):
            if name.split(".")[0] in module.__all__:
                found: Any = module
                for part in name.split("."):
                    found = getattr(found, part, None)
                return found is not None
        return False
