# SPDX-License-Identifier: GPL-2.0
"""Everything at once, for a minute: learning, recording, pinning, deleting,
flushing, changing limits, listing, expiry, namespaces, reloads of the module.
What must be exact is checked all the while."""

import contextlib
import errno
import mmap
import os
import random
import signal
import struct
import sys
import time
import traceback

from lab.messages import datagram_quote, quote_of
from lab.namespace import Namespace, accept
from lab.path import PORT, OnPath, Path
from lab.system import insmod, rmmod, wait_for
from lab.transfer import exchange


# With four CPUs in make check, and with two as well in make check-long.
GUESTS = ("soak",)

SECONDS = 60
CEILING = 60			# max_routes is never set higher
STAY = [f"10.77.0.{n}" for n in range(1, 6)]	# pinned, and left alone
GONE = (errno.ENOENT, errno.ENODEV, errno.EINVAL)


class Shared:
    """Words that all processes see."""
    RELOADS, RELOADING, FAILED, COUNTS = range(4)

    def __init__(self, workers):
        self._map = mmap.mmap(-1, 8 * (self.COUNTS + workers))

    def get(self, at):
        return struct.unpack_from("Q", self._map, 8 * at)[0]

    def set(self, at, value):
        struct.pack_into("Q", self._map, 8 * at, value)

    def add(self, at):
        self.set(at, self.get(at) + 1)


