# SPDX-License-Identifier: GPL-2.0
"""The MTU that an administrator sets for a device: what the server sends through it
is judged on the wire."""

import contextlib
import errno
import os
import socket
import unittest

from lab.datagrams import (DO, DONT, INTERFACE, MTU, OMIT, PORT, PROBE, WANT, OnDatagramPath,
                           path_mtu)
from lab.namespace import Namespace, accept
from lab.packets import SYN, echo_request, mss_options
from lab.path import OnPath, Path
from lab.system import insmod, open_as_nobody, rmmod, wait_for, write_line
from lab.transfer import Traffic, exchange, retransmissions
from lab.wire import Capture


NOT_SET = 4294967295

# On Debian's kernel, too: its modules are those that people run.
GUESTS = ("debug", "debian")


def file_of(ns, dev="eth0", name="mtu"):
    return ns.sys(f"class/net/{dev}/pmtu_hostroute/{name}")


def set_mtu(ns, value, dev="eth0"):
    write_line(file_of(ns, dev), value)


def mtu_of(ns, dev="eth0"):
    """What was written, and what it means; None without files."""
    got = (ns.device(dev, "pmtu_hostroute/mtu"), ns.device(dev, "pmtu_hostroute/effective_mtu"))
    return None if None in got else tuple(int(v) for v in got)


def change(ns, what, value):
    """The MTU of its device, or of the host route to the client; None: no such."""
    if what == "device":
        set_mtu(ns, value)
    elif value:
        ns.set("add", f"{Path.CLI} {value}")
    else:
        ns.set("del", Path.CLI)


class OnDevice(OnPath):
    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)
        self.path.cli.ip(f"route replace default via {Path.RTR_CLI}")
        self.no_timers()

    def largest(self, cli, srv, length=8000):
        """Of what the server sends next; it sends nothing twice."""
        before = retransmissions(srv)
        seen = len(self.path.wire.frames)
        exchange(srv, cli, length)
        frames = self.path.wire.frames[seen:]
        self.assertEqual([f for f in frames if f.frag_needed or f.fragment], [])
        self.assertEqual(retransmissions(srv), before)
        self.assertEqual([f for f in self.path.from_server(frames) if not f.df], [])
        return max(f.length for f in self.path.from_server(frames))


class Values(OnDevice):
    def test_values(self):
        """Written, read back, effective, and on the wire, for a live connection
        from its next packet on."""
        cli, srv = self.accepted()
        self.assertEqual(mtu_of(self.srv), (NOT_SET, 1500))
        self.assertEqual(self.largest(cli, srv), 1500)
        for value, effective in ((0, 68), (67, 68), (68, 68), (69, 69), (576, 576),
                                 (1499, 1499), (1500, 1500), (1501, 1500), (70000, 1500),
                                 (NOT_SET - 1, 1500), (NOT_SET, 1500)):
            with self.subTest(value):
                set_mtu(self.srv, value)
                self.assertEqual(mtu_of(self.srv), (value, effective))
                self.assertEqual(self.largest(cli, srv, max(2000, effective * 4)), effective)
        self.assertEqual(self.srv.count(), 0)

    def test_refused(self):
        set_mtu(self.srv, 576)
        for value, error in (("4294967296", errno.ERANGE), ("99999999999999", errno.ERANGE),
                             ("-1", errno.EINVAL), ("+1", errno.EINVAL), ("text", errno.EINVAL),
                             ("", errno.EINVAL), ("576 1", errno.EINVAL), ("0x240", errno.EINVAL),
                             ("576\0", errno.EINVAL), (" 576", errno.EINVAL)):
            with self.assertRaises(OSError, msg=repr(value)) as caught:
                set_mtu(self.srv, value)
            self.assertEqual(caught.exception.errno, error, repr(value))
            self.assertEqual(mtu_of(self.srv), (576, 576))
        mode = lambda name: os.stat(file_of(self.srv, name=name)).st_mode & 0o777
        self.assertEqual((mode("mtu"), mode("effective_mtu")), (0o644, 0o444))
        self.assertEqual(open_as_nobody(file_of(self.srv), os.O_WRONLY), "EACCES")

    def test_where_there_is_none(self):
        """Devices that routes do not name have no such files."""
        self.assertIsNone(mtu_of(self.srv, "lo"))
        self.srv.ip("link add vrf7 type vrf table 7")
        self.assertIsNone(mtu_of(self.srv, "vrf7"))
        self.assertIsNotNone(mtu_of(self.path.rtr, "toserver"))


