# SPDX-License-Identifier: GPL-2.0
"""What "make bench" measures, and against which goal. Runs in the guest: makes the
networks, loads and unloads the module; tests/bench/bench.c does the work. A
line of JSON for each result on standard output, a line of what comes next on
standard error.

Stock and module take turns in one guest; reported are the median of all turns, and
how far they are apart.
"""

import collections
import contextlib
import glob
import json
import os
import re
import statistics
import sys
import time
import traceback

from lab.namespace import Namespace, veth
from lab.system import get, put, run
from lab.wire import open_tun


ROUNDS = 5
BATCHES = 5		# as in bench.c
MODULE = "/modules/pmtu-hostroute.ko"
HERE, ROUTER = "198.51.100.2", "198.51.100.1"
FAR = "10.64.0.1"	# nobody learns anything about it
TRACING = "/sys/kernel/tracing/events/fib/fib_table_lookup"
LOCAL_IN, FORWARD, LOCAL_OUT = 1, 2, 3		# enum nf_inet_hooks

RULES = """
    table inet filter {
        chain input {
            type filter hook input priority filter; policy drop;
            ct state established,related accept
            ct state invalid drop
            iif lo accept
            ip protocol icmp accept
            tcp dport { 22, 80, 443, 5201 } accept
            udp dport { 53, 40000 } accept
        }
        chain forward {
            type filter hook forward priority filter; policy drop;
            ct state established,related accept
            ct state invalid drop
            tcp dport { 22, 80, 443 } accept
            udp dport { 9, 53 } accept
        }
        chain output {
            type filter hook output priority filter; policy accept;
            ct state invalid drop
        }
    }
    """
CLAMP = """
    table ip mss {
        chain forward {
            type filter hook forward priority mangle;
            tcp flags syn tcp option maxseg size set rt mtu
        }
    }
    """


# ---- results ----------------------------------------------------------------------

def middle(values):
    return statistics.median(values)


def spread(values):
    """How far what was measured more than once is apart; of five and more, the
    middle half of it (a hash table grows, a timer runs out)."""
    ends = min(values), max(values)
    if len(values) >= 5:
        ends = statistics.quantiles(values, n=4, method="inclusive")[::2]
    return (ends[1] - ends[0]) / middle(values) if middle(values) else 0.0


class Report:
    """Results. @wanted: rows, or measurements by name; all if empty."""

    def __init__(self, wanted, exact):
        self._wanted = wanted
        self._exact = exact
        self.measurement = ""

    def wants(self, *rows):
        return (not self._wanted or self.measurement in self._wanted or
                any(row in self._wanted for row in rows))

    def _put(self, row, **result):
        if self.wants(row):
            print(json.dumps({"row": row, **result}), flush=True)

    def ratio(self, row, work, stock, module, limit, noise=0.1, unit="instructions",
              base=0, typical=middle):
        """@stock, @module: as often as it was measured. @limit: of their ratio; None:
        it is reported, and has no goal. @noise: what the repetitions are claimed to
        agree within. @base: part of both that is not to be judged, the way to where
        they begin. @typical: of all that was measured."""
        apart = max(spread(stock), spread(module))
        stock, module = ([value - base for value in values] for values in (stock, module))
        value = typical(module) / typical(stock)
        if apart > noise and self._exact:
            verdict = "unsteady"
        elif limit is None:
            verdict = "reported"
        else:
            verdict = "met" if value <= limit else "missed"
        self._put(row, work=work, unit=unit, stock=typical(stock), module=typical(module),
                  ratio=value, goal=f"<= {limit:g} x" if limit else "-", spread=apart,
                  noise=noise, base=base, samples=[stock, module], verdict=verdict)

    def value(self, row, work, value, limit, unit, stock=None, noise=0.02):
        values = value if isinstance(value, list) else [value]
        apart = spread(values)
        if apart > noise and self._exact:
            verdict = "unsteady"
        else:
            verdict = "met" if middle(values) <= limit else "missed"
        self._put(row, work=work, unit=unit, stock=stock, module=middle(values),
                  goal=f"<= {limit:g}", spread=apart, noise=noise, verdict=verdict)

    def cannot(self, row, work, why, broken=False):
        self._put(row, work=work, verdict="not measured", why=why, broken=broken)

    def curve(self, name, size, cost):
        """A point of the plot."""
        print(json.dumps({"curve": name, "size": size, "cost": cost}), flush=True)


