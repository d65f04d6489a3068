# SPDX-License-Identifier: GPL-2.0
"""What the end-to-end tests and the demo stand on: network namespaces, captures
on the wire, and the module's files. Runs in the guest only.

One process plays every host: a thread enters a namespace (setns), makes its
sockets there and comes back; a socket stays where it was made.
"""

import contextlib
import ctypes
import dataclasses
import errno
import fcntl
import itertools
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

try:
    import pyroute2
except ImportError:
    pyroute2 = None

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_home = os.open("/proc/self/ns/net", os.O_RDONLY)

TIMEOUT = float(os.environ.get("LAB_TIMEOUT", "60"))


def run(*command, check=True, **kwargs):
    """Run a command in the calling thread's namespace; its output as text."""
    done = subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          timeout=TIMEOUT, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout


def wait_for(condition, what, timeout=None):
    """Wait until condition() is true; its value."""
    deadline = time.monotonic() + (timeout or TIMEOUT)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.01)


def insmod(*params):
    """Load the module, as insmod(8) does without its program being started."""
    finit_module = 313
    with open(os.environ["LAB_MODULE"], "rb") as f:
        _checked(_libc.syscall(finit_module, f.fileno(), " ".join(params).encode(), 0),
                 " ".join(("insmod", *params)))


def rmmod():
    delete_module = 176
    _checked(_libc.syscall(delete_module, b"pmtu_hostroute", os.O_NONBLOCK), "rmmod")


def get(path):
    with open(path, encoding="ascii") as f:
        return f.read().strip()


def put(path, value):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(value))


@contextlib.contextmanager
def one_cpu():
    """The calling thread, and those it starts, stay on one CPU. Packets sent on
    two overtake each other on a virtual cable when one CPU is held up, and TCP
    takes that for loss."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def whole_cpu():
    """Nobody but the calling thread runs on the one CPU that it stays on, nor does work that
    the kernel puts off."""
    masks = "/sys/devices/virtual/workqueue/cpumask"
    runtime = "/proc/sys/kernel/sched_rt_runtime_us"
    cpu, = os.sched_getaffinity(0)
    before = {}
    for name, value in ((masks, f"{1 << cpu:x}"), (runtime, -1)):
        before[name] = get(name)
        put(name, value)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        for name, value in before.items():
            put(name, value)


def no_timers(stack, ns, gateway, rto=10):
    """Nothing is sent again from @ns because a timer ran out or packets changed
    places: a retransmission is then one that something was lost for, or that a
    message brought about, however slow the guest is."""
    stack.enter_context(one_cpu())
    ns.sysctl(tcp_early_retrans=0)
    ns.ip(f"route replace default via {gateway} rto_min {rto}s")


def _checked(result, what):
    if result:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


class Netlink:
    """What "ip" is asked most, done without it. To start a program takes a kernel
    full of checks more than a second, as long as all the rest of a test. Used
    where pyroute2 is installed; a kernel without checks does not need it."""

    FORMS = [re.compile(form + "$") for form in (
        r"link set (?P<dev>\S+) (?P<state>up|down)",
        r"link set (?P<dev>\S+) mtu (?P<mtu>\d+)",
        r"link del (?P<dev>\S+)",
        r"link add (?P<new>\S+) mtu (?P<mtu>\d+) type veth peer name (?P<peer>\S+) "
        r"mtu (?P<peer_mtu>\d+) netns (?P<netns>\S+)",
        r"addr add (?P<address>[\d.]+)/(?P<length>\d+) dev (?P<dev>\S+)",
        r"route (?P<route>add|replace|del) blackhole (?P<dst>[\d./]+)",
        r"route (?P<route>add|replace) (?P<dst>default|[\d./]+) via (?P<via>[\d.]+)"
        r"( mtu (?P<mtu>\d+))?( advmss (?P<advmss>\d+))?( table (?P<table>\d+))?")]

    def __init__(self):
        self._socket = None

    def knows(self, line):
        return pyroute2 and any(form.match(line) for form in self.FORMS)

    def do(self, lines):
        """In the calling thread's namespace."""
        if not self._socket:
            self._socket = pyroute2.IPRoute()
        for line in lines:
            found = next(filter(None, (form.match(line) for form in self.FORMS)))
            try:
                self._do({k: v for k, v in found.groupdict().items() if v})
            except (pyroute2.NetlinkError, OSError) as e:
                raise AssertionError(f"{line}: {e}") from e

    def _do(self, line):
        metrics = {k: int(line[k]) for k in ("mtu", "advmss") if k in line}
        if "new" in line:
            with open(line["netns"], "rb") as netns:
                self._socket.link("add", ifname=line["new"], kind="veth", **metrics, peer={
                    "ifname": line["peer"], "mtu": int(line["peer_mtu"]),
                    "net_ns_fd": netns.fileno()})
        elif "route" in line:
            if metrics:
                metrics = {"metrics": metrics}
            where = {"gateway": line["via"]} if "via" in line else {"type": "blackhole"}
            self._socket.route(line["route"], dst=line["dst"], **where,
                               table=int(line.get("table", 254)), **metrics)
        else:
            index = socket.if_nametoindex(line["dev"])
            if "address" in line:
                self._socket.addr("add", index=index, address=line["address"],
                                  prefixlen=int(line["length"]))
            elif "state" in line or metrics:
                state = {"state": line["state"]} if "state" in line else {}
                self._socket.link("set", index=index, **state, **metrics)
            else:
                self._socket.link("del", index=index)

    def look_up(self, address, oif):
        """In the calling thread's namespace."""
        if not self._socket:
            self._socket = pyroute2.IPRoute()
        try:
            found, = self._socket.route("get", dst=address, **oif)
        except pyroute2.NetlinkError as e:
            return Lookup(error=e.code)
        metrics = found.get_attr("RTA_METRICS")
        cache = found.get_attr("RTA_CACHEINFO")
        return Lookup(found.get_attr("RTA_OIF"), found.get_attr("RTA_GATEWAY"),
                      metrics and metrics.get_attr("RTAX_MTU"),
                      bool(cache and cache["rta_expires"]))

    def close(self):
        if self._socket:
            self._socket.close()
            self._socket = None


