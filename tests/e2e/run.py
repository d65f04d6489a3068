#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the end-to-end tests in the guest. One line for each on standard output:
"pass NAME" or "fail NAME: why". run.py [PATTERN,...] runs those whose name has
one of them, and none of those that begin with a "-".
"""

import os
import pathlib
import sys
import time
import traceback
import unittest

import lab


class Lines(unittest.TestResult):
    """A line for each test, and how long it took."""

    def startTest(self, test):
        super().startTest(test)
        self._begin = time.monotonic()
        with open("/dev/kmsg", "w", encoding="ascii") as f:
            f.write(f"e2e: {test.id()}\n")

    def _say(self, what, test, why=""):
        took = time.monotonic() - self._begin
        print(f"{what} e2e.{test.id()}{why} ({took:.1f} s)", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("pass", test)

    def _failed(self, test, err):
        traceback.print_exception(*err)
        self._say("fail", test, ": " + str(err[1]).replace("\n", " | ")[:500])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._failed(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        if not hasattr(test, "id") or "setUpClass" in str(test):
            self._begin = time.monotonic()
        self._failed(test, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("skip", test, ": " + reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._failed(subtest, err)

    def addExpectedFailure(self, test, err):
        self._failed(test, err)


def tests_in(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from tests_in(entry)
        else:
            yield entry


def main():
    here = pathlib.Path(__file__).parent
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    patterns = [p for p in pattern.split(",") if not p.startswith("-")]
    left_out = [p[1:] for p in pattern.split(",") if p.startswith("-")]
    found = unittest.defaultTestLoader.discover(
        str(here), os.environ.get("LAB_TESTS", "test_*.py"))
    chosen = [t for t in tests_in(found) if any(p in t.id() for p in patterns)
              and not any(p in t.id() for p in left_out)]
    if not chosen:
        print(f"fail e2e: no test has '{pattern}' in its name")
        return 1
    result = Lines()
    unittest.TestSuite(chosen).run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    lab.run("mount", "--make-rprivate", "/", check=False)
    sys.exit(main())
