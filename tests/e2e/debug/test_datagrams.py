# SPDX-License-Identifier: GPL-2.0
"""UDP, raw sockets and Echoes: what a message about a datagram does, to whom,
and what it does not do."""

import contextlib
import errno
import socket
import struct

from lab.datagrams import (DO, INTERFACE, IP_MTU, IP_MTU_DISCOVER, IP_RECVERR, MSG_ERRQUEUE,
                           MTU, OMIT, PORT, PROBE, SOL_UDP, UDP_SEGMENT, WANT, OnDatagramPath,
                           path_mtu)
from lab.messages import datagram_quote, echo_quote, udp_quote
from lab.packets import echo_request
from lab.path import Path
from lab.system import insmod, one_cpu, rmmod, wait_for
from lab.transfer import exchange


class Connected(OnDatagramPath):
    def test_it_gets_the_error(self):
        """EMSGSIZE once, IP_MTU, and EMSGSIZE at once for what is too big."""
        s = self.datagrams()
        self.provoke(s, to=None)
        self.assertEqual(self.error_of(s), errno.EMSGSIZE)
        self.assertEqual(self.error_of(s), 0)
        self.assertEqual(path_mtu(s), MTU)
        with self.assertRaises(OSError) as caught:
            s.send(bytes(MTU - 27))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        s.send(bytes(MTU - 28))
        self.assertEqual(len(self.sink.recv(2000)), MTU - 28)
        self.assert_no_exception()
        self.assertEqual(self.unproven(), MTU)
        self.assertEqual((self.srv.stat("reported"), self.srv.stat("own_route")), (1, 1))

    def test_error_queue(self):
        s = self.datagrams(recverr=True)
        self.provoke(s, to=None)
        self.assertEqual(self.queued_error(s),
                         ((errno.EMSGSIZE, 2, 3, 4, MTU, Path.RTR_SRV), (Path.CLI, PORT),
                          b"t" * len(self.queued_data())))

    def queued_data(self):
        """What the router quoted of the datagram, without its headers."""
        return self.path.wire.wait(lambda f: f.frag_needed, "the message").quote[28:]

    def test_want_is_fragmented(self):
        s = self.datagrams(WANT)
        self.provoke(s, to=None)
        self.error_of(s)
        since = len(self.path.wire.frames)
        s.send(bytes(1372))
        self.assertEqual(len(self.sink.recv(2000)), 1372)
        self.assert_fragments(self.from_here(since))

    def test_only_observed(self):
        """The stock path gives the socket its error, and this socket alone."""
        self.srv.set("mode", "observe")
        s = self.datagrams(recverr=True)
        self.provoke(s, to=None)
        self.assertEqual(self.queued_error(s)[0], (errno.EMSGSIZE, 2, 3, 4, MTU, Path.RTR_SRV))
        with self.assertRaises(BlockingIOError):
            s.setblocking(False)
            s.recvmsg(2000, 512, MSG_ERRQUEUE)
        self.assertEqual((self.srv.count(), self.srv.stat("recorded")), (0, 1))
        self.assertEqual((self.srv.stat("reported"), self.srv.stat("own_route")), (0, 0))
        self.assertIsNotNone(self.srv.look_up(Path.CLI).mtu)

    def test_what_it_knows_is_its_own(self):
        """Without the unproven share nobody else learns of it."""
        self.srv.set("unproven", "ignore")
        s, other = self.datagrams(), self.datagrams()
        self.provoke(s, to=None)
        self.assertEqual(path_mtu(s), MTU)
        self.assertEqual(other.getsockopt(socket.IPPROTO_IP, IP_MTU), 1500)
        self.assertEqual(self.srv.count(), 0)
        self.assertEqual(self.srv.stat("ignored_unproven"), 1)
        self.assert_no_exception()

    def test_it_ends(self):
        for end in ("expire", "flush", "mode"):
            s = self.datagrams()
            if end == "expire":
                self.srv.set("expire_unproven", 1)
            self.provoke(s, to=None)
            self.error_of(s)
            if end == "flush":
                self.srv.set("flush", "unpinned")
            elif end == "mode":
                self.srv.set("mode", "off")
            wait_for(lambda: self.mtu_after_send(s) == 1500, f"1500 after {end}")
            self.srv.set("expire_unproven", 60)
            self.srv.set("mode", "enforce")
            self.srv.set("flush", "all")

    def test_another_destination_is_not_its_peer(self):
        """Destinations behind one router share a stock route."""
        other = "10.102.45.99"
        self.path.cli.ip(f"addr add {other}/24 dev eth0")
        self.path.set_mtu(1500)
        self.srv.set("add", f"{other} {MTU}")
        self.wait_until_applied((other, PORT))
        before = self.srv.stat("fragmented")
        s = self.datagrams(WANT)
        with one_cpu():
            s.send(bytes(1372))
            s.sendto(bytes(1372), (other, PORT))
            self.assertEqual(path_mtu(s), 1500)
        self.assertEqual(self.srv.stat("fragmented"), before + 1)

    def test_what_is_known_better_counts(self):
        """A pinned route applies to a socket that has a route of its own, whose
        time is up or not."""
        for mtu in (MTU, 1300):
            self.path.set_mtu(mtu)
            s = self.datagrams(WANT)
            self.srv.set("expire_unproven", 1 if mtu == MTU else 60)
            self.provoke(s, to=None)
            self.error_of(s)
            self.path.set_mtu(1500)
            if mtu == MTU:
                wait_for(lambda: self.mtu_after_send(s) == 1500, "its time to be up")
            self.srv.set("add", f"{Path.CLI} 1200")
            self.wait_until_applied((Path.CLI, PORT))
            self.path.wire.clear()
            s.send(bytes(1372))
            self.assertEqual(len(self.sink.recv(2000)), 1372)
            self.assert_fragments(self.from_here(), 1200)
            self.srv.set("flush", "all")

    @staticmethod
    def mtu_after_send(s):
        s.send(b"")
        return path_mtu(s)

    def test_below_the_floor(self):
        """552 is as low as it goes; the path is not known to carry even that, so
        nothing has DF that may be fragmented."""
        self.path.set_mtu(320)
        s = self.datagrams(WANT)
        self.provoke(s, to=None)
        self.error_of(s)
        self.assertEqual(path_mtu(s), 552)
        since = len(self.path.wire.frames)
        s.send(bytes(500))
        self.assertEqual(len(self.sink.recv(2000)), 500)
        for f in self.from_here(since):
            self.assertFalse(f.df)

    def test_device_and_module_go(self):
        """Nothing holds on to what a socket has of its own."""
        s = self.datagrams()
        self.provoke(s, to=None)
        self.assertEqual(self.srv.stat("own_route"), 1)
        self.srv.ip("link del eth0")
        wait_for(lambda: self.srv.device("eth0", "address") is None, "the device to go")
        self.path.plug_server()
        self.error_of(s)
        wait_for(lambda: self.sends(s), "it to send again")
        self.srv.set("flush", "all")	# else it is refused before it gets to the router
        self.provoke(s, to=None)
        self.assertEqual(self.srv.stat("own_route"), 2)
        rmmod()
        insmod()
        self.error_of(s)
        self.assertTrue(self.sends(s))
        self.provoke(s, to=None)

    @staticmethod
    def sends(s):
        try:
            return s.send(b"x")
        except OSError:
            return 0


