# SPDX-License-Identifier: GPL-2.0
"""TCP in every state, on every kind of path; judged by the wire, by what the
applications got, and, where that is the rule, by what the stock path does."""

import contextlib
import os
import socket
import struct
import unittest

from lab.messages import quote_of
from lab.namespace import accept, veth
from lab.packets import FIN, SYN, tcp_packet
from lab.path import MTU, PORT, OnPath, Path
from lab.system import wait_for
from lab.transfer import (abort_on_close, exchange, mss_of, receive, retransmissions, tcp_info,
                          wait_until_acked)
from lab.wire import Capture


MSG_FASTOPEN, TCP_FASTOPEN = 0x20000000, 23
CLAIM = 400		# what the forged messages say


class Forged(OnPath):
    """Messages of the test's own, about a path that would carry everything."""

    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)
        self.no_timers()
        self.injector = self.new_injector()

    @staticmethod
    def message(frame, mtu=CLAIM, length=None):
        """About a packet; @length: as if it had been larger."""
        return Path.message(mtu, quote_of(frame, length=length))

    def report(self, frame, counter, **how):
        before = self.srv.stat(counter)
        self.injector.send(self.message(frame, **how))
        wait_for(lambda: self.srv.stat(counter) > before, counter)

    def frame(self, condition, what):
        return self.path.wire.wait(lambda f: f.src == Path.SRV and f.tcp and condition(f), what)

    def since(self):
        """From here on: no frame that is on the wire now."""
        count = len(self.path.wire.frames)
        return lambda: [f for f in self.path.wire.frames[count:] if f.src == Path.SRV and f.tcp]


class States(Forged):
    LENGTH = 3000

    def in_flight(self, srv):
        self.path.hold_acks()
        sent = self.since()
        srv.sendall(b"s" * self.LENGTH)
        return wait_for(lambda: next((f for f in sent() if f.data > CLAIM), None), "a segment")

    def resent(self, frame, cli):
        """The message is obeyed at once: what is sent from then on fits, long
        before any timer, and everything arrives."""
        sent = self.since()
        self.report(frame, "learned")
        wait_for(lambda: any(f.seq == frame.seq and f.data for f in sent()),
                     "the segment, once more", timeout=self.RTO / 2)
        self.path.hold_acks(False)
        self.assertEqual(receive(cli, self.LENGTH), b"s" * self.LENGTH)
        self.assert_fits([f for f in sent() if f.data], CLAIM)
        self.assert_no_exception()

    def test_established(self):
        cli, srv = self.accepted()
        self.resent(self.in_flight(srv), cli)

    def test_close_wait(self):
        cli, srv = self.accepted()
        cli.shutdown(socket.SHUT_WR)
        self.assertEqual(srv.recv(1), b"")
        self.resent(self.in_flight(srv), cli)

    def test_last_ack(self):
        cli, srv = self.accepted()
        cli.shutdown(socket.SHUT_WR)
        self.assertEqual(srv.recv(1), b"")
        frame = self.in_flight(srv)
        srv.close()
        self.resent(frame, cli)
        self.assertEqual(cli.recv(1), b"")

    def test_fin_wait_1(self):
        cli, srv = self.accepted()
        frame = self.in_flight(srv)
        srv.close()
        self.resent(frame, cli)
        self.assertEqual(cli.recv(1), b"")

    def test_closing(self):
        """Both ends close at once, with data of ours in flight."""
        cli, srv = self.accepted()
        frame = self.in_flight(srv)
        srv.shutdown(socket.SHUT_WR)
        cli.shutdown(socket.SHUT_WR)
        self.resent(frame, cli)
        self.assertEqual(cli.recv(1), b"")

    def test_nothing_in_flight(self):
        """FIN_WAIT_2: everything is acknowledged."""
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        frame = self.frame(lambda f: f.data, "a segment")
        srv.shutdown(socket.SHUT_WR)
        self.assertEqual(cli.recv(1), b"")
        self.frame(lambda f: f.flags & FIN, "the FIN")
        wait_until_acked(srv)
        self.report(frame, "ignored_sequence")
        self.assertEqual(self.srv.count(), 0)
        exchange(cli, srv, 1000)

    def test_time_wait(self):
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        frame = self.frame(lambda f: f.data, "a segment")
        srv.close()
        self.assertEqual(cli.recv(1), b"")
        cli.close()
        with self.srv:
            wait_for(lambda: " 06 " in open("/proc/thread-self/net/tcp", encoding="ascii").read(),
                         "TIME_WAIT")
        self.report(frame, "ignored_state")
        self.assertEqual(self.srv.count(), 0)

    def test_closed(self):
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        frame = self.frame(lambda f: f.data, "a segment")
        abort_on_close(srv)
        srv.close()
        self.report(frame, "ignored_no_socket")
        self.assertEqual(self.srv.count(), 0)

    def test_listener(self):
        """A quote of what a listener would have sent names no connection."""
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        frame = self.frame(lambda f: f.data, "a segment")
        raw = bytearray(frame.raw)
        raw[22:24] = struct.pack("!H", cli.getsockname()[1] ^ 1)
        frame.raw = bytes(raw)
        self.report(frame, "ignored_no_socket")
        self.assertEqual(self.srv.count(), 0)

    def test_request_socket(self):
        # A SYN of a host that never answers.
        self.injector.send(tcp_packet("10.102.45.77", Path.SRV, 5555, PORT, 1000))
        frame = self.frame(lambda f: f.dport == 5555 and f.flags & SYN, "the SYN-ACK")
        self.report(frame, "ignored_state", length=1500)
        self.assertEqual(self.srv.count(), 0)

    def test_syn_sent(self):
        """A SYN is small: nothing a router says of it is true, unless options
        or tunnels made it large on the way."""
        self.path.hold_acks()
        with self.srv.socket() as s:
            s.setblocking(False)
            with self.assertRaises(BlockingIOError):
                s.connect((Path.CLI, 8080))
            frame = self.frame(lambda f: f.flags & SYN, "the SYN")
            self.report(frame, "ignored_fits")
            self.assertEqual(self.srv.count(), 0)
            self.report(frame, "learned", length=1500)
            self.assertEqual(self.srv.route_mtu(Path.CLI), CLAIM)
            self.path.hold_acks(False)


