# SPDX-License-Identifier: GPL-2.0
"""KB 898060 names two ways in which several messages come for one destination; with
this module both leave one host route, with the smaller MTU."""

import contextlib
import itertools
import random
import time
import unittest

from lab.chain import PORT, Chain
from lab.namespace import Namespace, accept, make_router, veth
from lab.system import wait_for
from lab.transfer import receive


FLAPPING = 600		# seconds
INTERVAL = 2		# between two changes of the way, seconds


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
            make_router(router)
            for ns, dev in ((router, "tosrv"), (router, "tocli"), (self.srv, f"eth{n}"),
                            (self.cli, f"eth{n}")):
                ns.no_offload(dev)
                ns.sysctl(**{f"conf__{dev}__rp_filter": 0})
        self.cli.ip("route add 10.2.0.0/24 via 10.3.0.1 mtu 600 advmss 1460",
                    "route add 10.2.1.0/24 via 10.3.1.1 mtu 600 advmss 1460")
        for ns in self._namespaces:
            ns.sysctl(conf__all__rp_filter=0)
            # A connection's ports decide which way it goes.
            ns.sysctl(fib_multipath_hash_policy=1)
            for dev in ("eth0", "eth1"):
                if ns.device(dev, "operstate") is not None:
                    ns.wait_until_up(dev)
        # Each reports to the server at whichever address that sent from.
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
        """(1): one router after the other on the way reports to the same sender."""
        net = Chain(mtu=700)
        self.addCleanup(net.close)
        net.mid.ip("link set tofar mtu 1200")
        with net.srv.listen("0.0.0.0", PORT) as listener, contextlib.ExitStack() as stack:
            pairs = []
            for _ in range(10):
                cli = stack.enter_context(net.cli1.connect((Chain.SRV, PORT)))
                srv = accept(listener, stack)
                pairs.append((cli, srv))
            for cli, srv in pairs:
                cli.sendall(b"x" * 20000)
                self.assertEqual(len(receive(srv, 20000)), 20000)
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
        messages = net.srv.stat("received")
        print(f"note router.flapping: {took:.0f} s, {changes} changes of route, {opened} "
              f"connections opened, {messages} messages, 1 host route", flush=True)
        self.assertGreaterEqual(messages, 2)
