# SPDX-License-Identifier: GPL-2.0
"""What those who watch see: tracepoints, with the tools people have; and what is
only observed."""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import unittest

import lab
from lab import Path
import test_connections
from test_connections import exchange

TRACING = "/sys/kernel/tracing"
SYSTEM = "pmtu_hostroute"
MTU = 1000	# what the stock path takes as it is


class Trace:
    """A ring buffer of its own, with this module's events in it."""

    def __init__(self):
        if not os.path.ismount(TRACING):
            lab.run("mount", "-t", "tracefs", "tracefs", TRACING)
        self._dir = f"{TRACING}/instances/lab"
        os.mkdir(self._dir)
        self.enable(True)

    def _write(self, name, value):
        with open(f"{self._dir}/{name}", "w", encoding="ascii") as f:
            f.write(value)

    def enable(self, on, event=None):
        which = f"{SYSTEM}/{event}" if event else SYSTEM
        self._write(f"events/{which}/enable", "1" if on else "0")

    def clear(self):
        self._write("trace", "")

    @property
    def events(self):
        """Every event as its fields, with its name under "event"."""
        with open(f"{self._dir}/trace", encoding="ascii") as f:
            lines = f.read().splitlines()
        found = (re.search(r" (\w+): (netns=.*)$", line) for line in lines)
        return [dict(word.split("=", 1) for word in m[2].split()) | {"event": m[1]}
                for m in found if m]

    def of(self, event):
        return [e for e in self.events if e["event"] == event]

    def wait(self, event, what=None):
        """The first event of this name; @what: some of its fields."""
        what = what or {}
        return lab.wait_for(
            lambda: next((e for e in self.of(event) if what.items() <= e.items()), None),
            f"{event} {what} in {self.events}")

    def close(self):
        with contextlib.suppress(FileNotFoundError):
            self.enable(False)
        os.rmdir(self._dir)


