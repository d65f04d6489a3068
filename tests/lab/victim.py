# SPDX-License-Identifier: GPL-2.0
"""A victim behind a gateway, hosts it talks to, and an attacker off the path that
sends it "fragmentation needed".

The names are those of the list of cases (tests/attacks.md): V the victim, G its
gateway, D a host far away, a fresh one for each case, O the attacker, T the quote
of a segment that is in flight.
"""

import contextlib
import functools
import itertools
import os
import socket

from lab import messages
from lab.namespace import Namespace, accept, make_router, veth
from lab.netlink import exception
from lab.packets import echo_request, parse
from lab.transfer import receive
from lab.wire import Capture, Forger, Injector, mac_of

V, V_OTHER, G = "192.0.2.1", "198.51.100.1", "192.0.2.2"
O = "198.18.5.5"
FAR, NOWHERE = "203.0.113", "198.51.100.200"
PORT = 5001
LINK_MTU = 1500
_number = itertools.count()


# What O quotes: packets of V to some destination, 1500 bytes long unless said otherwise.

def ip_quote(src, dst, proto, transport, length=1500, **header):
    return messages.ip_quote(src, dst, proto, transport, length, **header)


def udp_quote(dst, sport=40000, dport=53, length=1428, src=V, **header):
    return messages.udp_quote(src, dst, sport, dport, length, **header)


def echo_quote(dst, ident=1, kind=8, length=1500, src=V, **header):
    return messages.echo_quote(src, dst, ident, kind, length, **header)


reply_quote = functools.partial(echo_quote, kind=0)


def tcp_quote(dst, sport, dport, seq, length=1500, src=V, **header):
    return messages.tcp_quote(src, dst, sport, dport, seq, length, **header)


def message(quote, mtu=1000, *, src=O, dst=V, **how):
    """From O to V, unless said otherwise."""
    return messages.frag_needed(src, dst, mtu, quote, ident=next(_number) & 0xffff, **how)


