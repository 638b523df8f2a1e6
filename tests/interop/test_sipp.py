"""SIPp over UDP and TCP with its own scenarios and those of its users, and sipsak."""
import os
import subprocess
import unittest

from harness import InteropTest, Process, free_port, material, need, wait_for
from servers import Callwright, callwright_config, listens, write
from sip import unique

# SIPp says sip:NAME@ADDRESS:PORT for everybody: addresses are domains. Who is called has one that is
# none, or a Contact would be a user of ours.
DOMAIN, CALLERS, CALLED = "127.0.0.2", "127.0.0.3", "127.0.0.1"
CALLS = 50
REGISTER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="register">
<send retrans="500"><![CDATA[
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[pid]r[call_number]
To: <sip:{user}@{domain}>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:{user}@127.0.0.1:{port};transport={transport}>;expires=600
Content-Length: 0

]]></send>
<recv response="200"></recv>
</scenario>
"""


class Sipp(Process):
    def __init__(self, folder, transport, address, *arguments, name="sipp"):
        kind = {"udp": "u1", "tcp": "t1"}[transport]
        self.port = free_port()
        super().__init__(name, [
            "sipp", "-t", kind, "-i", address, "-p", str(self.port), "-mp", str(free_port()), "-nostdin", "-trace_err",
            "-error_file", os.path.join(folder, name + ".errors"), *arguments], folder, {"TERM": "dumb"})
        self.errors_path = os.path.join(folder, name + ".errors")

    def errors(self):
        if not os.path.exists(self.errors_path):
            return ""
        with open(self.errors_path, encoding="utf-8", errors="replace") as errors:
            return errors.read()

    def log(self):
        return super().log()[-3000:] + self.errors()


class SippTest(InteropTest):
    def setUp(self):
        need("sipp")
        super().setUp()
        self.port = free_port()
        config = callwright_config(
            self.folder, [f"{transport}:{DOMAIN}:{self.port}" for transport in ("udp", "tcp")], DOMAIN,
            more=f'[[domain]]\nname = "{CALLERS}"\nauthenticate = false')
        self.server = self.started(Callwright(self.folder, ["-c", config]))
        self.remote = f"{DOMAIN}:{self.port}"

    def sipp(self, transport, address, *arguments):
        return self.started(Sipp(self.folder, transport, address, *map(str, arguments), name=unique("sipp-")))

    def called(self, transport, *scenario):
        """A user agent server that is registered as `service`, the user that SIPp calls by itself."""
        uas = self.sipp(transport, CALLED, *scenario, "-m", CALLS)
        wait_for("SIPp listens", lambda: listens(uas.port, transport))
        path = write(os.path.join(self.folder, unique("register") + ".xml"), REGISTER.format(
            domain=DOMAIN, user="service", port=uas.port, transport=transport))
        # Over UDP: SIPp ends with its registration, and so would a connection that calls could come over.
        self.finish(self.sipp("udp", CALLED, "-sf", path, "-m", 1, self.remote))
        return uas

    def finish(self, *all_of_them):
        for sipp in all_of_them:
            try:
                status = sipp.wait_exit(40)
            except subprocess.TimeoutExpired:
                self.fail(f"{sipp.name} does not end: {sipp.errors()[-1500:]}")
            self.assertEqual(status, 0, sipp.errors()[-1500:])

    def calls(self, caller_transport, callee_transport, caller, callee):
        uas = self.called(callee_transport, *callee)
        uac = self.sipp(caller_transport, CALLERS, *caller, "-m", CALLS, "-r", 50, "-l", 20, self.remote)
        self.finish(uac, uas)

    def test_built_in_scenarios_over_udp(self):
        self.calls("udp", "udp", ["-sn", "uac"], ["-sn", "uas"])

    def test_built_in_scenarios_over_tcp(self):
        self.calls("tcp", "tcp", ["-sn", "uac"], ["-sn", "uas"])

    def test_route_sets_with_a_change_of_transport(self):
        uac, uas = (os.path.join(material("..", "peers", "scenarios"), f"{name}.xml") for name in ("uac", "uas"))
        for caller, callee in (("udp", "tcp"), ("tcp", "udp")):
            with self.subTest(caller=caller, callee=callee):
                self.calls(caller, callee, ["-sf", uac, "-s", "service"], ["-sf", uas])

    def test_the_server_of_its_manual(self):
        uas = material("sipp", "curated", "sipp", "docs", "uas.xml")
        for transport in ("udp", "tcp"):
            with self.subTest(transport):
                self.calls(transport, transport, ["-sn", "uac"], ["-sf", uas])

    def test_a_registration_load(self):
        users = write(os.path.join(self.folder, "users.csv"),
                      "SEQUENTIAL\n" + "".join(f"user{n};\n" for n in range(500)))
        for transport in ("udp", "tcp"):
            path = write(os.path.join(self.folder, f"load-{transport}.xml"), REGISTER.format(
                domain=DOMAIN, user="[field0]", port=9, transport=transport))
            with self.subTest(transport):
                self.finish(self.sipp(transport, CALLERS, "-sf", path, "-inf", users, "-m", 500, "-r", 500, self.remote))

    def test_sipsak(self):
        need("sipsak")
        for transport in ("udp", "tcp"):
            with self.subTest(transport):
                run = subprocess.run(["sipsak", "-v", "-E", transport, "-s", f"sip:{self.remote}"], capture_output=True,
                                     text=True, timeout=20)
                self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
                self.assertIn("200", run.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
