# SPDX-License-Identifier: GPL-2.0
"""Two clients, two routers and a server: the first router runs the module, and the
second has the narrow link."""

import contextlib
import unittest

from lab.namespace import Namespace, accept, make_router, no_timers, veth
from lab.packets import SYN, tcp_packet
from lab.transfer import exchange
from lab.wire import Capture, Injector, mac_of

PORT = 3389
MTU = 1000

CT = """
table ip lab {
	chain forward {
		type filter hook forward priority 0;
		ct state established accept
	}
}
"""
BLACK_HOLE = """
table ip hole {
	chain output {
		type filter hook output priority 0;
		icmp type destination-unreachable drop
	}
}
"""


class Chain:
    """cli1, cli2 --- mid --- far ===(a small MTU)=== srv

    mid is the router under test. The server's own link says 1500: it offers an MSS
    of 1460, and what it sends fits."""

    CLI1, CLI2, SRV = "10.1.1.2", "10.1.2.2", "10.1.4.2"
    MID1, MID2, MID3, FAR, FAR4 = "10.1.1.1", "10.1.2.1", "10.1.3.1", "10.1.3.2", "10.1.4.1"

    def __init__(self, mtu=MTU, offload=False):
        self._stack = contextlib.ExitStack()
        self.offload = offload
        try:
            self._build(mtu)
        except BaseException:
            self.close()
            raise

    def _namespace(self, name):
        ns = Namespace(name)
        self._stack.callback(ns.delete)
        ns.ip("link set lo up")
        return ns

    def _cable(self, a, a_dev, a_address, b, b_dev, b_address, mtu=1500):
        a.ip(*veth(a_dev, b, b_dev, mtu=mtu), f"addr add {a_address}/24 dev {a_dev}")
        b.ip(f"link set {b_dev} up", f"addr add {b_address}/24 dev {b_dev}")
        for ns, dev in ((a, a_dev), (b, b_dev)):
            if not self.offload:
                ns.no_offload(dev)
            ns.sysctl(**{f"neigh__{dev}__mcast_solicit": 30})
            ns.wait_until_up(dev)

    def _build(self, mtu):
        self.cli1, self.cli2, self.mid, self.far, self.srv = (
            self._namespace(n) for n in ("cli1", "cli2", "mid", "far", "srv"))
        self._cable(self.mid, "to1", self.MID1, self.cli1, "eth0", self.CLI1)
        self._cable(self.mid, "to2", self.MID2, self.cli2, "eth0", self.CLI2)
        self._cable(self.mid, "tofar", self.MID3, self.far, "tomid", self.FAR)
        self._cable(self.far, "tosrv", self.FAR4, self.srv, "eth0", self.SRV, mtu=mtu)
        self.cli1.ip(f"route add default via {self.MID1}")
        self.cli2.ip(f"route add default via {self.MID2}")
        self.mid.ip(f"route add default via {self.FAR}")
        self.far.ip(f"route add default via {self.MID3}")
        self.srv.ip(f"route add default via {self.FAR4} mtu {mtu} advmss 1460")
        for router in (self.mid, self.far):
            make_router(router)

    def close(self):
        self._stack.close()


class Router(unittest.TestCase):
    offload = False
    mtu = MTU

    def setUp(self):
        self.net = Chain(self.mtu, self.offload)
        self.addCleanup(self.net.close)
        self.mid = self.net.mid
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.listener = self.stack.enter_context(self.net.srv.listen("0.0.0.0", PORT))

    def capture(self, ns, dev):
        capture = Capture(ns, dev)
        self.stack.callback(capture.stop)
        return capture

    def no_timers(self):
        no_timers(self.stack, self.net.cli2, Chain.MID2)

    def connect(self, ns, to=Chain.SRV):
        cli = self.stack.enter_context(ns.connect((to, PORT)))
        return cli, accept(self.listener, self.stack)

    def pass_a_message(self, to=Chain.SRV):
        """cli1 uploads, the far router reports its MTU, and mid forwards that."""
        cli, srv = self.connect(self.net.cli1, to)
        exchange(cli, srv, 5000)
        self.assertEqual(self.net.cli1.route_mtu(to), self.mtu, "nothing was reported to cli1")
        return cli, srv

    def syn(self, options, flags=SYN, data=b""):
        """From cli1 to the server, with these TCP options."""
        return tcp_packet(Chain.CLI1, Chain.SRV, 40000, PORT, 1, flags, options, data,
                          window=1000, df=False)

    def injector(self, ns, dev, peer_dev):
        """Puts packets on a cable of @ns to mid, whose end is @peer_dev."""
        injector = Injector(ns, dev, mac_of(self.mid, peer_dev))
        self.stack.callback(injector.close)
        return injector
