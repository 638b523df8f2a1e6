#!/usr/bin/env python3
"""Performs every flow that ships, some at a time; each must happen as it is drawn.   perform.py [FILE…]"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build" / "release" / "callwright"))
AT_ONCE = 4  # they wait more than they compute


def perform(path):
    """What went wrong, line by line; empty when nothing did."""
    try:
        done = subprocess.run([PROGRAM, "run", "--format", "json", str(path)], capture_output=True, text=True, timeout=300, check=False)
        flow = json.loads(done.stdout)["flows"][0]
    except subprocess.TimeoutExpired:
        return "it does not come to an end"
    except (ValueError, LookupError):
        return f"exit status {done.returncode}\n{done.stderr[-2000:]}"
    wrong = []
    for step in flow.get("arrows", []) + flow.get("notes", []):
        if step["result"] not in ("passed", "skipped"):
            difference = step.get("difference")
            wrong.append(f"line {step['line']}: {step['text']}: {step['result']}: {step['why']}"
                         + (f" (expected {difference['expected']}, received {difference['received']})" if difference else ""))
    wrong += [f"{extra['from']} → {extra['to']}: {extra['text']}: {extra['why']}" for extra in flow.get("extras", [])
              if not extra["implied"]]
    if done.returncode != 0 or flow["result"] != "passed":
        wrong.append(f"{flow['result']}, exit status {done.returncode}: {flow.get('why')}")
    return "\n".join(wrong)


def main():
    paths = [pathlib.Path(name) for name in sys.argv[1:]] or sorted((ROOT / "flows").rglob("*.mmd"))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for path, wrong in zip(paths, pool.map(perform, paths)):
            if wrong:
                failed += 1
                print(f"{path}\n    " + wrong.replace("\n", "\n    "), flush=True)
    print(f"{len(paths) - failed} passed, {failed} failed")
    sys.exit(1 if failed or not paths else 0)


main()
