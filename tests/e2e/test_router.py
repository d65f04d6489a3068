# SPDX-License-Identifier: GPL-2.0
"""A router in the middle: what it learns from messages that pass it, and what
that does for connections which are not its own."""

import contextlib
import os
import socket
import struct
import threading
import unittest

import lab
import test_trace
from lab import Namespace, Path
from test_connections import exchange

PORT = 3389
MTU = 1000

CT = """
table ip lab {
	chain forward {
		type filter hook forward priority 0;
		ct state established accept
	}
}
"""
BLACK_HOLE = """
table ip hole {
	chain output {
		type filter hook output priority 0;
		icmp type destination-unreachable drop
	}
}
"""


def nft(ns, rules):
    ns.run("nft", "-f", "-", input=rules)


def mss_options(frame):
    """The values of all MSS options in a SYN."""
    header = frame.raw[(frame.raw[0] & 15) * 4:]
    options, at, found = header[20:(header[12] >> 4) * 4], 0, []
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        if options[at:at + 2] == b"\2\4":
            found.append(int.from_bytes(options[at + 2:at + 4], "big"))
        at += options[at + 1]
    return found


def checksum_right(frame):
    """Of a TCP segment, whole or with its tail cut off by nobody."""
    ihl = (frame.raw[0] & 15) * 4
    segment = frame.raw[ihl:frame.length]
    pseudo = frame.raw[12:20] + struct.pack("!HH", 6, len(segment))
    return lab.checksum(pseudo + segment) == 0


def beyond_one_hop(frame):
    """A packet without what each router changes: TTL and header checksum."""
    return frame.raw[:8] + frame.raw[9:10] + frame.raw[12:frame.length]


class Chain:
    """cli1, cli2 --- mid --- far ===(a small MTU)=== srv

    mid is the router under test. Neither end of the narrow link's far side is
    told: srv offers an MSS of 1460, and fits what it sends."""

    CLI1, CLI2, SRV = "10.1.1.2", "10.1.2.2", "10.1.4.2"
    MID1, MID2, MID3, FAR, FAR4 = "10.1.1.1", "10.1.2.1", "10.1.3.1", "10.1.3.2", "10.1.4.1"

    def __init__(self, mtu=MTU, offload=False):
        self._stack = contextlib.ExitStack()
        self.offload = offload
        try:
            self._build(mtu)
        except BaseException:
            self.close()
            raise

    def _namespace(self, name):
        ns = Namespace(name)
        self._stack.callback(ns.delete)
        ns.ip("link set lo up")
        return ns

    def _cable(self, a, a_dev, a_address, b, b_dev, b_address, mtu=1500):
        a.ip(*lab.veth(a_dev, b, b_dev, mtu=mtu), f"addr add {a_address}/24 dev {a_dev}")
        b.ip(f"link set {b_dev} up", f"addr add {b_address}/24 dev {b_dev}")
        for ns, dev in ((a, a_dev), (b, b_dev)):
            if not self.offload:
                lab.no_offload(ns, dev)
            ns.sysctl(**{f"neigh__{dev}__mcast_solicit": 30})
            lab.wait_for(lambda ns=ns, dev=dev: ns.device(dev, "operstate") == "up",
                         f"{dev} to come up")

    def _build(self, mtu):
        self.cli1, self.cli2, self.mid, self.far, self.srv = (
            self._namespace(n) for n in ("cli1", "cli2", "mid", "far", "srv"))
        self._cable(self.mid, "to1", self.MID1, self.cli1, "eth0", self.CLI1)
        self._cable(self.mid, "to2", self.MID2, self.cli2, "eth0", self.CLI2)
        self._cable(self.mid, "tofar", self.MID3, self.far, "tomid", self.FAR)
        self._cable(self.far, "tosrv", self.FAR4, self.srv, "eth0", self.SRV, mtu=mtu)
        self.cli1.ip(f"route add default via {self.MID1}")
        self.cli2.ip(f"route add default via {self.MID2}")
        self.mid.ip(f"route add default via {self.FAR}")
        self.far.ip(f"route add default via {self.MID3}")
        self.srv.ip(f"route add default via {self.FAR4} mtu {mtu} advmss 1460")
        for router in (self.mid, self.far):
            router.sysctl(ip_forward=1, icmp_ratelimit=0, icmp_msgs_per_sec=100000,
                          icmp_msgs_burst=100000)

    def close(self):
        self._stack.close()