# ---- networks -----------------------------------------------------------------------

class Host:
    """A host with a gateway behind a device that takes everything and says nothing.
    Messages come in by a tun device."""

    def __init__(self, rules=False):
        self.ns = Namespace("bench")
        self._tun = open_tun(self.ns, "tun0")
        self.ns.ip("link set lo up", "link set tun0 up", "addr add 192.0.2.1/24 dev tun0",
                   "link add dummy0 type dummy", "link set dummy0 arp on up",
                   f"addr add {HERE}/24 dev dummy0",
                   f"neigh add {ROUTER} lladdr 02:00:00:00:00:01 dev dummy0",
                   f"route add default via {ROUTER} rto_min 10s")
        self.ns.sysctl(ip_forward=1)
        if rules:
            self.ns.nft(RULES)
        settle()

    def bench(self, *args):
        """Pairs of a name and a figure, as they come."""
        out = self.ns.run("/bin/bench", *map(str, args), pass_fds=(self._tun,),
                          env={**os.environ, "BENCH_TUN": str(self._tun)})
        pairs = [line.split() for line in out.splitlines()]
        return [(name, float(value)) for name, value in pairs]

    def one(self, *args):
        (_, value), = self.bench(*args)
        return value

    def several(self, *args):
        """Figures by name."""
        found = collections.defaultdict(list)
        for name, value in self.bench(*args):
            found[name].append(value)
        return found

    def pin(self, count, mtu=1200, spread_over=200):
        """Host routes, of MTUs such as tunnels have, and wait until they are applied."""
        self.ns.set("max_routes", 2 * count)
        self.bench("pin", self.ns.path("add"), count, mtu, spread_over)
        assert self.ns.count() == count
        settle()

    def make_room(self, routes):
        """For so many, that nobody need prove, and that do not end."""
        for name, value in (("max_routes", routes), ("max_unproven", routes),
                            ("unproven_rate", 0), ("expire_unproven", 0), ("expire", 0)):
            self.ns.set(name, value)

    def exceptions(self):
        """How many the stock path has made."""
        return self.ns.run("ip", "route", "show", "cache").count("expires")

    def close(self):
        os.close(self._tun)
        self.ns.delete()


class Tenant(Host):
    """One that a memory cgroup of its own pays for. We ourselves are in it no longer than it
    takes to make the namespace."""

    GROUPS, GROUP = "/run/cgroup", "/run/cgroup/tenant"

    def __init__(self):
        if not os.path.isdir(self.GROUPS):
            os.mkdir(self.GROUPS)
            run("mount", "-t", "cgroup2", "none", self.GROUPS)
            put(f"{self.GROUPS}/cgroup.subtree_control", "+memory")
        os.mkdir(self.GROUP)
        put(f"{self.GROUP}/cgroup.procs", os.getpid())
        try:
            super().__init__()
        finally:
            put(f"{self.GROUPS}/cgroup.procs", os.getpid())

    def starve(self):
        """From now on it gets nothing that it does not have."""
        put(f"{self.GROUP}/memory.max", get(f"{self.GROUP}/memory.current"))

    def close(self):
        super().close()
        os.rmdir(self.GROUP)


class Cable(Host):
    """The same, with a cable to another host."""

    HERE, PEER = "10.96.0.1", "10.96.0.2"

    def __init__(self, rules=False):
        super().__init__(rules)
        self.peer = Namespace("peer")
        self.ns.ip(*veth("eth0", self.peer, "eth0"), f"addr add {self.HERE}/24 dev eth0")
        self.peer.ip("link set lo up", "link set eth0 up", f"addr add {self.PEER}/24 dev eth0")
        if rules:
            self.peer.nft(RULES)
        for ns in (self.ns, self.peer):
            ns.wait_until_up("eth0")
        settle()

    def stream(self, size=256 << 20):
        # How full slabs are that others have left decides which go to the page allocator
        # and back all the time: 0.2 % of it.
        for cache in glob.glob("/sys/kernel/slab/*/shrink"):
            put(cache, 1)
        with open(self.ns.file, "rb") as here, open(self.peer.file, "rb") as there:
            out = run("/bin/bench", "stream", f"/proc/self/fd/{here.fileno()}",
                          f"/proc/self/fd/{there.fileno()}", self.PEER, str(size),
                          pass_fds=(here.fileno(), there.fileno()))
        return float(out.split()[1])

    def close(self):
        self.peer.delete()
        super().close()


