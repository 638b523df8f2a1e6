"""Two phones, baresip and linphone, register over TLS and call each other through the server."""
import json
import os
import subprocess
import unittest

from certificates import Authority, OwnAuthority
from dns import NameServer
from harness import PROGRAM, InteropTest, free_port, need
from phones import Baresip, Linphone, talk_over_dtls_srtp
from servers import Callwright, callwright_config

DOMAIN = "example.test"
USERS = (("alice", "correct-horse"), ("bob", "battery-staple"))
PACKETS = 25  # half a second of speech: it flows


class Phones(InteropTest):
    def setUp(self):
        need("baresip", "linphonec")
        super().setUp()
        self.authority = OwnAuthority(self.folder)
        certificate = self.authority.issue(DOMAIN, "localhost")  # linphone looks that up
        self.port, self.dns_port = free_port(), free_port()
        self.trace = os.path.join(self.folder, "trace.pcapng")
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{self.port}"], DOMAIN, USERS, [certificate],
                                   host="localhost")
        self.server = self.started(Callwright(self.folder, ["-c", config, "--trace", self.trace]))
        self.started(NameServer(self.dns_port, {"server.example.test": "127.0.0.1", "localhost": "127.0.0.1"},
                                {f"_sips._tcp.{DOMAIN}": ("server.example.test", self.port)}))

    def baresip(self, user, trusted=None, **more):
        return self.started(Baresip(self.folder, user, DOMAIN, dict(USERS)[user], trusted or self.authority.certificate,
                                    self.dns_port, **more))

    def linphone(self, user, trusted=None, **more):
        return self.started(Linphone(self.folder, user, DOMAIN, dict(USERS)[user], trusted or self.authority.certificate,
                                     self.port, **more))

    def assert_media_flowed(self, *phones):
        for phone in phones:
            sent, received = phone.media_packets()
            print(f"{phone.name}: sent {sent}, received {received} RTP packets")
            self.assertGreaterEqual(min(sent, received), PACKETS, phone.name)

    def test_baresip_and_linphone_call_each_other_with_sdes(self):
        alice, bob = self.baresip("alice"), self.linphone("bob")
        alice.wait_registered()
        bob.wait_registered()
        for caller, callee, ends in ((alice, bob, alice), (bob, alice, bob), (alice, bob, bob), (bob, alice, alice)):
            with self.subTest(caller=caller.name, hangs_up=ends.name):
                caller.dial(f"sip:{callee.user}@{DOMAIN}")
                callee.accept()
                caller.wait_established()
                callee.wait_established()
                bob.wait_media()
                ends.hang_up()
                for phone in (caller, callee):
                    phone.wait_closed()
                self.assert_media_flowed(alice)
        self.server.stop(15)
        self.assertEqual(self.server.process.returncode, 0)
        self.check_ladder(calls=4)

    def test_dtls_srtp_passes_through(self):
        alice, bob = self.baresip("alice", media="dtls_srtp"), self.baresip("bob", media="dtls_srtp")
        talk_over_dtls_srtp(alice, bob, f"sip:bob@{DOMAIN}")
        self.assert_media_flowed(alice, bob)

    def test_linphone_refuses_a_server_whose_authority_it_does_not_know(self):
        """Baresip 1.0 takes any certificate, whatever its sip_cafile says; linphone does not."""
        bob = self.linphone("bob", trusted=Authority(self.folder, "other").certificate)
        bob.wait_debug(r"to \[LinphoneRegistrationFailed\]", 20)
        self.server.wait_log(r"(?i)unknown ca")

    def test_a_wrong_password_is_refused(self):
        wrong = self.started(Baresip(self.folder, "alice", DOMAIN, "wrong", self.authority.certificate, self.dns_port))
        wrong.wait_log(r"(?m)40[13] (Unauthorized|Forbidden)", 15)

    def check_ladder(self, calls):
        """What `serve --trace` recorded, as `callwright read` shows it."""
        run = subprocess.run([PROGRAM, "read", self.trace, "--format", "json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)
        seen = json.loads(run.stdout)
        handshakes = seen["tls"]
        self.assertGreaterEqual(len(handshakes), 2)
        for connection in handshakes:
            self.assertEqual(connection["server"], f"127.0.0.1:{self.port}")
            self.assertTrue(connection["decrypted"], connection)
        self.assertIn("TLSv1.3", {connection["version"] for connection in handshakes})
        talks = [call for call in seen["calls"] if call["kind"] == "call"]
        self.assertEqual(len(talks), calls)
        for call in talks:
            self.assertEqual(call["state"], "completed")
            self.assertEqual(call["security"]["signalling"], "tls")
            # Both hops: each request reached the server and left it.
            for method in ("INVITE", "ACK", "BYE"):
                hops = [message for message in call["messages"] if message["method"] == method]
                self.assertTrue(any(hop["dst"].endswith(f":{self.port}") for hop in hops), method)
                self.assertTrue(any(hop["src"].endswith(f":{self.port}") for hop in hops), method)
            self.assertEqual({message["transport"] for message in call["messages"]}, {"tls"})
        self.assertTrue([call for call in seen["calls"] if call["kind"] == "registration"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
