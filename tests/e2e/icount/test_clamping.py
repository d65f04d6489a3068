# SPDX-License-Identifier: GPL-2.0
"""A router with forward=clamp beside nft's "rt mtu" and iptables' TCPMSS: what each
does for clients behind a narrow link and behind a black hole."""

import contextlib
import os
import time
import unittest

from lab.chain import BLACK_HOLE, CT, PORT, Chain
from lab.namespace import accept
from lab.packets import SYN, mss_options
from lab.transfer import retransmissions
from lab.wire import Capture


class Comparison(unittest.TestCase):
    """The same two faults for each: a narrow link of the router's own, and one behind
    another router, which reports it to one client and is silent from then on."""

    NFT = """
        table ip mss {
            chain forward {
                type filter hook forward priority -150;
                tcp flags syn tcp option maxseg size set rt mtu
            }
        }
        """
    TCPMSS = ("iptables-legacy", "-t", "mangle", "-A", "FORWARD", "-p", "tcp", "--tcp-flags",
              "SYN,RST", "SYN", "-j", "TCPMSS", "--clamp-mss-to-pmtu")
    LENGTH = 20000
    PATIENCE = 10	# seconds

    def note(self, text):
        print(f"note router.comparison: {text}", flush=True)

    def upload(self, net, ns, dev):
        """A new connection of a client's: the MSS it was offered, and how much of
        what it sent arrives while one is patient."""
        with contextlib.ExitStack() as stack:
            capture = Capture(net.mid, dev)
            stack.callback(capture.stop)
            listener = stack.enter_context(net.srv.listen("0.0.0.0", PORT))
            cli = stack.enter_context(ns.connect((Chain.SRV, PORT)))
            srv = accept(listener, stack)
            cli.setblocking(False)
            srv.setblocking(False)
            data, got = os.urandom(self.LENGTH), b""
            sent, end = 0, time.monotonic() + self.PATIENCE
            while len(got) < len(data) and time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    sent += cli.send(data[sent:])
                with contextlib.suppress(BlockingIOError):
                    got += srv.recv(1 << 16)
                time.sleep(0.01)
            self.assertEqual(got, data[:len(got)])
            answer = next(f for f in capture.frames if f.src == Chain.SRV and f.flags & SYN)
            retrans = retransmissions(cli)
        return mss_options(answer)[0], len(got), retrans

    def measure(self, install):
        net = Chain()
        try:
            net.mid.nft(CT)
            install(net.mid)
            first = self.upload(net, net.cli1, "to1")
            self.assertEqual(first[1], self.LENGTH, "nothing was reported to the first client")
            net.far.nft(BLACK_HOLE)
            silent = self.upload(net, net.cli2, "to2")
            net.mid.ip("link set tofar mtu 900")
            near = self.upload(net, net.cli2, "to2")
        finally:
            net.close()
        return first, silent, near

    def test_comparison(self):
        methods = (("nothing", lambda mid: None),
                   ("nft rt mtu", lambda mid: mid.nft(self.NFT)),
                   ("iptables TCPMSS", lambda mid: mid.run(*self.TCPMSS)),
                   ("forward=clamp", lambda mid: mid.set("forward", "clamp")))
        results = {}
        self.note("| method | first client, informed | second client, black hole | own narrow link |")
        self.note("|---|---|---|---|")
        for name, install in methods:
            results[name] = self.measure(install)
            self.note(f"| {name} | " + " | ".join(
                f"MSS {mss}, {got} of {self.LENGTH} bytes, {retrans} sent again"
                for mss, got, retrans in results[name]) + " |")
        for name, (first, silent, near) in results.items():
            learns, clamps = name == "forward=clamp", name != "nothing"
            self.assertEqual(first[0], 1460, name)
            self.assertEqual(silent[0], 960 if learns else 1460, name)
            self.assertEqual(silent[1], self.LENGTH if learns else 0, name)
            self.assertEqual(near[0], 860 if clamps else 1460, name)
            self.assertEqual(near[1], self.LENGTH, name)
        self.assertEqual(results["forward=clamp"][1][2], 0)
