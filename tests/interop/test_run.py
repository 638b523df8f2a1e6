"""Flows that ship, performed by `callwright run` against real systems: Kamailio, and a server of ours in a process of its own."""
import concurrent.futures
import json
import os
import re
import subprocess
import time

import servers
from certificates import Authority, OwnAuthority
from dns import NameServer
from harness import PROGRAM, SOURCE, InteropTest, Process, free_port, material, need, wait_for
from phones import Baresip, Linphone
from servers import Callwright, Kamailio, callwright_config, listens, write

DOMAIN = "example.com"  # of all parties that say no other
USERS = (("alice", "correct horse"), ("bob", "battery staple"), ("carol", "open sesame"))


def flow(name):
    with open(os.path.join(SOURCE, "flows", name + ".mmd"), encoding="utf-8") as text:
        return text.read()


def registered(text, *parties):
    """The flow, with a registration of each of the parties at the proxy in front."""
    lines = "".join(f"    {party}->>proxy: REGISTER\n    proxy-->>{party}: 200 OK\n" for party in parties)
    first = re.search(r"^    \w+->>", text, re.M).start()
    return text[:first] + lines + text[first:]


def with_passwords(text):
    """The flow, with the passwords that USERS have in the environment."""
    for name, _ in USERS:
        text = re.sub(rf"^(    actor {name} as .*)$", rf"\1\n    %% password: {{env.{name.upper()}}}", text, flags=re.M)
    return text


class Run(InteropTest):
    people = USERS

    def report(self, text, at, *more):
        path = write(os.path.join(self.folder, "flow.mmd"), text)
        environment = {**os.environ, **{name.upper(): password for name, password in self.people}}
        done = subprocess.run([PROGRAM, "run", path, "--at", at, "--format", "json", "--timeout", "10s", *more], capture_output=True,
                              text=True, timeout=60, env=environment, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return json.loads(done.stdout)["flows"][0]

    def perform(self, text, at, *more):
        report = self.report(text, at, *more)
        wrong = [f"line {step['line']}: {step['text']}: {step['result']}: {step['why']}" for step in report["arrows"] + report["notes"]
                 if step["result"] != "passed"]
        self.assertEqual(wrong, [])
        self.assertEqual(report["result"], "passed", report["why"])


    def performed_with(self, text, at, registered, *more):
        """Performs it; `registered` is called once the flow's REGISTER has its 200."""
        path = write(os.path.join(self.folder, "flow.mmd"), text)
        environment = {**os.environ, **{name.upper(): password for name, password in self.people}}
        with subprocess.Popen([PROGRAM, "run", path, "--at", at, "--format", "json", "--timeout", "20s", "--trace", *more],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
            told = []
            for line in run.stderr:
                told.append(line)
                if "200 OK" in line:
                    registered()
                    break
            rest = concurrent.futures.ThreadPoolExecutor(1).submit(run.stderr.read)
            output = run.stdout.read()
            run.wait(60)
        report = json.loads(output)["flows"][0]
        self.assertEqual(report["result"], "passed", "".join(told) + rest.result())


class RunAgainstKamailio(Run):
    def setUp(self):
        need("kamailio", "openssl")
        super().setUp()
        authority = Authority(self.folder)
        certificate = authority.issue(DOMAIN)
        port = free_port()
        # TCP too: what it shows over TLS is test_federation's.
        both = servers.KAMAILIO.replace("listen={listen}", f"listen={{listen}}\nlisten=tcp:127.0.0.1:{port}")
        kept, servers.KAMAILIO = servers.KAMAILIO, both
        try:
            self.started(Kamailio(self.folder, DOMAIN, certificate, authority.certificate, mutual=False))
        finally:
            servers.KAMAILIO = kept
        self.at = f"proxy=tcp:127.0.0.1:{port}"

    def test_a_call_that_is_cancelled(self):
        self.perform(flow("cancel"), self.at)

    def test_a_call_that_is_forked(self):
        self.perform(flow("forking"), self.at)

    def test_a_call_that_is_held(self):
        self.perform(registered(flow("rfc5359/2.1-hold"), "alice", "bob"), self.at)

    def test_a_consultation(self):
        self.perform(registered(flow("rfc5359/2.2-consultation-hold"), "alice", "bob", "carol"), self.at)


class RunAgainstServe(Run):
    def setUp(self):
        need("openssl")
        super().setUp()
        port = free_port()
        config = callwright_config(self.folder, [f"tcp:127.0.0.1:{port}"], DOMAIN, USERS)
        self.started(Callwright(self.folder, ["-c", config]))
        self.at = f"proxy=tcp:127.0.0.1:{port}"

    def test_a_call_that_is_cancelled(self):
        self.perform(with_passwords(flow("cancel")), self.at)

    def test_a_call_that_is_held(self):
        self.perform(with_passwords(registered(flow("rfc5359/2.1-hold"), "alice", "bob")), self.at)


class OverTls(Run):
    """The same over TLS: the system's certificate is verified, and a wrong one refused."""
    NAMES = f"URI:sip:{DOMAIN},DNS:{DOMAIN},IP:127.0.0.1"

    def refused(self, text, authority, why, *more):
        began = time.monotonic()
        report = self.report(text, self.at, "--trust", authority.certificate, *more)
        self.assertEqual(report["result"], "failed")
        failed = [step["why"] for step in report["arrows"] if step["result"] in ("failed", "missing")]
        self.assertEqual(len(failed), 1, report["arrows"])
        self.assertRegex(failed[0], why)
        self.assertLess(time.monotonic() - began, 5, "it is said at once")


class RunAgainstServeOverTls(OverTls):
    def start(self, authority, names):
        port = free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, USERS,
                                   [authority.issue(DOMAIN, names=names)])
        self.started(Callwright(self.folder, ["-c", config]))
        self.at = f"proxy=tls:127.0.0.1:{port}"

    def test_calls(self):
        authority = Authority(self.folder)
        self.start(authority, self.NAMES)
        for text in (flow("cancel"), registered(flow("rfc5359/2.1-hold"), "alice", "bob")):
            self.perform(with_passwords(text), self.at, "--trust", authority.certificate)

    def test_a_certificate_for_somebody_else_is_refused(self):
        authority = Authority(self.folder)
        self.start(authority, "DNS:elsewhere.example")
        self.refused(with_passwords(flow("cancel")), authority, "127.0.0.1")

    def test_a_certificate_of_an_authority_that_nobody_trusts_is_refused(self):
        self.start(Authority(self.folder), self.NAMES)
        self.refused(with_passwords(flow("cancel")), Authority(self.folder, "other"), "unable to get|unknown ca|self.signed")

    def test_a_certificate_that_was_revoked_is_refused(self):
        authority = OwnAuthority(self.folder)
        certificate = authority.issue(DOMAIN, "127.0.0.1")
        authority.issue("other.example")
        port = free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, USERS, [certificate])
        self.started(Callwright(self.folder, ["-c", config]))
        self.at = f"proxy=tls:127.0.0.1:{port}"
        text = with_passwords(flow("cancel"))
        self.perform(text, self.at, "--trust", authority.certificate, "--crl", authority.revoke("other.example"))
        self.refused(text, authority, "revoked", "--crl", authority.revoke(DOMAIN))


