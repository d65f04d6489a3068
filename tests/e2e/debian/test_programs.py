# SPDX-License-Identifier: GPL-2.0
"""Programs that people use, from Debian's packages, over a path of 1400 bytes
whose ends say 1500; judged by what they say and by the wire."""

import contextlib
import hashlib
import os
import pathlib
import re
import subprocess
import unittest

from lab.path import Path
from lab.system import run, wait_for
from lab.transfer import receive


MTU = 1400
HOME = pathlib.Path("/run/programs")
SIZE = 3_000_000

NGINX = f"""
daemon off;
master_process off;
user root;
pid {HOME}/nginx.pid;
error_log stderr;
events {{}}
http {{
	access_log off;
	client_body_temp_path {HOME}/body;
	proxy_temp_path {HOME}/proxy;
	fastcgi_temp_path {HOME}/fastcgi;
	uwsgi_temp_path {HOME}/uwsgi;
	scgi_temp_path {HOME}/scgi;
	server {{
		listen {Path.SRV}:80;
		root {HOME}/www;
	}}
}}
"""

SSHD = f"""
HostKey {HOME}/host
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
AuthorizedKeysFile {HOME}/user.pub
Subsystem sftp internal-sftp
"""

NSD = f"""
server:
	ip-address: {Path.SRV}
	username: ""
	chroot: ""
	pidfile: "{HOME}/nsd.pid"
	database: ""
	zonesdir: "{HOME}"
	zonelistfile: "{HOME}/zone.list"
	xfrdfile: "{HOME}/xfrd.state"
	xfrdir: "{HOME}"
	cookie-secret-file: "{HOME}/cookies"
	ipv4-edns-size: 4096
remote-control:
	control-enable: no
zone:
	name: example
	zonefile: example.zone
"""


def strings(count):
    return "".join(f"big TXT \"{n:<200}\"\n" for n in range(count))


ZONE = "$ORIGIN example.\n$TTL 60\n@ SOA ns host 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n" + \
    strings(18)


def prepare():
    """Files that every program wants, once."""
    if HOME.exists():
        return
    for d in (HOME / "www", "/etc", "/run/sshd", "/var/empty", "/root", "/tmp"):
        os.makedirs(d, exist_ok=True)
    for name, text in {
            "/etc/passwd": "root::0:0:root:/root:/bin/sh\n"
                           "sshd:x:100:65534::/run/sshd:/bin/false\n"
                           "nobody:x:65534:65534::/:/bin/false\n",
            "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
            "/etc/protocols": "icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n",
            "/etc/nsswitch.conf": "passwd: files\nhosts: files\n",
            HOME / "nginx.conf": NGINX, HOME / "sshd_config": SSHD,
            HOME / "nsd.conf": NSD, HOME / "example.zone": ZONE}.items():
        pathlib.Path(name).write_text(text, encoding="ascii")
    (HOME / "www/big").write_bytes(os.urandom(SIZE))
    for key in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(HOME / key))


