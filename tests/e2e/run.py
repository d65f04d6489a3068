#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Finds the end-to-end tests, and runs them in a guest: run.py GUEST [PATTERN,...]
runs those whose name contains one of the patterns, and none of those that a
pattern with a "-" before it names. Prints a line for each: "pass NAME", "fail NAME:
why" or "skip NAME: why", with the seconds it took.

A test belongs to the guest its folder is named for, or to those that GUESTS in its
file lists. Its name is e2e.GUEST.FILE.CLASS.METHOD.
"""

import importlib
import pathlib
import sys
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))	# lab, e2e


def flat(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from flat(entry)
        else:
            yield entry


def name_in(guest, test_id):
    """The name of a test in one of its guests."""
    return ".".join(("e2e", guest, *test_id.split(".")[2:]))


def find(guest=None):
    """(guest, name, test) of every test, or of those of one guest."""
    for file in sorted(HERE.glob("*/test_*.py")):
        folder = file.parent.name
        module = importlib.import_module(f"e2e.{folder}.{file.stem}")
        for where in getattr(module, "GUESTS", (folder,)):
            if guest in (None, where):
                for test in flat(unittest.defaultTestLoader.loadTestsFromModule(module)):
                    yield where, name_in(where, test.id()), test


def chosen(name, pattern):
    """Is this test one of those that run.py was asked for?"""
    patterns = pattern.split(",")
    return any(p in name for p in patterns if not p.startswith("-")) and \
        not any(p[1:] in name for p in patterns if p.startswith("-"))


class Lines(unittest.TestResult):
    """A line for each test, and how long it took."""

    def __init__(self, guest):
        super().__init__()
        self._guest = guest
        self._begin = time.monotonic()

    def startTest(self, test):
        super().startTest(test)
        self._begin = time.monotonic()
        with open("/dev/kmsg", "w", encoding="ascii") as f:
            f.write(f"e2e: {test.id()}\n")

    def _say(self, what, test, why=""):
        took = time.monotonic() - self._begin
        name = name_in(self._guest, test.id())
        print(f"{what} {name}{why} ({took:.1f} s)", flush=True)

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


def main():
    guest, pattern = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    try:
        tests = [test for _, name, test in find(guest) if chosen(name, pattern)]
    except Exception as e:
        traceback.print_exc()
        print(f"fail e2e.{guest}: a file of tests cannot be loaded: {e}", flush=True)
        return 1
    if not tests:
        print(f"fail e2e.{guest}: no test has '{pattern}' in its name", flush=True)
        return 1
    result = Lines(guest)
    unittest.TestSuite(tests).run(result)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    from lab.system import run
    run("mount", "--make-rprivate", "/", check=False)
    sys.exit(main())
