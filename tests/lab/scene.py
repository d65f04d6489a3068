# SPDX-License-Identifier: GPL-2.0
"""One attack on a victim, and what it changed, as a set of short facts: measured on
the wire, in the kernel's routes, in the module's table and in sockets."""

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import threading

from lab.datagrams import (IP_RECVERR, MSG_ERRQUEUE, extended_error, path_mtu, pending_error)
from lab.netlink import exception
from lab.packets import SYN, mss_options
from lab.system import TIMEOUT, get, libc
from lab.victim import LINK_MTU, Flow, Stuck, message, tcp_quote


class Facts(list):
    """What was seen. Compared as a set, shown in order."""

    def __str__(self):
        return ", ".join(self) or "no change"

    def are(self, text):
        """Are these the facts of a text? In it, "ignored" stands for any reasons
        for which every message was ignored."""
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

    def forget_flow(self):
        """The connection has ended; another one is made when one is needed."""
        self._flow = None

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
            self._before = (self.vic.counters(), self.vic.stats())

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
        with self.vic:
            old = get("/proc/sys/net/ipv4/" + name)
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

    def seconds_left(self):
        """How long what is known about D lives on, on whichever path; 0 if nothing is."""
        if self.stock:
            entry = exception(self.vic, self.dst)
            return entry[2] if entry else 0
        return max((int(e["expires_s"]) for e in self.vic.listing()
                    if e["destination"] == self.dst), default=0)

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
        with contextlib.closing(Flow(self.net, self.dst, self.bind)) as new:
            syn = self.net.wire.wait(lambda f: f.dst == self.dst and f.flags & SYN, "the SYN")
            mss = mss_options(syn)[0]
            seen = self._exchange(new)
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
            now = self.vic.counters()
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
    """Facts about the errors that a socket got."""
    facts = []
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        _, control, _, _ = sock.recvmsg(1, 512, MSG_ERRQUEUE)
        for level, kind, value in control:
            if (level, kind) == (socket.IPPROTO_IP, IP_RECVERR):
                number, _, _, _, info = extended_error(value)
                facts.append(f"RECVERR {errno.errorcode[number]} {info}")
    number = pending_error(sock)
    if number:
        facts.append(errno.errorcode[number])
    return facts


def socket_mtu(sock, normal=LINK_MTU):
    """A fact if a connected socket's path is not what the link carries."""
    mtu = path_mtu(sock)
    return [] if mtu == normal else [f"IP_MTU {mtu}"]


class Owned:
    """A thread in sendmsg() that owns its socket and waits there: the page that it
    is to send is missing until let_go() supplies it (userfaultfd)."""

    SIZE = mmap.PAGESIZE
    _NR, _API, _REGISTER, _COPY = 323, 0xc018aa3f, 0xc020aa00, 0xc028aa03

    def __init__(self, sock):
        self._fd = libc.syscall(self._NR, os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "userfaultfd")
        self._page = mmap.mmap(-1, self.SIZE)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._ioctl(self._API, struct.pack("QQQ", 0xaa, 0, 0))
        self._ioctl(self._REGISTER, struct.pack("QQQQ", self._at, self.SIZE, 1, 0))
        self._thread = threading.Thread(target=sock.sendall, args=(self._page,), daemon=True)
        self._thread.start()
        if not select.select([self._fd], [], [], TIMEOUT)[0]:
            raise AssertionError("nobody asked for the page")

    def _ioctl(self, what, argument):
        buffer = ctypes.create_string_buffer(argument, len(argument))
        if libc.ioctl(self._fd, ctypes.c_ulong(what), buffer):
            raise OSError(ctypes.get_errno(), "userfaultfd")

    def let_go(self):
        source = ctypes.create_string_buffer(2 * self.SIZE)
        at = (ctypes.addressof(source) + self.SIZE - 1) & ~(self.SIZE - 1)
        self._ioctl(self._COPY, struct.pack("QQQQq", self._at, at, self.SIZE, 0, 0))
        self._thread.join(TIMEOUT)
        os.close(self._fd)
