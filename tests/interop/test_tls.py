"""TLS as openssl s_client sees it: versions, ciphers, certificates by SNI, resumption."""
import os
import signal
import subprocess
import time
import unittest

from certificates import Authority, openssl
from harness import InteropTest, free_port, need, wait_for
from servers import Callwright, callwright_config
from sip import Agent, Connection, trusting

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
ENGINE = "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so"
# Not digits alone: those are found in a port or a time, too.
PIN = "trunk-pin"


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

    def test_an_ocsp_response_is_stapled(self):
        request, response = (os.path.join(self.folder, name) for name in ("request.der", "response.der"))
        first, ca = self.certificates[0], self.authority
        openssl("ocsp", "-issuer", ca.certificate, "-cert", first.certificate, "-no_nonce", "-reqout", request)
        openssl("ocsp", "-index", os.path.join(ca.folder, "index"), "-rsigner", ca.certificate, "-rkey", ca.key, "-CA",
                ca.certificate, "-reqin", request, "-respout", response, "-ndays", "1")
        self.assertIn("OCSP response: no response sent", self.client("-status"))
        first.ocsp = response
        self.configure()
        self.reload()
        for version in ("-tls1_2", "-tls1_3"):
            output = self.client(version, "-status")
            self.assertIn("OCSP Response Status: successful", output)
            self.assertIn("Cert Status: good", output)
        self.assertIn("OCSP response: no response sent", self.client("-status", name="two.test"))
        with open(response, "wb") as out:
            out.write(b"nonsense")
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log("no OCSP response in DER")

    def test_a_certificate_that_ends_soon_is_told(self):
        self.assertNotIn("certificate_", self.server.log())
        soon = self.authority.issue("soon.test", days=5)
        self.certificates[1:] = [soon, self.authority.issue("old.test", expired=True)]
        self.configure()
        self.reload()
        self.server.wait_log(r"level=warn\w* event=certificate_expires_soon file=\S*soon.test.pem certificate=soon.test validity=.good for 4 days")
        self.server.wait_log(r"level=error event=certificate_out_of_date file=\S*old.test.pem certificate=old.test validity=.expired")

    def test_a_key_stays_in_its_token(self):
        need("softhsm2-util")
        if not os.path.exists(ENGINE):
            self.skipTest("libengine-pkcs11-openssl is not installed (tools/packages.txt, section interop)")
        self.server.stop()
        tokens = os.path.join(self.folder, "tokens")
        os.makedirs(tokens)
        environment = {"SOFTHSM2_CONF": os.path.join(self.folder, "softhsm2.conf"), "PKCS11_MODULE_PATH": SOFTHSM}
        with open(environment["SOFTHSM2_CONF"], "w", encoding="ascii") as out:
            out.write(f"directories.tokendir = {tokens}\nobjectstore.backend = file\n")
        first = self.certificates[0]
        for command in (["--init-token", "--free", "--label", "sip", "--so-pin", "so-5678", "--pin", PIN],
                        ["--import", first.key, "--token", "sip", "--label", "one", "--id", "01", "--pin", PIN]):
            subprocess.run(["softhsm2-util", *command], check=True, capture_output=True, env={**os.environ, **environment})
        os.remove(first.key)
        pin_file = os.path.join(self.folder, "pin")
        with open(pin_file, "w", encoding="ascii") as out:
            out.write(PIN)
        del environment["PKCS11_MODULE_PATH"]
        for number, (pin, good, given) in enumerate(((PIN, True, f"pin-value={PIN}"), (PIN, True, f"pin-source={pin_file}"),
                                                     ("trunk-nip", False, "pin-value=%74runk-nip"))):
            first.key = f"pkcs11:token=sip;object=one;type=private?module-path={SOFTHSM}&{given}"
            self.port = free_port()
            self.configure()
            server = self.started(Callwright(self.folder, ["-c", os.path.join(self.folder, "serve.toml")], f"token{number}", good,
                                             environment))
            if good:
                for version in ("-tls1_2", "-tls1_3"):
                    self.assertIn("Verify return code: 0 (ok)", self.client(version))
                server.stop()
            else:
                self.assertNotEqual(0, server.wait_exit())
                self.assertIn("pkcs11:token=sip;object=one;type=private: ", server.log())
            self.assertNotIn(pin, server.log(), "a PIN is a secret")

    def test_a_chain_of_a_hundred_certificates_is_refused_at_once(self):
        self.configure(f'trusted = "{self.authority.certificate}"\nclients = "optional"\n')
        self.reload()
        extensions = os.path.join(self.folder, "link.ext")
        with open(extensions, "w", encoding="ascii") as out:
            out.write("basicConstraints=critical,CA:TRUE\n")
        key, request = os.path.join(self.folder, "link.key"), os.path.join(self.folder, "link.csr")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
                "-subj", "/CN=Link")
        above, above_key = self.authority.certificate, self.authority.key
        links = []
        for number in range(100):
            link = os.path.join(self.folder, f"link{number}.pem")
            openssl("x509", "-req", "-in", request, "-CA", above, "-CAkey", above_key, "-subj", f"/CN=Link {number}", "-set_serial",
                    str(number + 1), "-days", "2",
                    "-extfile", extensions, "-out", link)
            links.append(link)
            above, above_key = link, key
        chain = os.path.join(self.folder, "chain.pem")
        for length, refused in ((3, False), (100, True)):
            with self.subTest(length=length):
                with open(chain, "wb") as out:
                    for link in reversed(links[:length]):
                        with open(link, "rb") as part:
                            out.write(part.read())
                begin = time.monotonic()
                output = self.client("-tls1_2", "-cert", links[length - 1], "-key", key, "-cert_chain", chain)
                self.assertLess(time.monotonic() - begin, 5)
                self.assertEqual(refused, "alert unknown ca" in output, output)

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