class Connections(OnDevice):
    def test_new_and_live(self):
        """The KB's workaround, in both directions of opening; and its end."""
        live = self.accepted()
        self.assertEqual(self.largest(*live), 1500)
        set_mtu(self.srv, 576)
        for cli, srv in (live, self.accepted(), self.opened()):
            self.assertEqual(self.largest(cli, srv), 576)
        set_mtu(self.srv, 400)
        accepted, opened = self.accepted(), self.opened(8081)
        for cli, srv in (live, accepted, opened):
            self.assertEqual(self.largest(cli, srv), 400)
        set_mtu(self.srv, 1000)
        for cli, srv in (live, accepted, opened):
            self.assertEqual(self.largest(cli, srv), 1000)
        set_mtu(self.srv, NOT_SET)
        for cli, srv in (live, accepted, opened):
            self.assertEqual(self.largest(cli, srv), 1500)
        self.assertEqual(self.srv.count(), 0)

    def test_what_syns_offer(self):
        set_mtu(self.srv, 576)
        cli, srv = self.accepted()
        self.opened()
        syns = [f for f in self.path.from_server() if f.flags & SYN]
        self.assertEqual([mss_options(f) for f in syns], [[536], [536]])
        # So that the other side keeps to it, too.
        seen = len(self.path.wire.frames)
        exchange(cli, srv, 5000)
        sent = [f for f in self.path.wire.frames[seen:] if f.src == Path.CLI and f.tcp]
        self.assertEqual(max(f.length for f in sent), 576)

    def test_other_devices_and_namespaces(self):
        cli, srv = self.accepted()
        self.srv.ip("link add d0 type dummy", "link set d0 up")
        set_mtu(self.srv, 576, "d0")
        self.assertEqual(self.largest(cli, srv), 1500)
        set_mtu(self.path.rtr, 576, "toclient")
        set_mtu(self.path.rtr, 576, "toserver")
        self.assertEqual(self.largest(cli, srv), 1500, "forwarded data was touched")

    def test_with_host_routes(self):
        """The smaller wins, whichever comes first, for a live connection."""
        cli, srv = self.accepted()
        steps = (("device", 576, 576), ("route", 400, 400), ("route", 1000, 576),
                 ("device", 1200, 1000), ("device", 300, 300), ("route", 200, 200),
                 ("device", NOT_SET, 200), ("route", 900, 900), ("device", 576, 576),
                 ("route", None, 576), ("device", NOT_SET, 1500))
        for what, value, expected in steps:
            with self.subTest(f"{what} {value}"):
                change(self.srv, what, value)
                self.assertEqual(self.largest(cli, srv), expected)

    def test_learned_under_it(self):
        """A router has less still, and says so to a connection under it."""
        set_mtu(self.srv, 576)
        cli, srv = self.accepted()
        self.assertEqual(self.largest(cli, srv), 576)
        self.path.set_mtu(320)
        exchange(srv, cli, 3000)
        self.assertEqual(self.srv.route_mtu(Path.CLI), 320)
        self.assertEqual(self.srv.stat("learned"), 1)
        self.assertEqual(self.largest(cli, srv), 320)
        set_mtu(self.srv, NOT_SET)
        self.assertEqual(self.largest(cli, srv), 320)
        self.assertEqual(self.largest(*self.accepted()), 320)
        self.assertEqual(self.srv.count(), 1)
        self.assert_no_exception()

    def test_mode_off(self):
        set_mtu(self.srv, 576)
        cli, srv = self.accepted()
        self.assertEqual(self.largest(cli, srv), 576)
        self.srv.set("mode", "off")
        self.assertEqual(self.largest(cli, srv), 1500)
        self.srv.set("mode", "enforce")
        wait_for(lambda: self.largest(cli, srv) == 576, "it to be in force again")

    def test_many_neighbours(self):
        """Each next hop has a clone, and none pushes out another's."""
        hops = range(100)
        self.path.rtr.sysctl(conf__toserver__proxy_arp=1, neigh__toserver__proxy_delay=0)
        self.path.rtr.ip("route add 10.77.0.0/16 via " + Path.CLI)
        self.path.cli.ip("addr add 10.77.0.1/16 dev lo",
                         *(f"addr add 10.77.1.{n}/32 dev lo" for n in hops))
        self.srv.ip("route add 10.103.0.0/16 dev eth0",
                    *(f"route add 10.77.1.{n}/32 via 10.103.0.{n + 1}" for n in hops))
        self.path.rtr.ip("route add 10.103.0.0/16 via " + Path.CLI)
        set_mtu(self.srv, 576)
        with self.path.cli.listen("0.0.0.0", 8080) as listener:
            pairs = []
            for n in hops:
                srv = self.stack.enter_context(self.srv.connect((f"10.77.1.{n}", 8080)))
                cli = accept(listener, self.stack)
                pairs.append((cli, srv))
        made = self.srv.stat("cloned")
        self.assertGreaterEqual(made, 100)
        for _ in range(2):
            for cli, srv in pairs:
                exchange(srv, cli, 1500)
        self.assertEqual(self.srv.stat("cloned"), made)
        sent = [f for f in self.path.from_server(port=8080) if f.data]
        self.assertEqual(max(f.length for f in sent), 576)