@dataclasses.dataclass
class Lookup:
    """What "ip route get" would show. An exception is an MTU that expires."""
    oif: int = None
    gateway: str = None
    mtu: int = None
    expires: bool = False
    error: object = None


class Namespace:
    """A network namespace of the lab's own, a context to be in it. It has no
    name for "ip netns", and lives as long as this object and its sockets: to
    make one starts no program, which a kernel full of checks is slow at."""

    def __init__(self, name):
        self.name = name
        self._mounted = None
        try:
            _checked(_libc.unshare(_CLONE_NEWNET), "unshare")
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            self._set(_home)
        self.file = f"/proc/{os.getpid()}/fd/{self._fd}"
        self._netlink = Netlink()

    def __enter__(self):
        self._set(self._fd)
        return self

    def __exit__(self, *exc):
        self._set(_home)

    @staticmethod
    def _set(fd):
        _checked(_libc.setns(fd, _CLONE_NEWNET), "setns")

    def run(self, *command, **kwargs):
        with self:
            return run(*command, **kwargs)

    def ip(self, *lines):
        """Each line is what would follow "ip" on a command line."""
        for fast, group in itertools.groupby(lines, self._netlink.knows):
            group = list(group)
            if fast:
                with self:
                    self._netlink.do(group)
            else:
                self.run("ip", "-batch", "-", input="\n".join(group) + "\n")

    def look_up(self, address, vrf=None):
        """What the stock path knows about a destination."""
        if not pyroute2:
            return self._ask_ip(address, *(("vrf", vrf) if vrf else ()))
        with self:
            oif = {"oif": socket.if_nametoindex(vrf)} if vrf else {}
            return self._netlink.look_up(address, oif)

    def _ask_ip(self, address, *vrf):
        with self:
            said = run("ip", "route", "get", *vrf, address, check=False)
            found = dict(re.findall(r"(via|dev|mtu|expires) (?:lock )?(\S+)", said))
            if "dev" not in found:
                return Lookup(error=said)
            return Lookup(socket.if_nametoindex(found["dev"]), found.get("via"),
                          int(found["mtu"]) if "mtu" in found else None, "expires" in found)

    def sysctl(self, **values):
        with self:
            for key, value in values.items():
                put("/proc/sys/net/ipv4/" + key.replace("__", "/"), value)

    def delete(self):
        if self._mounted:
            _checked(_libc.umount2(self._mounted.encode(), 2), "umount")  # MNT_DETACH
            self._mounted = None
        self._netlink.close()
        os.close(self._fd)

    # The module's files. sysfs shows the namespace it was mounted in.

    def sys(self, name):
        if not self._mounted:
            where = f"/run/lab-sysfs-{self.name}"
            os.makedirs(where, exist_ok=True)
            with self:
                _checked(_libc.mount(b"none", where.encode(), b"sysfs", 0, None), "mount")
            self._mounted = where
        return f"{self._mounted}/{name}"

    def device(self, dev, name):
        """A device's file under sysfs, None if there is none, empty if the
        device is on its way out."""
        try:
            return get(self.sys(f"class/net/{dev}/{name}"))
        except FileNotFoundError:
            return None
        except OSError as e:
            if e.errno in (errno.EINVAL, errno.ENODEV):
                return ""
            raise

    def path(self, name=""):
        return self.sys(f"class/pmtu_hostroute/ipv4/{name}")

    def get(self, name):
        return get(self.path(name))

    def set(self, name, value):
        # One write(2), as "echo" does it; an error is an OSError.
        fd = os.open(self.path(name), os.O_WRONLY)
        try:
            os.write(fd, f"{value}\n".encode())
        finally:
            os.close(fd)

    def stat(self, name):
        return self.stats()[name]

    def stats(self):
        return {n: int(v) for n, v in map(str.split, self.get("stats").splitlines())}

    def outcomes(self):
        """What became of messages."""
        acted_on = {"learned", "lowered", "refreshed", "confirmed", "recorded", "outranked",
                    "deferred"}
        return {n: count for n, count in self.stats().items()
                if n in acted_on or n.startswith(("ignored_", "passed_"))}

    def handled(self):
        """Messages that are dealt with; "received" counts them before."""
        return sum(self.outcomes().values())

    def count(self):
        return int(self.get("count"))

    def listing(self):
        with self:
            lines = get("/proc/thread-self/net/pmtu_hostroute").splitlines()
        head = lines[0].split()
        return [dict(zip(head, line.split(), strict=True)) for line in lines[1:]]

    def have_applied(self, address):
        """Pin a host route for an address that takes anything, and wait until it is
        applied."""
        self.set("add", f"{address} 1000")
        self.wait_until_applied((address, 9))

    def wait_until_applied(self, to):
        """The hook that applies host routes is registered a moment after the first
        one is there. @to has one that is smaller than this datagram."""
        with self.socket(socket.SOCK_DGRAM) as s:
            before = self.stat("fragmented")
            wait_for(lambda: s.sendto(bytes(1372), to) and
                     self.stat("fragmented") > before, "the host route to be applied")

    def route_mtu(self, address):
        """MTU of the host route for an address, None without one."""
        for entry in self.listing():
            if entry["destination"] == address:
                return int(entry["mtu"])
        return None

    # Sockets

    def socket(self, kind=socket.SOCK_STREAM, family=socket.AF_INET, proto=0):
        with self:
            s = socket.socket(family, kind, proto)
        s.settimeout(TIMEOUT)
        return s

    def listen(self, address, port):
        s = self.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((address, port))
        s.listen(64)
        return s

    def connect(self, to, bind=None):
        s = self.socket()
        if bind:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(bind)
        s.connect(to)
        return s


