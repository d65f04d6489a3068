# SPDX-License-Identifier: GPL-2.0
"""RFC 5927 7.2: a claim that contradicts what the peer has acknowledged waits
for a retransmission timeout. Forged messages on connections that live, and paths
that really change; judged by the wire and by what arrives."""

import time

from lab.claims import RTO, Deferred
from lab.messages import quote_of
from lab.path import Path
from lab.system import insmod, rmmod, wait_for
from lab.transfer import Transfer, abort_on_close, exchange, receive, retransmissions, tcp_info


class Forged(Deferred):
    def test_cleared_by_an_ack(self):
        """RFC 5927 7.3.4 (case 46): four segments in flight, one quoted, an ACK."""
        self.timers(20)
        cli, srv = self.proven(20000)
        sent = self.sent_in_flight(srv, 4 * 1448)
        self.assertEqual([f.length for f in sent], [1500] * 4)
        self.forge(self.new_injector(), sent[1], 552)
        self.assert_untouched(srv)
        since = self.path.wire.frames[-1].time
        self.release(cli, srv)
        self.assertEqual(receive(cli, 4 * 1448), b"f" * (4 * 1448))
        self.settled("cleared")
        self.assert_untouched(srv)
        exchange(srv, cli, 50000)
        after = [f for f in self.path.from_server() if f.time > since and f.data]
        self.assertEqual(max(f.length for f in after), 1500)
        self.assertEqual(sum(f.data for f in after), 50000, "something was sent again")
        self.assertEqual(retransmissions(srv), 0)
        self.assertEqual((self.srv.stat("deferred"), self.srv.stat("deferred_applied")), (1, 0))

    def test_the_same_is_believed_at_once_with_defer_off(self):
        self.timers(20)
        self.srv.set("defer", "off")
        _, srv = self.proven(20000)
        sent = self.sent_in_flight(srv, 4 * 1448)
        self.forge(self.new_injector(), sent[1], 552, "learned")
        wait_for(lambda: tcp_info(srv)["pmtu"] == 552, "the clamp")

    def test_all_through_a_bulk_transfer(self):
        """Claims of every kind, at every place in the window, again and again;
        the transfer does not notice."""
        self.timers(100)	# a round takes a slow guest its time
        cli, srv = self.proven(400000)
        injector, begin = self.new_injector(), self.path.wire.frames[-1].time
        transfer = Transfer(srv, cli)
        self.addCleanup(transfer.stop)
        rounds, mtus = 5, (68, 320, 551, 552, 576, 1006, 1400)
        for n in range(1, rounds + 1):
            self.path.hold_acks()
            flight = self.flight(srv)
            for i, mtu in enumerate(mtus):
                self.forge(injector, flight[i * len(flight) // len(mtus)], mtu)
            self.assert_untouched(srv)
            self.path.hold_acks(False)
            cli.sendall(b"a")
            wait_for(lambda n=n: self.srv.stat("deferred_cleared") == n, "an ACK")
            transfer.wait_for_more()
        self.assertGreater(transfer.stop(), 100000)
        self.assert_untouched(srv)
        self.assertEqual(self.srv.stat("deferred"), rounds * len(mtus))
        self.assertEqual(self.srv.stat("deferred_applied"), 0)
        sent = [f for f in self.path.from_server() if f.time > begin and f.data]
        self.assertEqual([f.length for f in sent if f.length in mtus], [])
        self.assertEqual(sent[-2].length, 1500)
        self.assertEqual(retransmissions(srv), 0)

    def flight(self, srv):
        """Full segments in flight, once no more are sent; oldest first."""
        def still():
            before = tcp_info(srv)["unacked"]
            time.sleep(0.1)
            return before > 3 and before == tcp_info(srv)["unacked"]
        wait_for(still, "a window full of segments")
        sent = [f for f in self.path.from_server() if f.data]
        return [f for f in sent[-tcp_info(srv)["unacked"]:] if f.length == 1500]

    def test_what_was_never_sent_that_large(self):
        """RFC 5927 7.3.5 (case 48): 140 bytes at most were sent; 150 is claimed."""
        self.timers(100)
        cli, srv = self.accepted()
        for _ in range(20):
            exchange(srv, cli, 88)
        frame, = self.sent_in_flight(srv, 88)
        self.assertEqual(frame.length, 140)
        injector = self.new_injector()
        self.forge(injector, frame, 150, "ignored_fits")
        self.assert_untouched(srv)
        # The same of a packet that was never sent.
        for length in (200, 552, 1500):
            before = self.srv.stat("ignored_sequence")
            injector.send(Path.message(150, quote_of(frame, length=length)))
            wait_for(lambda before=before: self.srv.stat("ignored_sequence") > before,
                         f"a quote of {length} bytes to be refused")
            self.assert_untouched(srv)
        # Below what was acknowledged: waits.
        self.forge(injector, frame, 68)
        self.assert_untouched(srv)
        self.release(cli, srv)
        self.settled("cleared")

    def test_of_two_claims_the_higher_waits(self):
        """A forged claim must not come into effect by way of a real loss."""
        self.timers(20)
        _, srv = self.proven(20000)
        sent = self.sent_in_flight(srv, 2 * 1448)
        injector = self.new_injector()
        for mtu in (600, 68, 1000, 552):
            self.forge(injector, sent[0], mtu)
        wait_for(lambda: self.srv.count(), "the timeout")
        self.assertEqual(self.srv.route_mtu(Path.CLI), 1000)
        self.assertEqual((self.srv.stat("deferred"), self.srv.stat("deferred_applied")), (4, 1))


class Real(Deferred):
    def drop(self, mtu, length, proven=100000):
        """The path's MTU comes down under a connection; how long it took from
        the first segment lost until one that fits. All data must arrive."""
        cli, srv = self.proven(proven)
        since = self.path.wire.frames[-1].time
        self.path.set_mtu(mtu)
        exchange(srv, cli, length)
        self.assertEqual(self.srv.route_mtu(Path.CLI), mtu)
        self.assert_no_exception()
        frames = [f for f in self.path.wire.frames if f.time > since]
        sent = [f for f in self.path.from_server(frames) if f.data]
        message = next(f for f in frames if f.frag_needed)
        self.assertEqual(message.mtu, mtu)
        lost = next(f for f in sent if f.length > mtu)
        again = next(f for f in sent if f.seq == lost.seq and f.length <= mtu)
        took = again.time - lost.time
        # It goes on: once known it is kept to.
        before = len(self.path.wire.frames)
        exchange(srv, cli, 20000)
        self.assert_fits(self.path.from_server(self.path.wire.frames[before:]), mtu)
        return took

    def assert_one_timeout(self, took):
        self.assertGreater(took, RTO * 0.9, "not deferred")
        self.assertLess(took, RTO * 2.9, "more than one timeout")
        self.assertEqual(self.srv.stat("deferred_applied"), 1)
        self.assertEqual(self.srv.stat("deferred_dropped"), 0)
        self.assertGreaterEqual(self.srv.stat("deferred"), 1)

    def test_1492(self):
        """RFC 5927 7.3.2 (case 47): PPPoE comes into the path."""
        self.timers()
        self.assert_one_timeout(self.drop(1492, 30000, proven=1500000))

    def test_1492_defer_off(self):
        self.timers()
        self.srv.set("defer", "off")
        self.assertLess(self.drop(1492, 30000, proven=1500000), RTO / 2)
        self.assertEqual(self.srv.stat("deferred"), 0)

    def test_600(self):
        self.timers()
        self.assert_one_timeout(self.drop(600, 30000))

    def test_600_defer_off(self):
        self.timers()
        self.srv.set("defer", "off")
        self.assertLess(self.drop(600, 30000), RTO / 2)

    def test_tail(self):
        """One segment, and nothing after it to bring about anything."""
        self.timers()
        self.assert_one_timeout(self.drop(600, 1448))

    def test_with_timers_as_they_are(self):
        """Probes of the tail bring about messages, too, before the timeout."""
        for mtu, length in ((1200, 1448), (1000, 50000), (600, 3000)):
            with self.subTest(mtu):
                self.drop(mtu, length)
                self.path.set_mtu(1500)
                self.srv.set("flush", "all")
        self.assertGreaterEqual(self.srv.stat("deferred_applied"), 3)

    def test_nothing_contradicts(self):
        """A fresh connection, and one of small segments: at once."""
        self.timers()
        self.path.set_mtu(600)
        cli, srv = self.accepted()
        exchange(srv, cli, 30000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 600)
        self.srv.set("flush", "all")
        cli, srv = self.accepted()
        for _ in range(30):
            exchange(srv, cli, 400)
        since = self.path.wire.frames[-1].time
        exchange(srv, cli, 3000)
        frames = [f for f in self.path.wire.frames if f.time > since]
        message = next(f for f in frames if f.frag_needed)
        lost = next(f for f in self.path.from_server(frames) if f.length > 600)
        again = next(f for f in self.path.from_server(frames)
                     if f.seq == lost.seq and f.length <= 600)
        self.assertLess(again.time - message.time, RTO / 2)
        self.assertEqual(self.srv.stat("deferred"), 0)

    def test_reported_only_after_the_timeout(self):
        """A message about data that has timed out already need not wait."""
        self.timers()
        cli, srv = self.proven()
        frame = self.sent_in_flight(srv, 1448)[0]
        again = self.path.wire.wait(
            lambda f: f.seq == frame.seq and f.src == Path.SRV and f.time > frame.time,
            "the retransmission")
        self.forge(self.new_injector(), again, 600, "learned")
        self.assertEqual(self.srv.stat("deferred"), 0)
        self.path.wire.wait(lambda f: f.seq == frame.seq and f.length == 600, "a smaller one")
        self.path.hold_acks(False)
        self.assertEqual(receive(cli, 1448), b"f" * 1448)

    def test_twice(self):
        """1500, 1000, 600: each time for one timeout."""
        self.timers()
        cli, srv = self.proven()
        for n, mtu in enumerate((1000, 600), 1):
            self.path.set_mtu(mtu)
            exchange(srv, cli, 10000)
            self.assertEqual(self.srv.route_mtu(Path.CLI), mtu)
            self.assertEqual(self.srv.stat("deferred_applied"), n)


class GoingAway(Deferred):
    def pending(self):
        """A connection with a claim that waits, its server's end last."""
        self.timers(20)
        cli, srv = self.proven(20000)
        sent = self.sent_in_flight(srv, 1448)
        self.forge(self.new_injector(), sent[0], 552)
        return cli, srv

    def test_socket_is_aborted(self):
        _, srv = self.pending()
        abort_on_close(srv)
        srv.close()
        self.settled("dropped")
        self.assertEqual(self.srv.count(), 0)

    def test_socket_is_closed(self):
        """Its data goes on without it, and so does the claim."""
        cli, srv = self.pending()
        srv.close()
        self.path.hold_acks(False)
        cli.sendall(b"a")
        wait_for(lambda: self.srv.stat("deferred_cleared") + self.srv.stat("deferred_dropped"),
                     "the claim to be settled")
        self.assertEqual(self.srv.count(), 0)

    def test_namespace_goes(self):
        """With a socket that was aborted just before, whose claim still waits."""
        _, srv = self.pending()
        self.listener.close()
        abort_on_close(srv)
        srv.close()
        self.path.wire.stop()
        self.srv.delete()
        self.path.hold_acks(False)
        self.path.replace_server()

    def test_namespace_goes_and_the_socket_lives_on(self):
        """An orphan keeps its namespace until it gives up, not longer."""
        self.srv.sysctl(tcp_orphan_retries=1)
        self.timers(8)
        _, srv = self.proven(20000)
        sent = self.sent_in_flight(srv, 1448)
        self.forge(self.new_injector(), sent[0], 552)
        self.listener.close()
        srv.close()
        self.path.wire.stop()
        self.srv.delete()
        self.path.replace_server()
        self.path.hold_acks(False)

    def test_module_goes(self):
        cli, srv = self.pending()
        rmmod()
        try:
            self.release(cli, srv)
            self.assertEqual(receive(cli, 1448), b"f" * 1448)
            exchange(srv, cli, 20000)
        finally:
            insmod()

    def test_setting(self):
        """A word, a namespace each; what waits goes on waiting."""
        self.assertEqual(self.srv.get("defer"), "on")
        for value in ("", "1", "of", "on off", "ON"):
            with self.assertRaises(OSError):
                self.srv.set("defer", value)
        cli, srv = self.pending()
        self.srv.set("defer", "off")
        self.assertEqual(self.srv.get("defer"), "off")
        self.assert_untouched(srv)
        self.release(cli, srv)
        self.settled("cleared")
        self.assert_untouched(srv)
