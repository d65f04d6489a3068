# SPDX-License-Identifier: GPL-2.0
"""Real TCP over a real router with a small MTU, judged by the wire and by what
the applications got."""

import os
import socket
import threading
import time

from lab.messages import frag_needed, quote_of
from lab.namespace import accept
from lab.packets import SYN, mss_options
from lab.path import MTU, PORT, OnPath, Path, Provable
from lab.system import TIMEOUT, insmod, one_cpu, rmmod, run, wait_for, whole_cpu
from lab.transfer import exchange, mss_of, receive, retransmissions, tcp_info
from lab.wire import open_tun


class Learning(OnPath):
    def test_from_a_real_router(self):
        self.stack.enter_context(one_cpu())
        cli, srv = self.accepted()
        exchange(srv, cli, 20000)
        message = next(f for f in self.path.wire.frames if f.frag_needed)
        self.assertEqual(message.mtu, MTU)
        after = self.after_following()
        self.assert_fits(after)
        self.assertTrue([f for f in after if f.length == MTU],
                        "the path's MTU is not made use of")
        self.assertEqual(self.srv.count(), 1)
        entry, = self.srv.listing()
        self.assertEqual((entry["destination"], entry["mtu"], entry["state"],
                          entry["router"], entry["dev"], entry["previous_mtu"]),
                         (Path.CLI, str(MTU), "proven", Path.RTR_SRV, "eth0", "1500"))
        self.assertLessEqual(int(entry["expires_s"]), 600)
        self.assertGreater(int(entry["expires_s"]), 500)
        self.assert_no_exception()

    def test_resent_at_once_and_once(self):
        self.no_timers()
        cli, srv = self.accepted()
        srv.sendall(b"x" * 333)
        self.assertEqual(receive(cli, 333), b"x" * 333)
        frames = self.path.wire.stop()
        sent = [f for f in self.path.from_server(frames) if f.data]
        message = next(f for f in frames if f.frag_needed)
        self.assertGreater(sent[0].length, MTU)
        self.assertEqual(sent[1].seq, sent[0].seq)
        self.assertLess(sent[1].time - message.time, self.RTO / 2, "only after a timeout")
        self.assertEqual(sum(f.data for f in sent[1:]), 333, "sent more than once")
        self.assert_fits(sent[1:])

    def test_another_lower_message_is_obeyed(self):
        cli, srv = self.learn()
        self.path.set_mtu(200)
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 200)
        self.assertEqual(self.srv.count(), 1)
        entry, = self.srv.listing()
        self.assertEqual(entry["previous_mtu"], str(MTU))

    def test_all_sockets_follow_at_their_next_send(self):
        others = [self.accepted() for _ in range(10)]
        for cli, srv in others:
            exchange(srv, cli, 100)
        self.learn()
        for cli, srv in others:
            exchange(srv, cli, 3000)
            port = cli.getsockname()[1]
            self.assertEqual(self.messages_about(port), [], "a socket needed a message of its own")
            self.assert_fits(self.path.from_server(port=port))

    def test_bulk_both_ways(self):
        cli, srv = self.accepted()
        thread = threading.Thread(target=exchange, args=(cli, srv, 300000), daemon=True)
        thread.start()
        exchange(srv, cli, 300000)
        thread.join(TIMEOUT)
        self.assertFalse(thread.is_alive())
        self.assertEqual(self.srv.count(), 1)


    def test_ipv6_socket_with_a_mapped_address(self):
        """Most servers listen like this: IPv4 by way of an IPv6 socket."""
        with self.srv.socket(family=socket.AF_INET6) as listener:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(("::", 8080))
            listener.listen()
            cli = self.stack.enter_context(self.path.cli.connect((Path.SRV, 8080)))
            srv = accept(listener, self.stack)
        self.stack.enter_context(one_cpu())
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        self.assert_fits(self.after_following())
        self.assert_no_exception()


