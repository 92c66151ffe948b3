# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What a peer writes reaches a terminal only in printable characters, wherever it
stands in a line of the log or in the text of an error.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import TimeoutError
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.lifecycle.test_listener import ListenerTestCase
from twisted_ovsdb import (
    DatabaseReplica,
    DatabaseSchema,
    OvsdbError,
    OvsdbListenerFactory,
    PeerSilent,
    SessionLost,
    SwitchChanged,
)
from twisted_ovsdb.command.options import Options
from twisted_ovsdb.lifecycle.trouble import ServerLog
from twisted_ovsdb.observers.log import LoggingObserver
from twisted_ovsdb.testing import MemoryServer, RecordingObserver, connectedFactory

HOSTILE = "\x1b[2J\u202e\n\x00!"
"""Clears a terminal, turns text around, begins a new line."""

STORABLE = HOSTILE.replace("\x00", "\x07")
"""The same without NUL, which a database cannot hold."""


class LinesTestCase(SynchronousTestCase):
    """
    Looks at all lines of the log.
    """

    def assertPrintable(self, logs: Any, atLeast: int) -> None:
        """
        Assert that each line of the log is printable, and that so many of them
        show the hostile text.
        """
        lines = [formatEvent(log) for log in logs]
        for line in lines:
            self.assertTrue(line.isprintable(), repr(line))
        shown = [line for line in lines if r"\x1b[2J\u202e" in line]
        self.assertGreaterEqual(len(shown), atLeast, lines)


class InterfacesTests(LinesTestCase):
    """
    Hostile text in the Interface table.
    """

    def test_log(self) -> None:
        """
        Names, types, errors, ids and options of interfaces, with a kind and
        without one.
        """
        server = MemoryServer()
        server.addBridge(f"br{STORABLE}")
        with capturedLogs() as logs:
            factory = connectedFactory(server, LoggingObserver(nameSource=True))
            hostile = {STORABLE: STORABLE, "iface-id": STORABLE}
            server.addPort(f"br{STORABLE}", f"vm{STORABLE}", external_ids=hostile)
            server.addPort(f"br{STORABLE}", f"no{STORABLE}", type=f"x{STORABLE}")
            for name in ("vm", "no"):
                server.setInterface(f"{name}{STORABLE}", error=STORABLE, ofport=-1)
            server.setInterface(f"vm{STORABLE}", type=STORABLE, options={STORABLE: STORABLE})
            server.deletePort(f"vm{STORABLE}")
            server.kill()
            server.advance(1)
            self.successResultOf(factory.stop())
        self.assertPrintable(logs, 7)

    def test_timeout(self) -> None:
        """
        The text of the timeout of whenReady.
        """
        server = MemoryServer()
        server.addBridge("br-int")
        factory = connectedFactory(server, RecordingObserver())
        server.addPort("br-int", f"vm{STORABLE}", iface_id="vm-1")
        for columns in ({}, {"error": STORABLE}, {"external_ids": {}, "type": STORABLE}):
            server.setInterface(f"vm{STORABLE}", **columns)
            late = factory.whenReady("vm-1", timeout=1)
            server.advance(1)
            text = str(self.failureResultOf(late, TimeoutError).value)
            self.assertTrue(text.isprintable(), repr(text))


class SwitchTests(ListenerTestCase, LinesTestCase):
    """
    Hostile text in the identity of a switch, and in its errors.
    """

    def test_identity(self) -> None:
        """
        A system-id and a host name in lines about sessions and refusals.
        """
        self.observer = LoggingObserver(nameSource=True)  # type: ignore[assignment]
        self.listen()
        with capturedLogs() as logs:
            switch = self.dial()
            switch.identify(HOSTILE, HOSTILE)
            switch.snapshot(1)
            clone = self.dial(host=2)
            clone.identify(HOSTILE)
            ((messageId, _),) = switch.requests()[-1:]
            switch.answer(messageId, [])
            switch.rename(HOSTILE * 2)
            switch.lose()
        self.assertPrintable(logs, 6)

    def test_errors(self) -> None:
        """
        Errors, unknown methods, notifications and replies.
        """
        messages: list[dict[str, Any]] = [
            {"id": 7, "method": HOSTILE, "params": []},
            {"id": None, "method": HOSTILE, "params": []},
            {"id": None, "method": "update", "params": [HOSTILE, {}]},
            {"id": HOSTILE, "result": {}, "error": None},
            {"id": 1, "error": {"error": HOSTILE, "details": HOSTILE}},
        ]
        with capturedLogs() as logs:
            switch = self.dial()
            for message in messages:
                switch.protocol.dataReceived(json.dumps(message).encode())
            switch.lose()
        self.assertPrintable(logs, 5)


class ErrorTests(LinesTestCase):
    """
    Hostile text in errors.
    """

    def test_everyClass(self) -> None:
        """
        The text of every error of the package is printable, whatever is put into
        it, such as a name in a certificate.
        """
        classes: list[type[Any]] = [OvsdbError]
        for class_ in classes:
            classes += class_.__subclasses__()
        self.assertGreater(len(classes), 10)
        for class_ in classes:
            count = len(inspect.signature(class_).parameters)
            arguments: Any = [HOSTILE] * count
            if class_ is SessionLost:
                arguments = [ValueError(HOSTILE)]
            text = str(class_(*arguments))
            self.assertTrue(text.isprintable(), f"{class_}: {text!r}")
            self.assertEqual(r"\x1b[2J" in text, count > 0, class_)

    def test_others(self) -> None:
        """
        An iface-id that somebody waits for, and the name of a schema, in errors
        of other classes.
        """
        server = MemoryServer()
        late = connectedFactory(server).whenReady(HOSTILE, timeout=1)
        server.advance(1)
        schema = DatabaseSchema.parse({"name": HOSTILE * 50, "version": "1.0.0", "tables": {}})
        for fault in (
            self.failureResultOf(late, TimeoutError).value,
            self.assertRaises(KeyError, DatabaseReplica, schema, ["Bridge"]),
        ):
            self.assertTrue(str(fault).isprintable(), fault)
            self.assertLess(len(str(fault)), 500)

    def test_commandLine(self) -> None:
        """
        A path in the line that the command prints.
        """
        for option in ("--endpoint", "--listen", "--events", "--column"):
            ended = self.assertRaises(
                SystemExit, Options().parseOptions, [option, HOSTILE, "--rules", HOSTILE]
            )
            self.assertTrue(str(ended).isprintable(), ended)
            self.assertIn(r"\x1b[2J\u202e", str(ended))


class SourceTests(LinesTestCase):
    """
    Hostile text in the path of a unix socket.
    """

    def test_server(self) -> None:
        """
        The path of a server, in the lines about its connections.
        """
        log = ServerLog(Clock().seconds)
        source = f"unix:/run/{HOSTILE}"
        with capturedLogs() as logs:
            log.synchronized(source, source)
            log.lost(source, source, SwitchChanged("a", "b"))
            for reason in (ConnectError(), PeerSilent("no answer")):
                log.failed(source, reason)
                log.waiting(source, 1.0)
            log.synchronized(source, source)
        self.assertPrintable(logs, 5)

    def test_switch(self) -> None:
        """
        The path to which a switch has bound its own socket before it connected.
        """
        listener = OvsdbListenerFactory(clock=Clock())
        address = UNIXAddress(f"/run/{STORABLE}".encode())
        with capturedLogs() as logs:
            protocol = listener.buildProtocol(address)
            assert protocol is not None
            protocol.makeConnection(StringTransport())
            protocol.connectionLost(Failure(ConnectionDone()))
        self.assertPrintable(logs, 1)
