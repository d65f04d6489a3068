# SPDX-License-Identifier: GPL-2.0
"""What the end-to-end tests, the demo and the benchmark share. Runs in a guest only.

One process plays every host: a thread enters a network namespace (setns), makes
its sockets there and comes back; a socket stays where it was made.

system      commands, waiting, CPUs, loading the module
namespace   a network namespace, and the module's files in it
netlink     addresses and routes without starting "ip"
packets     IPv4 and TCP packets: built, parsed, compared
messages    quotes, and the ICMP messages that carry them
wire        captures on a device, and what puts packets there
transfer    data through sockets: compared, counted, steady
path        a server behind a router with a small MTU, and tests on it
datagrams   UDP, ping and raw sockets on that path
claims      forged claims about connections on that path
chain       two clients, two routers and a server, and tests on them
trace       the module's tracepoints
victim      a host and an attacker off its path
scene       one attack, and what it changed
"""
