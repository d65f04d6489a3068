#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""KB 898060 replayed: TRMSRV, a client behind a router whose link to it has an
MTU of 320, and one message from that router. Runs in the guest of make demo;
arguments: the module's file, a folder for pcap files.

What is shown and judged is what a capture on the router's links saw, and what
the two applications got; the module's own figures only where the KB's own
subject is a figure (the number of host routes).
"""

import pathlib
import socket
import struct
import sys
import time

from lab.messages import frag_needed, quote_of
from lab.namespace import accept
from lab.packets import ACK, FIN, RST, SYN, parse
from lab.path import MTU, PORT, Path
from lab.system import TIMEOUT, one_cpu, run, wait_for
from lab.transfer import abort_on_close, receive, retransmissions
from lab.wire import Capture, write_pcap


MODULE, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
CLIENT_PORT = 1083
ANSWER = bytes(range(256)) + bytes(77)     # the KB's 333 bytes
PATIENCE = 4.0                             # the client's, seconds
FILLED = 100                               # host routes that fill the table in run 2
NAMES = {Path.SRV: "server", Path.CLI: "client", Path.RTR_SRV: "router",
         Path.RTR_CLI: "router"}

failures = []


def say(text=""):
    print(text, flush=True)


def judge(seen, what):
    say(f"  {'seen    ' if seen else 'NOT SEEN'}  {what}")
    if not seen:
        failures.append(what)


def name(address):
    return NAMES.get(address, address)


def describe(frame):
    """A line as in the KB's table."""
    if frame.icmp:
        if not frame.frag_needed:
            return f"ICMP {frame.icmp}"
        quoted = parse(frame.quote + bytes(12))
        return (f"ICMP type 3 code 4, next-hop MTU {frame.mtu}, quote: total length "
                f"{quoted.length}, id {quoted.ident}, DF {'set' if quoted.df else 'off'}")
    flags = " ".join(n for bit, n in ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (ACK, "ACK"))
                     if frame.flags & bit)
    if frame.fragment:
        offset = struct.unpack("!H", frame.raw[6:8])[0]
        return (f"fragment at {(offset & 0x1fff) * 8}, "
                f"{'more follow' if offset & 0x2000 else 'the last'}, total length {frame.length}")
    if not frame.data:
        return flags + (f" seq {frame.seq}" if frame.flags & SYN else "")
    return (f"{frame.data} bytes (seq {frame.seq}-{frame.seq + frame.data & 0xffffffff}), "
            f"IP total length {frame.length}, DF {'set' if frame.df else 'OFF'}"
            + (" " + flags if frame.flags & (FIN | RST) else ""))


def show(frames, title="frames"):
    say(f"  {'frame':>5}  {'seconds':>8}  {'from -> to':<18}  {title}")
    for number, frame in enumerate(frames, 1):
        say(f"  {number:>5}  {frame.time - frames[0].time:8.3f}  "
            f"{name(frame.src) + ' -> ' + name(frame.dst):<18}  {describe(frame)}")


