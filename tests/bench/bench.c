// SPDX-License-Identifier: GPL-2.0
/*
 * The loops that "make bench" takes the time of. Runs in the guest, in the network
 * namespace that tests/bench/rows.py made; a command for each kind of work:
 *
 *	bench COMMAND ARGUMENT...
 *
 * prints lines "NAME NANOSECONDS". Under -icount a nanosecond is an instruction,
 * as long as nobody waits: so nothing here does. A message comes in through a tun
 * device, where write(2) returns when the kernel is done with it; packets leave
 * through a dummy device, that is done with them at once. A TCP connection that
 * needs no peer is made by TCP_REPAIR.
 *
 * BENCH_TUN says which descriptor the tun device is.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "packet.h"

#define HERE		"198.51.100.2"	/* this host */
#define ROUTER		"198.51.100.1"	/* its gateway; sends the messages */
#define FIRST		0x0a000000	/* destinations are 10.0.0.0 and on */
#define OTHERS		0x0a800000	/* and for what comes besides */
#define PORT		40000
#define MTU		1500
#define LEARNED		1400
#define LOWERED		1300
#define PAYLOAD		(MTU - sizeof(struct iphdr) - sizeof(struct tcphdr))
#define BATCHES		5		/* that must agree */

static int tun;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(errno));
	exit(1);
}

static __u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void say(const char *name, double ns)
{
	printf("%s %.1f\n", name, ns);
	fflush(stdout);
}

static void *array(size_t count, size_t size)
{
	void *p = calloc(count, size);

	if (!p)
		die("no memory");
	return p;
}

static unsigned int number(const char *text)
{
	return strtoul(text, NULL, 0);
}

static __u32 destination(unsigned int n)
{
	return htonl(FIRST + n);
}

static struct sockaddr_in address(__u32 addr, __u16 port)
{
	return (struct sockaddr_in) {
		.sin_family = AF_INET,
		.sin_addr.s_addr = addr,
		.sin_port = port,
	};
}

static void inject(const void *packet, size_t len)
{
	if (write(tun, packet, len) != (ssize_t)len)
		die("tun device");
}

/* ---- sockets ----------------------------------------------------------------- */

static int udp_socket(void)
{
	struct sockaddr_in here = address(inet_addr(HERE), htons(PORT));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)))
		die("UDP socket");
	return fd;
}

/* A connection, and where its next segment begins. */
struct connection {
	int fd;
	__u32 daddr;
	__u16 sport;
	__u16 dport;
	__u32 seq;
};

static void tcp_option(int fd, int option, const void *value, socklen_t len)
{
	if (setsockopt(fd, IPPROTO_TCP, option, value, len))
		die("TCP option %d", option);
}

static void repair(int fd, int how)
{
	tcp_option(fd, TCP_REPAIR, &how, sizeof(how));
}

static void set_sequence(int fd, int queue, __u32 seq)
{
	tcp_option(fd, TCP_REPAIR_QUEUE, &queue, sizeof(queue));
	tcp_option(fd, TCP_QUEUE_SEQ, &seq, sizeof(seq));
}

/* As if @daddr had answered: established, with a window, nothing in flight. */
static struct connection tcp_connection(__u32 daddr, __u16 dport)
{
	struct tcp_repair_window window = {
		.snd_wl1 = 1, .snd_wnd = 1 << 20, .max_window = 1 << 20,
		.rcv_wnd = 1 << 16, .rcv_wup = 1,
	};
	struct connection c = {
		.fd = socket(AF_INET, SOCK_STREAM, 0),
		.daddr = daddr, .dport = dport, .seq = 1000000,
	};
	struct sockaddr_in addr = address(inet_addr(HERE), 0);
	socklen_t len = sizeof(addr);
	int mss = PAYLOAD, at_once = 1;

