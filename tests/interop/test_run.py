"""Flows that ship, performed by `callwright run` against real systems: Kamailio, and a server of ours in a process of its own."""
import json
import os
import re
import subprocess

import servers
from certificates import Authority
from harness import PROGRAM, SOURCE, InteropTest, free_port, need
from servers import Callwright, Kamailio, callwright_config, write

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
    def perform(self, text, at):
        path = write(os.path.join(self.folder, "flow.mmd"), text)
        environment = {**os.environ, **{name.upper(): password for name, password in USERS}}
        done = subprocess.run([PROGRAM, "run", path, "--at", at, "--format", "json", "--timeout", "10s"], capture_output=True,
                              text=True, timeout=60, env=environment, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        report = json.loads(done.stdout)["flows"][0]
        wrong = [f"line {step['line']}: {step['text']}: {step['result']}: {step['why']}" for step in report["arrows"] + report["notes"]
                 if step["result"] != "passed"]
        self.assertEqual(wrong, [])
        self.assertEqual(report["result"], "passed", report["why"])


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