class Unconnected(OnDatagramPath):
    def test_want_is_fragmented(self):
        s = self.datagrams(WANT, connected=False)
        self.provoke(s)
        self.assertEqual(self.unproven(), MTU)
        self.assertEqual(self.error_of(s), 0)
        frames = self.arrives(s, 1400)
        self.assert_fragments(frames)
        # What fits is left alone.
        frame, = self.arrives(s, MTU)
        self.assertTrue(frame.df and not frame.fragment)
        # So is what others send elsewhere.
        self.assert_no_exception()

    def test_one_that_is_fragmented_anyway(self):
        s = self.datagrams(WANT, connected=False)
        self.provoke(s)
        self.assert_fragments(self.arrives(s, 5000))

    def test_do_is_refused(self):
        s = self.datagrams(DO, connected=False, recverr=True)
        self.provoke(s)
        self.queued_error(s)
        with self.assertRaises(OSError) as caught:
            s.sendto(bytes(1372), (Path.CLI, PORT))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        error, address, data = self.queued_error(s)
        self.assertEqual((error[:5], address[0], data), ((errno.EMSGSIZE, 1, 0, 0, MTU),
                                                         Path.CLI, b""))
        self.assertEqual(self.srv.stat("too_big"), 1)

    def test_sockets_that_want_the_devices_mtu_get_it(self):
        self.provoke(self.datagrams(WANT, connected=False))
        for discover in (PROBE, INTERFACE, OMIT):
            s = self.datagrams(discover, connected=False)
            self.path.wire.clear()
            s.sendto(bytes(1472), (Path.CLI, PORT))
            sent = self.path.wire.wait(lambda f: f.src == Path.SRV, "the datagram")
            self.assertEqual((sent.length, sent.df), (1500, discover == PROBE))

    def test_corked(self):
        s = self.datagrams(WANT, connected=False)
        self.provoke(s)
        since = len(self.path.wire.frames)
        s.sendto(bytes(700), socket.MSG_MORE, (Path.CLI, PORT))
        s.sendto(bytes(672), (Path.CLI, PORT))
        self.assertEqual(len(self.sink.recv(2000)), 1372)
        self.assert_fragments(self.from_here(since))

    def test_a_proven_route_counts_for_datagrams(self):
        cli, srv = self.accepted()
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        s = self.datagrams(WANT, connected=False)
        self.wait_until_applied((Path.CLI, PORT))
        self.assert_fragments(self.arrives(s, 1400))
        s = self.datagrams(DO)
        with self.assertRaises(OSError) as caught:
            s.send(bytes(1372))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        # From now on it knows.
        self.assertEqual(path_mtu(s), MTU)


