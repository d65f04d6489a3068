# SPDX-License-Identifier: GPL-2.0
"""What is on a cable: captures of it, and packets put on it by hand."""

import fcntl
import os
import select
import socket
import struct
import threading

from lab.messages import datagram_quote, frag_needed
from lab.packets import parse
from lab.system import wait_for

ETH_P_IP = 0x0800
SO_RCVBUFFORCE, SO_TIMESTAMPNS_NEW = 33, 64


def mac_of(ns, dev):
    return bytes.fromhex(ns.device(dev, "address").replace(":", ""))


class Injector:
    """Puts packets on a namespace's wire, whatever its routing says."""

    def __init__(self, ns, dev, mac):
        self._socket = ns.socket(socket.SOCK_DGRAM, socket.AF_PACKET)
        self._to = (dev, ETH_P_IP, 0, 0, mac)

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
    """Messages that come in through a tun device, as fast as a process can write
    them. They differ in the quoted destination, and the checksums with it."""

    SRV, RTR, OFF_PATH = "192.0.2.1", "192.0.2.2", "198.18.5.5"
    AT = 20 + 8 + 16	# outer header, ICMP, destination in the quote
    SUM = AT - 6	# checksum of the quoted header

    def __init__(self, ns, quote=None, mtu=1200, dev="tun0", plug=True):
        """@quote is about destination 0.0.0.0. @plug: the device is the namespace's
        only one, and has its address and its router; otherwise the messages come
        from an attacker off the path."""
        self.fd = open_tun(ns, dev)
        ns.ip(f"link set {dev} up")
        if plug:
            ns.ip(f"addr add {self.SRV}/24 dev {dev}", f"route add default via {self.RTR}")
        self._packet = bytearray(frag_needed(self.RTR if plug else self.OFF_PATH, self.SRV, mtu,
                                             quote or datagram_quote(self.SRV, "0.0.0.0")))
        self._sum = ~struct.unpack_from("!H", self._packet, self.SUM)[0] & 0xffff

    def packet(self, n):
        """About destination 10.0.0.0 + @n. The checksum of the quoted header
        compensates for it, so that the message's own stays as it is."""
        high, low = 0x0a00 + (n >> 16), n & 0xffff
        total = self._sum + high + low
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        struct.pack_into("!H", self._packet, self.SUM, ~total & 0xffff)
        struct.pack_into("!HH", self._packet, self.AT, high, low)
        return self._packet

    def send(self, n):
        os.write(self.fd, self.packet(n))


def raw_wire(ns, dev, buffer=1 << 25):
    """A socket with everything on a device, as it passes, and the time of it."""
    s = ns.socket(socket.SOCK_RAW, socket.AF_PACKET, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS_NEW, 1)
    s.bind((dev, 3))
    s.setblocking(False)
    return s


class Capture:
    """Every IPv4 packet on a device, until stopped, with the kernel's own time of
    it: it may be read much later."""

    def __init__(self, ns, dev):
        self._frames = []
        self._lock = threading.Lock()
        self._socket = raw_wire(ns, dev)
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
                if address[1] == ETH_P_IP:
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
