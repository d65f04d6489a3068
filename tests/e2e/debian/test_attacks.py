# SPDX-License-Identifier: GPL-2.0
"""Every case of tests/attacks.md that an attacker can bring about from outside: on
the stock path (the module's mode is "off") and with the module ("enforce"), what
changed is measured. Both go into one table, printed as notes, with what the list
says of stock kernels and what is wanted of the module; the module must do what is
wanted.
"""

import contextlib
import dataclasses
import functools
import os
import socket
import struct
import time
import typing
import unittest

from lab.datagrams import DO, INTERFACE, IP_MTU_DISCOVER, IP_RECVERR, OMIT
from lab.netlink import exception
from lab.packets import SYN, in_fragments, tcp_packet, with_checksum
from lab.scene import MIBS, Facts, Owned, Scene, socket_error, socket_mtu
from lab.system import get, one_cpu, wait_for, write_line
from lab.transfer import retransmissions, tcp_info, wait_until_acked
from lab.victim import (G, NOWHERE, PORT, V, V_OTHER, Net, Stuck, echo_quote, ip_quote, known,
                        message, reply_quote, tcp_quote, udp_quote)
from lab.wire import Capture


CASES = []


@dataclasses.dataclass
class Case:
    """@listed: what the list says a stock kernel does, as facts, or in words
    after a "~", which are not compared. @wanted: all that the module does;
    "ignored" stands for any reasons that count each message once, and "or"
    separates alternatives."""
    number: str
    title: str
    listed: str
    wanted: str
    run: typing.Callable
    fresh: bool = False
    options: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        digits = self.number.rstrip("abcdefgh")
        return f"test_{int(digits):03}{self.number[len(digits):]}"


def case(number, title, listed, wanted, fresh=False, **options):
    """Decorates what brings a case about: it gets a Scene, and what it returns
    are the facts; if that is None, they are measured."""
    def note(run):
        CASES.append(Case(number, title, listed, wanted, run, fresh, options))
        return run
    return note


def single(number, title, listed, wanted, quote=Scene.quote, mtu=1000):
    """A case of one message with this quote, by default T."""
    def run(scene):
        scene.tell(quote(scene), mtu)
    CASES.append(Case(number, title, listed, wanted, run))


def live(**changes):
    return lambda scene: scene.quote(**changes)


def about(build, **changes):
    """A quote of something that was never sent, about this case's D."""
    return lambda scene: build(scene.dst, **changes)


BELIEVED = "proven 1000, TCP 1000"
ACCEPTED = "exception 1000"

# ---- syntax -----------------------------------------------------------------------

single("1", "quote cut to 7 bytes of TCP", "InErrors", "ignored_truncated",
     quote=lambda s: s.quote()[:27])


@case("2", "quotes of 0, 19 and 20 bytes", "InErrors", "ignored_truncated")
def _(s):
    for length in (0, 19, 20):
        s.tell(s.quote()[:length])


@case("3", "wrong ICMP checksum", "InCsumErrors", "ignored_checksum")
def _(s):
    s.tell(s.quote(), sum_off=1)


@case("4", "inner IHL 0 and 4", "InErrors", "ignored_quote")
def _(s):
    for ihl in (0, 4):
        s.tell(s.quote(ihl=ihl))


single("5", "inner IHL 15, 28 bytes quoted", "InErrors", "ignored_truncated",
     quote=live(ihl=15))


@case("7", "inner version 0 and 6", ACCEPTED, "ignored_quote")
def _(s):
    for version in (0, 6):
        s.tell(s.quote(version=version))


single("8a", "inner total length 0", ACCEPTED, "ignored_quote", quote=live(length=0))
single("8b", "inner total length 28, MTU 1000", ACCEPTED, "ignored_fits", quote=live(length=28))
single("9", "inner DF clear", ACCEPTED, "ignored_df", quote=live(df=False))
single("11", "inner header checksum wrong", ACCEPTED, BELIEVED, quote=live(sum_off=1))


@case("12", "ICMP code 0x14", "no change", "no change")
def _(s):
    s.tell(s.quote(), code=0x14)


def extended(objects, bad=False):
    """A quote of 128 bytes with an RFC 4884 extension after it."""
    def run(s):
        ext = bytearray(with_checksum(struct.pack("!BBH", 0x20, 0, 0) + objects, 2))
        ext[3] ^= bad
        s.tell(s.quote().ljust(128, b"x") + ext, words=32)
    return run


for letter, text, objects, bad in (
        ("a", "wrong checksum", struct.pack("!HBBI", 8, 1, 1, 7), True),
        ("b", "an object of length 3", struct.pack("!HBBI", 3, 1, 1, 7), False),
        ("c", "an object past the end", struct.pack("!HBBI", 800, 1, 1, 7), False)):
    case(f"14{letter}", f"RFC 4884 extension: {text}", ACCEPTED, BELIEVED)(
        extended(objects, bad))