class Play:
    """A fresh server, router and client, and a capture on both links."""

    def __init__(self, title):
        say()
        say(f"== {title}")
        self.path = Path(MTU)
        for ns in (self.path.srv, self.path.cli):
            ns.sysctl(tcp_timestamps=0)
        self.client_link = Capture(self.path.rtr, "toclient")
        self.listener = self.path.srv.listen(Path.SRV, PORT)

    def connect(self, port=0):
        cli = self.path.cli.connect((Path.SRV, PORT), bind=(Path.CLI, port) if port else None)
        return cli, accept(self.listener)

    def conversation(self):
        """The KB's messages in the KB's order. True if the client got its answer,
        and if both sides ended it in peace."""
        cli, srv = self.connect(CLIENT_PORT)
        for sender, receiver, length in ((cli, srv, 39), (srv, cli, 11), (cli, srv, 280)):
            sender.sendall(bytes(length))
            receive(receiver, length)
        time.sleep(0.3)  # frame 8: the delayed ACK, alone
        cli.sendall(bytes(132))
        receive(srv, 132)
        srv.sendall(ANSWER)
        cli.settimeout(PATIENCE)
        try:
            answered = receive(cli, len(ANSWER)) == ANSWER
        except TimeoutError:
            answered = False
        cli.settimeout(TIMEOUT)
        cli.sendall(bytes(9))
        cli.shutdown(socket.SHUT_WR)
        receive(srv, 10)
        if not answered:
            # The server gives the session up: what it could not send is lost.
            abort_on_close(srv)
        srv.close()
        try:
            peaceful = cli.recv(1) == b""
        except ConnectionResetError:
            peaceful = False
        cli.close()
        return answered, peaceful

    def frames(self):
        """Of the conversation, on the server's link."""
        return [f for f in self.path.wire.frames if f.carries(CLIENT_PORT) or
                f.frag_needed and f.quote[22:24] == CLIENT_PORT.to_bytes(2, "big")]

    def first_message(self):
        """The conversation up to the router's message, shown and judged. Returns what
        the applications saw, all frames, that message, and the answer's packets
        before and after it."""
        outcome = self.conversation()
        frames = self.frames()
        show(frames)
        message = next(f for f in frames if f.frag_needed)
        before, after = answers(frames, message)
        judge(len(before) == 1 and before[0].length == 373,
              "the 333 bytes go out in 373, too big")
        return outcome, frames, message, before, after

    def end(self, pcap):
        write_pcap(OUT / f"{pcap}-server-link.pcap", self.path.wire.stop())
        write_pcap(OUT / f"{pcap}-client-link.pcap", self.client_link.stop())
        self.listener.close()
        self.path.close()


def answers(frames, message):
    """Packets with the server's answer before and after the router's message."""
    packets = [f for f in frames if f.src == Path.SRV and f.data and f.data != 11]
    return ([f for f in packets if f.time <= message.time],
            [f for f in packets if f.time > message.time])


def stock():
    play = Play("1. the stock kernel, module not loaded")
    answered, _ = play.conversation()
    frames = play.frames()
    show(frames)
    fragments = [f for f in play.client_link.frames if f.fragment]
    say("  on the router's link to the client:")
    show(fragments, "fragments")
    message = next(f for f in frames if f.frag_needed)
    _, after = answers(frames, message)
    judge(message.mtu == MTU, f"the router asks for {MTU}")
    judge(after and all(f.data == 333 and not f.df for f in after),
          "the 333 bytes come again at full size with DF off: the stock kernel takes "
          "no MTU below 552 and gives path MTU discovery up")
    judge(len(fragments) >= 2, "the router cuts them into fragments")
    judge(answered, "the answer arrives, in fragments")
    play.end("1-stock")


def fault():
    play = Play("2. the KB's fault: the table is full, and at_limit=ignore")
    srv = play.path.srv
    srv.set("max_routes", FILLED)
    srv.set("at_limit", "ignore")
    addresses = [f"10.102.45.{n}" for n in range(100, 100 + FILLED)]
    play.path.cli.ip(*(f"addr add {a}/24 dev eth0" for a in addresses))
    with play.path.cli.listen("0.0.0.0", 8080) as listener:
        for n, address in enumerate(addresses, 1):
            with srv.connect((address, 8080)) as s:
                s.sendall(ANSWER)
                with accept(listener) as peer:
                    receive(peer, len(ANSWER))
            if n % 25 == 0:
                say(f"  {n} host routes learned from real connections, count {srv.count()}")
    judge(srv.count() == FILLED, f"count is {FILLED}, the maximum")
    play.path.wire.clear()
    (answered, peaceful), frames, _, before, after = play.first_message()
    judge(len(after) >= 3 and all(f.length == 373 and f.df for f in after),
          f"the same 333 bytes come again {len(after)} times, not made smaller")
    judge(sum(f.frag_needed for f in frames) == len(before) + len(after),
          "the router reports it again each time, and is ignored")
    judge(not answered and not peaceful and any(f.flags & RST for f in frames),
          "the connection is lost: FIN, RST")
    judge(srv.count() == FILLED, f"count is still {FILLED}")
    play.end("2-fault")