class NewConnections(OnPath):
    def setUp(self):
        super().setUp()
        self.no_timers()

    def assert_clean(self, port):
        self.assertEqual(self.messages_about(port), [], "reported again")
        sent = self.path.from_server(port=port)
        self.assert_fits(sent)
        return sent

    def assert_first_flight(self, cli, srv, port):
        exchange(srv, cli, 30000)
        sent = self.assert_clean(port)
        self.assertEqual(retransmissions(srv), 0)
        self.assertEqual(sum(f.data for f in sent), 30000)

    def test_accepted(self):
        self.learn()
        cli, srv = self.accepted()
        port = cli.getsockname()[1]
        self.assert_first_flight(cli, srv, port)

    def test_opened_from_the_syn_on(self):
        self.learn()
        cli, srv = self.opened()
        # Nothing but its SYN was sent, and it is under the host route already.
        self.assertGreaterEqual(int(self.srv.listing()[0]["sockets"]), 2)
        self.assert_first_flight(cli, srv, 8080)
        self.assertLess(tcp_info(srv)["snd_mss"], MTU - 39)

    def test_syn_offers_the_interfaces_mss(self):
        """RFC 1191 6.4: the MSS option comes from the interface."""
        self.learn()
        self.opened()
        syn = next(f for f in self.path.from_server(port=8080) if f.flags & SYN)
        self.assertEqual(mss_options(syn), [1460])


class NewConnectionsWithOffload(NewConnections):
    """The same with segmentation left to the device: what the capture shows is
    what the router forwards, and its link would drop what is too big."""
    offload = True

    def assert_fits(self, frames, mtu=MTU):
        # Large packets are cut up by the router's egress device to gso_size:
        # seen where they arrive.
        self.assertTrue(frames, "no packets on the wire")

    def assert_first_flight(self, cli, srv, port):
        exchange(srv, cli, 30000)
        self.assert_clean(port)
        self.assertEqual(retransmissions(srv), 0)


class OwnedByUser(OnPath):
    def test_message_arrives_inside_sendmsg(self):
        """Over veth the router's answer comes back within the sender's own
        system call: the socket is owned when the message is believed."""
        self.stack.enter_context(one_cpu())
        cli, srv = self.accepted()
        exchange(srv, cli, 100000)
        self.assertGreater(self.srv.stat("clamp_queued"), 0,
                           "the case this test is for did not happen")
        self.assert_fits(self.after_following())
        self.assert_no_exception()

    def test_socket_closed_meanwhile(self):
        for _ in range(50):
            cli, srv = self.accepted()
            srv.send(b"x" * 1000)
            srv.close()
            self.assertEqual(len(receive(cli, 1000)), 1000)
            cli.close()
            self.srv.set("flush", "all")


class Ending(OnPath):
    def test_expiry_and_growth(self):
        self.no_timers()
        cli, srv = self.learn()
        self.assertLess(mss_of(srv), MTU)
        self.path.set_mtu(1500)
        self.srv.set("expire", 1)
        wait_for(lambda: self.srv.count() == 0, "the host route to expire")
        self.assertEqual(self.srv.stat("expired"), 1)
        since = self.path.wire.frames[-1].time
        before = retransmissions(srv)
        exchange(srv, cli, 30000)
        self.assertEqual(retransmissions(srv), before)
        sent = [f for f in self.path.from_server() if f.time > since]
        self.assertEqual(max(f.length for f in sent), 1500)
        first = next(f for f in sent if f.data)
        self.assertEqual(first.length, 1500, "grows only at a later send")

    def test_message_extends_life(self):
        """RFC 1191 6.3: no increase soon after any message, a repeated one too."""
        cli, srv = self.learn()
        left = lambda: int(self.srv.listing()[0]["expires_s"])
        wait_for(lambda: left() <= 597, "three seconds to pass")
        frame = self.sent_in_flight(srv, 500)[0]
        injector = self.new_injector()
        # The same MTU once more; a quote of the size that did not fit.
        injector.send(Path.message(MTU, quote_of(frame, length=MTU + 1)))
        wait_for(lambda: self.srv.stat("refreshed"), "the message to be accepted")
        self.assertGreaterEqual(left(), 599)
        self.assertEqual(self.srv.count(), 1)

    def test_expired_but_not_swept(self):
        """Its time is up, and the sweep has not run yet: the message finds the expired
        route, and what was lost is sent again at once, by the new one. (The test
        keeps the CPU that the sweep would need.)"""
        self.no_timers()
        self.srv.set("defer", "off")
        self.srv.set("expire", 3)
        cli, srv = self.learn()
        frame = self.sent_in_flight(srv, 250)[0]
        tun = open_tun(self.srv, "tun0")
        self.stack.callback(os.close, tun)
        self.srv.ip("link set tun0 up", "addr add 192.0.2.1/24 dev tun0")
        message = lambda mtu: frag_needed("192.0.2.2", Path.SRV, mtu,
                                          quote_of(frame, length=MTU + 1))
        os.write(tun, message(MTU))
        end = time.monotonic() + 3
        self.assertEqual(self.srv.stat("refreshed"), 1)
        wait_for(lambda: time.monotonic() > end - 0.3, "most of its time to pass")
        with whole_cpu():
            while time.monotonic() < end + 0.1:
                pass
            before = self.srv.count(), self.srv.stat("expired"), self.srv.stat("clamped")
            os.write(tun, message(200))
            after = self.srv.count(), self.srv.stat("expired"), self.srv.stat("clamped")
        self.assertEqual(before[:2], (1, 0), "the sweep ran all the same")
        self.assertEqual(after, (1, 1, before[2] + 1))
        self.assertEqual(tcp_info(srv)["pmtu"], 200)
        again = self.path.wire.wait(lambda f: f.time > frame.time and f.seq == frame.seq,
                                    "what was lost")
        self.assertLessEqual(again.length, 200)
        self.assertLess(again.time - frame.time, self.RTO)

    def test_flush(self):
        for what in ("unpinned", "all"):
            cli, srv = self.learn()
            self.assertEqual(self.srv.count(), 1)
            self.srv.set("flush", what)
            self.assertEqual(self.srv.count(), 0)
            self.assertEqual(self.srv.listing(), [])
            exchange(srv, cli, 2000)
            self.assertEqual(self.srv.route_mtu(Path.CLI), MTU, "not learned again")

    def test_mode_off_is_stock(self):
        self.learn()
        self.srv.set("mode", "off")
        received = self.srv.stat("received")
        self.srv.set("flush", "all")
        cli, srv = self.accepted()
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.count(), 0)
        self.assertEqual(self.srv.stat("received"), received)
        self.assertIsNotNone(self.srv.look_up(Path.CLI).mtu, "the stock path did not act")

    def test_link_mtu_shrinks_and_grows(self):
        cli, srv = self.learn()
        self.srv.ip("link set eth0 mtu 250")
        exchange(srv, cli, 3000)
        self.srv.ip("link set eth0 mtu 1500")
        since = self.path.wire.frames[-1].time
        exchange(srv, cli, 3000)
        self.assert_fits([f for f in self.path.from_server() if f.time > since])
        self.assertEqual(self.srv.count(), 1)