def veth(dev, peer, peer_dev, mtu=1500, peer_mtu=1500):
    """Lines for ip(): a cable to another namespace."""
    return (f"link add {dev} mtu {mtu} type veth peer name {peer_dev} mtu {peer_mtu} "
            f"netns {peer.file}", f"link set {dev} up")


def no_offload(ns, dev):
    """The wire then carries what a real one would: segments of their real size,
    with their checksums."""
    siocethtool, commands = 0x8946, (0x1F, 0x24, 0x17)  # TSO, GSO, TX checksums
    with ns.socket(socket.SOCK_DGRAM) as s:
        for command in commands:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
            fcntl.ioctl(s, siocethtool, struct.pack("16sP8x", dev.encode(),
                                                    ctypes.addressof(value)))


def mss_of(sock):
    """What the socket takes for its MSS now."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def tcp_info(sock):
    """Fields of struct tcp_info that the tests use."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    words = struct.unpack("24I", raw[8:104])
    return {"snd_mss": words[2], "unacked": words[4], "retrans": words[7],
            "pmtu": words[13], "snd_cwnd": words[18], "total_retrans": words[23]}


def receive(sock, length):
    """Exactly this many bytes, or less at the end of the stream."""
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


# ---- packets ------------------------------------------------------------------

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclasses.dataclass
class Frame:
    """An IPv4 packet as it was seen on the wire."""
    time: float
    raw: bytes
    src: str
    dst: str
    length: int
    ident: int
    df: bool
    fragment: bool
    proto: int
    sport: int = 0
    dport: int = 0
    seq: int = 0
    flags: int = 0
    data: int = 0
    icmp: tuple = ()
    mtu: int = 0
    quote: bytes = b""

    @property
    def tcp(self):
        return self.proto == socket.IPPROTO_TCP

    @property
    def frag_needed(self):
        return self.icmp == (3, 4)


