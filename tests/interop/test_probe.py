"""`callwright probe` against OpenSSL's server, Kamailio and ours."""
import json
import os
import subprocess
import unittest

from certificates import Authority, openssl
from harness import PROGRAM, InteropTest, Process, free_port, material, need, wait_for
from servers import Callwright, Kamailio, callwright_config, listens

DOMAIN = "example.test"
DOMAIN6216 = "example.com"


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

    def ocsp_of(self, *options, stapled=None):
        port = free_port()
        server = self.started(Process(f"openssl{port}", [
            "openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert", self.certificate.certificate, "-key",
            self.certificate.key, *(("-status_file", stapled) if stapled else ())], self.folder, stdin=subprocess.PIPE))
        wait_for("openssl listens", lambda: listens(port))
        run = subprocess.run(
            [PROGRAM, "probe", f"sips:{DOMAIN}", "--at", f"127.0.0.1:{port}", "--ca", self.authority.certificate, "--timeout", "1",
             "--format", "json", *options], capture_output=True, text=True, timeout=60)
        server.stop()
        tls = json.loads(run.stdout)["tls"]
        return tls["ocsp"], tls["verdict"]

    def test_revocation_by_ocsp_stapled_and_asked_for(self):
        url_port = free_port()
        self.certificate = self.authority.issue(DOMAIN, more=f"authorityInfoAccess=OCSP;URI:http://127.0.0.1:{url_port}/\n")
        self.assertEqual((None, True), (self.ocsp_of()[0], self.ocsp_of()[1]["good"]))
        self.assertIn("cannot be asked", self.ocsp_of("--ocsp")[0]["what"])
        for revoked in (False, True):
            with self.subTest(revoked=revoked):
                if revoked:
                    openssl("ca", "-config", self.authority.config, "-cert", self.authority.certificate, "-keyfile",
                            self.authority.key, "-revoke", self.certificate.certificate)
                responder = self.started(Process(f"responder{revoked}", [
                    "openssl", "ocsp", "-index", os.path.join(self.authority.folder, "index"), "-port", str(url_port), "-rsigner",
                    self.authority.certificate, "-rkey", self.authority.key, "-CA", self.authority.certificate, "-nmin", "10"],
                    self.folder))
                responder.wait_log("waiting for OCSP client")
                response = os.path.join(self.folder, "response.der")
                openssl("ocsp", "-issuer", self.authority.certificate, "-cert", self.certificate.certificate, "-url",
                        f"http://127.0.0.1:{url_port}", "-respout", response, "-noverify", "-no_nonce")
                state = "revoked" if revoked else "good"
                for options, stapled, source in (((), response, "stapled"), (("--ocsp",), response, "stapled"),
                                                 (("--ocsp",), None, f"http://127.0.0.1:{url_port}/")):
                    ocsp, verdict = self.ocsp_of(*options, stapled=stapled)
                    self.assertEqual((state, source), (ocsp["state"], ocsp["from"]), ocsp)
                    self.assertEqual(not revoked, verdict["good"], verdict)
                responder.stop()

    def test_the_certificates_of_rfc6216_section_6(self):
        folder = material("rfc6216")
        for file, name, good in (
                ("08_tls_good_dns", DOMAIN6216, True), ("09_tls_good_cn_no_dns", DOMAIN6216, True),
                ("10_tls_ip_san_empty_subject", "127.0.0.1", True), ("11_tls_bad_no_match", DOMAIN6216, False),
                ("11b_tls_bad_dns_mismatch_cn_match", DOMAIN6216, False), ("11c_tls_bad_wildcard_dns", "a.example.com", False),
                ("12_tls_untrusted_root", DOMAIN6216, False), ("13_tls_incomplete_chain", DOMAIN6216, False),
                ("14_tls_expired", DOMAIN6216, False), ("14b_tls_not_yet_valid", DOMAIN6216, False),
                ("15_tls_revoked", DOMAIN6216, False), ("16_tls_no_serverAuth", DOMAIN6216, False),
                ("17_tls_no_sipDomain_eku", DOMAIN6216, False), ("17b_tls_any_eku_good", DOMAIN6216, True)):
            with self.subTest(file):
                port = free_port()
                base = os.path.join(folder, "sec6", file)
                server = self.started(Process(file, ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert",
                                                     base + ".pem", "-key", base + ".key"], self.folder, stdin=subprocess.PIPE))
                wait_for("openssl listens", lambda: listens(port))
                crl = ["--crl", os.path.join(folder, "sec6", "ca.crl.pem")] if file.startswith(("08", "15")) else []
                run = subprocess.run(
                    [PROGRAM, "probe", f"sips:{name}", "--at", f"127.0.0.1:{port}", "--ca", os.path.join(folder, "pem", "ca_cert.pem"),
                     "--policy", "strict", "--timeout", "1", "--format", "json", *crl], capture_output=True, text=True, timeout=60)
                server.stop()
                verdict = json.loads(run.stdout)["tls"]["verdict"]
                self.assertEqual(good, verdict["good"], verdict)

    def test_nobody(self):
        self.assertEqual(self.probe(free_port())[0], 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
