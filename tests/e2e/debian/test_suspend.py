# SPDX-License-Identifier: GPL-2.0
"""Time that a host sleeps is time that a host route ages."""

import time
import unittest

from lab.namespace import Namespace
from lab.system import put, wait_for
from lab.wire import Forger


ASLEEP = 20


class Suspend(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace("suspend")
        self.addCleanup(self.ns.delete)
        self.forger = Forger(self.ns)

    @staticmethod
    def sleep():
        """The machine is suspended to RAM; its clock wakes it."""
        put("/sys/class/rtc/rtc0/wakealarm", f"+{ASLEEP}")
        put("/sys/power/state", "mem")

    def test_counts(self):
        self.ns.set("expire_unproven", 3600)
        self.forger.send(1)
        left = lambda: int(self.ns.listing()[0]["expires_s"])
        begun, awake = left(), time.monotonic()
        self.sleep()
        awake = time.monotonic() - awake
        self.assertLess(awake, ASLEEP - 5, "it did not sleep")
        self.assertGreaterEqual(begun - left(), ASLEEP - 3)

    def test_expires_at_once(self):
        self.ns.set("expire_unproven", 15)
        self.forger.send(1)
        self.sleep()
        # The sweep counts ticks: it comes at its time, as if there had been no
        # sleep, at most 60 s after it was due.
        wait_for(lambda: self.ns.count() == 0, "the route to expire", timeout=60)
        self.assertEqual(self.ns.stat("expired"), 1)