@case("15a", "outer packet in two fragments", ACCEPTED, BELIEVED)
def _(s):
    first, second = in_fragments(message(s.quote()), 24)
    s.send(first)
    s.net.forge(second)


@case("15b", "first of two outer fragments alone", "no change", "no change")
def _(s):
    s.send(in_fragments(message(s.quote()), 40)[0])


# ---- addresses -----------------------------------------------------------------------

single("18", "inner source not ours", "no change", "ignored_outer",
     quote=live(src="192.0.2.99"))
single("20", "inner source 127.0.0.1", "no change", "ignored_outer", quote=live(src="127.0.0.1"))


@case("21", "inner source our other address, sent to the first", ACCEPTED, "ignored_outer")
def _(s):
    s.bind = V_OTHER
    s.tell(s.quote())


def never(number, title, dst, listed, wanted, kinds="ter"):
    """About destinations that no path is discovered to, quoted in every way."""
    quotes = {"t": lambda s: s.quote(dst=dst), "e": lambda s: reply_quote(dst),
              "r": lambda s: echo_quote(dst), "u": lambda s: udp_quote(dst)}

    @case(number, title, listed, wanted)
    def _(s):
        s.watched.append(dst)
        for kind in kinds:
            s.tell(quotes[kind](s))


BAD_DST = "ignored"
never("23", "inner destination V", V, "no change", BAD_DST, "teur")
never("24a", "inner destination 239.1.2.3", "239.1.2.3", "no change", BAD_DST, "teur")
never("24b", "inner destination 224.0.0.1", "224.0.0.1", "no change", BAD_DST, "teur")
never("24c", "inner destination 255.255.255.255", "255.255.255.255", "no change", BAD_DST,
      "teur")
never("25a", "inner destination 192.0.2.255", "192.0.2.255", ACCEPTED, BAD_DST, "teur")
never("25b", "inner destination 240.0.0.1", "240.0.0.1", ACCEPTED, BAD_DST, "teur")


def on_link(s):
    """G answers ARP for D, which is behind a link of its own."""
    dst = "192.0.2.50"
    s.net.gw.ip(f"route add {dst}/32 via 10.9.0.2")
    s.net.gw.sysctl(conf__tov__proxy_arp=1)
    s.net.far.ip(f"addr add {dst}/32 dev lo")
    s.vic.ip(f"route add {dst}/32 dev eth0 rto_min {s.net.RTO}s")
    s.dst, s.watched = dst, [dst]


@case("26a", "on-link destination, quotes of UDP and of an Echo", ACCEPTED,
      "ignored_on_link", fresh=True)
def _(s):
    on_link(s)
    s.tell(udp_quote(s.dst))
    s.tell(echo_quote(s.dst))


@case("26b", "on-link destination, T", ACCEPTED, BELIEVED, fresh=True)
def _(s):
    on_link(s)
    s.tell(s.quote())


for letter, source in zip("abcd", ("127.0.0.1", "224.0.0.5", "255.255.255.255", V)):
    @case(f"27{letter}", f"outer source {source}", "no change", "no change")
    def _(s, source=source):
        s.send(message(s.quote(), src=source), inject=True)


@case("27e", "outer source V, on lo, as from a local tunnel", ACCEPTED, "local 1000, TCP 1000")
def _(s):
    packet = message(s.quote(), src=V)
    s.start()
    s.sent += 1
    s.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW).sendto(packet, (V, 0))


@case("29", "outer destination 192.0.2.255", "InErrors", "ignored_outer")
def _(s):
    s.send(message(s.quote(), dst="192.0.2.255"), inject=True)


def admins_route(s):
    s.vic.ip(f"route add {s.dst}/32 via {G} mtu 1400 rto_min {s.net.RTO}s")
    s.base, s.mss = 1400, 1360
    return s.vic.run("ip", "route", "show", s.dst)


@case("31a", "administrator's route with mtu 1400, quote of an Echo Reply", ACCEPTED,
      "ignored_icmp")
def _(s):
    before = admins_route(s)
    s.tell(reply_quote(s.dst))
    facts = s.measure()
    if s.vic.run("ip", "route", "show", s.dst) != before:
        facts.append("route changed")
    return facts


@case("31b", "the same, T; and when it has expired", ACCEPTED, f"{BELIEVED}, then TCP 1400",
      fresh=True)
def _(s):
    s.setting("expire", 4)
    s.sysctl("route/mtu_expires", 4)
    before = admins_route(s)
    s.tell(s.quote())
    facts = s.measure()
    if s.vic.run("ip", "route", "show", s.dst) != before:
        facts.append("route changed")
    wait_for(lambda: not s.state(), "it to expire")
    s.base = 0
    facts += [f"then {fact}" for fact in s.wire() if not fact.startswith("SYN")]
    return facts


