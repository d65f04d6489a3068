# SPDX-License-Identifier: GPL-2.0
"""Memory: which cgroup is charged, what the shrinker gives back, and what happens
when an allocation fails."""

import contextlib
import errno
import os
import unittest

from lab.messages import datagram_quote, frag_needed, quote_of
from lab.namespace import Namespace, stats_in
from lab.path import MTU, OnPath, Path
from lab.system import get, put, run, wait_for
from lab.transfer import exchange, receive, tcp_info
from lab.wire import open_tun


FAILSLAB = "/sys/kernel/debug/failslab/"


@contextlib.contextmanager
def failslab(**settings):
    """Allocations that may not sleep fail; all of them, or as is said."""
    settings = {"verbose": 0, "times": -1, **settings}
    before = {name: get(FAILSLAB + name.replace("_", "-")) for name in settings}
    for name, value in settings.items():
        put(FAILSLAB + name.replace("_", "-"), value)
    try:
        yield
    finally:
        put(FAILSLAB + "probability", 0)
        for name, value in before.items():
            put(FAILSLAB + name.replace("_", "-"), value)


@contextlib.contextmanager
def fail_nth(nth):
    """Makes this thread's nth allocation fail; yields a function that returns
    whether there were that many."""
    file = "/proc/thread-self/fail-nth"
    fd = os.open(file, os.O_RDWR)
    hit = []
    os.write(fd, str(nth).encode())
    try:
        yield lambda: hit[0]
    finally:
        hit.append(int(os.pread(fd, 20, 0)) == 0)
        os.pwrite(fd, b"0", 0)
        os.close(fd)


class Shrinker(OnPath):
    def test_gives_back_what_can_be_learned_again(self):
        cli, srv = self.learn()
        self.srv.set("add", "10.1.1.1 1400")
        with contextlib.closing(self.path.injector()) as injector:
            for n in range(50):
                injector.send(Path.message(1200, datagram_quote(Path.SRV, f"10.200.0.{n}")))
            wait_for(lambda: self.srv.count() == 52, "the claims to be recorded")
        wait_for(lambda: put("/proc/sys/vm/drop_caches", 2) or self.srv.count() == 1,
                     "the shrinker")
        entry, = self.srv.listing()
        self.assertEqual((entry["destination"], entry["state"]), ("10.1.1.1", "pinned"))
        self.assertEqual(self.srv.stat("reclaimed"), 51)
        # The connection does not notice, but for one more message.
        exchange(srv, cli, 3000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)


class Cgroup(unittest.TestCase):
    ROOT = "/run/lab-cgroup"

    def setUp(self):
        os.makedirs(self.ROOT, exist_ok=True)
        if not os.path.exists(self.ROOT + "/cgroup.procs"):
            run("mount", "-t", "cgroup2", "none", self.ROOT)
        put(self.ROOT + "/cgroup.subtree_control", "+memory")
        self.group = self.ROOT + "/tenant"
        os.mkdir(self.group)
        self.addCleanup(lambda: wait_for(self.gone, "the cgroup to go"))

    def gone(self):
        with contextlib.suppress(OSError):
            os.rmdir(self.group)
        return not os.path.exists(self.group)

    def current(self):
        return int(get(self.group + "/memory.current"))

    def namespace_of_tenant(self):
        """A namespace made by a process in the cgroup, which ends at cleanup."""
        ready, go = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            try:
                put(self.group + "/cgroup.procs", os.getpid())
                ns = Namespace("tenant")
                ns.path()
                os.write(ready[1], b"x")
                os.read(go[0], 1)
                ns.delete()
            finally:
                os._exit(0)
        self.addCleanup(lambda: (os.write(go[1], b"x"), os.waitpid(pid, 0)))
        os.read(ready[0], 1)
        return "/run/lab-sysfs-tenant/class/pmtu_hostroute/ipv4/"

    def test_maker_of_the_namespace_pays(self):
        files = self.namespace_of_tenant()
        # As many as a table has by default are charged come what may.
        before, number = self.current(), 10000
        put(files + "max_routes", 40000)
        fd = os.open(files + "add", os.O_WRONLY)
        self.addCleanup(os.close, fd)
        add = lambda net, n: os.pwrite(fd, f"10.{net}.{n // 250}.{n % 250} 1400".encode(), 0)
        for n in range(number):		# by this process, which is in another cgroup
            add(50, n)
        self.assertGreater(self.current() - before, number * 128)
        # Above that an addition fails at the cgroup's limit, whole; others do not.
        put(self.group + "/memory.max", self.current() + 65536)
        with self.assertRaises(OSError) as caught:
            for n in range(20000):
                add(51, n)
        self.assertEqual(caught.exception.errno, errno.ENOMEM)
        self.assertEqual(int(get(files + "count")), stats_in(get(files + "stats"))["added"])
        other = Namespace("other")
        self.addCleanup(other.delete)
        other.set("add", "10.1.1.1 1400")
        put(self.group + "/memory.max", "max")
        add(52, 1)
        put(files + "flush", "all")
        self.assertEqual(get(files + "count"), "0")
        wait_for(lambda: self.current() - before < number * 64, "the memory to come back")


