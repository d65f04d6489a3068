# SPDX-License-Identifier: GPL-2.0
"""The module's tracepoints, as text."""

import contextlib
import os
import re

from lab.system import get, put, run, wait_for

TRACING = "/sys/kernel/tracing"
SYSTEM = "pmtu_hostroute"


def mount_tracefs():
    if not os.path.ismount(TRACING):
        run("mount", "-t", "tracefs", "tracefs", TRACING)


class Trace:
    """A ring buffer of its own, with this module's events in it."""

    def __init__(self):
        mount_tracefs()
        self._dir = f"{TRACING}/instances/lab"
        os.mkdir(self._dir)
        self.enable(True)

    def _write(self, name, value):
        put(f"{self._dir}/{name}", value)

    def enable(self, on, event=None):
        which = f"{SYSTEM}/{event}" if event else SYSTEM
        self._write(f"events/{which}/enable", "1" if on else "0")

    def filter(self, event, condition):
        self._write(f"events/{SYSTEM}/{event}/filter", condition)

    def clear(self):
        self._write("trace", "")

    @property
    def events(self):
        """Every event as its fields, with its name under "event"."""
        lines = get(f"{self._dir}/trace").splitlines()
        found = (re.search(r" (\w+): (netns=.*)$", line) for line in lines)
        return [dict(word.split("=", 1) for word in m[2].split()) | {"event": m[1]}
                for m in found if m]

    def of(self, event):
        return [e for e in self.events if e["event"] == event]

    def wait(self, event, what=None):
        """The first event of this name; @what: some of its fields."""
        what = what or {}
        return wait_for(
            lambda: next((e for e in self.of(event) if what.items() <= e.items()), None),
            f"{event} {what} in {self.events}")

    def close(self):
        with contextlib.suppress(FileNotFoundError):
            self.enable(False)
        os.rmdir(self._dir)


def netns_of(ns):
    """A namespace as the field netns shows it."""
    return str(os.stat(ns.file).st_ino)
