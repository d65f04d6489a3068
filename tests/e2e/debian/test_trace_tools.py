# SPDX-License-Identifier: GPL-2.0
"""perf, trace-cmd and bpftrace read the tracepoints, each by itself, from the format
that the kernel describes. What the events are: debug/test_trace.py."""

import itertools
import re
import subprocess
import threading
import unittest

from lab.messages import datagram_quote
from lab.path import Path
from lab.system import TIMEOUT, run, wait_for
from lab.trace import SYSTEM, mount_tracefs, netns_of


MTU = 1000
WAITS = ("sh", "-c", "echo ready; exec cat")

# BEGIN would be too early to be ready: bpftrace attaches the others after it. So each
# tracepoint has to have fired once, which rehearse() brings about.
PROGRAM = f"""
tracepoint:{SYSTEM}:ignored {{
    @ignored = 1;
    if (args->mtu == 800) {{
        printf("ignored netns=%u dev=%s router=%s source=%s destination=%s protocol=%d sport=%d dport=%d len=%d mtu=%d reason=%s\\n",
               args->netns, args->dev, args->router, args->source, args->destination,
               args->protocol, args->sport, args->dport, args->len, args->mtu, args->reason);
        exit();
    }}
}}
tracepoint:{SYSTEM}:recorded {{
    @recorded = 1;
    if (args->mtu == {MTU}) {{
        printf("recorded netns=%u destination=%s state=%s mtu=%u previous_mtu=%u router=%s\\n",
               args->netns, args->destination, args->state, args->mtu,
               args->previous_mtu, args->router);
    }}
}}
interval:ms:50 {{
    if (@ignored && @recorded) {{
        printf("ready\\n");
    }}
}}
END {{
    clear(@ignored);
    clear(@recorded);
}}
"""


class Tools(unittest.TestCase):
    def setUp(self):
        mount_tracefs()
        self.path = Path(MTU)
        self.addCleanup(self.path.close)
        self.srv = self.path.srv
        self.injector = self.path.injector()
        self.addCleanup(self.injector.close)
        self.netns = netns_of(self.srv)

    def happen(self):
        """A claim is put on record, and a message ignored."""
        ignored = self.srv.stat("ignored_df")
        quote = datagram_quote(Path.SRV, Path.CLI)
        without_df = datagram_quote(Path.SRV, Path.CLI, df=False)
        self.injector.send(Path.message(MTU, quote))
        wait_for(lambda: Path.CLI in (e["destination"] for e in self.srv.listing()),
                 "the host route")
        self.injector.send(Path.message(800, without_df))
        wait_for(lambda: self.srv.stat("ignored_df") > ignored,
                 "the message to be ignored")

    def rehearse(self, done):
        """The same about other destinations, again and again until @done."""
        for n in itertools.count():
            other = f"10.102.{46 + n // 250}.{1 + n % 250}"
            self.injector.send(Path.message(700, datagram_quote(Path.SRV, other)))
            self.injector.send(Path.message(700, datagram_quote(Path.SRV, other, df=False)))
            if done.wait(0.1):
                return

    def watch(self, *command, happen=None):
        """Run a command; once it has said that it is ready, things happen, and then
        its input ends. What it said."""
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as process:
            timer = threading.Timer(TIMEOUT, process.kill)
            timer.start()
            try:
                said = ""
                for line in process.stdout:
                    said += line
                    if line.strip() == "ready":
                        break
                else:
                    self.fail(f"{command[0]} said: {said}")
                (happen or self.happen)()
                process.stdin.close()
                said += process.stdout.read()
                self.assertEqual(process.wait(), 0, said)
            finally:
                timer.cancel()
                process.kill()
        return said

    def assert_shown(self, text):
        """As name=value, or as perf trace prints it: name: value, name: "value"."""
        ignored = {"netns": self.netns, "dev": "eth0", "router": Path.RTR_SRV,
                   "source": Path.SRV, "destination": Path.CLI, "protocol": 17,
                   "sport": 40000, "dport": 9, "len": 1400, "mtu": 800,
                   "reason": "ignored_df"}
        recorded = {"netns": self.netns, "destination": Path.CLI, "state": "unproven",
                   "mtu": MTU, "previous_mtu": 1500, "router": Path.RTR_SRV}
        for event, fields in (("ignored", ignored), ("recorded", recorded)):
            line, = (line for line in text.splitlines() if re.search(rf"\b{event}\b", line))
            for name, value in fields.items():
                self.assertRegex(line, rf'\b{name}(=|: "?){re.escape(str(value))}(?![\w.])')

    def test_perf_record(self):
        self.watch("perf", "record", "-q", "-a", "-e", f"{SYSTEM}:*", "-o", "/run/perf.data",
                   *WAITS)
        self.assert_shown(run("perf", "script", "-i", "/run/perf.data"))

    def test_perf_trace(self):
        self.assert_shown(self.watch("perf", "trace", "-a", "--no-syscalls",
                                     "-e", f"{SYSTEM}:*", *WAITS))

    def test_trace_cmd(self):
        self.watch("trace-cmd", "record", "-q", "-e", SYSTEM, "-o", "/run/trace.dat", *WAITS)
        self.assert_shown(run("trace-cmd", "report", "-i", "/run/trace.dat"))

    def test_bpftrace(self):
        ready = threading.Event()
        rehearsal = threading.Thread(target=self.rehearse, args=(ready,))
        rehearsal.start()

        def happen():
            ready.set()
            rehearsal.join()
            self.happen()
        try:
            self.assert_shown(self.watch("bpftrace", "-e", PROGRAM, happen=happen))
        finally:
            ready.set()
