# SPDX-License-Identifier: GPL-2.0
"""What a forged message says of addresses and routes, against what is public about
the host that receives it: one namespace writes the messages on the cable of
another. A refused one moves its reason's counter, makes no host route, and the
stock path has learned nothing from it either."""

import contextlib
import errno
import os
import socket
import struct
import unittest

from lab.datagrams import IP_RECVERR, MSG_ERRQUEUE, extended_error
from lab.messages import datagram_quote, echo_quote, frag_needed, ip_quote, quote_of, tcp_quote
from lab.namespace import Namespace, accept, veth
from lab.system import insmod, rmmod, wait_for
from lab.transfer import receive, tcp_info
from lab.wire import Capture, Injector, mac_of, open_tun


SRV, GATEWAY = "192.0.2.1", "192.0.2.2"
OTHER = "192.0.2.9"		# another address of the server's
FAR = "203.0.113.7"		# behind the gateway
TCP, UDP, ECHO = socket.IPPROTO_TCP, socket.IPPROTO_UDP, socket.IPPROTO_ICMP
IPIP, GRE, SCTP, OSPF = 4, 47, 132, 89
NAMES = {TCP: "TCP", UDP: "UDP", ECHO: "Echo", GRE: "GRE", IPIP: "IPIP"}
JUDGED_BY_ROUTE = (UDP, ECHO)


def quote(src, dst, proto, length=1400):
    if proto in JUDGED_BY_ROUTE:
        return datagram_quote(src, dst, length, proto)
    return tcp_quote(src, dst, 40000, 80, 1, length) if proto == TCP else \
        ip_quote(src, dst, proto, struct.pack("!HHI", 40000, 80, 1), length)


def message(dst, proto=UDP, mtu=1200, src=SRV, to=None, router=GATEWAY, length=1400):
    return frag_needed(router, to or src, mtu, quote(src, dst, proto, length))


