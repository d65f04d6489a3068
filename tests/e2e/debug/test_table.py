# SPDX-License-Identifier: GPL-2.0
"""The table of host routes as an administrator, a wire and a clock see it."""

import contextlib
import errno
import ipaddress
import os
import socket
import time
import unittest

from lab.messages import datagram_quote, frag_needed
from lab.namespace import Namespace, accept, veth
from lab.path import MTU, PORT, OnPath, Path
from lab.system import TIMEOUT, wait_for
from lab.transfer import exchange, receive, retransmissions
from lab.wire import Capture


def as_dict(listing):
    return {entry["destination"]: entry for entry in listing}


class Pinned(OnPath):
    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)
        self.no_timers()

    def sent_by(self, cli, srv, length=6000):
        """Lengths of the packets that carry this much data."""
        self.path.wire.clear()
        exchange(srv, cli, length)
        return [f.length for f in self.path.from_server() if f.data]

    def test_from_the_syn_on(self):
        self.srv.set("add", f"{Path.CLI} 400")
        cli, srv = self.opened()
        self.assertLessEqual(max(self.sent_by(cli, srv)), 400)
        frames = self.path.wire.frames
        self.assert_fits(self.path.from_server(frames), 400)
        self.assertEqual([f for f in frames if f.frag_needed], [])
        self.assert_no_exception()

    def test_live_connection_follows_up_and_down(self):
        cli, srv = self.accepted()
        exchange(srv, cli, 2000)
        before = retransmissions(srv)
        for mtu, command in ((400, f"{Path.CLI} 400"), (1000, f"{Path.CLI} 1000"),
                             (300, f"{Path.CLI} 300"), (1500, None)):
            if command:
                self.srv.set("add", command)
            else:
                self.srv.set("del", Path.CLI)
            lengths = self.sent_by(cli, srv)
            self.assertEqual(max(lengths), mtu)
            self.assertEqual(lengths[0], mtu, "follows only at a later send")
            self.assertEqual(self.srv.count(), 1 if command else 0)
        self.assertEqual(retransmissions(srv), before)

    def test_lowered_for_a_while(self):
        """KB 244539: an update turned the administrator's route into a learned
        one, which ageing then deleted."""
        self.srv.set("add", f"{Path.CLI} 1000")
        self.srv.set("expire", 3)
        cli, srv = self.accepted()
        self.path.set_mtu(MTU)
        exchange(srv, cli, 3000)
        entry, = self.srv.listing()
        self.assertEqual((entry["mtu"], entry["state"], entry["previous_mtu"]),
                         (str(MTU), "pinned", "1000"))
        self.assertLessEqual(int(entry["expires_s"]), 3)
        self.path.set_mtu(1500)
        wait_for(lambda: self.srv.route_mtu(Path.CLI) == 1000, "the administrator's value")
        entry, = self.srv.listing()
        self.assertEqual((entry["state"], entry["expires_s"]), ("pinned", "never"))
        self.assertEqual((self.srv.stat("restored"), self.srv.stat("expired")), (1, 0))
        self.assertEqual(max(self.sent_by(cli, srv)), 1000)

    def test_converts_a_learned_one(self):
        self.path.set_mtu(MTU)
        cli, srv = self.learn()
        self.path.set_mtu(1500)
        self.srv.set("add", f"{Path.CLI} 700")
        entry, = self.srv.listing()
        self.assertEqual((entry["mtu"], entry["state"], entry["expires_s"]),
                         ("700", "pinned", "never"))
        self.assertEqual(self.srv.count(), 1)
        self.assertEqual(max(self.sent_by(cli, srv)), 700)
        self.srv.set("flush", "unpinned")
        self.assertEqual(self.srv.count(), 1)
        self.srv.set("flush", "all")
        self.assertEqual(self.srv.count(), 0)

    def test_full_of_pinned_ones(self):
        self.srv.set("max_routes", 2)
        self.path.set_mtu(MTU)
        cli, srv = self.learn()
        # The administrator's come in, and what was learned goes.
        self.srv.set("add", "10.1.1.1 1000")
        self.srv.set("add", "10.1.1.2 1000")
        self.assertEqual(self.srv.destinations(), {"10.1.1.1", "10.1.1.2"})
        srv.sendall(b"x" * 1000)
        wait_for(lambda: self.srv.stat("ignored_full"), "learning to be refused")
        self.assertEqual(self.srv.count(), 2)
        for name, value, error in (("add", "10.1.1.3 1000", errno.ENOSPC),
                                   ("max_routes", "1", errno.EBUSY)):
            with self.assertRaises(OSError) as caught:
                self.srv.set(name, value)
            self.assertEqual(caught.exception.errno, error)
        self.assertEqual(self.srv.get("max_routes"), "2")
        self.srv.set("del", "10.1.1.1")
        cli.settimeout(TIMEOUT)
        self.assertEqual(receive(cli, 1000), b"x" * 1000)
        self.assertEqual(self.srv.destinations(), {"10.1.1.2", Path.CLI})