	if (c.fd < 0)
		die("TCP socket");
	tcp_option(c.fd, TCP_MAXSEG, &mss, sizeof(mss));
	tcp_option(c.fd, TCP_NODELAY, &at_once, sizeof(at_once));
	repair(c.fd, TCP_REPAIR_ON);
	set_sequence(c.fd, TCP_SEND_QUEUE, c.seq);
	set_sequence(c.fd, TCP_RECV_QUEUE, 1);
	addr = address(daddr, dport);
	if (connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) ||
	    getsockname(c.fd, (struct sockaddr *)&addr, &len))
		die("connection");
	c.sport = addr.sin_port;
	tcp_option(c.fd, TCP_REPAIR_WINDOW, &window, sizeof(window));
	repair(c.fd, TCP_REPAIR_OFF_NO_WP);
	return c;
}

/* Nobody hears of it. */
static void tcp_forget(struct connection *c)
{
	repair(c->fd, TCP_REPAIR_ON);
	close(c->fd);
}

/* A full segment, that nobody acknowledges. */
static void tcp_send(const struct connection *c, size_t len)
{
	static char data[PAYLOAD];

	if (send(c->fd, data, len, MSG_DONTWAIT) != (ssize_t)len)
		die("send");
}

/* ---- messages ---------------------------------------------------------------- */

static struct message about_udp(__u32 daddr, __u16 mtu)
{
	struct message m;

	quote_udp(&m.quote, inet_addr(HERE), htons(PORT), daddr, htons(9), MTU);
	frag_needed(&m, inet_addr(ROUTER), mtu);
	return m;
}

/* Of an Echo Reply: the stock path believes it without looking for a socket. */
static struct message about_echo(__u32 daddr, __u16 mtu)
{
	struct message m;

	quote_echo(&m.quote, inet_addr(HERE), daddr, ICMP_ECHOREPLY, MTU);
	frag_needed(&m, inet_addr(ROUTER), mtu);
	return m;
}

/* About the segment that begins at the connection's seq. */
static struct message about_tcp(const struct connection *c, __u16 mtu)
{
	struct message m;

	quote_tcp(&m.quote, inet_addr(HERE), c->sport, c->daddr, c->dport, c->seq, MTU);
	frag_needed(&m, inet_addr(ROUTER), mtu);
	return m;
}

/* Of one kind, about destinations from a number on. For TCP each comes with its
 * connection, one segment in flight.
 */
struct batch {
	unsigned int count;
	struct message *messages;
	struct connection *connections;	/* NULL if not TCP */
};

static struct batch make_batch(const char *kind, unsigned int from, unsigned int count,
			       __u16 mtu)
{
	struct batch b = {
		.count = count,
		.messages = array(count, sizeof(*b.messages)),
	};
	unsigned int i;

	if (!strcmp(kind, "tcp"))
		b.connections = array(count, sizeof(*b.connections));
	for (i = 0; i < count; i++) {
		if (!strcmp(kind, "udp")) {
			b.messages[i] = about_udp(destination(from + i), mtu);
		} else if (!strcmp(kind, "echo")) {
			b.messages[i] = about_echo(destination(from + i), mtu);
		} else {
			b.connections[i] = tcp_connection(destination(from + i), htons(80));
			tcp_send(&b.connections[i], PAYLOAD);
			b.messages[i] = about_tcp(&b.connections[i], mtu);
		}
	}
	return b;
}

static void end_batch(struct batch *b)
{
	unsigned int i;

	for (i = 0; b->connections && i < b->count; i++)
		tcp_forget(&b->connections[i]);
	free(b->connections);
	free(b->messages);
}

/* Nanoseconds a message. */
static double inject_batch(const struct batch *b)
{
	__u64 begin = now();
	unsigned int i;

	for (i = 0; i < b->count; i++)
		inject(&b->messages[i], sizeof(b->messages[i]));
	return (double)(now() - begin) / b->count;
}

static double learn(const char *kind, unsigned int from, unsigned int count)
{
	struct batch b = make_batch(kind, from, count, LEARNED);
	double ns = inject_batch(&b);

	end_batch(&b);
	return ns;
}