class OnWire(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.srv, self.rtr = self.namespace("srv"), self.namespace("rtr")
        self.rtr.ip("link set lo up")
        self.srv.ip("link set lo up")
        self.inject = self.plug("eth0", "toserver", SRV, GATEWAY)
        self.srv.ip(f"addr add {OTHER}/24 dev eth0", f"route add default via {GATEWAY}")

    def namespace(self, name):
        ns = Namespace(name)
        self.stack.callback(ns.delete)
        return ns

    def plug(self, dev, peer_dev, address, peer, master=None):
        """A cable to the router; what writes packets on it."""
        self.rtr.ip(*veth(peer_dev, self.srv, dev), f"addr add {peer}/24 dev {peer_dev}")
        if master:
            self.srv.ip(f"link set {dev} master {master}")
        self.srv.ip(f"link set {dev} up", f"addr add {address}/24 dev {dev}")
        for ns, end in ((self.srv, dev), (self.rtr, peer_dev)):
            ns.wait_until_up(end)
        injector = Injector(self.rtr, peer_dev, mac_of(self.srv, dev))
        self.stack.callback(injector.close)
        return injector.send

    def stock(self, addresses, vrf=None):
        """What the stock path says of these destinations."""
        return [self.srv.look_up(address, vrf) for address in addresses]

    def assert_outcome(self, packet, reason, send=None):
        before = self.srv.outcomes()
        (send or self.inject)(packet)
        wait_for(lambda: self.srv.stat(reason) > before[reason], f"an outcome, {reason}")
        moved = {name: count - before[name] for name, count in self.srv.outcomes().items()
                 if count != before[name]}
        self.assertEqual(moved, {reason: 1})

    def assert_all_refused(self, cases, looked_at, vrf=None, send=None):
        """@cases: what it is called, the message, the reason."""
        stock = self.stock(looked_at, vrf)
        for what, packet, reason in cases:
            with self.subTest(what):
                self.assert_outcome(packet, reason, send)
        self.assertEqual(self.srv.listing(), [])
        self.assertEqual(self.stock(looked_at, vrf), stock)

    def assert_recorded(self, dst, mtu, packet, send=None, vrf="-"):
        """Nothing public speaks against it: it goes where what is unproven goes."""
        (send or self.inject)(packet)
        wanted = (dst, str(mtu), "unproven", vrf)
        wait_for(lambda: [e for e in self.srv.listing() if wanted == (
            e["destination"], e["mtu"], e["state"], e["vrf"])], f"the claim about {dst}")
        self.srv.set("flush", "all")


class Addresses(OnWire):
    def test_control(self):
        """What the refused ones are one thing away from; and without the module
        the stock path makes an exception of it."""
        for proto in JUDGED_BY_ROUTE:
            self.assert_recorded(FAR, 1200, message(FAR, proto))
        self.assert_outcome(message(FAR, IPIP), "passed_protocol")
        self.assert_outcome(message(FAR, TCP), "ignored_no_socket")
        # This kernel's own answer, which anybody can ask for (NDSS 2022).
        unknown = "203.0.113.8"
        reply = frag_needed(GATEWAY, SRV, 1200, echo_quote(SRV, unknown, kind=0))
        self.assert_all_refused([("Echo Reply", reply, "ignored_icmp")], [unknown])
        self.srv.set("mode", "off")
        self.inject(reply)
        wait_for(lambda: self.srv.look_up(unknown).expires, "the exception")

    def test_wrong_quoted_checksum(self):
        """Case 11: some routers lower the quoted TTL and leave the checksum."""
        packet = bytearray(quote(SRV, FAR, UDP))
        packet[8] -= 1
        self.assert_recorded(FAR, 1200, frag_needed(GATEWAY, SRV, 1200, bytes(packet)))
        self.assertEqual(self.srv.stat("quoted_checksum"), 1)

    def test_quoted_source(self):
        """Cases 18, 20, 21: not what the message was sent to."""
        cases = [(f"{NAMES[proto]} from {src}",
                  message(FAR, proto, src=src, to=SRV), "ignored_outer")
                 for proto in NAMES for src in ("198.51.100.1", "127.0.0.1", OTHER)]
        self.assert_all_refused(cases, [FAR])

    def test_quoted_source_that_nobody_has(self):
        """An administrator lets 127/8 in: on a wire it is still no host's address."""
        self.srv.sysctl(conf__all__route_localnet=1)
        self.assert_all_refused(
            [(NAMES[proto], message(FAR, proto, src="127.0.0.1"), "ignored_source")
             for proto in NAMES], [FAR])

    def test_quoted_destination(self):
        """Cases 23, 24, 25."""
        nobody = ("239.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "0.0.0.1",
                  "127.0.0.1", "192.0.2.255")
        cases = [(f"{NAMES[proto]} to {dst}", message(dst, proto), "ignored_destination")
                 for proto in NAMES for dst in nobody]
        # One of a connection to this host itself its socket would have to prove:
        # NAT may have sent it elsewhere.
        cases += [(f"{NAMES[proto]} to {dst}", message(dst, proto),
                   "ignored_no_socket" if proto == TCP else "ignored_destination")
                  for proto in NAMES for dst in (SRV, OTHER)]
        self.assert_all_refused(cases, nobody + (SRV, OTHER))

    def test_router(self):
        """Case 27: some the stock path drops itself, without counting them."""
        martian = ("127.0.0.1", "224.0.0.5", "255.255.255.255", SRV)
        for router in martian:
            self.inject(message(FAR, ECHO, router=router))
        self.assert_all_refused([("240/4", message(FAR, ECHO, router="240.0.0.1"),
                                  "ignored_router")], [FAR])
        self.assertEqual(self.srv.stat("received"), 1)
        # The administrator lets in what is martian otherwise.
        self.srv.sysctl(conf__all__route_localnet=1, conf__eth0__accept_local=1)
        self.assert_all_refused(
            [(f"{NAMES[proto]} by {router}", message(FAR, proto, router=router),
              "ignored_router") for proto in JUDGED_BY_ROUTE + (GRE,)
             for router in ("127.0.0.1", SRV, OTHER)], [FAR])
        # A router that quotes a packet to itself is no worse than others.
        self.assert_recorded(FAR, 1200, message(FAR, router=FAR))

    def test_message_of_this_host_itself(self):
        """Case 27: a tunnel's message comes by way of lo, from its own address."""
        with self.srv.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW) as s:
            self.assert_recorded(FAR, 1200, message(FAR, router=SRV),
                                 send=lambda packet: s.sendto(packet, (SRV, 0)))

    def test_sent_to_a_broadcast_address(self):
        """Case 29: LOCAL_IN sees it though the stock path refuses it later."""
        self.assert_all_refused(
            [(NAMES[proto], message(FAR, proto, src=src), "ignored_outer")
             for proto in NAMES for src in ("192.0.2.255", "255.255.255.255")], [FAR])