def settle():
    """What was put off is done now."""
    time.sleep(1)


@contextlib.contextmanager
def inserted(file, name, *params):
    run("insmod", file, *params)
    try:
        settle()
        yield
    finally:
        run("rmmod", name)
        settle()


def module():
    return inserted(MODULE, "pmtu_hostroute")


IDLE = "stock with hooks that do nothing"


def idle_hooks(*where):
    """Where the module has its own: what netfilter takes for them to be there."""
    return inserted("/modules/hooks.ko", "hooks", f"at={sum(1 << hook for hook in where)}")


@contextlib.contextmanager
def fresh(kind=Host, **kwargs):
    host = kind(**kwargs)
    try:
        yield host
    finally:
        host.close()
        settle()


def take_turns(measure, rounds=ROUNDS):
    """measure(with_module), stock and module in turn: what it returned for each."""
    stock, ours = [], []
    for _ in range(rounds):
        stock.append(measure(False))
        with module():
            ours.append(measure(True))
    return stock, ours


# ---- packets: P1, P1b, P2, P3 ----------------------------------------------------------

PACKETS = {
    "send 64 bytes by UDP": ("send", FAR, 20000),
    "forward 64 bytes by UDP": ("forward", "udp", FAR, 20000),
    "receive 64 bytes by UDP": ("receive", 20000),
}


def packets(report):
    """With nothing learned, and with 10,000 host routes to others."""
    for rules in (False, True):
        where = "nft + conntrack" if rules else "bare"
        seen = collections.defaultdict(list)

        def measure(host, variant):
            for work, command in PACKETS.items():
                seen[variant, work].append(host.one(*command))

        with fresh(rules=rules) as host:
            for _ in range(ROUNDS):
                measure(host, "stock")
                with module():
                    measure(host, "empty")
                    host.pin(10000)
                    measure(host, "10,000")
                    # One that is as small as they get: every packet is looked up.
                    host.ns.set("add", "10.64.0.2 68")
                    settle()
                    measure(host, "looked up")
        for work in PACKETS:
            receive = work.startswith("receive")
            limit = (1.005 if rules else 1.02) if receive else 1.005
            report.ratio("P1b" if receive else "P1", f"{work}, {where}",
                         seen["stock", work], seen["empty", work], limit, 0.002)
            if not receive:
                report.ratio("P2", f"{work}, {where}, 10,000", seen["stock", work],
                             seen["10,000", work], 1.01 if rules else 1.02, 0.002)
            if work.startswith("send"):
                report.ratio("P2", f"{work}, {where}, 10,000, each looked up",
                             seen["stock", work], seen["looked up", work], None, 0.01)


def streams(report):
    for rules in (False, True):
        where = "nft + conntrack" if rules else "bare"
        stock, empty, full = [], [], []
        with fresh(Cable, rules=rules) as host:
            for _ in range(ROUNDS):
                stock.append(host.stream())
                with module():
                    empty.append(host.stream())
                    host.pin(10000)
                    full.append(host.stream())
        report.ratio("P1", f"256 MB over TCP, {where}", stock, empty, 1.005, 0.002)
        report.ratio("P2", f"256 MB over TCP, {where}, 10,000", stock, full, 1.005, 0.002)


def narrow_stream(report):
    """To a destination whose MTU is known to be 1400."""
    stock, idle, ours = [], [], []
    with fresh(Cable) as host:
        for _ in range(ROUNDS):
            host.bench("except", Cable.PEER, 1400)
            assert "mtu 1400" in host.ns.run("ip", "route", "get", Cable.PEER)
            stock.append(host.stream())
            with idle_hooks(LOCAL_IN, LOCAL_OUT):
                idle.append(host.stream())
            host.ns.ip("route flush cache")
            with module():
                host.ns.set("add", f"{Cable.PEER} 1400")
                settle()
                ours.append(host.stream())
                assert host.ns.stat("cloned")
    work = "256 MB over TCP, MTU 1400"
    report.ratio("P3", work, stock, ours, 1.0, 0.002)
    report.ratio("P3", f"{work}, {IDLE}", stock, idle, None, 0.002)


# ---- messages: P4, P6, P7 ---------------------------------------------------------------

NAMES = {"tcp": "TCP", "udp": "UDP"}
SIZES = (10, 1000, 10000)
COUNT = 200


