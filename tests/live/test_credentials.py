# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
Who we are for a real NATS server, and who it is for us: passwords, tokens, C{.creds}
files of an operator, and TLS.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent

from tests.fakes.natsaccounts import Operator
from tests.fakes.pki import Authority
from tests.live.test_broker import CLOCK, BrokerTestCase
from tests.test_examples import Program
from tools.broker import PrivateBroker
from tools.openvswitch import freePort
from twisted_ovsdb.publish import natsconnection
from twisted_ovsdb.publish.credentials import brokerOf
from twisted_ovsdb.publish.natsstreams import NatsStreams
from twisted_ovsdb.publish.trouble import Trouble

REFUSED = "it refuses us: the credentials are missing or wrong"


class CredentialsTestCase(BrokerTestCase):
    """
    A NATS server that wants to know who we are.

    @ivar secrets: what must not be shown.
    """

    secrets: tuple[str, ...] = ("secret",)

    async def told(self, url: str, path: str | None = None, **environment: str) -> list[str]:
        """
        What a client says until it is connected, or until something is wrong: one line.
        """
        found = brokerOf(url, path, environment)
        trouble = Trouble(found.shown)
        streams = NatsStreams(found.servers, found.options, CLOCK, trouble, "a")
        with capturedLogs() as logs:
            streams.start()
            await self.until(lambda: streams.connected or trouble.missing())
            await streams.close()
        lines = [formatEvent(event) for event in logs]
        for secret in self.secrets:
            self.assertNotIn(secret, repr(logs) + repr(found))
        return lines

    async def assertConnects(self, url: str, path: str | None = None, **environment: str) -> None:
        """A client connects, and says where it publishes."""
        shown = brokerOf(url, path, environment).shown
        told = await self.told(url, path, **environment)
        self.assertEqual(told, [f"--publish {shown}: connected, publishing"])

    async def assertRefused(
        self, reason: str, url: str, path: str | None = None, **environment: str
    ) -> None:
        """A client says in one line what is wrong."""
        shown = brokerOf(url, path, environment).shown
        [line] = await self.told(url, path, **environment)
        self.assertEqual(line.partition("; ")[0], f"--publish {shown}: {reason}")

    def file(self, text: str) -> str:
        """A file with credentials."""
        path = Path(self.mktemp())
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        return str(path)

    def withUser(self, user: str) -> str:
        """The broker's URL with a user."""
        return self.broker.url.replace("//", f"//{user}@")


class PasswordTests(CredentialsTestCase):
    """
    Users with passwords.
    """

    configuration = 'authorization { users: [{ user: "me", password: "secret:1@" }] }'

    async def test_right(self) -> None:
        """
        The password is in the file, in the URL or in the environment.
        """
        url = self.broker.url
        await self.assertConnects(url, self.file("me:secret:1@\n"))
        await self.assertConnects(self.withUser("me:secret%3A1%40"))
        await self.assertConnects(url, NATS_USER="me", NATS_PASSWORD="secret:1@")

    async def test_F118_wrong(self) -> None:
        """
        A password that is wrong or missing is one line that does not show it.
        """
        url = self.broker.url
        await self.assertRefused(REFUSED, url, self.file("me:secret2\n"))
        await self.assertRefused(REFUSED, self.withUser("me:secret2"))
        await self.assertRefused(REFUSED, url, NATS_USER="me", NATS_PASSWORD="secret2")
        await self.assertRefused(REFUSED, url, NATS_TOKEN="secret:1@")
        await self.assertRefused(REFUSED, url)


class TokenTests(CredentialsTestCase):
    """
    A token.
    """

    configuration = 'authorization { token: "secret-token" }'

    async def test_F118_token(self) -> None:
        """
        The token is in the file, in the URL or in the environment; a wrong one is one line.
        """
        url = self.broker.url
        await self.assertConnects(url, self.file("secret-token\n"))
        await self.assertConnects(self.withUser("secret-token"))
        await self.assertConnects(url, NATS_TOKEN="secret-token")
        await self.assertRefused(REFUSED, url, self.file("secret2"))
        await self.assertRefused(REFUSED, self.withUser("secret2"))
        await self.assertRefused(REFUSED, url, NATS_TOKEN="secret2")


