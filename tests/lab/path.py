# SPDX-License-Identifier: GPL-2.0
"""A server behind a router whose link to the client has a small MTU, and what the
tests on that path have in common."""

import contextlib
import unittest

from lab.messages import frag_needed, quote_of
from lab.namespace import Namespace, accept, make_router, no_timers, veth
from lab.system import wait_for
from lab.transfer import exchange
from lab.wire import Capture, Injector, mac_of

PORT = 3389
MTU = 320


class Path:
    """srv --- rtr === cli: the router's link to the client has a small MTU, and
    the client does not know (its own end says 1500), so that its MSS is no help.
    """

    SRV, CLI = "10.102.1.248", "10.102.45.12"
    RTR_SRV, RTR_CLI = "10.102.1.1", "10.102.45.1"

    def __init__(self, mtu=MTU, offload=False, wire=True, srv=None, dev="eth0", vrf=None):
        """@srv: a server that is there already and gets one more uplink, @dev, in
        @vrf, a pair of name and table."""
        self.wire = None
        self._namespaces = []
        self._offload = offload
        self.srv, self.dev, self._vrf = srv, dev, vrf
        try:
            self._build(mtu)
            if wire:
                self.wire = Capture(self.rtr, "toserver")
        except BaseException:
            self.close()
            raise

    def _namespace(self, name):
        self._namespaces.append(Namespace(name))
        return self._namespaces[-1]

    def _build(self, mtu):
        self.rtr, self.cli = self._namespace("rtr"), self._namespace("cli")
        self.srv = self.srv or self._namespace("srv")
        self.rtr.ip("link set lo up", *veth("toclient", self.cli, "eth0", mtu=mtu),
                    f"addr add {self.RTR_CLI}/24 dev toclient")
        # What the client sends fits; the MSS it offers is that of its own link.
        self._plug(self.cli, "eth0", self.CLI, f"{self.RTR_CLI} mtu {mtu} advmss 1460",
                   "toclient")
        self.plug_server()
        make_router(self.rtr)

    def _plug(self, ns, dev, address, router, router_dev):
        ns.ip("link set lo up", f"link set {dev} up", f"addr add {address}/24 dev {dev}",
              f"route add default via {router}")
        for end, dev in ((ns, dev), (self.rtr, router_dev)):
            if not self._offload:
                end.no_offload(dev)
            # A slow guest must not take a cable for unplugged.
            end.sysctl(**{f"neigh__{dev}__mcast_solicit": 30})
            end.wait_until_up(dev)

    def plug_server(self):
        """Connect a server that has no cable (any more) to the router."""
        self.rtr.ip(*veth("toserver", self.srv, self.dev),
                    f"addr add {self.RTR_SRV}/24 dev toserver")
        router = self.RTR_SRV
        if self._vrf:
            name, table = self._vrf
            self.srv.ip(f"link add {name} type vrf table {table}", f"link set {name} up",
                        f"link set {self.dev} master {name}")
            router += f" table {table}"
        self._plug(self.srv, self.dev, self.SRV, router, "toserver")

    def replace_server(self):
        """Another machine in the server's place, once the old one is gone."""
        wait_for(lambda: self.rtr.device("toserver", "address") is None,
                 "the old server's namespace to go")
        self._namespaces.remove(self.srv)
        self.srv = self._namespace(self.srv.name)
        self.plug_server()

    def set_mtu(self, mtu):
        self.rtr.ip(f"link set toclient mtu {mtu}")

    def hold_acks(self, hold=True):
        """Lose everything from the client: what the server sends stays in flight."""
        self.rtr.ip(f"route {'replace' if hold else 'del'} blackhole {self.SRV}/32")

    def injector(self):
        return Injector(self.rtr, "toserver", mac_of(self.srv, self.dev))

    @classmethod
    def message(cls, mtu, quote):
        """The router reports this MTU to the server."""
        return frag_needed(cls.RTR_SRV, cls.SRV, mtu, quote)

    def from_server(self, frames=None, port=None):
        """TCP packets from the server, on the wire next to it."""
        frames = self.wire.frames if frames is None else frames
        return [f for f in frames if f.src == self.SRV and f.tcp and
                (port is None or f.carries(port))]

    def close(self):
        if self.wire:
            self.wire.stop()
        for ns in self._namespaces:
            with contextlib.suppress(AssertionError, OSError):
                ns.delete()