/* What was put off (hash tables that grow, grace periods) is done now. */
static void settle(void)
{
	struct timespec second = { .tv_sec = 1 };

	nanosleep(&second, NULL);
}

/* The same in pieces, so that no timer of a connection's runs out. */
static void fill(const char *kind, unsigned int *have, unsigned int size)
{
	unsigned int piece;

	while (*have < size) {
		piece = size - *have < 1000 ? size - *have : 1000;
		learn(kind, *have, piece);
		*have += piece;
	}
	settle();
}

/* ---- commands ------------------------------------------------------------------ */

/* send ADDRESS COUNT: 64 bytes by UDP */
static void do_send(char **arg)
{
	struct sockaddr_in to = address(inet_addr(arg[0]), htons(9));
	unsigned int i, count = number(arg[1]);
	char data[64] = "";
	int fd = udp_socket();
	__u64 begin;

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	for (i = 0; i < 100; i++)
		send(fd, data, sizeof(data), 0);
	begin = now();
	for (i = 0; i < count; i++)
		if (send(fd, data, sizeof(data), 0) != sizeof(data))
			die("send");
	say("send", (double)(now() - begin) / count);
}

/* receive COUNT: 64 bytes by UDP, from the device to the program */
static void do_receive(char **arg)
{
	unsigned int i, count = number(arg[0]);
	int fd = udp_socket();
	struct datagram d;
	__u64 begin;
	char data[64];

	udp_datagram(&d, inet_addr("192.0.2.9"), htons(1000), inet_addr(HERE), htons(PORT));
	inject(&d, sizeof(d));
	recv(fd, data, sizeof(data), 0);
	begin = now();
	for (i = 0; i < count; i++) {
		inject(&d, sizeof(d));
		if (recv(fd, data, sizeof(data), MSG_DONTWAIT) != sizeof(data))
			die("not received");
	}
	say("receive", (double)(now() - begin) / count);
}

/* forward KIND ADDRESS COUNT: KIND is udp, data (TCP without SYN) or syn */
static void do_forward(char **arg)
{
	__u32 from = inet_addr("192.0.2.9"), to = inet_addr(arg[1]);
	unsigned int i, count = number(arg[2]);
	size_t len = sizeof(struct datagram);
	union {
		struct datagram datagram;
		struct segment segment;
	} p;
	__u64 begin;

	if (!strcmp(arg[0], "udp"))
		udp_datagram(&p.datagram, from, htons(1000), to, htons(9));
	else
		len = tcp_segment(&p.segment, from, htons(1000), to, htons(80), 1, 1,
				  !strcmp(arg[0], "syn"), 1460);
	for (i = 0; i < 100; i++)
		inject(&p, len);
	begin = now();
	for (i = 0; i < count; i++)
		inject(&p, len);
	say("forward", (double)(now() - begin) / count);
}

static void enter(const char *netns)
{
	int fd = open(netns, O_RDONLY);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("%s", netns);
	close(fd);
}

static int stream_socket(const char *netns, int option)
{
	int fd, size = 4 << 20;

	enter(netns);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, option, &size, sizeof(size)))
		die("stream");
	return fd;
}

static bool drain(int fd, size_t *got)
{
	static char nowhere[1];
	ssize_t n = recv(fd, nowhere, 1 << 20, MSG_TRUNC | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN)
		die("recv");
	if (n > 0)
		*got += n;
	return n > 0;
}

/* Neither end copies: sendfile(2) here, MSG_TRUNC there. */
static void transfer(int from, int to, int file, size_t bytes)
{
	size_t sent = 0, got = 0;

	while (got < bytes) {
		off_t at = 0;
		size_t piece = bytes - sent < 1 << 20 ? bytes - sent : 1 << 20;
		ssize_t n = piece ? sendfile(from, file, &at, piece) : 0;

		if (n < 0 && errno != EAGAIN)
			die("sendfile");
		if (n > 0)
			sent += n;
		while (drain(to, &got))
			;
	}
}

