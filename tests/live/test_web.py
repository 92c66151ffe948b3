# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
C{--http} of the command over a real Open vSwitch, without a browser: the time until a
port is ready, a unix socket, TLS and many clients.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from tests.fakes.pki import Authority
from tests.live.commandcase import Command, CommandTestCase
from twisted_ovsdb.web import metrics

PORTS = 30


def get(url: str, **headers: str) -> str:
    """
    The body of an answer, also of a refusal.
    """
    request = urllib.request.Request(url)
    for name, text in headers.items():
        request.add_header(name.replace("_", "-"), text)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError as e:
        return f"{e.code} {e.read().decode()}"


class WebTests(CommandTestCase):
    """
    What programs see.
    """

    vswitchd = True
    timeout = 120

    async def start(self, options: str) -> tuple[Command, str]:
        """
        Run the command, until it says where its page is.
        """
        command = self.monitor(options)
        found = await command.output.until(lambda line: "the page is on " in line)
        return command, found[-1].split("the page is on ")[1]

    async def get(self, url: str, **headers: str) -> str:
        """
        An answer.
        """
        return await deferToThread(get, url, **headers)

    async def until(self, url: str, text: str) -> str:
        """
        Wait until an answer has this text in it.
        """

        def wait() -> str:
            end = time.monotonic() + 20
            while text not in (found := get(url)):
                assert time.monotonic() < end, found
                time.sleep(0.05)
            return found

        return await deferToThread(wait)

    async def test_timeToReady(self) -> None:
        """
        The time until a port is ready is that between the two transactions in the
        database's own log.
        """
        if not metrics.INSTALLED:
            self.skipTest("prometheus_client is not installed")
        _, address = await self.start("--http 0")
        await self.until(address + "ready", "ok")
        before = await self.get(address + "metrics")
        for number in range(PORTS):
            ids = f"external_ids:iface-id=vm-{number}"
            await self.vsctl(f"add-port br-int t{number} -- set Interface t{number} {ids}")
        await self.until(address + "switches", f'"vm":{PORTS + 1}')
        await self.until(address + "interfaces?problem=any", '"matches":0')
        after = await self.get(address + "metrics")
        name = "ovsdb_monitor_time_to_ready_seconds"
        count = value(after, f"{name}_count") - value(before, f"{name}_count")
        told = value(after, f"{name}_sum") - value(before, f"{name}_sum")
        self.assertEqual(count, PORTS)
        # (On a busy machine, ovsdb-server may tell of both transactions at once.)
        truth = await deferToThread(self.truth)
        self.assertEqual(len(truth), PORTS)
        # Each end is seen within the time of a turn; a busy machine adds some.
        self.assertLess(abs(told - sum(truth)) / PORTS, 0.05)

    def truth(self) -> list[float]:
        """
        Of each port, the seconds from its row to its OpenFlow port, by the log.
        """
        log = self.ovs.run("ovsdb-tool", "-mm", "show-log", self.ovs.database)
        began: dict[str, float] = {}
        ended: dict[str, float] = {}
        for record in re.split(r"^record ", log, flags=re.MULTILINE)[1:]:
            stamp = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+)", record)
            if stamp is None:
                continue
            at = datetime.fromisoformat(stamp[1]).timestamp()
            parts = re.split(r"^  table ", record, flags=re.MULTILINE)[1:]
            for part in (p for p in parts if p.startswith("Interface")):
                row = re.match(r'Interface (?:insert )?row "?(t\d+)"?', part)
                if row is None:
                    continue
                if "insert row" in part.splitlines()[0]:
                    began[row[1]] = at
                if re.search(r"\bofport=\d", part):
                    ended.setdefault(row[1], at)
        return [ended[name] - began[name] for name in began if name in ended]

    async def test_unix(self) -> None:
        """
        A unix socket, which only its group can open.
        """
        command = self.monitor("--http unix:http.sock:mode=660")
        await command.output.until(lambda line: "the page is on unix:" in line)
        path = self.folder / "http.sock"
        self.assertEqual(path.stat().st_mode & 0o777, 0o660)

        def ask() -> bytes:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(20)
                client.connect(str(path))
                client.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
                found = b""
                while data := client.recv(65536):
                    found += data
                return found

        self.assertTrue((await deferToThread(ask)).endswith(b"ok\n"))

    async def test_tls(self) -> None:
        """
        On every address, with TLS, a token and a name.
        """
        pair = Authority(Path(self.folder.absolute())).issue("monitor")
        token = "0123456789abcdef"
        (self.folder / "token").write_text(token)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        command = self.monitor(
            f"--http ssl:{port}:privateKey={pair.privateKey}:certKey={pair.certificate}"
            " --http-token-file token --http-host monitor.example.com"
        )
        await command.output.until(
            lambda line: "the page is on https://monitor.example.com:" in line
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def ask(host: str, given: str) -> int:
            request = urllib.request.Request(f"https://127.0.0.1:{port}/health")
            request.add_header("Host", host)
            request.add_header("Authorization", f"Bearer {given}")
            try:
                with urllib.request.urlopen(request, timeout=20, context=context) as reply:
                    return int(reply.status)
            except urllib.error.HTTPError as e:
                return e.code

        self.assertEqual(await deferToThread(ask, "monitor.example.com", token), 200)
        self.assertEqual(await deferToThread(ask, "monitor.example.com", token + "x"), 401)
        self.assertEqual(await deferToThread(ask, "evil.example.com", token), 403)

    async def test_F101_manyClients(self) -> None:
        """
        A thousand clients that send nothing, and one with a request line of a
        megabyte, keep nobody away.
        """
        _, address = await self.start("--http 0")
        port = int(address.rstrip("/").rpartition(":")[2])

        def crowd() -> list[Any]:
            clients = []
            for _ in range(900):
                client = socket.create_connection(("127.0.0.1", port))
                client.sendall(b"GET /")
                clients.append(client)
            long = socket.create_connection(("127.0.0.1", port))
            with contextlib.suppress(OSError):  # It is cut off in the middle.
                long.sendall(b"a" * 1_000_000)
            return [*clients, long]

        clients = await deferToThread(crowd)
        begin = time.monotonic()
        self.assertEqual(await self.get(address + "health"), "ok\n")
        self.assertLess(time.monotonic() - begin, 5)
        for client in clients:
            client.close()


def value(text: str, name: str) -> float:
    """
    The value of a metric without labels.
    """
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, name
    return float(found[1])
