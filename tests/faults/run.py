#!/usr/bin/env python3
"""Performs the flows of this folder with real sockets, reads what they put on the wire, and compares what is found with what
each says beneath `sequenceDiagram`:

    %% Finds: D01 (D28)         these and no others, of any severity; D28 beneath D01. Without this line: nothing
    %% Looks like: D01          a neighbour of that fault, which must not be found
    %% Peer: NAME …             the other end is a program of peers.py
    %% Capture: dumpcap …       in a network of its own, and captured with these options: see network.py. More than one: at once
    %% Files: …                 what is done with its files before they are read
    %% Network: mtu 600         of that network
    %% Capture: witness -1 answers   by a program of another machine, whose clock is a second slow and which sees the answers
    %% Lingers: 5               seconds until the capture ends, after all is said
    %% Keys: none               it is read without its keys; "of another run": with those of another
    %% Hosts: alice=tls …       these parties listen at addresses of their own; alice=udp:203.0.113.2 at this one
    %% The flow fails           and what it has put on the wire is read all the same

Then the flows that ship and the captures of others: a finding of severity error is there only where known.py says why. At the end:
precision and recall over all of it.

    run.py [--only-here] [NAME…]     a part of a name is enough; --table prints them rule by rule
"""
import collections
import concurrent.futures
import csv
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import known
import network
from peers import Peer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MATERIAL = ROOT.parent / "shared" / "material" / "captures"
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build" / "release" / "callwright"))
AT_ONCE = 24  # they mostly wait


class Wrong(Exception):
    pass


class Skipped(Exception):
    pass


