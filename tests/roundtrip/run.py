#!/usr/bin/env python3
"""Run → capture → read → run: what a flow has put on the wire is read as a flow that runs, and read once more it is the
same flow, and the one that was performed. All flows that ship, but for those of CANNOT.

    run.py [NAME…]     a part of a flow's path is enough
"""
import collections
import concurrent.futures
import itertools
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


TIME = re.compile(r"\b(\d+)(ms|s)\b(?=\)?$)")
HESITATION = 1.0  # seconds that a machine with much to do may add to a pause, or make one of


def lifelines(text):
    """What each party does, and each time for how long. Not in which order: that is what the run of the first flow proves, and
    two things that do not wait for each other may be captured either way round."""
    lines = {}

    def add(party, line):
        took = TIME.search(line)
        seconds = int(took[1]) / (1000 if took[2] == "ms" else 1) if took else None
        lines.setdefault((party, TIME.sub("…", line)), []).append(seconds)

    for line in text.splitlines():
        if match := ARROW.match(line):
            for party in {match[1], match[3]}:
                add(party, line.strip())
        elif match := NOTE.match(line):
            add(match[1], line.strip())
        elif line.lstrip().startswith(("actor", "participant")):
            add("", line.strip())
    return {what: sorted(times, key=lambda time: time or 0) for what, times in lines.items()}


def not_the_same(first, second):
    """What is not as it was when it was performed again; a pause may have grown by a hesitation of the machine, and one that
    is no longer than that may have come into being."""
    wrong = []
    for what in first | second:
        before, after = first.get(what, []), second.get(what, [])
        fresh = len(after) - len(before)
        if fresh > 0:
            after, extra = (after[fresh:], after[:fresh]) if None not in after else ([], [None])
            if any(time is None or time > HESITATION for time in extra):
                wrong.append(what)
                continue
        if fresh < 0 or any(time is not None and not -0.5 <= time - was <= HESITATION for was, time in zip(before, after)):
            wrong.append(what)
    return wrong


PARTY = re.compile(r"^\s+(?:actor|participant) (\w+) ", re.M)


def with_other_names(text):
    """The flow, with the names of those exchanged that differ by a number only: of two phones of one user, which is the first
    is chance."""
    groups = collections.defaultdict(list)
    for name in PARTY.findall(text):
        groups[re.sub(r"_\d+$", "", name)].append(name)
    for chosen in itertools.product(*(itertools.permutations(names) for names in groups.values())):
        other = dict(zip(itertools.chain(*groups.values()), itertools.chain(*chosen)))
        yield re.sub(r"\w+", lambda word: other.get(word[0], word[0]), text)


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
            capture, keys, papers, read = (there / f"{turn}.{end}" for end in ("pcapng", "keys", "smime", "mmd"))
            status, said = call("run", source, "--pcap-out", capture, "--keys-out", keys, "--smime-out", papers, "--format", "json")
            if status != 0:
                return f"run {turn}: {said}\n{source.read_text()}" if turn == "b" else f"it does not run: {said}"
            performed = said
            cas = [word for file in papers.glob("*.ca.pem") for word in ("--ca", file)]
            status, said = call("read", capture, "--keys", keys, "--keys", papers, *cas, "--format", "mermaid", "--runnable", "-o", read)
            if status != 0:
                return f"read {turn}: {said}"
            texts.append(read.read_text())
            if "Not as it was" in texts[-1]:
                return f"not as it was:\n{texts[-1]}"
            if turn == "a":
                if other := another_flow(json.loads(performed)["flows"][0], flow.read_text(), texts[0]):
                    return f"what was read is another flow: {other}\n{texts[0]}"
            source = read
        before = lifelines(texts[0])
        if wrong := min((not_the_same(before, lifelines(text)) for text in with_other_names(texts[1])), key=len):
            return "read again it is another flow:\n" + "".join(f"{who}: {what}\n" for who, what in wrong) + "\n".join(texts)
        return None


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
            print(f"not yet {name}: {results[name]}\n" if results[name] else f"passed {name}", flush=True)
    # Beside eleven others on a busy machine, audio may be late and a timer may win a race: alone it must be right.
    for name in [name for name, why in results.items() if why]:
        results[name] = round_trip(names[name])
        print(f"FAILED {name}: {results[name]}\n" if results[name] else f"passed {name}, alone", flush=True)
    failed = [name for name, why in results.items() if why]
    print(f"{len(results) - len(failed)} of {len(results)} flows make the round trip in {time.monotonic() - began:.0f} s; "
          f"{len(CANNOT)} cannot (cannot.py says why)")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
