"""`callwright keys`: the secrets of real programs, which are started with it and not altered, open what was captured."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from certificates import Authority
from dns import NameServer
from harness import PROGRAM, InteropTest, Process, free_port, need, wait_for
from phones import Baresip, talk_over_dtls_srtp
from servers import Callwright, Kamailio, callwright_config, listens
from sip import Agent, Connection, trusting

DOMAIN = "example.test"
KERNEL = 0.7  # seconds after which it has handed on what was captured
OPTIONS = ("OPTIONS sip:server@example.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK{0}\r\nMax-Forwards: 70\r\n"
           "From: <sip:client@example.test>;tag=c\r\nTo: <sip:server@example.test>\r\nCall-ID: {0}@example.test\r\n"
           "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
ANSWER = ("SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK{0}\r\nFrom: <sip:client@example.test>;tag=c\r\n"
          "To: <sip:server@example.test>;tag=s\r\nCall-ID: {0}@example.test\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")


class Keys(InteropTest):
    def setUp(self):
        super().setUp()
        self.log = os.path.join(self.folder, "tls.keys")
        self.stored = os.path.join(self.folder, "stored.pcapng")

    def keys(self, *command, output=None):
        """A command line; without a command, what stands before one."""
        return [PROGRAM, "keys", "-o", output or self.log, "--", *command]

    def lines(self, path=None):
        with open(path or self.log, encoding="ascii") as log:
            return log.read().splitlines()

    def comments(self, **wanted):
        """Of each connection, as a dictionary."""
        found = [dict(word.split("=", 1) for word in line.split()[3:])
                 for line in self.lines() if line.startswith("# callwright connection ")]
        return [c for c in found if all(c.get(name) == value for name, value in wanted.items())]

    def capture(self, port, more=""):
        """Packets as they go over loopback, without keys."""
        watcher = self.started(Process("watch", [PROGRAM, "watch", "-i", "lo", "--capture", f"port {port}{more}", "--format", "json",
                                                 "--write", self.stored], self.folder))
        wait_for("the watcher watches, or has ended", lambda: "watching" in watcher.log() or not watcher.running())
        if "not permitted" in watcher.log():
            self.skipTest("capturing is not permitted here")
        return watcher

    def read(self, watcher, *more):
        """What the capture says with the key log alone."""
        time.sleep(KERNEL)
        os.kill(watcher.pid, signal.SIGINT)
        self.assertEqual(0, watcher.wait_exit(20), watcher.log())
        done = subprocess.run([PROGRAM, "read", self.stored, "--keys", self.log, "--format", "json", *more],
                              capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def assert_whole(self, path=None):
        for line in self.lines(path):
            self.assertRegex(line, r"^(# callwright connection |[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64,96}$)")


class Libraries(Keys):
    """A client and a server that say SIP to each other, by each library's own programs."""

    def setUp(self):
        super().setUp()
        self.certificate = Authority(self.folder).issue(DOMAIN)
        self.port = free_port()

    def begin_anew(self):
        """Within one test: other logs, another port."""
        self.folder = tempfile.mkdtemp(dir=self.shared_folder)
        self.log, self.stored = os.path.join(self.folder, "tls.keys"), os.path.join(self.folder, "stored.pcapng")
        self.port = free_port()

    def start(self, client, server, listening):
        server = self.started(Process("server", server, self.folder, stdin=subprocess.PIPE))
        wait_for("the server listens", listening)
        client = self.started(Process("client", client, self.folder, stdin=subprocess.PIPE))
        return client, server

    @staticmethod
    def say(process, text):
        process.process.stdin.write(text.encode())
        process.process.stdin.flush()

    def exchange(self, client, server, call):
        self.say(client, OPTIONS.format(call))
        wait_for("the server heard", lambda: f"{call}@" in server.log())
        self.say(server, ANSWER.format(call))
        wait_for("the client heard", lambda: f"{call}@" in client.log())

    def openssl(self, version, who="both", extra=(), program=("openssl",)):
        need(program[0])
        server = [*program, "s_server", "-quiet", "-accept", f"127.0.0.1:{self.port}", "-cert", self.certificate.certificate,
                  "-key", self.certificate.key, "-no_ign_eof", version]
        client = [*program, "s_client", "-quiet", "-no_ign_eof", "-connect", f"127.0.0.1:{self.port}", version, *extra]
        return self.start(self.keys(*client) if who in ("client", "both") else client,
                          self.keys(*server) if who in ("server", "both") else server, lambda: listens(self.port))

    def check(self, read, call, key):
        self.assertEqual(1, len(read["tls"]), read["tls"])
        connection = read["tls"][0]
        self.assertTrue(connection["decrypted"], connection)
        self.assertIn(key, connection["key"])
        calls = [c for c in read["calls"] if c["call_ids"] == [f"{call}@{DOMAIN}"]]
        self.assertEqual(1, len(calls), read["calls"])
        self.assertEqual([("OPTIONS", None), (None, 200)], [(m["method"], m["status"]) for m in calls[0]["messages"]])
        return connection

    def test_openssl(self):
        for who, version in (("client", "-tls1_3"), ("server", "-tls1_3"), ("client", "-tls1_2"), ("server", "-tls1_2")):
            with self.subTest(who=who, version=version):
                self.begin_anew()
                watcher = self.capture(self.port)
                client, server = self.openssl(version, who)
                self.exchange(client, server, "whole")
                connection = self.check(self.read(watcher), "whole", "client random")
                self.assertEqual(0o600, os.stat(self.log).st_mode & 0o777, "the file holds secrets")
                self.assert_whole()
                self.assertEqual([(connection["client"], connection["server"])],
                                 [(c["client"], c["server"]) for c in self.comments()])
                client.stop()
                server.stop()

    def test_openssl_1_1(self):
        """Debian 12 has none; docs/testing.md tells where one comes from."""
        program = openssl_1_1()
        for who, version in (("client", "-tls1_3"), ("server", "-tls1_3"), ("client", "-tls1_2"), ("server", "-tls1_2")):
            with self.subTest(who=who, version=version):
                self.begin_anew()
                client, server = self.openssl(version, who, program=program)
                self.exchange(client, server, "before")
                wait_for("the secrets are there", lambda: self.comments())
                watcher = self.capture(self.port)
                self.exchange(client, server, "late")
                self.check(self.read(watcher), "late", "the key log names the two ends")
                self.assert_whole()
                client.stop()
                server.stop()

    def test_a_capture_that_began_later(self):
        """Up to TLS 1.2 that is hopeless with any other key log: keys come of both randoms."""
        for version in ("-tls1_3", "-tls1_2"):
            with self.subTest(version=version):
                self.begin_anew()
                client, server = self.openssl(version, "server")
                for number in range(5):
                    self.exchange(client, server, f"before{number}")
                wait_for("the secrets are there", lambda: self.comments())
                watcher = self.capture(self.port)
                self.exchange(client, server, "late")
                connection = self.check(self.read(watcher), "late", "the key log names the two ends")
                self.assertEqual({"-tls1_3": "TLSv1.3", "-tls1_2": "TLSv1.2"}[version], connection["version"])
                client.stop()
                server.stop()

    def test_both_ends_write_one_file_and_a_program_keeps_its_own_log(self):
        own = os.path.join(self.folder, "own.keys")
        client, server = self.openssl("-tls1_3", "both", ("-keylogfile", own))
        self.exchange(client, server, "own")
        secrets = [line for line in self.lines(own) if not line.startswith("#")]
        self.assertGreaterEqual(len(secrets), 5)
        for line in secrets:  # once by each end
            self.assertEqual(2, self.lines().count(line), line.split()[0])
        self.assertEqual(2, len(self.comments()))
        self.assertEqual(1, len({c["random"] for c in self.comments()}))

    def test_gnutls(self):
        need("gnutls-cli", "gnutls-serv")
        for who, version in (("server", "TLS1.3"), ("client", "TLS1.3"), ("server", "TLS1.2"), ("client", "TLS1.2")):
            with self.subTest(who=who, version=version):
                self.begin_anew()
                priority = f"NORMAL:-VERS-ALL:+VERS-{version}"
                server = ["gnutls-serv", "--echo", "-p", str(self.port), "--x509certfile", self.certificate.certificate,
                          "--x509keyfile", self.certificate.key, "--priority", priority]
                client = ["gnutls-cli", "--insecure", "-p", str(self.port), "--priority", priority, "127.0.0.1"]
                watcher = self.capture(self.port)
                client, server = self.start(self.keys(*client) if who == "client" else client,
                                            self.keys(*server) if who == "server" else server,
                                            lambda: listening_anywhere(self.port))
                client.wait_log("Handshake was completed")
                self.say(client, OPTIONS.format("gnu"))
                client.wait_log("gnu@")  # what the server echoes
                read = self.read(watcher)
                self.assertTrue(read["tls"][0]["decrypted"], read["tls"])
                self.assertGreaterEqual(read["counts"]["sip_messages"], 1)
                self.assert_whole()
                self.assertEqual([(read["tls"][0]["client"], read["tls"][0]["server"])],
                                 [(c["client"], c["server"]) for c in self.comments()])
                client.stop()
                server.stop()


