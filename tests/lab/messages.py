# SPDX-License-Identifier: GPL-2.0
"""ICMP messages type 3 code 4, and what they quote: of packets that were never
sent, and of captured ones with changes."""

import socket
import struct

from lab.packets import ip_header, with_checksum


def frag_needed(router, to, mtu, quote, *, code=4, words=0, ident=0, sum_off=0):
    """The whole IP packet. @words is the length field of RFC 4884, @sum_off is
    added to the right checksum."""
    icmp = with_checksum(struct.pack("!BBHBBH", 3, code, 0, 0, words, mtu) + quote, 2, sum_off)
    return ip_header(router, to, socket.IPPROTO_ICMP, 20 + len(icmp), ident, df=False) + icmp


def ip_quote(src, dst, proto, transport, length=1400, **header):
    """An IP header of any content, and the transport bytes after it."""
    return ip_header(src, dst, proto, length, **header) + transport


def udp_quote(src, dst, sport=40000, dport=9, length=1400, **header):
    return ip_quote(src, dst, socket.IPPROTO_UDP,
                    struct.pack("!HHHH", sport, dport, length - 20, 0), length, **header)


def echo_quote(src, dst, ident=1, kind=8, length=1400, **header):
    """Kind 8 is an Echo Request, 0 an Echo Reply."""
    return ip_quote(src, dst, socket.IPPROTO_ICMP,
                    struct.pack("!BBHHH", kind, 0, 0, ident, 1), length, **header)


def tcp_quote(src, dst, sport, dport, seq, length=1500, **header):
    return ip_quote(src, dst, socket.IPPROTO_TCP,
                    struct.pack("!HHI", sport, dport, seq & 0xffffffff), length, **header)


def datagram_quote(src, dst, length=1400, proto=socket.IPPROTO_UDP, **header):
    """Of UDP, of an Echo Request, or of another protocol with the same 8 bytes as UDP."""
    if proto == socket.IPPROTO_ICMP:
        return echo_quote(src, dst, length=length, **header)
    return ip_quote(src, dst, proto, struct.pack("!HHHH", 40000, 9, length - 20, 0), length,
                    **header)


def quote_of(frame, *, length=None, seq=0, at=None):
    """The first 28 bytes of a captured packet, as a router would quote it. @length
    replaces its total length, @seq is added to its sequence number, @at replaces
    bytes at their places. The header's checksum is right again."""
    raw = bytearray(frame.raw[:28])
    if length is not None:
        raw[2:4] = struct.pack("!H", length)
    if seq:
        raw[24:28] = struct.pack("!I", (frame.seq + seq) & 0xffffffff)
    for place, value in (at or {}).items():
        raw[place] = value
    raw[10:12] = b"\0\0"
    return with_checksum(raw[:20], 10) + bytes(raw[20:])