class Limits(OnPath):
    ADDRESSES = [f"10.102.45.{n}" for n in range(100, 105)]

    def setUp(self):
        super().setUp()
        self.path.cli.ip(*(f"addr add {a}/24 dev eth0" for a in self.ADDRESSES))

    def learn_about(self, address):
        cli = self.stack.enter_context(
            self.path.cli.connect((Path.SRV, PORT), bind=(address, 0)))
        srv = accept(self.listener, self.stack)
        exchange(srv, cli, 1000)
        return cli, srv

    def test_evicts_least_recently_used(self):
        self.srv.set("max_routes", 3)
        a, b, c, d, e = self.ADDRESSES
        conns = {x: self.learn_about(x) for x in (a, b, c)}
        self.assertEqual(self.srv.count(), 3)
        # All were used by their own data, so a, the oldest, has to go.
        conns[d] = self.learn_about(d)
        self.assertEqual(self.srv.destinations(), {b, c, d})
        self.assertEqual(self.srv.stat("evicted"), 1)
        # Traffic keeps b, now the oldest; c has had none since.
        cli, srv = conns[b]
        exchange(srv, cli, 2000)
        self.learn_about(e)
        self.assertEqual(self.srv.destinations(), {b, d, e})
        self.assertEqual(self.srv.count(), 3)

    def test_ignore_at_limit_is_the_kbs_fault(self):
        self.srv.set("max_routes", 1)
        self.srv.set("at_limit", "ignore")
        self.learn_about(self.ADDRESSES[0])
        cli, srv = self.accepted()
        srv.sendall(b"x" * 1000)
        wait_for(lambda: len([f for f in self.path.wire.frames if f.frag_needed]) > 3,
                 "the router to report it again and again")
        cli.setblocking(False)
        with self.assertRaises(BlockingIOError):
            cli.recv(1)
        self.assertEqual(self.srv.count(), 1)
        self.assertGreater(self.srv.stat("ignored_full"), 2)
        self.assert_no_exception()
        # Room again: the next retransmission's message is obeyed.
        cli.settimeout(TIMEOUT)
        self.srv.set("at_limit", "evict")
        self.assertEqual(receive(cli, 1000), b"x" * 1000)

    def test_limit_is_logged_once(self):
        """One line a minute, whatever happens; a fresh module owes none."""
        rmmod()
        insmod()
        lines = lambda: [line for line in run("dmesg").splitlines()
                         if "pmtu_hostroute" in line and "max_routes=" in line]
        before = len(lines())
        self.srv.set("max_routes", 2)
        for address in self.ADDRESSES[:2]:
            self.learn_about(address)
        self.assertEqual(len(lines()), before)
        for address in self.ADDRESSES[2:]:
            self.learn_about(address)
        self.assertEqual(self.srv.stat("evicted"), 3)
        self.assertEqual(len(lines()), before + 1)
        self.assertIn("max_routes=2", lines()[-1])

    def test_maximum_lowered_and_zero(self):
        for address in self.ADDRESSES:
            self.learn_about(address)
        self.assertEqual(self.srv.count(), 5)
        self.srv.set("max_routes", 2)
        self.assertEqual(self.srv.count(), 2)
        self.srv.set("max_routes", 0)
        self.assertEqual(self.srv.count(), 0)
        _, srv = self.accepted()
        srv.sendall(b"x" * 1000)
        wait_for(lambda: self.srv.stat("ignored_full"), "a message to be ignored")
        self.assertEqual(self.srv.count(), 0)


