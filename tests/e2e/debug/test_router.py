# SPDX-License-Identifier: GPL-2.0
"""A router in the middle: what it learns from messages that pass it, and what
that does for connections which are not its own."""

import contextlib
import socket
import threading
import unittest

from lab.chain import BLACK_HOLE, CT, MTU, PORT, Chain, Router
from lab.datagrams import IP_MTU_DISCOVER, WANT
from lab.messages import datagram_quote, frag_needed, tcp_quote
from lab.namespace import Namespace, accept, no_timers
from lab.packets import (ACK, RST, SYN, beyond_one_hop, in_fragments, mss_options, parse,
                         tcp_checksum_right)
from lab.path import Path
from lab.system import TIMEOUT, insmod, rmmod, wait_for
from lab.trace import Trace, netns_of
from lab.transfer import exchange, mss_of, retransmissions
from lab.wire import Capture


# On Debian's kernel, too: its modules are those that people run.
GUESTS = ("debug", "debian")


class BlackHole(Router):
    """Nothing is ever reported to the second client."""

    def test_another_client(self):
        self.no_timers()
        self.mid.nft(CT)
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
        messages = [beyond_one_hop(f) for f in before.frames if f.frag_needed]
        self.assertTrue(messages)
        self.assertEqual(messages, [beyond_one_hop(f) for f in after.frames if f.frag_needed])

        self.net.far.nft(BLACK_HOLE)
        wire, own = self.capture(self.mid, "tofar"), self.capture(self.mid, "to2")
        cli, srv = self.connect(self.net.cli2)
        exchange(cli, srv, 30000)
        exchange(srv, cli, 3000)
        sent = [f for f in own.frames if f.src == Chain.CLI2 and f.tcp]
        self.assert_fits(sent)
        self.assertEqual([f for f in wire.frames + own.frames if f.frag_needed], [])
        self.assertEqual(retransmissions(cli), 0)
        self.assertEqual(self.net.cli2.count(), 0, "something was reported to cli2 after all")
        answer, = [f for f in own.frames if f.src == Chain.SRV and f.flags & SYN]
        self.assertEqual(mss_options(answer), [MTU - 40])
        offered, = [f for f in wire.frames if f.src == Chain.CLI2 and f.flags & SYN]
        self.assertEqual(mss_options(offered), [1460], "nothing is known about cli2")
        self.assertEqual(self.mid.stat("forward_clamped"), 1)

        # The control: without it that client gets nothing through.
        self.mid.set("forward", "off")
        self.net.cli2.ip(f"route replace default via {Chain.MID2}")
        cli, srv = self.connect(self.net.cli2)
        cli.sendall(b"x" * 3000)
        wait_for(lambda: retransmissions(cli) >= 2, "retransmissions")
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
        self.mid.nft(CT)
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
        injector = self.injector(self.net.far, "tomid", "tofar")
        injector.send(frag_needed("10.66.6.6", Chain.CLI1, mtu, quote))

    def test_untracked_ones_are_limited(self):
        """As what nothing proves is; those that conntrack relates are not."""
        self.mid.set("forward", "clamp-untracked")
        self.mid.set("unproven_rate", 1)
        for n in range(20):
            self.forge(datagram_quote(Chain.CLI1, f"10.66.0.{n}"))
        wait_for(lambda: self.mid.stat("forward_received") == 20, "all of them")
        learned = self.mid.count()
        self.assertLess(learned, 20)
        self.assertEqual(self.mid.stat("forward_rate"), 20 - learned)
        self.mid.nft(CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)

    def test_refusals(self):
        """One thing wrong at a time; the message is forwarded all the same."""
        self.mid.nft(CT)
        self.mid.set("forward", "clamp")
        cli, _ = self.connect(self.net.cli1)
        passed = self.capture(self.mid, "to1")
        port = cli.getsockname()[1]
        trace = Trace()
        self.addCleanup(trace.close)

        def quote(src=Chain.CLI1, dst=Chain.SRV, sport=port, length=1500, df=True):
            return tcp_quote(src, dst, sport, PORT, 1, length, df=df)

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
            "another protocol": (dict(quote=datagram_quote(Chain.CLI1, Chain.SRV, proto=47)),
                                 "forward_protocol"),
        }
        for what, (message, reason) in cases.items():
            with self.subTest(what):
                before, seen = self.mid.stat(reason), len(passed.frames)
                trace.clear()
                self.forge(**message)
                event = trace.wait("ignored", {"reason": reason})
                self.assertEqual((event["dev"], event["observed"]), ("tofar", "0"))
                wait_for(lambda: self.mid.stat(reason) == before + 1, reason)
                self.assertEqual(self.mid.count(), 0)
                wait_for(lambda: any(f.frag_needed for f in passed.frames[seen:]),
                             f"the message to be forwarded: {what}")
        trace.clear()
        self.forge(quote())
        wait_for(lambda: self.mid.route_mtu(Chain.SRV) == 600, "the genuine one")
        here = {"netns": netns_of(self.mid)}
        self.assertEqual(trace.wait("learned", here)["state"], "forwarded")
        self.assertEqual([e for e in trace.of("ignored") if here.items() <= e.items()], [])
        # Nor is what is not smaller any news.
        self.forge(quote(), mtu=700)
        wait_for(lambda: self.mid.stat("forward_not_smaller") == 2, "the refusal")
        self.assertEqual(self.mid.route_mtu(Chain.SRV), 600)

    def test_for_its_own_datagrams(self):
        """As what nothing proves is; else messages about them would be outranked."""
        self.mid.nft(CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        sink = self.stack.enter_context(self.net.srv.socket(socket.SOCK_DGRAM))
        sink.bind((Chain.SRV, PORT))
        s = self.stack.enter_context(self.mid.socket(socket.SOCK_DGRAM))
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, WANT)
        wire = self.capture(self.mid, "tofar")

        def send():
            s.sendto(bytes(1372), (Chain.SRV, PORT))
            return self.mid.stat("fragmented")

        wait_for(send, "the hook that applies it")
        self.assertEqual(len(sink.recv(2000)), 1372)
        messages = [f for f in wire.frames if f.frag_needed]
        seen = len(wire.frames)
        send()
        wait_for(lambda: len([f for f in wire.frames[seen:] if f.src == Chain.MID3]) == 2,
                     "its fragments")
        self.assertLessEqual(max(f.length for f in wire.frames[seen:]), MTU)
        self.assertEqual([f for f in wire.frames if f.frag_needed], messages)
        self.assertEqual(self.mid.listing()[0]["state"], "forwarded")

    def test_not_for_its_own_connections(self):
        self.mid.nft(CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        wire = self.capture(self.mid, "tofar")
        cli, srv = self.connect(self.mid)
        exchange(cli, srv, 5000)
        sent = [f for f in wire.frames if f.src == Chain.MID3 and f.tcp]
        self.assertEqual(max(f.length for f in sent), 1500)
        # The far router reported it to mid itself, which is more than mid knew.
        entry, = self.mid.listing()
        self.assertEqual((entry["state"], entry["mtu"]), ("proven", str(MTU)))
        self.assertEqual(self.mid.get("count_unproven"), "0")
        # It holds for forwarded connections, too, whoever proved it.
        cli, _ = self.connect(self.net.cli2)
        self.assertLess(mss_of(cli), MTU - 39)

    def test_pinned_holds_for_them_too(self):
        self.mid.set("forward", "clamp")
        self.mid.set("add", f"{Chain.SRV} 700")
        self.mid.set("add", f"{Chain.CLI2} 800")
        wire = self.capture(self.mid, "to2")
        far = self.capture(self.mid, "tofar")
        self.connect(self.net.cli2)
        answer = next(f for f in wire.frames if f.src == Chain.SRV and f.flags & SYN)
        self.assertEqual(mss_options(answer), [660])
        offer = next(f for f in far.frames if f.src == Chain.CLI2 and f.flags & SYN)
        self.assertEqual(mss_options(offer), [760])

    def test_claims_about_datagrams_do_not_count(self):
        """What nothing proves applies to no connection, here neither."""
        injector = self.injector(self.net.far, "tomid", "tofar")
        self.mid.set("forward", "clamp")
        injector.send(frag_needed(Chain.FAR, Chain.MID3, 600,
                                      datagram_quote(Chain.MID3, Chain.SRV)))
        wait_for(lambda: self.mid.route_mtu(Chain.SRV) == 600, "the claim on record")
        self.assertEqual(self.mid.listing()[0]["state"], "unproven")
        wire = self.capture(self.mid, "to2")
        self.connect(self.net.cli2)
        answer = next(f for f in wire.frames if f.src == Chain.SRV and f.flags & SYN)
        self.assertEqual(mss_options(answer), [1460])
        # It does not stand in the way of what conntrack vouches for.
        self.mid.nft(CT)
        self.pass_a_message()
        self.assertEqual((self.mid.route_mtu(Chain.SRV), self.mid.listing()[0]["state"]),
                         (MTU, "forwarded"))


class Observed(Router):
    """Counted and shown as if, and nothing else."""

    def setUp(self):
        super().setUp()
        self.trace = Trace()
        self.addCleanup(self.trace.close)
        self.mid.set("forward", "clamp")

    def assert_shown(self, observed):
        """Of cli2's SYN, and of the answer: both are above what is pinned."""
        port = self.connect(self.net.cli2)[0].getsockname()[1]
        shown = {"event": "clamped_mss", "netns": netns_of(self.mid),
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
            syn = next(f for f in frames if f.src == src and f.flags & SYN)
            self.assertEqual(mss_options(syn), [1460])

    def test_enforced(self):
        self.pin()
        self.assert_shown("0")

    def test_learning(self):
        self.mid.nft(CT)
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
        self.mid.nft(CT)
        self.mid.set("forward", "clamp")
        self.pass_a_message()
        self.assertEqual(self.mid.route_mtu(Chain.SRV), 552)


class Nat(Router):
    def test_masquerade(self):
        """The far router quotes mid's address; cli1 must get its own back, and
        mid knows the server by the address that it is routed by."""
        self.mid.nft("""
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
        self.net.far.nft(BLACK_HOLE)
        self.no_timers()
        cli, srv = self.connect(self.net.cli2)
        exchange(cli, srv, 10000)
        self.assertEqual(retransmissions(cli), 0)

    def test_virtual_address(self):
        """Clients know the server by an address that mid translates."""
        virtual = "10.9.9.9"
        self.mid.nft(f"""
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
        self.net.far.nft(BLACK_HOLE)
        self.no_timers()
        cli, srv = self.connect(self.net.cli2, virtual)
        exchange(cli, srv, 10000)
        self.assertEqual(retransmissions(cli), 0)


class Options(Router):
    """SYNs made by hand, through mid, whose way to cli1 is known to be narrow."""

    def setUp(self):
        super().setUp()
        self.mid.set("forward", "clamp")
        self.mid.set("add", f"{Chain.CLI1} {MTU}")
        # Nobody answers, so that nothing but these is on the wire.
        self.net.srv.ip(f"route add blackhole {Chain.CLI1}/32")
        self.wire = self.capture(self.mid, "tofar")
        self.cli = self.injector(self.net.cli1, "eth0", "to1")

    def through(self, packet):
        seen = len(self.wire.frames)
        self.cli.send(packet)
        return wait_for(lambda: next((f for f in self.wire.frames[seen:]
                                          if f.src == Chain.CLI1), None), "the packet")

    def test_lowered(self):
        for options in (b"\2\4\5\xb4", b"\1\2\4\5\xb4", b"\1\1\1\2\4\5\xb4\1\2\4\xff\xff",
                        b"\2\4\5\xb4\4\2\x08\x0a" + b"\0" * 8 + b"\1\3\3\7"):
            for flags in (SYN, SYN | ACK):
                before = self.mid.stat("forward_clamped")
                frame = self.through(self.syn(options, flags, b"data!"))
                self.assertEqual(set(mss_options(frame)), {MTU - 40}, options)
                self.assertTrue(tcp_checksum_right(frame), options)
                self.assertEqual(self.mid.stat("forward_clamped"), before + 1)
                sent = parse(self.syn(options, flags, b"data!"))
                self.assertEqual(len(frame.raw), len(sent.raw))

    def test_left_alone(self):
        cases = {
            "small enough": (b"\2\4\3\xc0", SYN, None),
            "no option": (b"", SYN, "forward_no_mss"),
            "no option among others": (b"\4\2\1\1", SYN, "forward_no_mss"),
            "length 0": (b"\2\0\5\xb4", SYN, "forward_malformed"),
            "length 1": (b"\2\1\5\xb4", SYN, "forward_malformed"),
            "past the end": (b"\1\1\2\5", SYN, "forward_malformed"),
            "signed": (b"\2\4\5\xb4\x1d\4\1\1", SYN, "forward_signed"),
            "no SYN": (b"\2\4\5\xb4", ACK, None),
            "a reset": (b"\2\4\5\xb4", SYN | RST, None),
        }
        for what, (options, flags, reason) in cases.items():
            with self.subTest(what):
                before = self.mid.stats()
                packet = self.syn(options, flags)
                frame = self.through(packet)
                self.assertEqual(beyond_one_hop(frame), beyond_one_hop(parse(packet)))
                expected = dict(before)
                if reason:
                    expected[reason] += 1
                self.assertEqual(self.mid.stats(), expected)

    def test_fragments(self):
        """The first has what is looked at, or is left alone; others always are."""
        packet = self.syn(b"\2\4\5\xb4", data=b"z" * 40)
        first, second = in_fragments(packet, 40)
        frame = self.through(first)
        self.assertEqual(mss_options(frame), [MTU - 40])
        rest = self.through(second)
        self.assertEqual(beyond_one_hop(rest), beyond_one_hop(parse(second)))
        whole = bytearray(packet)
        whole[20:60] = frame.raw[20:60]
        self.assertTrue(tcp_checksum_right(parse(bytes(whole))))
        before = self.mid.stat("forward_malformed")
        for part in in_fragments(packet, 16):
            frame = self.through(part)
            self.assertEqual(beyond_one_hop(frame), beyond_one_hop(parse(part)))
        self.assertEqual(self.mid.stat("forward_malformed"), before + 1)


class Devices(unittest.TestCase):
    """srv --- rtr === cli, nothing learned: the devices' own MTUs, either way."""

    def devices(self, offload):
        path = Path(600, offload=offload)
        self.addCleanup(path.close)
        path.rtr.set("forward", "clamp")
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        no_timers(stack, path.srv, Path.RTR_SRV)
        with path.srv.listen(Path.SRV, PORT) as listener:
            cli = path.cli.connect((Path.SRV, PORT))
            srv = accept(listener)
        with cli, srv:
            exchange(srv, cli, 50000)
            exchange(cli, srv, 50000)
            self.assertEqual([f for f in path.wire.frames if f.frag_needed], [])
            self.assertEqual(path.srv.count(), 0)
            self.assertEqual(retransmissions(srv), 0)
        syns = [f for f in path.wire.frames if f.flags & SYN]
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
        capture = Capture(path.cli, "eth0")
        self.addCleanup(capture.stop)
        with path.srv.listen(Path.SRV, PORT), path.cli.connect((Path.SRV, PORT)):
            pass
        for frames, src in ((path.wire.frames, Path.CLI), (capture.frames, Path.SRV)):
            syn = next(f for f in frames if f.src == src and f.flags & SYN)
            self.assertEqual(mss_options(syn), [860], src)


class Life(Router):
    def test_namespace_and_module_go_while_it_is_on(self):
        self.mid.nft(CT)
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
                wait_for(lambda: self.mid.stat("forward_clamped") or
                             self.mid.set("add", f"{Chain.SRV} 900"), "a clamp")
                rmmod()
                insmod()
            finally:
                stop.set()
                thread.join(TIMEOUT)
            self.assertFalse(thread.is_alive())
        self.assertEqual(self.mid.get("forward"), "off")
        self.mid.set("forward", "clamp")	# and the namespace goes with it

    def test_parameter(self):
        rmmod()
        try:
            insmod("forward=clamp-untracked")
            ns = Namespace("later")
            self.addCleanup(ns.delete)
            self.assertEqual((ns.get("forward"), self.mid.get("forward")),
                             ("clamp-untracked",) * 2)
            # With it on, far would fit the client to its own link.
            self.net.far.set("forward", "off")
            self.pass_a_message()
            self.assertEqual(self.mid.route_mtu(Chain.SRV), MTU)
        finally:
            with contextlib.suppress(OSError):
                rmmod()
            insmod()
