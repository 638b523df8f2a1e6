#!/usr/bin/env python3
"""Runs the tests of one file: run.py test_phones [NAME…]. Exit status 77: all were skipped."""
import sys
import unittest


def main():
    name, *chosen = sys.argv[1:]
    loader = unittest.defaultTestLoader
    loader.testNamePatterns = [f"*{pattern}*" for pattern in chosen] or None
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(loader.loadTestsFromName(name))
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    if not result.wasSuccessful() or result.testsRun == 0:
        return 1
    return 77 if len(result.skipped) == result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