def way_in():
    """What it costs to bring a message to the stock path's ICMP, that throws it away
    because its checksum is wrong. Whatever becomes of a message, it has cost so much
    before."""
    with fresh() as host:
        return middle(host.several("refuse", "checksum", 1000)["checksum"])


def learning(report):
    rounds, base = 2, way_in()
    for kind, name in NAMES.items():
        seen = collections.defaultdict(list)

        def measure(with_module):
            with fresh() as host:
                if with_module:
                    host.make_room(20000)
                have = 0
                for size in SIZES:
                    seen[with_module, size] += host.several(
                        "learn", kind, have, size, COUNT, kind)[kind]
                    have = size + BATCHES * COUNT
                if with_module:
                    assert host.ns.count() == have
                else:
                    assert host.exceptions() > have / 2

        take_turns(measure, rounds)
        for size in SIZES:
            report.ratio("P4", f"learn a destination ({name}) at {size:,}",
                         seen[False, size], seen[True, size], 1.0, base=base)
            for variant, with_module in (("stock", False), ("module", True)):
                report.curve(f"{variant} ({name})", size, middle(seen[with_module, size]) - base)


def lowering(report):
    base = way_in()
    for kind, name in NAMES.items():
        def measure(with_module):
            with fresh() as host:
                if with_module:
                    host.make_room(20000)
                cost = host.one("lower", kind, 1000, 10000)
                assert not with_module or host.ns.stat("lowered") == 1000
                return cost

        work = f"lower a known destination ({name}) at 10,000"
        stock, ours = take_turns(measure, 3)
        report.ratio("P6", work, stock, ours, 1.0, base=base)
        with idle_hooks(LOCAL_IN, LOCAL_OUT):
            idle = [measure(False) for _ in stock]
        report.ratio("P6", f"{work}, {IDLE}", stock, idle, None, base=base)


# What has to be set for it; what is quoted.
REFUSALS = {
    "truncated": ({}, "tcp"), "checksum": ({}, "tcp"), "outer": ({}, "tcp"),
    "router": ({}, "tcp"), "quote": ({}, "udp"), "source": ({}, "udp"),
    "destination": ({}, "udp"), "icmp": ({}, "echo"), "locked": ({}, "udp"),
    "on_link": ({}, "udp"), "fragment": ({}, "tcp"), "df": ({}, "tcp"), "fits": ({}, "tcp"),
    "mtu": ({}, "tcp"), "no_socket": ({}, "tcp"), "state": ({}, "tcp"),
    "sequence": ({}, "tcp"), "ttl": ({}, "tcp"), "not_smaller": ({}, "tcp"),
    "full": ({"at_limit": "ignore", "max_routes": 1}, "tcp"),
    "rate": ({"unproven_rate": 1}, "udp"), "unproven": ({"unproven": "ignore"}, "udp"),
    "contradicted": ({}, "tcp"),
}
NOT_REFUSED = {
    "ao": "kernel 6.1 has no TCP-AO",
}


def refuse(host, reason, count):
    cost = host.several("refuse", reason, count)[reason]
    counted = host.ns.stat("ignored_" + reason)
    assert counted >= BATCHES * count, f"{reason}: {counted}"
    return cost


def refuse_for_memory(count):
    """Above the default maximum there has to be room in the cgroup."""
    with fresh(Tenant) as host:
        host.pin(10000)
        host.make_room(20000)
        host.starve()
        # What the kernel has charged ahead for is used up.
        host.bench("learn", "udp", 1000, 2000, 0)
        return refuse(host, "memory", count)


def refusing(report):
    """What the stock path spends on believing it is what it spends on a proper
    message that quotes the same protocol."""
    count, base = 1000, way_in()
    believed = {}
    with fresh() as host:
        have = 0
        for kind in ("tcp", "udp", "echo"):
            believed[kind] = host.several("learn", kind, have, have, count, kind)[kind]
            have += BATCHES * count
        assert host.exceptions() > have / 2
    with module():
        for reason, (settings, kind) in REFUSALS.items():
            with fresh() as host:
                host.ns.ip("route add unreachable 10.201.0.0/16",
                           f"route add 10.202.0.0/16 via {ROUTER} mtu lock 1500")
                host.ns.sysctl(conf__tun0__route_localnet=1)
                for name, value in settings.items():
                    host.ns.set(name, value)
                cost = refuse(host, reason, count)
            report.ratio("P7", f"refuse: {reason}", believed[kind], cost, 0.5, base=base)
        report.ratio("P7", "refuse: memory", believed["udp"], refuse_for_memory(count), 0.5,
                     base=base)
    for reason, why in NOT_REFUSED.items():
        report.cannot("P7", f"refuse: {reason}", why)


