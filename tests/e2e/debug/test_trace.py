# SPDX-License-Identifier: GPL-2.0
"""Every tracepoint with all its fields, and the mode that only observes. (That the
usual tools can read the tracepoints: debian/test_trace_tools.py.)"""

import os
import pathlib
import re
import socket

from lab.claims import Deferred
from lab.datagrams import UDP_ENCAP
from lab.messages import datagram_quote, echo_quote, frag_needed, quote_of
from lab.packets import ip_header
from lab.path import OnPath, Path, Provable
from lab.system import insmod, rmmod, wait_for
from lab.trace import SYSTEM, TRACING, Trace, netns_of
from lab.transfer import abort_on_close, exchange, receive, tcp_info

MTU = 1000	# what the stock path takes as it is


class Watched(OnPath):
    def setUp(self):
        super().setUp()
        self.trace = Trace()
        self.addCleanup(self.trace.close)
        self.netns = netns_of(self.srv)

    def names(self):
        """This namespace's events, in order; the kernel may still be taking down the
        namespaces of the test before."""
        return [e["event"] for e in self.trace.events if e["netns"] == self.netns]


class Traced(Watched, Provable):
    def inject(self, injector, packet, reason):
        """Its one event. The counter moves by one with it."""
        self.trace.clear()
        before = self.srv.stat(reason)
        injector.send(packet)
        event = self.trace.wait("ignored", {"reason": reason})
        self.assertEqual(self.srv.stat(reason), before + 1)
        self.assertEqual(len(self.trace.of("ignored")), 1, self.trace.events)
        return event