class Router(unittest.TestCase):
    offload = False
    mtu = MTU

    def setUp(self):
        self.net = Chain(self.mtu, self.offload)
        self.addCleanup(self.net.close)
        self.mid = self.net.mid
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.listener = self.stack.enter_context(self.net.srv.listen("0.0.0.0", PORT))

    def capture(self, ns, dev):
        capture = lab.Capture(ns, dev)
        self.stack.callback(capture.stop)
        return capture

    def no_timers(self):
        lab.no_timers(self.stack, self.net.cli2, Chain.MID2)

    def connect(self, ns, to=Chain.SRV):
        cli = self.stack.enter_context(ns.connect((to, PORT)))
        srv, _ = self.listener.accept()
        srv.settimeout(lab.TIMEOUT)
        return cli, self.stack.enter_context(srv)

    def pass_a_message(self, to=Chain.SRV):
        """cli1 uploads, the far router tells it, and mid forwards that."""
        cli, srv = self.connect(self.net.cli1, to)
        exchange(cli, srv, 5000)
        self.assertEqual(self.net.cli1.route_mtu(to), self.mtu, "cli1 was not told")
        return cli, srv

    def syn(self, options, flags=lab.SYN, data=b""):
        """From cli1 to the server, with these TCP options."""
        options += b"\0" * (-len(options) % 4)
        tcp = struct.pack("!HHIIBBHHH", 40000, PORT, 1, 0, (5 + len(options) // 4) << 4,
                          flags, 1000, 0, 0) + options + data
        pseudo = (socket.inet_aton(Chain.CLI1) + socket.inet_aton(Chain.SRV) +
                  struct.pack("!HH", 6, len(tcp)))
        tcp = tcp[:16] + struct.pack("!H", lab.checksum(pseudo + tcp)) + tcp[18:]
        return lab.ip_header(Chain.CLI1, Chain.SRV, 6, 20 + len(tcp), df=False) + tcp

    def injector(self):
        injector = lab.Injector(self.net.cli1, "eth0", lab.mac_of(self.mid, "to1"))
        self.stack.callback(injector.close)
        return injector


class BlackHole(Router):
    """The issue's case: the second client is never told anything."""

    def test_another_client(self):
        self.no_timers()
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        before, after = self.capture(self.mid, "tofar"), self.capture(self.mid, "to1")
        self.pass_a_message()
        entry, = self.mid.listing()
        self.assertEqual((entry["destination"], entry["mtu"], entry["state"], entry["router"],
                          entry["dev"], entry["previous_mtu"], entry["sockets"]),
                         (Chain.SRV, str(MTU), "forwarded", Chain.FAR, "tofar", "1500", "0"))
        self.assertEqual((self.mid.count(), self.mid.get("count_unproven"),
                          self.mid.get("count_forwarded")), (1, "1", "1"))
        self.assertEqual(self.mid.stat("forward_learned"), 1)
        # The messages went on as they came.
        told = [beyond_one_hop(f) for f in before.frames if f.frag_needed]
        self.assertTrue(told)
        self.assertEqual(told, [beyond_one_hop(f) for f in after.frames if f.frag_needed])

        nft(self.net.far, BLACK_HOLE)
        wire, own = self.capture(self.mid, "tofar"), self.capture(self.mid, "to2")
        cli, srv = self.connect(self.net.cli2)
        exchange(cli, srv, 30000)
        exchange(srv, cli, 3000)
        sent = [f for f in own.frames if f.src == Chain.CLI2 and f.tcp]
        self.assert_fits(sent)
        self.assertEqual([f for f in wire.frames + own.frames if f.frag_needed], [])
        self.assertEqual(lab.tcp_info(cli)["total_retrans"], 0)
        self.assertEqual(self.net.cli2.count(), 0, "cli2 was told after all")
        answer, = [f for f in own.frames if f.src == Chain.SRV and f.flags & lab.SYN]
        self.assertEqual(mss_options(answer), [MTU - 40])
        offered, = [f for f in wire.frames if f.src == Chain.CLI2 and f.flags & lab.SYN]
        self.assertEqual(mss_options(offered), [1460], "nothing is known about cli2")
        self.assertEqual(self.mid.stat("forward_clamped"), 1)

        # The control: without it that client gets nothing through.
        self.mid.set("forward", "off")
        self.net.cli2.ip(f"route replace default via {Chain.MID2}")
        cli, srv = self.connect(self.net.cli2)
        cli.sendall(b"x" * 3000)
        lab.wait_for(lambda: lab.tcp_info(cli)["total_retrans"] >= 2, "retransmissions")
        srv.setblocking(False)
        with self.assertRaises(BlockingIOError):
            srv.recv(1)

    def assert_fits(self, frames):
        self.assertGreater(len(frames), 10)
        self.assertLessEqual(max(f.length for f in frames), MTU)


class BlackHoleWithOffload(BlackHole):
    """The checksum is left to devices, and segmentation, too: what is too big
    for the far router's link is dropped there, so that it arrives is the proof."""
    offload = True

    def assert_fits(self, frames):
        self.assertTrue(frames)


class Learning(Router):
    def test_not_without_conntrack(self):
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.listing(), [])
        self.assertGreater(self.mid.stat("forward_untracked"), 0)
        self.assertEqual(self.mid.stat("forward_received"), self.mid.stat("forward_untracked"))
        self.mid.set("forward", "clamp-untracked")
        self.net.cli1.set("flush", "all")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)

    def test_off_by_default(self):
        nft(self.mid, CT)
        self.pass_a_message()
        self.assertEqual(self.mid.count(), 0)
        self.assertEqual(self.mid.stat("forward_received"), 0)
        self.mid.set("forward", "clamp")
        self.mid.set("mode", "off")
        self.net.cli1.set("flush", "all")
        self.pass_a_message()
        self.assertEqual(self.mid.count(), 0)

    def forge(self, quote, mtu=600):
        """What anybody beyond the far router could send through mid."""
        injector = lab.Injector(self.net.far, "tomid", lab.mac_of(self.mid, "tofar"))
        self.stack.callback(injector.close)
        injector.send(lab.frag_needed("10.66.6.6", Chain.CLI1, mtu, quote))

    def test_untracked_ones_are_limited(self):
        """As what nothing proves is; those that conntrack relates are not."""
        self.mid.set("forward", "clamp-untracked")
        self.mid.set("unproven_rate", 1)
        for n in range(20):
            self.forge(lab.datagram_quote(Chain.CLI1, f"10.66.0.{n}"))
        lab.wait_for(lambda: self.mid.stat("forward_received") == 20, "all of them")
        learned = self.mid.count()
        self.assertLess(learned, 20)
        self.assertEqual(self.mid.stat("forward_rate"), 20 - learned)
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)

    def test_refusals(self):
        """One thing wrong at a time; the message is forwarded all the same."""
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        cli, _ = self.connect(self.net.cli1)
        passed = self.capture(self.mid, "to1")
        port = cli.getsockname()[1]
        trace = test_trace.Trace()
        self.addCleanup(trace.close)

        def quote(src=Chain.CLI1, dst=Chain.SRV, sport=port, length=1500, df=True):
            return lab.ip_header(src, dst, 6, length, df=df) + struct.pack("!HHI", sport, PORT, 1)

        cases = {
            "no such connection": (dict(quote=quote(sport=port ^ 1)), "forward_untracked"),
            "without DF": (dict(quote=quote(df=False)), "forward_refused"),
            "it fits": (dict(quote=quote(length=500)), "forward_refused"),
            "an illegal MTU": (dict(quote=quote(), mtu=67), "forward_refused"),
            "another source": (dict(quote=quote(src=Chain.CLI2)), "forward_refused"),
            "cut short": (dict(quote=quote()[:27]), "forward_refused"),
            "as large as the link": (dict(quote=quote(length=2000), mtu=1500),
                                     "forward_not_smaller"),
            "to a neighbour": (dict(quote=quote(dst=Chain.FAR)), "forward_route"),
            "another protocol": (dict(quote=lab.datagram_quote(Chain.CLI1, Chain.SRV, proto=47)),
                                 "forward_protocol"),
        }
        for what, (message, reason) in cases.items():
            with self.subTest(what):
                before, seen = self.mid.stat(reason), len(passed.frames)
                trace.clear()
                self.forge(**message)
                event = trace.wait("ignored", {"reason": reason})
                self.assertEqual((event["dev"], event["observed"]), ("tofar", "0"))
                lab.wait_for(lambda: self.mid.stat(reason) == before + 1, reason)
                self.assertEqual(self.mid.count(), 0)
                lab.wait_for(lambda: any(f.frag_needed for f in passed.frames[seen:]),
                             f"the message to be forwarded: {what}")
        trace.clear()
        self.forge(quote())
        lab.wait_for(lambda: self.mid.route_mtu(Chain.SRV) == 600, "the genuine one")
        here = {"netns": str(os.stat(self.mid.file).st_ino)}
        self.assertEqual(trace.wait("learned", here)["state"], "forwarded")
        self.assertEqual([e for e in trace.of("ignored") if here.items() <= e.items()], [])
        # Nor is what is not smaller any news.
        self.forge(quote(), mtu=700)
        lab.wait_for(lambda: self.mid.stat("forward_not_smaller") == 2, "the refusal")
        self.assertEqual(self.mid.route_mtu(Chain.SRV), 600)

    def test_for_its_own_datagrams(self):
        """As what nothing proves is; else messages about them would be outranked."""
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        sink = self.stack.enter_context(self.net.srv.socket(socket.SOCK_DGRAM))
        sink.bind((Chain.SRV, PORT))
        s = self.stack.enter_context(self.mid.socket(socket.SOCK_DGRAM))
        s.setsockopt(socket.IPPROTO_IP, 10, 1)	# IP_MTU_DISCOVER, WANT
        wire = self.capture(self.mid, "tofar")

        def send():
            s.sendto(bytes(1372), (Chain.SRV, PORT))
            return self.mid.stat("fragmented")

        lab.wait_for(send, "the hook that applies it")
        self.assertEqual(len(sink.recv(2000)), 1372)
        told = [f for f in wire.frames if f.frag_needed]
        seen = len(wire.frames)
        send()
        lab.wait_for(lambda: len([f for f in wire.frames[seen:] if f.src == Chain.MID3]) == 2,
                     "its fragments")
        self.assertLessEqual(max(f.length for f in wire.frames[seen:]), MTU)
        self.assertEqual([f for f in wire.frames if f.frag_needed], told)
        self.assertEqual(self.mid.listing()[0]["state"], "forwarded")

    def test_not_for_its_own_connections(self):
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        wire = self.capture(self.mid, "tofar")
        cli, srv = self.connect(self.mid)
        exchange(cli, srv, 5000)
        sent = [f for f in wire.frames if f.src == Chain.MID3 and f.tcp]
        self.assertEqual(max(f.length for f in sent), 1500)
        # That had it told itself, which is more than it knew.
        entry, = self.mid.listing()
        self.assertEqual((entry["state"], entry["mtu"]), ("proven", str(MTU)))
        self.assertEqual(self.mid.get("count_unproven"), "0")
        # It holds for forwarded connections, too, whoever proved it.
        cli, _ = self.connect(self.net.cli2)
        self.assertLess(lab.mss_of(cli), MTU - 39)

    def test_pinned_holds_for_them_too(self):
        self.mid.set("forward", "clamp")
        self.mid.set("add", f"{Chain.SRV} 700")
        self.mid.set("add", f"{Chain.CLI2} 800")
        wire = self.capture(self.mid, "to2")
        far = self.capture(self.mid, "tofar")
        self.connect(self.net.cli2)
        answer = next(f for f in wire.frames if f.src == Chain.SRV and f.flags & lab.SYN)
        self.assertEqual(mss_options(answer), [660])
        offer = next(f for f in far.frames if f.src == Chain.CLI2 and f.flags & lab.SYN)
        self.assertEqual(mss_options(offer), [760])

    def test_claims_about_datagrams_do_not_count(self):
        """What nothing proves applies to no connection, here neither."""
        injector = lab.Injector(self.net.far, "tomid", lab.mac_of(self.mid, "tofar"))
        self.stack.callback(injector.close)
        self.mid.set("forward", "clamp")
        injector.send(lab.frag_needed(Chain.FAR, Chain.MID3, 600,
                                      lab.datagram_quote(Chain.MID3, Chain.SRV)))
        lab.wait_for(lambda: self.mid.route_mtu(Chain.SRV) == 600, "the claim on record")
        self.assertEqual(self.mid.listing()[0]["state"], "unproven")
        wire = self.capture(self.mid, "to2")
        self.connect(self.net.cli2)
        answer = next(f for f in wire.frames if f.src == Chain.SRV and f.flags & lab.SYN)
        self.assertEqual(mss_options(answer), [1460])
        # It does not stand in the way of what conntrack vouches for.
        nft(self.mid, CT)
        self.pass_a_message()
        self.assertEqual((self.mid.route_mtu(Chain.SRV), self.mid.listing()[0]["state"]),
                         (MTU, "forwarded"))


