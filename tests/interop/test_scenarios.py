"""SIPp's scenarios, performed by us and by SIPp with the same other end: a bounded sample."""
import os
import subprocess
import sys
import unittest

from harness import InteropTest, material, need

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = 12


class ScenarioTest(InteropTest):
    def setUp(self):
        need("sipp")
        super().setUp()

    def measured(self, transport):
        folder = material("sipp/curated")
        environment = dict(os.environ, CALLWRIGHT=os.environ["CALLWRIGHT_PROGRAM"])
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "sipp_scenarios.py"), str(folder), "--transport", transport,
             "--sample", str(SAMPLE), "--least", "80"], env=environment, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("performed", done.stdout)

    def test_a_sample_is_performed_over_udp_as_sipp_performs_it(self):
        self.measured("udp")

    def test_a_sample_is_performed_over_tcp_as_sipp_performs_it(self):
        self.measured("tcp")


if __name__ == "__main__":
    unittest.main()
