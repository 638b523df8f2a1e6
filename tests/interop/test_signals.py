"""Reloading with a call up, ending in order, and starting wrongly."""
import os
import signal
import socket
import subprocess
import unittest

from certificates import Authority
from harness import PROGRAM, InteropTest, free_port, wait_for
from servers import Callwright, callwright_config, write
from sip import Agent, Connection, trusting

DOMAIN = "example.test"


class Signals(InteropTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.port = free_port()
        self.configure(self.authority.issue(DOMAIN, file="first"), [("alice", "a"), ("bob", "b")])

    def configure(self, certificate, users):
        self.config = callwright_config(self.folder, [f"tls:127.0.0.1:{self.port}"], DOMAIN, users, [certificate])

    def start(self, name="serve"):
        self.server = self.started(Callwright(self.folder, ["-c", self.config], name=name))

    def agent(self, user, password):
        agent = Agent(user, DOMAIN, password, Connection(
            "tls", ("127.0.0.1", self.port), tls=trusting(self.authority.certificate), server_name=DOMAIN))
        self.addCleanup(agent.close)
        return agent

    def pair(self):
        alice, bob = self.agent("alice", "a"), self.agent("bob", "b")
        alice.register()
        bob.register()
        return alice, bob

    def serial(self):
        """Of the certificate that a new connection is shown."""
        connection = self.agent("x", "").connection
        return connection.socket.getpeercert()["serialNumber"]

    def test_a_reload_keeps_the_call_and_shows_the_new_certificate_and_user(self):
        self.start()
        alice, bob = self.pair()
        alice.call(bob)
        before = self.serial()
        self.configure(self.authority.issue(DOMAIN, file="second"), [("alice", "a"), ("bob", "b"), ("carol", "c")])
        self.server.process.send_signal(signal.SIGHUP)
        wait_for("the new certificate is shown", lambda: self.serial() != before)
        self.agent("carol", "c").register()
        alice.hang_up(bob)
        alice.call(bob)
        alice.hang_up(bob)

    def test_its_heap_is_in_large_pages_where_the_kernel_gives_them_to_who_asks(self):
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
            asked = "[madvise]" in file.read()
        self.start()
        of_process = f"/proc/{self.server.process.pid}/"
        with open(of_process + "environ", "rb") as file:
            self.assertEqual(b"GLIBC_TUNABLES=glibc.malloc.hugetlb=1" in file.read().split(b"\0"), asked)
        with open(of_process + "cmdline", "rb") as file:
            self.assertEqual(file.read().split(b"\0")[1:-1], [b"serve", b"-c", self.config.encode()])
        with open(of_process + "comm", "rb") as file:
            self.assertEqual(file.read(), b"callwright\n")

    def test_a_reload_with_a_mistake_changes_nothing(self):
        self.start()
        alice, bob = self.pair()
        write(self.config, 'lisen = ["tls:127.0.0.1:1"]\n')
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_log("lisen")
        alice.call(bob)
        alice.hang_up(bob)

    def test_sigterm_lets_a_call_attempt_end_and_returns_0(self):
        self.start()
        alice, bob = self.pair()
        alice.connection.send(alice.request("OPTIONS", f"sip:{DOMAIN}"))
        self.assertIn(alice.final().status, (200, 401, 407))
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait_exit(), 0)
        self.assertTrue(bob.connection.wait_closed())

    def test_bindings_outlive_an_ordinary_restart(self):
        self.start()
        self.pair()
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait_exit(), 0)
        self.start("serve-again")
        answer = self.agent("bob", "b").ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>",
                                            headers=["Expires: 600"])
        self.assertEqual(len(answer.all("Contact", "m")[0].split(",")) + len(answer.all("Contact", "m")) - 1, 2)

    def run_wrongly(self, *arguments):
        return subprocess.run([PROGRAM, "serve", *arguments], capture_output=True, text=True, timeout=20, cwd=self.folder)

    def test_a_port_that_is_taken_is_status_3(self):
        with socket.create_server(("127.0.0.1", self.port)):
            run = self.run_wrongly("-c", self.config)
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertIn(str(self.port), run.stderr)

    def test_an_unknown_key_is_status_2_and_the_nearest_one_is_named(self):
        with open(self.config, encoding="utf-8") as config:
            text = config.read()
        write(self.config, text.replace("listen =", "lisen ="))
        run = self.run_wrongly("-c", self.config)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("lisen", run.stderr)
        self.assertIn("'listen'", run.stderr)
        self.assertRegex(run.stderr, r"serve\.toml:1:1\b")

    def test_an_unknown_option_is_status_2(self):
        self.assertEqual(self.run_wrongly("--lissen", "udp:127.0.0.1:0").returncode, 2)

    def test_without_a_configuration_it_makes_its_own_authority(self):
        data = os.path.join(self.folder, "data")
        self.server = self.started(Callwright(self.folder, [
            "--listen", f"tls:127.0.0.1:{self.port}", "--domain", "localhost", "--user", "alice:a", "--user", "bob:b", "--data",
            data]))
        context = trusting(os.path.join(data, "ca.pem"))
        agents = []
        for user, password in (("alice", "a"), ("bob", "b")):
            agent = Agent(user, "localhost", password, Connection("tls", ("127.0.0.1", self.port), tls=context))
            self.addCleanup(agent.close)
            agent.register()
            agents.append(agent)
        agents[0].call(agents[1])
        agents[0].hang_up(agents[1])
        keys = [name for name in os.listdir(data) if name.endswith(".key") or name == "secret"]
        self.assertGreaterEqual(len(keys), 2)
        for name in keys:
            self.assertEqual(os.stat(os.path.join(data, name)).st_mode & 0o077, 0, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
