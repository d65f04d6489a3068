# SPDX-License-Identifier: GPL-2.0
"""On a kernel without checks, in time that passes as fast as it can be emulated:
what this module does on a router that others do not; and the two ways in which
KB 898060 says that several messages come for one destination."""

import contextlib
import itertools
import os
import random
import time
import unittest

import lab
from lab import Namespace, no_offload, veth, wait_for
from test_router import BLACK_HOLE, CT, Chain, PORT, mss_options, nft

FLAPPING = 600		# seconds
INTERVAL = 2		# between two changes of the way, seconds


class Comparison(unittest.TestCase):
    """The same two troubles for each: a narrow link of the router's own, and one
    behind another router, which has told one client and is silent from then on."""

    NFT = """
        table ip mss {
            chain forward {
                type filter hook forward priority -150;
                tcp flags syn tcp option maxseg size set rt mtu
            }
        }
        """
    TCPMSS = ("iptables-legacy", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags",
              "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu")
    LENGTH = 20000
    PATIENCE = 10	# seconds

    def note(self, text):
        print(f"note router.comparison: {text}", flush=True)

    def upload(self, net, ns, dev):
        """A new connection of a client's: the MSS it was offered, and how much of
        what it sent arrives while one is patient."""
        with contextlib.ExitStack() as stack:
            capture = lab.Capture(net.mid, dev)
            stack.callback(capture.stop)
            listener = stack.enter_context(net.srv.listen("0.0.0.0", PORT))
            cli = stack.enter_context(ns.connect((Chain.SRV, PORT)))
            srv = stack.enter_context(listener.accept()[0])
            cli.setblocking(False)
            srv.setblocking(False)
            data, got = os.urandom(self.LENGTH), b""
            sent, end = 0, time.monotonic() + self.PATIENCE
            while len(got) < len(data) and time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    sent += cli.send(data[sent:])
                with contextlib.suppress(BlockingIOError):
                    got += srv.recv(1 << 16)
                time.sleep(0.01)
            self.assertEqual(got, data[:len(got)])
            answer = next(f for f in capture.frames if f.src == Chain.SRV and f.flags & lab.SYN)
            retrans = lab.tcp_info(cli)["total_retrans"]
        return mss_options(answer)[0], len(got), retrans

    def measure(self, install):
        net = Chain()
        try:
            nft(net.mid, CT)
            install(net.mid)
            told = self.upload(net, net.cli1, "to1")
            self.assertEqual(told[1], self.LENGTH, "the first client was not told")
            nft(net.far, BLACK_HOLE)
            silent = self.upload(net, net.cli2, "to2")
            net.mid.ip("link set tofar mtu 900")
            near = self.upload(net, net.cli2, "to2")
        finally:
            net.close()
        return told, silent, near

    def test_comparison(self):
        methods = (("nothing", lambda mid: None),
                   ("nft rt mtu", lambda mid: nft(mid, self.NFT)),
                   ("iptables TCPMSS", lambda mid: mid.run(*self.TCPMSS)),
                   ("forward=clamp", lambda mid: mid.set("forward", "clamp")))
        results = {}
        self.note("| method | first client, told | second client, black hole | own narrow link |")
        self.note("|---|---|---|---|")
        for name, install in methods:
            results[name] = self.measure(install)
            self.note(f"| {name} | " + " | ".join(
                f"MSS {mss}, {got} of {self.LENGTH} bytes, {retrans} sent again"
                for mss, got, retrans in results[name]) + " |")
        for name, (told, silent, near) in results.items():
            learns, clamps = name == "forward=clamp", name != "nothing"
            self.assertEqual(told[0], 1460, name)
            self.assertEqual(silent[0], 960 if learns else 1460, name)
            self.assertEqual(silent[1], self.LENGTH if learns else 0, name)
            self.assertEqual(near[0], 860 if clamps else 1460, name)
            self.assertEqual(near[1], self.LENGTH, name)
        self.assertEqual(results["forward=clamp"][1][2], 0)


class TwoWays:
    """srv with two cables, to ra and rb, and each of them to cli by a link of its
    own MTU. The client's MSS is no help."""

    CLI = "10.2.9.9"

    def __init__(self, mtus):
        self._namespaces = [Namespace(n) for n in ("srv", "cli", "ra", "rb")]
        self.srv, self.cli, *routers = self._namespaces
        self.cli.ip("link set lo up", f"addr add {self.CLI}/32 dev lo")
        for n, (router, mtu) in enumerate(zip(routers, mtus, strict=True)):
            router.ip("link set lo up", *veth("tosrv", self.srv, f"eth{n}"),
                      *veth("tocli", self.cli, f"eth{n}", mtu=mtu),
                      f"addr add 10.2.{n}.1/24 dev tosrv", f"addr add 10.3.{n}.1/24 dev tocli",
                      f"route add {self.CLI}/32 via 10.3.{n}.2")
            self.srv.ip(f"link set eth{n} up", f"addr add 10.2.{n}.2/24 dev eth{n}")
            self.cli.ip(f"link set eth{n} up", f"addr add 10.3.{n}.2/24 dev eth{n}")
            router.sysctl(ip_forward=1, icmp_ratelimit=0, icmp_msgs_per_sec=100000,
                          icmp_msgs_burst=100000)
            for ns, dev in ((router, "tosrv"), (router, "tocli"), (self.srv, f"eth{n}"),
                            (self.cli, f"eth{n}")):
                no_offload(ns, dev)
                ns.sysctl(**{f"conf__{dev}__rp_filter": 0})
        self.cli.ip("route add 10.2.0.0/24 via 10.3.0.1 mtu 600 advmss 1460",
                    "route add 10.2.1.0/24 via 10.3.1.1 mtu 600 advmss 1460")
        for ns in self._namespaces:
            ns.sysctl(conf__all__rp_filter=0)
            # Which way a connection goes is for its ports to say.
            ns.sysctl(fib_multipath_hash_policy=1)
            for dev in ("eth0", "eth1"):
                if ns.device(dev, "operstate") is not None:
                    wait_for(lambda ns=ns, dev=dev: ns.device(dev, "operstate") == "up", dev)
        # Each tells the server at whichever address it sent from.
        for n, router in enumerate(routers):
            router.ip(f"route add 10.2.{1 - n}.0/24 via 10.2.{n}.2")

    HOPS = tuple(f"nexthop via 10.2.{n}.1" for n in range(2))

    def route(self, *hops):
        self.srv.ip(f"route replace {self.CLI}/32 " + " ".join(hops))

    def close(self):
        for ns in self._namespaces:
            ns.delete()