class FastOpen(OnPath):
    """Data on the SYN, over a path too small for it."""
    DATA = 1000

    def setUp(self):
        super().setUp()
        self.srv.sysctl(tcp_fastopen=0x5)	# data without a cookie
        self.path.cli.sysctl(tcp_fastopen=0x202)
        self.taker = self.stack.enter_context(self.path.cli.listen(Path.CLI, 8080))
        self.taker.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)

    def send_on_syn(self, length=DATA):
        srv = self.stack.enter_context(self.srv.socket())
        data = os.urandom(length)
        srv.sendto(data, MSG_FASTOPEN, (Path.CLI, 8080))
        cli = accept(self.taker, self.stack)
        self.assertEqual(receive(cli, length), data)
        return cli, srv

    def syns(self, frames):
        return [f for f in self.path.from_server(frames, 8080) if f.flags & SYN]

    def test_message_about_a_syn(self):
        cli, srv = self.send_on_syn()
        frames = self.path.wire.frames
        first, *more = self.syns(frames)
        self.assertGreater(first.length, MTU, "the SYN carried no data: nothing was tested")
        self.assertTrue(more, "the SYN was not sent again")
        self.assert_fits(more)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        self.assert_no_exception()
        exchange(cli, srv, 5000)
        exchange(srv, cli, 5000)

    def test_path_is_known(self):
        """No packet too big, no retransmission, and no second of waiting."""
        self.learn()
        self.no_timers()
        before = len(self.path.wire.frames)
        cli, srv = self.send_on_syn()
        frames = self.path.wire.frames[before:]
        self.assert_no_messages(frames)
        self.assert_fits(self.path.from_server(frames, 8080))
        self.assertEqual(len(self.syns(frames)), 1)
        self.assertEqual(retransmissions(srv), 0)
        self.assertEqual(self.srv.stat("syn_data_dropped"), 1)
        exchange(srv, cli, 5000)

    def test_what_fits_goes_on_the_syn(self):
        self.learn()
        before = len(self.path.wire.frames)
        self.send_on_syn(200)
        syn, = self.syns(self.path.wire.frames[before:])
        self.assertEqual(syn.data, 200)
        self.assertEqual(self.srv.stat("syn_data_dropped"), 0)