class Protocols(OnWire):
    """What is neither TCP, UDP nor an Echo."""

    def test_only_raw_sockets_send_it(self):
        """It is a datagram like others: on record, and those sockets get the error."""
        for proto in (SCTP, 253):	# this kernel does not speak SCTP
            self.assert_nobodys(proto)
        self.assert_all_refused([("reserved", message(FAR, 255), "ignored_quote")], [FAR])
        with self.srv.socket(socket.SOCK_RAW, proto=OSPF) as s:
            s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            self.assert_nobodys(OSPF)
            _, control, _, _ = s.recvmsg(2000, 512, MSG_ERRQUEUE)
            number, _, kind, code, mtu = extended_error(control[0][2])
            self.assertEqual((number, kind, code, mtu), (errno.EMSGSIZE, 3, 4, 1200))

    def tunnel(self, remote, kind="gre"):
        self.srv.ip(f"link add tunnel type {kind} local {SRV} remote {remote}",
                    "link set tunnel up")

    def assert_nobodys(self, proto=GRE):
        stock = self.stock([FAR])
        self.assert_recorded(FAR, 1200, message(FAR, proto))
        self.assertEqual(self.stock([FAR]), stock)

    def test_gre_of_a_tunnel(self):
        """It is the stock path's if there is a tunnel that may have sent it."""
        passed = lambda: self.assert_outcome(message(FAR, GRE), "passed_protocol")
        self.assert_nobodys()
        self.tunnel("203.0.113.8")
        self.assert_nobodys()
        self.srv.ip("link del tunnel")
        for kind in ("gre", "gretap"):
            self.tunnel(FAR, kind)
            passed()
            self.srv.ip("link set tunnel down")
            self.srv.sysctl(route__flush=1)
            self.assert_nobodys()
            self.srv.ip("link del tunnel")
        # Its device may be elsewhere; and its other end anybody.
        self.tunnel("any")
        other = self.namespace("other")
        self.srv.ip(f"link set tunnel netns {other.file}")
        self.assert_nobodys()
        other.ip("link set tunnel up")
        passed()
        # There already when the module comes.
        rmmod()
        insmod()
        passed()
        other.ip("link del tunnel")
        self.srv.sysctl(route__flush=1)
        self.assert_nobodys()


