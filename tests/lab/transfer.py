# SPDX-License-Identifier: GPL-2.0
"""Data through sockets: sent, compared where it arrives, and what TCP says of it."""

import contextlib
import os
import socket
import struct
import threading
import time

from lab.namespace import accept
from lab.system import TIMEOUT, wait_for


def mss_of(sock):
    """What the socket takes for its MSS now."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


def tcp_info(sock):
    """Fields of struct tcp_info that the tests use."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    words = struct.unpack("24I", raw[8:104])
    return {"snd_mss": words[2], "unacked": words[4], "retrans": words[7],
            "pmtu": words[13], "snd_cwnd": words[18], "total_retrans": words[23]}


def retransmissions(sock):
    return tcp_info(sock)["total_retrans"]


def wait_until_acked(sock):
    wait_for(lambda: not tcp_info(sock)["unacked"], "everything to be acknowledged")


def abort_on_close(sock):
    """close() sends a reset, and nothing that is still to be sent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def receive(sock, length):
    """Exactly this many bytes, or less at the end of the stream."""
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


def exchange(sender, receiver, length):
    """Send this many bytes one way; they must arrive as they were."""
    data = os.urandom(length)
    thread = threading.Thread(target=sender.sendall, args=(data,), daemon=True)
    thread.start()
    got = receive(receiver, length)
    thread.join(TIMEOUT)
    if got != data:
        raise AssertionError(f"{len(got)} of {length} bytes arrived, or not as they were sent")


class Transfer:
    """Data from one socket to the other, until stopped, compared at the end."""

    def __init__(self, sender, receiver):
        self._sender, self._receiver = sender, receiver
        # A flight of some dozens of segments, which a slow guest can still send soon.
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50000)
        self._sent, self._got, self._stop = bytearray(), bytearray(), False
        self._threads = [threading.Thread(target=t, daemon=True)
                         for t in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        while not self._stop:
            block = os.urandom(10 * 1448)
            self._sent += block
            self._sender.sendall(block)

    def _receive(self):
        while True:
            data = self._receiver.recv(65536)
            if not data:
                return
            self._got += data

    def wait_for_more(self):
        before = len(self._got)
        wait_for(lambda: len(self._got) > before + 10000, "data to arrive")

    def stop(self):
        """How many bytes arrived, as they were sent."""
        if not self._stop:
            self._stop = True
            self._threads[0].join(TIMEOUT)
            self._sender.shutdown(socket.SHUT_WR)
            self._threads[1].join(TIMEOUT)
            if self._got != self._sent:
                raise AssertionError(f"{len(self._got)} of {len(self._sent)} bytes arrived")
        return len(self._got)


class Traffic:
    """A connection from the client of a lab.path.Path, with data going both ways all
    the time, compared byte by byte."""

    def __init__(self, path, port=3389):
        with path.srv.listen(path.SRV, port) as listener:
            self.cli = path.cli.connect((path.SRV, port))
            self.srv = accept(listener)
        self.error = None
        self.arrived = [0, 0]
        self._stop = False
        self._threads = [
            threading.Thread(target=self._guard, args=args, daemon=True) for args in (
                (self._send, self.srv, 700), (self._receive, self.cli, 0),
                (self._send, self.cli, 200), (self._receive, self.srv, 1))]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _bytes(at, length):
        return bytes((at + i) % 251 for i in range(length))

    def _guard(self, what, *args):
        try:
            what(*args)
        except Exception as e:  # reported by check()
            if not self._stop:
                self.error = e

    def _send(self, sock, size):
        at = 0
        while not self._stop:
            sock.sendall(self._bytes(at, size))
            at = (at + size) % 251
            time.sleep(0.005)

    def _receive(self, sock, which):
        at = 0
        while not self._stop:
            data = sock.recv(65536)
            if not data:
                raise AssertionError("end of stream")
            if data != self._bytes(at, len(data)):
                raise AssertionError("data not as sent")
            at = (at + len(data)) % 251
            self.arrived[which] += len(data)

    def check(self):
        """Data still arrives, both ways."""
        before = list(self.arrived)
        wait_for(lambda: self.error or (self.arrived[0] > before[0] + 5000 and
                                        self.arrived[1] > before[1] + 1000),
                 "data to arrive")
        if self.error:
            raise self.error

    def close(self):
        self._stop = True
        for s in (self.cli, self.srv):
            with contextlib.suppress(OSError):
                s.shutdown(2)
        for thread in self._threads:
            thread.join(TIMEOUT)
        self.cli.close()
        self.srv.close()