class Thousand(Forged):
    """1,000 identical messages, beside what the stock path makes of them: that
    obeys at once."""
    RTO = 100

    def outcome(self, mode):
        self.srv.set("mode", mode)
        self.srv.set("defer", "off")
        cli, srv = self.accepted()
        exchange(srv, cli, 20000)
        self.path.hold_acks()
        sent = self.since()
        before = tcp_info(srv)
        srv.sendall(b"t" * 5000)
        frame = wait_for(lambda: next((f for f in sent() if f.data > CLAIM), None), "a segment")
        wait_for(lambda: sum(f.data for f in sent()) >= 5000, "all of it")
        packet = self.message(frame, mtu=600)
        for _ in range(1000):
            self.injector.send(packet)
        wait_for(lambda: tcp_info(srv)["pmtu"] == 600, "the clamp")
        wait_for(lambda: len([f for f in sent() if f.seq == frame.seq]) == 2, "what was lost")
        # An answer from the server comes after everything it sent before.
        with self.srv.socket(socket.SOCK_DGRAM) as s:
            s.sendto(b"mark", (Path.CLI, 7))
            self.path.wire.wait(lambda f: f.proto == socket.IPPROTO_UDP and f.src == Path.SRV,
                                "the mark")
        after = tcp_info(srv)
        again = [f for f in sent() if f.data and f.time > frame.time and f.length <= 600]
        starts = [f.seq for f in again]
        self.assertEqual(len(starts), len(set(starts)), "something was sent twice")
        self.path.hold_acks(False)
        self.assertEqual(len(receive(cli, 5000)), 5000)
        self.srv.set("flush", "all")
        self.srv.sysctl(route__flush=1)
        self.path.wire.clear()
        return {"cwnd": after["snd_cwnd"], "cwnd before": before["snd_cwnd"],
                "sent again": len(again), "retransmissions":
                after["total_retrans"] - before["total_retrans"]}

    def test_as_stock(self):
        module, stock = self.outcome("enforce"), self.outcome("off")
        self.assertEqual(module, stock)


class Growth(OnPath):
    """What ends a host route gives every socket its MSS back at its next send."""

    def ended_by(self, end):
        self.no_timers()
        conns = [self.accepted() for _ in range(3)]
        for cli, srv in conns:
            exchange(srv, cli, 100)
        cli, srv = self.learn()
        for pair in conns:
            # The first may be cut on its way out.
            for _ in range(2):
                exchange(pair[1], pair[0], 3000)
            self.assertLess(mss_of(pair[1]), MTU)
        self.path.set_mtu(1500)
        end()
        wait_for(lambda: self.srv.count() == 0, "the host route to go")
        before = len(self.path.wire.frames)
        for cli, srv in [*conns, (cli, srv)]:
            retrans = retransmissions(srv)
            exchange(srv, cli, 3000)
            self.assertEqual(retransmissions(srv), retrans)
            sent = [f for f in self.path.wire.frames[before:] if f.src == Path.SRV and f.data]
            self.assertEqual(sent[0].length, 1500, "grows only at a later send")
            before = len(self.path.wire.frames)

    def test_del(self):
        self.ended_by(lambda: self.srv.set("del", Path.CLI))

    def test_flush(self):
        self.ended_by(lambda: self.srv.set("flush", "unpinned"))

    def test_expiry(self):
        self.ended_by(lambda: self.srv.set("expire", 1))


