# SPDX-License-Identifier: GPL-2.0
"""Published attacks that begin with a forged "fragmentation needed": each is shown
to work on the stock path (the module's mode is "off"), and not to work with the
module.

CCS 2020: "Off-Path TCP Exploits of the Mixed IPID Assignment"
CCS 2021: "DNS Cache Poisoning Attack: Resurrections with Side Channels"
NDSS 2022: "PMTUD is not Panacea: Revisiting IP Fragmentation Attacks against TCP"
2026: CVE-2026-99077 had a quote of UDP believed, socket or not

What the third looks for, and what the answer to the second must not bring back,
is an oracle: whether a guess (a port, an id, a sequence number) was right must
show in nothing that a third party can see. It is asked 1,000 times.
"""

import collections
import contextlib
import math
import os
import pickle
import random
import socket
import struct
import unittest

from lab.datagrams import DO, IP_MTU_DISCOVER, path_mtu
from lab.netlink import exception
from lab.scene import Scene
from lab.system import one_cpu
from lab.victim import LINK_MTU, O, V, Net, echo_quote, reply_quote, tcp_quote, udp_quote


TRIALS = 1000


class Paper(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.stack.enter_context(one_cpu())

    def note(self, text):
        print(f"note papers.{self._testMethodName}: {text}", flush=True)

    def both(self):
        """A scene on the stock path, and one with the module."""
        for mode in ("off", "enforce"):
            net = self.stack.enter_context(contextlib.closing(Net(mode)))
            yield self.stack.enter_context(contextlib.closing(Scene(net)))

    def tcp(self, scene, *lengths):
        """What a connection that was there before sends, in writes of these
        lengths; and that it arrives."""
        scene.net.barrier()
        scene.net.wire.clear()
        for length in lengths:
            scene.flow.send(length)
            scene.flow.settle()
        return scene.flow.frames()

    def seen(self, frames):
        return (f"{sum(f.fragment for f in frames)} fragments, DF off in "
                f"{sum(not f.df for f in frames)} of {len(frames)} TCP packets, "
                f"the largest {max(f.length for f in frames)} bytes")

    def assert_unharmed(self, scene, frames):
        self.assertIsNone(exception(scene.vic, scene.dst))
        self.assertEqual(max(f.length for f in frames), LINK_MTU)
        for f in frames:
            self.assertFalse(f.fragment, f)
            self.assertTrue(f.df, f)


class Ccs2020(Paper):
    def test_df_is_switched_off(self):
        """A next-hop MTU below the stock kernel's minimum, quoted in an Echo Reply:
        the kernel locks the path's MTU and stops setting DF. Then it has to
        number its packets, and from one packet's number another's is guessed.
        (Kernels since 5.17 number a connection's packets apart.)"""
        for scene in self.both():
            scene.flow  # open before the message
            scene.tell(reply_quote(scene.dst), 68)
            frames = self.tcp(scene, 100, 100, 100, 1448)
            small = [f for f in frames if f.length < 552]
            self.note(f"{scene.net.mode}: {self.seen(small)}; {scene.state() or 'no change'}")
            if scene.stock:
                self.assertEqual(exception(scene.vic, scene.dst)[:2], (552, True))
                self.assertTrue(all(not f.df for f in small))
            else:
                self.assert_unharmed(scene, frames)
                self.assertEqual(scene.state(), [])


class Ndss2022(Paper):
    def test_segments_are_fragmented(self):
        """IP has a smaller MTU for the path than TCP: its segments are cut."""
        for scene in self.both():
            scene.flow
            scene.tell(reply_quote(scene.dst), 68)
            frames = self.tcp(scene, 2800)
            self.note(f"{scene.net.mode}: {self.seen(frames)}; {scene.state() or 'no change'}")
            if scene.stock:
                self.assertTrue(any(f.fragment for f in frames))
                self.assertTrue(any(not f.df for f in frames))
            else:
                self.assert_unharmed(scene, frames)
                self.assertEqual(scene.state(), [])


class Quote2026(Paper):
    def test_datagram_without_a_socket(self):
        """The same by way of a UDP datagram that was never sent."""
        for scene in self.both():
            scene.flow
            scene.tell(udp_quote(scene.dst, sport=40000), 68)
            frames = self.tcp(scene, 100, 2800)
            self.note(f"{scene.net.mode}: {self.seen(frames)}; {scene.state() or 'no change'}")
            if scene.stock:
                self.assertEqual(exception(scene.vic, scene.dst)[:2], (552, True))
                self.assertTrue(all(not f.df for f in frames))
            else:
                self.assert_unharmed(scene, frames)
                self.assertIn(scene.state(), ([], ["unproven 552"]))


# ---- oracles ----------------------------------------------------------------------------

class Nobody:
    """A process in a namespace, without a privilege, and what it can read there."""

    COUNTERS = ("Icmp.", "IcmpMsg.", "Ip.Frag", "Ip.Reasm", "TcpExt.OutOfWindowIcmps",
                "TcpExt.LockDroppedIcmps", "TcpExt.TCPMinTTLDrop")

    def __init__(self, ns, watched):
        """@watched: addresses, the paths' MTUs of which it looks at."""
        where = ns.path()
        ask, self._ask = os.pipe()
        self._answer, answer = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(self._ask)
                os.close(self._answer)
                ns.__enter__()
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                files = self._files(where)
                while os.read(ask, 4) == b"look":
                    found = pickle.dumps(self._look(*files, watched))
                    os.write(answer, struct.pack("I", len(found)) + found)
            finally:
                os._exit(1)
        os.close(ask)
        os.close(answer)

    def _files(self, where):
        """What there is to be read, and where in a file a counter is."""
        files = [os.path.join(path, name) for path, _, names in os.walk(where)
                 for name in names] + ["/proc/net/pmtu_hostroute"]
        places = []
        for name in ("/proc/net/snmp", "/proc/net/netstat"):
            for n, line in enumerate(self._read(name).splitlines()[::2]):
                kind, *keys = line.replace(":", "").split()
                places += [(name, 2 * n + 1, i + 1, f"+{kind}.{key}")
                           for i, key in enumerate(keys)
                           if f"{kind}.{key}".startswith(self.COUNTERS)]
        return files, places

    def _look(self, files, places, watched):
        found = {file.rsplit("/ipv4/", 1)[-1]: self._read(file) for file in files}
        read = {name: [line.split() for line in self._read(name).splitlines()]
                for name in {place[0] for place in places}}
        for name, line, column, key in places:
            found[key] = int(read[name][line][column])
        for address in watched:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect((address, 9))
                found[f"IP_MTU {address}"] = path_mtu(s)
        return found

    @staticmethod
    def _read(file):
        try:
            with open(file, encoding="ascii", errors="replace") as f:
                return f.read()
        except OSError as e:
            return f"errno {e.errno}"

    def look(self):
        os.write(self._ask, b"look")
        (length,) = struct.unpack("I", os.read(self._answer, 4))
        data = b""
        while len(data) < length:
            data += os.read(self._answer, length - len(data))
        return pickle.loads(data)

    def close(self):
        os.close(self._ask)
        os.close(self._answer)
        os.waitpid(self._pid, 0)


class Oracle(Paper):
    """A guess is right in half of the trials. For each thing that can be seen, how
    often it is seen must not depend on that; 5 standard deviations are chance."""

    def view(self, scene, nobody, watched, root):
        """All that a third party sees. @root: an administrator's view of the table, too,
        in which no guess may show at all."""
        answer = scene.net.ping(1400)
        seen = dict(nobody.look())
        seen["answer"] = (answer.length, answer.df)
        wire = scene.net.wire.frames
        seen["answer in pieces"] = sum(f.dst == O and f.fragment for f in wire)
        if root:
            for address in watched:
                seen["exception"] = exception(scene.vic, address) is not None
                seen["entry"] = self.entry(scene.vic, address)
            seen["count"] = scene.vic.count()
        return seen

    @staticmethod
    def entry(ns, address):
        """A destination's MTU and state; the list is long, and not taken apart."""
        with ns, open("/proc/thread-self/net/pmtu_hostroute", encoding="ascii") as f:
            text = f.read()
        at = text.find(f"\n{address} ") + 1
        return text[at:text.find("\n", at)].split()[1:3] if at else None

    def ask(self, scene, prepare, trials, root=True, between=None):
        """prepare(trial) gives a destination to watch, and the quotes of a right
        and of a wrong guess. Returns what distinguished them."""
        seen = {True: collections.Counter(), False: collections.Counter()}
        number = collections.Counter()
        guesses = [n % 2 == 0 for n in range(trials)]
        random.shuffle(guesses)
        # What has never been seen before is not the same the second time.
        nobody = self.stack.enter_context(contextlib.closing(Nobody(scene.vic, [O])))
        before = self.view(scene, nobody, [], root)
        for trial, guess in enumerate(guesses):
            with contextlib.ExitStack() as stack:
                watched, right, wrong = prepare(trial, stack)
                scene.net.wire.clear()
                scene.tell(right if guess else wrong, 600)
                scene.net.barrier()
                after = self.view(scene, nobody, watched, root)
                if root:
                    after["MTU to D"] = self.next_mtu(scene, watched[0])
            if between:
                between()
            number[guess] += 1
            for key, value in after.items():
                if isinstance(value, int) and (key.startswith("+") or key == "count"):
                    value -= before[key]
                seen[guess][key, str(value)] += 1
            before = after
        return self.differences(seen, number)

    @staticmethod
    def next_mtu(scene, dst):
        """What a socket made now takes the path's MTU for."""
        with scene.vic.socket(socket.SOCK_DGRAM) as s:
            s.connect((dst, 9))
            return f"{path_mtu(s)} bytes"

    @staticmethod
    def differences(seen, number):
        found = []
        for key in sorted(set(seen[True]) | set(seen[False])):
            right, wrong = (seen[g][key] / number[g] for g in (True, False))
            share = (seen[True][key] + seen[False][key]) / sum(number.values())
            spread = math.sqrt(share * (1 - share) * (1 / number[True] + 1 / number[False]))
            if abs(right - wrong) > 5 * spread:
                found.append(f"{key[0]} is {key[1]!r} in {right:.0%} of right guesses, "
                             f"{wrong:.0%} of wrong ones")
        return found

    def settle(self, scene, kind, found):
        """Notes it; the module must give nothing away."""
        self.note(f"{scene.net.mode}: {kind}: " + ("; ".join(found) or "nothing distinguishes them"))
        if not scene.stock:
            self.assertEqual(found, [])

    def trials(self, scene):
        return 100 if scene.stock else TRIALS

    def test_udp_port(self):
        for scene in self.both():
            def prepare(trial, stack, scene=scene):
                dst = f"10.1.{trial >> 8}.{trial & 255}"
                sock = stack.enter_context(scene.vic.socket(socket.SOCK_DGRAM))
                sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, DO)
                sock.bind((V, 0))
                sock.connect((dst, 53))
                port = sock.getsockname()[1]
                return [dst], udp_quote(dst, port), udp_quote(dst, port ^ 1)
            self.settle(scene, "UDP port", self.ask(scene, prepare, self.trials(scene)))

    def test_udp_port_unconnected(self):
        for scene in self.both():
            def prepare(trial, stack, scene=scene):
                dst = f"10.2.{trial >> 8}.{trial & 255}"
                sock = stack.enter_context(scene.vic.socket(socket.SOCK_DGRAM))
                sock.bind(("0.0.0.0", 0))
                port = sock.getsockname()[1]
                return [dst], udp_quote(dst, port), udp_quote(dst, port ^ 1)
            self.settle(scene, "UDP port, unconnected",
                        self.ask(scene, prepare, self.trials(scene)))

    def test_ping_id(self):
        for scene in self.both():
            scene.vic.sysctl(ping_group_range="0 65535")

            def prepare(trial, stack, scene=scene):
                dst = f"10.3.{trial >> 8}.{trial & 255}"
                sock = stack.enter_context(
                    scene.vic.socket(socket.SOCK_DGRAM, proto=socket.IPPROTO_ICMP))
                ident = 1000 + trial
                sock.bind((V, ident))
                sock.connect((dst, 0))
                return [dst], echo_quote(dst, ident), echo_quote(dst, 40000 + trial)
            found = self.ask(scene, prepare, self.trials(scene))
            if scene.stock:
                self.assertTrue(found, "no oracle on stock any more: is this still a test?")
            self.settle(scene, "ping id", found)

    def test_tcp_sequence(self):
        """Here D itself may know, and an administrator; nobody else."""
        for scene in self.both():
            scene.net.set_rto(120)
            segment = scene.segment

            def prepare(trial, stack, scene=scene, seg=segment):
                quote = lambda seq: tcp_quote(scene.dst, seg.sport, seg.dport, seq)
                return [scene.dst], quote(seg.seq), quote(seg.seq + 100000)
            between = None if scene.stock else lambda: scene.vic.set("flush", "unpinned")
            self.settle(scene, "TCP sequence number",
                        self.ask(scene, prepare, self.trials(scene), root=False,
                                 between=between))

    def test_tcp_sequence_when_full(self):
        """The table is full of proven routes but for one place, where O has had
        a record made of itself: does a right guess push that out? (Another one
        goes instead each time, so the table is made smaller.)"""
        net = self.stack.enter_context(contextlib.closing(Net("enforce")))
        scene = self.stack.enter_context(contextlib.closing(Scene(net)))
        vic = net.vic
        vic.set("max_unproven", 1)
        vic.set("expire_unproven", 0)
        vic.set("unproven_rate", 0)
        net.set_rto(120)
        scene.tell(udp_quote(O), 600)
        for _ in range(120):
            other = self.stack.enter_context(contextlib.closing(Scene(net)))
            other.tell(other.quote(), 1000)
            net.barrier()
            other.flow.release()
        self.assertEqual(vic.count(), 121)
        segment = scene.segment

        def prepare(trial, stack):
            quote = lambda seq: tcp_quote(scene.dst, segment.sport, segment.dport, seq)
            return [scene.dst], quote(segment.seq), quote(segment.seq + 100000)

        def refill():
            if vic.route_mtu(scene.dst):
                vic.set("del", scene.dst)
            scene.tell(udp_quote(O), 600)
            net.barrier()
            vic.set("max_routes", vic.count())
            self.assertGreater(vic.count(), 10)
            self.assertEqual(vic.get("count_unproven"), "1")
        refill()
        self.settle(scene, "TCP sequence number, table full",
                    self.ask(scene, prepare, 200, root=False, between=refill))

    def test_side_channel_of_2021(self):
        """CCS 2021: O quotes datagrams from V to itself, and looks at whether the
        answers to its own pings come in pieces."""
        for scene in self.both():
            net = scene.net
            scene.vic.sysctl(ping_group_range="0 65535")
            pieces = {}
            for guess, ident in ((False, 5), (True, 4242)):
                if not guess:
                    if not scene.stock:
                        scene.vic.have_applied(scene.dst)
                    sock = scene.socket(socket.SOCK_DGRAM, proto=socket.IPPROTO_ICMP)
                    sock.bind((V, 4242))
                net.wire.clear()
                scene.tell(echo_quote(O, ident), 600)
                net.barrier()
                net.ping(1400)
                pieces[guess] = sum(f.dst == O and f.fragment for f in net.wire.frames)
            self.note(f"{net.mode}: pieces of an answer after a wrong id {pieces[False]}, "
                      f"after the right one {pieces[True]}")
            if scene.stock:
                self.assertGreater(pieces[True], pieces[False])
            else:
                self.assertEqual(pieces[True], pieces[False])
