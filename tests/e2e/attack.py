# SPDX-License-Identifier: GPL-2.0
"""What the tests that attack stand on: a victim behind a gateway, hosts it talks
to, and somebody off the path who sends it "fragmentation needed"; and what has
changed by it, as a set of short facts that are measured on the wire, in the
kernel's routes, in the module's table and in sockets.

The names are those of the list of cases: V the victim, G its gateway, D a host
far away, a fresh one for each case, O the attacker, T the quote of a segment
that is in flight.
"""

import contextlib
import ctypes
import errno
import functools
import itertools
import mmap
import os
import select
import socket
import struct
import threading

import lab

V, V_OTHER, G = "192.0.2.1", "198.51.100.1", "192.0.2.2"
O = "198.18.5.5"
FAR, NOWHERE = "203.0.113", "198.51.100.200"
PORT = 5001
LINK_MTU = 1500
_number = itertools.count()

IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 10, 11, 14
PMTUDISC_DO, PMTUDISC_INTERFACE, PMTUDISC_OMIT = 2, 4, 5
MSG_ERRQUEUE = 0x2000


# ---- packets ----------------------------------------------------------------------

def ip_quote(src, dst, proto, transport, length=1500, *, version=4, ihl=5, df=True,
             offset=0, ttl=64, options=b"", sum_off=0):
    """An IP header, and what follows, as a router would quote it. Whatever it
    says, its checksum is right, unless @sum_off is added to it."""
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, length, 0,
                       (0x4000 if df else 0) | offset, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    right = lab.checksum(head)
    return (head[:10] + struct.pack("!H", (right + sum_off) & 0xffff) + head[12:] +
            transport)


def udp_quote(dst, sport=40000, dport=53, length=1428, src=V, **header):
    return ip_quote(src, dst, socket.IPPROTO_UDP,
                    struct.pack("!HHHH", sport, dport, length - 20, 0), length, **header)


def echo_quote(dst, ident=1, kind=8, length=1500, src=V, **header):
    """Kind 8 is an Echo Request, 0 an Echo Reply."""
    return ip_quote(src, dst, socket.IPPROTO_ICMP,
                    struct.pack("!BBHHH", kind, 0, 0, ident, 1), length, **header)


reply_quote = functools.partial(echo_quote, kind=0)


def tcp_quote(dst, sport, dport, seq, length=1500, src=V, **header):
    return ip_quote(src, dst, socket.IPPROTO_TCP,
                    struct.pack("!HHI", sport, dport, seq & 0xffffffff), length, **header)


def message(quote, mtu=1000, *, src=O, dst=V, code=4, words=0, sum_off=0):
    """The whole ICMP packet. @words is the length field of RFC 4884."""
    icmp = struct.pack("!BBHBBH", 3, code, 0, 0, words, mtu) + quote
    right = lab.checksum(icmp)
    icmp = icmp[:2] + struct.pack("!H", (right + sum_off) & 0xffff) + icmp[4:]
    return lab.ip_header(src, dst, socket.IPPROTO_ICMP, 20 + len(icmp), df=False,
                         ident=next(_number) & 0xffff) + icmp


