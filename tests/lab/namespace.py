# SPDX-License-Identifier: GPL-2.0
"""A network namespace: its devices and sockets, and the module's files in it."""

import ctypes
import errno
import fcntl
import itertools
import os
import re
import socket
import struct

from lab.netlink import Lookup, Netlink
from lab.system import TIMEOUT, checked, get, libc, one_cpu, put, run, wait_for, write_line

_CLONE_NEWNET = 0x40000000
_home = os.open("/proc/self/ns/net", os.O_RDONLY)

# What became of messages that were acted on; all else is ignored or passed on.
ACTED_ON = {"learned", "lowered", "refreshed", "confirmed", "recorded", "outranked", "deferred"}


def stats_in(text):
    """The file "stats": a line "NAME VALUE" for each counter."""
    return {name: int(value) for name, value in map(str.split, text.splitlines())}


class Namespace:
    """A context to be in the namespace. It has no name for "ip netns", and lives as
    long as this object and its sockets: making one starts no program, which is slow
    on a kernel with all checks."""

    def __init__(self, name):
        self.name = name
        self._mounted = None
        try:
            checked(libc.unshare(_CLONE_NEWNET), "unshare")
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
        checked(libc.setns(fd, _CLONE_NEWNET), "setns")

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

    def nft(self, rules):
        self.run("nft", "-f", "-", input=rules)

    def look_up(self, address, vrf=None):
        """What the stock path knows about a destination."""
        if not Netlink.is_there():
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

    def counters(self):
        """What /proc/net/snmp and /proc/net/netstat count, as "Icmp.InErrors"."""
        found = {}
        for name in ("snmp", "netstat"):
            with self:
                lines = get(f"/proc/thread-self/net/{name}").splitlines()
            for names, values in zip(lines[::2], lines[1::2]):
                kind = names.split(":")[0]
                found.update({f"{kind}.{n}": int(v) for n, v in
                              zip(names.split()[1:], values.split()[1:])})
        return found

    def delete(self):
        if self._mounted:
            checked(libc.umount2(self._mounted.encode(), 2), "umount")  # MNT_DETACH
            self._mounted = None
        self._netlink.close()
        os.close(self._fd)

    # Devices

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

    def wait_until_up(self, dev):
        wait_for(lambda: self.device(dev, "operstate") == "up", f"{dev} to come up")

    def no_offload(self, dev):
        """The wire then carries what a real one would: segments of their real
        size, with their checksums."""
        siocethtool, commands = 0x8946, (0x1F, 0x24, 0x17)  # TSO, GSO, TX checksums
        with self.socket(socket.SOCK_DGRAM) as s:
            for command in commands:
                value = ctypes.create_string_buffer(struct.pack("II", command, 0), 8)
                fcntl.ioctl(s, siocethtool, struct.pack("16sP8x", dev.encode(),
                                                        ctypes.addressof(value)))

    # The module's files. sysfs shows the namespace it was mounted in.

    def sys(self, name):
        if not self._mounted:
            where = f"/run/lab-sysfs-{self.name}"
            os.makedirs(where, exist_ok=True)
            with self:
                checked(libc.mount(b"none", where.encode(), b"sysfs", 0, None), "mount")
            self._mounted = where
        return f"{self._mounted}/{name}"

    def path(self, name=""):
        return self.sys(f"class/pmtu_hostroute/ipv4/{name}")

    def get(self, name):
        return get(self.path(name))

    def set(self, name, value):
        write_line(self.path(name), value)

    def stat(self, name):
        return self.stats()[name]

    def stats(self):
        return stats_in(self.get("stats"))

    def outcomes(self):
        """What became of messages."""
        return {n: count for n, count in self.stats().items()
                if n in ACTED_ON or n.startswith(("ignored_", "passed_"))}

    def handled(self):
        """Messages that have been dealt with; "received" counts them before."""
        return sum(self.outcomes().values())

    def count(self):
        return int(self.get("count"))

    def listing(self):
        with self:
            lines = get("/proc/thread-self/net/pmtu_hostroute").splitlines()
        head = lines[0].split()
        return [dict(zip(head, line.split(), strict=True)) for line in lines[1:]]

    def destinations(self, *states):
        """Destinations of host routes, of all or of those in these states."""
        return {e["destination"] for e in self.listing() if not states or e["state"] in states}

    def route_mtu(self, address):
        """MTU of the host route for an address, None without one."""
        for entry in self.listing():
            if entry["destination"] == address:
                return int(entry["mtu"])
        return None

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


def accept(listener, stack=None):
    """The next connection of a listener, with the lab's timeout; closed by @stack."""
    s, _ = listener.accept()
    s.settimeout(TIMEOUT)
    return stack.enter_context(s) if stack else s


def veth(dev, peer, peer_dev, mtu=1500, peer_mtu=1500):
    """Lines for ip(): a cable to another namespace."""
    return (f"link add {dev} mtu {mtu} type veth peer name {peer_dev} mtu {peer_mtu} "
            f"netns {peer.file}", f"link set {dev} up")


def make_router(ns):
    """Forward packets, and report what does not fit, however often."""
    ns.sysctl(ip_forward=1, icmp_ratelimit=0, icmp_msgs_per_sec=100000,
              icmp_msgs_burst=100000)


def no_timers(stack, ns, gateway, rto=10):
    """@ns sends nothing again because a timer ran out or packets changed places. So
    a retransmission means that something was lost, or that a message caused it,
    however slow the guest is."""
    stack.enter_context(one_cpu())
    ns.sysctl(tcp_early_retrans=0)
    ns.ip(f"route replace default via {gateway} rto_min {rto}s")
