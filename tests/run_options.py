#!/usr/bin/env python3
"""The options of `callwright run`, each with what it changes. CALLWRIGHT_PROGRAM is the program."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import wave
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("CALLWRIGHT_PROGRAM", str(ROOT / "build/dev/callwright"))
ROWS = ROOT / "tests/flows/rows.mmd"
REFUSED = """---
title: Three arrows
---
sequenceDiagram
    autonumber
    actor alice as Alice
    participant proxy as Proxy
    actor bob as Bob

    opt
        alice->>proxy: OPTIONS
        proxy-->>alice: 200 OK
    end
    critical (within 20s)
        alice->>proxy: REGISTER
        proxy-->>alice: 401 Unauthorized
        alice->>proxy: REGISTER (wrong password)
        proxy-->>alice: 200 OK
        %% Expires: *
    end
    alice->>proxy: MESSAGE bob "one"
    proxy-->>alice: 200 OK
"""


def run(*words, status=0):
    done = subprocess.run([PROGRAM, "run", *map(str, words)], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Options(unittest.TestCase):
    def setUp(self):
        self.kept = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.kept.name)
        self.addCleanup(self.kept.cleanup)
        self.refused = self.folder / "refused.mmd"
        self.refused.write_text(REFUSED, encoding="utf-8")

    def test_what_is_not_drawn_fails_a_strict_run(self):
        run(ROOT / "tests/flows/options-for-the-server.mmd")
        run(ROWS)
        self.assertIn("FAILED", run(ROWS, "--strict", status=1))

    def test_set_goes_before_what_the_flow_says(self):
        report = run(ROWS, "--set", "subject=other", "--pcap-out", self.folder / "a.pcapng", "--trace")
        self.assertIn("passed", report)
        self.assertIn(b"other", subprocess.run([PROGRAM, "read", self.folder / "a.pcapng", "--format", "mermaid", "--runnable"],
                                               capture_output=True, check=True).stdout)

    def test_a_summary_draws_the_flow_up_to_the_failure_and_reads_as_a_flow_again(self):
        summary = self.folder / "summary.md"
        run(self.refused, ROWS, "--summary", summary, status=1)
        text = summary.read_text(encoding="utf-8")
        self.assertIn(f"- ✗ {self.refused}", text)
        self.assertIn(f"- ✓ {ROWS}", text)
        drawn = re.search(r"```mermaid\n(.*?)```", text, re.S)[1]
        self.assertRegex(drawn, r"rect rgba\(248,81,73,0\.18\)\n\s+proxy--xalice: 200 OK")
        self.assertIn("401 Unauthorized · ", drawn)
        self.assertRegex(drawn, r"Note over proxy,alice: ✗ Expected 200 OK, received 401")
        self.assertIn("Not reached: 2 arrows", drawn)
        again = self.folder / "again.mmd"
        again.write_text(drawn, encoding="utf-8")
        run(again, "--check")

    def test_reports_for_machines(self):
        report = json.loads(run(self.refused, ROWS, "--format", "json", "--junit", self.folder / "junit.xml", "-j", 2, status=1))
        self.assertEqual((report["passed"], report["failed"]), (1, 1))
        self.assertEqual([flow["result"] for flow in report["flows"]], ["failed", "passed"])
        suites = xml.etree.ElementTree.parse(self.folder / "junit.xml").getroot()
        self.assertEqual(len(list(suites.iter("testcase"))), 2)
        self.assertEqual(len(list(suites.iter("failure"))), 1)

    def test_what_was_heard_is_kept(self):
        run(ROOT / "tests/flows/greeting.mmd", "--record", self.folder)
        heard = {file.name: file for file in self.folder.glob("*.wav")}
        self.assertIn("greeting.alice.1.wav", heard)
        with wave.open(str(heard["greeting.alice.1.wav"])) as sound:
            self.assertGreater(sound.getnframes(), 8000)

    def test_a_page_to_hand_over(self):
        run(self.refused, "--report", self.folder / "pages", status=1)
        self.assertIn("Three arrows", (self.folder / "pages/refused.html").read_text(encoding="utf-8"))

    def test_a_b2bua_is_played_or_real(self):
        self.refused.write_text("sequenceDiagram\n    actor alice as Alice\n    participant pbx as PBX (B2BUA)\n"
                                "    alice->>pbx: INVITE\n    pbx-->>alice: 486 Busy Here\n", encoding="utf-8")
        self.assertIn("line 3: pbx is drawn as a B2BUA", run(self.refused, status=2))
        self.assertIn("Say (B2BUA, played)", run(self.refused, status=2))

    def test_who_asks_for_aka_is_played_or_real(self):
        drawn = ("sequenceDiagram\n    actor ue as UE\n    participant home as S-CSCF{}\n    ue->>home: REGISTER\n"
                 "    home-->>ue: 401 Unauthorized ({}AKA)\n    ue->>home: REGISTER (AKA)\n    home-->>ue: 200 OK\n")
        self.refused.write_text(drawn.format("", ""), encoding="utf-8")
        self.assertIn("line 5: home is to ask for AKA", run(self.refused, status=2))
        self.assertIn("Say (played) of home", run(self.refused, status=2))
        self.refused.write_text(drawn.replace(" ({}AKA)", "{}").format("", ""), encoding="utf-8")
        self.assertIn("say (played) of home", run(self.refused, status=1))
        self.refused.write_text(drawn.format(" (played)", ""), encoding="utf-8")
        run(self.refused)

    def test_what_bodies_were_signed_and_encrypted_with_is_kept(self):
        flow = ROOT / "flows/security/smime-call.mmd"
        capture, papers = self.folder / "a.pcapng", self.folder / "papers"
        run(flow, "--pcap-out", capture, "--smime-out", papers)
        self.assertEqual(sorted(file.name for file in papers.iterdir()),
                         [f"smime-call.{whose}.pem" for whose in ("alice@example.com", "bob@example.com", "ca")])
        self.assertEqual((papers / "smime-call.bob@example.com.pem").stat().st_mode & 0o777, 0o600)
        self.assertNotIn("PRIVATE KEY", (papers / "smime-call.ca.pem").read_text(encoding="utf-8"))
        read = [PROGRAM, "read", capture, "--format", "ladder"]
        self.assertNotIn("SRTP PCMU", subprocess.run(read, capture_output=True, check=True, text=True).stdout)
        opened = subprocess.run([*read, "--keys", papers, "--ca", papers / "smime-call.ca.pem"], capture_output=True, check=True,
                                text=True).stdout
        self.assertIn("SRTP PCMU", opened)


if __name__ == "__main__":
    sys.exit(unittest.main())