def in_fragments(packet, at=24):
    """The same in two fragments, the first with @at bytes of what IP carries."""
    body = packet[20:]

    def piece(data, offset, more):
        head = bytearray(packet[:20])
        struct.pack_into("!HHH", head, 2, 20 + len(data), 4711,
                         (0x2000 if more else 0) | offset // 8)
        struct.pack_into("!H", head, 10, 0)
        struct.pack_into("!H", head, 10, lab.checksum(bytes(head)))
        return bytes(head) + data

    return piece(body[:at], 0, True), piece(body[at:], at, False)


# ---- what the stock kernel has learned ---------------------------------------------

def _attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack("HH", data[:4])
        if length < 4:
            return
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


def exception(ns, address):
    """(MTU, locked, seconds left) of the kernel's own exception for a
    destination, as "ip route get" shows it; None if there is none."""
    rta_dst, rta_metrics, rta_cacheinfo, rtm_getroute = 1, 8, 12, 26
    request = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    request += struct.pack("HH4s", 8, rta_dst, socket.inet_aton(address))
    request = struct.pack("IHHII", 16 + len(request), rtm_getroute, 1, 1, 0) + request
    with ns, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(request)
        answer = s.recv(8192)
    if struct.unpack("H", answer[4:6])[0] == 2:	# NLMSG_ERROR: no route
        return None
    found = dict(_attributes(answer[28:]))
    metrics = {k: struct.unpack("I", v)[0] for k, v in _attributes(found.get(rta_metrics, b""))}
    expires = struct.unpack("i", found[rta_cacheinfo][8:12])[0] / 100
    if not expires or 2 not in metrics:
        return None
    return metrics[2], bool(metrics.get(1, 0) & 1 << 2), expires


def counters(ns):
    """What /proc/net/snmp and /proc/net/netstat count."""
    found = {}
    for name in ("snmp", "netstat"):
        with ns, open(f"/proc/thread-self/net/{name}", encoding="ascii") as f:
            lines = f.read().splitlines()
        for names, values in zip(lines[::2], lines[1::2]):
            kind = names.split(":")[0]
            found.update({f"{kind}.{n}": int(v) for n, v in
                          zip(names.split()[1:], values.split()[1:])})
    return found


# ---- the hosts -------------------------------------------------------------------------

class Net:
    """V --- G === D, and O --- G: what O sends to V comes in by the same cable as
    everything else, and O sees nothing of what V and D tell each other. The far
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
                host = lab.Namespace(f"{name}{number}")
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
        self.gw.ip(*lab.veth("tov", self.vic, "eth0", self.mtu, self.mtu),
                   *lab.veth("tod", self.far, "eth0", self.mtu, self.mtu),
                   *lab.veth("too", self.off, "eth0"),
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
        self.gw.sysctl(ip_forward=1, icmp_ratelimit=0, icmp_msgs_per_sec=100000,
                       icmp_msgs_burst=100000)
        # No timer sends anything again before one was told to wait for it.
        self.vic.sysctl(tcp_early_retrans=0)
        ends = [(self.vic, "eth0"), (self.gw, "tov"), (self.gw, "tod"), (self.far, "eth0"),
                (self.gw, "too"), (self.off, "eth0")]
        for host, dev in ends:
            if not gso:
                lab.no_offload(host, dev)
            lab.wait_for(lambda h=host, d=dev: h.device(d, "operstate") == "up", f"{dev} up")
        self.vic.set("mode", self.mode)
        self._raw = self.stack.enter_context(
            self.off.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW))
        self._ping = self.stack.enter_context(
            self.off.socket(socket.SOCK_RAW, proto=socket.IPPROTO_ICMP))
        self.injector = lab.Injector(self.gw, "tov", lab.mac_of(self.vic, "eth0"))
        self.stack.callback(self.injector.close)
        self.wire = lab.Capture(self.gw, "tov")
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
        echo = struct.pack("!BBHHH", 8, 0, 0, ident, seq) + bytes(size)
        echo = echo[:2] + struct.pack("!H", lab.checksum(echo)) + echo[4:]
        self._ping.sendto(echo, (V, 0))
        while True:
            answer = lab.parse(self._ping.recv(65535))
            if answer.icmp == (0, 0) and answer.raw[24:28] == echo[4:8]:
                return answer

    barrier = ping	# and what was sent before has been dealt with

    def forger(self, quote):
        """O's messages again, but as fast as can be: not by way of G."""
        forger = lab.Forger(self.vic, quote, dev=f"tun{next(_number)}", plug=False)
        self.stack.callback(os.close, forger.fd)
        return forger

    def hold(self, hold=True):
        """Lose what the far hosts answer: what V sends stays in flight."""
        self.gw.ip(f"rule {'add' if hold else 'del'} iif tod blackhole")

    def close(self):
        self.stack.close()
        for host in self.hosts:
            with contextlib.suppress(OSError):
                host.delete()


class Stuck(AssertionError):
    """Data did not arrive."""


class Flow:
    """A TCP connection from V to D."""

    def __init__(self, net, dst, bind=None, sizes=True):
        self.net, self.dst = net, dst
        self.stack = contextlib.ExitStack()
        listener = net.far.socket()
        if not sizes:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 100)
        with listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((dst, PORT))
            listener.listen()
            self.near = self.stack.enter_context(
                net.vic.connect((dst, PORT), (bind, 0) if bind else None))
            self.far, _ = listener.accept()
        self.far.settimeout(5 * net.RTO)
        self.stack.enter_context(self.far)
        self.owed = 0
        self.port = self.near.getsockname()[1]

    def send(self, length):
        self.near.sendall(bytes(length))
        self.owed += length

    def settle(self):
        """All that was sent arrives."""
        try:
            got = len(lab.receive(self.far, self.owed))
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
        """A segment that is in flight: nobody acknowledges it until released."""
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


