# SPDX-License-Identifier: GPL-2.0
"""Modules, namespaces and devices go away while connections live and go on; the
files under sysfs take good values, and refuse all others."""

import contextlib
import errno
import os
import pathlib
import re
import unittest

from lab.namespace import Namespace, accept
from lab.path import PORT, Path
from lab.system import get, insmod, open_as_nobody, put, rmmod, wait_for
from lab.transfer import Traffic, receive


NAME = "pmtu_hostroute"
ROUNDS = 20


class GoingAway(unittest.TestCase):
    def test_module_under_traffic(self):
        """rmmod with live, clamped sockets, and back; they go on each time."""
        path = Path(320, wire=False)
        self.addCleanup(path.close)
        traffic = Traffic(path)
        self.addCleanup(traffic.close)
        traffic.check()
        self.assertEqual(path.srv.route_mtu(Path.CLI), 320)
        for _ in range(ROUNDS):
            rmmod()
            try:
                traffic.check()
            finally:
                insmod()
            traffic.check()

    def test_sockets_outlive_the_module(self):
        """Twenty clamped sockets, idle while the module goes, then used."""
        path = Path(600, wire=False)
        self.addCleanup(path.close)
        with path.srv.listen(Path.SRV, PORT) as listener, contextlib.ExitStack() as stack:
            pairs = []
            for _ in range(20):
                cli = stack.enter_context(path.cli.connect((Path.SRV, PORT)))
                srv = accept(listener, stack)
                pairs.append((cli, srv))
            for cli, srv in pairs:
                srv.sendall(b"x" * 2000)
                self.assertEqual(len(receive(cli, 2000)), 2000)
            self.assertGreaterEqual(int(path.srv.listing()[0]["sockets"]), 20)
            rmmod()
            try:
                for cli, srv in pairs:
                    srv.sendall(b"y" * 2000)
                    self.assertEqual(len(receive(cli, 2000)), 2000)
            finally:
                insmod()

    def test_reload(self):
        for n in range(ROUNDS):
            rmmod()
            insmod(f"max_routes={n}")
            ns = Namespace(f"reload{n}")
            self.assertEqual(ns.get("max_routes"), str(n))
            ns.delete()
        rmmod()
        insmod()

    def test_namespace_under_traffic(self):
        path = Path(320, wire=False)
        self.addCleanup(path.close)
        for n in range(ROUNDS):
            traffic = Traffic(path)
            try:
                traffic.check()
                self.assertEqual(path.srv.count(), 1)
                # Nothing but its sockets keeps it now; it dies with the last.
                path.srv.delete()
            finally:
                traffic.close()
            # The other end of its cable goes only when all of it has gone.
            path.replace_server()
        # Nothing that they learned is left: the slab goes with the module, and
        # the kernel warns if it has an object in it.
        rmmod()
        insmod()

    def test_device_under_traffic(self):
        path = Path(320, wire=False)
        self.addCleanup(path.close)
        for _ in range(ROUNDS):
            traffic = Traffic(path)
            try:
                traffic.check()
                self.assertEqual(path.srv.count(), 1)
                # With a reference left it would never end, and the console say
                # "waiting for eth0 to become free", which fails the run.
                path.srv.ip("link del eth0")
                self.assertEqual(path.srv.count(), 1, "the destination is forgotten")
            finally:
                traffic.close()
            path.plug_server()

    def test_changes_under_traffic(self):
        """The gateway, the route, the link and the address go and come back: the
        connection goes on by what there is then, and no packet is too big."""
        path = Path(320)
        self.addCleanup(path.close)
        gateway2 = "10.102.1.254"
        path.rtr.ip(f"addr add {gateway2}/24 dev toserver")
        default = f"route replace default via {Path.RTR_SRV}"
        changes = {
            "gateway": [f"route replace default via {gateway2}"],
            "and back": [default],
            "host route": [f"route add {Path.CLI}/32 via {gateway2}"],
            "its metrics": [f"route change {Path.CLI}/32 via {gateway2} advmss 1000"],
            "no host route": [f"route del {Path.CLI}/32"],
            "no route at all": ["route del default", default],
            "rule": [f"route add default via {gateway2} table 77",
                     f"rule add from {Path.SRV} table 77"],
            "no rule": [f"rule del from {Path.SRV} table 77", "route flush table 77"],
            "link": ["link set eth0 down", "link set eth0 up", default],
            "address": [f"addr del {Path.SRV}/24 dev eth0", f"addr add {Path.SRV}/24 dev eth0",
                        default],
        }
        traffic = Traffic(path)
        try:
            traffic.check()
            wait_for(lambda: path.srv.route_mtu(Path.CLI) == 320, "the host route")
            traffic.check()
            path.wire.clear()
            for what, commands in [*changes.items()] * 3:
                with self.subTest(what):
                    path.srv.ip(*commands)
                    path.srv.wait_until_up("eth0")
                    traffic.check()
            frames = path.wire.frames
            self.assertTrue([f for f in path.from_server(frames) if f.length == 320],
                            "the path's MTU is not made use of")
            self.assertEqual([f for f in path.from_server(frames) if f.length > 320], [])
            self.assertEqual([f for f in frames if f.frag_needed], [], "reported again")
            self.assertEqual(path.srv.count(), 1)
            # With a reference left it would never end.
            path.srv.ip("link del eth0")
        finally:
            traffic.close()

    def test_device_after_module(self):
        """A socket that was clamped, idle when the module went, must not keep
        its device from going."""
        path = Path(320, wire=False)
        self.addCleanup(path.close)
        with path.srv.listen(Path.SRV, PORT) as listener:
            cli = path.cli.connect((Path.SRV, PORT))
            srv, _ = listener.accept()
        with cli, srv:
            srv.sendall(b"x" * 2000)
            self.assertEqual(len(receive(cli, 2000)), 2000)
            self.assertGreaterEqual(int(path.srv.listing()[0]["sockets"]), 1)
            rmmod()
            try:
                path.srv.ip("link del eth0")
            finally:
                insmod()


