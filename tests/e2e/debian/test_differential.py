# SPDX-License-Identifier: GPL-2.0
"""What an application sees and what the wire carries: the stock path (mode
"off") and the module ("enforce"), side by side in one guest.

Every kind of socket x IP_MTU_DISCOVER x IP_RECVERR x message is one case. A case
does the same on both sides, to a destination of its own, and notes everything
it sees as a list of "what: value". The two lists must be equal but for what
INTENDED lists, each with its reason; an entry there that no case needs is wrong,
too.
"""

import collections
import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import itertools
import re
import select
import socket
import struct
import time
import unittest

from lab.datagrams import IP_HDRINCL, IP_MTU, IP_MTU_DISCOVER, IP_RECVERR, UDP_CORK, UDP_SEGMENT
from lab.messages import datagram_quote, quote_of
from lab.packets import SYN, echo_request, ip_header, mss_options, parse
from lab.path import Path
from lab.system import TIMEOUT, one_cpu
from lab.transfer import mss_of, tcp_info
from lab.wire import raw_wire


MODES = {"DONT": 0, "WANT": 1, "DO": 2, "PROBE": 3, "INTERFACE": 4, "OMIT": 5}

BIG = 1400			# bytes of IP packet that the path does not carry
SIZES = (1400, 1201, 1200, 553, 552, 400)
SHOWN = 60			# kinds of difference that are printed


@dataclasses.dataclass(frozen=True)
class Message:
    """What the router says about a packet of BIG bytes."""
    name: str
    mtu: int
    df: bool = True		# in the quote
    port: int = 0		# added to the quoted source port, or id


MESSAGES = [
    Message("1200", 1200),
    Message("552", 552),
    Message("below 552", 400),
    Message("0", 0),
    Message("it fits", BIG),
    Message("no DF", 1200, df=False),
    Message("another port", 1200, port=1),
]


# ---- the two sides -----------------------------------------------------------------