class Soak(OnPath):
    def in_flight(self, number):
        """Messages about this many connections, each provable for as long as its
        client does not acknowledge; their peers' addresses are all the client's."""
        addresses = [f"10.102.45.{100 + n}" for n in range(number)]
        self.path.cli.ip(*(f"addr add {a}/24 dev eth0" for a in addresses))
        pairs = []
        for address in addresses:
            cli = self.stack.enter_context(
                self.path.cli.connect((Path.SRV, PORT), bind=(address, 0)))
            pairs.append((cli, accept(self.listener, self.stack)))
        self.path.rtr.ip(*(f"rule add from {a}/32 blackhole" for a in addresses))
        self.path.wire.clear()
        for _, srv in pairs:
            srv.send(b"y" * 500)
        quotes = {}
        for address in addresses:
            frame = self.path.wire.wait(lambda f, a=address: f.dst == a and f.data, "a segment")
            quotes[address] = quote_of(frame)
        return quotes

    # What the processes do, over and over. Each returns when it has done one
    # round; an error that says "the module is away" is none.

    def learn(self, rng):
        address = rng.choice(list(self.quotes))
        self.injector.send(Path.message(rng.randrange(68, 530),
                                           self.quotes[address]))

    def record(self, rng):
        address = f"10.200.{rng.randrange(2)}.{rng.randrange(200)}"
        self.injector.send(Path.message(rng.randrange(600, 1300),
                                           datagram_quote(Path.SRV, address)))

    def administer(self, rng):
        address = rng.choice((rng.choice(list(self.quotes)), f"10.78.0.{rng.randrange(20)}"))
        what = rng.randrange(20)
        with contextlib.suppress(OSError):
            if what < 10:
                self.srv.set("add", f"{address} {rng.randrange(300, 1500)}")
            elif what < 19:
                self.srv.set("del", address)
            else:
                self.srv.set("flush", "unpinned")

    def set_limits(self, rng):
        maximum = rng.randrange(CEILING + 1)
        reloads = self.shared.get(Shared.RELOADS)
        try:
            self.srv.set("max_routes", maximum)
        except OSError as e:
            if e.errno != errno.EBUSY:	# more are pinned
                raise
        else:
            count = self.srv.count()
            if reloads == self.shared.get(Shared.RELOADS):
                assert count <= maximum, f"{count} routes, {maximum} allowed"
        self.srv.set("at_limit", rng.choice(("evict", "evict", "ignore")))
        self.srv.set("expire", rng.choice((0, 1, 2)))
        self.srv.set("expire_unproven", 1)
        maximum = rng.choice((0, 1, 5, 20))
        self.srv.set("max_unproven", maximum)
        count = int(self.srv.get("count_unproven"))
        if reloads == self.shared.get(Shared.RELOADS):
            assert count <= maximum, f"{count} unproven, {maximum} allowed"
        self.srv.set("mode", rng.choice(("enforce",) * 9 + ("off",)))

    def look(self, rng):
        reloads = self.shared.get(Shared.RELOADS)
        reloading = self.shared.get(Shared.RELOADING)
        count = self.srv.count()
        listing = self.srv.listing()
        names = [entry["destination"] for entry in listing]
        assert len(names) == len(set(names)), f"twice in one listing: {sorted(names)}"
        assert len(names) <= CEILING and count <= CEILING, f"{len(names)}, {count}"
        if reloading or reloads != self.shared.get(Shared.RELOADS):
            return
        missing = set(STAY) - set(names)
        assert not missing, f"not listed, though there all the while: {missing}"

    def namespaces(self, rng):
        ns = Namespace(f"soak{os.getpid()}")
        try:
            for n in range(rng.randrange(30)):
                ns.set("add", f"10.79.0.{n} 1400")
            if rng.randrange(2):
                assert ns.count() == len(ns.listing())
        finally:
            ns.delete()

    def pinned(self, address):
        """False if set_limits() was faster, and left no room for it."""
        try:
            self.srv.set("add", f"{address} 1400")
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
            self.srv.set("max_routes", CEILING)
            return False
        return True

    def reload(self, rng):
        time.sleep(3)
        self.shared.set(Shared.RELOADING, 1)
        rmmod()
        insmod(f"max_routes={CEILING}")
        for address in STAY:
            wait_for(lambda a=address: self.pinned(a), f"room for {address}")
        self.shared.add(Shared.RELOADS)
        self.shared.set(Shared.RELOADING, 0)

    def run_worker(self, index, name, deadline):
        rng = random.Random(index)
        self.injector = self.path.injector()
        while time.monotonic() < deadline and not self.shared.get(Shared.FAILED):
            try:
                getattr(self, name)(rng)
                self.shared.add(Shared.COUNTS + index)
            except OSError as e:
                if e.errno not in GONE:
                    raise

    def fork_worker(self, index, name, deadline):
        pid = os.fork()
        if pid:
            return pid
        try:
            self.run_worker(index, name, deadline)
            os._exit(0)
        except BaseException:
            self.shared.set(Shared.FAILED, 1)
            traceback.print_exc(file=sys.stderr)
            sys.stderr.flush()
            os._exit(1)

    @staticmethod
    def fresh_module():
        """With its own defaults, whatever the test left."""
        rmmod()
        insmod()

    def test_everything_at_once(self):
        self.addCleanup(self.fresh_module)
        names = ("learn", "record", "administer", "set_limits", "look", "look", "namespaces",
                 "reload")
        self.path.set_mtu(1500)
        self.quotes = self.in_flight(25)
        self.shared = Shared(len(names))
        self.srv.set("max_routes", CEILING)
        for address in STAY:
            self.srv.set("add", f"{address} 1400")
        self.srv.path()		# mounted before the processes part
        cli, srv = self.accepted()
        deadline = time.monotonic() + SECONDS
        workers = {self.fork_worker(i, name, deadline): name for i, name in enumerate(names)}
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in workers])
        while time.monotonic() < deadline and not self.shared.get(Shared.FAILED):
            exchange(srv, cli, 5000)
            exchange(cli, srv, 5000)
        for pid, name in list(workers.items()):
            wait_for(lambda pid=pid: self.ended(pid, workers), f"{name} to end")
        done = [self.shared.get(Shared.COUNTS + i) for i in range(len(names))]
        print("soak:", dict(zip(names, done)), file=sys.stderr, flush=True)
        self.assertFalse(self.shared.get(Shared.FAILED), "see the console")
        # It was not for nothing.
        for name, rounds in zip(names, done):
            self.assertGreaterEqual(rounds, 1 if name in ("reload", "namespaces") else 10, name)
        self.srv.set("mode", "enforce")
        self.srv.set("max_unproven", 0)
        self.assertEqual(self.srv.count(), len(self.srv.listing()))
        exchange(srv, cli, 5000)
        self.srv.set("flush", "all")
        self.assertEqual((self.srv.count(), self.srv.listing()), (0, []))
        self.assertIn("hostroute", open("/proc/slabinfo", encoding="ascii").read())
        # The slab goes with the module, and the kernel warns if one is left in it.
        rmmod()
        self.assertNotIn("hostroute", open("/proc/slabinfo", encoding="ascii").read())
        insmod()

    @staticmethod
    def ended(pid, workers):
        if pid not in workers:
            return True
        if os.waitpid(pid, os.WNOHANG)[0]:
            del workers[pid]
            return True
        return False