class Ignored(Traced):
    def fields(self, frame, mtu=400, **change):
        """What is to be seen of a message that quotes this segment."""
        return {"event": "ignored", "netns": self.netns, "dev": "eth0",
                "router": Path.RTR_SRV, "source": Path.SRV, "destination": Path.CLI, "protocol": "6",
                "sport": str(frame.sport), "dport": str(frame.dport), "seq": str(frame.seq),
                "len": str(frame.length), "mtu": str(mtu), "observed": "0"} | change

    def datagram(self, destination=Path.CLI, protocol=17, mtu=400, **change):
        """The same for a datagram or an Echo."""
        ports = ("40000", "9") if protocol == 17 else ("0", "0")
        return {"event": "ignored", "netns": self.netns, "dev": "eth0",
                "router": Path.RTR_SRV, "source": Path.SRV, "destination": destination,
                "protocol": str(protocol), "sport": ports[0], "dport": ports[1], "seq": "0",
                "len": "1400", "mtu": str(mtu), "observed": "0"} | change

    def bare(self, mtu):
        """The same where nothing is quoted."""
        unknown = dict.fromkeys(("protocol", "sport", "dport", "seq", "len"), "0")
        return {"event": "ignored", "netns": self.netns, "dev": "eth0",
                "router": Path.RTR_SRV, "source": "0.0.0.0", "destination": "0.0.0.0",
                "mtu": str(mtu), "observed": "0"} | unknown

    def test_by_the_parser(self):
        """As much as there is of a message that does not make sense."""
        _, srv, frame, injector = self.in_flight()
        message = lambda quote, mtu=400: Path.message(mtu, quote)
        quote = lambda **at: quote_of(frame, at={int(k[1:]): v for k, v in at.items()})
        no_ports = {"sport": "0", "dport": "0", "seq": "0"}

        def wrong_checksum():
            packet = bytearray(self.message(frame))
            packet[22] ^= 1
            return bytes(packet)

        cases = (
            ("ignored_checksum", wrong_checksum(), self.fields(frame)),
            ("ignored_df", message(quote(_6=0)), self.fields(frame)),
            ("ignored_fits", self.message(frame, mtu=1000), self.fields(frame, 1000)),
            ("ignored_mtu", self.message(frame, mtu=67), self.fields(frame, 67)),
            ("ignored_outer", message(quote(_15=249)), self.fields(frame, source="10.102.1.249")),
            # An IHL of 4: nobody knows where the transport begins.
            ("ignored_quote", message(quote(_0=0x44)), self.fields(frame, **no_ports)),
            ("ignored_fragment", message(quote(_6=0x40, _7=1)), self.fields(frame, **no_ports)),
            # Ports, and three bytes of the sequence number.
            ("ignored_truncated", message(quote()[:27]), self.fields(frame, seq="0")),
            ("ignored_truncated", message(quote()[:23]), self.fields(frame, **no_ports)),
            ("ignored_truncated", message(quote()[:19]), self.bare(400)),
            ("ignored_truncated", message(b"", 68), self.bare(68)),
            ("ignored_truncated", ip_header(Path.RTR_SRV, Path.SRV, 1, 23) + b"\3\4\0",
             self.bare(0)),
            ("passed_protocol",
             message(ip_header(Path.SRV, Path.CLI, socket.IPPROTO_IPIP, 1400) + bytes(8)),
             self.fields(frame, protocol="4", len="1400", **no_ports)),
            ("ignored_df",
             message(ip_header(Path.SRV, Path.CLI, 132, 1400, df=False) + b"\1\2\3\4" + bytes(4)),
             self.fields(frame, protocol="132", len="1400", sport="258", dport="772", seq="0")),
        )
        for reason, packet, fields in cases:
            with self.subTest(f"{reason}, {len(packet)} bytes"):
                self.assertEqual(self.inject(injector, packet, reason),
                                 fields | {"reason": reason})
                # What is passed on, the stock path may believe.
                if reason.startswith("ignored"):
                    self.assertEqual(tcp_info(srv)["pmtu"], 1500)

    def test_by_public_facts(self):
        """Of a message that no connection proves, too, the event has all that it says."""
        far = [f"203.0.113.{n}" for n in range(1, 100)]
        injector = self.path.injector()
        self.stack.callback(injector.close)
        self.srv.ip(f"route add {far[0]}/32 via {Path.RTR_SRV} mtu lock 1400",
                    f"route add blackhole {far[1]}/32")
        self.srv.set("add", f"{far[2]} 1300")
        # What is martian otherwise.
        self.srv.sysctl(conf__all__route_localnet=1, conf__eth0__accept_local=1)

        def message(destination=Path.CLI, mtu=400, protocol=17, router=Path.RTR_SRV,
                 source=Path.SRV, length=1400):
            return frag_needed(router, source, mtu,
                                   datagram_quote(source, destination, length, protocol))

        cases = (
            ("ignored_router", message(router="240.0.0.1"), self.datagram(router="240.0.0.1")),
            ("ignored_router", message(router="127.0.0.2"), self.datagram(router="127.0.0.2")),
            ("ignored_source", message(source="127.0.0.1"), self.datagram(source="127.0.0.1")),
            ("ignored_destination", message("239.1.2.3"), self.datagram("239.1.2.3")),
            ("ignored_destination", message(far[1]), self.datagram(far[1])),
            ("ignored_icmp", Path.message(400, echo_quote(Path.SRV, Path.CLI, kind=0)),
             self.datagram(protocol=1)),
            ("ignored_locked", message(far[0]), self.datagram(far[0])),
            ("ignored_on_link", message(Path.RTR_SRV, protocol=1),
             self.datagram(Path.RTR_SRV, protocol=1)),
            ("ignored_not_smaller", message(mtu=1500, length=9000),
             self.datagram(mtu=1500, len="9000")),
            ("ignored_mtu", message(mtu=0), self.datagram(mtu=0)),
            ("outranked", message(far[2]), self.datagram(far[2])),
        )
        for reason, packet, fields in cases:
            with self.subTest(f"{reason}, {fields}"):
                self.assertEqual(self.inject(injector, packet, reason),
                                 fields | {"reason": reason})
                self.assertEqual(self.trace.of("learned") + self.trace.of("recorded"), [])
        self.srv.sysctl(ip_no_pmtu_disc=3)
        self.assertEqual(self.inject(injector, message(), "passed_disabled"),
                         self.datagram(reason="passed_disabled"))
        self.srv.sysctl(ip_no_pmtu_disc=0)
        self.srv.set("unproven", "ignore")
        self.assertEqual(self.inject(injector, message(), "ignored_unproven"),
                         self.datagram(reason="ignored_unproven"))
        self.srv.set("unproven", "isolate")
        # What is on record and passed on has two events, and what is on record one.
        tunnel = self.stack.enter_context(self.srv.socket(socket.SOCK_DGRAM))
        tunnel.bind((Path.SRV, 40000))
        tunnel.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, 2)	# ESP in UDP
        self.assertEqual(self.inject(injector, message(mtu=800), "passed_encap"),
                         self.datagram(mtu=800, reason="passed_encap"))
        self.assertEqual([e["state"] for e in self.trace.of("recorded")], ["unproven"])
        tunnel.close()
        self.trace.clear()
        injector.send(message(mtu=700))
        self.trace.wait("lowered", {"destination": Path.CLI, "state": "unproven", "mtu": "700"})
        # Two seconds' worth of new ones at most.
        self.srv.set("unproven_rate", 1)
        for destination in far[50:70]:
            injector.send(message(destination))
        wait_for(lambda: self.srv.stat("ignored_rate") + self.srv.stat("recorded") == 20,
                     "the messages")
        refused = self.trace.of("ignored")
        self.assertEqual(len(refused), self.srv.stat("ignored_rate"))
        self.assertGreater(len(refused), 0)
        self.assertEqual(refused[-1], self.datagram(refused[-1]["destination"],
                                                    reason="ignored_rate"))
        self.assertEqual({e["destination"] for e in refused + self.trace.of("recorded")},
                         set(far[50:70]))

    def test_by_its_proof(self):
        _, srv, frame, injector = self.in_flight()
        acked = (frame.seq - 1) & 0xffffffff
        self.assertEqual(
            self.inject(injector, self.message(frame, seq=-1), "ignored_sequence"),
            self.fields(frame, seq=str(acked), reason="ignored_sequence"))
        self.assertEqual(
            self.inject(injector, self.message(frame, at={23: frame.raw[23] ^ 1}),
                        "ignored_no_socket"),
            self.fields(frame, dport=str(frame.dport ^ 1), reason="ignored_no_socket"))
        srv.setsockopt(socket.IPPROTO_IP, 21, 200)	# IP_MINTTL
        self.assertEqual(self.inject(injector, self.message(frame), "ignored_ttl"),
                         self.fields(frame, reason="ignored_ttl"))
        srv.setsockopt(socket.IPPROTO_IP, 21, 0)
        self.srv.set("max_routes", 0)
        self.assertEqual(self.inject(injector, self.message(frame), "ignored_full"),
                         self.fields(frame, reason="ignored_full"))
        self.srv.set("max_routes", 10)
        # The genuine one is no "ignored" one.
        self.trace.clear()
        injector.send(self.message(frame))
        wait_for(lambda: tcp_info(srv)["pmtu"] == 400, "the genuine message")
        self.assertEqual(self.trace.of("ignored"), [])
        self.assertEqual(
            self.inject(injector, self.message(frame, mtu=410), "ignored_not_smaller"),
            self.fields(frame, 410, reason="ignored_not_smaller"))

    def test_filter(self):
        """By an operator's own choice: one destination's, one reason's."""
        _, _, frame, injector = self.in_flight()
        self.trace.filter("ignored", 'reason == "ignored_df" && mtu < 500')
        for mtu, at in ((400, {}), (67, {}), (520, {6: 0}), (444, {6: 0})):
            injector.send(self.message(frame, mtu=mtu, at=at))
        self.trace.wait("ignored", {"mtu": "444"})
        self.assertEqual([e["mtu"] for e in self.trace.of("ignored")], ["444"])


