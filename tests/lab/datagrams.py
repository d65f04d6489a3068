# SPDX-License-Identifier: GPL-2.0
"""Datagram sockets on a path with a small MTU: what they send, and which errors
they get."""

import select
import socket
import struct

from lab.path import OnPath, Path
from lab.system import wait_for

IP_HDRINCL, IP_MTU_DISCOVER, IP_RECVERR, IP_MTU = 3, 10, 11, 14
DONT, WANT, DO, PROBE, INTERFACE, OMIT = range(6)
SOL_UDP, UDP_CORK, UDP_ENCAP, UDP_SEGMENT = 17, 1, 100, 103
MSG_ERRQUEUE = 0x2000
PORT = 5353
MTU = 1000


def path_mtu(sock):
    """What a connected socket takes for its path's MTU."""
    return sock.getsockopt(socket.IPPROTO_IP, IP_MTU)


def pending_error(sock):
    """SO_ERROR, which reading it clears."""
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def extended_error(raw):
    """Fields of struct sock_extended_err: errno, origin, type, code, info."""
    number, origin, kind, code, _, info = struct.unpack_from("=IBBBBI", raw)
    return number, origin, kind, code, info


def offender(raw):
    """The address that struct sock_extended_err names, None without one."""
    return socket.inet_ntoa(raw[20:24]) if len(raw) >= 24 else None


class OnDatagramPath(OnPath):
    """A receiver of datagrams at the client, and a path of 1000 bytes to it."""

    def setUp(self):
        super().setUp()
        self.path.set_mtu(MTU)
        self.path.cli.ip(f"route replace default via {Path.RTR_CLI} mtu 1500")
        self.sink = self.stack.enter_context(self.path.cli.socket(socket.SOCK_DGRAM))
        self.sink.bind((Path.CLI, PORT))

    def datagrams(self, discover=DO, connected=True, recverr=False):
        s = self.stack.enter_context(self.srv.socket(socket.SOCK_DGRAM))
        s.bind((Path.SRV, 0))
        s.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, discover)
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, recverr)
        if connected:
            s.connect((Path.CLI, PORT))
        return s

    def provoke(self, s, length=1400, to=(Path.CLI, PORT)):
        """Send what does not fit, and wait until the router's message was
        handled."""
        before = self.srv.handled()
        s.sendto(b"t" * (length - 28), to) if to else s.send(b"t" * (length - 28))
        wait_for(lambda: self.srv.handled() > before, "the router's message")
        self.wait_until_applied(to or (Path.CLI, PORT))

    def wait_until_applied(self, to):
        if self.srv.count():
            self.srv.wait_until_applied(to)
            while self.drop_one():
                pass

    def error_of(self, s):
        wait_for(lambda: select.select([], [], [s], 0) or True, "")
        return pending_error(s)

    def queued_error(self, s):
        """(errno, origin, type, code, info, offender), the address that the
        datagram was sent to, and what the queue has of its data."""
        data, control, _, address = s.recvmsg(2000, 512, MSG_ERRQUEUE)
        (_, _, raw), = control
        return extended_error(raw) + (offender(raw),), address, data

    def arrives(self, s, length, to=(Path.CLI, PORT)):
        """It arrives, whole; its packets on the wire."""
        since = len(self.path.wire.frames)
        data = bytes(length - 28)
        s.sendto(data, to)
        self.assertEqual(self.sink.recv(65536), data)
        return self.from_here(since)

    def from_here(self, since=0):
        """What the server has sent, from this frame on."""
        return [f for f in self.path.wire.frames[since:] if f.src == Path.SRV]

    def drop_one(self):
        """Take one datagram that is still queued at the client's, if there is one."""
        readable, _, _ = select.select([self.sink], [], [], 0.2)
        return readable and self.sink.recv(65536) is not None

    def assert_fragments(self, frames, mtu=MTU):
        self.assertGreater(len(frames), 1)
        for f in frames:
            self.assertLessEqual(f.length, mtu)
            self.assertFalse(f.df)
            self.assertTrue(f.fragment)
            self.assertNotEqual(f.ident, 0)
        self.assertEqual(len({f.ident for f in frames}), 1)

    def unproven(self):
        """The MTU of the only host route, which is an unproven one."""
        entry, = self.srv.listing()
        self.assertEqual((entry["destination"], entry["state"]), (Path.CLI, "unproven"))
        return int(entry["mtu"])