class Programs(unittest.TestCase):
    MODE = "enforce"

    @classmethod
    def setUpClass(cls):
        prepare()

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.path = self.new_path("enforce")
        self.srv, self.cli = self.path.srv, self.path.cli

    def new_path(self, mode):
        path = Path(MTU)
        self.stack.callback(path.close)
        path.srv.set("mode", mode)
        path.srv.sysctl(ping_group_range="0 2147483647")
        return path

    def serve(self, *command, port, kind="tcp"):
        """A program in the server's namespace, once it listens."""
        log = open(HOME / f"{os.path.basename(command[0])}.log", "w+", encoding="utf8")
        self.stack.callback(log.close)
        with self.srv:
            program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT)

        def end():
            program.terminate()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()

        def listens():
            if program.poll() is not None:
                log.seek(0)
                raise AssertionError(f"{command[0]} ended: {log.read()}")
            with self.srv, open(f"/proc/thread-self/net/{kind}", encoding="ascii") as f:
                return f":{port:04X} " in f.read()

        self.stack.callback(end)
        wait_for(listens, f"{command[0]} to listen")

    def reported(self):
        """When the router had reported its MTU to the server."""
        first = next((f for f in self.path.wire.frames if f.frag_needed), None)
        self.assertIsNotNone(first, "the path's MTU was no obstacle: nothing was tested")
        return first.time

    def big_after(self, when):
        return [f for f in self.path.wire.frames
                if f.src == Path.SRV and f.time > when and f.length > MTU]

    def judge(self, again):
        """What one run taught, the next knows: not one packet too big. In the
        first only those that were on their way when the message came."""
        reported = self.reported()
        late = [f for f in self.big_after(reported) if f.time > reported + 0.5]
        self.assertEqual(late, [], "too big long after the message")
        # One initial window of each connection is out before the message is in.
        self.assertLessEqual(len(self.big_after(reported)), 20)
        self.assertEqual(self.srv.route_mtu(Path.CLI), MTU)
        self.assertNotIn("mtu", self.srv.run("ip", "route", "get", Path.CLI))
        self.path.wire.clear()
        again()
        frames = self.path.wire.frames
        sent = [f for f in frames if f.src == Path.SRV and f.tcp and f.data]
        self.assertEqual([f for f in frames if f.src == Path.SRV and f.length > MTU], [])
        self.assertEqual([f for f in frames if f.frag_needed], [], "the router had to report it again")
        self.assertEqual([f for f in sent if f.fragment or not f.df], [])
        self.assertEqual(max(f.length for f in sent), MTU, "the path's MTU is not made use of")

    def test_nginx_curl(self):
        self.serve("nginx", "-e", "stderr", "-p", str(HOME), "-c", str(HOME / "nginx.conf"),
                   port=80)
        wanted = hashlib.sha256((HOME / "www/big").read_bytes()).hexdigest()

        def fetch():
            self.cli.run("curl", "-sS", "-f", "-o", str(HOME / "got"), f"http://{Path.SRV}/big")
            got = hashlib.sha256((HOME / "got").read_bytes()).hexdigest()
            self.assertEqual(got, wanted)

        fetch()
        self.judge(fetch)

    def test_iperf3(self):
        self.serve("iperf3", "-s", "-4", port=5201)

        def measure():
            for options in (("-R",), (), ("-R", "-P", "4"), ("--bidir",)):
                out = self.cli.run("iperf3", "-c", Path.SRV, "-n", "1M", "--connect-timeout",
                                   "20000", *options)
                self.assertIn("iperf Done", out)

        measure()
        self.judge(measure)

    def test_scp(self):
        self.serve("/usr/sbin/sshd", "-D", "-e", "-f", str(HOME / "sshd_config"), port=22)
        options = ("-q", "-i", str(HOME / "user"), "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")

        def copy():
            self.cli.run("scp", *options, f"root@{Path.SRV}:{HOME}/www/big", str(HOME / "got"))
            self.assertEqual((HOME / "got").read_bytes(), (HOME / "www/big").read_bytes())
            self.cli.run("scp", *options, str(HOME / "got"), f"root@{Path.SRV}:{HOME}/back")
            self.assertEqual((HOME / "back").read_bytes(), (HOME / "www/big").read_bytes())

        copy()
        self.judge(copy)

    def test_dig(self):
        """NSD sends with IP_PMTUDISC_OMIT: a large answer goes out as fragments
        that routers may cut, whatever is known about the path."""
        self.serve("nsd", "-d", "-c", str(HOME / "nsd.conf"), port=53)

        def ask(*options):
            out = self.cli.run("dig", f"@{Path.SRV}", "big.example", "TXT", "+tries=1",
                               "+time=20", *options)
            self.assertEqual(out.count("IN\tTXT\t\""), 18, out)
            size = int(re.search(r"MSG SIZE +rcvd: (\d+)", out)[1])
            self.assertGreater(size, 3700)
            return out

        self.assertIn("(UDP)", ask("+bufsize=4096", "+ignore"))
        self.assertEqual([f for f in self.path.wire.frames if f.frag_needed], [])
        self.assertEqual([f for f in self.path.wire.frames
                          if f.src == Path.SRV and f.length > MTU and f.df], [])
        # Its TCP has an MSS of its own, for which this path is large enough; so
        # the server is made to learn of it first.
        with self.srv.listen(Path.SRV, 8080) as listener, \
                self.cli.connect((Path.SRV, 8080)) as cli:
            srv, _ = listener.accept()
            with srv:
                srv.sendall(bytes(3000))
                self.assertEqual(len(receive(cli, 3000)), 3000)
        self.reported()
        self.path.wire.clear()
        self.assertIn("(UDP)", ask("+bufsize=4096", "+ignore"))
        self.assertIn("(TCP)", ask("+tcp"))
        sent = [f for f in self.path.wire.frames if f.src == Path.SRV]
        self.assertEqual([f for f in sent if f.length > MTU and f.df], [])
        self.assertEqual([f for f in self.path.wire.frames if f.frag_needed], [])

    # Programs that show paths say the same as on the stock path.

    def both(self, command, tidy, check=True):
        """What it says on the stock path and with the module; a line that comes
        again, as when an answer was late, once."""
        said = {}
        for mode in ("off", "enforce"):
            path = self.new_path(mode)
            out = path.srv.run(*command, check=check)
            said[mode] = "\n".join(dict.fromkeys(tidy(line) for line in out.splitlines()))
            if mode == "enforce":
                self.check_datagrams(path)
        self.assertEqual(said["enforce"], said["off"])
        return said["enforce"]

    def check_datagrams(self, path):
        """After the message no packet with DF is too big for the path. (What
        probes the path ignores what is known: at most one more.)"""
        frames = path.wire.frames
        reported = next((f.time for f in frames if f.frag_needed), None)
        self.assertIsNotNone(reported, "the path's MTU was no obstacle: nothing was tested")
        late = [f for f in frames if f.src == Path.SRV and f.time > reported and f.length > MTU]
        self.assertEqual(late, [])

    @staticmethod
    def no_times(line):
        return " ".join(re.sub(r"\d+(\.\d+)? ?ms|time \d+ms", "T", line).split())

    def test_tracepath(self):
        said = self.both(("tracepath", "-n", Path.CLI), self.no_times)
        self.assertIn(f"pmtu {MTU}", said)
        self.assertIn("reached", said)

    def test_ping(self):
        for size in (MTU - 28, MTU - 27, 1472):
            with self.subTest(size):
                said = {}
                for mode in ("off", "enforce"):
                    path = self.new_path(mode)
                    out = path.srv.run("ping", "-n", "-M", "do", "-s", str(size), "-c", "3",
                                       "-i", "0.2", "-W", "2", Path.CLI, check=False)
                    said[mode] = re.sub(r"time[= ][\d.]+ ?ms|rtt .*|, pipe \d+", "T", out)
                    if mode == "enforce" and size > MTU - 28:
                        self.check_datagrams(path)
                self.assertEqual(said["enforce"], said["off"])
                self.assertIn(f"mtu = {MTU}" if size > MTU - 28 else "3 received",
                              said["enforce"].replace("mtu=", "mtu = "))

    def test_ping_fragments(self):
        """-M want: the second is fragmented to fit."""
        out = self.srv.run("ping", "-n", "-M", "want", "-s", "3000", "-c", "3", "-i", "0.2",
                           "-W", "5", Path.CLI, check=False)
        self.assertRegex(out, r"[23] received")

    def test_traceroute(self):
        said = self.both(("traceroute.db", "-n", "--mtu", "-q", "1", "-w", "3", Path.CLI),
                         self.no_times)
        self.assertIn(f"F={MTU}", said)