# ---- MTU values ------------------------------------------------------------------------

single("32a", "MTU 0, total length 1500, estimate 1500", "exception 552 locked, DF off",
     "proven 1006, TCP 1006", mtu=0)


@case("32b", "MTU 0, total length 1500, estimate 4352", "exception 552 locked, DF off",
      "proven 1492, TCP 1492", fresh=True, link_mtu=4352)
def _(s):
    s.tell(s.quote(), 0)


single("33", "MTU 0, quote of UDP", "exception 552 locked", "ignored_mtu",
     quote=about(udp_quote), mtu=0)


@case("34", "MTU 1 and 67", "exception 552 locked, DF off", "ignored_mtu")
def _(s):
    for mtu in (1, 67):
        s.tell(s.quote(), mtu)


single("35", "MTU 68", "exception 552 locked, DF off", "proven 68, TCP 68", mtu=68)
single("36a", "MTU 551, default floor", "exception 552 locked", "proven 551, TCP 551", mtu=551)
single("36b", "MTU 552, default floor", "exception 552", "proven 552, TCP 552", mtu=552)
for letter, mtu in (("c", 551), ("d", 552), ("e", 553)):
    @case(f"36{letter}", f"MTU {mtu}, floor (min_mtu) 552",
          "exception 552 locked" if mtu < 552 else f"exception {mtu}",
          f"proven {max(mtu, 552)}, TCP {max(mtu, 552)}")
    def _(s, mtu=mtu):
        s.setting("min_mtu", 552)
        s.tell(s.quote(), mtu)


@case("38", "MTU 1200, then 1400, then 1300", "exception 1200",
      "proven 1200, TCP 1200, ignored_not_smaller 2 of 3")
def _(s):
    s.tell(s.quote(), 1200)
    s.net.barrier()
    left = s.seconds_left
    if not s.stock:
        wait_for(lambda: left() <= 598, "time to pass")
    before = left()
    s.tell(s.quote(), 1400)
    s.tell(s.quote(), 1300)
    s.net.barrier()
    if left() > before:
        s.see("timer refreshed")


@case("39", "floor set to 67, -1 and 70000", "67 refused, -1 refused, 70000 taken",
      "67 refused, -1 refused, 70000 refused", fresh=True)
def _(s):
    facts = Facts()
    for value in (67, -1, 70000):
        try:
            if s.stock:
                s.vic.sysctl(route__min_pmtu=value)
            else:
                s.vic.set("min_mtu", value)
            facts.append(f"{value} taken")
        except OSError:
            facts.append(f"{value} refused")
    return facts


@case("40", "a path of 68 bytes, reported by its real router", "~88-byte packets over it",
      "proven 68, progress", fresh=True)
def _(s):
    flow = s.flow
    s.net.narrow(68)
    s.net.wire.clear()
    flow.send(2000)
    facts = Facts()
    with contextlib.suppress(Stuck):
        flow.settle()
        facts.append("progress")
    frames = flow.frames()
    # 16 bytes of data a packet, and each three times at most.
    if len(frames) > 3 * 2000 / 16:
        facts.append(f"{len(frames)} packets")
    if not all(f.df for f in frames):
        facts.append("DF off")
    s.net.narrow()
    return s.state() + facts


# ---- TCP ----------------------------------------------------------------------------------

@case("41", "sequence number one below, one above", "OutOfWindowIcmps", "ignored_sequence")
def _(s):
    s.tell(s.quote(shift=-1))
    s.tell(s.quote(shift=s.segment.data + 1))


@case("42", "idle connection, sequence number equal to snd_nxt", ACCEPTED, "ignored_sequence")
def _(s):
    seg = s.segment
    s.flow.release()
    s.flow.settle()
    s.flow.send(100)
    s.flow.settle()
    wait_until_acked(s.flow.near)
    s.tell(s.quote(shift=seg.data + 100))


single("44", "wrong source port", "no change", "ignored_no_socket",
     quote=lambda s: s.quote(sport=s.segment.sport ^ 1))


def acknowledged(s, count=20):
    """D has acknowledged large segments, one by one."""
    for _ in range(count):
        s.flow.send(1448)
        s.flow.settle()
    wait_until_acked(s.flow.near)


@case("46", "1500 acknowledged, 5 segments in flight, MTU 552, then the ACK", "exception 552",
      "at first no change", fresh=True)
def _(s):
    acknowledged(s)
    seg = s.flow.segment(4 * 1448)
    back = Capture(s.net.gw, "tod")
    s.stack.callback(back.stop)
    s.flow.send(1448)
    # D has all of it; nobody but this capture has seen D say so.
    end = (seg.seq + 5 * 1448) & 0xffffffff
    ack = back.wait(lambda f: f.src == s.dst and
                    (struct.unpack("!I", f.raw[28:32])[0] - end) & 0x80000000 == 0, "the ACK")
    s.tell(tcp_quote(s.dst, seg.sport, seg.dport, seg.seq), 552)
    s.net.barrier()
    s.see("at first " + str(s.state()))
    s.net.injector.send(ack.raw)
    wait_until_acked(s.flow.near)
    return s.measure()