class InAVrf(OnDatagramPath):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.path = Path(1500, vrf=("red", 101))
        self.addCleanup(self.path.close)
        self.srv = self.path.srv
        self.sink = self.stack.enter_context(self.path.cli.socket(socket.SOCK_DGRAM))
        self.sink.bind((Path.CLI, PORT))

    def test_do_is_refused(self):
        s = self.stack.enter_context(self.srv.socket(socket.SOCK_DGRAM))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"red\0")
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
        self.srv.set("add", f"{Path.CLI} {MTU} red")
        wait_for(lambda: self.refused(s), "the host route to be applied")
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, WANT)
        while self.drop_one():
            pass
        self.assert_fragments(self.arrives(s, 1400))
        self.assertEqual((self.srv.stat("too_big"), self.srv.stat("fragmented")), (1, 1))

    def refused(self, s):
        try:
            s.sendto(bytes(1372), (Path.CLI, PORT))
        except OSError as e:
            return e.errno == errno.EMSGSIZE
        return False


class Segmented(OnDatagramPath):
    offload = True		# UDP_SEGMENT needs it

    def test_what_fits_goes(self):
        s = self.datagrams(WANT, connected=False)
        self.provoke(s)
        s.setsockopt(SOL_UDP, UDP_SEGMENT, 1372)
        with self.assertRaises(OSError) as caught:
            s.sendto(bytes(4000), (Path.CLI, PORT))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        s.setsockopt(SOL_UDP, UDP_SEGMENT, MTU - 28)
        s.sendto(bytes(2 * (MTU - 28)), (Path.CLI, PORT))
        for _ in range(2):
            self.assertEqual(len(self.sink.recv(2000)), MTU - 28)