/* stream NETNS NETNS ADDRESS BYTES: by TCP, from the first to the second */
static void do_stream(char **arg)
{
	struct sockaddr_in to = address(inet_addr(arg[2]), htons(5201));
	int listener, from, peer, file, on = 1;
	size_t bytes = strtoull(arg[3], NULL, 0);
	__u64 begin;

	file = memfd_create("data", 0);
	if (file < 0 || ftruncate(file, 1 << 20))
		die("memfd");
	listener = stream_socket(arg[1], SO_RCVBUFFORCE);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) || listen(listener, 1))
		die("listen");
	from = stream_socket(arg[0], SO_SNDBUFFORCE);
	if (connect(from, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	peer = accept(listener, NULL, NULL);
	if (peer < 0 || fcntl(from, F_SETFL, O_NONBLOCK))
		die("accept");
	transfer(from, peer, file, 16 << 20);
	begin = now();
	transfer(from, peer, file, bytes);
	say("stream", now() - begin);
}

/* pin FILE COUNT MTU SPREAD: the administrator's host routes, of MTU and on */
static void do_pin(char **arg)
{
	unsigned int i, count = number(arg[1]), mtu = number(arg[2]), spread = number(arg[3]);
	int fd = open(arg[0], O_WRONLY);
	char line[64];

	for (i = 0; i < count; i++) {
		struct in_addr a = { .s_addr = htonl(OTHERS + i) };
		int len = sprintf(line, "%s %u\n", inet_ntoa(a), mtu + i % spread);

		if (pwrite(fd, line, len, 0) != len)
			die("%s", arg[0]);
	}
}

/* Messages of a kind about destinations that are new, as often as must agree. */
static void learn_more(const char *kind, unsigned int *have, unsigned int count)
{
	int i;

	for (i = 0; i < BATCHES; i++) {
		say(kind, learn(kind, *have, count));
		*have += count;
		settle();
	}
}

/* learn FILL FROM SIZE COUNT KIND...: what a message about a new destination costs.
 * FROM destinations are known; as many more become known by way of FILL that it
 * is SIZE of them; then COUNT messages of each KIND come, BATCHES times.
 */
static void do_learn(char **arg)
{
	unsigned int have = number(arg[1]), count = number(arg[3]);
	int fd = udp_socket();
	char **kind;

	fill(arg[0], &have, number(arg[2]));
	for (kind = arg + 4; *kind; kind++)
		learn_more(*kind, &have, count);
	close(fd);
}

/* except ADDRESS MTU: a message about a datagram to it */
static void do_except(char **arg)
{
	struct message m = about_udp(inet_addr(arg[0]), number(arg[1]));
	int fd = udp_socket();

	inject(&m, sizeof(m));
	close(fd);
}

/* lower KIND COUNT SIZE: the same destinations once more, by a smaller MTU */
static void do_lower(char **arg)
{
	unsigned int i, have = 0, count = number(arg[1]);
	int fd = udp_socket();
	struct batch b;

	fill("udp", &have, number(arg[2]));
	b = make_batch(arg[0], have, count, LEARNED);
	inject_batch(&b);
	for (i = 0; b.connections && i < count; i++) {
		/* Another, that only the lower one concerns. */
		b.connections[i].seq += PAYLOAD;
		tcp_send(&b.connections[i], LEARNED - 40);
	}
	for (i = 0; i < count; i++) {
		b.messages[i].icmp.un.frag.mtu = htons(LOWERED);
		if (b.connections) {
			b.messages[i].quote.tcp.seq = htonl(b.connections[i].seq);
			b.messages[i].quote.ip.tot_len = htons(LEARNED);
		}
		seal(&b.messages[i]);
	}
	say("lower", inject_batch(&b));
	end_batch(&b);
	close(fd);
}

/* ---- forged messages ------------------------------------------------------------- */

static struct connection target;

static struct message proper_tcp(void)
{
	return about_tcp(&target, LEARNED);
}

static struct message proper_udp(void)
{
	return about_udp(destination(1), LEARNED);
}

static struct message forged_truncated(size_t *len)
{
	*len -= 4;
	return proper_tcp();
}

static struct message forged_checksum(void)
{
	struct message m = proper_tcp();

	m.icmp.checksum ^= 1;
	return m;
}

static struct message forged_outer(void)
{
	struct message m = proper_tcp();

	m.quote.ip.saddr = inet_addr("198.51.100.77");
	seal(&m);
	return m;
}

static struct message forged_router(void)
{
	struct message m = proper_tcp();

	frag_needed(&m, inet_addr("240.0.0.1"), LEARNED);
	return m;
}

static struct message forged_quote(void)
{
	struct message m = proper_udp();

	m.quote.udp.dest = 0;
	seal(&m);
	return m;
}

static struct message forged_source(void)
{
	struct message m = proper_udp();

	m.quote.ip.saddr = inet_addr("127.0.0.1");
	frag_needed(&m, inet_addr(ROUTER), LEARNED);
	return m;
}

static struct message forged_df(void)
{
	struct message m = proper_tcp();

	m.quote.ip.frag_off = 0;
	seal(&m);
	return m;
}

static struct message forged_fragment(void)
{
	struct message m = proper_tcp();

	m.quote.ip.frag_off = htons(IP_DF | 100);
	seal(&m);
	return m;
}

static struct message forged_fits(void)
{
	struct message m = proper_tcp();

	m.quote.ip.tot_len = htons(LEARNED);
	seal(&m);
	return m;
}

static struct message forged_no_socket(void)
{
	struct message m = proper_tcp();

	m.quote.tcp.sport ^= 1;
	seal(&m);
	return m;
}

static struct message forged_sequence(void)
{
	struct message m = proper_tcp();

	m.quote.tcp.seq = htonl(target.seq + PAYLOAD + 1);
	seal(&m);
	return m;
}

/* Somebody else's SYN, and a quote of what it was answered. */
static struct message forged_state(void)
{
	struct sockaddr_in here = address(inet_addr(HERE), htons(80));
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	__u32 from = destination(2);
	struct segment syn;
	struct message m;
	size_t len;

	if (bind(fd, (struct sockaddr *)&here, sizeof(here)) || listen(fd, 8))
		die("listen");
	len = tcp_segment(&syn, from, htons(1000), inet_addr(HERE), htons(80), 1, 0, 1, 1460);
	inject(&syn, len);
	quote_tcp(&m.quote, inet_addr(HERE), htons(80), from, htons(1000), 1, MTU);
	frag_needed(&m, inet_addr(ROUTER), LEARNED);
	return m;
}

static struct message forged_ttl(void)
{
	int ttl = 255;

	if (setsockopt(target.fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl)))
		die("IP_MINTTL");
	return proper_tcp();
}