def call(*words, status=(0,)):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=180, check=False)
    if done.returncode not in status:
        raise Wrong(f"callwright {' '.join(map(str, words))}: exit status {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout


def findings_in(report):
    """[(rule, the rule that it hangs beneath or "", severity, evidence)], each once."""
    found = {}
    for group in [one["findings"] for one in report["calls"]] + [report["findings"]]:
        for one in group:
            cause = group[one["cause"]]["rule"] if one.get("cause") is not None else ""
            found.setdefault((one["rule"], cause, one["severity"]), one.get("evidence", ""))
    return [(*key, evidence) for key, evidence in found.items()]


def read(*words):
    # 1: the capture has a finding of severity error and --strict; never here.
    return findings_in(json.loads(call("read", *words, "--format", "json")))


def free_address(number):
    """A port that nobody has, at 127.0.0.`number`."""
    with socket.socket() as free:
        free.bind((f"127.0.0.{number}", 0))
        return f"127.0.0.{number}:{free.getsockname()[1]}"


class Flow:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        text = path.read_text(encoding="utf-8")
        self.fails = "%% The flow fails\n" in text
        self.finds = {}  # rule → the rule that it hangs beneath
        for group in re.findall(r"(D\d\d|C\d+)(?: \(([^)]*)\))?", self.line(text, "Finds")):
            self.finds[group[0]] = ""
            self.finds.update((rule, group[0]) for rule in group[1].split())
        self.unlike = self.line(text, "Looks like")
        self.captures = self.lines(text, "Capture")
        self.lingers = float(self.line(text, "Lingers") or 0)
        self.files = self.line(text, "Files")
        self.mtu = self.line(text, "Network").removeprefix("mtu ")
        self.keys = self.line(text, "Keys")
        self.hosts = self.line(text, "Hosts").split()
        self.peer = self.line(text, "Peer").split(" ", 1)

    @staticmethod
    def lines(text, name):
        return [found.strip() for found in re.findall(rf"^ *%% {name}: (.*)$", text, re.M)]

    @classmethod
    def line(cls, text, name):
        return (cls.lines(text, name) or [""])[0]

    def perform(self):
        """What is found in it."""
        if not self.captures:
            with tempfile.TemporaryDirectory() as folder:
                return self.with_own_recorder(pathlib.Path(folder))
        if why := network.why_not():
            raise Skipped(why)
        within = network.command(sys.executable, "-B", __file__, "--within", self.path)
        done = subprocess.run(within, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise Wrong(f"in a network of its own: {done.stdout[-1500:]}{done.stderr[-1500:]}")
        return [tuple(one) for one in json.loads(done.stdout)]

    def with_own_recorder(self, there):
        self.run(there, "--pcap-out", there / "call.pcapng")
        return read(there / "call.pcapng")

    def with_captures(self, there):
        """In the network that this process has been started in."""
        network.set_up([host.split(":")[1] for host in self.hosts if ":" in host], self.mtu)
        captures = [network.start(words, there / f"{n}.pcapng") for n, words in enumerate(self.captures)]
        self.run(there, "--keys-out", there / "keys")
        time.sleep(self.lingers)
        files = network.FILES[self.files](there, [capture.end() for capture in captures])
        if self.keys == "of another run":
            (there / "keys").unlink()
            self.run(there, "--keys-out", there / "keys")
        # A peer has keys of its own where our side of a connection has none.
        keys = [] if self.keys == "none" else [file for file in (there / "keys", there / "peer.keys") if file.exists()]
        return read(*files, *(word for file in keys for word in ("--keys", file)))

    def run(self, there, *options):
        options = [*options, "--format", "json"]
        peer = Peer(self.peer[1], there) if len(self.peer) == 2 else None
        try:
            if peer:
                options += ["--at", f"{self.peer[0]}={peer.at}"]
            if peer and peer.listen:
                options += ["--listen", "=".join(peer.listen)]
            for number, host in enumerate(self.hosts):
                party, _, address = host.partition(":")
                options += ["--listen", f"{party}:{address + ':5060' if address else free_address(number + 2)}"]
            call("run", self.path, *options, status=(1,) if self.fails else (0,))
        finally:
            if peer:
                peer.close()


class Score:
    def __init__(self):
        self.right, self.missed, self.extra = (collections.Counter() for _ in range(3))

    def count(self, wanted, found):
        for rule in wanted | found:
            counter = self.right if rule in wanted and rule in found else self.missed if rule in wanted else self.extra
            counter[rule] += 1

    @staticmethod
    def share(part, rest):
        return f"{100 * part / (part + rest):.1f} % ({part} of {part + rest})" if part + rest else "–"

    def words(self):
        right, missed, extra = (sum(one.values()) for one in (self.right, self.missed, self.extra))
        return f"precision {self.share(right, extra)}, recall {self.share(right, missed)}"

    def table(self):
        for rule in sorted(self.right | self.missed | self.extra):
            print(f"{rule:4} found {self.right[rule]:3}  missed {self.missed[rule]:2}  wrongly {self.extra[rule]:2}")


def check_flow(flow, score):
    found = flow.perform()
    rules = {one[0]: one[1] for one in found}
    score.count(set(flow.finds), set(rules))
    if rules == flow.finds:
        return ""
    wanted = ", ".join(f"{rule}{f' beneath {cause}' if cause else ''}" for rule, cause in flow.finds.items()) or "nothing"
    return f"wanted {wanted}; found " + ("\n    ".join(f"{one[0]}{f' beneath {one[1]}' if one[1] else ''} {one[2]}: {one[3]}"
                                                       for one in found) or "nothing")


def check_others(name, found, allowed, score):
    """Of flows that ship and of captures: errors alone are judged."""
    errors = {one[0]: one[3] for one in found if one[2] == "error"}
    wanted = set(allowed.get(name, {}))
    score.count(wanted, set(errors))
    if set(errors) == wanted:
        return ""
    return "; ".join([f"{rule} is there, and known.py does not say why: {errors[rule]}" for rule in set(errors) - wanted] +
                     [f"{rule} is not there any more" for rule in wanted - set(errors)])


def shipped(path):
    with tempfile.TemporaryDirectory() as folder:
        capture = pathlib.Path(folder) / "call.pcapng"
        call("run", path, "--pcap-out", capture, "--format", "json")
        return read(capture)


def captures():
    """(name, path, keys) of those that can be read as they are."""
    table = MATERIAL / "expected.tsv"
    if not table.exists():
        return []
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(row["file"], MATERIAL / row["file"], row.get("keys") or "") for row in rows]


def read_capture(path, keys):
    """`keys`: "keylog FILE", or nothing that is a file of its own."""
    file = MATERIAL / keys.split(" ")[-1] if keys.startswith("keylog ") else None
    return read(path, *(["--keys", file] if file else []))


def main():
    if "--within" in sys.argv:  # see Flow.perform
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(Flow(pathlib.Path(sys.argv[-1])).with_captures(pathlib.Path(folder))))
        return
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    everything = not words and "--only-here" not in sys.argv

    def chosen(name):
        return not words or any(word in name for word in words)
    flows = [flow for flow in map(Flow, sorted(HERE.glob("*.mmd"))) if chosen(flow.name)]
    score, began, failed, skipped = Score(), time.monotonic(), 0, {}
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for flow in sorted(flows, key=lambda one: "timeout" not in one.path.read_text(encoding="utf-8")):
            jobs[pool.submit(check_flow, flow, score)] = flow.name
        if everything:
            for path in sorted((ROOT / "flows").rglob("*.mmd")):
                name = str(path.relative_to(ROOT / "flows"))[:-4]
                jobs[pool.submit(lambda n=name, p=path: check_others(n, shipped(p), known.FLOWS, score))] = name
            for name, path, keys in captures():
                jobs[pool.submit(lambda n=name, p=path, k=keys: check_others(n, read_capture(p, k), known.CAPTURES, score))] = name
        for done in concurrent.futures.as_completed(jobs):
            try:
                wrong = done.result()
            except Skipped as why:
                skipped[jobs[done]] = str(why)
                continue
            except (Wrong, OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
                wrong = str(error)
            if wrong:
                failed += 1
                print(f"FAILED {jobs[done]}: {wrong}\n", flush=True)
    if not words:
        failed += uncovered(flows)
    if "--table" in sys.argv:
        score.table()
    if everything and not captures():
        print(f"without the captures of others: {MATERIAL} is not there")
    for why in sorted(set(skipped.values())):
        print(f"skipped, for {why}: {', '.join(sorted(name for name in skipped if skipped[name] == why))}")
    print(f"{len(jobs) - len(skipped)} cases, {len(jobs) - len(skipped) - failed} as wanted, in {time.monotonic() - began:.0f} s: {score.words()}")
    sys.exit(1 if failed or not jobs else 0)


def uncovered(flows):
    """Every rule has a flow that has its fault, and a neighbour that looks alike."""
    rules = [word for line in call("explain").splitlines() if (word := line.split(" ")[2] if line.startswith("  ") else "")]
    missing = 0
    for rule in rules:
        has = any(rule in flow.finds for flow in flows) or rule in known.FOUND_ELSEWHERE
        neighbour = any(rule in flow.unlike.split() for flow in flows)
        if not has or not neighbour:
            missing += 1
            print(f"FAILED {rule}: no flow {'that has it' if not has else 'that looks alike'}\n")
    return missing


if __name__ == "__main__":
    main()
