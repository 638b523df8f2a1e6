#!/usr/bin/env python3
"""Registered phones, each with a TLS connection of its own, held for half an hour with keep-alives while calls go on:

    bench/hold.py --phones 60000 --minutes 30 --rate 20

`callwright serve` and `callwright load` in processes of their own, on loopback. Where the system gives a process fewer
descriptors than there are phones, several servers and as many generators share them; how many is printed. A line a minute;
in the end what became of registrations, connections and calls, memory a connection, and CPU in the first and last quarter, as
JSON. Exit status 1 when a registration, a connection or a call was lost, or memory grew."""
import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

import servers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SPARE = 1000          # descriptors of a process that are not for phones
GROWTH = 1.03         # what memory in the last quarter may be, of the second
PORTS = 28_000        # that one address has towards another
PATIENCE = 900        # seconds until all phones of one generator are registered
FLOW = """sequenceDiagram
    %% set: rows from users.csv
    actor alice as Alice
    %% uri: sip:caller@localhost
    %% password: {{row.password}}
    participant pbx as PBX (under test)
    actor bob as Bob
    %% uri: sip:{{row.user}}@localhost
    %% password: {{row.password}}

    alice<<->>pbx: TLS 1.3
    alice->>pbx: INVITE bob (SDP offer)
    pbx->>bob: INVITE
    bob-->>pbx: 180 Ringing
    pbx-->>alice: 180 Ringing
    bob-->>pbx: 200 OK (SDP answer)
    pbx-->>alice: 200 OK
    alice->>pbx: ACK
    pbx->>bob: ACK
    Note over bob: waits {talk}s
    alice->>pbx: BYE
    pbx->>bob: BYE
    bob-->>pbx: 200 OK
    pbx-->>alice: 200 OK
"""