class Traced(test_connections.OnPath):
    in_flight = test_connections.Refusals.in_flight
    quote = staticmethod(test_connections.Refusals.quote)
    message = test_connections.Refusals.message

    def setUp(self):
        super().setUp()
        self.trace = Trace()
        self.addCleanup(self.trace.close)
        self.netns = str(os.stat(self.srv.file).st_ino)

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

    def bare(self, mtu):
        """The same where nothing is quoted."""
        unknown = dict.fromkeys(("protocol", "sport", "dport", "seq", "len"), "0")
        return {"event": "ignored", "netns": self.netns, "dev": "eth0",
                "router": Path.RTR_SRV, "source": "0.0.0.0", "destination": "0.0.0.0",
                "mtu": str(mtu), "observed": "0"} | unknown

    def test_by_the_parser(self):
        """As much as there is of a message that does not make sense."""
        _, srv, frame, injector = self.in_flight()
        told = lambda quote, mtu=400: lab.frag_needed(Path.RTR_SRV, Path.SRV, mtu, quote)
        quote = lambda **at: self.quote(frame, at={int(k[1:]): v for k, v in at.items()})
        no_ports = {"sport": "0", "dport": "0", "seq": "0"}

        def wrong_checksum():
            packet = bytearray(self.message(frame))
            packet[22] ^= 1
            return bytes(packet)

        cases = (
            ("ignored_checksum", wrong_checksum(), self.fields(frame)),
            ("ignored_df", told(quote(_6=0)), self.fields(frame)),
            ("ignored_fits", self.message(frame, mtu=1000), self.fields(frame, 1000)),
            ("ignored_mtu", self.message(frame, mtu=67), self.fields(frame, 67)),
            ("ignored_outer", told(quote(_15=249)), self.fields(frame, source="10.102.1.249")),
            # An IHL of 4: nobody knows where the transport begins.
            ("ignored_quote", told(quote(_0=0x44)), self.fields(frame, **no_ports)),
            ("ignored_fragment", told(quote(_6=0x40, _7=1)), self.fields(frame, **no_ports)),
            # Ports, and three bytes of the sequence number.
            ("ignored_truncated", told(quote()[:27]), self.fields(frame, seq="0")),
            ("ignored_truncated", told(quote()[:23]), self.fields(frame, **no_ports)),
            ("ignored_truncated", told(quote()[:19]), self.bare(400)),
            ("ignored_truncated", told(b"", 68), self.bare(68)),
            ("ignored_truncated", lab.ip_header(Path.RTR_SRV, Path.SRV, 1, 23) + b"\3\4\0",
             self.bare(0)),
            ("passed_protocol",
             told(lab.ip_header(Path.SRV, Path.CLI, socket.IPPROTO_GRE, 1400) + bytes(8)),
             self.fields(frame, protocol="47", len="1400", **no_ports)),
            ("passed_protocol",
             told(lab.ip_header(Path.SRV, Path.CLI, 132, 1400) + b"\1\2\3\4" + bytes(4)),
             self.fields(frame, protocol="132", len="1400", sport="258", dport="772", seq="0")),
        )
        for reason, packet, fields in cases:
            with self.subTest(f"{reason}, {len(packet)} bytes"):
                self.assertEqual(self.inject(injector, packet, reason),
                                 fields | {"reason": reason})
                # What is passed on, the stock path may believe.
                if reason.startswith("ignored"):
                    self.assertEqual(lab.tcp_info(srv)["pmtu"], 1500)

    def test_by_its_proof(self):
        _, srv, frame, injector = self.in_flight()
        acked = (frame.seq - 1) & 0xffffffff
        wrong = {24 + i: byte for i, byte in enumerate(acked.to_bytes(4, "big"))}
        self.assertEqual(
            self.inject(injector, self.message(frame, at=wrong), "ignored_sequence"),
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
        lab.wait_for(lambda: lab.tcp_info(srv)["pmtu"] == 400, "the genuine message")
        self.assertEqual(self.trace.of("ignored"), [])
        self.assertEqual(
            self.inject(injector, self.message(frame, mtu=410), "ignored_not_smaller"),
            self.fields(frame, 410, reason="ignored_not_smaller"))

    def test_filter(self):
        """By an operator's own choice: one destination's, one reason's."""
        _, _, frame, injector = self.in_flight()
        with open(f"{TRACING}/instances/lab/events/{SYSTEM}/ignored/filter", "w",
                  encoding="ascii") as f:
            f.write('reason == "ignored_df" && mtu < 500')
        for mtu, at in ((400, {}), (67, {}), (520, {6: 0}), (444, {6: 0})):
            injector.send(self.message(frame, mtu=mtu, at=at))
        self.trace.wait("ignored", {"mtu": "444"})
        self.assertEqual([e["mtu"] for e in self.trace.of("ignored")], ["444"])


class Format(Traced):
    def test_documented(self):
        """Every tracepoint, and every field of each, is in the user guide."""
        guide = pathlib.Path(__file__).parents[2] / "Documentation/pmtu_hostroute.rst"
        text = guide.read_text(encoding="utf-8")
        section = re.search(r"^Tracepoints\n=+\n(.*?)^=+$", text, re.M | re.S)[1]
        told = set(re.findall(r"``(\w+)``", section))
        where = pathlib.Path(TRACING, "events", SYSTEM)
        events = {d.name for d in where.iterdir() if d.is_dir()}
        self.assertIn("ignored", events)
        self.assertEqual(events - told, set())
        for event in events:
            fields = set(re.findall(r"field:.*?(\w+)(?:\[\d+\])?;",
                                    (where / event / "format").read_text(encoding="ascii")))
            fields = {f for f in fields if not f.startswith("common_")}
            self.assertEqual(fields - told, set(), event)
        # And they are named for their counters.
        self.assertEqual(events - {"ignored"} - set(os.listdir(self.srv.path("stats"))), set())


class Routes(Traced):
    def route(self, event, mtu, previous, **change):
        return {"event": event, "netns": self.netns, "destination": Path.CLI, "vrf": "0",
                "state": "learned", "mtu": str(mtu), "previous_mtu": str(previous),
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
        injector.send(lab.frag_needed(Path.RTR_SRV, Path.SRV, 600,
                                      lab.datagram_quote(Path.SRV, Path.CLI)))
        self.assertEqual(self.trace.wait("learned", {"state": "unproven"}),
                         self.route("learned", 600, 1500, state="unproven"))
        injector.send(self.message(frame))
        self.trace.wait("confirmed", {"destination": Path.CLI, "mtu": "400", "state": "learned",
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
        self.trace.wait("evicted", {"destination": Path.CLI, "mtu": "320", "state": "learned"})

    def test_restored_and_owned(self):
        self.srv.set("add", f"{Path.CLI} 1400")
        self.srv.set("expire", 3600)
        cli, srv = self.accepted()
        exchange(srv, cli, 100000)
        self.trace.wait("lowered", {"mtu": "320", "previous_mtu": "1400", "state": "pinned"})
        # Over veth the message arrives inside the sender's own system call.
        self.trace.wait("clamp_deferred", {"destination": Path.CLI, "sport": "3389", "mtu": "0"})
        self.srv.set("expire", 1)
        self.trace.wait("restored", {"mtu": "1400", "previous_mtu": "320", "state": "pinned"})

    def test_module_goes_while_traced(self):
        """It takes its events with it; what comes back is not traced unasked."""
        self.learn(320)
        self.trace.wait("learned")
        lab.run("rmmod", SYSTEM)
        self.assertFalse(os.path.exists(f"{TRACING}/events/{SYSTEM}"))
        lab.run("insmod", os.environ["LAB_MODULE"])
        self.learn(320)
        self.assertEqual(self.trace.events, [])
        self.trace.enable(True)
        self.srv.set("flush", "all")
        self.trace.wait("flushed", {"mtu": "320"})


class Observe(Traced):
    def setUp(self):
        super().setUp()
        self.srv.set("mode", "observe")

    def stock_mtu(self):
        shown = re.search(r"mtu (?:lock )?(\d+)", self.srv.run("ip", "route", "get", Path.CLI))
        return int(shown[1]) if shown else None

    def test_stock_acts(self):
        """Counted and traced as if; not learned. The stock path has it."""
        self.path.set_mtu(MTU)
        cli, srv = self.accepted()
        exchange(srv, cli, 20000)
        learned = self.srv.stat("learned")
        self.assertGreater(learned, 0)
        events = self.trace.of("learned")
        self.assertEqual(len(events), learned)
        self.assertEqual(events[0] | {"ifindex": ""}, {
            "event": "learned", "netns": self.netns, "destination": Path.CLI, "vrf": "0",
            "state": "learned", "mtu": str(MTU), "previous_mtu": "1500",
            "router": Path.RTR_SRV, "ifindex": "", "observed": "1"})
        self.assertEqual((self.srv.count(), self.srv.listing()), (0, []))
        self.assertEqual(self.stock_mtu(), MTU)
        self.assertEqual(lab.tcp_info(srv)["pmtu"], MTU)
        # Nor do the stock path's own doings make a difference to the next one.
        self.assertEqual(self.srv.stat("ignored_not_smaller"), 0)
        for name in ("clamped", "clamp_deferred", "cloned"):
            self.assertEqual(self.srv.stat(name), 0, name)

    def test_nothing_is_refused(self):
        """What is refused otherwise is counted so, and reaches the stock path,
        which on 6.1 takes a quote without DF."""
        self.srv.set("mode", "enforce")
        _, srv, frame, injector = self.in_flight()
        packet = self.message(frame, mtu=MTU - 440, at={2: MTU >> 8, 3: MTU & 255, 6: 0})
        self.assertEqual(self.inject(injector, packet, "ignored_df")["observed"], "0")
        self.assertEqual(lab.tcp_info(srv)["pmtu"], 1500)
        self.assertIsNone(self.stock_mtu())
        self.srv.set("mode", "observe")
        self.assertEqual(self.inject(injector, packet, "ignored_df")["observed"], "1")
        lab.wait_for(lambda: lab.tcp_info(srv)["pmtu"] == MTU - 440, "the stock path to act")
        self.assertEqual(self.stock_mtu(), MTU - 440)
        self.assertEqual(self.srv.count(), 0)

    def test_datagrams(self):
        _, _, _, injector = self.in_flight()
        packet = lab.frag_needed(Path.RTR_SRV, Path.SRV, MTU,
                                 lab.datagram_quote(Path.SRV, Path.CLI))
        event = self.inject(injector, packet, "passed_unproven")
        self.assertEqual((event["protocol"], event["sport"], event["dport"], event["seq"]),
                         ("17", "40000", "9", "0"))
        self.assertEqual(self.trace.wait("learned", {"state": "unproven"})["observed"], "1")
        self.assertEqual((self.srv.count(), self.srv.get("count_unproven")), (0, "0"))

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
        lab.wait_for(lambda: self.srv.count() == 1, "the learned one to expire")
        self.srv.set("mode", "enforce")
        self.path.set_mtu(500)
        exchange(srv, cli, 5000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 500)


class Tools(Traced):
    """Each reads the events by itself, from the format the kernel describes."""

    WAITS = ("sh", "-c", "echo ready; cat")

    def setUp(self):
        super().setUp()
        _, _, frame, self.injector = self.in_flight()
        self.packet = self.message(frame, at={6: 0})
        self.sport, self.dport = frame.sport, frame.dport

    def watch(self, *command, ready):
        """Run a command; once it has said it is ready, a message is ignored, and
        then the command's input ends. What it said."""
        if not shutil.which(command[0]):
            self.fail(f"{command[0]} is not there: scripts/install-deps check")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            timer = lab.threading.Timer(lab.TIMEOUT * 3, process.kill)
            timer.start()
            try:
                said = ""
                for line in process.stdout:
                    said += line
                    if re.search(ready, line):
                        break
                before = self.srv.stat("ignored_df")
                self.injector.send(self.packet)
                lab.wait_for(lambda: self.srv.stat("ignored_df") > before, "the message")
                process.stdin.close()
                said += process.stdout.read()
                self.assertEqual(process.wait(), 0, said)
            finally:
                timer.cancel()
                process.kill()
        return said

    def assert_shown(self, text):
        """As name=value, or as perf trace has it: name: value, name: "value"."""
        for name, value in (("netns", self.netns), ("dev", "eth0"), ("router", Path.RTR_SRV),
                            ("destination", Path.CLI), ("protocol", 6), ("sport", self.sport),
                            ("dport", self.dport), ("mtu", 400), ("reason", "ignored_df")):
            self.assertRegex(text, f'ignored.*\\b{name}(=|: "?){re.escape(str(value))}\\b')

    def test_perf_record(self):
        self.watch("perf", "record", "-q", "-a", "-e", f"{SYSTEM}:*", "-o", "/run/perf.data",
                   *self.WAITS, ready="ready")
        self.assert_shown(lab.run("perf", "script", "-i", "/run/perf.data"))

    def test_perf_trace(self):
        self.assert_shown(self.watch("perf", "trace", "-a", "--no-syscalls", "-e", f"{SYSTEM}:*",
                                     *self.WAITS, ready="ready"))

    def test_trace_cmd(self):
        self.watch("trace-cmd", "record", "-q", "-e", SYSTEM, "-o", "/run/trace.dat",
                   *self.WAITS, ready="ready")
        self.assert_shown(lab.run("trace-cmd", "report", "-i", "/run/trace.dat"))

    def test_bpftrace(self):
        said = self.watch(
            "bpftrace", "-e", f"""BEGIN {{ printf("ready\\n"); }}
            tracepoint:{SYSTEM}:ignored {{
                printf("ignored netns=%u dev=%s router=%s destination=%s protocol=%d sport=%d dport=%d mtu=%d reason=%s \\n",
                       args->netns, args->dev, args->router, args->destination,
                       args->protocol, args->sport, args->dport, args->mtu,
                       args->reason);
                exit(); }}""", ready="ready")
        self.assert_shown(said)


if __name__ == "__main__":
    unittest.main()
