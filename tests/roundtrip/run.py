#!/usr/bin/env python3
"""Run → capture → read → run: what a flow has put on the wire is read as a flow that runs, and read once more it is the
same flow, and the one that was performed. All flows that ship, but for those of CANNOT.

    run.py [NAME…]     a part of a flow's path is enough
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from cannot import CANNOT

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build/dev/callwright"))
ARROW = re.compile(r"^\s+(\w+?)(<<-+>>|-+>>|-+x)(\w+): (.*)$")
NOTE = re.compile(r"^\s+Note over (\w+): (.*)$")
SIDE_BY_SIDE = 12


def call(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout or done.stderr


def lifelines(text):
    """What each party does. Not in which order: that is what the run of the first flow proves, and two things that do not wait
    for each other may be captured either way round."""
    lines = {}
    for line in text.splitlines():
        if match := ARROW.match(line):
            for party in {match[1], match[3]}:
                lines.setdefault(party, []).append(line.strip())
        elif match := NOTE.match(line):
            lines.setdefault(match[1], []).append(line.strip())
        elif line.lstrip().startswith(("actor", "participant")):
            lines.setdefault("", []).append(line.strip())
    return {party: sorted(did) for party, did in lines.items()}


KIND = re.compile(r"^([A-Z]+|\d{3})\b")
# No messages; and ACK, which is told at both its ends where nobody draws it.
OTHERS = {"TLS", "TCP", "WSS", "DTLS", "SRTP", "RTP", "ACK"}


def kind(words):
    """INVITE, 180: what an arrow is, without what is said of it; None: see OTHERS."""
    found = KIND.match(words)
    return found[1] if found and found[1] not in OTHERS else None


def roles(messages):
    """What each party sends and gets, whatever it is called."""
    does = {}
    for source, target, what in messages:
        does.setdefault(source, collections.Counter())[">" + what] += 1
        does.setdefault(target, collections.Counter())["<" + what] += 1
    return sorted(sorted(one.items()) for one in does.values())


def another_flow(report, flow, read):
    """Is what was read the flow that was performed? Message by message; where servers of ours take part, they have sent what
    is drawn, and perhaps more. Empty: it is."""
    lines = flow.splitlines()
    lost = re.compile(r"^\s+\w+--?x\w+: ")  # never on a wire
    drawn = [(arrow["from"], arrow["to"], kind(arrow["text"])) for arrow in report["arrows"] for _ in range(max(arrow["times"], 1))
             if arrow["result"] == "passed" and ("file" in arrow or not lost.match(lines[arrow["line"] - 1]))]
    drawn += [(extra["from"], extra["to"], kind(extra["text"])) for extra in report["extras"]]
    drawn = [one for one in drawn if one[2]]
    seen = [(match[1], match[3], kind(match[4])) for line in read.splitlines() if (match := ARROW.match(line)) and kind(match[4])]
    missing = collections.Counter(what for _, _, what in drawn) - collections.Counter(what for _, _, what in seen)
    if missing:
        return f"it lacks {dict(missing)}"
    served = re.search(r"^\s+participant (?!.*\(.*played)", flow, re.M)
    if not served and roles(drawn) != roles(seen):
        return f"other parties do other things: {roles(drawn)} became {roles(seen)}"
    return ""


def round_trip(flow):
    with tempfile.TemporaryDirectory() as folder:
        there = pathlib.Path(folder)
        texts = []
        source = flow
        for turn in "ab":
            capture, keys, read = (there / f"{turn}.{end}" for end in ("pcapng", "keys", "mmd"))
            status, said = call("run", source, "--pcap-out", capture, "--keys-out", keys, "--format", "json")
            if status != 0:
                return f"run {turn}: {said}\n{source.read_text()}" if turn == "b" else f"it does not run: {said}"
            performed = said
            status, said = call("read", capture, "--keys", keys, "--format", "mermaid", "--runnable", "-o", read)
            if status != 0:
                return f"read {turn}: {said}"
            texts.append(read.read_text())
            if "Not as it was" in texts[-1]:
                return f"not as it was:\n{texts[-1]}"
            if turn == "a":
                if other := another_flow(json.loads(performed)["flows"][0], flow.read_text(), texts[0]):
                    return f"what was read is another flow: {other}\n{texts[0]}"
            source = read
        first, second = map(lifelines, texts)
        if first == second:
            return None
        wrong = [party for party in first | second if first.get(party) != second.get(party)]
        return f"read again it is another flow, at {', '.join(wrong)}:\n{texts[0]}\n{texts[1]}"


def main():
    flows = sorted((ROOT / "flows").rglob("*.mmd"))
    names = {str(flow.relative_to(ROOT / "flows"))[:-4]: flow for flow in flows}
    unknown = CANNOT.keys() - names.keys()
    if unknown:
        sys.exit(f"no such flows: {', '.join(sorted(unknown))}")
    if sys.argv[1:]:
        wanted = [name for name in names if any(part in name for part in sys.argv[1:])]
    else:
        wanted = [name for name in names if name not in CANNOT]
    began = time.monotonic()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {pool.submit(round_trip, names[name]): name for name in wanted}
        for done in concurrent.futures.as_completed(running):
            name = running[done]
            results[name] = done.result()
            print(f"FAILED {name}: {results[name]}\n" if results[name] else f"passed {name}", flush=True)
    failed = [name for name, why in results.items() if why]
    print(f"{len(results) - len(failed)} of {len(results)} flows make the round trip in {time.monotonic() - began:.0f} s; "
          f"{len(CANNOT)} cannot (cannot.py says why)")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
