"""TLS as openssl s_client sees it: versions, ciphers, certificates by SNI, resumption."""
import os
import signal
import subprocess
import unittest

from certificates import Authority
from harness import InteropTest, free_port, need, wait_for
from servers import Callwright, callwright_config
from sip import Agent, Connection, trusting


class Tls(InteropTest):
    def setUp(self):
        need("openssl")
        super().setUp()
        self.authority = Authority(self.folder)
        self.certificates = [self.authority.issue(name) for name in ("one.test", "two.test")]
        self.port = free_port()
        self.configure()
        self.server = self.started(Callwright(self.folder, ["-c", os.path.join(self.folder, "serve.toml")]))

    def configure(self, more=""):
        callwright_config(self.folder, [f"tls:127.0.0.1:{self.port}"], "one.test", (), self.certificates, more=more)

    def reload(self):
        """A setting that shows itself from outside tells when it is in force."""
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log(r"reloaded")

    def client(self, *arguments, name="one.test"):
        run = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", name, "-CAfile",
             self.authority.certificate, "-verify_hostname", name, *arguments],
            input="", capture_output=True, text=True, timeout=20)
        return run.stdout + run.stderr

    def test_versions(self):
        for version, word in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with self.subTest(version):
                output = self.client(version)
                self.assertIn(f"New, {word}", output)
                self.assertIn("Verify return code: 0 (ok)", output)
        for version in ("-tls1_1", "-tls1"):
            with self.subTest(version):
                output = self.client(version, "-cipher", "ALL:@SECLEVEL=0")
                self.assertIn("alert protocol version", output)
                self.assertIn("Cipher is (NONE)", output)

    def test_only_forward_secret_authenticated_ciphers(self):
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            with self.subTest(cipher):
                self.assertIn(f"Cipher is {cipher}", self.client("-tls1_2", "-cipher", cipher))
        for cipher in ("ECDHE-ECDSA-AES128-SHA", "AES128-SHA:AES128-GCM-SHA256", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0",
                       "AECDH-AES128-SHA:@SECLEVEL=0"):
            with self.subTest(cipher):
                self.assertIn("Cipher is (NONE)", self.client("-tls1_2", "-cipher", cipher))
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            with self.subTest(suite):
                self.assertIn(f"Cipher is {suite}", self.client("-tls1_3", "-ciphersuites", suite))

    def test_the_name_asked_for_chooses_the_certificate(self):
        for name, shown in (("one.test", "one.test"), ("two.test", "two.test"), ("three.test", "one.test")):
            with self.subTest(name):
                self.assertRegex(self.client(name=name), rf"0 s:CN ?= ?{shown}")

    def test_sessions_are_resumed_also_after_a_reload(self):
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version):
                session = os.path.join(self.folder, "session" + version)
                self.fetch_session(version, session)
                self.assertIn("Reused, TLSv1", self.client(version, "-sess_in", session))
                self.reload()
                self.assertIn("Reused, TLSv1", self.client(version, "-sess_in", session))

    def fetch_session(self, version, path):
        """TLS 1.3 brings tickets after the handshake: the client stays until one is there."""
        with subprocess.Popen(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", "one.test", "-CAfile",
                 self.authority.certificate, version, "-sess_out", path],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
            try:
                wait_for("a session ticket", lambda: os.path.exists(path) and os.path.getsize(path))
            finally:
                client.kill()

    def test_a_close_is_announced(self):
        """close_notify comes before the end of the connection [RFC 8446 §6.1]."""
        connection = Connection("tls", ("127.0.0.1", self.port), tls=trusting(self.authority.certificate),
                                server_name="one.test")
        self.addCleanup(connection.close)
        self.assertEqual(Agent("a", "one.test", "", connection).ask("OPTIONS", "sip:one.test").status, 200)
        connection.socket.suppress_ragged_eofs = False
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(connection.socket.recv(1), b"")  # ragged: SSLEOFError
        self.assertEqual(self.server.wait_exit(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
