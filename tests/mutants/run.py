#!/usr/bin/env python3
"""Performs every altered flow of mutants.py: each must be read, and must fail at its line and for its reason.
run.py [--list] [WORD…]   only those whose flow or text contains a word"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from mutants import MUTANTS

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build" / "release" / "callwright"))
AT_ONCE = 6  # they mostly wait


def place(lines, wanted, nth, what):
    """Where the lines `wanted` stand for the nth time."""
    found = [at for at in range(len(lines) - len(wanted) + 1) if [line.strip() for line in lines[at:at + len(wanted)]] == wanted]
    if len(found) < nth:
        raise ValueError(f"{what} is not in the flow: {wanted}")
    return found[nth - 1]


def altered(mutant):
    """The text of the altered flow, and the number of the line that must fail (0: none in particular)."""
    lines = (ROOT / "flows" / f"{mutant.flow}.mmd").read_text(encoding="utf-8").splitlines()
    old = [line.strip() for line in mutant.old.strip("\n").split("\n")]
    new = [line.strip() for line in mutant.new.strip("\n").split("\n") if line.strip()]
    at = place(lines, old, mutant.nth, "what is altered")
    indent = lines[at][:len(lines[at]) - len(lines[at].lstrip())]
    lines[at:at + len(old)] = [indent + line for line in new]
    line = place(lines, [mutant.line], mutant.nth_line, "the line that fails") + 1 if mutant.line else 0
    return "\n".join(lines) + "\n", line


def perform(text):
    with tempfile.TemporaryDirectory() as folder:
        flow = pathlib.Path(folder) / "flow.mmd"
        flow.write_text(text, encoding="utf-8")
        done = subprocess.run([PROGRAM, "run", "--format", "json", "--timeout", "5s", str(flow)], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 1:
        raise ValueError(f"exit status {done.returncode}, not 1 (failed)\n{done.stderr[-1500:]}")
    return json.loads(done.stdout)


def check(mutant):
    """Empty when it failed as it must, else what was wrong."""
    try:
        text, line = altered(mutant)
        report = perform(text)
    except (ValueError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    failures = failures_of(report)
    if not failures:
        return "nothing failed"
    first = next((one for one in failures if one[1] == "extra"), failures[0]) if mutant.verdict == "extra" else failures[0]
    if first[1] != mutant.verdict or (line and first[0] != line) or mutant.where.lower() not in first[2].lower():
        return f"wanted line {line}, {mutant.verdict}, {mutant.where!r}; it says " + "; ".join(map(str, failures[:3]))
    return ""


def name_of(mutant):
    return f"{mutant.flow}: {mutant.old.strip()!r} → {mutant.new.strip()!r}"


def failures_of(report):
    """What failed, in the order of the flow: (line, verdict, what differs and why). Last what no arrow is to blame for."""
    flow = report["flows"][0]
    found = []
    for step in flow["arrows"] + flow["notes"]:
        if step["result"] not in ("passed", "skipped", "unverified"):
            difference = step.get("difference", {}).get("where", "")
            found.append((step["line"], step["result"], f"{difference}: {step['why']}"))
    found.sort(key=lambda one: one[0])
    for extra in flow["extras"]:
        if not extra["implied"]:
            found.append((0, "extra", f"{extra['text']}: {extra['why']}"))
    return found


def main():
    words = [word for word in sys.argv[1:] if word != "--list"]
    chosen = [mutant for mutant in MUTANTS if not words or any(word in name_of(mutant) for word in words)]
    if "--list" in sys.argv:
        for mutant in chosen:
            print(name_of(mutant))
        return
    missed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for mutant, wrong in zip(chosen, pool.map(check, chosen)):
            if wrong:
                missed += 1
                print(f"{name_of(mutant)}\n    {wrong}", flush=True)
    print(f"{len(chosen) - missed} passed, {missed} failed")
    sys.exit(1 if missed or not chosen else 0)


if __name__ == "__main__":
    main()