class Observed(Router):
    """Counted and shown as if, and nothing else."""

    def setUp(self):
        super().setUp()
        self.trace = test_trace.Trace()
        self.addCleanup(self.trace.close)
        self.mid.set("forward", "clamp")

    def assert_shown(self, observed):
        """Of cli2's SYN, and of the answer: both are above what is pinned."""
        port = self.connect(self.net.cli2)[0].getsockname()[1]
        shown = {"event": "clamped_mss", "netns": str(os.stat(self.mid.file).st_ino),
                 "previous_mss": "1460", "observed": observed}
        self.assertEqual(self.trace.of("clamped_mss"), [
            shown | {"in": "to2", "out": "tofar", "source": Chain.CLI2, "sport": str(port),
                     "destination": Chain.SRV, "dport": str(PORT), "mss": "760"},
            shown | {"in": "tofar", "out": "to2", "source": Chain.SRV, "sport": str(PORT),
                     "destination": Chain.CLI2, "dport": str(port), "mss": "660"}])
        self.assertEqual((self.mid.stat("clamped_mss"), self.mid.stat("forward_clamped")), (2, 2))

    def pin(self):
        self.mid.set("add", f"{Chain.SRV} 700")
        self.mid.set("add", f"{Chain.CLI2} 800")

    def test_clamping(self):
        self.pin()
        self.mid.set("mode", "observe")
        near, far = self.capture(self.mid, "to2"), self.capture(self.mid, "tofar")
        self.assert_shown("1")
        for frames, src in ((near.frames, Chain.SRV), (far.frames, Chain.CLI2)):
            syn = next(f for f in frames if f.src == src and f.flags & lab.SYN)
            self.assertEqual(mss_options(syn), [1460])

    def test_enforced(self):
        self.pin()
        self.assert_shown("0")

    def test_learning(self):
        nft(self.mid, CT)
        self.mid.set("mode", "observe")
        self.pass_a_message()
        event = self.trace.wait("learned", {"state": "forwarded"})
        self.assertEqual((event["destination"], event["mtu"], event["observed"]),
                         (Chain.SRV, str(MTU), "1"))
        self.assertGreater(self.mid.stat("forward_learned"), 0)
        self.assertEqual((self.mid.listing(), self.mid.count()), ([], 0))
        self.assertEqual(self.mid.stat("learned"), 0)