# ---- sockets: P8, P9 -------------------------------------------------------------------

def lookups(report):
    """Route look-ups of sockets that have nothing to do with what was learned."""
    count = 1000

    def measure(with_module):
        with fresh() as host:
            if with_module:
                host.make_room(20000)
            host.bench("lookups", count, f"{TRACING}/trigger")
            hist = get(f"{TRACING}/hist")
            put(f"{TRACING}/trigger", "!hist:keys=iif")
            # Of packets that leave, lo is said to be where they came in.
            hits = sum(map(int, re.findall(r"iif: +1 } hitcount: +(\d+)", hist)))
            if with_module:
                assert host.ns.count() == count
            else:
                assert host.exceptions() > count / 2 and hits
            return hits

    stock, ours = take_turns(measure, 1)
    report.value("P8", f"look-ups of {count:,} sockets after {count:,} others were learned",
                 ours, 0, "look-ups", stock=middle(stock))


def following(report):
    count, base = 1000, way_in()
    seen = collections.defaultdict(list)

    def measure(with_module):
        for sockets in (1, count):
            with fresh() as host:
                for name, value in host.bench("follow", sockets):
                    seen[with_module, sockets, name].append(value)

    take_turns(measure)
    for name, done in (("learn", "learned"), ("lower", "lowered")):
        report.ratio("P9", f"{name}: {count:,} sockets, against 1 with the module",
                     seen[True, 1, name], seen[True, count, name], 1.1, base=base)
        report.ratio("P9", f"the next send of each, {done}",
                     seen[False, count, done], seen[True, count, done], 1.02)


# ---- a table that is large: P5, P10 ... P13 ------------------------------------------------

def memory(report):
    count = 100000

    def taken():
        settle()
        fields = dict(line.split(":") for line in get("/proc/meminfo").splitlines())
        return sum(int(fields[name].split()[0]) * 1024 for name in ("Slab", "VmallocUsed"))

    # As on any host with systemd: from the first memory cgroup on the kernel keeps a
    # pointer more for each object that one may pay for.
    with fresh(Tenant):
        pass
    with module(), fresh() as host:
        host.make_room(count)
        before = taken()
        host.bench("learn", "udp", 0, count, 0)
        bare = taken()
        host.bench("touch", count)
        cloned = taken()
        assert (host.ns.count(), host.ns.stat("cloned")) == (count, count)
    report.value("P10", "a host route without a clone", (bare - before) / count, 192, "bytes")
    report.value("P10", "a host route with one clone", (cloned - before) / count, 512, "bytes")


# Eviction by a second chance costs much at once, and then nothing for many: a mean.
EVICTIONS = 0.3


def evicting(report):
    """Room for what is measured first, and none for the rest."""
    base = way_in()
    for kind, name in NAMES.items():
        with module(), fresh() as host:
            host.make_room(10000 + BATCHES * COUNT)
            room = host.several("learn", kind, 0, 10000, COUNT, kind)[kind]
            have = host.ns.count()
            full = host.several("learn", kind, have, have, COUNT, kind)[kind]
            assert (host.ns.count(), host.ns.stat("evicted")) == (have, BATCHES * COUNT)
        report.ratio("P11", f"evict ({name}) at 10,000, against room", room, full, 1.2, EVICTIONS,
                     base=base, typical=statistics.fmean)