class Settings(unittest.TestCase):
    def setUp(self):
        self.ns = Namespace("settings")
        self.addCleanup(self.ns.delete)

    def assert_refused(self, name, value, error):
        before = self.ns.get(name)
        with self.assertRaises(OSError, msg=f"{name} took {value!r}") as caught:
            self.ns.set(name, value)
        self.assertEqual(caught.exception.errno, error, f"{name} {value!r}")
        self.assertEqual(self.ns.get(name), before)

    def test_defaults(self):
        got = {n: self.ns.get(n) for n in
               ("mode", "max_routes", "max_unproven", "at_limit", "min_mtu",
                "min_mtu_unproven", "expire", "expire_unproven", "forward", "count",
                "count_unproven", "count_forwarded")}
        self.assertEqual(got, {"mode": "enforce", "max_routes": "10000",
                               "max_unproven": "1250", "at_limit": "evict",
                               "min_mtu": "68", "min_mtu_unproven": "552", "expire": "600",
                               "expire_unproven": "60", "forward": "off", "count": "0",
                               "count_unproven": "0", "count_forwarded": "0"})

    def test_documented(self):
        """Every file is in the ABI document, with its default, and every counter
        in the user guide; and nothing is that is not there."""
        docs = pathlib.Path(__file__).parents[3] / "Documentation"
        text = (docs / "ABI/testing/sysfs-class-pmtu_hostroute").read_text(encoding="utf-8")
        entries = dict(re.findall(r"^What:\s*/sys/class/pmtu_hostroute/ipv4/(\S+)\n(.*?)(?=^What:|\Z)",
                                  text, re.M | re.S))
        files = set(os.listdir(self.ns.path())) - {"power", "subsystem", "uevent"}
        self.assertEqual(files, set(entries))
        for name, entry in entries.items():
            default = re.search(r"The default is (\w+)\.", entry)
            if default and default[1] != "auto":
                self.assertEqual(self.ns.get(name), default[1], name)
        self.assertEqual({name for name, entry in entries.items() if "The default is" in entry},
                         set(os.listdir("/sys/module/pmtu_hostroute/parameters")))
        guide = (docs / "pmtu_hostroute.rst").read_text(encoding="utf-8")
        counters = set(self.ns.stats())
        self.assertEqual({c for c in counters if f"``{c}``" not in guide}, set())
        named = set(re.findall(r"``((?:ignored|passed|forward)_\w+)``", guide))
        self.assertEqual(named - counters, set())

    def test_good_values(self):
        good = {"mode": ("off", "observe", "enforce"), "at_limit": ("ignore", "evict"),
                "forward": ("clamp", "clamp-untracked", "off"),
                "max_routes": ("0", "1", "2147483646"), "min_mtu": ("68", "65535"),
                "max_unproven": ("0", "1", "2147483646"), "min_mtu_unproven": ("68", "65535"),
                "expire": ("0", "1", "2147483647"),
                "expire_unproven": ("0", "1", "2147483647")}
        for name, values in good.items():
            for value in values:
                self.ns.set(name, value)
                self.assertEqual(self.ns.get(name), value)

    def test_unproven_share_follows_until_set(self):
        share = lambda: self.ns.get("max_unproven")
        self.ns.set("max_routes", 800)
        self.assertEqual(share(), "100")
        self.ns.set("max_unproven", 7)
        self.ns.set("max_routes", 8000)
        self.assertEqual(share(), "7")
        self.ns.set("max_unproven", "auto")
        self.assertEqual(share(), "1000")

    def test_bad_numbers(self):
        for name in ("max_routes", "max_unproven", "min_mtu", "min_mtu_unproven", "expire",
                     "expire_unproven"):
            for value in ("", " ", "abc", "-1", "+1", "1x", "1 2", "0x10", "1e3", "1.5",
                          " 7", "7" * 5 + "\n7", "\0", "a" * 5000, "7" + " " * 5000):
                self.assert_refused(name, value, errno.EINVAL)
            for value in ("4294967296", "99999999999999999999"):
                self.assert_refused(name, value, errno.ERANGE)
        for name, value in (("max_routes", 2147483647), ("min_mtu", 67), ("min_mtu", 0),
                            ("min_mtu", 65536), ("expire", 2147483648),
                            ("max_unproven", 2147483647), ("min_mtu_unproven", 67),
                            ("min_mtu_unproven", 65536), ("expire_unproven", 2147483648)):
            self.assert_refused(name, value, errno.ERANGE)

    def test_bad_words(self):
        for name in ("mode", "at_limit", "forward"):
            for value in ("", "on", "Enforce", "evictx", "evict ignore", "0"):
                self.assert_refused(name, value, errno.EINVAL)
        for value in ("", "learn", "everything"):
            with self.assertRaises(OSError) as caught:
                self.ns.set("flush", value)
            self.assertEqual(caught.exception.errno, errno.EINVAL)

    def test_read_only_and_write_only(self):
        mode = lambda name: os.stat(self.ns.path(name)).st_mode & 0o777
        self.assertEqual(mode("count"), 0o400)
        self.assertEqual(mode("count_unproven"), 0o400)
        self.assertEqual(mode("count_forwarded"), 0o400)
        for name in ("add", "del", "flush"):
            self.assertEqual(mode(name), 0o200)
        self.assertEqual(mode("stats"), 0o400)
        self.assertEqual(mode("max_routes"), 0o644)

    def test_parameters(self):
        rmmod()
        try:
            for param in ("max_routes=2147483647", "max_routes=x", "max_routes", "mode=on", "mode=observed",
                          "min_mtu=67", "expire=-1", "at_limit=", "max_unproven=most",
                          "min_mtu_unproven=0", "expire_unproven=1s"):
                with self.assertRaises(OSError, msg=param):
                    insmod(param)
            values = {"max_routes": "7", "max_unproven": "3", "mode": "off",
                      "at_limit": "ignore", "min_mtu": "576", "min_mtu_unproven": "600",
                      "expire": "5", "expire_unproven": "6"}
            insmod(*(f"{name}={value}" for name, value in values.items()))
            ns = Namespace("params")
            self.addCleanup(ns.delete)
            self.assertEqual({name: ns.get(name) for name in values}, values)
            # They are defaults: changed, they change namespaces made later.
            where = f"/sys/module/{NAME}/parameters/"
            for name, value in (("max_routes", "80"), ("max_unproven", "auto")):
                put(where + name, value)
                self.assertEqual(get(where + name), value)
            later = Namespace("later")
            self.addCleanup(later.delete)
            self.assertEqual((later.get("max_routes"), later.get("max_unproven")), ("80", "10"))
            self.assertEqual(ns.get("max_routes"), "7")
            rmmod()
        finally:
            insmod()

    def test_namespaces_do_not_share(self):
        other = Namespace("other")
        self.addCleanup(other.delete)
        self.ns.set("max_routes", 5)
        self.assertEqual(other.get("max_routes"), "10000")

    def test_unprivileged(self):
        """Counters and listing show which hosts this host talks to."""
        for name, flags in (("count", os.O_RDONLY), ("count_unproven", os.O_RDONLY),
                            ("stats", os.O_RDONLY), ("max_routes", os.O_WRONLY),
                            ("add", os.O_WRONLY), ("del", os.O_WRONLY),
                            ("flush", os.O_WRONLY)):
            self.assertEqual(open_as_nobody(self.ns.path(name), flags), "EACCES", name)
        with self.ns:
            self.assertEqual(open_as_nobody("/proc/thread-self/net/" + NAME, os.O_RDONLY),
                             "EACCES")
