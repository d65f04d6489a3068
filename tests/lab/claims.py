# SPDX-License-Identifier: GPL-2.0
"""Claims about connections on which large segments have been acknowledged: such a
claim waits for a retransmission timeout (RFC 5927 7.2)."""

from lab.messages import quote_of
from lab.path import OnPath, Path
from lab.system import wait_for
from lab.transfer import exchange, tcp_info, wait_until_acked

RTO = 2		# seconds; long enough not to be confused with a slow guest


class Deferred(OnPath):
    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)

    def timers(self, rto=RTO):
        """One kind of timer only, of one length; new connections have it."""
        self.no_timers(rto)

    def proven(self, length=100000):
        """A connection on which large segments have been acknowledged."""
        cli, srv = self.accepted()
        exchange(srv, cli, length)
        wait_until_acked(srv)
        self.assertEqual(tcp_info(srv)["pmtu"], 1500)
        return cli, srv

    def forge(self, injector, frame, mtu, outcome="deferred"):
        before = self.srv.stat(outcome)
        injector.send(Path.message(mtu, quote_of(frame)))
        try:
            wait_for(lambda: self.srv.stat(outcome) > before, outcome)
        except AssertionError:
            self.fail(f"{mtu} should be {outcome}; by now there are "
                      f"{ {n: count for n, count in self.srv.stats().items() if count} }")

    def release(self, cli, srv):
        """ACKs go through again, and one does."""
        self.path.hold_acks(False)
        cli.sendall(b"a")
        self.assertEqual(srv.recv(1), b"a")

    def settled(self, what):
        wait_for(lambda: self.srv.stat("deferred_" + what), f"the claim to be {what}")

    def assert_untouched(self, srv):
        self.assertEqual(tcp_info(srv)["pmtu"], 1500)
        self.assertEqual(self.srv.count(), 0)
        self.assert_no_exception()