def million(report):
    count, most, base = COUNT, 1000000, way_in()
    seen = collections.defaultdict(list)
    with module(), fresh() as host:
        host.make_room(2 * most)
        have = 0
        for size in (1000, 100000, most):
            figures = host.several("learn", "udp", have, size, count, *NAMES)
            have = size + BATCHES * count * len(NAMES)
            for kind, name in NAMES.items():
                seen[size, kind] = figures[kind]
                report.curve(f"module ({name})", size, middle(figures[kind]) - base)
        assert host.ns.count() == have
        for kind, name in NAMES.items():
            for size in (100000, most):
                report.ratio("P5", f"learn ({name}) at {size:,}, against 1,000",
                             seen[1000, kind], seen[size, kind], 1.1, base=base)

        if report.wants("P13"):
            with host.ns:
                found = dict(host.bench("list", "/proc/self/net/pmtu_hostroute"))
            assert found["lines"] == have
            report.value("P13", f"list {have:,} routes", found["list"], 1500,
                         "instructions a line")
        if report.wants("P11"):
            host.ns.set("max_unproven", have)
            host.ns.set("max_routes", have)
            figures = host.several("learn", "udp", have, have, count, *NAMES)
            assert host.ns.count() == have
            assert host.ns.stat("evicted") == BATCHES * count * len(NAMES)
            for kind, name in NAMES.items():
                report.ratio("P11", f"evict ({name}) at 1,000,000, against room",
                             seen[most, kind], figures[kind], 1.2, EVICTIONS,
                             base=base, typical=statistics.fmean)
        if report.wants("P12"):
            work = "max_routes from 1,000,000 to 10: softirqs held off"
            held_off(report, host, work)
            # A hundred MB go back to the page allocator, which by default keeps as much as
            # tens of them on a list for the CPU, and gives that up at once, with
            # interrupts off.
            put("/proc/sys/vm/percpu_pagelist_high_fraction", 1000)
            host.make_room(2 * most)
            host.bench("learn", "udp", have, have + most, 0)
            held_off(report, host, work + ", few pages kept by CPU")


def held_off(report, host, work):
    longest = "/sys/module/held/parameters/longest_ns"

    def read():
        value = int(get(longest))
        put(longest, 0)
        return value

    run("insmod", "/modules/held.ko")
    read()
    settle()
    idle = read()
    assert host.ns.count() >= 1000000
    host.ns.set("max_routes", 10)
    settle()
    worst = read()
    assert host.ns.count() <= 10
    run("rmmod", "held")
    report.value("P12", work, worst, 1e6, "ns", stock=idle)


# ---- on a router: P14 -------------------------------------------------------------------

def routing(report):
    works = {"data": "forward a TCP segment", "syn": "clamp a SYN"}
    for rules in (False, True):
        where = "nft + conntrack" if rules else "bare"
        seen = collections.defaultdict(list)
        with fresh(rules=rules) as host:
            # The way back is narrow: 1360 is what SYNs are clamped to.
            host.ns.ip("link set tun0 mtu 1400")
            for _ in range(ROUNDS):
                seen["data", False].append(host.one("forward", "data", FAR, 20000))
                host.ns.nft(CLAMP)
                seen["syn", False].append(host.one("forward", "syn", FAR, 20000))
                host.ns.run("nft", "delete", "table", "ip", "mss")
                with module():
                    host.ns.set("forward", "clamp")
                    seen["data", True].append(host.one("forward", "data", FAR, 20000))
                    seen["syn", True].append(host.one("forward", "syn", FAR, 20000))
                    assert host.ns.stat("forward_clamped") >= 20000
                with idle_hooks(FORWARD):
                    seen["data", IDLE].append(host.one("forward", "data", FAR, 20000))
        for kind, work in works.items():
            report.ratio("P14", f"{work}, {where}", seen[kind, False], seen[kind, True],
                         1.0 if kind == "syn" else 1.005, 0.002)
        report.ratio("P14", f"{works['data']}, {where}, {IDLE}", seen["data", False],
                     seen["data", IDLE], None, 0.002)


# In this order; which rows each has results for.
GROUPS = (
    (packets, "P1", "P1b", "P2"),
    (streams, "P1", "P2"),
    (narrow_stream, "P3"),
    (learning, "P4"),
    (lowering, "P6"),
    (refusing, "P7"),
    (lookups, "P8"),
    (following, "P9"),
    (memory, "P10"),
    (evicting, "P11"),
    (million, "P5", "P11", "P12", "P13"),
    (routing, "P14"),
)


def main():
    wanted = [row for row in sys.argv[1].split(",") if row]
    report = Report(wanted, exact=sys.argv[2] == "icount")
    for measure, *rows in GROUPS:
        report.measurement = measure.__name__
        if not report.wants(*rows):
            continue
        print(f"{measure.__name__} ...", file=sys.stderr, flush=True)
        try:
            measure(report)
        except (AssertionError, OSError, ValueError, StopIteration) as e:
            traceback.print_exc()
            for row in rows:
                report.cannot(row, report.measurement, f"{type(e).__name__}: {e}"[:300],
                              broken=True)


if __name__ == "__main__":
    main()