class RunAgainstKamailioOverTls(OverTls):
    def start(self, authority, names):
        need("kamailio", "openssl")
        certificate = authority.issue(DOMAIN, names=names)
        kamailio = self.started(Kamailio(self.folder, DOMAIN, certificate, authority.certificate, mutual=False))
        self.at = f"proxy=tls:127.0.0.1:{kamailio.port}"

    def test_calls(self):
        authority = Authority(self.folder)
        self.start(authority, self.NAMES)
        for text in (flow("cancel"), flow("forking"), registered(flow("rfc5359/2.1-hold"), "alice", "bob")):
            self.perform(text, self.at, "--trust", authority.certificate)

    def test_a_certificate_for_somebody_else_is_refused(self):
        authority = Authority(self.folder)
        self.start(authority, "DNS:elsewhere.example")
        self.refused(flow("cancel"), authority, "127.0.0.1")


class RunAgainstPhones(Run):
    """A phone from Debian answers the one that the flow plays; the call goes through a server of ours."""
    CALL = """sequenceDiagram
    actor alice as Alice
    %% uri: sip:alice@{domain}
    %% password: {{env.ALICE}}
    participant proxy as Proxy
    participant bob as Bob (under test)
    %% at: tls:127.0.0.1:9
    %% uri: sip:bob@{domain}

    alice->>proxy: REGISTER
    proxy-->>alice: 200 OK
    alice->>proxy: INVITE bob (SRTP offer)
    proxy-->>alice: 180 Ringing
    proxy-->>alice: 200 OK (SRTP answer)
    alice<<-->>bob: SRTP both ways (1s)
    alice->>proxy: BYE
    proxy-->>alice: 200 OK
"""
    # The phone rings us, and hangs up; meanwhile it is put on hold and taken back.
    RINGS = """sequenceDiagram
    actor alice as Alice
    %% uri: sip:alice@{domain}
    %% password: {{env.ALICE}}
    participant proxy as Proxy
    participant bob as Bob (under test)
    %% at: tls:127.0.0.1:9
    %% uri: sip:bob@{domain}

    alice->>proxy: REGISTER
    proxy-->>alice: 200 OK
    proxy->>alice: INVITE
    alice-->>proxy: 180 Ringing
    alice-->>proxy: 200 OK (SRTP answer)
    alice<<-->>bob: SRTP both ways (1s)
    Note over alice: hears speech for 500ms
    alice->>proxy: INVITE (hold)
    proxy-->>alice: 200 OK (SRTP answer)
    Note over alice: waits 500ms
    alice->>proxy: INVITE (resume)
    proxy-->>alice: 200 OK (SRTP answer)
    {afterwards}: SRTP (1s)
    alice->>proxy: BYE
    proxy-->>alice: 200 OK
"""
    PHONES = "example.test"
    people = (("alice", "correct-horse"), ("bob", "battery-staple"))

    def setUp(self):
        need("baresip", "linphonec")
        super().setUp()
        self.authority = OwnAuthority(self.folder)
        certificate = self.authority.issue(self.PHONES, "localhost", "127.0.0.1")
        self.port, self.dns_port = free_port(), free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{self.port}"], self.PHONES, self.people, [certificate],
                                   host="localhost")
        self.started(Callwright(self.folder, ["-c", config]))
        self.started(NameServer(self.dns_port, {"server.example.test": "127.0.0.1", "localhost": "127.0.0.1"},
                                {f"_sips._tcp.{self.PHONES}": ("server.example.test", self.port)}))

    def call(self, phone):
        phone.wait_registered()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            performed = pool.submit(self.perform, self.CALL.format(domain=self.PHONES), f"proxy=tls:127.0.0.1:{self.port}",
                                    "--trust", self.authority.certificate)
            phone.accept()
            performed.result()

    def ring(self, phone, afterwards):
        phone.wait_registered()
        self.performed_with(self.RINGS.format(domain=self.PHONES, afterwards=afterwards), f"proxy=tls:127.0.0.1:{self.port}",
                            lambda: phone.dial(f"sip:alice@{self.PHONES}"), "--trust", self.authority.certificate)
        phone.wait_closed()

    def baresip(self):
        return self.started(Baresip(self.folder, "bob", self.PHONES, dict(self.people)["bob"], self.authority.certificate,
                                    self.dns_port))

    def linphone(self):
        return self.started(Linphone(self.folder, "bob", self.PHONES, dict(self.people)["bob"], self.authority.certificate,
                                     self.port))

    def test_baresip_answers(self):
        self.call(self.baresip())

    def test_linphone_answers(self):
        self.call(self.linphone())

    def test_baresip_calls_and_is_put_on_hold(self):
        # Taken back, baresip 1.0 answers sendrecv and sends nothing: its bridge for sound does not start again.
        self.ring(self.baresip(), "alice-->>bob")

    def test_linphone_calls_and_is_put_on_hold(self):
        self.ring(self.linphone(), "alice<<-->>bob")