def no_segmentation(ns, dev):
    """Checksums are left to the device (UDP_SEGMENT insists on that), but nothing
    else: the wire carries packets of their real size."""
    def ioctl(s, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        fcntl.ioctl(s, 0x8946, struct.pack("16sP8x", dev.encode(), ctypes.addressof(buffer)))
        return buffer.raw

    with ns.socket(socket.SOCK_DGRAM) as s:
        count = struct.unpack("IIQI", ioctl(s, struct.pack("IIQI", 0x37, 0, 1 << 4, 0)))[3]
        names = ioctl(s, struct.pack("III", 0x1b, 4, count) + bytes(32 * count))[12:]
        blocks = [0] * ((count + 31) // 32)
        for n in range(count):
            name = names[32 * n:32 * n + 32].rstrip(b"\0").decode()
            if "segmentation" in name:
                blocks[n // 32] |= 1 << n % 32
        ioctl(s, struct.pack("II", 0x3b, len(blocks)) +
              b"".join(struct.pack("II", block, 0) for block in blocks))


class Wire:
    """What is on the cable next to the server; nothing is waited for but a
    marker, which comes after everything that was sent before it."""

    def __init__(self, path):
        self._socket = raw_wire(path.rtr, "toserver", 1 << 24)
        self._injector = path.injector()
        self._marks = itertools.count(1)

    def inject(self, packet):
        self._injector.send(packet)

    def _receive(self):
        while True:
            try:
                packet, address = self._socket.recvfrom(1 << 17)
            except BlockingIOError:
                return
            frame = parse(packet[14:]) if address[1] == 0x0800 else None
            if frame and frame.src == Path.SRV:
                yield frame

    def settle(self, dst):
        """What the server sent to @dst since the last time."""
        echo = echo_request(0xbeef, next(self._marks) & 0xffff)
        self.inject(ip_header(Path.RTR_SRV, Path.SRV, socket.IPPROTO_ICMP,
                                  20 + len(echo), df=False) + echo)
        frames, deadline = [], time.monotonic() + TIMEOUT
        while True:
            for frame in self._receive():
                if frame.icmp == (0, 0) and frame.raw[24:28] == echo[4:8]:
                    return frames
                if frame.dst == dst:
                    frames.append(frame)
            if time.monotonic() > deadline:
                raise AssertionError("the server does not answer")
            select.select([self._socket], [], [], 1)

    def close(self):
        self._socket.close()
        self._injector.close()


class Side:
    """A server behind a router; datagrams go nowhere, connections to the client."""

    def __init__(self, mode):
        self.path = Path(1500, offload=True, wire=False)
        self.srv, self.cli, rtr = self.path.srv, self.path.cli, self.path.rtr
        self.srv.set("mode", mode)
        self.srv.set("max_routes", 1 << 20)
        self.srv.sysctl(ping_group_range="0 2147483647", icmp_ratelimit=0)
        rtr.ip("route add blackhole 10.200.0.0/16",
               *(f"route add 10.201.{n}.0/24 via {Path.CLI} mtu lock {mtu}"
                 for n, mtu in enumerate(CONNECTION_MTUS)))
        self.cli.ip("route add local 10.201.0.0/16 dev lo")
        self.listener = self.cli.listen("0.0.0.0", 9000)
        for ns, dev in ((self.srv, "eth0"), (rtr, "toserver"), (rtr, "toclient"),
                        (self.cli, "eth0")):
            no_segmentation(ns, dev)
        self.wire = Wire(self.path)
        if mode != "off":
            self.srv.have_applied("10.200.255.1")

    def close(self):
        self.wire.close()
        self.listener.close()
        self.path.close()


# ---- datagram sockets ------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Case:
    kind: type
    mode: str
    recverr: bool
    message: Message

    def __str__(self):
        return (f"{self.kind.__name__}, {self.mode}, {'IP_RECVERR' if self.recverr else 'no errors asked for'}, "
                f"message {self.message.name}")


class Socket:
    """A kind of socket. send(length) has an IP packet of that length go out."""
    type, proto, connected = socket.SOCK_DGRAM, 0, False
    port = 0

    def __init__(self, side, dst, case):
        self.dst = (dst, self.port)
        self.s = side.srv.socket(self.type, proto=self.proto)
        self.s.setblocking(False)
        self.s.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, MODES[case.mode])
        self.s.setsockopt(socket.SOL_IP, IP_RECVERR, case.recverr)
        self.bind()
        if self.connected:
            self.s.connect(self.dst)

    def bind(self):
        self.s.bind((Path.SRV, 0))

    def put(self, data, flags=0):
        if self.connected:
            self.s.send(data, flags)
        else:
            self.s.sendto(data, flags, self.dst)


class UdpUnconnected(Socket):
    port = 9

    def bind(self):
        self.s.bind((Path.SRV, 7000))

    def send(self, length):
        self.put(bytes(length - 28))


class UdpConnected(UdpUnconnected):
    connected = True


class UdpCorked(UdpConnected):
    """Three pieces, the first on its way before anybody knows the size."""
    def send(self, length):
        data = bytes(length - 28)
        self.s.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 1)
        try:
            for piece in (data[:100], data[100:300], data[300:]):
                self.put(piece)
        finally:
            self.s.setsockopt(socket.IPPROTO_UDP, UDP_CORK, 0)


class UdpMore(UdpUnconnected):
    def send(self, length):
        data = bytes(length - 28)
        self.put(data[:100], socket.MSG_MORE)
        self.put(data[100:])


class UdpSegmented(UdpConnected):
    """UDP_SEGMENT: one call, three datagrams and a short one."""
    def send(self, length):
        self.s.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, length - 28)
        self.put(bytes(3 * (length - 28) + 10))


class UdpSegmentedUnconnected(UdpSegmented):
    connected = False


class PingUnconnected(Socket):
    proto = socket.IPPROTO_ICMP

    def bind(self):
        self.s.bind((Path.SRV, 77))

    def send(self, length):
        self.put(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + bytes(length - 28))


class PingConnected(PingUnconnected):
    connected = True


class Raw(Socket):
    type, proto = socket.SOCK_RAW, 253

    def send(self, length):
        self.put(bytes(length - 20))


class RawConnected(Raw):
    connected = True


