# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for the package as a whole: its names, its layers and its texts, and that
no check leaves out a module.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_ovsdb
from tools.pyproject import dependencies
from tools.unittests import NOT_UNIT, ONCE, unitTests

PACKAGE = Path(twisted_ovsdb.__file__).parent
CHECKOUT = PACKAGE.parent

CORE = ("errors", "datum", "ovsinterface", "events", "wire", "database", "openvswitch")
"""Modules and folders that do no I/O and read no clock."""

DocumentedNode = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def modules() -> dict[str, ast.Module]:
    """
    The parsed modules of the package, by their names within it. The C{__init__}
    of a folder has the name of the folder.
    """
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """
    The full names of all modules that are imported, also inside functions.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level and node.module is not None, "imports are absolute"
            if node.module != "twisted_ovsdb":
                yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def undocumented(tree: ast.Module | ast.ClassDef, where: str) -> Iterator[str]:
    """
    The public names without a docstring.
    """
    if ast.get_docstring(tree) is None:
        yield where
    for node in tree.body:
        if not isinstance(node, DocumentedNode) or node.name.startswith("_"):
            continue
        name = f"{where}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node, name)
        elif ast.get_docstring(node) is None and not isSetter(node):
            yield name


def ourFiles() -> list[Path]:
    """
    Every Python file of ours in the checkout, new ones included. git lists
    them, because the checkout also has environments and built files in it.
    """
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in told.split("\0") if name and (path := CHECKOUT / name).is_file()]


def isSetter(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """
    Whether a function is the setter of a property. The getter has the
    docstring.
    """
    return any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)


class NamesTests(SynchronousTestCase):
    """
    Tests for what C{import twisted_ovsdb} gives.
    """

    def test_public(self) -> None:
        """
        The public names are those that are promised, and no others.
        """
        promised = [
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
        self.assertEqual(sorted(twisted_ovsdb.__all__), sorted(promised))
        for name in promised:
            self.assertTrue(hasattr(twisted_ovsdb, name), name)

    def test_noReactor(self) -> None:
        """
        Importing a module of the package installs no reactor, because the
        application chooses one.
        """
        names = [f"twisted_ovsdb.{name}" for name in modules() if name != "__init__"]
        for imports in ("twisted_ovsdb", ", ".join(sorted(names))):
            program = f"import {imports}, sys; print('twisted.internet.reactor' in sys.modules)"
            child = subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONPATH": str(CHECKOUT)},
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((child.stdout, child.stderr), ("False\n", ""))

    def test_version(self) -> None:
        """
        setup.py, which only reads pyproject.toml, and the package have the
        same version.
        """
        child = subprocess.run(
            [sys.executable, "setup.py", "--version"],
            cwd=CHECKOUT,
            env={"PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(child.returncode, 0, child.stderr)
        self.assertEqual(child.stdout.split()[-1], twisted_ovsdb.__version__)


class LayersTests(SynchronousTestCase):
    """
    Tests for imports between modules. Their order, and that every module has a
    place in it, is checked by import-linter (C{make lint}).
    """

    def test_noFace(self) -> None:
        """
        No module of the package imports C{twisted_ovsdb} itself, because that
        imports all modules.
        """
        wrong = [
            f"{name}: {full}"
            for name, tree in modules().items()
            if name != "__init__"
            for full in imported(tree)
            if re.fullmatch(r"twisted_ovsdb(\.(?!_version)[A-Z_]\w*)?", full)
        ]
        self.assertEqual(wrong, [])

    def test_allCovered(self) -> None:
        """
        The checks that look at all modules also find those in folders. No
        folder is inside another folder, and every folder has an C{__init__.py}.
        """
        files = set(CHECKOUT.glob("twisted_ovsdb/**/*.py"))
        self.assertEqual(len(modules()), len(files))
        self.assertGreater(len(files), 60)
        for path in files:
            self.assertLessEqual(len(path.relative_to(PACKAGE).parts), 2, path)
            self.assertTrue((path.parent / "__init__.py").is_file(), path)

    def test_core(self) -> None:
        """
        The core imports neither Twisted nor modules for clocks, files or
        sockets.
        """
        forbidden = {"twisted", "time", "datetime", "os", "socket", "select", "io", "threading"}
        for name, tree in modules().items():
            if name.partition(".")[0] in CORE:
                roots = {full.partition(".")[0] for full in imported(tree)}
                self.assertEqual(roots & forbidden, set(), name)

    def test_noReactorAtModuleLevel(self) -> None:
        """
        No module imports the reactor except inside a function.
        """
        for name, tree in modules().items():
            top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
            names = [full for node in top for full in imported(node)]
            self.assertNotIn("twisted.internet.reactor", names, name)


class PluginTests(SynchronousTestCase):
    """
    Tests for our file among Twisted's plugins.
    """

    def test_noInit(self) -> None:
        """
        The plugin is the only file under C{twisted/}. An C{__init__.py} there
        would hide Twisted's own packages.
        """
        ours = [path.name for path in (CHECKOUT / "twisted").rglob("*.py")]
        self.assertEqual(ours, ["twisted_ovsdb_plugin.py"])

    def test_importsNothingOfOurs(self) -> None:
        """
        C{twistd --help} for another plugin does not load this package.
        """
        plugin = CHECKOUT / "twisted" / "plugins" / "twisted_ovsdb_plugin.py"
        names = set(imported(ast.parse(plugin.read_text("utf-8"))))
        self.assertEqual({name for name in names if name.startswith("twisted_ovsdb")}, set())
        self.assertIn("twisted.application.service.ServiceMaker", names)


class TextsTests(SynchronousTestCase):
    """
    Tests for what a reader of the source relies on.
    """

    def test_docstrings(self) -> None:
        """
        Every module, public class, function and method says what it is for.
        """
        missing = [
            name
            for module, tree in modules().items()
            if module != "_version"
            for name in undocumented(tree, module)
        ]
        self.assertEqual(missing, [])

    def test_copyright(self) -> None:
        """
        Every Python file starts with the copyright line and the licence line.
        """
        header = "# Copyright (c) The twisted_ovsdb authors.\n# See LICENSE for details.\n"
        texts = {str(path.relative_to(CHECKOUT)): path.read_text("utf-8") for path in ourFiles()}
        for name in ("setup.py", "noxfile.py", "tools/run.py", "tests/wire/test_jsonstream.py"):
            self.assertIn(name, texts)
        # An empty __init__.py needs no header.
        wrong = [path for path, text in texts.items() if text and not text.startswith(header)]
        self.assertEqual(wrong, [])

    def test_dependencies(self) -> None:
        """
        At run time the package needs only Twisted, attrs and zope.interface.
        """
        names = {re.split(r"[<>=!~ \[]", line)[0].lower() for line in dependencies()}
        self.assertEqual(names, {"twisted", "attrs", "zope.interface"})

    def test_lowerBounds(self) -> None:
        """
        Each dependency has one lower bound and no other limit. The matrix tests
        exactly this bound.
        """
        for line in dependencies():
            self.assertRegex(line, r"^[\w.]+>=[\d.]+$")


class TestsOfTestsTests(SynchronousTestCase):
    """
    Tests for the lists of tests: C{make unit} leaves out no unit test, and the
    matrix leaves out only those that do not depend on the interpreter.
    """

    def test_allRun(self) -> None:
        """
        C{make unit} runs every file of tests that is not in a folder with a
        command of its own.
        """
        tests = [path for path in ourFiles() if path.is_relative_to(CHECKOUT / "tests")]
        named = {str(path.relative_to(CHECKOUT)) for path in tests if isTests(path)}
        elsewhere = {name for name in named if name.split("/")[1] in NOT_UNIT}
        self.assertEqual(sorted(named - elsewhere), unitTests())
        self.assertGreater(len(unitTests()), 40)
        self.assertTrue(elsewhere)

    def test_found(self) -> None:
        """
        trial finds all tests: each folder is a package, and no test stands in a
        file that trial does not look into.
        """
        for path in ourFiles():
            if not path.is_relative_to(CHECKOUT / "tests"):
                continue
            self.assertTrue((path.parent / "__init__.py").is_file(), path)
            if not isTests(path):
                tree = ast.parse(path.read_text("utf-8"))
                names = [node.name for node in ast.walk(tree) if isinstance(node, DocumentedNode)]
                self.assertEqual([name for name in names if name.startswith("test_")], [], path)

    def test_folders(self) -> None:
        """
        Each folder of the package has a folder of tests with the same name.
        """
        folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
        tested = {Path(name).parts[1] for name in unitTests()}
        self.assertEqual(folders - tested, set())

    def test_matrix(self) -> None:
        """
        The matrix leaves out exactly the tests that are listed as independent
        of the interpreter.
        """
        left = set(unitTests()) - set(unitTests(matrix=True))
        self.assertEqual({Path(name).stem for name in left}, set(ONCE))

    def test_oneList(self) -> None:
        """
        C{make unit} and the matrix take their tests from the same list.
        """
        make = shutil.which("make")
        if make is not None:
            told = subprocess.run(
                [make, "--dry-run", "--always-make", "unit"],
                cwd=CHECKOUT,
                capture_output=True,
                text=True,
            ).stdout
            self.assertRegex(told, r"files=\$\(\S+ -m tools\.unittests\) && .*trial \$files\n")
        noxfile = (CHECKOUT / "noxfile.py").read_text("utf-8")
        self.assertIn('"tools.unittests", "--matrix"', noxfile)


def isTests(path: Path) -> bool:
    """
    Whether trial looks for tests in a file.
    """
    return re.fullmatch(r"test_.*\.py", path.name) is not None