class Commands(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace("commands")
        self.addCleanup(self.ns.delete)

    def refused(self, name, value):
        with self.assertRaises(OSError, msg=f"{name} took {value!r}") as caught:
            self.ns.set(name, value)
        self.assertEqual(self.ns.count(), 0, value)
        return caught.exception.errno

    def test_nonsense(self):
        for value in ("", " ", "10.1.1.1", "10.1.1.1 ", "1400 10.1.1.1", "10.1.1 1400",
                      "10.1.1.256 1400", "010.1.1.1.1 1400", "::1 1400", "localhost 1400",
                      "10.1.1.1/32 1400", "10.1.1.1 0x578", "10.1.1.1 -1", "10.1.1.1 1400x",
                      "10.1.1.1 1400 lo", "10.1.1.1 1400 a b", "0.0.0.0 1400",
                      "127.0.0.1 1400", "224.0.0.1 1400", "255.255.255.255 1400",
                      "10.1.1.1 1400" + " " * 100, "10.1.1.1 1400\0"):
            self.assertIn(self.refused("add", value), (errno.EINVAL, errno.ENODEV), value)
        for value in ("67", "0", "65536", "4294967296"):
            self.assertEqual(self.refused("add", f"10.1.1.1 {value}"), errno.ERANGE)
        self.assertEqual(self.refused("add", "10.1.1.1 1400 nodev"), errno.ENODEV)
        for value in ("", "10.1.1.1 1400", "all"):
            self.assertIn(self.refused("del", value), (errno.EINVAL, errno.ENODEV))
        self.assertEqual(self.refused("del", "10.1.1.1"), errno.ENOENT)

    def test_forms(self):
        for value in ("10.1.1.1 1400", " 10.1.1.1\t1400 ", "10.1.1.1 68", "10.1.1.1 65535"):
            self.ns.set("add", value)
            self.assertEqual(self.ns.count(), 1)
        self.assertEqual(self.ns.route_mtu("10.1.1.1"), 65535)
        self.ns.set("del", "10.1.1.1")
        self.assertEqual(self.ns.count(), 0)

    def test_namespaces_do_not_share(self):
        other = Namespace("other")
        self.ns.set("add", "10.1.1.1 1400")
        other.set("add", "10.1.1.1 1300")
        self.assertEqual((self.ns.route_mtu("10.1.1.1"), other.route_mtu("10.1.1.1")),
                         (1400, 1300))
        other.delete()
        self.assertEqual(self.ns.count(), 1)

    def test_listing_is_complete_and_restartable(self):
        """More than any page holds; read to the end, in pieces, and again."""
        addresses = [str(ipaddress.IPv4Address(0x0a010000 + n)) for n in range(3000)]
        for address in addresses:
            self.ns.set("add", f"{address} 1400")
        self.assertEqual(list(as_dict(self.ns.listing())), addresses)
        with self.ns:
            fd = os.open("/proc/thread-self/net/pmtu_hostroute", os.O_RDONLY)
        with open(fd, encoding="ascii", buffering=1, errors="strict") as f:
            whole = f.read()
            for start in (0, 100, 77777):
                f.seek(0)
                self.assertEqual(f.read(start) + f.read(), whole)
            # Half read; then some go, some come, some go and come back.
            f.seek(0)
            head = f.read(len(whole) // 2)
            for address in addresses[::3]:
                self.ns.set("del", address)
            for address in addresses[:1000:3]:
                self.ns.set("add", f"{address} 1300")
            for n in range(100):
                self.ns.set("add", f"10.99.1.{n} 1200")
            seen = [line.split()[0] for line in (head + f.read()).splitlines()[1:]]
        self.assertEqual(len(seen), len(set(seen)), "a destination twice")
        stayed = set(addresses) - set(addresses[::3])
        self.assertEqual(stayed - set(seen), set(), "missed, though they stayed")
        self.assertEqual(len(self.ns.listing()), self.ns.count())


class Unproven(OnPath):
    """Quotes of datagrams and Echoes that were never sent; judged by what TCP
    does, and by which routes are still in the table."""

    def setUp(self):
        super().setUp()
        self.injector = self.new_injector()
        self.srv.set("unproven_rate", 0)

    def forge(self, address, mtu=1200, proto=socket.IPPROTO_UDP):
        self.injector.send(frag_needed(
            Path.RTR_SRV, Path.SRV, mtu, datagram_quote(Path.SRV, address, proto=proto)))

    def forge_many(self, number):
        before = self.srv.handled()
        for n in range(number):
            self.forge(f"10.200.{n // 250}.{n % 250}",
                       proto=(socket.IPPROTO_UDP, socket.IPPROTO_ICMP)[n % 2])
        wait_for(lambda: self.srv.handled() == before + number, "the messages")

    def unproven(self):
        return int(self.srv.get("count_unproven"))

    def test_has_its_own_share(self):
        self.learn()
        self.srv.set("add", "10.1.1.1 1400")
        self.srv.set("max_routes", 80)
        self.forge_many(1000)
        self.assertEqual((self.srv.count(), self.unproven()), (12, 10))
        entries = as_dict(self.srv.listing())
        self.assertEqual(entries[Path.CLI]["state"], "proven")
        self.assertEqual(entries["10.1.1.1"]["state"], "pinned")
        self.assertEqual(self.srv.stat("recorded"), 1000)
        self.assertEqual(self.srv.stat("evicted"), 990)
        self.srv.set("max_unproven", 3)
        self.assertEqual((self.srv.count(), self.unproven()), (5, 3))
        self.srv.set("max_routes", 2)
        self.assertEqual((self.srv.count(), self.unproven()), (2, 0))
        self.assertEqual(self.srv.destinations(), {Path.CLI, "10.1.1.1"})

    def test_never_for_tcp(self):
        self.path.set_mtu(1500)
        self.srv.set("expire_unproven", 0)
        cli, srv = self.accepted()
        self.forge(Path.CLI, 600)
        wait_for(lambda: self.unproven() == 1, "the claim to be recorded")
        for cli, srv in ((cli, srv), self.accepted(), self.opened()):
            self.path.wire.clear()
            exchange(srv, cli, 20000)
            self.assertEqual(max(f.length for f in self.path.from_server()), 1500)
        self.assertEqual(self.srv.stat("cloned"), 0)
        self.assert_no_exception()

    def test_proof_takes_it_over(self):
        self.no_timers()
        self.srv.set("min_mtu_unproven", 68)
        self.forge(Path.CLI, 200)
        wait_for(lambda: self.unproven() == 1, "the claim to be recorded")
        # One segment: its only message is the one that confirms, and must clamp.
        cli, srv = self.accepted()
        begun = time.monotonic()
        srv.sendall(b"x" * 333)
        self.assertEqual(receive(cli, 333), b"x" * 333)
        self.assertLess(time.monotonic() - begun, self.RTO / 2, "only after a timeout")
        entry, = self.srv.listing()
        self.assertEqual((entry["state"], entry["mtu"]), ("proven", str(MTU)))
        self.assertEqual((self.srv.count(), self.unproven()), (1, 0))
        self.assertEqual((self.srv.stat("confirmed"), self.srv.stat("clamped")), (1, 1))
        # And what nobody can prove does not touch it any more.
        self.forge_many(10)
        self.forge(Path.CLI, 100)
        wait_for(lambda: self.srv.stat("outranked") == 1, "the claim to be weighed")
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)

    def test_own_life(self):
        self.learn()
        self.srv.set("expire_unproven", 1)
        self.forge_many(5)
        wait_for(lambda: self.unproven() == 0, "them to expire", timeout=20)
        self.assertEqual(self.srv.stat("expired"), 5)
        self.assertEqual(self.srv.count(), 1)


class Ageing(OnPath):
    def test_whatever_the_mode(self):
        """KB 326926: with discovery switched off, routes never aged."""
        self.learn()
        self.srv.set("mode", "off")
        self.srv.set("expire", 2)
        wait_for(lambda: self.srv.stat("expired") == 1, "the route to expire")
        self.assertEqual(self.srv.count(), 0)

    def test_clock_is_set(self):
        """Steps of the wall clock are no time."""
        self.learn()
        left = lambda: int(self.srv.listing()[0]["expires_s"])
        begun = left()
        real = time.clock_gettime(time.CLOCK_REALTIME)
        mono = time.monotonic()
        year = 365 * 86400
        try:
            for step in (3 * year, -3 * year):
                time.clock_settime(time.CLOCK_REALTIME, real + step)
                self.assertLessEqual(begun - left(), time.monotonic() - mono + 2)
                self.assertLessEqual(left(), begun)
                self.assertEqual(self.srv.count(), 1)
        finally:
            time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - mono)

    def test_new_limit_acts_on_what_is_there(self):
        self.learn()
        self.srv.set("expire", 0)
        self.assertEqual(self.srv.listing()[0]["expires_s"], "never")
        self.srv.set("expire", 1)
        wait_for(lambda: self.srv.count() == 0, "the route to expire")


