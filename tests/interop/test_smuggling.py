"""One message, two readings: what a peer behind the proxy receives says the same to every reader, or
the message was refused."""
import re
import unittest

from harness import InteropTest, free_port
from servers import Callwright, callwright_config
from sip import Agent, Connection, unique

DOMAIN = "example.test"
USERS = (("alice", "a secret"), ("bob", "another"), ("mallory", "a third"))


class Smuggling(InteropTest):
    """Mallory has a password and wants Bob to believe that Alice speaks."""

    def setUp(self):
        super().setUp()
        self.port = free_port()
        config = callwright_config(self.folder, [f"tcp:127.0.0.1:{self.port}"], DOMAIN, USERS)
        self.server = self.started(Callwright(self.folder, ["-c", config]))
        self.bob, self.mallory = self.agent("bob"), self.agent("mallory")
        self.bob.register()

    def agent(self, user):
        agent = Agent(user, DOMAIN, dict(USERS)[user], Connection("tcp", ("127.0.0.1", self.port)))
        self.addCleanup(agent.close)
        return agent

    def credentials(self):
        """Good ones of Mallory's for one more request."""
        self.mallory.connection.send(self.mallory.request("MESSAGE", self.bob.aor))
        challenge = self.mallory.final()
        self.assertEqual(challenge.status, 407)
        name, value = self.mallory.credentials(challenge, "MESSAGE", self.bob.aor)
        return f"{name}: {value}"

    def sent(self, edit):
        """Sends an authenticated MESSAGE after `edit` has changed its lines: (status that Mallory gets,
        what Bob got). None for either: nothing."""
        self.mallory = self.agent("mallory")  # a refusal may have closed the connection
        lines = self.mallory.request("MESSAGE", self.bob.aor, headers=[self.credentials()], body="hello",
                                     kind="text/plain").split("\r\n")
        self.mallory.connection.send("\r\n".join(edit(lines)))
        received = None
        for _ in range(100):
            message = self.bob.connection.receive(0.02)
            if message:
                received = message
                self.bob.respond(message, 200, "OK")
            try:
                answer = self.mallory.connection.receive(0.02)
            except ConnectionError:
                return "closed", received
            if answer and answer.status >= 200:
                return answer.status, received
        return None, received

    def assert_one_reading(self, received):
        """Each reader finds one sender, one destination, one length, and it is Mallory who speaks."""
        for name, short in (("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", None), ("Content-Length", "l"),
                            ("Max-Forwards", None)):
            self.assertEqual(len(received.all(name, short)), 1, received.text)
        self.assertIn(f"sip:mallory@{DOMAIN}", received.header("From", "f"))
        self.assertEqual(received.body, "hello")
        for line in received.lines:
            self.assertNotRegex(line, r"^[ \t]", "folded")
            self.assertNotRegex(line.partition(":")[0], r"[ \t]", "a blank before the colon")

    @staticmethod
    def replaced(pattern, by):
        return lambda lines: [re.sub(pattern, by, line) for line in lines]

    @staticmethod
    def before(pattern, *more):
        return lambda lines: [new for line in lines for new in ([*more, line] if re.match(pattern, line) else [line])]

    @staticmethod
    def after(pattern, *more):
        return lambda lines: [new for line in lines for new in ([line, *more] if re.match(pattern, line) else [line])]

    def test_a_message_in_order_passes(self):
        status, received = self.sent(lambda lines: lines)
        self.assertEqual(status, 200)
        self.assert_one_reading(received)

    def test_the_family(self):
        alice = f"<sip:alice@{DOMAIN}>;tag={unique('a')}"
        family = {
            "a blank before the colon": self.replaced(r"^From:", "From :"),
            "a tab before the colon": self.replaced(r"^From:", "From\t:"),
            "a blank before the colon of a second one": self.before(r"From:", f"From : {alice}"),
            "a compact name": self.replaced(r"^From:", "f:"),
            "a compact second one": self.after(r"From:", f"f: {alice}"),
            "a compact first one": self.before(r"From:", f"f: {alice}"),
            "a duplicate": self.after(r"From:", f"From: {alice}"),
            "a duplicate before": self.before(r"From:", f"From: {alice}"),
            "a duplicate in other letters": self.after(r"From:", f"fROM: {alice}"),
            "a folded line": self.replaced(r"^From: ", "From:\r\n "),
            "a header hidden in a fold": self.after(r"Max-Forwards:", f" \r\n\tFrom: {alice}"),
            "with a bare line feed": self.replaced(r"^Max-Forwards: 70", f"Max-Forwards: 70\nFrom: {alice}"),
            "with a bare carriage return": self.replaced(r"^Max-Forwards: 70", f"Max-Forwards: 70\rFrom: {alice}"),
            "a NUL in a name": self.after(r"From:", f"From\0: {alice}"),
            "two lengths": self.after(r"Content-Length:", "Content-Length: 0"),
            "two lengths, one compact": self.before(r"Content-Length:", "l: 0"),
            "a length with a sign": self.replaced(r"^Content-Length: ", "Content-Length: +"),
            "a length with a blank before the colon": self.replaced(r"^Content-Length:", "Content-Length :"),
            "two call identifiers": self.after(r"Call-ID:", f"i: {unique('other')}"),
            "two sequence numbers": self.after(r"CSeq:", "CSeq: 9 MESSAGE"),
            "two destinations": self.after(r"To:", f"t: <sip:alice@{DOMAIN}>"),
            "two addresses in one line": self.replaced(r"^From: ", f"From: {alice}, "),
            "two hop counts": self.after(r"Max-Forwards:", "Max-Forwards: 255"),
            "two tags": self.replaced(r"^(From: .*)", r"\1;tag=second"),
        }
        for name, edit in family.items():
            with self.subTest(name):
                status, received = self.sent(edit)
                if received:
                    self.assertEqual(status, 200)
                    self.assert_one_reading(received)
                else:  # no answer is a refusal too: it would bring the bare line end to the next reader
                    self.assertIn(status, (400, 403, "closed", None if " bare " in name else 400))
        self.test_a_message_in_order_passes()

    def test_a_message_in_the_body_of_another_is_a_body(self):
        """A length that one reader believes and another one does not is how a second request gets in."""
        inner = self.mallory.request("MESSAGE", self.bob.aor).replace("mallory", "alice")
        lines = self.mallory.request("MESSAGE", self.bob.aor, headers=[self.credentials()], body=inner,
                                     kind="text/plain")
        self.mallory.connection.send(lines)
        received = self.bob.expect("MESSAGE")
        self.assertEqual(received.body, inner)
        self.bob.respond(received, 200, "OK")
        self.assertEqual(self.mallory.final().status, 200)
        self.assertIsNone(self.bob.connection.receive(0.5))

    def test_who_speaks_must_be_who_authenticated(self):
        credentials = self.credentials()
        self.mallory.aor = f"sip:alice@{DOMAIN}"
        self.mallory.connection.send(self.mallory.request("MESSAGE", self.bob.aor, headers=[credentials]))
        self.assertEqual(self.mallory.final().status, 403)
        self.assertIsNone(self.bob.connection.receive(0.3))


if __name__ == "__main__":
    unittest.main(verbosity=2)
