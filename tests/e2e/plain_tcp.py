# SPDX-License-Identifier: GPL-2.0
"""What the test kernel has not and Debian's has: MPTCP, TCP-MD5, kernel TLS.
They work under host routes; what differs is said where it is tested."""

import contextlib
import os
import socket
import struct
import threading
import unittest

import lab
from lab import Path

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
            srv, _ = listener.accept()
        srv.settimeout(lab.TIMEOUT)
        return cli, self.stack.enter_context(srv)

    def send(self, srv, cli, length):
        data = os.urandom(length)
        thread = threading.Thread(target=srv.sendall, args=(data,), daemon=True)
        thread.start()
        self.assertEqual(lab.receive(cli, length), data)
        thread.join(lab.TIMEOUT)

    def judge(self, make, lost=0):
        """@lost: packets too big that a new connection may lose."""
        cli, srv = make()
        self.send(srv, cli, 50000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        self.assertNotIn("mtu", self.srv.run("ip", "route", "get", Path.CLI))
        before = len(self.path.wire.frames)
        self.send(srv, cli, 50000)
        frames = self.path.from_server(self.path.wire.frames[before:])
        self.assertEqual([f for f in frames if f.length > MTU or not f.df], [])
        self.assertEqual(max(f.length for f in frames), MTU)

        before = len(self.path.wire.frames)
        cli, srv = make()
        self.send(srv, cli, 50000)
        frames = self.path.from_server(self.path.wire.frames[before:])
        self.assertLessEqual(len([f for f in frames if f.length > MTU]), lost)

    def test_plain(self):
        """The control."""
        self.judge(self.pair)

    def extension(self, name):
        """A counter of /proc/net/netstat."""
        with self.srv, open("/proc/thread-self/net/netstat", encoding="ascii") as f:
            words = [line.split() for line in f]
        return next(int(values[names.index(name)]) for names, values in
                    zip(words[::2], words[1::2]) if name in names)

    def test_mptcp(self):
        for ns in (self.srv, self.cli):
            with ns, open("/proc/sys/net/mptcp/enabled", "w", encoding="ascii") as f:
                f.write("1")
        self.judge(lambda: self.pair(proto=IPPROTO_MPTCP))
        self.assertEqual(self.extension("MPCapableSYNRX"), 2)
        self.assertEqual(self.extension("MPCapableFallbackACK"), 0)

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


if __name__ == "__main__":
    unittest.main()