class Repair(OnPath):
    """TCP_REPAIR: a socket that was taken out and put back follows like any."""
    TCP_REPAIR = 19

    def test_while_in_repair(self):
        cli, srv = self.accepted()
        exchange(srv, cli, 100)
        srv.setsockopt(socket.IPPROTO_TCP, self.TCP_REPAIR, 1)
        self.learn()
        wait_for(self.applied, "the host route to be applied to new connections")
        srv.setsockopt(socket.IPPROTO_TCP, self.TCP_REPAIR, 0)
        before = len(self.path.wire.frames)
        exchange(srv, cli, 3000)
        frames = self.path.wire.frames[before:]
        self.assertEqual([f for f in frames if f.frag_needed], [])
        self.assert_fits([f for f in self.path.from_server(frames) if f.data])

    def applied(self):
        before = len(self.path.wire.frames)
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        return not [f for f in self.path.wire.frames[before:] if f.frag_needed]


class Uplinks(OnPath):
    """Several paths to one destination at once. Each gets a clone, once: under
    steady traffic "cloned" stays what it is."""
    SRV2, RTR2 = "10.102.2.248", "10.102.2.1"

    def second_uplink(self):
        self.path.rtr.ip(*veth("toserver2", self.srv, "eth1"),
                         f"addr add {self.RTR2}/24 dev toserver2")
        self.srv.ip("link set eth1 up", f"addr add {self.SRV2}/24 dev eth1")
        for ns, dev in ((self.srv, "eth1"), (self.path.rtr, "toserver2")):
            ns.no_offload(dev)
            ns.wait_until_up(dev)
        for name in ("all", "eth0", "eth1", "default"):
            self.srv.sysctl(**{f"conf__{name}__rp_filter": 0})
        self.wires = [self.path.wire, Capture(self.path.rtr, "toserver2")]
        self.stack.callback(self.wires[1].stop)

    def connect(self, source=None, mark=None):
        with self.path.cli.listen(Path.CLI, 8080) as listener:
            srv = self.stack.enter_context(self.srv.socket())
            if mark:
                srv.setsockopt(socket.SOL_SOCKET, 36, mark)  # SO_MARK
            if source:
                srv.bind((source, 0))
            srv.connect((Path.CLI, 8080))
            return accept(listener, self.stack), srv

    def steady(self, conns, paths, rounds=5):
        """@paths: clones that there must be."""
        for _ in range(3):
            for cli, srv in conns:
                exchange(srv, cli, 1000)
        cloned = self.srv.stat("cloned")
        self.assertEqual(cloned, paths)
        before = [len(wire.frames) for wire in self.wires]
        for _ in range(rounds):
            for cli, srv in conns:
                exchange(srv, cli, 1000)
        self.assertEqual(self.srv.stat("cloned"), cloned, "clones are made again and again")
        seen = 0
        for wire, start in zip(self.wires, before):
            frames = wire.frames[start:]
            self.assertEqual([f for f in frames if f.frag_needed], [])
            data = [f for f in frames if f.data and f.dst == Path.CLI]
            seen += bool(data)
            self.assertEqual([f for f in data if f.length > MTU], [])
        self.assertEqual(self.srv.count(), 1)
        return seen

    def test_ecmp(self):
        self.second_uplink()
        self.srv.sysctl(fib_multipath_hash_policy=1)
        self.srv.ip(f"route replace default nexthop via {Path.RTR_SRV} nexthop via {self.RTR2}")
        conns = [self.connect() for _ in range(12)]
        self.assertEqual(self.steady(conns, 2), 2, "all of them on one path")

    def test_by_mark(self):
        self.second_uplink()
        self.srv.ip(f"route add default via {self.RTR2} table 100", "rule add fwmark 7 table 100")
        conns = [self.connect(mark=mark) for mark in (0, 7, 0, 7)]
        self.assertEqual(self.steady(conns, 2), 2)

    def test_by_source(self):
        self.second_uplink()
        self.srv.ip(f"route add default via {self.RTR2} table 100",
                    f"rule add from {self.SRV2} table 100")
        conns = [self.connect(source=source) for source in (Path.SRV, self.SRV2) * 2]
        self.assertEqual(self.steady(conns, 2), 2)

    def test_many_next_hops(self):
        """A fabric has ECMP routes of 16 next hops, and more. 64 have a clone each; with one
        more the clones take turns, and everything fits as before."""
        self.wires = [self.path.wire]
        ways = [f"10.102.1.{n}" for n in range(101, 166)]
        self.path.rtr.ip(*(f"addr add {a}/24 dev toserver" for a in ways))
        self.srv.ip(*(f"route add default via {a} table {a.split('.')[-1]}" for a in ways),
                    *(f"rule add fwmark {a.split('.')[-1]} table {a.split('.')[-1]}" for a in ways))
        conns = [self.connect(mark=int(a.split(".")[-1])) for a in ways]
        self.steady(conns[:-1], 64, rounds=1)
        self.path.wire.clear()
        for cli, srv in conns * 2:
            exchange(srv, cli, 1000)
        self.assertGreater(self.srv.stat("cloned"), 64 + 1)
        self.assert_fits(self.path.from_server())