class Routes(OnWire):
    def test_on_link(self):
        """Case 26: no router is on the way to a neighbour."""
        self.assert_all_refused(
            [(f"{NAMES[proto]} to {dst}", message(dst, proto), "ignored_on_link")
             for proto in JUDGED_BY_ROUTE for dst in (GATEWAY, "192.0.2.77")],
            (GATEWAY, "192.0.2.77"))

    def neighbour(self, address, mac, dev="eth0", state="permanent"):
        self.srv.ip(f"neigh replace {address} lladdr {mac} dev {dev} nud {state}")

    def test_neighbour_speaks_for_itself(self):
        """A bridge with a tunnel among its ports answers like that: in the name and
        with the hardware address of the packet's destination."""
        mac = self.rtr.device("toserver", "address")
        self.neighbour(GATEWAY, mac)
        for proto in JUDGED_BY_ROUTE:
            self.assert_recorded(GATEWAY, 1200, message(GATEWAY, proto))
            # Unproven, as everything that has no connection.
            self.assert_recorded(GATEWAY, 552, message(GATEWAY, proto, mtu=400))

    def test_not_the_neighbour(self):
        """One thing away from that each: an attacker further away cannot make the
        link's last hop send with another's hardware address."""
        mac = self.rtr.device("toserver", "address")
        other = "02:00:00:00:00:77"
        by_eth1 = self.plug("eth1", "toserver2", "198.51.100.1", "198.51.100.2")
        refused = lambda what, packet, send=None: self.assert_all_refused(
            [(f"{NAMES[proto]}, {what}", packet(proto), "ignored_on_link")
             for proto in JUDGED_BY_ROUTE], [GATEWAY, "192.0.2.77"], send=send)
        itself = lambda proto: message(GATEWAY, proto)
        self.neighbour(GATEWAY, mac)
        self.neighbour("192.0.2.77", mac)
        refused("by another", lambda proto: message(GATEWAY, proto, router="192.0.2.77"))
        refused("from afar", lambda proto: message(GATEWAY, proto, router=FAR))
        refused("by another device", itself, by_eth1)
        self.neighbour(GATEWAY, other)
        refused("with another hardware address", itself)
        for state in ("incomplete", "failed"):
            self.neighbour(GATEWAY, mac, state=state)
            refused(state, itself)
        self.srv.ip(f"neigh del {GATEWAY} dev eth0")
        refused("unknown", itself)

    def test_no_gateway_and_yet_far_away(self):
        """On a device without neighbours everybody is behind it."""
        self.stack.callback(os.close, open_tun(self.srv, "ppp0"))
        self.srv.ip("link set ppp0 up", f"route add {FAR}/32 dev ppp0")
        self.assert_recorded(FAR, 1200, message(FAR))

    def test_no_route(self):
        no_route = {f"203.0.113.{10 + n}": kind for n, kind in
                    enumerate(("blackhole", "unreachable", "prohibit", "throw"))}
        self.srv.ip("route del default",
                    *(f"route add {kind} {dst}/32" for dst, kind in no_route.items()),
                    "route add 203.0.113.20/32 dev lo")
        gone = (*no_route, "203.0.113.20", FAR)
        self.assert_all_refused(
            [(f"{NAMES[proto]} to {no_route.get(dst, dst)}", message(dst, proto),
              "ignored_destination") for proto in JUDGED_BY_ROUTE for dst in gone], gone)
        # With policy routing there may be a route for its socket.
        self.srv.ip("rule add fwmark 1 lookup 100", f"route add {FAR}/32 via {GATEWAY} table 100")
        stock = self.stock([FAR])
        self.assert_outcome(message(FAR), "passed_route")
        self.assertEqual(self.stock([FAR]), stock)

    def test_locked_mtu(self):
        self.srv.ip(f"route add {FAR}/32 via {GATEWAY} mtu lock 1400")
        self.assert_all_refused([(NAMES[proto], message(FAR, proto), "ignored_locked")
                                 for proto in JUDGED_BY_ROUTE], [FAR])

    def test_not_below_what_the_route_carries(self):
        """Case 31: the estimate is the route's, or the device's."""
        self.srv.ip(f"route add 203.0.113.8/32 via {GATEWAY} mtu 1400")
        self.assert_all_refused(
            [(f"{NAMES[proto]}, {mtu} to {dst}", message(dst, proto, mtu, length=9000),
              "ignored_not_smaller") for proto in JUDGED_BY_ROUTE
             for dst, mtu in ((FAR, 1500), (FAR, 1501), ("203.0.113.8", 1400),
                              ("203.0.113.8", 1450))], (FAR, "203.0.113.8"))
        text = self.srv.run("ip", "route", "show", "203.0.113.8")
        self.assert_recorded(FAR, 1499, message(FAR, mtu=1499, length=9000))
        self.assert_recorded("203.0.113.8", 1399, message("203.0.113.8", mtu=1399))
        self.assertEqual(self.srv.run("ip", "route", "show", "203.0.113.8"), text)

    def test_tos(self):
        """The route is that of the quoted TOS."""
        self.srv.ip(f"route add {FAR}/32 tos 0x10 via {GATEWAY} mtu 1000")
        packet = frag_needed(GATEWAY, SRV, 1200, datagram_quote(SRV, FAR, tos=0x10))
        self.assert_all_refused([("tos", packet, "ignored_not_smaller")], [FAR])
        self.assert_recorded(FAR, 1200, message(FAR))

    def test_vrf(self):
        """Case 89: each VRF has addresses and routes of its own."""
        self.srv.ip("link add red type vrf table 10", "link set red up")
        inject = self.plug("eth1", "toserver2", "198.51.100.1", "198.51.100.2", "red")
        self.srv.ip("route add vrf red default via 198.51.100.2",
                    "route add vrf red 203.0.113.8/32 via 198.51.100.2 mtu 1000",
                    "route add blackhole 203.0.113.9/32")
        in_red = lambda dst, proto=UDP, mtu=1200: message(
            dst, proto, mtu, src="198.51.100.1", router="198.51.100.2")
        cases = [("on-link", in_red("198.51.100.77"), "ignored_on_link"),
                 ("broadcast", in_red("198.51.100.255"), "ignored_destination"),
                 ("own address", in_red("198.51.100.1"), "ignored_destination"),
                 ("own address, GRE", in_red("198.51.100.1", GRE), "ignored_destination"),
                 ("the VRF's MTU", in_red("203.0.113.8"), "ignored_not_smaller")]
        self.assert_all_refused(cases, ("198.51.100.2", FAR, "203.0.113.8"), "red", inject)
        for dst in (FAR, "203.0.113.9", GATEWAY):
            self.assert_recorded(dst, 1200, in_red(dst), inject, vrf="red")
        self.neighbour("198.51.100.2", self.rtr.device("toserver2", "address"), "eth1")
        self.assert_recorded("198.51.100.2", 1200, in_red("198.51.100.2"), inject, vrf="red")
        # And the other way round.
        for dst in (FAR, "203.0.113.8", "198.51.100.1", "198.51.100.2"):
            self.assert_recorded(dst, 1200, message(dst))
        self.assert_all_refused([("blackhole", message("203.0.113.9"), "passed_route")],
                                ["203.0.113.9"])

    def test_message_of_this_host_itself_in_a_vrf(self):
        """The VRF's device takes the place of lo."""
        self.srv.ip("link add red type vrf table 10", "link set red up")
        self.plug("eth1", "toserver2", "198.51.100.1", "198.51.100.2", "red")
        self.srv.ip("route add vrf red default via 198.51.100.2")
        with self.srv.socket(socket.SOCK_RAW, proto=socket.IPPROTO_RAW) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"red")
            packet = message(FAR, src="198.51.100.1", router="198.51.100.1")
            self.assert_recorded(FAR, 1200, packet, vrf="red",
                                 send=lambda packet: s.sendto(packet, ("198.51.100.1", 0)))