class Paths(OnPath):
    """The host route outlives the route it was learned on."""

    def assert_still_fits(self, cli, srv, mtu=MTU):
        self.path.wire.clear()
        exchange(srv, cli, 5000)
        frames = self.path.wire.frames
        self.assert_no_messages(frames)
        self.assert_fits(self.path.from_server(frames), mtu)
        self.assertEqual(self.srv.count(), 1)
        self.assert_no_exception()

    def test_link_mtu_there_and_back(self):
        """Stock Linux forgets what it has learned when the link's MTU changes."""
        self.path.set_mtu(1200)
        cli, srv = self.accepted()
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 1200)
        for link, expected in ((1000, 1000), (1500, 1200), (1200, 1200), (1500, 1200)):
            self.srv.ip(f"link set eth0 mtu {link}")
            self.path.wire.clear()
            exchange(srv, cli, 8000)
            self.assertEqual(max(f.length for f in self.path.from_server()), expected)
            self.assertEqual(self.srv.route_mtu(Path.CLI), 1200)
        self.assertEqual(self.srv.count(), 1)

    def test_routes_come_and_go(self):
        cli, srv = self.learn()
        for change in (f"route replace default via {Path.RTR_SRV} metric 0 tos 0",
                       f"route add {Path.CLI}/32 via {Path.RTR_SRV}",
                       f"route change {Path.CLI}/32 via {Path.RTR_SRV} advmss 1000",
                       f"route del {Path.CLI}/32",
                       f"route add 10.102.45.0/24 via {Path.RTR_SRV} dev eth0",
                       f"rule add from {Path.SRV} table 77",
                       f"route add default via {Path.RTR_SRV} table 77"):
            with self.subTest(change):
                self.srv.ip(change)
                self.assert_still_fits(cli, srv)
                self.assert_still_fits(*self.accepted())

    def test_link_flaps(self):
        cli, srv = self.learn()
        for _ in range(3):
            self.srv.ip("link set eth0 down", "link set eth0 up",
                        f"route replace default via {Path.RTR_SRV}")
            self.srv.wait_until_up("eth0")
            self.assert_still_fits(cli, srv)

    def test_another_uplink(self):
        """The route moves to another device: the host route goes along."""
        cli, srv = self.learn()
        self.path.rtr.ip(*veth("toserver2", self.srv, "eth1"),
                         "addr add 10.102.2.1/24 dev toserver2")
        self.srv.ip("link set eth1 up", "addr add 10.102.2.2/24 dev eth1")
        self.srv.no_offload("eth1")
        self.srv.wait_until_up("eth1")
        second = Capture(self.path.rtr, "toserver2")
        self.addCleanup(second.stop)
        self.srv.ip("route replace default via 10.102.2.1 dev eth1")
        exchange(srv, cli, 5000)
        frames = second.frames
        sent = self.path.from_server(frames)
        self.assertGreater(sum(f.data for f in sent), 4000, "not by the new way")
        self.assert_fits(sent)
        self.assertEqual([f for f in frames if f.frag_needed], [])
        self.assertEqual(self.srv.count(), 1)