class Floor(Router):
    mtu = 300

    def test_floor(self):
        nft(self.mid, CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), 552)


class Nat(Router):
    def test_masquerade(self):
        """The far router quotes mid's address; cli1 must get its own back, and
        mid knows the server by the address that it is routed by."""
        nft(self.mid, """
            table ip nat {
                chain post {
                    type nat hook postrouting priority 100;
                    oif tofar masquerade
                }
            }
            """)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)
        nft(self.net.far, BLACK_HOLE)
        self.no_timers()
        cli, srv = self.connect(self.net.cli2)
        exchange(cli, srv, 10000)
        self.assertEqual(lab.tcp_info(cli)["total_retrans"], 0)

    def test_virtual_address(self):
        """Clients know the server by an address that mid translates."""
        virtual = "10.9.9.9"
        nft(self.mid, f"""
            table ip nat {{
                chain pre {{
                    type nat hook prerouting priority -100;
                    ip daddr {virtual} dnat to {Chain.SRV}
                }}
            }}
            """)
        self.mid.set("forward", "clamp")
        self.pass_a_message(virtual)
        self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)
        self.assertIsNone(self.mid.route_mtu(virtual))
        nft(self.net.far, BLACK_HOLE)
        self.no_timers()
        cli, srv = self.connect(self.net.cli2, virtual)
        exchange(cli, srv, 10000)
        self.assertEqual(lab.tcp_info(cli)["total_retrans"], 0)