class WhoConnectsToUs(Run):
    """A real system that does not like our certificate: the flow that waits for it ends at once."""
    FLOW = """sequenceDiagram
    participant sbc as SBC (under test)
    actor alice as Alice

    sbc->>alice: OPTIONS
    alice-->>sbc: 200 OK
"""

    def test_a_handshake_that_fails_is_said_at_once(self):
        need("openssl")
        port = free_port()
        authority = Authority(self.folder)
        path = write(os.path.join(self.folder, "flow.mmd"), self.FLOW)
        began = time.monotonic()
        with subprocess.Popen([PROGRAM, "run", path, "--at", "sbc=tls:127.0.0.1:9", "--listen", f"alice=tls:127.0.0.1:{port}",
                               "--format", "json"], stdout=subprocess.PIPE, text=True) as run:
            wait_for("alice listens", lambda: servers.listens(port))
            peer = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority.certificate,
                                   "-verify_return_error"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=20, check=False)
            report = json.loads(run.stdout.read())["flows"][0]
        self.assertIn("verify error", peer.stdout + peer.stderr)
        self.assertEqual(report["result"], "failed")
        self.assertRegex(report["arrows"][0]["why"], "the connection of sbc to alice came to nothing: .*unknown CA")
        self.assertLess(time.monotonic() - began, 10, "it is said at once")

    SERVED = """sequenceDiagram
    actor phone as Phone (under test)
    participant proxy as Proxy
    actor alice as Alice

    phone->>proxy: REGISTER
    proxy-->>phone: 200 OK
    phone->>proxy: INVITE alice
    proxy->>alice: INVITE
    alice-->>proxy: 486 Busy Here
    proxy-->>phone: 486 Busy Here
"""

    def test_one_that_fails_at_a_server_of_ours_is_said_at_once(self):
        need("openssl")
        port = free_port()
        authority = Authority(self.folder)
        path = write(os.path.join(self.folder, "flow.mmd"), self.SERVED)
        began = time.monotonic()
        with subprocess.Popen([PROGRAM, "run", path, "--at", "phone=tls:127.0.0.1:9", "--listen", f"proxy=tls:127.0.0.1:{port}",
                               "--format", "json"], stdout=subprocess.PIPE, text=True) as run:
            wait_for("the proxy listens", lambda: servers.listens(port))
            peer = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority.certificate,
                                   "-verify_return_error"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=20, check=False)
            report = json.loads(run.stdout.read())["flows"][0]
        self.assertIn("verify error", peer.stdout + peer.stderr)
        self.assertEqual(report["result"], "failed")
        self.assertEqual(report["arrows"][0]["result"], "missing")
        self.assertRegex(report["arrows"][0]["why"], "the connection of phone to proxy came to nothing: .*unknown CA")
        self.assertLess(time.monotonic() - began, 15, "it is said at once")


