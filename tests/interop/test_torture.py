"""The messages of RFC 4475 over UDP, TCP and TLS get the answer that the RFC names; hostile ones get
any or none; nothing stops the server."""
import os
import re
import ssl
import tarfile
import unittest

from certificates import Authority
from harness import InteropTest, free_port, material
from servers import Callwright, callwright_config
from sip import Agent, Connection, trusting

DOMAIN = "example.com"
# What the messages are addressed to is nobody's here, or somebody who is not registered: a request in
# order gets one of these.
IN_ORDER = {200, 403, 404, 480, 405, 501, 415, 416, 420, 483, 604, 488}
BAD = {400}
SILENCE = {None}
CLOSED = {"closed"}
# [RFC 4475 §3] By message: what may come back over UDP, and over a stream where that is different.
EXPECTED = {
    "wsinv": IN_ORDER, "intmeth": IN_ORDER, "esc01": IN_ORDER, "escnull": {200}, "esc02": IN_ORDER, "lwsdisp": IN_ORDER,
    "longreq": IN_ORDER, "dblreq": {200}, "semiuri": IN_ORDER, "transports": IN_ORDER, "mpart01": IN_ORDER,
    "unreason": SILENCE, "noreason": SILENCE, "badinv01": BAD, "clerr": BAD, "ncl": BAD, "scalar02": BAD,
    "scalarlg": SILENCE, "quotbal": BAD, "ltgtruri": BAD, "lwsruri": BAD, "lwsstart": BAD, "trws": BAD, "escruri": BAD,
    "baddate": BAD | IN_ORDER, "regbadct": BAD | {200}, "badaspec": BAD | IN_ORDER, "baddn": BAD | SILENCE,
    "badvers": {505}, "mismatch01": BAD, "mismatch02": {400, 501}, "bigcode": SILENCE, "badbranch": BAD | IN_ORDER,
    "insuf": BAD | SILENCE, "unkscm": {416, 404, 403}, "novelsc": {416, 404, 403}, "unksm2": BAD | {200},
    "bext01": {420}, "invut": IN_ORDER, "regaut01": {200, 401, 403}, "multi01": BAD, "mcl01": BAD, "bcast": SILENCE,
    "zeromf": {483}, "cparam01": {200}, "cparam02": {200}, "regescrt": {200}, "sdp01": IN_ORDER | BAD | {406},
    "inv2543": IN_ORDER | BAD, "test": BAD | SILENCE,
}
# Their Routes lead to nobody: after a while 502, and for a MESSAGE nothing [RFC 4320 §4.2].
EXPECTED["wsinv"] = IN_ORDER | {502}
EXPECTED["mpart01"] = IN_ORDER | {502} | SILENCE
# Where the length of a message cannot be known, a stream cannot go on.
STREAM = {
    "clerr": BAD | SILENCE | CLOSED, "ncl": BAD | CLOSED, "mcl01": BAD | CLOSED, "baddn": SILENCE | CLOSED | BAD,
    "test": BAD | SILENCE | CLOSED, "insuf": BAD | SILENCE | CLOSED, "inv2543": IN_ORDER | BAD | CLOSED,
}
STREAM["dblreq"] = {200, 403}  # what follows is a request of its own, of somebody else
HOSTILE_SHARE = 8  # every eighth of the 1,944 PROTOS cases