def openssl_1_1():
    """How to start the openssl of a package of Debian 11, which was unpacked into the folder that the environment names."""
    root = os.environ.get("CALLWRIGHT_OPENSSL_1_1", "")
    program = os.path.join(root, "usr/bin/openssl")
    if not root or not os.path.exists(program):
        raise unittest.SkipTest("CALLWRIGHT_OPENSSL_1_1 names no unpacked OpenSSL 1.1")
    return "env", "LD_LIBRARY_PATH=" + os.path.join(root, "usr/lib/x86_64-linux-gnu"), program


def listening_anywhere(port):
    """Servers that listen for both families stand in the other table."""
    with open("/proc/net/tcp6", encoding="ascii") as table:
        return listens(port) or re.search(rf"0{{32}}:{port:04X} [0:]+ 0A", table.read())


class Servers(Keys):
    """Programs that fork, and that give their TLS memory to read from instead of a socket."""

    def kamailio(self, output=None):
        need("kamailio")
        authority = Authority(self.folder)
        server = Kamailio(self.folder, DOMAIN, authority.issue(DOMAIN), authority.certificate, mutual=False,
                          before=self.keys(output=output))
        self.started(server)
        return server, authority

    def agent(self, server, authority, user):
        connection = Connection("tls", ("127.0.0.1", server.port), tls=trusting(authority.certificate), server_name=DOMAIN)
        self.addCleanup(connection.close)
        return Agent(user, DOMAIN, "", connection)

    def test_kamailio(self):
        server, authority = self.kamailio()
        watcher = self.capture(server.port)
        agents = [self.agent(server, authority, f"user{n}") for n in range(4)]
        for agent in agents:
            self.assertEqual(200, agent.ask("OPTIONS", f"sip:{DOMAIN}").status)
        read = self.read(watcher)
        self.assertEqual(4, len(read["tls"]))
        self.assertTrue(all(t["decrypted"] for t in read["tls"]), read["tls"])
        self.assertEqual(8, read["counts"]["sip_messages"])
        self.assertEqual({(t["client"], t["server"]) for t in read["tls"]},
                         {(c["client"], c["server"]) for c in self.comments()}, "as its processes had read them")
        self.assert_whole()
        server.process.terminate()
        self.assertEqual(0, server.wait_exit(20), "the exit status is the program's")

    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_a_daemon_that_becomes_somebody_else(self):
        """Its parent ends at once; its processes have closed what they do not know, and may not open the log any more."""
        need("kamailio")
        authority = Authority(self.folder)
        certificate = authority.issue(DOMAIN)
        run = os.path.join(self.folder, "run")
        os.makedirs(run)
        for path, mode in ((self.folder, 0o755), (certificate.key, 0o644), (run, 0o777)):
            os.chmod(path, mode)
        server = self.started(Kamailio(self.folder, DOMAIN, certificate, authority.certificate, mutual=False, before=self.keys(),
                                       daemon=("-u", "nobody", "-g", "nogroup", "-P", os.path.join(run, "pid"))))
        agent = self.agent(server, authority, "alice")
        self.assertEqual(200, agent.ask("OPTIONS", f"sip:{DOMAIN}").status)
        wait_for("its secrets are there", lambda: self.comments(), 5)
        self.assertEqual((0o600, 0), (os.stat(self.log).st_mode & 0o777, os.stat(self.log).st_uid))
        self.assertEqual(0, server.wait_exit(), "the parent's")
        with open(os.path.join(run, "pid"), encoding="ascii") as pid:
            os.kill(int(pid.read()), signal.SIGTERM)

    def test_a_reader_follows_a_socket(self):
        path = os.path.join(self.folder, "keys.sock")
        watcher = self.started(Process("watch", [PROGRAM, "watch", "-i", "lo", "--format", "json", "--keys", f"unix:{path}"],
                                       self.folder))
        wait_for("the watcher watches, or has ended", lambda: "watching" in watcher.log() or not watcher.running())
        if "not permitted" in watcher.log():
            self.skipTest("capturing is not permitted here")
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        server, authority = self.kamailio(output=f"unix:{path}")
        agent = self.agent(server, authority, "alice")
        self.assertEqual(200, agent.ask("OPTIONS", f"sip:{DOMAIN}").status)
        time.sleep(KERNEL)
        os.kill(watcher.pid, signal.SIGINT)
        self.assertEqual(0, watcher.wait_exit(20), watcher.log())
        calls = [json.loads(line) for line in watcher.log().splitlines() if line.startswith("{")]
        asked = [call for call in calls if call["kind"] == "options" and call["messages"][0]["dst"].endswith(f":{server.port}")]
        self.assertEqual(1, len(asked), watcher.log())
        self.assertEqual("tls", asked[0]["messages"][0]["transport"])
        self.assertFalse(os.path.exists(path), "the socket goes with its reader")
        self.assertFalse(os.path.exists(self.log))

    def test_a_reader_of_a_capture_that_goes_on(self):
        """tcpdump … | callwright read - --keys unix:PATH"""
        need("dumpcap")
        path = os.path.join(self.folder, "keys.sock")
        with subprocess.Popen(["dumpcap", "-q", "-i", "lo", "-w", "-", "-f", "tcp"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as dump:
            self.addCleanup(dump.kill)
            reader = self.started(Process("reader", [PROGRAM, "read", "-", "--format", "json", "--keys", f"unix:{path}"],
                                          self.folder, stdin=dump.stdout))
            wait_for("the reader listens", lambda: os.path.exists(path) or not reader.running())
            server, authority = self.kamailio(output=f"unix:{path}")
            agent = self.agent(server, authority, "alice")
            wait_for("packets come", lambda: agent.ask("OPTIONS", f"sip:{DOMAIN}").status == 200)
            time.sleep(KERNEL)
            dump.send_signal(signal.SIGINT)
            self.assertEqual(0, reader.wait_exit(30), reader.log())
        read = json.loads(reader.log()[reader.log().index("{"):])
        of_server = [t for t in read["tls"] if t["server"].endswith(f":{server.port}")]
        self.assertTrue(of_server and all(t["decrypted"] for t in of_server), read["tls"])

    def test_a_call_of_two_phones_with_dtls_srtp(self):
        """Signalling and media, by what the phones' own OpenSSL says."""
        need("baresip")
        authority = Authority(self.folder)
        port, dns_port = free_port(), free_port()
        users = (("alice", "correct-horse"), ("bob", "battery-staple"))
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, users, [authority.issue(DOMAIN)], host="localhost")
        self.started(Callwright(self.folder, ["-c", config]))
        self.started(NameServer(dns_port, {"server.example.test": "127.0.0.1", "localhost": "127.0.0.1"},
                                {f"_sips._tcp.{DOMAIN}": ("server.example.test", port)}))
        watcher = self.capture(port, " or (udp and not port 53)")
        alice, bob = (self.started(Baresip(self.folder, user, DOMAIN, password, authority.certificate, dns_port, media="dtls_srtp",
                                           before=self.keys())) for user, password in users)
        talk_over_dtls_srtp(alice, bob, f"sip:bob@{DOMAIN}")
        read = self.read(watcher)
        calls = [call for call in read["calls"] if call["kind"] == "call"]
        self.assertEqual(1, len(calls), read["calls"])
        media = calls[0]["media"]
        self.assertGreaterEqual(len(media), 2, calls[0])
        for stream in media:
            self.assertEqual("dtls", stream["opening"]["keys"], stream)
            self.assertGreater(stream["opening"]["opened"], 20, stream)
            self.assertEqual(0, stream["opening"]["failed"], stream)

    def test_baresip(self):
        need("baresip")
        authority = Authority(self.folder)
        port, dns_port = free_port(), free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{port}"], DOMAIN, (("alice", "correct-horse"),),
                                   [authority.issue(DOMAIN)], host="localhost")
        self.started(Callwright(self.folder, ["-c", config]))
        self.started(NameServer(dns_port, {"server.example.test": "127.0.0.1"},
                                {f"_sips._tcp.{DOMAIN}": ("server.example.test", port)}))
        watcher = self.capture(port)
        phone = self.started(Baresip(self.folder, "alice", DOMAIN, "correct-horse", authority.certificate, dns_port,
                                     before=self.keys()))
        phone.wait_registered()
        read = self.read(watcher)
        self.assertTrue(read["tls"][0]["decrypted"], read["tls"])
        self.assertIn("registration", {call["kind"] for call in read["calls"]})
        self.assertEqual([(read["tls"][0]["client"], read["tls"][0]["server"])],
                         [(c["client"], c["server"]) for c in self.comments()])