/* What is known already, and then more than that. */
static struct message forged_not_smaller(void)
{
	struct message m = about_tcp(&target, LOWERED);

	inject(&m, sizeof(m));
	return proper_tcp();
}

static void acknowledge(struct connection *c, size_t len)
{
	struct segment ack;
	size_t size;

	size = tcp_segment(&ack, c->daddr, c->dport, inet_addr(HERE), c->sport, 1,
			   c->seq + len, 0, 0);
	inject(&ack, size);
	c->seq += len;
}

/* Larger segments have just arrived; and of such claims no more can wait. */
static struct message forged_contradicted(void)
{
	enum { WAITING = 1024 };
	struct connection c;
	struct message m;
	int i, j;

	for (i = 0; i <= WAITING; i++) {
		c = tcp_connection(htonl(OTHERS + i), htons(80));
		for (j = 0; j < 2; j++) {
			tcp_send(&c, PAYLOAD);
			acknowledge(&c, PAYLOAD);
		}
		tcp_send(&c, PAYLOAD);
		m = about_tcp(&c, 600);
		if (i < WAITING)
			inject(&m, sizeof(m));
	}
	return m;
}

static struct message forged_mtu(void)
{
	return about_tcp(&target, 67);
}

/* The rest is proper, but for its destination or for what the administrator has
 * set (tests/bench/rows.py).
 */