class Connection:
    """One that must live: what the server sends arrives as it was sent."""

    def __init__(self, net, listener):
        self.srv = net.srv.socket()
        self.srv.bind(("10.2.0.2", 0))
        self.srv.connect((TwoWays.CLI, PORT))
        self.cli, _ = listener.accept()
        self.cli.setblocking(False)
        self.srv.setblocking(False)
        self._sent = self._got = 0

    # Made once: an instruction is a nanosecond here, and makes the test longer.
    PATTERN = bytes(range(251)) * (2 + (1 << 16) // 251)

    @classmethod
    def _bytes(cls, at, length):
        return cls.PATTERN[at % 251:][:length]

    def send(self, length):
        with contextlib.suppress(BlockingIOError):
            self._sent += self.srv.send(self._bytes(self._sent, length))

    def receive(self):
        """True when everything has arrived."""
        with contextlib.suppress(BlockingIOError):
            while data := self.cli.recv(1 << 16):
                if data != self._bytes(self._got, len(data)):
                    raise AssertionError("data not as sent")
                self._got += len(data)
            raise AssertionError("end of stream")
        return self._got == self._sent

    def close(self):
        self.cli.close()
        self.srv.close()


class KnowledgeBase(unittest.TestCase):
    """KB 898060, cause (1) and (2): however many messages come, and from whom,
    it is one host route, with the smaller MTU."""

    def check(self, ns, address, mtu):
        entry, = ns.listing()
        self.assertEqual((entry["destination"], entry["mtu"]), (address, str(mtu)))
        self.assertEqual(ns.count(), 1)

    def test_routers_with_different_mtus(self):
        """(1): one after the other on the way tells the same sender."""
        net = Chain(mtu=700)
        self.addCleanup(net.close)
        net.mid.ip("link set tofar mtu 1200")
        with net.srv.listen("0.0.0.0", PORT) as listener, contextlib.ExitStack() as stack:
            pairs = []
            for _ in range(10):
                cli = stack.enter_context(net.cli1.connect((Chain.SRV, PORT)))
                srv = stack.enter_context(listener.accept()[0])
                srv.settimeout(lab.TIMEOUT)
                pairs.append((cli, srv))
            for cli, srv in pairs:
                cli.sendall(b"x" * 20000)
                self.assertEqual(len(lab.receive(srv, 20000)), 20000)
        self.check(net.cli1, Chain.SRV, 700)
        self.assertEqual((net.cli1.stat("learned"), net.cli1.stat("lowered")), (1, 1))
        self.assertEqual(net.cli1.listing()[0]["previous_mtu"], "1200")

    def test_flapping(self):
        """(2): two ways, now by the one, now by the other, now by both, for 10
        minutes; connections all the while, old and new."""
        net = TwoWays((1200, 1000))
        self.addCleanup(net.close)
        one, other = net.HOPS
        net.route(one, other)
        ways = itertools.cycle(((one,), (other,), (one, other)))
        rng = random.Random(898060)
        begun = time.monotonic()
        changes = opened = 0
        with net.cli.listen(TwoWays.CLI, PORT) as listener:
            live = [Connection(net, listener) for _ in range(20)]
            smallest = 1500
            while time.monotonic() < begun + FLAPPING:
                net.route(*next(ways))
                changes += 1
                for connection in live:
                    connection.send(rng.randrange(4000))
                wait_for(lambda: all([c.receive() for c in live]), "what was sent",
                         timeout=120)
                # One goes and one comes.
                live.pop(rng.randrange(len(live))).close()
                live.append(Connection(net, listener))
                opened += 1
                mtu = net.srv.route_mtu(TwoWays.CLI) or 1500
                self.assertLessEqual(mtu, smallest, "it grew")
                smallest = mtu
                self.assertLessEqual(net.srv.count(), 1)
                time.sleep(INTERVAL)
            self.check(net.srv, TwoWays.CLI, 1000)
            self.assertEqual(net.srv.stat("learned"), 1)
            for connection in live:
                connection.close()
        took = time.monotonic() - begun
        told = net.srv.stat("received")
        print(f"note router.flapping: {took:.0f} s, {changes} changes of route, {opened} "
              f"connections opened, {told} messages, 1 host route", flush=True)
        self.assertGreaterEqual(told, 2)


if __name__ == "__main__":
    unittest.main()