class RawHeader(Socket):
    """IP_HDRINCL, without DF and (below) with it."""
    type, proto, df = socket.SOCK_RAW, 253, False

    def bind(self):
        super().bind()
        self.s.setsockopt(socket.SOL_IP, IP_HDRINCL, 1)

    def send(self, length):
        self.put(ip_header(Path.SRV, self.dst[0], 253, length, df=self.df) +
                 bytes(length - 20))


class RawHeaderDf(RawHeader):
    df = True


class RawIcmp(Socket):
    """As ping sends as root: an Echo by a raw socket."""
    type, proto = socket.SOCK_RAW, socket.IPPROTO_ICMP

    def send(self, length):
        self.put(echo_request(78, 1, bytes(length - 28)))


KINDS = (UdpUnconnected, UdpConnected, UdpCorked, UdpMore, UdpSegmented,
         UdpSegmentedUnconnected, PingUnconnected, PingConnected, Raw, RawConnected,
         RawHeader, RawHeaderDf, RawIcmp)


def name_of(code):
    return errno.errorcode.get(code, str(code)) if code else "none"


def call(function, *args):
    try:
        function(*args)
    except OSError as e:
        return name_of(e.errno)
    return "sent"


NO_ID = " no id"


def shape(frames):
    """Packets as the wire shows them; an identification where it is needed."""
    out = []
    for f in frames:
        off = struct.unpack("!H", f.raw[6:8])[0]
        out.append(f"[{f.length}{' DF' if f.df else ''}"
                   f"{f' at {(off & 0x1fff) * 8}' if off & 0x1fff else ''}"
                   f"{' MF' if off & 0x2000 else ''}"
                   f"{'' if f.df else ' id' if f.ident else NO_ID}]")
    idents = {f.ident for f in frames if f.fragment}
    return "".join(out) + (f" {len(idents)} identifications" if idents else "")


