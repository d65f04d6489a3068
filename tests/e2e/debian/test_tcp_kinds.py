# SPDX-License-Identifier: GPL-2.0
"""MPTCP, TCP-MD5 and kernel TLS, which only Debian's kernel has. They work under host
routes; what differs is said where it is tested."""

import contextlib
import socket
import struct
import unittest

from lab.namespace import accept
from lab.path import Path
from lab.system import put
from lab.transfer import exchange


MTU, PORT = 600, 8080
IPPROTO_MPTCP, TCP_MD5SIG, TCP_ULP, SOL_TLS = 262, 14, 31, 282


class Kinds(unittest.TestCase):
    def setUp(self):
        self.path = Path(MTU)
        self.addCleanup(self.path.close)
        self.srv, self.cli = self.path.srv, self.path.cli
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def pair(self, proto=0, prepare=lambda s, peer: None):
        """A connection that the client opened: its end, and the server's."""
        with self.srv.socket(proto=proto) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            prepare(listener, Path.CLI)
            listener.bind((Path.SRV, PORT))
            listener.listen()
            cli = self.stack.enter_context(self.cli.socket(proto=proto))
            prepare(cli, Path.SRV)
            cli.connect((Path.SRV, PORT))
            return cli, accept(listener, self.stack)

    def judge(self, make, lost=0):
        """@lost: packets too big that a new connection may lose."""
        cli, srv = make()
        exchange(srv, cli, 50000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        self.assertNotIn("mtu", self.srv.run("ip", "route", "get", Path.CLI))
        before = len(self.path.wire.frames)
        exchange(srv, cli, 50000)
        frames = self.path.from_server(self.path.wire.frames[before:])
        self.assertEqual([f for f in frames if f.length > MTU or not f.df], [])
        self.assertEqual(max(f.length for f in frames), MTU)

        before = len(self.path.wire.frames)
        cli, srv = make()
        exchange(srv, cli, 50000)
        frames = self.path.from_server(self.path.wire.frames[before:])
        self.assertLessEqual(len([f for f in frames if f.length > MTU]), lost)

    def test_plain(self):
        """The control."""
        self.judge(self.pair)

    def test_mptcp(self):
        for ns in (self.srv, self.cli):
            with ns:
                put("/proc/sys/net/mptcp/enabled", 1)
        self.judge(lambda: self.pair(proto=IPPROTO_MPTCP))
        self.assertEqual(self.srv.counters()["MPTcpExt.MPCapableSYNRX"], 2)
        self.assertEqual(self.srv.counters()["MPTcpExt.MPCapableFallbackACK"], 0)

    def test_md5(self):
        """Signed segments can't be cut on their way out: the first flight of an
        accepted connection is lost, and sent again at once."""
        def sign(s, peer):
            address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(peer))
            s.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, address.ljust(128, b"\0") +
                         struct.pack("=BBHI80s", 0, 0, 6, 0, b"secret"))
        self.judge(lambda: self.pair(prepare=sign), lost=10)

    def test_kernel_tls(self):
        def make():
            cli, srv = self.pair()
            # TLS 1.2, AES-GCM-128: IV, key, salt, sequence number
            crypto = struct.pack("=HH8s16s4s8s", 0x0303, 51, b"i" * 8, b"k" * 16, b"s" * 4, bytes(8))
            for s, way in ((srv, 1), (cli, 2)):
                s.setsockopt(socket.IPPROTO_TCP, TCP_ULP, b"tls")
                s.setsockopt(SOL_TLS, way, crypto)
            return cli, srv
        self.judge(make)