class Net:
    """V --- G === D, and O --- G: what O sends to V comes in by the same cable as
    everything else, and O sees nothing of the traffic between V and D. The far
    host has every address of 203.0.113.0/24."""

    RTO = 1

    def __init__(self, mode, link_mtu=LINK_MTU, gso=False):
        """@mode of the module in V: with "off" everything is the stock path's."""
        self.mode, self.mtu = mode, link_mtu
        self.stack = contextlib.ExitStack()
        number = next(_number)
        self.hosts = []
        try:
            for name in ("vic", "gw", "far", "off"):
                host = Namespace(f"{name}{number}")
                self.hosts.append(host)
                setattr(self, name, host)
            self._build(gso)
        except BaseException:
            self.close()
            raise
        self._addresses = (f"{FAR}.{n}" for n in range(1, 250))

    def _build(self, gso):
        for host in self.hosts:
            host.ip("link set lo up")
        self.gw.ip(*veth("tov", self.vic, "eth0", self.mtu, self.mtu),
                   *veth("tod", self.far, "eth0", self.mtu, self.mtu),
                   *veth("too", self.off, "eth0"),
                   f"addr add {G}/24 dev tov", "addr add 10.9.0.1/24 dev tod",
                   "addr add 198.18.5.1/24 dev too")
        self.vic.ip("link set eth0 up", f"addr add {V}/24 dev eth0",
                    f"addr add {V_OTHER}/32 dev lo",
                    f"route add default via {G} rto_min {self.RTO}s")
        self.far.ip("link set eth0 up", "addr add 10.9.0.2/24 dev eth0",
                    f"route add local {FAR}.0/24 dev lo",
                    f"route add default via 10.9.0.1 advmss {LINK_MTU - 40}")
        self.off.ip("link set eth0 up", f"addr add {O}/24 dev eth0",
                    "route add default via 198.18.5.1")
        self.gw.ip(f"route add {FAR}.0/24 via 10.9.0.2", f"route add {V_OTHER}/32 via {V}",
                   f"route add blackhole {NOWHERE}/32")
        make_router(self.gw)
        # Of all timers only the retransmission timeout, which a case may wait for.
        self.vic.sysctl(tcp_early_retrans=0)
        ends = [(self.vic, "eth0"), (self.gw, "tov"), (self.gw, "tod"), (self.far, "eth0"),
                (self.gw, "too"), (self.off, "eth0")]
        for host, dev in ends:
            if not gso:
                host.no_offload(dev)
            host.wait_until_up(dev)
        self.vic.set("mode", self.mode)
        self._raw = self.stack.enter_context(
            self.off.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW))
        self._ping = self.stack.enter_context(
            self.off.socket(socket.SOCK_RAW, proto=socket.IPPROTO_ICMP))
        self.injector = Injector(self.gw, "tov", mac_of(self.vic, "eth0"))
        self.stack.callback(self.injector.close)
        self.wire = Capture(self.gw, "tov")
        self.stack.callback(self.wire.stop)
        self.barrier()

    @property
    def stock(self):
        return self.mode == "off"

    def fresh(self):
        """The address of a host that nothing is known about yet."""
        return next(self._addresses)

    def forge(self, packet):
        """O sends this, by way of G."""
        self._raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))

    def ping(self, size=0):
        """O asks V for an answer; its packets, as they arrive."""
        ident, seq = os.getpid() & 0xffff, next(_number) & 0xffff
        echo = echo_request(ident, seq, bytes(size))
        self._ping.sendto(echo, (V, 0))
        while True:
            answer = parse(self._ping.recv(65535))
            if answer.icmp == (0, 0) and answer.raw[24:28] == echo[4:8]:
                return answer

    barrier = ping	# and what was sent before has been dealt with

    def forger(self, quote):
        """O's messages again, but as fast as can be: not by way of G."""
        forger = Forger(self.vic, quote, dev=f"tun{next(_number)}", plug=False)
        self.stack.callback(os.close, forger.fd)
        return forger

    def hold(self, hold=True):
        """Lose what the far hosts answer: what V sends stays in flight."""
        self.gw.ip(f"rule {'add' if hold else 'del'} iif tod blackhole")

    def set_rto(self, seconds):
        """The shortest retransmission timeout of V's connections."""
        self.vic.ip(f"route replace default via {G} rto_min {seconds}s")

    def narrow(self, mtu=LINK_MTU):
        """The MTU of G's link to D."""
        self.gw.ip(f"link set tod mtu {mtu}")

    def flows_through(self, count, mtu):
        """Connections to fresh hosts, to which G reports this MTU."""
        self.narrow(mtu)
        flows = []
        for _ in range(count):
            flows.append(Flow(self, self.fresh()))
            self.stack.callback(flows[-1].close)
            flows[-1].send(2000)
            flows[-1].settle()
        return flows

    def close(self):
        self.stack.close()
        for host in self.hosts:
            with contextlib.suppress(OSError):
                host.delete()


class Stuck(AssertionError):
    """Data did not arrive."""


class Flow:
    """A TCP connection from V to D."""

    def __init__(self, net, dst, bind=None):
        self.net, self.dst = net, dst
        self.stack = contextlib.ExitStack()
        with net.far.listen(dst, PORT) as listener:
            self.near = self.stack.enter_context(
                net.vic.connect((dst, PORT), (bind, 0) if bind else None))
            self.far = accept(listener, self.stack)
        self.far.settimeout(5 * net.RTO)
        self.owed = 0
        self.port = self.near.getsockname()[1]

    def send(self, length):
        self.near.sendall(bytes(length))
        self.owed += length

    def settle(self):
        """All that was sent arrives."""
        try:
            got = len(receive(self.far, self.owed))
        except TimeoutError:
            got = -1
        if got != self.owed:
            raise Stuck(f"{self.owed} bytes did not arrive")
        self.owed = 0

    def frames(self, frames=None):
        """What V sent on it, as seen next to V; pieces of it, too."""
        return [f for f in (self.net.wire.frames if frames is None else frames)
                if f.dst == self.dst and f.tcp and (f.fragment or f.sport == self.port or
                                                    f.src != V)]

    def segment(self, length=1448):
        """A segment in flight: D's acknowledgements are lost until release()."""
        self.net.hold()
        self.stack.callback(self.release)
        self.held = True
        self.net.wire.clear()
        self.send(length)
        return self.net.wire.wait(lambda f: f.dst == self.dst and f.data, "the segment")

    held = False

    def release(self):
        if self.held:
            self.held = False
            self.net.hold(False)

    def close(self):
        self.stack.close()


def known(net, flows):
    """To how many of these flows' hosts the MTU is still known."""
    if net.stock:
        return sum(bool(exception(net.vic, f.dst)) for f in flows)
    learned = net.vic.destinations("proven")
    return sum(f.dst in learned for f in flows)