def parse(packet, when=0.0):
    """Parse an IPv4 packet; None for anything else."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    ihl = (packet[0] & 15) * 4
    length, ident, off = struct.unpack("!HHH", packet[2:8])
    frame = Frame(when, packet, socket.inet_ntoa(packet[12:16]),
                  socket.inet_ntoa(packet[16:20]), length, ident,
                  bool(off & 0x4000), bool(off & 0x3fff), packet[9])
    body = packet[ihl:length]
    if off & 0x1fff:
        return frame
    if frame.tcp and len(body) >= 20:
        frame.sport, frame.dport, frame.seq = struct.unpack("!HHI", body[:8])
        frame.flags = body[13]
        frame.data = len(body) - (body[12] >> 4) * 4
    elif frame.proto == socket.IPPROTO_ICMP and len(body) >= 8:
        frame.icmp = (body[0], body[1])
        frame.mtu = struct.unpack("!H", body[6:8])[0]
        frame.quote = body[8:]
    return frame


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_header(src, dst, proto, length, ident=0, df=True, ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, ident,
                       0x4000 if df else 0, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def frag_needed(router, to, mtu, quote):
    """An ICMP message type 3 code 4, as a whole IP packet."""
    icmp = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quote
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    return ip_header(router, to, socket.IPPROTO_ICMP, 20 + len(icmp), df=False) + icmp


def datagram_quote(src, dst, length=1400, proto=socket.IPPROTO_UDP):
    """What a router would quote of a UDP datagram, or an Echo, of this length."""
    head = ip_header(src, dst, proto, length)
    if proto == socket.IPPROTO_ICMP:
        return head + struct.pack("!BBHHH", 8, 0, 0, 1, 1)
    return head + struct.pack("!HHHH", 40000, 9, length - 20, 0)


class Injector:
    """Puts packets on a namespace's wire, whatever its routing says."""

    def __init__(self, ns, dev, mac):
        self._socket = ns.socket(socket.SOCK_DGRAM, socket.AF_PACKET)
        self._to = (dev, 0x0800, 0, 0, mac)

    def send(self, packet):
        self._socket.sendto(packet, self._to)

    def close(self):
        self._socket.close()


