"""Kamailio as the other company's proxy: calls both ways over mutual TLS, and what is refused."""
import os
import subprocess
import unittest

from certificates import Authority, openssl, self_signed
from harness import InteropTest, free_port, need
from servers import Callwright, Kamailio, callwright_config
from sip import Agent, Connection, trusting

OURS, THEIRS = "ours.test", "theirs.test"
USERS = (("alice", "open sesame"),)


class Federation(InteropTest):
    def setUp(self):
        need("kamailio", "openssl")
        super().setUp()
        self.authority = Authority(self.folder)
        names = "URI:sip:{0},DNS:{0},DNS:localhost"
        self.our_certificate = self.authority.issue(OURS, names=names.format(OURS))
        self.their_certificate = self.authority.issue(THEIRS, names=names.format(THEIRS))
        self.port = free_port()

    def start(self, their_certificate=None, trusted=None, their_trust=None):
        """Both proxies, each the next hop of the other for its domain."""
        trusted = trusted or self.authority.certificate
        self.kamailio = self.started(Kamailio(
            self.folder, THEIRS, their_certificate or self.their_certificate, their_trust or self.authority.certificate,
            elsewhere=f"sip:127.0.0.1:{self.port};transport=tls", server_name=OURS))
        config = callwright_config(
            self.folder, [f"tls:127.0.0.1:{self.port}"], OURS, USERS, [self.our_certificate], trusted,
            f'clients = "optional"\n[[trunk]]\ndomain = "{THEIRS}"\n'
            f'next_hop = "sip:127.0.0.1:{self.kamailio.port};transport=tls"\n')
        self.server = self.started(Callwright(self.folder, ["-c", config]))

    def alice(self):
        """Ours."""
        agent = Agent("alice", OURS, USERS[0][1], Connection(
            "tls", ("127.0.0.1", self.port), tls=trusting(self.authority.certificate)))
        self.addCleanup(agent.close)
        agent.register()
        return agent

    def bob(self, user="bob"):
        """Theirs; Kamailio asks everybody for a certificate of its CA."""
        certificate = self.authority.issue(f"{user}.{THEIRS}", names=f"URI:sip:{user}@{THEIRS}")
        agent = Agent(user, THEIRS, "", Connection(
            "tls", ("127.0.0.1", self.kamailio.port), tls=trusting(self.authority.certificate, certificate)))
        self.addCleanup(agent.close)
        agent.register()
        return agent

    def test_calls_both_ways(self):
        self.start()
        alice, bob = self.alice(), self.bob()
        for caller, callee in ((alice, bob), (bob, alice)):
            with self.subTest(caller=caller.aor):
                caller.call(callee)
                caller.hang_up(callee)

    def test_a_from_domain_that_the_certificate_does_not_say_gets_403(self):
        self.start()
        alice, mallory = self.alice(), self.bob("mallory")
        mallory.aor = "sip:ceo@elsewhere.test"
        self.assertEqual(mallory.ask("INVITE", alice.aor).status, 403)
        mallory.aor = f"sip:boss@{OURS}"  # nor somebody of ours
        self.assertIn(mallory.ask("INVITE", alice.aor).status, (403, 407))

    def assert_call_refused(self, reason, alert=None):
        """A call to them is not made, as what shows a certificate there cannot prove that it is them."""
        alice = self.alice()
        answer = alice.ask("INVITE", f"sip:bob@{THEIRS}", seconds=20)
        self.assertIn(answer.status, (403, 480, 500, 502, 503), answer.text)
        self.server.wait_log(reason)
        if alert:
            self.kamailio.wait_log(alert)
        self.assertNotIn("request INVITE", self.kamailio.log())

    def test_an_expired_certificate_is_refused(self):
        self.start(self.authority.issue(THEIRS, file="expired", expired=True))
        self.assert_call_refused("expired", "alert certificate expired")

    def test_a_self_signed_certificate_is_refused(self):
        self.start(self_signed(self.folder, THEIRS))
        self.assert_call_refused("self-signed|self signed", "alert unknown ca")

    def test_a_certificate_of_an_unknown_authority_is_refused(self):
        self.start(Authority(self.folder, "unknown").issue(THEIRS))
        self.assert_call_refused("unable to get local issuer|unknown", "alert unknown ca")

    def test_a_certificate_for_another_name_is_refused(self):
        self.start(self.authority.issue("third.test", names="URI:sip:third.test,DNS:third.test"))
        self.assert_call_refused("wrong_peer")

    def test_calls_of_an_unverified_proxy_are_refused_with_the_right_alert(self):
        self.start()
        bad = {
            "certificate expired": self.authority.issue(THEIRS, file="expired", expired=True),
            "unknown ca": self_signed(self.folder, THEIRS),
            "unknown ca ": Authority(self.folder, "unknown").issue(THEIRS),
        }
        for alert, certificate in bad.items():
            with self.subTest(alert):
                run = subprocess.run(
                    ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-cert", certificate.certificate, "-key",
                     certificate.key, "-CAfile", self.authority.certificate, "-verify_quiet", "-ign_eof"],
                    input="", capture_output=True, text=True, timeout=20)
                self.assertIn(f"alert {alert.strip()}", run.stdout + run.stderr)
        other = self.authority.issue("third.test")
        mallory = Agent("bob", THEIRS, "", Connection(
            "tls", ("127.0.0.1", self.port), tls=trusting(self.authority.certificate, other)))
        self.addCleanup(mallory.close)
        self.assertEqual(mallory.ask("INVITE", f"sip:alice@{OURS}").status, 403)