class NoMemory(OnPath):
    def test_none_for_the_route(self):
        """Counted, left to the stock path, and nothing is printed."""
        # The guest was booted with slub_debug=A,hostroute.
        self.assertEqual(get("/sys/kernel/slab/hostroute/failslab"), "1")
        printed = len(run("dmesg").splitlines())
        with failslab(cache_filter="Y", probability=100):
            cli, srv = self.accepted()
            exchange(srv, cli, 20000)
            self.assertGreater(self.srv.stat("passed_memory"), 0)
            self.assertEqual((self.srv.count(), self.srv.listing()), (0, []))
            self.assertIsNotNone(self.srv.look_up(Path.CLI).mtu,
                                 "the stock path did not act")
            with self.assertRaises(OSError) as caught:
                self.srv.set("add", "10.1.1.1 1400")
            self.assertEqual(caught.exception.errno, errno.ENOMEM)
        self.assertEqual(len(run("dmesg").splitlines()), printed)
        self.srv.sysctl(route__flush=1)
        self.learn()

    def test_each_in_turn_on_the_way_in(self):
        """Through a tun device the message comes in the process's own context,
        so that its first, second, ... allocation can be failed."""
        self.path.set_mtu(1500)
        cli, srv = self.accepted()
        exchange(srv, cli, 100)
        frame = self.sent_in_flight(srv, 500)[0]
        message = frag_needed("192.0.2.2", Path.SRV, 400, quote_of(frame))
        tun = open_tun(self.srv, "tun0")
        self.addCleanup(os.close, tun)
        self.srv.ip("link set tun0 up", "addr add 192.0.2.1/24 dev tun0")
        # Another entry, so that the array of ids takes memory for the next.
        self.srv.set("add", "10.1.1.1 1400")
        failures = 0
        for nth in range(1, 100):
            before = self.srv.stats()
            with fail_nth(nth) as hit, contextlib.suppress(OSError):
                os.write(tun, message)
            after = self.srv.stats()
            outcomes = [n for n in ("learned", "passed_memory") if after[n] > before[n]]
            self.assertEqual(self.srv.count(), 2 if outcomes == ["learned"] else 1)
            if not hit():
                break
            failures += 1
            with contextlib.suppress(OSError):
                self.srv.set("del", Path.CLI)
            self.srv.sysctl(route__flush=1)
        self.assertEqual(outcomes, ["learned"])
        # The arrays try twice for their nodes; that both fail, KUnit sees to.
        self.assertGreaterEqual(self.srv.stat("passed_memory"), 1, "not even for the route")
        self.assertGreater(failures, 4)
        wait_for(lambda: tcp_info(srv)["pmtu"] == 400, "the clamp")

    def test_each_in_turn_on_the_way_out(self):
        """connect() to a pinned destination makes a clone; without memory for it
        the connection goes its stock way."""
        self.path.set_mtu(1500)
        listener = self.stack.enter_context(self.path.cli.listen(Path.CLI, 8080))
        failures = 0
        for nth in range(1, 300):
            with contextlib.suppress(OSError):
                self.srv.set("del", Path.CLI)
            self.srv.set("add", f"{Path.CLI} 400")
            with self.srv.socket() as s:
                with fail_nth(nth) as hit, contextlib.suppress(OSError):
                    s.connect((Path.CLI, 8080))
                with contextlib.suppress(OSError):
                    s.connect((Path.CLI, 8080))
                cli, _ = listener.accept()
                with cli:
                    exchange(s, cli, 500)
            if not hit():
                break
            failures += 1
        self.assertFalse(hit(), "no end of allocations")
        self.assertGreater(failures, 8)
        self.path.wire.clear()
        cli, srv = self.opened(8081)
        exchange(srv, cli, 5000)
        self.assert_fits(self.path.from_server(port=8081), 400)

    def test_any_under_traffic(self):
        """While a segment is sent and its message comes back, one atomic
        allocation in seven fails, the network's own as well."""
        cli, srv = self.accepted()

        def failed():
            """A route not made, or a clamp; which, is a matter of luck, and of
            whether the message comes back within the system call."""
            self.srv.set("flush", "all")
            with failslab(probability=15):
                srv.send(b"x" * 500)
            self.assertEqual(receive(cli, 500), b"x" * 500)
            return self.srv.stat("clamp_skipped") + self.srv.stat("passed_memory")

        wait_for(failed, "an allocation of the module's to fail")
        exchange(srv, cli, 20000)
        self.assertEqual(self.srv.count(), len(self.srv.listing()))
