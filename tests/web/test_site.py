# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Tests for L{twisted_ovsdb.web.site}: what is found at which path, and who may ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from twisted.web.http_headers import Headers

from tests.web.webcase import WebTestCase, configure, parsed
from twisted_ovsdb import OvsdbMonitorFactory
from twisted_ovsdb.testing import connectedFactory
from twisted_ovsdb.web import connections, site
from twisted_ovsdb.web.door import Door
from twisted_ovsdb.web.readiness import GRACE


def broken(*arguments: object) -> Iterator[bytes]:
    """
    An answer with a bug in it.
    """
    yield b"{"
    raise ZeroDivisionError


@attrs.define
class Asked:
    """
    A request for /health.
    """

    requestHeaders: Headers
    method: bytes = b"GET"
    path: bytes = b"/health"


class PathTests(WebTestCase):
    """
    What is found where.
    """

    def test_health(self) -> None:
        """
        The program is healthy while the reactor turns.
        """
        reply = self.get("/health")
        self.assertEqual((reply.status, reply.text), (200, "ok\n"))

    def test_ready(self) -> None:
        """
        It is ready when each endpoint was in sync once; ?all asks for each switch now.
        """
        self.assertEqual(self.get("/ready").status, 200)
        self.server.kill()
        self.assertEqual(self.get("/ready").status, 200)
        reply = self.get("/ready?all")
        self.assertEqual((reply.status, reply.text), (503, "sw1 is not in sync\n"))
        self.service.checks.append(lambda: "the broker is away")
        reply = self.get("/ready")
        self.assertEqual((reply.status, reply.text), (503, "the broker is away\n"))

    def test_interfaces(self) -> None:
        """
        Interfaces are found by a part of their texts; the answer has the id of the
        last event that it surely holds.
        """
        self.server.addBridge("br-int")
        for number in range(3):
            self.server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}")
        found = self.get("/interfaces?text=VM-1&kind=vm").json
        [row] = found["interfaces"]
        self.assertEqual(found["id"], self.service.watch.recent.id)
        self.assertEqual((found["matches"], found["next"]), (1, None))
        self.assertEqual((row["switch"], row["problems"]), ("sw1", []))
        self.assertEqual(row["interface"]["name"], "tap1")
        self.assertEqual(row["interface"]["bridge"], "br-int")

    def test_problems(self) -> None:
        """
        What --report finds is found here too: a port of any kind or of none, with all
        its problems, since when, and in a few words; and a problem of the switch.
        """
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.addPort("br-int", "tap2", iface_id="vm-1", ofport=7)
        self.server.addPort("br-int", "eth7", type="nonsense", ofport=-1, error="unknown type")
        configure(self.server, 2, 1)
        began = self.clock.seconds()
        self.assertEqual(self.get("/interfaces?problem=any").json["matches"], 0)
        self.clock.advance(30)
        found = {
            row["interface"]["name"]: [
                (problem["problem"], problem["since"], problem["detail"])
                for problem in row["problems"]
            ]
            for row in self.get("/interfaces?problem=any").json["interfaces"]
        }
        self.assertEqual(
            found,
            {
                "eth7": [("failed", began, "unknown type")],
                "tap1": [
                    ("pending", began, "no OpenFlow port"),
                    ("duplicate-iface-id", began, "iface-id vm-1 is also on tap2"),
                ],
                "tap2": [("duplicate-iface-id", began, "iface-id vm-1 is also on tap1")],
            },
        )
        for problem, names in (("failed", ["eth7"]), ("pending", ["tap1"])):
            answer = self.get(f"/interfaces?problem={problem}").json
            self.assertEqual([row["interface"]["name"] for row in answer["interfaces"]], names)
        self.assertEqual(self.get("/interfaces?problem=any&text=eth&kind=vm").json["matches"], 0)
        names = [row["interface"]["name"] for row in self.get("/interfaces").json["interfaces"]]
        self.assertEqual(names, ["br-int", "eth7", "tap1", "tap2"])
        [switch] = self.get("/switches").json["switches"]
        counts = {"failed": 1, "pending": 1, "duplicate-iface-id": 2, "not-applying": 1}
        self.assertEqual(switch["problem_counts"], counts)
        [own] = switch["problems"]
        self.assertEqual((own["problem"], own["since"]), ("not-applying", began))
        self.server.kill()
        self.assertEqual(self.get("/interfaces?problem=any").json["matches"], 0)
        [switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["problems"], switch["problem_counts"]), ([], {}))

    def test_hidden(self) -> None:
        """
        With --bridge, problems on other bridges are not shown.
        """
        self.service.wants = lambda interface: interface.bridge == "br-int"
        self.service.stopService()
        self.service.startService()
        for bridge in ("br-int", "br-ex"):
            self.server.addBridge(bridge)
            self.server.addPort(bridge, f"eth-{bridge}", type="x", ofport=-1, error="no")
        self.clock.advance(30)
        [row] = self.get("/interfaces?problem=any").json["interfaces"]
        self.assertEqual(row["interface"]["name"], "eth-br-int")

    def test_pages(self) -> None:
        """
        What does not fit into one answer follows in the next one, in order.
        """
        self.server.addBridge("br-int")
        for number in range(5):
            self.server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}")
        names, path = [], "/interfaces?kind=vm&limit=2"
        following: str | None = ""
        while following is not None:
            found = self.get(path + (f"&after={following}" if following else "")).json
            names.append([row["interface"]["name"] for row in found["interfaces"]])
            following = found["next"]
        self.assertEqual(names, [["tap0", "tap1"], ["tap2", "tap3"], ["tap4"]])

    def test_secrets(self) -> None:
        """
        The web shows no secrets: every user of the host may read it.
        """
        options = {"remote_ip": "192.0.2.1", "psk": "very secret"}
        stream = self.request("/events")
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "df1", type="vxlan", options=options)
        self.clock.advance(0.1)
        self.assertIn(b'"psk":"***"', stream.value())
        self.assertNotIn(b"very secret", stream.value())
        self.assertNotIn("very secret", self.get("/interfaces").text)

    def test_wrongArguments(self) -> None:
        """
        An argument that is wrong is said, and does not stay without effect.
        """
        for path, said in (
            (
                "/interfaces?kind=x",
                "kind: expected a kind (bridge, vm, tunnel, patch), got 'x'",
            ),
            (
                "/interfaces?problem=x",
                "problem: must be one of any, failed, pending, duplicate-iface-id, one-sided-patch",
            ),
            ("/interfaces?limit=0", "limit: must be a whole number from 1 to 1000"),
            ("/interfaces?limit=1001", "limit: must be a whole number from 1 to 1000"),
            ("/interfaces?after=x", "after: not what an answer has in next"),
            ("/interfaces?after=WzFd", "after: not what an answer has in next"),
            ("/interfaces?nmae=x", "nmae: there is no such argument"),
            ("/interfaces?text=a&text=b", "text: may be given once"),
            ("/interfaces?text=%ff", "the arguments are not UTF-8"),
            ("/interfaces?text=" + "a" * 201, "text: has more than 200 characters"),
            ("/ready?some", "some: there is no such argument, or it is given twice"),
            ("/events?last=201", "last: must be a number from 0 to 200"),
        ):
            reply = self.get(path)
            self.assertEqual((reply.status, reply.text), (400, said + "\n"), path)

    def test_switches(self) -> None:
        """
        Each switch is shown with its state and its counts.
        """
        self.server.addBridge("br-int")
        [switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["switch"], switch["in_sync"]), ("sw1", True))
        self.assertEqual(switch["counts"], {"bridge": 1, "vm": 0, "tunnel": 0, "patch": 0})
        self.server.kill()
        [switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["in_sync"], switch["disconnects"]), (False, 1))
        self.assertEqual(switch["counts"]["bridge"], 1)
        self.assertIn("closed", switch["reason"])

    def test_switchesWithLock(self) -> None:
        """
        A switch for which this monitor stands by is shown as in sync, with what it has.
        Without a lock, there is nothing to stand by.
        """
        self.server.addBridge("br-int")
        [switch] = self.get("/switches").json["switches"]
        self.assertIsNone(switch["speaking"])
        self.server.stealLock("fleet")
        options = {"clock": self.clock, "lock": "fleet", "instance": "a", "source": "sw2"}
        factory = connectedFactory(self.server, self.service.watch, **options)
        self.service.monitored.append(factory)
        self.server.advance(2)
        [_, switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["in_sync"], switch["speaking"]), (True, False))
        self.assertEqual((switch["counts"]["bridge"], switch["reason"]), (1, None))
        self.server.freeLock("fleet")
        [_, switch] = self.get("/switches").json["switches"]
        self.assertEqual((switch["in_sync"], switch["speaking"]), (True, True))
        self.assertEqual(switch["counts"]["bridge"], 1)
        factory.stop()

    def test_page(self) -> None:
        """
        The page and what belongs to it.
        """
        for path, type in (("/", "text/html"), ("/page.js", "text/javascript")):
            reply = self.get(path)
            self.assertEqual(reply.status, 200)
            self.assertTrue(reply.headers["content-type"].startswith(type))
            self.assertIn("default-src 'none'", reply.headers["content-security-policy"])
            self.assertNotIn("access-control-allow-origin", reply.headers)

    def test_light(self) -> None:
        """
        The page has less than 30 kB in all, names nothing outside, and sets texts as
        text only.
        """
        parts = [self.get(path) for path in site.PAGE]
        self.assertLess(sum(len(part.body) for part in parts), 30_000)
        forbidden = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(")
        for word in (*forbidden, "http:", "https:", "style=", "onclick="):
            for part in parts:
                self.assertNotIn(word, part.text)

    def test_head(self) -> None:
        """
        HEAD answers as GET, without the body.
        """
        for path in ("/", "/health", "/switches", "/interfaces", "/events", "/metrics", "/none"):
            transport = self.request(path, method="HEAD")
            self.turn()
            head, _, body = transport.value().partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 "), path)
            self.assertEqual(body, b"", path)
            transport.lose()

    def test_withoutLibrary(self) -> None:
        """
        Without prometheus_client, /metrics says what to install.
        """
        self.patch(site, "INSTALLED", False)
        reply = self.get("/metrics")
        self.assertEqual(reply.status, 501)
        self.assertIn("pip install 'twisted_ovsdb[metrics]'", reply.text)

    def test_bug(self) -> None:
        """
        A bug in an answer is logged, and the client is cut off; an error page shows
        nothing of the program.
        """
        self.patch(site, "find", broken)
        transport = self.request("/interfaces")
        self.turn()
        self.assertTrue(transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.service.checks.append(lambda: str(1 / 0))
        reply = self.get("/ready")
        self.assertEqual(reply.status, 500)
        self.assertNotIn("Zero", reply.text)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class TwoEndpointsTests(WebTestCase):
    """
    Two endpoints that lead to one switch.
    """

    def makeFactory(self) -> OvsdbMonitorFactory:
        """
        Two factories: one is monitored here.
        """
        row = {"external_ids": ["map", [["system-id", "sw1"]]]}
        self.server.transact({"op": "update", "table": "Open_vSwitch", "where": [], "row": row})
        options: dict[str, Any] = {"identify": True, "bridges": True, "problemsAfter": 30.0}
        first, self.second = (
            connectedFactory(self.server, self.service.watch, source=source, **options)
            for source in ("tcp:a", "tcp:b")
        )
        self.service.monitored.append(self.second)
        return first

    def test_counts(self) -> None:
        """
        It is counted once what the switch has, and the switch is in sync while one of
        them is.
        """
        self.server.addBridge("br-int")
        self.server.addPort("br-int", "tap1", iface_id="vm-1")
        self.server.advance(30)
        [switch] = self.get("/switches").json["switches"]
        self.assertEqual(switch["counts"], {"bridge": 1, "vm": 1, "tunnel": 0, "patch": 0})
        self.assertEqual(switch["problem_counts"], {"pending": 1})
        self.second.stop()
        self.server.deletePort("tap1")
        [switch] = self.get("/switches").json["switches"]
        self.assertTrue(switch["in_sync"])
        self.assertEqual((switch["source"], switch["counts"]["vm"]), ("tcp:a", 0))


class GraceTests(WebTestCase):
    """
    An endpoint that is never in sync.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server.kill()
        self.factory.monitor._server.wasInSync = False

    def test_grace(self) -> None:
        """
        After 30 s, the rest is for /ready?all to tell.
        """
        reply = self.get("/ready")
        self.assertEqual((reply.status, reply.text), (503, "sw1 has not been in sync yet\n"))
        self.clock.advance(GRACE)
        self.assertEqual(self.get("/ready").status, 200)
        self.assertEqual(self.get("/ready?all").status, 503)


class DoorTests(WebTestCase):
    """
    Who may ask.
    """

    hosts = ("monitor.example.com",)

    def test_F102_hosts(self) -> None:
        """
        Only known names lead here: those of the loopback address, the address of the
        connection, and those of C{--http-host}.
        """
        host: str | None
        for host in ("localhost", "127.0.0.1:80", "[::1]:80", "LOCALHOST.", "192.0.2.7:8080"):
            self.assertEqual(self.get("/health", host=host).status, 200, host)
        self.assertEqual(self.get("/health", host="Monitor.Example.com:1").status, 200)
        for host in ("evil.example", "localhost.evil.example", "192.0.2.8", "monitor"):
            reply = self.get("/", host=host)
            self.assertEqual(reply.status, 403, host)
            self.assertIn("--http-host", reply.text)
        for host in (None, "", "a b", "[::1", "localhost:x"):
            self.assertEqual(self.get("/", host=host).status, 400 if host != "a b" else 403, host)

    def test_twoHosts(self) -> None:
        """
        Two names are no name.
        """
        transport = self.connect()
        self.send(transport, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n")
        self.assertIn(b" 400 ", transport.value())

    def test_bytes(self) -> None:
        """
        A header that is not UTF-8 is refused, and not a bug that fills the log.
        """
        for header in (b"Host: \xff", b"Host: localhost\r\nSec-Fetch-Site: \xff"):
            transport = self.connect()
            self.send(transport, b"GET /health HTTP/1.1\r\n" + header + b"\r\n\r\n")
            self.assertEqual(parsed(transport.value()).status, 403)

    def test_bothFamilies(self) -> None:
        """
        Where IPv6 and IPv4 are served by one socket, an IPv4 address is a name too.
        """
        door, headers = Door(), Headers({"host": ["192.0.2.7:8080"]})
        request = Asked(headers)
        self.assertIsNone(door.refusal(request, "::ffff:192.0.2.7"))
        self.assertIsNotNone(door.refusal(request, "::ffff:192.0.2.8"))
        headers.setRawHeaders("host", ["[2001:db8::1]"])
        self.assertIsNone(door.refusal(request, "2001:db8::1%eth0"))

    def test_star(self) -> None:
        """
        A request for no path is refused like others, also by the host.
        """
        for method, host, status in (
            ("OPTIONS", "localhost", 405),
            ("GET", "localhost", 404),
            ("GET", "evil.example", 403),
        ):
            reply = self.get("*", method=method, host=host)
            self.assertEqual((reply.status, reply.headers["server"]), (status, "ovsdb-monitor"))

    def test_methods(self) -> None:
        """
        Nothing can be changed.
        """
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "get", "TRACE"):
            reply = self.get("/health", method=method)
            self.assertEqual((reply.status, reply.headers["allow"]), (405, "GET, HEAD"), method)

    def test_F102_otherSites(self) -> None:
        """
        A page of another site, which a browser names, gets nothing; a link may
        lead to the page.
        """
        cross = {"Sec_Fetch_Site": "cross-site"}
        self.assertEqual(self.get("/events", **cross).status, 403)
        self.assertEqual(self.get("/", **cross).status, 200)
        self.assertEqual(self.get("/health", Sec_Fetch_Site="same-origin").status, 200)

    def test_unknown(self) -> None:
        """
        The answer to an unknown path does not repeat it.
        """
        reply = self.get("/<img src=x>")
        self.assertEqual(reply.status, 400)
        reply = self.get("/%3Cimg%20src=x%3E")
        self.assertEqual(reply.status, 404)
        self.assertNotIn("img", reply.text)


class TokenTests(WebTestCase):
    """
    With a token.
    """

    token = "0123456789abcdef"

    def test_token(self) -> None:
        """
        Everything but the page needs the token.
        """
        for path in ("/", "/page.js", "/page.css"):
            self.assertEqual(self.get(path).status, 200)
        for path in ("/health", "/events", "/metrics", "/interfaces", "/none"):
            reply = self.get(path)
            self.assertEqual(reply.status, 401)
            self.assertIn("Bearer", reply.headers["www-authenticate"])
            self.assertEqual(self.get(path, Authorization="Bearer 0123456789abcdeF").status, 401)
            self.assertEqual(self.get(path, Authorization="Basic 0123456789abcdef").status, 401)
            self.assertEqual(self.get(f"{path}?token=0123456789abcdef").status, 401)
        for scheme in ("Bearer", "bearer"):
            reply = self.get("/health", Authorization=f"{scheme} 0123456789abcdef")
            self.assertEqual(reply.status, 200)


class LimitTests(WebTestCase):
    """
    Clients that want too much.
    """

    def test_F101_longLine(self) -> None:
        """
        A request line of a megabyte is refused long before its end.
        """
        transport = self.connect()
        for _ in range(64):
            if transport.served is None:
                break
            self.send(transport, b"GET /" + b"a" * 16384)
        self.assertIsNone(transport.served)
        self.assertLess(len(transport.value()), 1000)

    def test_F101_slow(self) -> None:
        """
        A client that sends a byte each second has 10 s for its first request.
        """
        transport = self.connect()
        for byte in b"GET / HTTP/1.1\r\n":
            if transport.served is not None:
                self.send(transport, bytes([byte]))
                self.clock.advance(1)
        self.assertTrue(transport.aborted)
        self.assertEqual(self.clock.seconds(), connections.FIRST)

    def test_idle(self) -> None:
        """
        A connection may be used again, and is cut off when it is not.
        """
        transport = self.request("/health")
        self.clock.advance(connections.NEXT - 1)
        self.send(transport, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertEqual(transport.value().count(b"ok\n"), 2)
        self.clock.advance(connections.NEXT - 1)
        self.assertFalse(transport.aborted)
        self.clock.advance(1)
        self.assertTrue(transport.aborted)

    def test_F101_slowClients(self) -> None:
        """
        A thousand clients that send nothing do not keep others away, and a browser
        with a request keeps its connection.
        """
        stream = self.request("/events")
        slow = [self.connect() for _ in range(1000)]
        self.assertEqual(self.get("/health").status, 200)
        self.assertFalse(stream.aborted)
        self.assertEqual(sum(not each.aborted for each in slow), connections.CONNECTIONS - 2)
        self.clock.advance(connections.FIRST)
        self.assertEqual(sum(not each.aborted for each in slow), 0)

    def test_F101_body(self) -> None:
        """
        A body is not kept, and one without end is cut off.
        """
        transport = self.connect()
        self.send(transport, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
        for _ in range(10):
            if transport.served is not None:
                self.send(transport, b"a" * 16384)
        self.assertTrue(transport.aborted)

    def test_F100_unread(self) -> None:
        """
        An answer is made no faster than it is read, and a client that does not read it
        is cut off.
        """
        self.server.addBridge("br-int")
        for number in range(300):
            self.server.addPort("br-int", f"tap{number}", iface_id=f"vm-{number}")
        transport = self.request("/interfaces")
        self.clock.advance(0)
        assert transport.producer is not None
        transport.producer.pauseProducing()
        self.turn(1000)
        written = len(transport.value())
        self.turn(1000)
        self.assertEqual(len(transport.value()), written)
        transport.producer.resumeProducing()
        self.turn(1000)
        self.assertEqual(len(parsed(transport.value()).json["interfaces"]), 301)
        transport = self.request("/interfaces")
        assert transport.producer is not None
        transport.producer.pauseProducing()
        self.clock.advance(30)
        self.assertTrue(transport.aborted)