class ConnectionsWithOffload(Connections):
    """Segmentation left to the device: the capture shows large packets, and what
    the client gets of them is what was cut."""
    offload = True

    def setUp(self):
        super().setUp()
        self.arrived = Capture(self.path.cli, "eth0")
        self.addCleanup(self.arrived.stop)
        # The cable's other end cuts what it gets for it.
        self.path.rtr.no_offload("toclient")

    def largest(self, cli, srv, length=8000):
        seen = len(self.arrived.frames)
        exchange(srv, cli, length)
        return max(f.length for f in self.arrived.frames[seen:] if f.src == Path.SRV and f.tcp)

    def test_what_syns_offer(self):
        """Nothing else than without."""
        set_mtu(self.srv, 576)
        self.accepted()
        syn, = [f for f in self.path.from_server() if f.flags & SYN]
        self.assertEqual(mss_options(syn), [536])

    test_many_neighbours = None


class Datagrams(OnDatagramPath):
    """What is not TCP, through a device with an MTU of its own and a router that
    takes everything."""

    def setUp(self):
        super().setUp()
        self.path.set_mtu(1500)

    @staticmethod
    def put(s, length):
        """By the route that the socket has, if it is connected."""
        try:
            s.getpeername()
        except OSError:
            s.sendto(bytes(length - 28), (Path.CLI, PORT))
        else:
            s.send(bytes(length - 28))

    def sent(self, s, length):
        """It arrives, whole; what it was on the wire."""
        since = len(self.path.wire.frames)
        self.put(s, length)
        self.assertEqual(len(self.sink.recv(65536)), length - 28)
        frames = self.path.wire.frames[since:]
        self.assertEqual([f for f in frames if f.frag_needed], [])
        return [f for f in frames if f.src == Path.SRV]

    def assert_one(self, frames, df):
        frame, = frames
        self.assertEqual((frame.df, frame.fragment), (df, False))

    def refused(self, s, length):
        """At once, and nothing of it gets on the wire."""
        seen = len(self.from_here())
        with self.assertRaises(OSError) as caught:
            self.put(s, length)
        self.assertEqual(caught.exception.errno, errno.EMSGSIZE)
        self.assertEqual(len(self.from_here()), seen)

    def test_fragmented(self):
        """Those that let it be, also what looks at no path's MTU."""
        for n, discover in enumerate((DONT, WANT, OMIT)):
            for connected in (True, False):
                with self.subTest(discover=discover, connected=connected):
                    s = self.datagrams(discover, connected)
                    df = discover == WANT
                    set_mtu(self.srv, NOT_SET)
                    self.assert_one(self.sent(s, 1400), df)
                    set_mtu(self.srv, 576)
                    before = self.srv.stat("fragmented")
                    self.assert_fragments(self.sent(s, 1400), 576)
                    self.assert_fragments(self.sent(s, 577), 576)
                    self.assert_one(self.sent(s, 576), df)
                    self.assertEqual(self.srv.stat("fragmented"), before + 2)
                    set_mtu(self.srv, 1000)
                    frames = self.sent(s, 1400)
                    self.assert_fragments(frames, 1000)
                    self.assertGreater(max(f.length for f in frames), 576)
                    set_mtu(self.srv, NOT_SET)
                    self.assert_one(self.sent(s, 1400), df)
        self.assertEqual(self.srv.count(), 0)

    def test_refused(self):
        for discover in (DO, PROBE, INTERFACE):
            for connected in (True, False):
                with self.subTest(discover=discover, connected=connected):
                    s = self.datagrams(discover, connected)
                    df = discover != INTERFACE
                    set_mtu(self.srv, NOT_SET)
                    self.assert_one(self.sent(s, 1400), df)
                    set_mtu(self.srv, 576)
                    self.refused(s, 1400)
                    self.refused(s, 577)
                    self.assert_one(self.sent(s, 576), df)
                    if connected and discover == DO:
                        self.assertEqual(path_mtu(s), 576)
                    set_mtu(self.srv, NOT_SET)
                    self.assert_one(self.sent(s, 1400), df)
                    if connected and discover == DO:
                        self.assertEqual(path_mtu(s), 1500)

    def test_values(self):
        s = self.datagrams(connected=False)
        for value in (0, 67, 68, 69, 1499, 1500, 1501, NOT_SET - 1):
            with self.subTest(value):
                set_mtu(self.srv, value)
                effective = mtu_of(self.srv)[1]
                self.assert_one(self.sent(s, effective), True)
                self.refused(s, effective + 1)

    def test_with_host_routes(self):
        """The smaller counts, whichever comes first, of a connected socket."""
        s = self.datagrams()
        for what, value, expected in (
                ("device", 576, 576), ("route", 400, 400), ("route", 1000, 576),
                ("device", 1200, 1000), ("device", 300, 300), ("device", NOT_SET, 1000),
                ("route", 9000, 1500), ("device", 576, 576), ("route", None, 576),
                ("device", NOT_SET, 1500)):
            with self.subTest(f"{what} {value}"):
                change(self.srv, what, value)
                self.refused(s, expected + 1)
                self.assert_one(self.sent(s, expected), True)

    def test_what_was_reported_to_a_socket(self):
        """Its own route goes with a change of the device's, and comes again."""
        self.path.set_mtu(MTU)
        s = self.datagrams()
        mtu = lambda: path_mtu(s)
        self.provoke(s, to=None)
        self.error_of(s)
        self.assertEqual(mtu(), MTU)
        set_mtu(self.srv, 700)
        self.refused(s, 701)
        self.assertEqual(mtu(), 700)
        set_mtu(self.srv, 1200)
        self.refused(s, MTU + 1)
        set_mtu(self.srv, NOT_SET)
        self.refused(s, MTU + 1)
        self.assertEqual(self.unproven(), MTU)

    def test_echo(self):
        """A raw socket's, which the kernel fragments."""
        set_mtu(self.srv, 576)
        s = self.stack.enter_context(self.srv.socket(socket.SOCK_RAW, proto=socket.IPPROTO_ICMP))
        since = len(self.path.wire.frames)
        s.sendto(echo_request(data=bytes(1372)), (Path.CLI, 0))
        answer = s.recv(2000)
        self.assertEqual(len(answer), 1400)
        self.assert_fragments(self.from_here(since), 576)

    def test_only_enforced(self):
        set_mtu(self.srv, 576)
        s = self.datagrams(DO)
        for mode in ("off", "observe"):
            self.refused(s, 1400)
            self.srv.set("mode", mode)
            self.assert_one(self.sent(s, 1400), True)
            self.srv.set("mode", "enforce")
            wait_for(lambda: self.is_refused(s, 1400), "it to be in force")

    def is_refused(self, s, length):
        try:
            self.put(s, length)
        except OSError as e:
            return e.errno == errno.EMSGSIZE
        self.sink.recv(2000)
        return False