@case("47", "1500 acknowledged, then the path becomes 1492 and its router says so",
      "exception 1492, at once", "proven 1492, TCP 1492, after 1 timeout", fresh=True)
def _(s):
    s.vic.ip(f"route replace default via {G} rto_min 400ms")
    # So many that their mean is above 1492 with a few empty ones (defer.c).
    for _ in range(50):
        s.flow.send(20 * 1448)
        s.flow.settle()
    acknowledged(s)
    s.net.narrow(1492)
    before = s.vic.counters()["TcpExt.TCPTimeouts"]
    s.flow.send(1448)
    s.flow.settle()
    timeouts = s.vic.counters()["TcpExt.TCPTimeouts"] - before
    s.see(f"after {timeouts} timeout" if timeouts else "at once")
    facts = s.state() + s.wire() + s.seen
    s.net.narrow()
    return Facts(f for f in facts if f != "SYN MSS 1452")


@case("48a", "nothing larger than 140 bytes was sent, MTU 150, quoted as it is",
      "exception 552 locked", "ignored_fits")
def _(s):
    seg = s.flow.segment(88)
    s.tell(tcp_quote(s.dst, seg.sport, seg.dport, seg.seq, seg.length), 150)


@case("48b", "the same, quoted with a total length of 1500", "exception 552 locked",
      "ignored")
def _(s):
    seg = s.flow.segment(88)
    s.tell(tcp_quote(s.dst, seg.sport, seg.dport, seg.seq), 150)


@case("49a", "a listening socket", "no change", "ignored_no_socket")
def _(s):
    s.stack.enter_context(s.vic.listen(V, 8080))
    s.tell(tcp_quote(s.dst, 8080, 5555, 1))


@case("49b", "a connection in TIME_WAIT", "no change", "ignored_state")
def _(s):
    flow = s.flow
    s.net.wire.clear()
    flow.send(1448)
    flow.settle()
    seg = s.net.wire.wait(lambda f: f.dst == s.dst and f.data, "the segment")
    flow.near.close()
    assert not flow.far.recv(1)
    flow.far.close()
    wait_for(lambda: "tw 1" in open_sockets(s.vic), "TIME_WAIT")
    s.forget_flow()
    s.tell(tcp_quote(s.dst, seg.sport, seg.dport, seg.seq + seg.data))


def open_sockets(ns):
    with ns:
        return get("/proc/thread-self/net/sockstat")


@case("49c", "a connection in SYN_RECV", "no change", "ignored_state")
def _(s):
    s.stack.enter_context(s.vic.listen(V, 8080))
    s.net.injector.send(tcp_packet(NOWHERE, V, 5555, 8080, 1000))
    answer = s.net.wire.wait(lambda f: f.dst == NOWHERE and f.tcp, "the SYN-ACK")
    s.watched.append(NOWHERE)
    s.tell(tcp_quote(NOWHERE, 8080, 5555, answer.seq))


def connecting(s):
    """The SYN of a connection in SYN_SENT, to a host that never answers."""
    sock = s.socket()
    sock.setblocking(False)
    s.net.wire.clear()
    s.watched[0] = NOWHERE
    with contextlib.suppress(BlockingIOError):
        sock.connect((NOWHERE, PORT))
    return s.net.wire.wait(lambda f: f.dst == NOWHERE and f.flags == SYN, "the SYN")


@case("49d", "a connection in SYN_SENT, sequence number its ISN", ACCEPTED, "proven 1000")
def _(s):
    syn = connecting(s)
    s.tell(tcp_quote(NOWHERE, syn.sport, PORT, syn.seq))


@case("49e", "the same, sequence number beside it", "OutOfWindowIcmps", "ignored_sequence",
      fresh=True)
def _(s):
    syn = connecting(s)
    s.tell(tcp_quote(NOWHERE, syn.sport, PORT, syn.seq + 2))
    s.tell(tcp_quote(NOWHERE, syn.sport, PORT, syn.seq - 1))


@case("50", "sendmsg() owns the socket; MTU 1000, then 1200", "~deferred: TCP_MTU_REDUCED",
      "proven 1000, TCP 1000, ignored_not_smaller 1 of 2")
def _(s):
    quote = s.quote()
    owned = Owned(s.flow.near)
    s.flow.owed += owned.SIZE
    s.tell(quote, 1000)
    s.tell(quote, 1200)
    s.net.barrier()
    s.flow.release()
    owned.let_go()