class Format(Traced):
    def test_documented(self):
        """Every tracepoint, and every field of each, is in the user guide."""
        guide = pathlib.Path(__file__).parents[3] / "Documentation/pmtu_hostroute.rst"
        text = guide.read_text(encoding="utf-8")
        section = re.search(r"^Tracepoints\n=+\n(.*?)^=+$", text, re.M | re.S)[1]
        named = set(re.findall(r"``(\w+)``", section))
        where = pathlib.Path(TRACING, "events", SYSTEM)
        events = {d.name for d in where.iterdir() if d.is_dir()}
        self.assertIn("ignored", events)
        self.assertEqual(events - named, set())
        for event in events:
            fields = set(re.findall(r"field:.*?(\w+)(?:\[\d+\])?;",
                                    (where / event / "format").read_text(encoding="ascii")))
            fields = {f for f in fields if not f.startswith("common_")}
            self.assertEqual(fields - named, set(), event)
        # They are named for their counters, and so are the reasons, each with what to
        # look for.
        counters = set(self.srv.stats())
        self.assertEqual(events - {"ignored"} - counters, set())
        text = guide.with_name("troubleshooting.rst").read_text(encoding="utf-8")
        named = set(re.findall(r"``(\w+)``", text))
        self.assertEqual({c for c in counters if c.startswith("ignored_")} - named, set())