class Facts(list):
    """What was seen. Compared as a set, shown in order."""

    def __str__(self):
        return ", ".join(self) or "no change"

    def are(self, text):
        """Are these the facts of a text? Its "ignored" is any reasons for which
        every message was ignored."""
        wanted, found = set(Facts.of(text)), set(self)
        if "ignored" in wanted:
            reasons = {f for f in found if f.startswith("ignored_")}
            counts = [f.split(" ")[1:] for f in reasons]
            every = counts == [[]] or (counts and all(counts) and sum(
                int(c[0]) for c in counts) == int(counts[0][2]))
            if every:
                found = found - reasons | {"ignored"}
        return found == wanted

    @staticmethod
    def of(text):
        return Facts(f for f in text.split(", ") if f and f != "no change")


MIBS = {"Icmp.InErrors": "InErrors", "Icmp.InCsumErrors": "InCsumErrors",
        "TcpExt.OutOfWindowIcmps": "OutOfWindowIcmps"}


class Scene:
    """One case on one kernel: its hosts, its destination, what is done there."""

    def __init__(self, net, dst=None):
        self.net = net
        self.stack = contextlib.ExitStack()
        self.dst = dst or net.fresh()
        self.watched = [self.dst]
        self.base, self.mss = LINK_MTU, net.mtu - 40
        self.sent = 0
        self.seen = Facts()
        self.probe = True
        self.bind = None
        self._flow = None
        self._segment = None
        self._before = None

    # What a case does with it

    @property
    def stock(self):
        return self.net.stock

    @property
    def vic(self):
        return self.net.vic

    @property
    def flow(self):
        """A connection to D that was there before anything happened."""
        if not self._flow:
            self._flow = Flow(self.net, self.dst, self.bind)
            self.stack.callback(self._flow.close)
        return self._flow

    @property
    def segment(self):
        """One of its segments, in flight."""
        if not self._segment:
            self._segment = self.flow.segment()
        return self._segment

    def quote(self, shift=0, sport=None, **header):
        """T, with changes: of its header, its sequence number, its port."""
        seg = self.segment
        fields = {"src": seg.src, "dst": seg.dst, "length": seg.length, **header}
        return tcp_quote(fields.pop("dst"), sport or seg.sport, seg.dport,
                         seg.seq + shift, **fields)

    def start(self):
        """From here on everything counts; the connection is there before."""
        if self._before is None:
            if self.probe:
                self.flow
            self._before = (counters(self.vic), self.vic.stats())

    def tell(self, quote, mtu=1000, **outer):
        """O sends V a message."""
        self.send(message(quote, mtu, **outer))

    def send(self, packet, inject=False):
        self.start()
        self.sent += 1
        (self.net.injector.send if inject else self.net.forge)(packet)

    def see(self, *facts):
        self.seen.extend(facts)

    def socket(self, *args, **kwargs):
        return self.stack.enter_context(self.vic.socket(*args, **kwargs))

    def setting(self, name, value):
        """A setting of the module's for this case only."""
        old = self.vic.get(name)
        self.vic.set(name, value)
        self.stack.callback(self.vic.set, name, old)

    def sysctl(self, name, value):
        path = "/proc/sys/net/ipv4/" + name
        with self.vic, open(path, encoding="ascii") as f:
            old = f.read().strip()
        self.vic.sysctl(**{name.replace("/", "__"): value})
        self.stack.callback(self.vic.sysctl, **{name.replace("/", "__"): old})

    # What has become of it

    def state(self):
        """What is known about the watched destinations."""
        facts = Facts()
        for address in self.watched:
            known = exception(self.vic, address)
            if known:
                facts.append(f"exception {known[0]}" + (" locked" if known[1] else ""))
            facts += [f"{e['state']} {e['mtu']}" for e in self.vic.listing()
                      if e["destination"] == address]
        return facts

    @staticmethod
    def _wire(frames):
        if not frames:
            return Facts()
        facts = Facts()
        biggest = max(f.length for f in frames)
        if any(f.fragment for f in frames):
            facts.append("fragments")
        else:
            facts.append(f"TCP {biggest}")
        if not all(f.df for f in frames):
            facts.append("DF off")
        return facts

    def _exchange(self, flow, length=2800):
        self.net.wire.clear()
        flow.send(length)
        try:
            flow.settle()
        except Stuck:
            return Facts(["hangs"])
        return self._wire(flow.frames())

    def wire(self):
        """What TCP sends to D: an old connection, and a new one."""
        facts = Facts()
        self.flow.release()
        old = self._exchange(self.flow)
        self.net.wire.clear()
        new = Flow(self.net, self.dst, self.bind)
        try:
            syn = self.net.wire.wait(lambda f: f.dst == self.dst and f.flags & lab.SYN, "the SYN")
            mss = struct.unpack("!H", syn.raw[42:44])[0]
            seen = self._exchange(new)
        finally:
            new.close()
        normal = Facts([f"TCP {self.base}"])
        for fact in old:
            if fact in seen:
                facts += [fact] if fact not in normal else []
            elif fact not in normal:
                facts.append(f"old {fact}")
        facts += [f"new {f}" for f in seen if f not in old and f not in normal]
        if mss != self.mss:
            facts.append(f"SYN MSS {mss}")
        return facts

    def reasons(self):
        """How the messages were counted."""
        mibs, stats = self._before
        facts = Facts()
        if self.stock:
            now = counters(self.vic)
            return Facts(text for name, text in MIBS.items() if now[name] > mibs[name])
        for name, value in self.vic.stats().items():
            n = value - stats[name]
            if n and name.startswith(("ignored_", "passed_")):
                facts.append(name if n == self.sent else f"{name} {n} of {self.sent}")
        return facts

    def measure(self):
        """What has changed, all of it."""
        self.start()
        self.net.barrier()
        facts = self.state()
        reasons = self.reasons()
        if self.probe:
            facts += self.wire()
        return Facts(facts + self.seen + reasons)

    def close(self):
        self.stack.close()