class Proven(OnWire):
    """Facts that are wrong for a connection do not refuse what it proves."""

    def in_flight(self, local):
        """A connection from @local to the gateway with a segment in flight, and
        that segment's quote."""
        wire = Capture(self.rtr, "toserver")
        self.stack.callback(wire.stop)
        s = self.stack.enter_context(self.srv.socket())
        s.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
        s.bind((local, 0))
        with self.rtr.listen(GATEWAY, 80) as listener:
            s.connect((GATEWAY, 80))
            peer = accept(listener, self.stack)
        s.sendall(b"x" * 100)
        self.assertEqual(len(receive(peer, 100)), 100)
        self.rtr.ip(f"route replace blackhole {local}/32 table local")
        s.sendall(b"y" * 500)
        frame = wire.wait(lambda f: f.src == local and f.data == 500, "the segment")
        return s, quote_of(frame)

    def assert_obeyed(self, local):
        s, segment = self.in_flight(local)
        self.inject(frag_needed(GATEWAY, local, 400, segment))
        wait_for(lambda: tcp_info(s)["pmtu"] == 400, "the clamp")
        entry, = self.srv.listing()
        self.assertEqual((entry["destination"], entry["mtu"], entry["state"]),
                         (GATEWAY, "400", "proven"))

    def test_on_link(self):
        """Case 26: a bridge, or a host that answers ARP for others."""
        self.assert_obeyed(SRV)

    def test_transparent_proxy(self):
        proxied = "198.51.100.7"
        self.rtr.ip(f"route add {proxied}/32 via {SRV}")
        self.srv.ip(f"rule add to {proxied} lookup 100",
                    f"route add local {proxied}/32 dev lo table 100")
        self.assert_all_refused([(NAMES[proto], message(FAR, proto, src=proxied),
                                  "ignored_source") for proto in (UDP, ECHO, GRE)], [FAR])
        self.assert_obeyed(proxied)