@case("51", "1,000 identical messages", ACCEPTED, f"{BELIEVED}, sent again once, same cwnd")
def _(s):
    s.net.set_rto(60)
    s.stack.callback(s.net.set_rto, s.net.RTO)
    packet = message(s.quote())
    before = tcp_info(s.flow.near)["snd_cwnd"]
    for _ in range(1000):
        s.send(packet)
    s.net.barrier()
    again = sum(f.data for f in s.flow.frames()) - s.segment.data
    times = again / s.segment.data
    s.see("sent again once" if times == 1 else f"sent again {times:g} times")
    after = tcp_info(s.flow.near)["snd_cwnd"]
    s.see("same cwnd" if before == after else f"cwnd {before} to {after}")


single("52", "a new connection while 1000 is learned", "SYN MSS 960", BELIEVED)
single("53", "quote of an Echo Reply, MTU 68, then 2800 bytes", "fragments, DF off",
     "ignored_icmp", quote=about(reply_quote), mtu=68)
single("54", "quote of UDP, MTU 68, then 2800 bytes", "fragments, DF off", "unproven 552",
     quote=about(udp_quote), mtu=68)

# ---- UDP, ICMP, other protocols ------------------------------------------------------------

single("56", "quote of an Echo Reply", ACCEPTED, "ignored_icmp", quote=about(reply_quote))
single("57", "quote of UDP, no socket", ACCEPTED, "unproven 1000", quote=about(udp_quote))
single("57b", "quote of an Echo Request, no socket", "~", "unproven 1000",
     quote=about(echo_quote))


def datagram(s, connect=True, port=0, discover=DO, recverr=False):
    sock = s.socket(socket.SOCK_DGRAM)
    sock.bind((V, port) if connect else ("0.0.0.0", port))
    sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
    if recverr:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    if connect:
        sock.connect((s.dst, 53))
    return sock


@case("58", "a connected UDP socket, its 4-tuple", f"{ACCEPTED}, EMSGSIZE",
      "unproven 1000, EMSGSIZE, IP_MTU 1000")
def _(s):
    sock = datagram(s)
    s.tell(udp_quote(s.dst, sport=sock.getsockname()[1]))
    s.net.barrier()
    s.see(*socket_error(sock), *socket_mtu(sock))


@case("58b", "a connected UDP socket, another source port", "~", "unproven 1000")
def _(s):
    sock = datagram(s)
    s.tell(udp_quote(s.dst, sport=sock.getsockname()[1] ^ 1))
    s.net.barrier()
    facts = s.measure()
    return facts + socket_error(sock)


@case("60a", "an unconnected UDP socket on *:40001", ACCEPTED, "unproven 1000")
def _(s):
    sock = datagram(s, connect=False, port=40001)
    s.tell(udp_quote(s.dst, sport=40001))
    s.net.barrier()
    s.see(*socket_error(sock))


@case("60b", "the same with IP_RECVERR", ACCEPTED,
      "unproven 1000, RECVERR EMSGSIZE 1000")
def _(s):
    sock = datagram(s, connect=False, port=40001, recverr=True)
    s.tell(udp_quote(s.dst, sport=40001))
    s.net.barrier()
    s.see(*socket_error(sock))


for letter, name, mode in (("a", "OMIT", OMIT), ("b", "INTERFACE", INTERFACE)):
    @case(f"61{letter}", f"a connected socket with IP_PMTUDISC_{name}", ACCEPTED,
          "unproven 1000, EMSGSIZE or unproven 1000")
    def _(s, discover=mode):
        sock = datagram(s, discover=discover)
        s.tell(udp_quote(s.dst, sport=sock.getsockname()[1]))
        s.net.barrier()
        s.see(*socket_error(sock))


@case("62", "a connected ping socket, its id", "~", "unproven 1000, EMSGSIZE")
def _(s):
    s.vic.sysctl(ping_group_range="0 65535")
    sock = s.socket(socket.SOCK_DGRAM, proto=socket.IPPROTO_ICMP)
    sock.bind((V, 4242))
    sock.connect((s.dst, 0))
    s.tell(echo_quote(s.dst, ident=4242))
    s.net.barrier()
    s.see(*socket_error(sock), *socket_mtu(sock))


def raw_socket(s, proto):
    sock = s.socket(socket.SOCK_RAW, proto=proto)
    sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    return sock


@case("63a", "a raw socket of protocol 89", ACCEPTED,
      "unproven 1000, RECVERR EMSGSIZE 1000")
def _(s):
    sock = raw_socket(s, 89)
    s.tell(ip_quote(V, s.dst, 89, bytes(8)))
    s.net.barrier()
    s.see(*socket_error(sock))


@case("63b", "a raw ICMP socket", ACCEPTED, "unproven 1000, RECVERR EMSGSIZE 1000")
def _(s):
    sock = raw_socket(s, socket.IPPROTO_ICMP)
    s.tell(echo_quote(s.dst, ident=77))
    s.net.barrier()
    s.see(*socket_error(sock))