def open_tun(ns, dev):
    """The program's end of a new device of @ns: what is written to it comes in there."""
    with ns:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH", dev.encode(), 0x1001))  # TUNSETIFF
    return fd


class Forger:
    """Messages that come in through a tun device, as fast as one can write them:
    they differ in the quoted destination, and the checksums with it."""

    SRV, RTR = "192.0.2.1", "192.0.2.2"
    AT = 20 + 8 + 16	# outer header, ICMP, destination in the quote
    SUM = AT - 6	# checksum of the quoted header

    def __init__(self, ns, quote=None, mtu=1200, dev="tun0", plug=True):
        """@quote is about destination 0.0.0.0. @plug: the device is the
        namespace's only one, and brings its address and its router along."""
        self.fd = open_tun(ns, dev)
        ns.ip(f"link set {dev} up")
        if plug:
            ns.ip(f"addr add {self.SRV}/24 dev {dev}", f"route add default via {self.RTR}")
        self._packet = bytearray(frag_needed(self.RTR if plug else "198.18.5.5", self.SRV, mtu,
                                             quote or datagram_quote(self.SRV, "0.0.0.0")))
        self._sum = ~struct.unpack_from("!H", self._packet, self.SUM)[0] & 0xffff

    def packet(self, n):
        """About destination 10.0.0.0 + @n. What changes in the quote, its header's
        checksum makes up for, so that the message's own stays as it is."""
        high, low = 0x0a00 + (n >> 16), n & 0xffff
        total = self._sum + high + low
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        struct.pack_into("!H", self._packet, self.SUM, ~total & 0xffff)
        struct.pack_into("!HH", self._packet, self.AT, high, low)
        return self._packet

    def send(self, n):
        os.write(self.fd, self.packet(n))


def mac_of(ns, dev):
    return bytes.fromhex(ns.device(dev, "address").replace(":", ""))


class Capture:
    """Every IPv4 packet on a device, until stopped, with the kernel's own time for
    it: it may be read much later."""

    TIMESTAMPNS = 64  # SO_TIMESTAMPNS_NEW

    def __init__(self, ns, dev):
        self._frames = []
        self._lock = threading.Lock()
        self._socket = ns.socket(socket.SOCK_RAW, socket.AF_PACKET, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
        self._socket.setsockopt(socket.SOL_SOCKET, self.TIMESTAMPNS, 1)
        self._socket.bind((dev, 3))
        self._socket.setblocking(False)
        self._wake = os.pipe()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def _drain(self):
        """What is on the wire is in the socket's queue at once."""
        with self._lock:
            while self._socket.fileno() >= 0:
                try:
                    packet, control, _, address = self._socket.recvmsg(1 << 17, 64)
                except BlockingIOError:
                    return
                if address[1] == 0x0800:
                    (_, _, stamp), = control
                    seconds, nanoseconds = struct.unpack("qq", stamp)
                    frame = parse(packet[14:], seconds + nanoseconds / 1e9)
                    if frame:
                        self._frames.append(frame)

    @property
    def frames(self):
        """Everything that was on the wire until now."""
        self._drain()
        return list(self._frames)

    def clear(self):
        self._drain()
        self._frames.clear()

    def _loop(self):
        while True:
            ready, _, _ = select.select([self._socket, self._wake[0]], [], [])
            self._drain()
            if self._wake[0] in ready:
                return

    def wait(self, condition, what, timeout=None):
        """Wait for a frame that fulfils the condition."""
        return wait_for(lambda: next((f for f in self.frames if condition(f)), None),
                        what, timeout)

    def stop(self):
        """Everything that was on the wire before this call."""
        if self._thread.is_alive():
            os.write(self._wake[1], b"x")
            self._thread.join()
            self._drain()
            self._socket.close()
            os.close(self._wake[0])
            os.close(self._wake[1])
        return self._frames


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 228))
        for frame in frames:
            f.write(struct.pack("<IIII", int(frame.time), int(frame.time % 1 * 1e6),
                                len(frame.raw), len(frame.raw)) + frame.raw)