class CredsTests(CredentialsTestCase):
    """
    Users of an operator's account, with C{.creds} files.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        self.operator = Operator()
        self.configuration = self.operator.configuration
        self.path = Path(self.mktemp())
        await super().setUp()

    async def test_right(self) -> None:
        """
        A user of the account publishes.
        """
        self.secrets = self.operator.credentials(self.path)
        await self.assertConnects(self.broker.url, str(self.path))

    async def test_F118_creds(self) -> None:
        """
        A file of another operator, one whose seed is not its user's, and none at all, are
        one line.
        """
        self.secrets = self.operator.credentials(self.path, foreign=True)
        await self.assertRefused(REFUSED, self.broker.url, str(self.path))
        self.secrets = Operator().credentials(self.path)
        await self.assertRefused(REFUSED, self.broker.url, str(self.path))
        await self.assertRefused(REFUSED, self.broker.url)

    async def test_F118_damaged(self) -> None:
        """
        A file that is damaged is refused at once. If it becomes so later, it is one line,
        until it is right again: it is read for each connection.
        """
        self.secrets = self.operator.credentials(self.path)
        whole = self.path.read_text("ascii")
        for part, reason in (
            (whole.partition("-----BEGIN USER NKEY")[0], "it has no USER NKEY SEED"),
            (whole.replace(self.secrets[0], ""), "it has no NATS USER JWT"),
            (whole.replace(self.secrets[1], "SUAsecret"), "the USER NKEY SEED is damaged"),
        ):
            self.path.write_text(part, "ascii")
            with self.assertRaises(ValueError) as caught:
                brokerOf(self.broker.url, str(self.path), {})
            self.assertEqual(str(caught.exception), reason)
        self.path.write_text(whole, "ascii")
        found = brokerOf(self.broker.url, str(self.path), {})
        self.path.write_text("", "ascii")
        trouble = Trouble("a")
        streams = NatsStreams(found.servers, found.options, CLOCK, trouble, "a")
        self.addCleanup(streams.close)
        streams.start()
        await self.until(trouble.missing)
        self.assertEqual(trouble.missing(), "--publish a: it has no USER NKEY SEED")
        self.path.write_text(whole, "ascii")
        await self.until(lambda: streams.connected)

    async def test_F119_noJetStream(self) -> None:
        """
        An account without JetStream is one line.
        """
        other = Operator(jetStream=False)
        self.secrets = other.credentials(self.path)
        broker = PrivateBroker(other.configuration)
        self.addCleanup(deferToThread, broker.stop)
        await deferToThread(broker.start)
        reason = "JetStream not enabled for account"
        await self.assertRefused(reason, broker.url, str(self.path))


class TLSTests(CredentialsTestCase):
    """
    A server with TLS, and a password.
    """

    async def setUp(self) -> None:  # type: ignore[override]
        folder = Path(self.mktemp())
        self.authority = Authority(folder)
        self.other = Authority(folder / "other", "other")
        self.pair = self.authority.issue("broker", ["127.0.0.1"])
        self.configuration = (
            f'tls {{ cert_file: "{self.pair.certificate}", key_file: "{self.pair.privateKey}" }}\n'
            'authorization { users: [{ user: "me", password: "secret" }] }'
        )
        # Whatever is told here is told at once, and not when a time is over.
        self.patch(natsconnection, "ATTEMPT", 60.0)
        await super().setUp()
        self.url = self.withUser("me:secret").replace("nats:", "tls:")

    def trust(self, authority: Authority) -> None:
        """What OpenSSL trusts."""
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = authority.caCert

        def restore() -> None:
            del os.environ["SSL_CERT_FILE"]
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before

        self.addCleanup(restore)

    async def test_trusted(self) -> None:
        """
        A certificate of an authority that we trust.
        """
        self.trust(self.authority)
        await self.assertConnects(self.url)

    async def test_F119_untrusted(self) -> None:
        """
        A certificate of an authority that we do not trust is told at once.
        """
        self.trust(self.other)
        await self.assertRefused("TLS: unable to get local issuer certificate", self.url)

    async def test_F119_otherName(self) -> None:
        """
        A certificate of another host.
        """
        self.trust(self.authority)
        reason = "TLS: Hostname mismatch, certificate is not valid for 'localhost'."
        await self.assertRefused(reason, self.url.replace("127.0.0.1", "localhost"))

    async def test_F119_demanded(self) -> None:
        """
        A server that demands TLS is verified also with nats://.
        """
        url = self.withUser("me:secret")
        self.trust(self.other)
        await self.assertRefused("TLS: unable to get local issuer certificate", url)
        self.trust(self.authority)
        await self.assertConnects(url)


class CommandTests(CredentialsTestCase):
    """
    The command.
    """

    async def test_log(self) -> None:
        """
        The command says in one line each that it publishes, and where, that the broker
        refuses its C{.creds} file, and that it publishes again. No secret is in its log.
        """
        operator, path = Operator(), Path(self.mktemp()).absolute()
        secrets = [*operator.credentials(path)]
        broker = PrivateBroker(operator.configuration)
        self.addCleanup(deferToThread, broker.stop)
        await deferToThread(broker.start)
        options = ["--publish", broker.url, "--publish-credentials", str(path)]
        nowhere = f"tcp:127.0.0.1:{freePort()}"
        module = [sys.executable, "-m", "twisted_ovsdb.command"]
        command = Program(*module, "--endpoint", nowhere, *options)
        self.addCleanup(command.kill)
        await command.line(f"--publish {broker.url}: connected, publishing")
        right = path.read_text("ascii")
        secrets += Operator().credentials(path)
        await deferToThread(broker.kill)
        await command.line("nothing listens there")
        await deferToThread(broker.start)
        await command.line(f"--publish {broker.url}: {REFUSED}")
        path.write_text(right, "ascii")
        await command.line(f"--publish {broker.url}: publishing again")
        await command.end("TERM")
        lines = [line for line in command.everything.splitlines() if "--publish" in line]
        self.assertEqual(len(lines), 5)  # with "the connection was lost"
        for secret in secrets:
            self.assertNotIn(secret, command.everything)
        self.assertNotIn("Traceback", command.everything)
