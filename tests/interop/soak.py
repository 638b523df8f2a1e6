#!/usr/bin/env python3
"""A moderate load for as long as one likes, and whether memory and descriptors stay flat:

    tests/interop/soak.py --minutes 120 --program build/release/callwright

Calls over TCP, registrations over TLS with a new connection each (some of them broken off in the
handshake), idle TLS connections that come and go, questions over UDP. Not part of ./callwright test.
Exit status 1 when something was not answered, or when it was not flat."""
import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time

import servers
from certificates import Authority
from harness import free_port
from sip import Agent, Connection, trusting

DOMAIN = "example.test"
GROWTH = 1.03   # what the last quarter may be above the second one


class Sampler:
    """What /proc says of the process."""

    def __init__(self, pid, data):
        self.pid, self.data, self.samples, self.began = pid, data, [], time.monotonic()

    def take(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            fields = dict(line.split(":", 1) for line in status)
        with open(f"/proc/{self.pid}/stat", "rb") as stat:
            numbers = stat.read().rsplit(b")", 1)[1].split()
        size = sum(os.path.getsize(os.path.join(self.data, name)) for name in os.listdir(self.data))
        self.samples.append({
            "s": time.monotonic() - self.began, "rss_kb": int(fields["VmRSS"].split()[0]),
            "fds": len(os.listdir(f"/proc/{self.pid}/fd")), "threads": int(fields["Threads"]),
            "cpu_s": (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK"), "disk_kb": size // 1024})
        return self.samples[-1]

    def quarter(self, number, key):
        whole = self.samples[-1]["s"]
        return statistics.median(sample[key] for sample in self.samples
                                 if whole * number / 4 <= sample["s"] <= whole * (number + 1) / 4)


class Load:
    """Each part is a thread that does one thing at its rate until told to end."""

    def __init__(self, ports, authority, rate):
        self.ports, self.tls, self.rate = ports, trusting(authority), rate
        self.ended, self.done, self.failures = threading.Event(), {}, []
        self.threads = [threading.Thread(target=self._run, args=(part,)) for part in
                        (self.calls, self.registrations, self.idle, self.questions)]
        for thread in self.threads:
            thread.start()

    def _run(self, part):
        step, due = part(), time.monotonic()
        while not self.ended.is_set():
            try:
                next(step)
                self.done[part.__name__] = self.done.get(part.__name__, 0) + 1
            except Exception as failure:  # counted and told at the end; the part begins again
                self.failures.append(f"{part.__name__}: {failure!r}")
                step = part()
            due += 1 / self.rate
            self.ended.wait(max(0.0, due - time.monotonic()))

    def agent(self, user, transport):
        return Agent(user, DOMAIN, "", Connection(transport, ("127.0.0.1", self.ports[transport]), tls=self.tls,
                                                  server_name=DOMAIN))

    def calls(self):
        while True:
            alice, bob = self.agent("alice", "tcp"), self.agent("bob", "tcp")
            bob.register()
            for _ in range(100):
                alice.call(bob)
                alice.hang_up(bob)
                yield
            bob.register(expires=0)
            alice.close()
            bob.close()

    def registrations(self):
        while True:
            agent = self.agent(f"user{random.randrange(500)}", "tls")
            agent.register(expires=random.choice((0, 600, 600)))
            agent.close()
            if random.random() < 0.2:  # broken off
                stranger = Connection("tcp", ("127.0.0.1", self.ports["tls"]))
                stranger.send(b"\x16\x03\x01\x02\x00\x01")
                stranger.close()
            yield

    def idle(self):
        held = []
        while True:
            held.append(self.agent("idle", "tls"))
            if len(held) > 50:
                held.pop(random.randrange(50)).close()
            yield

    def questions(self):
        agent = self.agent("asks", "udp")
        while True:
            answer = agent.ask("OPTIONS", f"sip:{DOMAIN}")
            if answer.status != 200:
                raise AssertionError(answer.start)
            yield

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--rate", type=float, default=4, help="of each part, a second")
    options.add_argument("--program", default=servers.PROGRAM)
    options.add_argument("--web", action="store_true", help="with the page of what is served, whose calls are kept in memory, too")
    options.add_argument("--every", type=float, default=10, help="seconds between samples")
    chosen = options.parse_args()
    servers.PROGRAM = os.path.abspath(chosen.program)
    folder = tempfile.mkdtemp(prefix="callwright-soak-")
    ports = {transport: free_port() for transport in ("udp", "tcp", "tls")}
    authority = Authority(folder)
    config = servers.callwright_config(
        folder, [f"{transport}:127.0.0.1:{port}" for transport, port in ports.items()], DOMAIN, (),
        [authority.issue(DOMAIN)])
    server = servers.Callwright(folder, ["-c", config, *(["--web", ":0"] if chosen.web else [])])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    load = None
    try:
        sampler = Sampler(server.pid, os.path.join(folder, "data"))
        load, end = Load(ports, authority.certificate, chosen.rate), time.monotonic() + chosen.minutes * 60
        while time.monotonic() < end and server.running():
            sample = sampler.take()
            print(" ".join(f"{key}={value:.0f}" if key != "cpu_s" else f"{key}={value:.2f}" for key, value in sample.items()),
                  dict(load.done), len(load.failures), flush=True)
            time.sleep(min(chosen.every, max(0.0, end - time.monotonic())))
        return verdict(sampler, load, server)
    finally:
        if load:
            load.end()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def verdict(sampler, load, server):
    load.end()
    alive = server.running()
    flat = True
    for key in ("rss_kb", "fds", "threads"):
        before, after = sampler.quarter(1, key), sampler.quarter(3, key)
        ok = after <= before * GROWTH
        flat = flat and ok
        print(f"{key}: {before:.0f} in the second quarter, {after:.0f} in the last: {'flat' if ok else 'NOT FLAT'}")
    first, last = sampler.samples[0], sampler.samples[-1]
    share = (last["cpu_s"] - first["cpu_s"]) / max(last["s"] - first["s"], 1)
    print(f"CPU: {share * 100:.2f} % of a core; done: {load.done}; failures: {len(load.failures)} {load.failures[:5]}; "
          f"server {'alive' if alive else 'ENDED'}")
    return 0 if alive and flat and not load.failures else 1


if __name__ == "__main__":
    sys.exit(main())