class Refused(Keys):
    def run_keys(self, *command, output=None):
        return subprocess.run(self.keys(*command, output=output), capture_output=True, text=True, timeout=20, check=False)

    def test_programs_that_cannot_be_preloaded_into(self):
        self.assertIn("linked statically", self.run_keys("/sbin/ldconfig", "-p").stderr)
        self.assertEqual(3, self.run_keys("/sbin/ldconfig", "-p").returncode)
        done = self.run_keys("no-such-program")
        self.assertEqual((3, "callwright: keys: no-such-program: no such program\n"), (done.returncode, done.stderr))
        if os.geteuid() == 0:
            copy = os.path.join(self.folder, "other")
            shutil.copy("/bin/true", copy)
            os.chown(copy, 65534, 65534)
            os.chmod(copy, 0o4755)
            self.assertIn("is setuid", self.run_keys(copy).stderr)
            script = os.path.join(self.folder, "script")
            with open(script, "w", encoding="ascii") as out:
                out.write(f"#!{copy}\n")
            os.chmod(script, 0o755)
            self.assertIn("is setuid", self.run_keys(script).stderr)

    def test_outputs_that_cannot_be_used(self):
        self.assertEqual(3, self.run_keys("true", output="/no/such/folder/keys").returncode)
        done = self.run_keys("true", output="unix:" + "x" * 200)
        self.assertEqual(3, done.returncode)
        self.assertIn("at most 107", done.stderr)
        with open(self.log, "w", encoding="ascii"):
            os.chmod(self.log, 0o644)
        self.assertIn("others may read it", self.run_keys("true").stderr)

    def test_what_a_program_does_stays_its_own(self):
        done = self.run_keys("sh", "-c", "echo said; echo $0 $1; exit 7", "a b", "c")
        self.assertEqual((7, "said\na b c\n", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual(-signal.SIGTERM, self.run_keys("sh", "-c", "kill -TERM $$").returncode)
        # Errors of reading are the system's, with its errno.
        code = "import os, errno\ntry:\n os.read(987, 1)\nexcept OSError as e:\n print(errno.errorcode[e.errno])\n"
        self.assertEqual("EBADF\n", self.run_keys("python3", "-c", code).stdout)

    def test_threads_and_forks_write_whole_lines(self):
        """Many handshakes at once in threads of several processes, all through memory: nothing is torn."""
        certificate = Authority(self.folder).issue("localhost")
        code = """
import os, ssl, sys, threading
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(sys.argv[1], sys.argv[2])
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); client.check_hostname = False; client.verify_mode = ssl.CERT_NONE
def shake():
    for _ in range(10):
        a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [client.wrap_bio(a, b), server.wrap_bio(b, a, server_side=True)]
        while ends:
            for end in list(ends):
                try: end.do_handshake(); ends.remove(end)
                except ssl.SSLWantReadError: pass
def run():
    threads = [threading.Thread(target=shake) for _ in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()
children = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        os.closerange(3, 1024)  # as daemons do: ours too, and its number is somebody else's then
        os.open('/dev/null', os.O_RDWR)
        run(); os._exit(0)
    children.append(pid)
run()
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""
        done = self.run_keys("/usr/bin/python3", "-c", code, certificate.certificate, certificate.key)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assert_whole()
        randoms = {line.split()[1] for line in self.lines() if not line.startswith("#")}
        self.assertEqual(4 * 4 * 10, len(randoms))
        for random in randoms:
            self.assertEqual(10, sum(1 for line in self.lines() if line.split()[1] == random), "five secrets, from both ends")

    def test_no_reader_is_no_trouble(self):
        path = os.path.join(self.folder, "nobody.sock")
        need("openssl")
        done = self.run_keys("openssl", "version", output=f"unix:{path}")
        self.assertEqual(0, done.returncode)
        self.assertIn("nobody listens", done.stderr)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as late:
            late.bind(path)
            self.assertEqual(0, self.run_keys("openssl", "version", output=f"unix:{path}").returncode)


if __name__ == "__main__":
    unittest.main(verbosity=2)