class Cell:
    """A server, and the generator whose phones are registered at it."""

    def __init__(self, number, phones, options):
        self.number, self.phones, self.options = number, phones, options
        names = ["caller"] + [f"u{i}" for i in range(phones)]
        self.metrics_port = servers.free_port()
        users = "".join(f'[[domain.users]]\nname = "{name}"\npassword = "secret"\n' for name in names)
        config = servers.CALLWRIGHT.replace("SHARDS", "1").replace("authenticate = false\n", users)
        config = f'metrics = "127.0.0.1:{self.metrics_port}"\n' + config
        files = {"users.csv": "user,password\n" + "".join(f"u{i},secret\n" for i in range(phones)), "call.mmd": FLOW.replace("{talk}", str(options.talk))}
        self.server = servers.Server("callwright", [options.program, "serve", "-c", "{folder}/config"], config, files)
        self.load = None
        self.samples = []

    def __enter__(self):
        self.server.__enter__()
        return self

    def begin(self):
        folder, options = self.server.folder, self.options
        self.out = open(os.path.join(folder, "load.json"), "w+", encoding="utf-8")
        self.err = open(os.path.join(folder, "load.log"), "w+", encoding="utf-8")
        command = [
            options.program, "load", f"{folder}/call.mmd", "--at", f"pbx=tls:localhost:{self.server.port}",
            "--trust", f"{folder}/cert.pem", "--users", f"{folder}/users.csv", "--register", "--pool", str(self.phones),
            "--keep-alive", f"{options.keep_alive}s", "--rate", str(options.rate / options.cells), "--for", "1000m",
            "--failed", f"{folder}/failed", "--format", "json"]
        for source in range(2, 3 + self.phones // PORTS):
            command += ["--source", f"127.0.0.{source}"]
        self.load = subprocess.Popen(command, stdout=self.out, stderr=self.err, stdin=subprocess.DEVNULL, start_new_session=True)

    def counters(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as page:
            lines = (line.split() for line in page.read().decode().splitlines() if not line.startswith("#"))
            return {name.removeprefix("callwright_").removesuffix("_total"): int(value) for name, value in lines}

    def sample(self):
        now = self.counters()
        now.update(at=time.monotonic(), cpu_s=self.server.cpu_s(), kb=self.server.resident_kb(), load_kb=resident_kb(self.load.pid))
        self.samples.append(now)
        return now

    def end_load(self):
        if self.load is not None and self.load.poll() is None:
            self.load.send_signal(signal.SIGINT)
            try:
                self.load.wait(60)
            except subprocess.TimeoutExpired:
                self.load.kill()
                self.load.wait()

    def end(self):
        self.end_load()
        self.server.__exit__()

    def report(self):
        self.out.seek(0)
        try:
            return json.load(self.out)
        except ValueError:
            self.err.seek(0)
            raise RuntimeError(f"generator {self.number}: {self.err.read()[-500:]}") from None


def resident_kb(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    except (OSError, StopIteration):
        return 0


def say(*words):
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


def register(cell):
    """Until all its phones are there: its calls have begun then."""
    empty_kb = cell.server.resident_kb()
    began = time.monotonic()
    cell.begin()
    while cell.counters()["bindings"] < cell.phones:
        if cell.load.poll() is not None or time.monotonic() - began > PATIENCE:
            cell.err.seek(0)
            raise RuntimeError(f"generator {cell.number} registered {cell.counters()['bindings']} of {cell.phones}: {cell.err.read()[-500:]}")
        time.sleep(1)
    took = time.monotonic() - began
    full = cell.sample()
    cell.samples.clear()
    say(f"server {cell.number}: {cell.phones} phones registered in {took:.0f} s, {(full['kb'] - empty_kb) / cell.phones:.1f} kB each")
    return (full["kb"] - empty_kb) / cell.phones


def total(cells, key, at):
    return sum(cell.samples[at][key] for cell in cells)


def hold(cells, options):
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end and all(cell.load.poll() is None for cell in cells):
        for cell in cells:
            cell.sample()
        if len(cells[0].samples) > 1:
            passed = cells[0].samples[-1]["at"] - cells[0].samples[-2]["at"]
            cpu = total(cells, "cpu_s", -1) - total(cells, "cpu_s", -2)
            say(f"{total(cells, 'connections', -1)} connections, {total(cells, 'bindings', -1)} bindings, {total(cells, 'pings', -1)} keep-alives, "
                f"{total(cells, 'calls_answered', -1)} calls answered, {total(cells, 'calls_failed', -1)} failed, "
                f"servers {total(cells, 'kb', -1) / 1024:.0f} MB, {100 * cpu / passed:.1f} % of a core; generators {total(cells, 'load_kb', -1) / 1024:.0f} MB")
        time.sleep(max(0, min(options.every, end - time.monotonic())))


def quarter(cells, number, measure):
    count = len(cells[0].samples)
    return [measure(i) for i in range(max(1, count * number // 4), max(2, count * (number + 1) // 4)) if i < count]


def verdict(cells, options, each_kb):
    def share(i):
        return (total(cells, "cpu_s", i) - total(cells, "cpu_s", i - 1)) / (cells[0].samples[i]["at"] - cells[0].samples[i - 1]["at"])

    def calls(i):
        seconds = cells[0].samples[i]["at"] - cells[0].samples[i - 1]["at"]
        return 60 * (total(cells, "calls_answered", i) - total(cells, "calls_answered", i - 1)) / seconds

    before, after = (statistics.median(quarter(cells, n, lambda i: total(cells, "kb", i))) for n in (1, 3))
    least = min(total(cells, "connections", i) for i in range(len(cells[0].samples)))
    result = {
        "phones": options.phones, "servers": options.cells, "minutes_held": round((cells[0].samples[-1]["at"] - cells[0].samples[0]["at"]) / 60, 1),
        "keep_alive_s": options.keep_alive, "kb_a_phone": round(each_kb, 1), "least_connections": least,
        "keep_alives_answered": total(cells, "pings", -1) - total(cells, "pings", 0),
        "connections_opened": total(cells, "connections_opened", -1),
        "servers_mb": {"second_quarter": round(before / 1024), "last_quarter": round(after / 1024)},
        "cpu_share": {name: round(statistics.mean(quarter(cells, n, share)), 4) for n, name in ((0, "first_quarter"), (3, "last_quarter"))},
        "calls_a_minute": {name: round(statistics.mean(quarter(cells, n, calls))) for n, name in ((0, "first_quarter"), (3, "last_quarter"))},
    }
    for cell in cells:
        cell.end_load()
    reports = [cell.report() for cell in cells]
    for key in ("passed", "failed", "held_back"):
        result["calls_" + key] = sum(report["calls"][key] for report in reports)
    result["connections_lost"] = sum(report["connections"]["lost"] + report["connections"]["refused"] for report in reports)
    result["registrations_failed"] = sum(report["rfc7502"]["registration_attempt_failures"] for report in reports)
    result["causes"] = {cause["cause"]: cause["calls"] for report in reports for cause in report["causes"]}
    result["answers_p99_ms"] = max(report["times"]["answers"]["p99_ms"] for report in reports)
    good = least >= options.phones and result["calls_failed"] + result["connections_lost"] + result["registrations_failed"] == 0
    result["good"] = good and after <= before * GROWTH
    return result


def main():
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("--phones", type=int, default=60_000)
    reader.add_argument("--minutes", type=float, default=30)
    reader.add_argument("--rate", type=float, default=20, help="calls a second, of all")
    reader.add_argument("--talk", type=int, default=5, help="seconds from the answer to the end of a call")
    reader.add_argument("--keep-alive", type=int, default=60, help="seconds between two of a phone")
    reader.add_argument("--every", type=float, default=60, help="seconds between samples")
    reader.add_argument("--program", default=os.path.join(ROOT, "build", "bench", "callwright"))
    options = reader.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE
    options.cells = -(-options.phones // most)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    say(f"{options.cells} servers and generators: a process may have {most + SPARE} descriptors")
    cells = []
    try:
        for number in range(options.cells):
            cells.append(Cell(number, options.phones // options.cells + (number < options.phones % options.cells), options).__enter__())
        each_kb = statistics.mean(register(cell) for cell in cells)
        hold(cells, options)
        result = verdict(cells, options, each_kb)
        print(json.dumps(result, indent=1))
        return 0 if result["good"] else 1
    except RuntimeError as error:
        print(f"hold: {error}", file=sys.stderr)
        return 1
    finally:
        for cell in cells:
            cell.end()


if __name__ == "__main__":
    sys.exit(main())
