"""`callwright probe` against OpenSSL's server, Kamailio and ours."""
import json
import subprocess
import unittest

from certificates import Authority
from harness import PROGRAM, InteropTest, Process, free_port, need, wait_for
from servers import Callwright, Kamailio, callwright_config, listens

DOMAIN = "example.test"


class Probe(InteropTest):
    def setUp(self):
        need("openssl")
        super().setUp()
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue(DOMAIN)

    def probe(self, port, authority=None, domain=DOMAIN):
        run = subprocess.run(
            [PROGRAM, "probe", f"sips:{domain}", "--at", f"127.0.0.1:{port}", "--ca",
             (authority or self.authority).certificate, "--timeout", "5", "--format", "json"],
            capture_output=True, text=True, timeout=60)
        return run.returncode, run.stdout + run.stderr

    def test_serve(self):
        port = free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, (), [self.certificate])
        self.started(Callwright(self.folder, ["-c", config]))
        status, output = self.probe(port)
        self.assertEqual(status, 0, output)
        json.loads(output)
        self.assertIn("TLSv1.3", output)
        status, output = self.probe(port, Authority(self.folder, "other"))
        self.assertEqual(status, 1, output)
        status, output = self.probe(port, domain="elsewhere.test")
        self.assertEqual(status, 1, output)

    def test_kamailio(self):
        need("kamailio")
        kamailio = self.started(Kamailio(self.folder, DOMAIN, self.certificate, self.authority.certificate, mutual=False))
        status, output = self.probe(kamailio.port)
        self.assertEqual(status, 0, output)
        kamailio.wait_log(f"request OPTIONS sips?:{DOMAIN}")

    def test_a_tls_server_that_speaks_no_sip(self):
        port = free_port()
        self.started(Process("openssl", ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert",
                                         self.certificate.certificate, "-key", self.certificate.key], self.folder,
                             stdin=subprocess.PIPE))
        wait_for("openssl listens", lambda: listens(port))
        status, output = self.probe(port)
        self.assertEqual(status, 1, output)

    def test_nobody(self):
        self.assertEqual(self.probe(free_port())[0], 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