class Routes(Traced):
    def route(self, event, mtu, previous, **change):
        return {"event": event, "netns": self.netns, "destination": Path.CLI, "vrf": "0",
                "state": "proven", "mtu": str(mtu), "previous_mtu": str(previous),
                "router": Path.RTR_SRV, "ifindex": self.srv.device("eth0", "ifindex"),
                "observed": "0"} | change

    def test_by_messages_and_time(self):
        _, srv, frame, injector = self.in_flight()
        socket_event = {"event": "clamped", "netns": self.netns, "source": Path.SRV,
                        "destination": Path.CLI, "sport": str(frame.sport),
                        "dport": str(frame.dport), "mtu": "400", "previous_mtu": "1500"}
        self.srv.set("expire", 3600)
        injector.send(self.message(frame))
        self.assertEqual(self.trace.wait("clamped"), socket_event)
        self.assertEqual(self.trace.wait("learned"), self.route("learned", 400, 1500))
        injector.send(self.message(frame))
        self.assertEqual(self.trace.wait("refreshed"), self.route("refreshed", 400, 1500))
        injector.send(self.message(frame, mtu=300))
        self.assertEqual(self.trace.wait("lowered"), self.route("lowered", 300, 400))
        self.srv.set("expire", 1)
        self.assertEqual(self.trace.wait("expired"), self.route("expired", 300, 400))
        self.srv.set("expire", 3600)
        # Nothing proves this one, and then the connection does.
        injector.send(Path.message(600,
                                      datagram_quote(Path.SRV, Path.CLI)))
        self.assertEqual(self.trace.wait("recorded", {"state": "unproven"}),
                         self.route("recorded", 600, 1500, state="unproven"))
        injector.send(self.message(frame))
        self.trace.wait("confirmed", {"destination": Path.CLI, "mtu": "400", "state": "proven",
                                      "router": Path.RTR_SRV, "observed": "0"})

    def test_by_the_administrator(self):
        admin = {"router": "0.0.0.0", "ifindex": "0", "state": "pinned"}
        self.srv.set("add", f"{Path.CLI} 1400")
        self.assertEqual(self.trace.wait("added"), self.route("added", 1400, 1400, **admin))
        self.srv.set("add", f"{Path.CLI} 1300")
        self.assertEqual(self.trace.wait("pinned"), self.route("pinned", 1300, 1400, **admin))
        self.srv.set("del", Path.CLI)
        self.assertEqual(self.trace.wait("deleted"), self.route("deleted", 1300, 1400, **admin))
        self.srv.ip("link add red type vrf table 10")
        red = self.srv.device("red", "ifindex")
        self.srv.set("add", f"{Path.CLI} 1200 red")
        self.trace.wait("added", {"vrf": red, "mtu": "1200"})
        self.srv.set("flush", "all")
        self.trace.wait("flushed", {"vrf": red, "mtu": "1200"})
        self.learn(320)
        self.srv.set("max_routes", 0)
        self.trace.wait("evicted", {"destination": Path.CLI, "mtu": "320", "state": "proven"})

    def test_restored_and_owned(self):
        self.srv.set("add", f"{Path.CLI} 1400")
        self.srv.set("expire", 3600)
        cli, srv = self.accepted()
        exchange(srv, cli, 100000)
        self.trace.wait("lowered", {"mtu": "320", "previous_mtu": "1400", "state": "pinned"})
        # Over veth the message arrives inside the sender's own system call.
        self.trace.wait("clamp_queued", {"destination": Path.CLI, "sport": "3389", "mtu": "0"})
        self.srv.set("expire", 1)
        self.trace.wait("restored", {"mtu": "1400", "previous_mtu": "320", "state": "pinned"})

    def test_module_goes_while_traced(self):
        """It takes its events with it; what comes back is not traced unasked."""
        self.learn(320)
        self.trace.wait("learned")
        rmmod()
        self.assertFalse(os.path.exists(f"{TRACING}/events/{SYSTEM}"))
        insmod()
        self.learn(320)
        self.assertEqual(self.trace.events, [])
        self.trace.enable(True)
        self.srv.set("flush", "all")
        self.trace.wait("flushed", {"mtu": "320"})