@case("64", "protocol 255 with an IPPROTO_RAW socket", "no change", "ignored or passed_protocol")
def _(s):
    s.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW)
    s.tell(ip_quote(V, s.dst, 255, bytes(8)))


single("65a", "protocol 47 without a tunnel, ip_gre loaded", ACCEPTED, "unproven 1000",
     quote=lambda s: ip_quote(V, s.dst, 47, bytes(8)))


def gre(s, remote, local=V):
    s.vic.ip(f"link add gre1 type gre local {local} remote {remote}", "link set gre1 up")
    s.stack.callback(s.vic.ip, "link del gre1")


@case("65b", "the same, a tunnel to elsewhere", ACCEPTED, "unproven 1000", fresh=True)
def _(s):
    gre(s, s.net.fresh())
    s.tell(ip_quote(V, s.dst, 47, bytes(8)))


@case("65c", "the same, a tunnel to D", ACCEPTED,
      f"{ACCEPTED}, TCP 1000, SYN MSS 960, passed_protocol", fresh=True)
def _(s):
    gre(s, s.dst)
    s.tell(ip_quote(V, s.dst, 47, bytes(8)))


@case("65d", "the same, when that tunnel is down again", ACCEPTED, "unproven 1000", fresh=True)
def _(s):
    gre(s, s.dst)
    s.vic.ip("link set gre1 down")
    s.tell(ip_quote(V, s.dst, 47, bytes(8)))


@case("66", "all 256 protocols, random bytes, ip_no_pmtu_disc 0 to 3", "alive", "alive",
      fresh=True)
def _(s):
    other = s.net.fresh()
    for value in range(4):
        s.vic.sysctl(ip_no_pmtu_disc=value)
        for proto in range(256):
            s.tell(ip_quote(V, other, proto, os.urandom(8)))
    s.vic.sysctl(ip_no_pmtu_disc=0)
    facts = s.measure()
    return Facts(["alive"] + [f for f in facts if not f.startswith(("ignored_", "passed_", "In"))])


def tunnel(s, spi, dst):
    s.vic.ip(f"xfrm state add src {V} dst {dst} proto esp spi {spi} mode transport "
             'enc ecb(cipher_null) "" auth digest_null ""')


@case("68a", "ESP, an SPI nobody knows", "no change", "passed_protocol", fresh=True)
def _(s):
    tunnel(s, 0x1000, s.dst)
    s.tell(ip_quote(V, s.dst, 50, struct.pack("!II", 0x2000, 1)))


@case("68b", "ESP, an SPI that is known, another destination", "no change", "passed_protocol",
      fresh=True)
def _(s):
    tunnel(s, 0x1000, s.net.fresh())
    s.tell(ip_quote(V, s.dst, 50, struct.pack("!II", 0x1000, 1)))


def associated(s):
    """An SCTP association; the ports of both ends."""
    server = s.stack.enter_context(s.net.far.socket(proto=132))
    server.bind((s.dst, PORT))
    server.listen()
    client = s.socket(proto=132)
    client.connect((s.dst, PORT))
    s.stack.enter_context(server.accept()[0])
    return client.getsockname()[1]


@case("69a", "SCTP, wrong verification tag", "no change", "passed_protocol", fresh=True)
def _(s):
    port = associated(s)
    s.tell(ip_quote(V, s.dst, 132, struct.pack("!HHI", port, PORT, 0xdeadbeef)))


@case("69b", "SCTP, tag 0 with only 8 bytes", "no change", "passed_protocol", fresh=True)
def _(s):
    port = associated(s)
    s.tell(ip_quote(V, s.dst, 132, struct.pack("!HHI", port, PORT, 0)))


# ---- the table -------------------------------------------------------------------------------

@case("70", "50 genuine routes, then 40,000 destinations quoted in Echo Replies",
      "50 before, 0 after", "50 before, 50 after", fresh=True)
def _(s):
    flows = s.net.flows_through(50, 1000)
    facts = Facts([f"{known(s.net, flows)} before"])
    forger = s.net.forger(reply_quote("0.0.0.0"))
    for n in range(40000):
        forger.send(n)
    s.net.barrier()
    facts.append(f"{known(s.net, flows)} after")
    return facts


@case("71", "a limit of 8, full of proven routes, and a ninth", "~no limit to set",
      "8 routes, 8 learned, never more", fresh=True)
def _(s):
    s.vic.set("max_routes", 8)
    more = False
    flows = []
    for n in range(9):
        flows += s.net.flows_through(1, 1000)
        more |= s.vic.count() > 8
    facts = Facts([f"{s.vic.count() if not s.stock else known(s.net, flows)} routes"])
    if not s.stock:
        facts += [f"{known(s.net, flows)} learned"]
        facts += ["more than 8"] if more else ["never more"]
        if not known(s.net, flows[-1:]):
            facts.append("ninth refused")
    return facts