class Devices(OnDevice):
    def reconnect(self):
        """Addresses and routes go with what a device loses."""
        self.srv.ip("link set eth0 up", f"addr replace {Path.SRV}/24 dev eth0",
                    f"route replace default via {Path.RTR_SRV} rto_min {self.RTO}s")

    def test_link_mtu(self):
        cli, srv = self.accepted()
        set_mtu(self.srv, 576)
        for link, expected in ((500, 500), (1500, 576), (9000, 576), (570, 570), (1500, 576)):
            self.srv.ip(f"link set eth0 mtu {link}")
            self.assertEqual(mtu_of(self.srv), (576, expected))
            # The connection learns of the link at its next packet but one.
            exchange(srv, cli, 1000)
            self.assertEqual(self.largest(cli, srv), expected, f"link {link}")
        set_mtu(self.srv, NOT_SET)
        self.assertEqual(mtu_of(self.srv), (NOT_SET, 1500))
        self.assertEqual(self.largest(cli, srv), 1500)

    def test_rename(self):
        cli, srv = self.accepted()
        set_mtu(self.srv, 576)
        self.srv.ip("link set eth0 down", "link set eth0 name wan0", "link set wan0 name eth0")
        self.assertIsNone(mtu_of(self.srv, "wan0"))
        self.reconnect()
        self.assertEqual(mtu_of(self.srv), (576, 576))
        self.assertEqual(self.largest(cli, srv), 576)

    def test_between_namespaces(self):
        """It stays with the device, and nothing of it with the namespace that had the device."""
        other = Namespace("other")
        self.addCleanup(other.delete)
        set_mtu(self.srv, 576)
        cli, srv = self.accepted()
        self.assertEqual(self.largest(cli, srv), 576)
        for _ in range(3):
            self.srv.ip(f"link set eth0 netns {other.file}")
            self.assertIsNone(mtu_of(self.srv))
            self.assertEqual(mtu_of(other), (576, 576))
            other.ip("link set eth0 up", f"addr add {Path.SRV}/24 dev eth0",
                     f"route add default via {Path.RTR_SRV}")
            with other.listen(Path.SRV, 8080) as listener, \
                    self.path.cli.connect((Path.SRV, 8080)) as there:
                here, _ = listener.accept()
                with here:
                    self.assertEqual(self.largest(there, here), 576)
            other.ip(f"link set eth0 netns {self.srv.file}")
            self.assertIsNone(mtu_of(other))
            self.reconnect()
            self.assertEqual(self.largest(cli, srv), 576)
        set_mtu(self.srv, NOT_SET)
        self.assertEqual(self.largest(cli, srv), 1500)