def module():
    play = Play("3. the module as shipped")
    path, srv = play.path, play.path.srv
    (answered, peaceful), frames, message, before, after = play.first_message()
    judge(after and sum(f.data for f in after) == 333 and after[0].seq == before[0].seq and
          all(f.length <= MTU and f.df for f in after),
          "after the router's message they come again once, as "
          f"{' + '.join(str(f.data) for f in after)}, within {MTU}, DF set")
    judge(after and after[0].time - message.time < 0.2, "at once, before any retransmission timeout")
    judge(answered and peaceful and not any(f.flags & RST for f in frames),
          "the connection lives and ends in peace")
    judge(not any(f.fragment for f in play.client_link.frames), "no fragment on the client's link")

    say("  a second connection, 20,000 bytes:")
    since = time.time()
    cli, conn = play.connect()
    data = ANSWER * 60
    conn.sendall(data)
    judge(receive(cli, len(data)) == data, "all of it arrives")
    second = [f for f in path.wire.frames if f.time > since]
    sent = path.from_server(second)
    judge(sent and max(f.length for f in sent) == MTU and all(f.df for f in sent),
          f"{len(sent)} packets, none above {MTU}, DF set on all")
    judge(not any(f.frag_needed for f in second), "the router had nothing to report")
    judge(retransmissions(conn) == 0, "no retransmission")

    say("  10,001 more messages for this destination, from 8 routers, MTUs changing:")
    path.hold_acks()
    since = time.time()
    conn.sendall(ANSWER)
    frame = path.wire.wait(lambda f: f.time > since and f.src == Path.SRV and f.data > 250,
                           "a segment in flight")
    injector = path.injector()
    received = srv.stat("received")
    for n in range(10001):
        mtu = 319 - n // 100 + n % 2 * 7
        injector.send(frag_needed(f"10.102.1.{2 + n % 8}", Path.SRV, min(mtu, 319),
                                      quote_of(frame)))
        if n % 200 == 199:
            wait_for(lambda n=n: srv.stat("received") - received > n, "the messages")
        if n % 2000 == 1999:
            say(f"  {n + 1} sent, count {srv.count()}, MTU {srv.route_mtu(Path.CLI)}")
    wait_for(lambda: srv.stat("received") - received >= 10001, "the messages")
    judge(srv.count() == 1, f"count is {srv.count()}")
    injector.send(frag_needed("10.102.1.9", Path.SRV, 150, quote_of(frame)))
    wait_for(lambda: srv.route_mtu(Path.CLI) == 150, "the last, lower one")
    injector.close()
    released = time.time()
    path.hold_acks(False)
    got = receive(cli, len(ANSWER)) == ANSWER
    conn.sendall(data)
    judge(got and receive(cli, len(data)) == data, "the connection still lives")
    sent = [f for f in path.from_server(path.wire.frames) if f.time > released and f.data]
    judge(sent and max(f.length for f in sent) == 150 and all(f.df for f in sent),
          "a last one, 150, is obeyed: "
          f"{len(sent)} packets, the largest {max((f.length for f in sent), default=0)}")
    judge(srv.count() == 1, "count is 1")
    play.end("3-module")


def main():
    say("TRMSRV 10.102.1.248:3389, client 10.102.45.12:1083, router in between; "
        f"its link to the client has an MTU of {MTU}")
    with one_cpu():
        stock()
        run("insmod", MODULE)
        fault()
        module()
        run("rmmod", "pmtu_hostroute")
    say()
    if failures:
        say(f"VERDICT: {len(failures)} things were not seen")
        return 1
    say("VERDICT: all of it was seen")
    return 0


sys.exit(main())