@case("72", "100,000 messages about one destination, then a lower one",
      "exception 1200", "proven 1200, count 1, TCP 1200", fresh=True)
def _(s):
    s.net.set_rto(120)
    packets = [message(s.quote(), mtu) for mtu in (1400, 1300)]
    tun = s.net.forger(s.quote()).fd
    for n in range(100000):
        os.write(tun, packets[n & 1])
    s.net.barrier()
    s.tell(s.quote(), 1200)
    s.net.barrier()
    if not s.stock:
        s.see(f"count {s.vic.count()}")
    facts = s.measure()
    return Facts(f for f in facts if not f.startswith("ignored_not_smaller"))


@case("76", "a limit of 0", "~no limit to set", "ignored_full", fresh=True)
def _(s):
    s.vic.set("max_routes", 0)
    s.tell(s.quote())


# ---- ageing and the clock ----------------------------------------------------------------------

def timeouts(s, module, stock):
    s.setting("expire", module)
    s.sysctl("route/mtu_expires", stock)


@case("78", "an idle route, 2 s instead of 600", "~gone on next look-up only",
      "swept, TCP 1500, nothing sent again", fresh=True)
def _(s):
    timeouts(s, 2, 2)
    s.tell(s.quote())
    s.net.barrier()
    s.flow.release()
    s.flow.settle()
    wait_until_acked(s.flow.near)
    facts = Facts()
    if s.stock:
        wait_for(lambda: not exception(s.vic, s.dst), "it to expire")
        facts.append("gone when looked at")
    else:
        # Nothing is sent, and nobody looks it up.
        wait_for(lambda: s.vic.count() == 0, "the sweep")
        facts.append("swept")
    before = retransmissions(s.flow.near)
    s.net.wire.clear()
    s.flow.send(2800)
    s.flow.settle()
    facts.append(f"TCP {max(f.length for f in s.flow.frames())}")
    again = retransmissions(s.flow.near) - before
    facts.append(f"{again} sent again" if again else "nothing sent again")
    return facts


def extends(s, mtu):
    """A message when most of the life of the last one is over."""
    timeouts(s, 8, 8)
    s.tell(s.quote(), mtu)
    s.net.barrier()
    left = s.seconds_left
    wait_for(lambda: 0 < left() <= 3, "most of its life to pass")
    s.tell(s.quote(), mtu)
    s.net.barrier()
    return Facts([*s.state(), "extended" if left() > 5 else "not extended"])


@case("79a", "a message near the end of a life, 1000 (8 s instead of 600)",
      f"{ACCEPTED}, extended", "proven 1000, extended", fresh=True)
def _(s):
    return extends(s, 1000)


@case("79b", "the same, 300: locked on stock", "exception 552 locked, not extended",
      "proven 300, extended", fresh=True)
def _(s):
    return extends(s, 300)


@case("83", "expiry set to 0, -1, 2^31, abc, 600 x, nothing, 5,000 bytes, 600 and a newline",
      "~0 and -1 taken", "0 taken, 600 taken, the rest refused", fresh=True)
def _(s):
    facts = Facts()
    wrong = ["-1", str(1 << 31), "abc", "600 x", "", "9" * 5000]
    for value in ["0", "600", *wrong]:
        path = s.vic.path("expire")
        if s.stock:
            path = "/proc/sys/net/ipv4/route/mtu_expires"
        try:
            with s.vic:
                write_line(path, value)
            facts.append(f"{value[:10] or 'nothing'} taken")
        except OSError:
            if not s.stock and s.vic.get("expire") != "600" and value in wrong:
                facts.append(f"{value[:10]} left something behind")
    return Facts(facts + ["the rest refused"])


@case("84", "the clock is set 10 years ahead", "~", "no effect", fresh=True)
def _(s):
    s.tell(s.quote())
    s.net.barrier()
    state = s.state()
    real, mono = time.clock_gettime(time.CLOCK_REALTIME), time.monotonic()
    try:
        time.clock_settime(time.CLOCK_REALTIME, real + 10 * 365 * 86400)
        facts = Facts(["no effect" if s.state() == state != [] else "it is gone"])
    finally:
        time.clock_settime(time.CLOCK_REALTIME, real + time.monotonic() - mono)
    return facts


# ---- NAT, IPsec, namespaces, the stock path ------------------------------------------------------

@case("86", "a masqueraded local connection, quoted with its public source", ACCEPTED, BELIEVED,
      fresh=True)
def _(s):
    s.vic.nft(f"""
        table ip nat {{
            chain out {{
                type nat hook postrouting priority srcnat
                oifname eth0 ip saddr {V_OTHER} snat to {V}
            }}
        }}""")
    s.bind = V_OTHER
    assert s.segment.src == V, "it was not translated"
    s.tell(s.quote())


@case("88", "IPsec is required, and the message is in the clear", "no change", "no change",
      fresh=True)