class Options(Router):
    """SYNs made by hand, through mid, whose way to cli1 is known to be narrow."""

    def setUp(self):
        super().setUp()
        self.mid.set("forward", "clamp")
        self.mid.set("add", f"{Chain.CLI1} {MTU}")
        # Nobody answers, so that nothing but these is on the wire.
        self.net.srv.ip(f"route add blackhole {Chain.CLI1}/32")
        self.wire = self.capture(self.mid, "tofar")
        self.cli = self.injector()

    def through(self, packet):
        seen = len(self.wire.frames)
        self.cli.send(packet)
        return lab.wait_for(lambda: next((f for f in self.wire.frames[seen:]
                                          if f.src == Chain.CLI1), None), "the packet")

    def test_lowered(self):
        for options in (b"\2\4\5\xb4", b"\1\2\4\5\xb4", b"\1\1\1\2\4\5\xb4\1\2\4\xff\xff",
                        b"\2\4\5\xb4\4\2\x08\x0a" + b"\0" * 8 + b"\1\3\3\7"):
            for flags in (lab.SYN, lab.SYN | lab.ACK):
                before = self.mid.stat("forward_clamped")
                frame = self.through(self.syn(options, flags, b"data!"))
                self.assertEqual(set(mss_options(frame)), {MTU - 40}, options)
                self.assertTrue(checksum_right(frame), options)
                self.assertEqual(self.mid.stat("forward_clamped"), before + 1)
                sent = lab.parse(self.syn(options, flags, b"data!"))
                self.assertEqual(len(frame.raw), len(sent.raw))

    def test_left_alone(self):
        cases = {
            "small enough": (b"\2\4\3\xc0", lab.SYN, None),
            "no option": (b"", lab.SYN, "forward_no_mss"),
            "no option among others": (b"\4\2\1\1", lab.SYN, "forward_no_mss"),
            "length 0": (b"\2\0\5\xb4", lab.SYN, "forward_malformed"),
            "length 1": (b"\2\1\5\xb4", lab.SYN, "forward_malformed"),
            "past the end": (b"\1\1\2\5", lab.SYN, "forward_malformed"),
            "signed": (b"\2\4\5\xb4\x1d\4\1\1", lab.SYN, "forward_signed"),
            "no SYN": (b"\2\4\5\xb4", lab.ACK, None),
            "a reset": (b"\2\4\5\xb4", lab.SYN | lab.RST, None),
        }
        for what, (options, flags, reason) in cases.items():
            with self.subTest(what):
                before = self.mid.stats()
                packet = self.syn(options, flags)
                frame = self.through(packet)
                self.assertEqual(beyond_one_hop(frame), beyond_one_hop(lab.parse(packet)))
                expected = dict(before)
                if reason:
                    expected[reason] += 1
                self.assertEqual(self.mid.stats(), expected)

    def fragments(self, packet, first):
        """The packet in two: a first fragment with so many bytes of TCP."""
        body = packet[20:]
        for offset, part, more in ((0, body[:first], 0x2000), (first, body[first:], 0)):
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), 7, more | offset // 8,
                               64, 6, 0) + packet[12:20]
            yield head[:10] + struct.pack("!H", lab.checksum(head)) + head[12:] + part

    def test_fragments(self):
        """The first has what is looked at, or is left alone; others always are."""
        packet = self.syn(b"\2\4\5\xb4", data=b"z" * 40)
        first, second = self.fragments(packet, 40)
        frame = self.through(first)
        self.assertEqual(mss_options(frame), [MTU - 40])
        rest = self.through(second)
        self.assertEqual(beyond_one_hop(rest), beyond_one_hop(lab.parse(second)))
        whole = bytearray(packet)
        whole[20:60] = frame.raw[20:60]
        self.assertTrue(checksum_right(lab.parse(bytes(whole))))
        before = self.mid.stat("forward_malformed")
        for part in self.fragments(packet, 16):
            frame = self.through(part)
            self.assertEqual(beyond_one_hop(frame), beyond_one_hop(lab.parse(part)))
        self.assertEqual(self.mid.stat("forward_malformed"), before + 1)


