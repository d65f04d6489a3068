# SPDX-License-Identifier: GPL-2.0
"""The two call paths that Documentation/design.rst lists are those that the kernel's
function graph tracer sees: an ICMP message from the hook to the clamped socket, and a
packet from LOCAL_OUT to its clone."""

import contextlib
import itertools
import os
import pathlib
import re

from lab.messages import frag_needed
from lab.path import OnPath, Path
from lab.system import get, one_cpu, put, run, wait_for
from lab.transfer import exchange

TRACING = "/sys/kernel/tracing"
MTU = 1000


def listed(title):
    """The functions that the design document lists under this title, in order. Those
    with a "*" are inline or static: a compiler may leave no call of them."""
    document = pathlib.Path(__file__).parents[3] / "Documentation/design.rst"
    text = document.read_text(encoding="utf-8")
    block = text.split(f"\n{title}\n")[1].split("::\n\n")[1]
    lines = itertools.takewhile(lambda line: line.startswith("    "), block.splitlines())
    return [line.split()[0] for line in lines]


class Calls(OnPath):
    maxDiff = None

    def setUp(self):
        if not os.path.ismount(TRACING):
            run("mount", "-t", "tracefs", "tracefs", TRACING)
        super().setUp()
        self.path.set_mtu(1500)
        self.trace("current_tracer", "nop")
        self.trace("set_ftrace_filter", ":mod:pmtu_hostroute")
        self.addCleanup(self.trace, "set_ftrace_filter", "")
        self.addCleanup(self.trace, "current_tracer", "nop")
        self.trace("current_tracer", "function_graph")
        self.trace("tracing_on", 0)

    @staticmethod
    def trace(name, value):
        put(f"{TRACING}/{name}", f"{value}\n")

    def calls(self, begin, act):
        """The functions of the module that are entered inside a call of @begin while act()
        runs, each once, in order; of several calls, the one that did most."""
        self.trace("trace", "")
        with one_cpu():
            self.trace("tracing_on", 1)
            act()
            self.trace("tracing_on", 0)
        # CPU) duration | indentation, name; a call's end has the indentation of its name.
        lines = re.findall(r"^ *(\d+)\).*?\|( +)(\}|[\w.]+ \[pmtu_hostroute\]\(\)).*$",
                           get(f"{TRACING}/trace"), re.M)
        found = []
        for n, (cpu, depth, name) in enumerate(lines):
            if name.startswith(begin + " "):
                inside = [line for line in lines[n:] if line[0] == cpu]
                end = next((n for n, line in enumerate(inside) if line[1:] == (depth, "}")), 1)
                names = (re.split(r"[. ]", line[2])[0] for line in inside[:end])
                found.append(list(dict.fromkeys(name for name in names if name != "}")))
        return max(found, key=len)

    def assert_listed(self, title, seen):
        wanted = listed(title)
        plain = [name.rstrip("*") for name in wanted]
        self.assertEqual([name for name in plain if name in seen], seen, "not as listed")
        self.assertEqual([n for n in wanted if not n.endswith("*") and n not in seen], [])

    def test_message(self):
        """A segment is in flight, and the message that quotes it arrives."""
        cli, srv = self.accepted()
        exchange(srv, cli, 1000)
        injector = self.stack.enter_context(contextlib.closing(self.path.injector()))
        self.path.hold_acks()
        count = len(self.path.wire.frames)
        srv.sendall(b"s" * 1400)
        frame = self.path.wire.wait(lambda f: f in self.path.wire.frames[count:] and
                                    f.src == Path.SRV and f.data > MTU, "the segment")
        message = frag_needed(Path.RTR_SRV, Path.SRV, MTU, frame.raw[:28])
        seen = self.calls("input_hook", lambda: (
            injector.send(message),
            wait_for(lambda: self.srv.stat("clamped") == 1, "the socket to be clamped")))
        # What TCP sends again is the other path.
        if "output_hook" in seen:
            seen = seen[:seen.index("output_hook")]
        self.assert_listed("From the hook to the clamped socket", seen)

    def test_packet(self):
        """The first packet of a connection to a destination that is in the table."""
        self.srv.set("add", f"{Path.CLI} {MTU}")
        with self.path.cli.listen(Path.CLI, 8080):
            seen = self.calls("output_hook", lambda: self.stack.enter_context(
                self.srv.connect((Path.CLI, 8080))))
        self.assert_listed("From LOCAL_OUT to the clone", seen)