class Tunnel(OnPath):
    NEAR, FAR = "10.99.0.1", "10.99.0.2"

    def setUp(self):
        super().setUp()
        for ns, local, remote, address in (
                (self.srv, Path.SRV, Path.RTR_SRV, self.NEAR),
                (self.path.rtr, Path.RTR_SRV, Path.SRV, self.FAR)):
            ns.ip(f"link add tunnel type ipip local {local} remote {remote}",
                  f"addr add {address}/30 dev tunnel", "link set tunnel up")

    def connect(self):
        with self.path.rtr.listen(self.FAR, 8080) as listener:
            srv = self.stack.enter_context(self.srv.connect((self.FAR, 8080)))
            return accept(listener, self.stack), srv

    def largest(self, far, srv):
        """What a transfer puts on the cable, IPIP's header included."""
        before = len(self.path.wire.frames)
        exchange(srv, far, 20000)
        return max(f.length for f in self.path.wire.frames[before:] if f.src == Path.SRV)

    def test_underlay_shrinks(self):
        """The tunnel says so itself, to a connection that is under a host route."""
        self.srv.set("add", f"{self.FAR} 1400")
        far, srv = self.connect()
        exchange(srv, far, 1000)
        self.assertEqual(self.largest(far, srv), 1420)
        self.srv.ip("link set eth0 mtu 1000")
        exchange(srv, far, 20000)
        self.assertEqual(self.largest(far, srv), 1000)
        self.assertEqual(tcp_info(srv)["pmtu"], 980)
        self.assertEqual(self.largest(*self.connect()), 1000)


class InVrf(unittest.TestCase):
    def test_clones_once(self):
        path = Path(MTU, vrf=("red", 10))
        with contextlib.ExitStack() as stack:
            stack.callback(path.close)
            conns = []
            with path.cli.listen(Path.CLI, 8080) as listener:
                for _ in range(3):
                    srv = stack.enter_context(path.srv.socket())
                    srv.setsockopt(socket.SOL_SOCKET, 25, b"red\0")  # SO_BINDTODEVICE
                    srv.connect((Path.CLI, 8080))
                    conns.append((accept(listener, stack), srv))
            for _ in range(2):
                for cli, srv in conns:
                    exchange(srv, cli, 1000)
            cloned, before = path.srv.stat("cloned"), len(path.wire.frames)
            self.assertGreater(cloned, 0)
            for _ in range(3):
                for cli, srv in conns:
                    exchange(srv, cli, 1000)
            self.assertEqual(path.srv.stat("cloned"), cloned)
            frames = path.wire.frames[before:]
            self.assertEqual([f for f in frames if f.frag_needed], [])
            self.assertEqual([f for f in path.from_server(frames) if f.length > MTU], [])