class Claims(Watched, Deferred):
    """A claim that waits, and what becomes of it."""

    def waiting(self, frame, mtu, observed=0):
        """The event of a message that waits, or would."""
        return {"event": "deferred", "netns": self.netns, "dev": "eth0",
                "router": Path.RTR_SRV, "source": Path.SRV, "destination": Path.CLI,
                "protocol": "6", "sport": str(frame.sport), "dport": str(frame.dport),
                "seq": str(frame.seq), "len": str(frame.length), "mtu": str(mtu),
                "observed": str(observed), "reason": "deferred"}

    def became(self, event, frame, mtu, **change):
        """The event of what became of it."""
        return {"event": event, "netns": self.netns, "source": Path.SRV,
                "destination": Path.CLI, "sport": str(frame.sport),
                "dport": str(frame.dport), "mtu": str(mtu), "previous_mtu": "1500"} | change

    def test_refuted_observed_and_forgotten(self):
        self.timers(60)
        cli, srv = self.proven(20000)
        frame, = self.sent_in_flight(srv, 1448)
        injector = self.new_injector()
        self.forge(injector, frame, 552)
        self.assertEqual(self.trace.wait("deferred"), self.waiting(frame, 552))
        self.release(cli, srv)
        self.assertEqual(self.trace.wait("deferred_cleared"),
                         self.became("deferred_cleared", frame, 552))
        receive(cli, 1448)
        frame, = self.sent_in_flight(srv, 1448)
        self.srv.set("mode", "observe")
        self.forge(injector, frame, 600)
        self.assertEqual(self.trace.wait("deferred", {"mtu": "600"}),
                         self.waiting(frame, 600, observed=1))
        wait_for(lambda: tcp_info(srv)["pmtu"] == 600, "the stock path to act")
        self.srv.set("mode", "enforce")
        self.forge(injector, frame, 568)
        abort_on_close(srv)
        srv.close()
        # Aborted, it has no peer's port any more.
        self.assertEqual(self.trace.wait("deferred_dropped"),
                         self.became("deferred_dropped", frame, 568, previous_mtu="600",
                                     dport="0"))
        self.assertEqual(self.names(),
                         ["deferred", "deferred_cleared", "deferred", "deferred",
                          "deferred_dropped"])

    def test_believed(self):
        self.timers(10)
        _, srv = self.proven(20000)
        frame, = self.sent_in_flight(srv, 1448)
        injector = self.new_injector()
        self.forge(injector, frame, 600)
        self.assertEqual(self.trace.wait("deferred_applied"),
                         self.became("deferred_applied", frame, 600))
        self.assertEqual(self.trace.wait("clamped"), self.became("clamped", frame, 600))
        self.assertEqual(self.names(),
                         ["deferred", "deferred_applied", "learned", "clamped"])


