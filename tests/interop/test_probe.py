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

    def probe(self, port, *arguments):
        return subprocess.run(
            [PROGRAM, "probe", f"sips:{DOMAIN}", "--at", f"127.0.0.1:{port}", "--ca", self.authority.certificate, *arguments],
            capture_output=True, text=True, timeout=30)

    def test_serve(self):
        port = free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, (), [self.certificate])
        self.started(Callwright(self.folder, ["-c", config]))
        run = self.probe(port)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        for word in ("TLSv1.3", "200"):
            self.assertIn(word, run.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
