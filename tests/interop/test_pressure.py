"""A call set up while others misbehave: it completes. How long it took is printed, and judged in
bench/."""
import contextlib
import multiprocessing
import re
import select
import socket
import threading
import time
import unittest

from certificates import Authority
from harness import InteropTest, free_port
from servers import Callwright, callwright_config
from sip import Agent, Connection, trusting

DOMAIN = "example.test"
HALF_OPEN, SLOW, FLOOD_PER_SECOND = 1000, 300, 5000
ROUNDS = 5


def flood(port, ended):
    connection = Connection("udp", ("127.0.0.1", port), ("127.66.6.6", 0))
    agent = Agent("flood", DOMAIN, "", connection)
    text = agent.request("INVITE", f"sip:nobody@{DOMAIN}")
    branch = re.search(r"z9hG4bK[^;\s]+", text).group()
    began, sent = time.monotonic(), 0
    while not ended.is_set():
        with contextlib.suppress(OSError):
            connection.send(text.replace(branch, f"{branch}{sent}"))
        if sent % 16 == 0:
            while select.select([connection.socket], [], [], 0)[0]:
                connection.socket.recv(65536)
            time.sleep(max(0.0, began + sent / FLOOD_PER_SECOND - time.monotonic()))
        sent += 1
    print(f"{sent / (time.monotonic() - began):.0f} requests a second", flush=True)
    connection.close()


class Pressure(InteropTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.tls, self.udp = free_port(), free_port()
        config = callwright_config(self.folder, [f"tls:127.0.0.1:{self.tls}", f"udp:127.0.0.1:{self.udp}"], DOMAIN, (),
                                   [self.authority.issue(DOMAIN)])
        self.server = self.started(Callwright(self.folder, ["-c", config]))
        self.sockets = contextlib.ExitStack()
        self.addCleanup(self.sockets.close)

    def agent(self, user):
        return Agent(user, DOMAIN, "", Connection("tls", ("127.0.0.1", self.tls), tls=trusting(self.authority.certificate),
                                                  server_name=DOMAIN))

    def call_s(self):
        """The middle one of some: connect both, register both, call, hang up. New connections, so that
        handshakes count."""
        took = []
        for number in range(ROUNDS):
            began = time.monotonic()
            alice, bob = self.agent(f"alice{number}"), self.agent(f"bob{number}")
            alice.register()
            bob.register()
            alice.call(bob)
            alice.hang_up(bob)
            took.append(time.monotonic() - began)
            alice.close()
            bob.close()
        return sorted(took)[ROUNDS // 2]

    def compare(self, what, quiet):
        under = self.call_s()
        print(f"{what}: {under * 1000:.0f} ms, quiet {quiet * 1000:.0f} ms, ratio {under / quiet:.2f}")
        self.assertTrue(self.server.running())

    def strangers(self, count):
        """Connections from other addresses than the callers', a hundred each: no cap for one address keeps
        them out."""
        opened = []
        for number in range(count):
            opened.append(self.sockets.enter_context(socket.create_connection(
                ("127.0.0.1", self.tls), 5, source_address=(f"127.66.6.{number // 100 + 1}", 0))))
        return opened

    def test_a_thousand_half_open_handshakes(self):
        quiet = self.call_s()
        for stranger in self.strangers(HALF_OPEN):
            with contextlib.suppress(OSError):
                stranger.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # a ClientHello begins
        self.compare(f"{HALF_OPEN} half-open handshakes", quiet)

    def test_slow_senders(self):
        quiet = self.call_s()
        strangers, ended = self.strangers(SLOW), threading.Event()

        def drip():
            hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
            for octet in hello:
                for stranger in strangers:
                    with contextlib.suppress(OSError):
                        stranger.send(bytes([octet]))
                if ended.wait(1):
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            self.compare(f"{SLOW} senders of one octet a second", quiet)
        finally:
            ended.set()
            thread.join()

    def test_a_flood_from_one_address(self):
        quiet = self.call_s()
        ended = multiprocessing.Event()
        # A process of its own: it must not take the caller's turns.
        process = multiprocessing.Process(target=flood, args=(self.udp, ended), daemon=True)
        process.start()
        try:
            self.compare("a flood from one address", quiet)
        finally:
            ended.set()
            process.join()


if __name__ == "__main__":
    unittest.main(verbosity=2)
