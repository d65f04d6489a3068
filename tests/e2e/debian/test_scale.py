# SPDX-License-Identifier: GPL-2.0
"""A table with LAB_SCALE host routes, on a kernel without checks: filled, listed,
lowered and emptied. Unproven ones, since an attacker can make millions of them."""

import contextlib
import os
import signal
import socket
import struct
import time
import unittest

from lab.namespace import Namespace
from lab.system import wait_for
from lab.wire import Forger


SCALE = int(os.environ.get("LAB_SCALE", 1000))


class Scale(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace("scale")
        self.forger = Forger(self.ns)
        self.ns.set("max_routes", SCALE)
        self.ns.set("max_unproven", SCALE)
        self.ns.set("expire_unproven", 0)
        self.ns.set("unproven_rate", 0)

    def tearDown(self):
        os.close(self.forger.fd)
        self.ns.delete()

    def note(self, text):
        print(f"note scale.{self._testMethodName}: {text}", flush=True)

    def fill(self, count=SCALE):
        begun = time.monotonic()
        for n in range(count):
            self.forger.send(n)
        took = time.monotonic() - begun
        self.assertEqual(self.ns.count(), count, {k: v for k, v in self.ns.stats().items() if v})
        self.note(f"{count} learned in {took:.1f} s, {took / count * 1e6:.0f} us each")

    def lines(self):
        with self.ns:
            f = open("/proc/thread-self/net/pmtu_hostroute", "rb", buffering=1 << 16)
        with f:
            f.readline()
            for line in f:
                yield line.split(b" ", 1)[0]

    def test_all_of_it(self):
        self.fill()
        begun = time.monotonic()
        seen = set()
        for n, address in enumerate(self.lines(), 1):
            seen.add(address)
        took = time.monotonic() - begun
        self.assertEqual((n, len(seen)), (SCALE, SCALE))
        self.assertIn(socket.inet_ntoa(struct.pack("!I", 0x0a000000 + SCALE - 1)).encode(), seen)
        self.note(f"{n} lines read in {took:.1f} s")
        del seen

        # One more evicts one, and a known one none.
        self.forger.send(SCALE)
        self.forger.send(SCALE)
        self.assertEqual((self.ns.count(), self.ns.stat("evicted")), (SCALE, 1))

        # Down to 10 while messages arrive; a CPU held up for long panics.
        with self.flood():
            begun = time.monotonic()
            self.ns.set("max_routes", 10)
            took = time.monotonic() - begun
            self.assertLessEqual(self.ns.count(), 10)
        self.note(f"lowered to 10 in {took:.1f} s")
        self.assertEqual(self.ns.get("max_routes"), "10")
        self.assertLessEqual(self.ns.count(), 10)
        self.assertEqual(len(list(self.lines())), self.ns.count())

    def test_flush_and_end(self):
        """So many are forgotten at once; a namespace with so many goes."""
        count = SCALE // 4
        self.fill(count)
        begun = time.monotonic()
        self.ns.set("flush", "unpinned")
        self.note(f"{count} flushed in {time.monotonic() - begun:.1f} s")
        self.assertEqual(self.ns.count(), 0)
        self.fill(count)

    @contextlib.contextmanager
    def flood(self):
        """Another process sends one after the other about new destinations."""
        pid = os.fork()
        if not pid:
            n = 0
            while True:
                self.forger.send(0x800000 + n)
                n = (n + 1) & 0x3fffff
        before = self.ns.stat("received")
        try:
            wait_for(lambda: self.ns.stat("received") > before + 100, "the flood")
            yield
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