class Observe(Traced):
    def setUp(self):
        super().setUp()
        self.srv.set("mode", "observe")

    def stock_mtu(self):
        return self.srv.look_up(Path.CLI).mtu

    def test_stock_acts(self):
        """Counted and traced as if; not learned. The stock path acts."""
        self.path.set_mtu(MTU)
        cli, srv = self.accepted()
        exchange(srv, cli, 20000)
        learned = self.srv.stat("learned")
        self.assertGreater(learned, 0)
        events = self.trace.of("learned")
        self.assertEqual(len(events), learned)
        self.assertEqual(events[0] | {"ifindex": ""}, {
            "event": "learned", "netns": self.netns, "destination": Path.CLI, "vrf": "0",
            "state": "proven", "mtu": str(MTU), "previous_mtu": "1500",
            "router": Path.RTR_SRV, "ifindex": "", "observed": "1"})
        self.assertEqual((self.srv.count(), self.srv.listing()), (0, []))
        self.assertEqual(self.stock_mtu(), MTU)
        self.assertEqual(tcp_info(srv)["pmtu"], MTU)
        # Nor do the stock path's own doings make a difference to the next one.
        self.assertEqual(self.srv.stat("ignored_not_smaller"), 0)
        for name in ("clamped", "clamp_queued", "cloned"):
            self.assertEqual(self.srv.stat(name), 0, name)

    def test_nothing_is_refused(self):
        """What is refused otherwise is counted so, and reaches the stock path,
        which on 6.1 takes a quote without DF."""
        self.srv.set("mode", "enforce")
        _, srv, frame, injector = self.in_flight()
        packet = self.message(frame, mtu=MTU - 440, at={2: MTU >> 8, 3: MTU & 255, 6: 0})
        self.assertEqual(self.inject(injector, packet, "ignored_df")["observed"], "0")
        self.assertEqual(tcp_info(srv)["pmtu"], 1500)
        self.assertIsNone(self.stock_mtu())
        self.srv.set("mode", "observe")
        self.assertEqual(self.inject(injector, packet, "ignored_df")["observed"], "1")
        wait_for(lambda: tcp_info(srv)["pmtu"] == MTU - 440, "the stock path to act")
        self.assertEqual(self.stock_mtu(), MTU - 440)
        self.trace.clear()
        injector.send(Path.message(800,
                                      datagram_quote(Path.SRV, Path.CLI)))
        self.trace.wait("recorded", {"state": "unproven", "mtu": "800", "observed": "1"})
        self.assertEqual(self.srv.count(), 0)

    def test_what_was_learned_is_not_applied(self):
        self.srv.set("mode", "enforce")
        cli, srv = self.learn(320)
        self.srv.set("add", "10.102.45.99 1400")
        self.path.set_mtu(1500)
        self.srv.set("mode", "observe")
        since = self.path.wire.frames[-1].time
        exchange(srv, cli, 30000)
        self.assertEqual(max(f.length for f in self.path.from_server() if f.time > since), 1500)
        self.assertEqual({e["sockets"] for e in self.srv.listing()}, {"0"})
        self.assertEqual(self.srv.count(), 2)
        # A message is judged by what is in the table, and changes none of it.
        before = [(e["uses"], e["mtu"]) for e in self.srv.listing()]
        self.path.set_mtu(MTU)
        exchange(srv, cli, 5000)
        self.assertGreater(self.srv.stat("ignored_not_smaller"), 0)
        self.assertEqual([(e["uses"], e["mtu"]) for e in self.srv.listing()], before)
        # Ageing goes on, and pinned is pinned.
        self.srv.set("expire", 1)
        wait_for(lambda: self.srv.count() == 1, "the learned one to expire")
        self.srv.set("mode", "enforce")
        self.path.set_mtu(500)
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 500)
