# SPDX-License-Identifier: GPL-2.0
"""Addresses, links and routes by way of netlink, without starting "ip"; and what
the stock kernel has learned about a destination."""

import dataclasses
import re
import socket
import struct

try:
    import pyroute2
except ImportError:
    pyroute2 = None


@dataclasses.dataclass
class Lookup:
    """What "ip route get" would show. An exception is an MTU that expires."""
    oif: int = None
    gateway: str = None
    mtu: int = None
    expires: bool = False
    error: object = None


class Netlink:
    """The most frequent requests to "ip", without the program. Starting one takes
    a kernel with all checks more than a second, as long as the rest of a test.
    Used where pyroute2 is installed; a kernel without checks does not need it."""

    FORMS = [re.compile(form + "$") for form in (
        r"link set (?P<dev>\S+) (?P<state>up|down)",
        r"link set (?P<dev>\S+) mtu (?P<mtu>\d+)",
        r"link del (?P<dev>\S+)",
        r"link add (?P<new>\S+) mtu (?P<mtu>\d+) type veth peer name (?P<peer>\S+) "
        r"mtu (?P<peer_mtu>\d+) netns (?P<netns>\S+)",
        r"addr add (?P<address>[\d.]+)/(?P<length>\d+) dev (?P<dev>\S+)",
        r"route (?P<route>add|replace|del) blackhole (?P<dst>[\d./]+)",
        r"route (?P<route>add|replace) (?P<dst>default|[\d./]+) via (?P<via>[\d.]+)"
        r"( mtu (?P<mtu>\d+))?( advmss (?P<advmss>\d+))?( table (?P<table>\d+))?")]

    def __init__(self):
        self._socket = None

    @staticmethod
    def is_there():
        return pyroute2 is not None

    def knows(self, line):
        return pyroute2 and any(form.match(line) for form in self.FORMS)

    def do(self, lines):
        """In the calling thread's namespace."""
        if not self._socket:
            self._socket = pyroute2.IPRoute()
        for line in lines:
            found = next(filter(None, (form.match(line) for form in self.FORMS)))
            try:
                self._do({k: v for k, v in found.groupdict().items() if v})
            except (pyroute2.NetlinkError, OSError) as e:
                raise AssertionError(f"{line}: {e}") from e

    def _do(self, line):
        metrics = {k: int(line[k]) for k in ("mtu", "advmss") if k in line}
        if "new" in line:
            with open(line["netns"], "rb") as netns:
                self._socket.link("add", ifname=line["new"], kind="veth", **metrics, peer={
                    "ifname": line["peer"], "mtu": int(line["peer_mtu"]),
                    "net_ns_fd": netns.fileno()})
        elif "route" in line:
            if metrics:
                metrics = {"metrics": metrics}
            where = {"gateway": line["via"]} if "via" in line else {"type": "blackhole"}
            self._socket.route(line["route"], dst=line["dst"], **where,
                               table=int(line.get("table", 254)), **metrics)
        else:
            index = socket.if_nametoindex(line["dev"])
            if "address" in line:
                self._socket.addr("add", index=index, address=line["address"],
                                  prefixlen=int(line["length"]))
            elif "state" in line or metrics:
                state = {"state": line["state"]} if "state" in line else {}
                self._socket.link("set", index=index, **state, **metrics)
            else:
                self._socket.link("del", index=index)

    def look_up(self, address, oif):
        """In the calling thread's namespace."""
        if not self._socket:
            self._socket = pyroute2.IPRoute()
        try:
            found, = self._socket.route("get", dst=address, **oif)
        except pyroute2.NetlinkError as e:
            return Lookup(error=e.code)
        metrics = found.get_attr("RTA_METRICS")
        cache = found.get_attr("RTA_CACHEINFO")
        return Lookup(found.get_attr("RTA_OIF"), found.get_attr("RTA_GATEWAY"),
                      metrics and metrics.get_attr("RTAX_MTU"),
                      bool(cache and cache["rta_expires"]))

    def close(self):
        if self._socket:
            self._socket.close()
            self._socket = None


def _attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack("HH", data[:4])
        if length < 4:
            return
        yield kind & 0x3fff, data[4:length]
        data = data[(length + 3) & ~3:]


def exception(ns, address):
    """(MTU, locked, seconds left) of the kernel's own exception for a
    destination, as "ip route get" shows it; None if there is none."""
    rta_dst, rta_metrics, rta_cacheinfo, rtm_getroute = 1, 8, 12, 26
    request = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0)
    request += struct.pack("HH4s", 8, rta_dst, socket.inet_aton(address))
    request = struct.pack("IHHII", 16 + len(request), rtm_getroute, 1, 1, 0) + request
    with ns, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(request)
        answer = s.recv(8192)
    if struct.unpack("H", answer[4:6])[0] == 2:	# NLMSG_ERROR: no route
        return None
    found = dict(_attributes(answer[28:]))
    metrics = {k: struct.unpack("I", v)[0] for k, v in _attributes(found.get(rta_metrics, b""))}
    expires = struct.unpack("i", found[rta_cacheinfo][8:12])[0] / 100
    if not expires or 2 not in metrics:
        return None
    return metrics[2], bool(metrics.get(1, 0) & 1 << 2), expires