class Torture(InteropTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        certificate = self.authority.issue(DOMAIN)
        self.ports = {transport: free_port() for transport in ("udp", "tcp", "tls")}
        config = callwright_config(
            self.folder, [f"{transport}:127.0.0.1:{port}" for transport, port in self.ports.items()], DOMAIN, (),
            [certificate])
        self.server = self.started(Callwright(self.folder, ["-c", config]))
        self.sources = 0

    def source(self):
        """A new address on loopback. Answers over UDP go to the port that the Via says [RFC 3261 §18.2.2],
        mostly 5060; and an INVITE that nobody acknowledges is answered again and again."""
        self.sources += 1
        return f"127.{64 + os.getpid() % 128}.{self.sources // 250}.{self.sources % 250 + 1}"

    def connect(self, transport, port=0):
        connection = Connection(transport, ("127.0.0.1", self.ports[transport]), (self.source(), port),
                                trusting(self.authority.certificate), DOMAIN)
        self.addCleanup(connection.close)
        return connection

    def assert_alive(self):
        self.assertTrue(self.server.running(), f"ended with {self.server.process.returncode}")
        answer = Agent("ping", DOMAIN, "", self.connect("tcp")).ask("OPTIONS", f"sip:{DOMAIN}")
        self.assertEqual(answer.status, 200)

    def outcome(self, transport, data, seconds):
        via = re.search(rb"(?im)^(?:via|v)[ \t]*:\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+([^\s;,]+)", data)
        port = re.search(rb":(\d+)$", via[1]) if via else None
        connection = self.connect(transport, int(port[1]) if port and transport == "udp" else
                                  5060 if transport == "udp" else 0)
        try:
            connection.send(data)
            # Until a final answer, or until nothing comes.
            while message := connection.receive(seconds):
                if message.status is None:
                    return message.start
                if message.status >= 200:
                    return message.status
            return None
        except (ConnectionError, ssl.SSLError):
            return "closed"
        finally:
            connection.close()

    def rfc_4475(self, transport):
        """Each transport has a server of its own: to one that knows it already, a message is a
        retransmission."""
        folder = material("rfc4475")
        with open(os.path.join(folder, "expected.tsv"), encoding="utf-8") as table:
            names = [line.split("\t")[0] for line in table][1:]
        self.assertEqual(set(names), set(EXPECTED))
        branches = set()
        for name in names:
            with open(os.path.join(folder, name + ".dat"), "rb") as file:
                data = file.read()
            expected = EXPECTED[name] if transport == "udp" else STREAM.get(name, EXPECTED[name])
            branch = re.search(rb"branch\s*=\s*([^\s;,]+)", data)
            if transport == "udp" and branch and branch[1] in branches:
                expected = expected | SILENCE  # a retransmission to the server: whom it knows gets the answer
            branches.add(branch and branch[1])
            with self.subTest(name):
                self.assertIn(self.outcome(transport, data, 0.4 if None in expected else 5), expected)
        self.assert_alive()

    def test_rfc_4475_over_udp(self):
        self.rfc_4475("udp")

    def test_rfc_4475_over_tcp(self):
        self.rfc_4475("tcp")

    def test_rfc_4475_over_tls(self):
        self.rfc_4475("tls")

    def hostile(self, archive, share=1):
        with tarfile.open(material("hostile", archive)) as tar:
            members = [member for member in tar.getmembers() if member.isfile()][::share]
            return [tar.extractfile(member).read() for member in members]

    def test_protos_cases(self):
        cases = self.hostile("protos_c07_sip.tar.xz", HOSTILE_SHARE)
        udp, tcp = self.connect("udp"), None
        for number, data in enumerate(cases):
            if len(data) < 65000:
                udp.send(data)
            tcp = tcp or self.connect("tcp")
            try:
                tcp.send(data)
                tcp.receive(0)
            except OSError:
                tcp.close()
                tcp = None
            if number % 50 == 49:
                self.assert_alive()
        self.assert_alive()

    def test_what_broke_others(self):
        cases = self.hostile("kamailio_sip.tar.xz") + self.hostile("pjsip_seeds.tar.xz")
        udp = self.connect("udp")
        for data in cases[:400]:
            if len(data) < 65000:
                udp.send(data)
            tls = self.connect("tls") if len(data) % 4 == 0 else self.connect("tcp")
            try:
                tls.send(data)
                tls.receive(0)
            except OSError:
                pass
            tls.close()
        self.assert_alive()


if __name__ == "__main__":
    unittest.main(verbosity=2)