static struct message forged_destination(void)
{
	return about_udp(inet_addr("10.201.0.1"), LEARNED);
}

static struct message forged_locked(void)
{
	return about_udp(inet_addr("10.202.0.1"), LEARNED);
}

static struct message forged_on_link(void)
{
	return about_udp(inet_addr("198.51.100.77"), LEARNED);
}

static struct message forged_icmp(void)
{
	return about_echo(destination(1), LEARNED);
}

static struct message forged_full(void)
{
	struct connection other = tcp_connection(destination(3), htons(80));
	struct message m;

	tcp_send(&other, PAYLOAD);
	m = about_tcp(&other, LEARNED);
	inject(&m, sizeof(m));
	return proper_tcp();
}

/* The budget is used up: what is left of it does not buy the cheapest. */
static struct message forged_rate(void)
{
	struct message m;
	int i;

	for (i = 0; i < 200; i++) {
		m = about_udp(destination(100 + i), LEARNED);
		inject(&m, sizeof(m));
	}
	return proper_udp();
}

static const struct {
	const char *reason;
	struct message (*make)(void);
} forgeries[] = {
	{ "checksum", forged_checksum },
	{ "outer", forged_outer },
	{ "router", forged_router },
	{ "quote", forged_quote },
	{ "source", forged_source },
	{ "destination", forged_destination },
	{ "icmp", forged_icmp },
	{ "locked", forged_locked },
	{ "on_link", forged_on_link },
	{ "fragment", forged_fragment },
	{ "df", forged_df },
	{ "fits", forged_fits },
	{ "mtu", forged_mtu },
	{ "no_socket", forged_no_socket },
	{ "state", forged_state },
	{ "sequence", forged_sequence },
	{ "ttl", forged_ttl },
	{ "not_smaller", forged_not_smaller },
	{ "full", forged_full },
	{ "rate", forged_rate },
	{ "unproven", proper_udp },
	{ "memory", proper_udp },
	{ "contradicted", forged_contradicted },
};

/* refuse REASON COUNT: of forged messages that are refused for this reason */
static void do_refuse(char **arg)
{
	unsigned int i, n, count = number(arg[1]);
	size_t len = sizeof(struct message);
	struct message m = {};
	__u64 begin;

	udp_socket();
	target = tcp_connection(destination(1), htons(80));
	tcp_send(&target, PAYLOAD);
	if (!strcmp(arg[0], "truncated")) {
		m = forged_truncated(&len);
		m.ip.tot_len = htons(len);
		ip_header(&m.ip, m.ip.saddr, m.ip.daddr, IPPROTO_ICMP, len);
	}
	for (i = 0; i < sizeof(forgeries) / sizeof(*forgeries); i++)
		if (!strcmp(arg[0], forgeries[i].reason))
			m = forgeries[i].make();
	if (!m.ip.version)
		die("no such reason: %s", arg[0]);
	for (n = 0; n <= BATCHES; n++) {
		begin = now();
		for (i = 0; i < count; i++)
			inject(&m, len);
		/* The first warms caches up. */
		if (n)
			say(arg[0], (double)(now() - begin) / count);
	}
}

/* ---- many sockets --------------------------------------------------------------- */

static void trigger(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s", file);
	close(fd);
}

/*
 * lookups COUNT TRIGGER: COUNT connections that have sent something; messages about
 * COUNT others through the same gateway; then each of the first sends. TRIGGER is
 * the file that has route look-ups counted.
 */
static void do_lookups(char **arg)
{
	unsigned int i, count = number(arg[0]);
	struct connection *idle = array(count, sizeof(*idle));
	__u64 begin;

	for (i = 0; i < count; i++) {
		idle[i] = tcp_connection(htonl(OTHERS + i), htons(80));
		tcp_send(&idle[i], 100);
	}
	learn("tcp", 0, count);
	trigger(arg[1], "hist:keys=iif");
	begin = now();
	for (i = 0; i < count; i++)
		tcp_send(&idle[i], 100);
	say("lookups", (double)(now() - begin) / count);
	trigger(arg[1], "hist:keys=iif:pause");
}