class Devices(unittest.TestCase):
    """srv --- rtr === cli, nothing learned: the devices' own MTUs, either way."""

    def devices(self, offload):
        path = Path(600, offload=offload)
        self.addCleanup(path.close)
        path.rtr.set("forward", "clamp")
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        lab.no_timers(stack, path.srv, Path.RTR_SRV)
        with path.srv.listen(Path.SRV, PORT) as listener:
            cli = path.cli.connect((Path.SRV, PORT))
            srv, _ = listener.accept()
        srv.settimeout(lab.TIMEOUT)
        with cli, srv:
            exchange(srv, cli, 50000)
            exchange(cli, srv, 50000)
            self.assertEqual([f for f in path.wire.frames if f.frag_needed], [])
            self.assertEqual(path.srv.count(), 0)
            self.assertEqual(lab.tcp_info(srv)["total_retrans"], 0)
        syns = [f for f in path.wire.frames if f.flags & lab.SYN]
        # Towards the server as lowered; from it as it came.
        self.assertEqual([mss_options(f) for f in syns], [[560], [1460]])
        self.assertEqual(path.rtr.stat("forward_clamped"), 2)

    def test_devices(self):
        self.devices(False)

    def test_devices_with_offload(self):
        self.devices(True)

    def test_route_mtu(self):
        """A route's own MTU, on either side, is as good as a device's."""
        path = Path(1500)
        self.addCleanup(path.close)
        path.rtr.set("forward", "clamp")
        path.rtr.ip(f"route replace {Path.CLI}/32 dev toclient mtu 900")
        capture = lab.Capture(path.cli, "eth0")
        self.addCleanup(capture.stop)
        with path.srv.listen(Path.SRV, PORT), path.cli.connect((Path.SRV, PORT)):
            pass
        for frames, src in ((path.wire.frames, Path.CLI), (capture.frames, Path.SRV)):
            syn = next(f for f in frames if f.src == src and f.flags & lab.SYN)
            self.assertEqual(mss_options(syn), [860], src)


