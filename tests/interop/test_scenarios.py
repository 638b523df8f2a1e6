"""SIPp's scenarios, performed by us and by SIPp with the same other end: those of the folder scenarios, odd
ones of our own, and a bounded sample of the material's."""
import os
import subprocess
import sys
import unittest

from harness import InteropTest, material, need

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = 10


class ScenarioTest(InteropTest):
    def setUp(self):
        need("sipp")
        super().setUp()

    def measured(self, folder, *more):
        environment = dict(os.environ, CALLWRIGHT=os.environ["CALLWRIGHT_PROGRAM"])
        done = subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "sipp_scenarios.py"), str(folder), "--jobs", "4", *more],
            env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("performs", done.stdout)

    def test_odd_ones_are_performed_as_sipp_performs_them(self):
        self.measured(os.path.join(HERE, "scenarios"), "--transport", "udp,tcp", "--least", "100")

    def test_a_sample_is_performed_as_sipp_performs_it(self):
        self.measured(material("sipp/curated"), "--transport", "udp,tcp", "--sample", str(SAMPLE), "--least", "80")


if __name__ == "__main__":
    unittest.main()