class Vrf(unittest.TestCase):
    def test_same_address_in_two(self):
        red = Path(320, vrf=("red", 101))
        self.addCleanup(red.close)
        blue = Path(500, srv=red.srv, dev="eth1", vrf=("blue", 102))
        self.addCleanup(blue.close)
        srv = red.srv
        with contextlib.ExitStack() as stack:
            for path, name in ((red, b"red"), (blue, b"blue")):
                listener = stack.enter_context(srv.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
                listener.bind((Path.SRV, PORT))
                listener.listen()
                cli = stack.enter_context(path.cli.connect((Path.SRV, PORT)))
                end = accept(listener, stack)
                exchange(end, cli, 5000)
                message = next(f for f in path.wire.frames if f.frag_needed)
                path.wire.clear()
                exchange(end, cli, 5000)
                self.assertEqual(max(f.length for f in path.from_server()), message.mtu)
        known = {(e["destination"], e["vrf"]): e["mtu"] for e in srv.listing()}
        self.assertEqual(known, {(Path.CLI, "red"): "320", (Path.CLI, "blue"): "500"})
        # And by hand.
        srv.set("add", f"{Path.CLI} 400 blue")
        srv.set("add", f"{Path.CLI} 600")
        known = {e["vrf"]: e["mtu"] for e in srv.listing()}
        self.assertEqual(known, {"red": "320", "blue": "400", "-": "600"})
        srv.set("del", f"{Path.CLI} red")
        self.assertEqual({e["vrf"] for e in srv.listing()}, {"blue", "-"})
        # A VRF takes what was known in it along.
        srv.ip("link del blue")
        self.assertEqual({e["vrf"] for e in srv.listing()}, {"-"})
        self.assertEqual(srv.count(), 1)