def error_queue(s):
    """Everything in it: struct sock_extended_err, the offender, what is quoted."""
    out, timeout = [], s.gettimeout()
    s.setblocking(False)
    while True:
        try:
            data, controls, _, address = s.recvmsg(1 << 16, 512, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            s.settimeout(timeout)
            return out
        for level, kind, raw in controls:
            if (level, kind) == (socket.SOL_IP, IP_RECVERR):
                code, origin, icmp, sub, _, info, extra = struct.unpack("=IBBBBII", raw[:16])
                family = struct.unpack("=H", raw[16:18])[0]
                offender = socket.inet_ntoa(raw[20:24]) if family == socket.AF_INET else "none"
                out.append(f"{name_of(code)} origin {origin} type {icmp} code {sub} info {info} "
                           f"data {extra} offender {offender} to {address} quotes {len(data)}")
            else:
                out.append(f"control message {level}.{kind}")


def option(s, number):
    try:
        return str(s.getsockopt(socket.SOL_IP, number))
    except OSError as e:
        return name_of(e.errno)


def quote(frames, dst, message):
    """What a router quotes of the first packet, which was BIG bytes long."""
    frame = frames[0] if frames else parse(datagram_quote(Path.SRV, dst, BIG))
    at = {6: 0x40 if message.df else 0, 7: 0}
    if message.port:
        place = 24 if frame.proto == socket.IPPROTO_ICMP else 20
        number, = struct.unpack_from("!H", frame.raw, place)
        high, low = struct.pack("!H", number + message.port)
        at |= {place: high, place + 1: low}
    return quote_of(frame, length=BIG, at=at)


def datagrams(side, dst, case):
    """All that is seen of a case, as an ordered dict."""
    seen = collections.OrderedDict()
    wire = side.wire

    def note_socket(when, s):
        seen[f"{when}: SO_ERROR"] = name_of(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        seen[f"{when}: error queue"] = "; ".join(error_queue(s)) or "empty"
        seen[f"{when}: SO_ERROR after that"] = \
            name_of(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        seen[f"{when}: IP_MTU"] = option(s, IP_MTU)
        seen[f"{when}: IP_MTU_DISCOVER"] = option(s, IP_MTU_DISCOVER)

    def note_send(when, s, length):
        outcome = call(s.send, length)
        seen[f"{when}: send {length}"] = f"{outcome} {shape(wire.settle(dst))}"

    sock = case.kind(side, dst, case)
    with sock.s:
        outcome = call(sock.send, BIG)
        frames = wire.settle(dst)
        seen[f"before: send {BIG}"] = f"{outcome} {shape(frames)}"
        note_socket("before", sock.s)
        wire.inject(Path.message(case.message.mtu,
                                    quote(frames, dst, case.message)))
        seen["message: sent"] = shape(wire.settle(dst))
        note_socket("message", sock.s)
        for length in SIZES:
            note_send("after", sock, length)
            note_socket(f"after {length}", sock.s)
        if case.mode == "WANT":
            for mode in ("WANT", "DO"):
                other = dataclasses.replace(case, kind=RawIcmp, mode=mode, recverr=True)
                third = other.kind(side, dst, other)
                with third.s:
                    note_send(f"another socket, {mode}", third, BIG)
                    note_socket(f"another socket, {mode}", third.s)
    return seen


# ---- TCP ----------------------------------------------------------------------------

CONNECTION_MTUS = (1200, 552, 400)
PAYLOAD = 3000


@dataclasses.dataclass(frozen=True)
class ConnectionCase:
    mode: str
    message: Message

    def __str__(self):
        return f"TCP, {self.mode}, path {self.message.mtu}"


def connection_pair(side, dst, mode, passive=None):
    """The server's end, and the client's at @dst."""
    if passive:
        cli = side.cli.socket()
        cli.bind((dst, 0))
        cli.connect((Path.SRV, passive.getsockname()[1]))
        srv, _ = passive.accept()
    else:
        srv = side.srv.socket()
        srv.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, MODES[mode])
        srv.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
        srv.bind((Path.SRV, 0))
        srv.connect((dst, 9000))
        cli, _ = side.listener.accept()
    for s in (srv, cli):
        s.settimeout(TIMEOUT)
    return srv, cli


def arrived(cli, case):
    """Bytes. Nothing does where the stock path keeps sending 552 with DF."""
    cli.settimeout(3 if case.message.name == "below 552" else TIMEOUT)
    got = 0
    with contextlib.suppress(TimeoutError):
        while got < PAYLOAD:
            got += len(cli.recv(PAYLOAD))
    return got


def connections(side, dst, case):
    seen = collections.OrderedDict()
    wire = side.wire

    def transfer(what, srv, cli, exact):
        """@exact: no message comes, so every packet is the same on both sides."""
        before = tcp_info(srv)["total_retrans"]
        srv.sendall(bytes(PAYLOAD))
        seen[f"{what}: arrived"] = str(arrived(cli, case))
        frames = [f for f in wire.settle(dst) if f.tcp]
        for f in frames:
            if f.flags & SYN:
                seen[f"{what}: MSS option"] = str((mss_options(f) or [None])[0])
        data = [f for f in frames if f.data]
        seen[f"{what}: DF"] = str({f.df for f in data})
        if exact:
            seen[f"{what}: sent"] = shape(sorted(data, key=lambda f: f.seq))
            seen[f"{what}: retransmissions"] = str(tcp_info(srv)["total_retrans"] - before)
        seen[f"{what}: IP_MTU"] = option(srv, IP_MTU)
        seen[f"{what}: TCP_MAXSEG"] = str(mss_of(srv))
        seen[f"{what}: errors"] = "; ".join(error_queue(srv)) + \
            name_of(srv.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    ends = []
    listener = side.srv.socket()
    ends.append(listener)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, MODES[case.mode])
        listener.bind((Path.SRV, 9001))
        listener.listen()
        first = connection_pair(side, dst, case.mode)
        idle = connection_pair(side, dst, case.mode)
        teller = connection_pair(side, dst, "WANT")
        ends += teller
        wire.settle(dst)
        transfer("reported", *first, exact=False)
        transfer("another gets the report", *teller, exact=False)
        for what, make in (
                ("known", lambda: first), ("known, an idle one", lambda: idle),
                ("new, opened", lambda: connection_pair(side, dst, case.mode)),
                ("new, accepted", lambda: connection_pair(side, dst, case.mode, listener))):
            conn = make()
            ends += conn
            transfer(f"{what}, first flight", *conn, exact=True)
            transfer(what, *conn, exact=True)
    finally:
        for s in ends:
            s.close()
    return seen


# ---- the intended differences ----------------------------------------------------

DATAGRAMS, CONNECTIONS = (datagrams,), (connections,)


@dataclasses.dataclass
class Intended:
    """@when(case, what) says where the two may differ, @like(case, what,
    stock, module) how."""
    reason: str
    runs: tuple
    when: object
    like: object = lambda case, what, stock, module: True


def about(*names):
    return lambda case, what: case.message.name in names


def untouched(case, what, stock, module):
    """As if there had been no message."""
    if ": send" in what:
        return module.startswith("sent") and "MF" not in module
    return module == ("none" if "SO_ERROR" in what else "empty" if "error queue" in what else "1500")


LINK_MODES = ("PROBE", "INTERFACE", "OMIT")


def no_larger_than(mtu):
    """What was sent fits; a socket that asked for the link's MTU sends by that."""
    def like(case, what, stock, module):
        if ": send" in what:
            return case.mode in LINK_MODES or \
                all(int(size) <= mtu for size in re.findall(r"\[(\d+)", module))
        return True
    return like


def follows_path(case, what, stock, module):
    """Everything arrives; what was sent fits the path, with DF where the socket
    sets it."""
    if what.endswith(": arrived"):
        return module == str(PAYLOAD)
    if what.endswith(": errors"):
        return module == "none"
    sizes = [packet.split() for packet in re.findall(r"\[([^]]*)\]", module)]
    return all(int(size[0]) <= case.message.mtu and
               ("DF" in size) == (case.mode in ("WANT", "DO")) for size in sizes)


def first_flight(case, what, stock, module):
    if what.endswith(": TCP_MAXSEG"):
        return module == "1448"
    return what.endswith(": sent") and "MF" not in module and \
        follows_path(case, what, stock, module)


INTENDED = [
    Intended("A genuine router quotes a packet that did not fit (RFC 792, RFC 5927 7.2): "
             "a quote that fits the MTU it is said to exceed is refused, and nobody hears of it. "
             "Stock reports it to the socket.", DATAGRAMS, about("it fits"), untouched),
    Intended("Type 3 code 4 means that DF was set (RFC 792): a quote without it is refused. "
             "Stock believes it.", DATAGRAMS, about("no DF"), untouched),
    Intended("An MTU of 0 is a router older than RFC 1191: the plateau below the quoted length, "
             "DF stays set; of what nothing proves, nothing. Stock locks its minimum, 552, with DF "
             "off.", DATAGRAMS, about("0")),
    Intended("Whether a socket matches a quote that nothing proves makes no difference to the "
             "table, or it would tell about ports and ids (CVE-2021-20322). Stock looks for a "
             "ping socket with this id first.", DATAGRAMS,
             lambda case, what: case.message.port and issubclass(case.kind, PingUnconnected),
             no_larger_than(1200)),
    Intended("What a host route has to say of a datagram it says when it is whole. Nobody waits "
             "for that of a corked one: the first that is too big is dropped, and from then on "
             "the socket knows. Stock refuses its last piece.", DATAGRAMS,
             lambda case, what: case.message.name == "another port" and case.kind is UdpCorked and
             case.mode == "DO" and what == "after: send 1400",
             lambda case, what, stock, module: module.strip() == "sent"),
    Intended("A module cannot look up a ping socket. It has the kernel tell it, but its IP_MTU "
             "follows only when it sends.", DATAGRAMS,
             lambda case, what: case.kind is PingConnected and what == "message: IP_MTU",
             lambda case, what, stock, module: module == "1500"),
    Intended("A packet with a header of the program's own, with DF and too big: refused by both. "
             "Stock then sends itself a message about it.", DATAGRAMS,
             lambda case, what: case.kind is RawHeaderDf and case.recverr and
             what.startswith("after"),
             lambda case, what, stock, module:
             "origin 1 " in module and "origin 2 " in stock if "queue" in what else
             (what.endswith("SO_ERROR") and module == "none")),
    Intended("A socket that asked for the link's MTU is not put under a host route. Stock has its "
             "IP_MTU show the exception, which it does not use.", DATAGRAMS,
             lambda case, what: case.mode in LINK_MODES and what.endswith(": IP_MTU"),
             lambda case, what, stock, module: module == "1500"),
    Intended("An unproven route that is at its floor may stand for a path that carries less: DF is "
             "off in what may be fragmented. Stock takes 552 for exact, and locks at 551.",
             DATAGRAMS, lambda case, what: case.message.mtu == 552 and ": send" in what,
             lambda case, what, stock, module: module == stock.replace(" DF", " id")),
    Intended("Stock takes an MTU below net.ipv4.route.min_pmtu as 552, locked: DF is off from "
             "then on, and routers fragment; or, with IP_PMTUDISC_DO, nothing arrives. With the "
             "module a connection follows its path, and DF stays set.", CONNECTIONS,
             about("below 552"), follows_path),
    Intended("A connection that is there already, or was accepted, learns of its host route from "
             "its first packet, which is cut on its way out; its own MSS follows at its next "
             "send. Stock's goes out too big, to be fragmented or lost.", CONNECTIONS,
             lambda case, what: "first flight: " in what or what == "another gets the report: TCP_MAXSEG",
             first_flight),
    Intended("The MSS that a SYN offers comes from the interface (RFC 1191 6.4); stock takes what "
             "was learned about the other direction.", CONNECTIONS,
             lambda case, what: what.endswith("MSS option"),
             lambda case, what, stock, module: module == "1460"),
]


# ---- the comparison --------------------------------------------------------------------

class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sides = []
        cls.addClassCleanup(lambda: [side.close() for side in cls.sides])
        for mode in ("off", "enforce"):
            cls.sides.append(Side(mode))

    def compare(self, run, dst, case, used):
        stock, module = (run(side, dst, case) for side in self.sides)
        bad = []
        for what in dict.fromkeys((*stock, *module)):
            ours, theirs = module.get(what, "-"), stock.get(what, "-")
            if ours == theirs:
                continue
            reason = next((entry.reason for entry in INTENDED if run in entry.runs and
                           entry.when(case, what) and entry.like(case, what, theirs, ours)), None)
            if reason:
                used.add(reason)
            else:
                bad.append(f"{what}: stock {theirs}, module {ours}")
        return bad

    def judge(self, run, cases, network):
        begun, red, again, where = time.monotonic(), 0, 0, {}
        used = set()
        with one_cpu():
            for n, case in enumerate(cases):
                bad = self.compare(run, network(n, case), case, used)
                # Of the identifications that the kernel picks one in 65,536 is 0.
                if any(NO_ID in line for line in bad):
                    again += 1
                    bad = self.compare(run, network(len(cases) + n, case), case, used)
                red += bool(bad)
                for line in bad:
                    where.setdefault(line, []).append(str(case))
        name = f"differential.{self._testMethodName}"
        print(f"note {name}: {len(cases)} cases on both sides, {red} differ, {again} were looked at "
              f"twice for an identification of 0, {time.monotonic() - begun:.0f} s", flush=True)
        for line, those in sorted(where.items(), key=lambda item: -len(item[1]))[:SHOWN]:
            print(f"note {name}: {line} ({len(those)} cases: {'; '.join(those[:3])})", flush=True)
        self.assertEqual(red, 0, "cases that differ in what is not intended: "
                         f"{[(line, those[0]) for line, those in where.items()][:3]}")
        idle = [entry.reason for entry in INTENDED
                if run in entry.runs and entry.reason not in used]
        self.assertEqual(idle, [], "intended differences that no case shows")

    def test_datagrams(self):
        numbers = itertools.count(1)
        cases = [Case(kind, mode, recverr, message) for kind in KINDS for mode in MODES
                 for recverr in (False, True) for message in MESSAGES]
        self.judge(datagrams, cases, lambda n, case:
                   socket.inet_ntoa(struct.pack("!I", 0x0ac80000 + next(numbers))))

    def test_connections(self):
        cases = [ConnectionCase(mode, Message(str(mtu) if mtu >= 552 else "below 552", mtu))
                 for mode in MODES for mtu in CONNECTION_MTUS]
        self.judge(connections, cases, lambda n, case:
                   f"10.201.{CONNECTION_MTUS.index(case.message.mtu)}.{n + 1}")