class GoingAway(unittest.TestCase):
    def start(self):
        path = Path(1500, wire=False)
        self.addCleanup(path.close)
        set_mtu(path.srv, 576)
        traffic = Traffic(path)
        self.addCleanup(traffic.close)
        traffic.check()
        return path, traffic

    def test_module_under_traffic(self):
        path, traffic = self.start()
        for _ in range(5):
            rmmod()
            try:
                self.assertIsNone(mtu_of(path.srv))
                traffic.check()
            finally:
                insmod()
            self.assertEqual(mtu_of(path.srv), (NOT_SET, 1500))
            set_mtu(path.srv, 576)
            traffic.check()

    def test_device_under_traffic(self):
        """It goes with sockets under it; another of its name starts afresh."""
        path, traffic = self.start()
        for _ in range(5):
            # With a reference left it would never end, and the console say so.
            path.srv.ip("link del eth0")
            path.plug_server()
            self.assertEqual(mtu_of(path.srv), (NOT_SET, 1500))
            traffic.check()
            set_mtu(path.srv, 600)
            traffic.check()

    def test_settings_under_traffic(self):
        """Set, changed, ended, and moved to a host route and back."""
        path, traffic = self.start()
        for n in range(40):
            set_mtu(path.srv, (576, 68, NOT_SET, 1000)[n % 4])
            if n % 3 == 0:
                path.srv.set("add", f"{Path.CLI} {400 + n}")
            elif n % 3 == 1:
                path.srv.set("flush", "all")
        traffic.check()

    def test_namespace_goes(self):
        for _ in range(5):
            path, traffic = self.start()
            traffic.close()
            path.close()
        rmmod()
        insmod()

    def test_files_in_use(self):
        """Readers and writers while devices come and go."""
        ns = Namespace("busy")
        self.addCleanup(ns.delete)
        file_of(ns, "lo")
        pid = os.fork()
        if not pid:
            while True:		# until it is killed
                with contextlib.suppress(OSError):
                    set_mtu(ns, 576, "d0")
                ns.device("d0", "pmtu_hostroute/mtu")
        try:
            for _ in range(50):
                ns.ip("link add d0 type dummy", "link set d0 up", "link set d0 mtu 1400",
                      "link del d0")
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