class OnPath(unittest.TestCase):
    """A listening server on a path of 320 bytes."""
    offload = False
    RTO = 10

    def setUp(self):
        self.path = Path(MTU, offload=self.offload)
        self.addCleanup(self.path.close)
        self.srv = self.path.srv
        self.listener = self.srv.listen(Path.SRV, PORT)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.stack.enter_context(self.listener)

    def accepted(self):
        """A connection from the client: its end, and the server's."""
        cli = self.stack.enter_context(self.path.cli.connect((Path.SRV, PORT)))
        return cli, accept(self.listener, self.stack)

    def opened(self, port=8080):
        """A connection from the server: the client's end, and the server's."""
        with self.path.cli.listen(Path.CLI, port) as listener:
            srv = self.stack.enter_context(self.srv.connect((Path.CLI, port)))
            return accept(listener, self.stack), srv

    def learn(self, mtu=MTU):
        """The server learns the path's MTU from its router, by a connection."""
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), mtu)
        return cli, srv

    def no_timers(self, rto=None):
        no_timers(self.stack, self.srv, Path.RTR_SRV, rto or self.RTO)

    def new_injector(self):
        injector = self.path.injector()
        self.stack.callback(injector.close)
        return injector

    def sent_in_flight(self, srv, length):
        """Send what stays in flight; its segments."""
        self.path.hold_acks()
        self.path.wire.clear()
        srv.sendall(b"f" * length)
        sent = lambda: [f for f in self.path.from_server() if f.data]
        wait_for(lambda: sum(f.data for f in sent()) >= length, "the segments")
        return sent()

    def assert_fits(self, frames, mtu=MTU):
        self.assertTrue(frames, "no packets on the wire")
        for f in frames:
            self.assertLessEqual(f.length, mtu, f"too big on the wire: {f}")
            self.assertTrue(f.df, f"DF not set: {f}")
            self.assertFalse(f.fragment, f"a fragment: {f}")

    def assert_no_messages(self, frames=None, why="the router had to report it again"):
        frames = self.path.wire.frames if frames is None else frames
        self.assertEqual([f for f in frames if f.frag_needed], [], why)

    def after_following(self):
        """What the server sent from the first lost segment on that it sent again in
        packets that fit. What it sent before, or had sent when the message came,
        may be too big; the order of packets separates the two, however late the
        capture reads them. To be used with one_cpu()."""
        sent = [f for f in self.path.from_server() if f.data]
        seen = set()
        for n, f in enumerate(sent):
            if f.seq in seen and f.length <= MTU:
                return sent[n:]
            seen.add(f.seq)
        self.fail("nothing was sent again in packets that fit")

    def messages_about(self, port):
        """Fragmentation needed for the connection with this port at the client."""
        return [f for f in self.path.wire.frames if f.frag_needed and
                f.quote[22:24] == port.to_bytes(2, "big")]

    def assert_no_exception(self):
        """The stock path has learned nothing of its own."""
        self.assertIsNone(self.srv.look_up(Path.CLI).mtu)


class Provable(OnPath):
    """A connection with a segment in flight, and messages that quote it."""

    def in_flight(self):
        """The client's end, the server's, the segment, an injector."""
        self.path.set_mtu(1500)
        cli, srv = self.accepted()
        exchange(srv, cli, 100)
        frame = self.sent_in_flight(srv, 500)[0]
        return cli, srv, frame, self.new_injector()

    @staticmethod
    def message(frame, mtu=400, **change):
        """About this segment; changes as of quote_of()."""
        return Path.message(mtu, quote_of(frame, **change))