class Staples(InteropTest):
    """What the other company's server staples about its certificate, and what ours makes of it."""

    def response(self, authority, certificate):
        request, response = (os.path.join(self.folder, name) for name in ("request.der", "response.der"))
        openssl("ocsp", "-issuer", authority.certificate, "-cert", certificate.certificate, "-no_nonce", "-reqout", request)
        openssl("ocsp", "-index", os.path.join(authority.folder, "index"), "-rsigner", authority.certificate, "-rkey", authority.key,
                "-CA", authority.certificate, "-reqin", request, "-respout", response, "-ndays", "1")
        return response

    def answer(self, number, authority, theirs, policy):
        """What alice hears when she calls somebody there who does not exist."""
        ports = free_port(), free_port()
        folders = [os.path.join(self.folder, f"{number}-{who}") for who in ("ours", "theirs")]
        for folder in folders:
            os.makedirs(folder)
        trust = authority.certificate
        self.started(Callwright(folders[1], ["-c", callwright_config(
            folders[1], [f"tls:127.0.0.1:{ports[1]}"], THEIRS, (), [theirs], trust, 'clients = "optional"\n')], f"theirs{number}"))
        server = self.started(Callwright(folders[0], ["-c", callwright_config(
            folders[0], [f"tls:127.0.0.1:{ports[0]}"], OURS, USERS, [authority.issue(OURS, file=f"ours{number}")], trust,
            f'peer_ocsp = "{policy}"\n[[trunk]]\ndomain = "{THEIRS}"\nnext_hop = "sip:127.0.0.1:{ports[1]};transport=tls"\n')],
            f"ours{number}"))
        alice = Agent("alice", OURS, USERS[0][1], Connection("tls", ("127.0.0.1", ports[0]), tls=trusting(trust), server_name=OURS))
        self.addCleanup(alice.close)
        alice.register()
        return alice.ask("INVITE", f"sip:nobody@{THEIRS}", seconds=20).status, server.log()

    def test_a_revoked_one_is_refused_and_none_where_one_is_demanded(self):
        need("openssl")
        authority = Authority(self.folder)
        theirs = authority.issue(THEIRS)
        good = self.response(authority, theirs)
        cases = [(None, "check", True), (None, "require", False)]
        numbers = iter(range(10))
        for stapled, policy, taken in cases:
            self.assert_taken(taken, next(numbers), authority, theirs, stapled, policy)
        self.assert_taken(True, next(numbers), authority, theirs, good, "require")
        openssl("ca", "-config", authority.config, "-cert", authority.certificate, "-keyfile", authority.key, "-revoke",
                theirs.certificate)
        revoked = self.response(authority, theirs)
        self.assert_taken(False, next(numbers), authority, theirs, revoked, "check")
        self.assert_taken(True, next(numbers), authority, theirs, revoked, "ignore")

    def assert_taken(self, taken, number, authority, theirs, stapled, policy):
        theirs.ocsp = stapled
        status, log = self.answer(number, authority, theirs, policy)
        with self.subTest(number=number, policy=policy):
            if taken:
                self.assertIn(status, (403, 404, 480), log)  # they said it
            else:
                self.assertIn(status, (500, 502, 503), log)


if __name__ == "__main__":
    unittest.main(verbosity=2)