/* Connections to one destination, each with a segment in flight. */
static struct connection *open_many(unsigned int count, __u32 daddr)
{
	struct connection *c = array(count, sizeof(*c));
	unsigned int i;

	for (i = 0; i < count; i++) {
		c[i] = tcp_connection(daddr, htons(80));
		tcp_send(&c[i], PAYLOAD);
	}
	return c;
}

static void tell_one(const struct connection *c, __u16 mtu, const char *name)
{
	struct message m = about_tcp(c, mtu);
	__u64 begin = now();

	inject(&m, sizeof(m));
	say(name, now() - begin);
}

static void send_all(const struct connection *c, unsigned int count, const char *name)
{
	__u64 begin = now();
	unsigned int i;

	for (i = 0; i < count; i++)
		tcp_send(&c[i], PAYLOAD);
	say(name, (double)(now() - begin) / count);
}

/* follow COUNT: a message about one of COUNT connections to one destination, and
 * then the next segment of each of the others: the first that is heard of that
 * destination; and of another, for which there was a larger MTU from the beginning
 */
static void do_follow(char **arg)
{
	unsigned int count = number(arg[0]);
	struct connection *c;

	/* What is only done for the first of all. */
	learn("tcp", 100, 1);
	settle();
	c = open_many(count + 1, destination(1));
	tell_one(&c[0], LEARNED, "learn");
	send_all(c + 1, count, "learned");

	learn("tcp", 2, 1);
	c = open_many(count + 1, destination(2));
	tell_one(&c[0], LOWERED, "lower");
	send_all(c + 1, count, "lowered");
}

/* ---- memory, the listing --------------------------------------------------------- */

/* touch COUNT: a datagram to each of these, larger than its path takes */
static void do_touch(char **arg)
{
	unsigned int i, count = number(arg[0]);
	static char data[LEARNED];
	int fd = udp_socket();

	for (i = 0; i < count; i++) {
		struct sockaddr_in to = address(destination(i), htons(9));

		if (sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			die("sendto");
	}
}

/* list FILE: lines, and nanoseconds for each */
static void do_list(char **arg)
{
	static char buf[1 << 16];
	int fd = open(arg[0], O_RDONLY);
	unsigned long lines = 0;
	__u64 begin = now(), spent;
	ssize_t n, i;

	if (fd < 0)
		die("%s", arg[0]);
	spent = 0;
	for (;;) {
		begin = now();
		n = read(fd, buf, sizeof(buf));
		spent += now() - begin;
		if (n <= 0)
			break;
		for (i = 0; i < n; i++)
			lines += buf[i] == '\n';
	}
	say("lines", lines - 1);
	say("list", (double)spent / lines);
}

/* ---- main ------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int args;
	void (*run)(char **arg);
} commands[] = {
	{ "send", 2, do_send },
	{ "receive", 1, do_receive },
	{ "forward", 3, do_forward },
	{ "stream", 4, do_stream },
	{ "pin", 4, do_pin },
	{ "learn", 4, do_learn },
	{ "except", 2, do_except },
	{ "lower", 3, do_lower },
	{ "refuse", 2, do_refuse },
	{ "lookups", 2, do_lookups },
	{ "follow", 1, do_follow },
	{ "touch", 1, do_touch },
	{ "list", 1, do_list },
};

int main(int argc, char **argv)
{
	struct rlimit files = { .rlim_cur = 100000, .rlim_max = 100000 };
	size_t i;

	if (argc < 2)
		die("no command");
	setrlimit(RLIMIT_NOFILE, &files);
	tun = number(getenv("BENCH_TUN") ?: "-1");
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		if (argc - 2 < commands[i].args)
			die("%s: too few arguments", argv[1]);
		commands[i].run(argv + 2);
		return 0;
	}
	die("no such command: %s", argv[1]);
	return 1;
}