class Life(Router):
    def test_namespace_and_module_go_while_it_is_on(self):
        nft(self.mid, CT)
        for _ in range(3):
            self.mid.set("forward", "clamp")
            stop = threading.Event()

            def connections():
                while not stop.is_set():
                    with self.net.cli1.connect((Chain.SRV, PORT)):
                        self.listener.accept()[0].close()

            thread = threading.Thread(target=connections, daemon=True)
            thread.start()
            try:
                lab.wait_for(lambda: self.mid.stat("forward_clamped") or
                             self.mid.set("add", f"{Chain.SRV} 900"), "a clamp")
                lab.rmmod()
                lab.insmod()
            finally:
                stop.set()
                thread.join(lab.TIMEOUT)
            self.assertFalse(thread.is_alive())
        self.assertEqual(self.mid.get("forward"), "off")
        self.mid.set("forward", "clamp")	# and the namespace goes with it

    def test_parameter(self):
        lab.rmmod()
        try:
            lab.insmod("forward=clamp-untracked")
            ns = Namespace("later")
            self.addCleanup(ns.delete)
            self.assertEqual((ns.get("forward"), self.mid.get("forward")),
                             ("clamp-untracked",) * 2)
            # It would have had the client fit by its own link alone.
            self.net.far.set("forward", "off")
            self.pass_a_message()
            self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)
        finally:
            with contextlib.suppress(OSError):
                lab.rmmod()
            lab.insmod()


if __name__ == "__main__":
    unittest.main()