class Refusals(Provable):
    """A message that cannot be proven changes nothing; judged by what the
    connection sends next."""

    def test_genuine_one_is_obeyed(self):
        """The control: what the refused ones are one field away from."""
        _, srv, frame, injector = self.in_flight()
        injector.send(self.message(frame))
        wait_for(lambda: self.srv.count() == 1, "the host route")
        wait_for(lambda: tcp_info(srv)["pmtu"] == 400, "the clamp")

    def test_one_field_away(self):
        """Each case differs from the genuine message in one thing."""
        def wrong_checksum(frame):
            packet = bytearray(self.message(frame))
            packet[22] ^= 1
            return bytes(packet)

        cases = {
            "a byte acknowledged already":
                (lambda f: self.message(f, seq=-1), "ignored_sequence"),
            "a byte not sent yet":
                (lambda f: self.message(f, seq=500), "ignored_sequence"),
            "another port":
                (lambda f: self.message(f, at={23: f.raw[23] ^ 1}), "ignored_no_socket"),
            "a wrong checksum": (wrong_checksum, "ignored_checksum"),
            "a quote without DF": (lambda f: self.message(f, at={6: 0}), "ignored_df"),
            "a quote that fits": (lambda f: self.message(f, mtu=1000), "ignored_fits"),
            "an illegal MTU": (lambda f: self.message(f, mtu=67), "ignored_mtu"),
            "seven bytes of transport":
                (lambda f: Path.message(400, quote_of(f)[:27]), "ignored_truncated"),
            "another address of ours quoted":
                (lambda f: self.message(f, at={15: 249}), "ignored_outer"),
        }
        _, srv, frame, injector = self.in_flight()
        for what, (make, reason) in cases.items():
            with self.subTest(what):
                before = self.srv.stat(reason)
                injector.send(make(frame))
                wait_for(lambda: self.srv.stat(reason) > before, f"{reason} for {what}")
                self.assertEqual(self.srv.count(), 0)
                self.assertEqual(tcp_info(srv)["pmtu"], 1500)
                self.assert_no_exception()
        # The connection was worth attacking: the genuine one still works.
        injector.send(self.message(frame))
        wait_for(lambda: tcp_info(srv)["pmtu"] == 400, "the genuine message")

    def test_mtu_of_zero_is_a_plateau(self):
        """RFC 1191 5: 552 bytes quoted, so the next plateau below is 508."""
        _, srv, frame, injector = self.in_flight()
        injector.send(self.message(frame, mtu=0))
        wait_for(lambda: self.srv.route_mtu(Path.CLI) == 508, "plateau 508")
        wait_for(lambda: tcp_info(srv)["pmtu"] == 508, "the clamp")

    def test_a_thousand_identical_messages(self):
        """One clamp, at most one retransmission for all of them."""
        _, srv, frame, injector = self.in_flight()
        packet = self.message(frame)
        before = tcp_info(srv)
        for _ in range(1000):
            injector.send(packet)
        wait_for(lambda: self.srv.stat("received") >= 1000, "the messages")
        self.assertEqual(self.srv.stat("clamped"), 1)
        self.assertEqual(self.srv.stat("learned"), 1)
        self.assertEqual(self.srv.count(), 1)
        self.assertLessEqual(before["snd_cwnd"], 10)
