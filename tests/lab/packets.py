# SPDX-License-Identifier: GPL-2.0
"""IPv4, TCP and Echo packets: built by hand, parsed as captured, compared."""

import dataclasses
import socket
import struct

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

    def carries(self, port):
        """Is it TCP from or to this port?"""
        return self.tcp and port in (self.sport, self.dport)


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


def with_checksum(data, at, off=0):
    """The same bytes with their own checksum (+ @off) at this place, which is 0."""
    right = (checksum(bytes(data)) + off) & 0xffff
    return bytes(data[:at]) + struct.pack("!H", right) + bytes(data[at + 2:])


def ip_header(src, dst, proto, length, ident=0, df=True, ttl=64, *, version=4, ihl=5,
              offset=0, tos=0, options=b"", sum_off=0):
    """Whatever it says, its checksum is right, unless @sum_off is added to it."""
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, tos, length, ident,
                       (0x4000 if df else 0) | offset, ttl, proto, 0,
                       socket.inet_aton(src), socket.inet_aton(dst)) + options
    return with_checksum(head, 10, sum_off)


def _pseudo_header(addresses, segment):
    return addresses + struct.pack("!HH", socket.IPPROTO_TCP, len(segment))


def tcp_packet(src, dst, sport, dport, seq=1, flags=SYN, options=b"", data=b"", *,
               window=65535, df=True):
    """A whole TCP packet with right checksums."""
    options += b"\0" * (-len(options) % 4)
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, (5 + len(options) // 4) << 4,
                      flags, window, 0, 0) + options + data
    pseudo = _pseudo_header(socket.inet_aton(src) + socket.inet_aton(dst), tcp)
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return ip_header(src, dst, socket.IPPROTO_TCP, 20 + len(tcp), df=df) + tcp


def tcp_checksum_right(frame):
    """Of a whole TCP segment."""
    ihl = (frame.raw[0] & 15) * 4
    segment = frame.raw[ihl:frame.length]
    return checksum(_pseudo_header(frame.raw[12:20], segment) + segment) == 0


def echo_request(ident=1, seq=1, data=b""):
    """An Echo Request, without an IP header."""
    return with_checksum(struct.pack("!BBHHH", 8, 0, 0, ident, seq) + data, 2)


def mss_options(frame):
    """The values of all MSS options in a SYN."""
    header = frame.raw[(frame.raw[0] & 15) * 4:]
    options, at, found = header[20:(header[12] >> 4) * 4], 0, []
    while at < len(options) and options[at]:
        if options[at] == 1:
            at += 1
            continue
        if options[at:at + 2] == b"\2\4":
            found.append(int.from_bytes(options[at + 2:at + 4], "big"))
        at += options[at + 1]
    return found


def beyond_one_hop(frame):
    """A packet without what each router changes: TTL and header checksum."""
    return frame.raw[:8] + frame.raw[9:10] + frame.raw[12:frame.length]


def in_fragments(packet, first, ident=4711):
    """The same packet in two fragments, the first with @first bytes of its payload."""
    body = packet[20:]
    pieces = []
    for offset, data, more in ((0, body[:first], 0x2000), (first, body[first:], 0)):
        head = bytearray(packet[:20])
        struct.pack_into("!HHH", head, 2, 20 + len(data), ident, more | offset // 8)
        head[10:12] = b"\0\0"
        pieces.append(with_checksum(head, 10) + data)
    return pieces