def socket_error(sock):
    """Facts about what a socket was told."""
    facts = []
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        data, control, _, _ = sock.recvmsg(1, 512, MSG_ERRQUEUE)
        for level, kind, value in control:
            if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
                number, _, _, _, _, info = struct.unpack("IBBBBI", value[:12])
                facts.append(f"RECVERR {errno.errorcode[number]} {info}")
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        facts.append(errno.errorcode[number])
    return facts


def socket_mtu(sock, normal=LINK_MTU):
    """A fact if a connected socket's path is not what the link carries."""
    mtu = sock.getsockopt(socket.IPPROTO_IP, IP_MTU)
    return [] if mtu == normal else [f"IP_MTU {mtu}"]


# ---- a socket that is owned for as long as one likes -------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


class Owned:
    """A thread in sendmsg() that owns its socket and waits: the page that it is
    to send is not there until it is given."""

    SIZE = mmap.PAGESIZE
    _NR, _API, _REGISTER, _COPY = 323, 0xc018aa3f, 0xc020aa00, 0xc028aa03

    def __init__(self, sock):
        self._fd = _libc.syscall(self._NR, os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd")
        self._page = mmap.mmap(-1, self.SIZE)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._ioctl(self._API, struct.pack("QQQ", 0xaa, 0, 0))
        self._ioctl(self._REGISTER, struct.pack("QQQQ", self._at, self.SIZE, 1, 0))
        self._thread = threading.Thread(target=sock.sendall, args=(self._page,), daemon=True)
        self._thread.start()
        if not select.select([self._fd], [], [], lab.TIMEOUT)[0]:
            raise AssertionError("nobody asked for the page")

    def _ioctl(self, what, argument):
        buffer = ctypes.create_string_buffer(argument, len(argument))
        if _libc.ioctl(self._fd, ctypes.c_ulong(what), buffer):
            raise OSError(ctypes.get_errno(), "userfaultfd")

    def let_go(self):
        source = ctypes.create_string_buffer(2 * self.SIZE)
        at = (ctypes.addressof(source) + self.SIZE - 1) & ~(self.SIZE - 1)
        self._ioctl(self._COPY, struct.pack("QQQQq", self._at, at, self.SIZE, 0, 0))
        self._thread.join(lab.TIMEOUT)
        os.close(self._fd)