class RunAgainstCertificates(Run):
    def test_those_of_rfc6216_section_6_are_taken_or_refused_in_the_handshake(self):
        """Without 15, 17: there a list of revoked ones, or the strictest of policies, has to be asked for."""
        need("openssl")
        folder = material("rfc6216")
        for file, name, good in (
                ("08_tls_good_dns", DOMAIN, True), ("09_tls_good_cn_no_dns", DOMAIN, True), ("11_tls_bad_no_match", DOMAIN, False),
                ("11b_tls_bad_dns_mismatch_cn_match", DOMAIN, False), ("11c_tls_bad_wildcard_dns", "a." + DOMAIN, False),
                ("12_tls_untrusted_root", DOMAIN, False), ("13_tls_incomplete_chain", DOMAIN, False), ("14_tls_expired", DOMAIN, False),
                ("14b_tls_not_yet_valid", DOMAIN, False), ("16_tls_no_serverAuth", DOMAIN, False), ("17b_tls_any_eku_good", DOMAIN, True)):
            with self.subTest(file):
                port, base = free_port(), os.path.join(folder, "sec6", file)
                server = self.started(Process(file, ["openssl", "s_server", "-quiet", "-accept", f"127.0.0.1:{port}", "-cert",
                                                     base + ".pem", "-key", base + ".key"], self.folder, stdin=subprocess.PIPE))
                wait_for("openssl listens", lambda: listens(port))
                self.perform(f"sequenceDiagram\n    actor alice as Alice\n    participant server as {DOMAIN} (under test)\n\n"
                             f"    alice{'<<->>' if good else '-x'}server: TLS ({name})\n", f"server=tls:127.0.0.1:{port}", "--trust",
                             os.path.join(folder, "pem", "ca_cert.pem"))
                server.stop()