class Forged(OnDatagramPath):
    """Messages of an attacker, whose guesses may be right or wrong."""

    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)
        self.injector = self.new_injector()

    def forge(self, quote, mtu=MTU):
        before = self.srv.handled()
        self.injector.send(Path.message(mtu, quote))
        wait_for(lambda: self.srv.handled() > before, "the message")

    def test_tcp_is_not_affected(self):
        cli, srv = self.accepted()
        for proto in (socket.IPPROTO_UDP, socket.IPPROTO_ICMP):
            for mtu in (68, 552, 1000):
                self.forge(datagram_quote(Path.SRV, Path.CLI, proto=proto), mtu)
        self.assertEqual(self.srv.count(), 1)
        self.path.wire.clear()
        exchange(srv, cli, 20000)
        self.assert_fits(self.path.from_server(), 1500)
        self.assertEqual(max(f.length for f in self.path.from_server()), 1500)
        self.assert_no_exception()

    def test_a_port_that_matches_does_not_show(self):
        """The table is the same whether there is a socket or not."""
        s = self.datagrams(WANT)
        port = s.getsockname()[1]
        seen = []
        for sport in (port, port ^ 1):
            self.forge(udp_quote(Path.SRV, Path.CLI, sport, PORT))
            entry, = self.srv.listing()
            del entry["expires_s"]
            seen.append((entry, self.srv.count()))
            self.srv.set("flush", "all")
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(self.srv.stat("reported"), 1)

    def test_new_ones_are_limited(self):
        """So many in a second; a destination that is known is not new."""
        self.srv.set("unproven_rate", 10)
        for n in range(200):
            self.injector.send(Path.message(MTU,
                                               datagram_quote(Path.SRV, f"10.99.0.{n}")))
        wait_for(lambda: self.srv.stat("ignored_rate") + self.srv.stat("recorded") == 200,
                     "the messages")
        self.assertGreater(self.srv.stat("recorded"), 5)
        self.assertGreater(self.srv.stat("ignored_rate"), 50)
        known = self.srv.listing()[0]["destination"]
        self.forge(datagram_quote(Path.SRV, known), 900)
        self.assertEqual(self.srv.route_mtu(known), 900)
        # What is proven is not limited.
        self.path.set_mtu(MTU)
        cli, srv = self.accepted()
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)

    def test_echo_reply(self):
        """Anybody can provoke an Echo Reply of this host, and then quote it: NDSS 2022."""
        for mtu in (68, 1000):
            self.forge(echo_quote(Path.SRV, Path.CLI, kind=0), mtu)
        self.assertEqual((self.srv.count(), self.srv.stat("ignored_icmp")), (0, 2))
        self.assert_no_exception()

    def test_switched_off_by_sysctl(self):
        self.srv.sysctl(ip_no_pmtu_disc=3)
        self.forge(datagram_quote(Path.SRV, Path.CLI))
        self.assertEqual((self.srv.count(), self.srv.stat("passed_disabled")), (0, 1))
        self.assert_no_exception()
        self.path.set_mtu(MTU)
        cli, srv = self.accepted()
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)

    def test_no_mtu_is_no_guess(self):
        self.forge(datagram_quote(Path.SRV, Path.CLI), 0)
        self.assertEqual((self.srv.count(), self.srv.stat("ignored_mtu")), (0, 1))
        self.assert_no_exception()


class Raw(OnDatagramPath):
    def test_it_gets_the_error(self):
        s = self.stack.enter_context(self.srv.socket(socket.SOCK_RAW, proto=socket.IPPROTO_UDP))
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
        udp = struct.pack("!HHHH", 4000, PORT, 1380, 0) + bytes(1372)
        before = self.srv.handled()
        s.sendto(udp, (Path.CLI, 0))
        wait_for(lambda: self.srv.handled() > before, "the message")
        error, address, _ = self.queued_error(s)
        self.assertEqual((error, address[0]),
                         ((errno.EMSGSIZE, 2, 3, 4, MTU, Path.RTR_SRV), Path.CLI))
        with self.assertRaises(OSError) as caught:
            s.sendto(udp, (Path.CLI, 0))
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        self.assert_no_exception()

    def test_echo(self):
        """A raw socket's Echo, and a ping socket's: on record, and both get the error."""
        icmp = socket.IPPROTO_ICMP
        s = self.stack.enter_context(self.srv.socket(socket.SOCK_RAW, proto=icmp))
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
        echo = echo_request(data=bytes(1364))
        s.sendto(echo, (Path.CLI, 0))
        wait_for(lambda: self.srv.stat("recorded"), "the message")
        self.assertEqual(self.queued_error(s)[0], (errno.EMSGSIZE, 2, 3, 4, MTU, Path.RTR_SRV))
        self.assert_no_exception()
        self.srv.set("flush", "all")

        self.srv.sysctl(ping_group_range="0 2147483647")
        for connected in (False, True):
            with self.srv.socket(socket.SOCK_DGRAM, proto=icmp) as ping:
                ping.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
                ping.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
                if connected:
                    ping.connect((Path.CLI, 0))
                ping.sendto(echo, (Path.CLI, 0))
                error, address, payload = self.queued_error(ping)
                self.assertEqual((error, address[0]),
                                 ((errno.EMSGSIZE, 2, 3, 4, MTU, Path.RTR_SRV), Path.CLI))
                # What is quoted of it; the rest of it was not.
                self.assertEqual(payload[:1] + payload[8:], echo[:1] + echo[8:len(payload)])
                self.assertEqual(self.srv.listing()[0]["mtu"], str(MTU))
                self.assert_no_exception()
            self.srv.set("flush", "all")
