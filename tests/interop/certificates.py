"""Certificate authorities and certificates for the peers, good ones and bad ones. Mostly made with
openssl, so that what the server verifies was not made by its own code."""
import os
import subprocess

from harness import PROGRAM

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
CA_CONFIG = """[ca]
default_ca = here
[here]
database = {folder}/index
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(f"openssl {' '.join(arguments)}: {run.stderr}")


class Certificate:
    """A pair of PEM files."""

    def __init__(self, base, key="-key.pem"):
        self.certificate, self.key, self.ocsp = base + ".pem", base + key, None


class Authority:
    """A private CA in a folder of its own."""

    def __init__(self, folder, name="ca"):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.certificate, self.key = os.path.join(self.folder, "ca.pem"), os.path.join(self.folder, "ca-key.pem")
        self.config = os.path.join(self.folder, "ca.cnf")
        for file, text in (("ca.cnf", CA_CONFIG.format(folder=self.folder)), ("index", ""), ("serial", "1000\n")):
            with open(os.path.join(self.folder, file), "w", encoding="ascii") as out:
                out.write(text)
        openssl("req", "-x509", *NEW_KEY, "-days", "30", "-keyout", self.key, "-out", self.certificate,
                "-subj", f"/CN=Interop test {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name, file=None, names=None, expired=False, more="", days=30):
        """For the SIP domain `name`: a URI and a DNS name [RFC 5922 §7.1]. `names` overrides what the
        certificate says; `file` what its files are called; `more`: lines of further extensions."""
        base = os.path.join(self.folder, file or name)
        with open(base + ".ext", "w", encoding="ascii") as out:
            out.write(f"subjectAltName={names or f'URI:sip:{name},DNS:{name}'}\nkeyUsage=critical,digitalSignature\n"
                      f"extendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=critical,CA:FALSE\n{more}")
        openssl("req", "-new", *NEW_KEY, "-keyout", base + "-key.pem", "-out", base + ".csr", "-subj", f"/CN={name}")
        dates = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"] if expired else ["-days", str(days)]
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.certificate, "-keyfile", self.key,
                "-in", base + ".csr", *dates, "-extfile", base + ".ext", "-out", base + ".pem")
        return Certificate(base)


class OwnAuthority:
    """A CA made by `callwright certs`, to see that others take what it issues."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "own-ca")
        self.certificate = os.path.join(self.folder, "ca.pem")
        self._run("init")

    def _run(self, *arguments):
        run = subprocess.run([PROGRAM, "certs", *arguments, "--dir", self.folder], capture_output=True, text=True)
        if run.returncode != 0:
            raise AssertionError(f"callwright certs {' '.join(arguments)}: {run.stderr}")

    def issue(self, *names):
        self._run("issue", *names)
        return Certificate(os.path.join(self.folder, names[0]), ".key")

    def revoke(self, name):
        """The list, in DER."""
        self._run("revoke", name)
        der = os.path.join(self.folder, "crl.der")
        openssl("crl", "-in", os.path.join(self.folder, "crl.pem"), "-outform", "DER", "-out", der)
        return der


def self_signed(folder, name):
    """A certificate that vouches for itself."""
    base = os.path.join(folder, name + "-self-signed")
    openssl("req", "-x509", *NEW_KEY, "-days", "30", "-keyout", base + "-key.pem", "-out", base + ".pem",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName=URI:sip:{name},DNS:{name}")
    return Certificate(base)