# Two machines: $1 is the program, $2 the flow. The other end of the wire is another network namespace.
ANOTHER_MACHINE = """
ip link set lo up
ip link add here type veth peer name there
unshare -n sleep 100 & other=$!
trap 'kill $(jobs -p)' EXIT
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done
ip link set there netns $other
ip addr add 10.9.0.1/24 dev here; ip link set here up
nsenter -t $other -n ip addr add 10.9.0.2/24 dev there
nsenter -t $other -n ip link set there up
nsenter -t $other -n "$1" serve --listen udp:10.9.0.2:5070 --domain example.com --user alice:a --user bob:b --data data > serve.log &
for i in $(seq 300); do grep -q ready serve.log && break; sleep 0.1; done
"$1" run "$2" --at proxy=udp:10.9.0.2:5070 --format json --timeout 20s
"""
FROM_HERE = """sequenceDiagram
    actor alice as Alice (UDP)
    participant proxy as Proxy (under test)
    actor bob as Bob (UDP)

    alice->>proxy: REGISTER
    proxy-->>alice: 401 Unauthorized
    alice->>proxy: REGISTER (digest)
    proxy-->>alice: 200 OK
    bob->>proxy: REGISTER
    proxy-->>bob: 401 Unauthorized
    bob->>proxy: REGISTER (digest)
    proxy-->>bob: 200 OK
    alice->>proxy: INVITE bob (RTP offer)
    %% c=IN IP4 10.9.0.1
    proxy-->>alice: 407
    alice->>proxy: INVITE bob (digest)
    proxy->>bob: INVITE
    bob-->>proxy: 200 OK (RTP answer)
    proxy-->>alice: 200 OK
    %% Contact: <sip:bob@10.9.0.1*>
    alice<<-->>bob: RTP both ways (1s)
"""


class RunAgainstAnotherMachine(InteropTest):
    def test_what_a_real_system_is_told_is_where_it_can_reach_us(self):
        need("unshare", "ip", "nsenter")
        if subprocess.run(["unshare", "-rn", "ip", "link", "add", "w1", "type", "veth", "peer", "name", "w2"], check=False,
                          capture_output=True).returncode != 0:
            self.skipTest("there can be no network of the test's own here")
        text = FROM_HERE
        for name, password in (("alice", "{env.ALICE}"), ("bob", "{env.BOB}")):
            text = re.sub(rf"(    actor {name} .*)", rf"\1\n    %% password: {password}", text)
        path = write(os.path.join(self.folder, "flow.mmd"), text)
        done = subprocess.run(["unshare", "-rn", "bash", "-c", ANOTHER_MACHINE, "bash", PROGRAM, path],
                              capture_output=True, text=True, timeout=100, check=False, cwd=self.folder,
                              env={**os.environ, "ALICE": "a", "BOB": "b"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["flows"][0]["result"], "passed")


class RunAgainstItself(Run):
    """Two runs, each the other's system under test."""

    def test_a_certificate_that_a_493_brings_is_encrypted_for(self):
        authority = OwnAuthority(self.folder)
        authority.issue(f"bob@{DOMAIN}", "--smime")
        base = os.path.join(authority.folder, f"bob@{DOMAIN}")
        both = write(os.path.join(self.folder, "bob.pem"), open(base + ".pem", encoding="ascii").read()
                     + open(base + ".key", encoding="ascii").read())
        ours, theirs = free_port(), free_port()
        bob = write(os.path.join(self.folder, "bob.mmd"), f"""sequenceDiagram
    participant alice as Alice (under test)
    %% uri: sip:alice@{DOMAIN}
    %% at: udp:127.0.0.1:{ours}
    actor bob as Bob (UDP)
    %% uri: sip:bob@{DOMAIN}
    %% certificate: {both}

    alice->>bob: MESSAGE
    bob-->>alice: 493 Undecipherable
    alice->>bob: MESSAGE
    Note over bob: reads "At nine."
    bob-->>alice: 200 OK
""")
        listening = self.started(Process("bob", [PROGRAM, "run", bob, "--listen", f"bob=udp:127.0.0.1:{theirs}", "--timeout", "20s",
                                                 "--trust", authority.certificate], self.folder))
        wait_for("bob listens", lambda: listens(theirs, "udp") or not listening.running())
        self.perform(f"""sequenceDiagram
    actor alice as Alice (UDP)
    %% uri: sip:alice@{DOMAIN}
    participant bob as Bob (under test)
    %% uri: sip:bob@{DOMAIN}

    alice->>bob: MESSAGE "At nine." (encrypted)
    bob-->>alice: 493 Undecipherable
    %% Content-Type: application/pkcs7-mime;smime-type=certs-only
    alice->>bob: MESSAGE "At nine." (encrypted)
    bob-->>alice: 200 OK
""", f"bob=udp:127.0.0.1:{theirs}", "--trust", authority.certificate, "--listen", f"alice=udp:127.0.0.1:{ours}")
        self.assertEqual(0, listening.wait_exit(30), listening.log())