def _(s):
    quote = s.quote()
    s.vic.ip(f"xfrm policy add src 0.0.0.0/0 dst {V}/32 proto 1 type 3 dir in "
             "tmpl proto esp mode transport level required")
    s.tell(quote)
    s.start()
    return Facts(f for f in s.measure() if not f.startswith("passed_policy"))


@case("89", "another namespace with the same addresses and the same connection", "no change",
      "no change", fresh=True)
def _(s):
    other = Net(s.net.mode)
    s.stack.callback(other.close)
    there = Scene(other, s.dst)
    s.stack.callback(there.close)
    there.tell(s.quote())
    there.segment
    there.tell(there.quote(), 900)
    other.barrier()
    if not [f for f in there.state() if "900" in f]:
        return Facts(["the other one did not learn"])


@case("90", "quote of an Echo Reply, MTU 68; then a connected UDP socket's own",
      "exception 552 locked, RECVERR EMSGSIZE 1000",
      "unproven 1000, RECVERR EMSGSIZE 1000, ignored_icmp 1 of 2")
def _(s):
    sock = datagram(s, recverr=True)
    s.tell(reply_quote(s.dst), 68)
    s.tell(udp_quote(s.dst, sport=sock.getsockname()[1]))
    s.net.barrier()
    s.see(*socket_error(sock))


@case("92", "ip_no_pmtu_disc 2 and 3", "new sockets without DF", "ip_no_pmtu_disc is 0",
      fresh=True)
def _(s):
    with s.vic:
        value = int(get("/proc/sys/net/ipv4/ip_no_pmtu_disc"))
    if not s.stock:
        return Facts([f"ip_no_pmtu_disc is {value}"])
    for value in (2, 3):
        s.vic.sysctl(ip_no_pmtu_disc=value)
        discover = s.socket().getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER)
        if discover != 0:
            return Facts(["new sockets with DF"])
    return Facts(["new sockets without DF"])


# What an attacker cannot bring about from outside, or takes another guest: the tests
# that prove it are named in the list.
ELSEWHERE = ("16", "74", "75", "76b", "77", "82", "84b", "89b")


def outcome(c, mode, net):
    """Facts of one case on one path."""
    scene = Scene(net)
    try:
        facts = c.run(scene)
        if facts is None:
            facts = scene.measure()
        return Facts(dict.fromkeys(facts))
    finally:
        scene.close()


class Attacks(unittest.TestCase):
    nets = {}
    rows = {}

    @classmethod
    def setUpClass(cls):
        cls.cpu = contextlib.ExitStack()
        cls.cpu.enter_context(one_cpu())

    @classmethod
    def tearDownClass(cls):
        for net in cls.nets.values():
            net.close()
        cls.cpu.close()
        cls.show()

    def measured(self, c, mode):
        if c.fresh:
            net = Net(mode, **c.options)
            try:
                return outcome(c, mode, net)
            finally:
                net.close()
        if mode not in self.nets:
            self.nets[mode] = Net(mode)
        try:
            return outcome(c, mode, self.nets[mode])
        except BaseException:
            # What it has left behind is not known.
            self.nets.pop(mode).close()
            raise

    def check(self, c):
        row = self.rows[c.number] = [c.title, "", "", "", c.wanted or "no change"]
        try:
            stock = self.measured(c, "off")
            row[1] = str(stock)
            row[2] = c.listed.lstrip("~")
            if not c.listed.startswith("~"):
                row[2] += self.difference(stock, Facts.of(c.listed))
            module = self.measured(c, "enforce")
            row[3] = str(module)
        except Exception as e:
            row[3] = row[3] or f"failed: {e}"
            raise
        self.assertTrue(any(module.are(way) for way in c.wanted.split(" or ")),
                        f"the module did: {module}; wanted: {c.wanted}; stock did: {stock}")

    @staticmethod
    def difference(stock, listed):
        if not listed:
            # Counters aside, nothing happens.
            same = not [f for f in stock if f not in MIBS.values()]
        else:
            same = set(listed) <= {f.removeprefix("old ") for f in stock}
        return "" if same else " (DIFFERS)"

    @classmethod
    def show(cls):
        def line(*cells):
            print("note table: | " + " | ".join(cells) + " |", flush=True)

        line("case", "what", "stock did", "the list says of stock", "the module did", "wanted")
        line(*["---"] * 6)
        order = sorted({*cls.rows, *ELSEWHERE}, key=lambda n: (int(n.rstrip("abcdefgh")), n))
        for number in order:
            if number in cls.rows:
                line(number, *cls.rows[number])
            if number in ELSEWHERE:
                line(number, "see tests/attacks.md", "-", "-", "-", "proven by another test")


for entry in CASES:
    setattr(Attacks, entry.name, functools.partialmethod(Attacks.check, entry))
    assert sum(c.name == entry.name for c in CASES) == 1, entry.name