# ---- a server behind a router ---------------------------------------------------

class Path:
    """srv --- rtr === cli: the router's link to the client has a small MTU, and
    the client does not know (its own end says 1500), so that its MSS is no help.
    """

    SRV, CLI = "10.102.1.248", "10.102.45.12"
    RTR_SRV, RTR_CLI = "10.102.1.1", "10.102.45.1"

    def __init__(self, mtu=320, offload=False, wire=True, srv=None, dev="eth0", vrf=None):
        """@srv: a server that is there already, and that @dev and @vrf, a pair
        of name and table, are new to."""
        self.wire = None
        self._namespaces = []
        self._offload = offload
        self.srv, self.dev, self._vrf = srv, dev, vrf
        try:
            self._build(mtu)
            if wire:
                self.wire = Capture(self.rtr, "toserver")
        except BaseException:
            self.close()
            raise

    def _namespace(self, name):
        self._namespaces.append(Namespace(name))
        return self._namespaces[-1]

    def _build(self, mtu):
        self.rtr, self.cli = self._namespace("rtr"), self._namespace("cli")
        self.srv = self.srv or self._namespace("srv")
        self.rtr.ip("link set lo up", *veth("toclient", self.cli, "eth0", mtu=mtu),
                    f"addr add {self.RTR_CLI}/24 dev toclient")
        # What the client sends fits; the MSS it offers is that of its own link.
        self._plug(self.cli, "eth0", self.CLI, f"{self.RTR_CLI} mtu {mtu} advmss 1460",
                   "toclient")
        self.plug_server()
        self.rtr.sysctl(ip_forward=1, icmp_ratelimit=0, icmp_msgs_per_sec=100000,
                        icmp_msgs_burst=100000)

    def _plug(self, ns, dev, address, router, router_dev):
        ns.ip("link set lo up", f"link set {dev} up", f"addr add {address}/24 dev {dev}",
              f"route add default via {router}")
        for end, dev in ((ns, dev), (self.rtr, router_dev)):
            if not self._offload:
                no_offload(end, dev)
            # A slow guest must not take a cable for unplugged.
            end.sysctl(**{f"neigh__{dev}__mcast_solicit": 30})
            wait_for(lambda end=end, dev=dev: end.device(dev, "operstate") == "up",
                     f"{dev} to come up")

    def plug_server(self):
        """Connect a server that has no cable (any more) to the router."""
        self.rtr.ip(*veth("toserver", self.srv, self.dev),
                    f"addr add {self.RTR_SRV}/24 dev toserver")
        router = self.RTR_SRV
        if self._vrf:
            name, table = self._vrf
            self.srv.ip(f"link add {name} type vrf table {table}", f"link set {name} up",
                        f"link set {self.dev} master {name}")
            router += f" table {table}"
        self._plug(self.srv, self.dev, self.SRV, router, "toserver")

    def replace_server(self):
        """Another machine in the server's place, once the old one is gone."""
        wait_for(lambda: self.rtr.device("toserver", "address") is None,
                 "the old server's namespace to go")
        self._namespaces.remove(self.srv)
        self.srv = self._namespace(self.srv.name)
        self.plug_server()

    def set_mtu(self, mtu):
        self.rtr.ip(f"link set toclient mtu {mtu}")

    def hold_acks(self, hold=True):
        """Lose everything from the client: what the server sends stays in flight."""
        self.rtr.ip(f"route {'replace' if hold else 'del'} blackhole {self.SRV}/32")

    def injector(self):
        return Injector(self.rtr, "toserver", mac_of(self.srv, self.dev))

    def from_server(self, frames=None, port=None):
        """TCP packets from the server, on the wire next to it."""
        frames = self.wire.frames if frames is None else frames
        return [f for f in frames if f.src == self.SRV and f.tcp and
                (port is None or port in (f.sport, f.dport))]

    def close(self):
        if self.wire:
            self.wire.stop()
        for ns in self._namespaces:
            with contextlib.suppress(AssertionError, OSError):
                ns.delete()
