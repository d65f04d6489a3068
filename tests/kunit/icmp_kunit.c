// SPDX-License-Identifier: GPL-2.0
/*
 * The parser alone, on packets made here. Each case starts from a message that
 * is accepted and changes one thing.
 */
#include "../../src/ipv4/icmp.c"
#include "../../src/claim.c"
#include "../../src/stats.c"

#define PACKET_SIZE	512
#include "packet_fixture.h"

/* Outer IP header, ICMP header, quoted IP header, 8 bytes of transport. */
#define OUTER		0
#define ICMP		20
#define INNER		28
#define TRANSPORT	48
#define VALID_LEN	56

#define SERVER		0x0a6601f8	/* 10.102.1.248 */
#define CLIENT		0x0a662d0c	/* 10.102.45.12 */
#define ROUTER		0x0a660101

static void put16(struct packet *p, unsigned int at, u16 value)
{
	p->bytes[at] = value >> 8;
	p->bytes[at + 1] = value;
}

static void put32(struct packet *p, unsigned int at, u32 value)
{
	put16(p, at, value >> 16);
	put16(p, at + 2, value);
}

/* Lengths and checksums as @p's bytes now are. */
static void seal(struct packet *p)
{
	unsigned int ihl = (p->bytes[OUTER] & 15) * 4;

	put16(p, OUTER + 2, p->len);
	put16(p, OUTER + 10, 0);
	*(__sum16 *)&p->bytes[OUTER + 10] = ip_fast_csum(p->bytes, ihl / 4);
	put16(p, ihl + 2, 0);
	*(__sum16 *)&p->bytes[ihl + 2] = ip_compute_csum(p->bytes + ihl, p->len - ihl);
}

/* KB 898060, frame 11. */
static void make_valid(struct packet *p)
{
	memset(p, 0, sizeof(*p));
	p->len = VALID_LEN;
	p->bytes[OUTER] = 0x45;
	p->bytes[OUTER + 8] = 255;
	p->bytes[OUTER + 9] = IPPROTO_ICMP;
	put32(p, OUTER + 12, ROUTER);
	put32(p, OUTER + 16, SERVER);
	p->bytes[ICMP] = ICMP_DEST_UNREACH;
	p->bytes[ICMP + 1] = ICMP_FRAG_NEEDED;
	put16(p, ICMP + 6, 320);
	p->bytes[INNER] = 0x45;
	p->bytes[INNER + 1] = 0x40;
	put16(p, INNER + 2, 373);
	put16(p, INNER + 4, 10838);
	put16(p, INNER + 6, IP_DF);
	p->bytes[INNER + 8] = 127;
	p->bytes[INNER + 9] = IPPROTO_TCP;
	put32(p, INNER + 12, SERVER);
	put32(p, INNER + 16, CLIENT);
	put16(p, TRANSPORT, 3389);
	put16(p, TRANSPORT + 2, 1083);
	put32(p, TRANSPORT + 4, 3814299455U);
	seal(p);
}

static enum hostroute_outcome parse_split(struct kunit *test,
					  const struct packet *p,
					  unsigned int linear,
					  struct hostroute_msg *msg)
{
	struct sk_buff *skb = make_skb(test, p, linear);
	enum hostroute_outcome outcome;

	outcome = hostroute_icmp_parse(skb, msg);
	kfree_skb(skb);
	return outcome;
}

static enum hostroute_outcome parse(struct kunit *test, const struct packet *p)
{
	struct hostroute_msg msg;

	return parse_split(test, p, p->len, &msg);
}

static void accepts_a_valid_message(struct kunit *test)
{
	struct hostroute_msg msg;
	struct packet p;

	make_valid(&p);
	KUNIT_ASSERT_EQ(test, parse_split(test, &p, p.len, &msg), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, msg.router.v4, cpu_to_be32(ROUTER));
	KUNIT_EXPECT_EQ(test, msg.saddr.v4, cpu_to_be32(SERVER));
	KUNIT_EXPECT_EQ(test, msg.daddr.v4, cpu_to_be32(CLIENT));
	KUNIT_EXPECT_EQ(test, msg.sport, cpu_to_be16(3389));
	KUNIT_EXPECT_EQ(test, msg.dport, cpu_to_be16(1083));
	KUNIT_EXPECT_EQ(test, msg.seq, 3814299455U);
	KUNIT_EXPECT_EQ(test, msg.mtu, 320);
	KUNIT_EXPECT_EQ(test, msg.quoted_len, 373);
	KUNIT_EXPECT_EQ(test, msg.quoted_ihl, 20);
	KUNIT_EXPECT_EQ(test, msg.tos, 0x40);
	KUNIT_EXPECT_EQ(test, msg.ttl, 127);
	KUNIT_EXPECT_EQ(test, msg.protocol, IPPROTO_TCP);
}

static void is_frag_needed_only(struct kunit *test)
{
	struct sk_buff *skb;
	struct packet p;
	int type, code;

	make_valid(&p);
	for (type = 0; type < 256; type++) {
		for (code = 3; code < 6; code++) {
			p.bytes[ICMP] = type;
			p.bytes[ICMP + 1] = code;
			seal(&p);
			skb = make_skb(test, &p, p.len);
			KUNIT_EXPECT_EQ(test, hostroute_icmp_is_frag_needed(skb),
					type == 3 && code == 4);
			kfree_skb(skb);
		}
	}
	make_valid(&p);
	p.bytes[OUTER + 9] = IPPROTO_UDP;
	skb = make_skb(test, &p, p.len);
	KUNIT_EXPECT_FALSE(test, hostroute_icmp_is_frag_needed(skb));
	kfree_skb(skb);
}

/* Cut after every byte, with its checksum right for what is left. */
static void refuses_every_truncation(struct kunit *test)
{
	struct packet p;
	unsigned int len;

	for (len = ICMP; len < VALID_LEN; len++) {
		make_valid(&p);
		p.len = len;
		if (len >= ICMP + 4)
			seal(&p);
		KUNIT_EXPECT_EQ_MSG(test, parse(test, &p), HOSTROUTE_IGNORED_TRUNCATED,
				    "cut to %u bytes", len);
	}
	make_valid(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
}

static void is_the_same_at_every_split(struct kunit *test)
{
	struct hostroute_msg msg, whole;
	unsigned int linear;
	struct packet p;

	make_valid(&p);
	KUNIT_ASSERT_EQ(test, parse_split(test, &p, p.len, &whole), HOSTROUTE_CONTINUE);
	/* ip_rcv() has made the outer IP header linear. */
	for (linear = ICMP; linear < VALID_LEN; linear++) {
		KUNIT_EXPECT_EQ(test, parse_split(test, &p, linear, &msg),
				HOSTROUTE_CONTINUE);
		KUNIT_EXPECT_EQ(test, msg.seq, whole.seq);
		KUNIT_EXPECT_EQ(test, msg.mtu, whole.mtu);
		KUNIT_EXPECT_EQ(test, msg.daddr.v4, whole.daddr.v4);
	}
}

struct mtu_case {
	u16 mtu;
	u16 quoted_len;
	enum hostroute_outcome outcome;
};

static const struct mtu_case mtu_params[] = {
	{ 0, 373, HOSTROUTE_CONTINUE },
	{ 1, 373, HOSTROUTE_IGNORED_MTU },
	{ 67, 373, HOSTROUTE_IGNORED_MTU },
	{ 68, 373, HOSTROUTE_CONTINUE },
	{ 319, 373, HOSTROUTE_CONTINUE },
	{ 320, 373, HOSTROUTE_CONTINUE },
	{ 372, 373, HOSTROUTE_CONTINUE },
	{ 373, 373, HOSTROUTE_IGNORED_FITS },
	{ 1500, 373, HOSTROUTE_IGNORED_FITS },
	{ 1500, 1501, HOSTROUTE_CONTINUE },
	{ 65535, 373, HOSTROUTE_IGNORED_FITS },
	{ 65535, 65535, HOSTROUTE_IGNORED_FITS },
	{ 65534, 65535, HOSTROUTE_CONTINUE },
};

static void mtu_desc(const struct mtu_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u_of_%u", c->mtu, c->quoted_len);
}

KUNIT_ARRAY_PARAM(mtu, mtu_params, mtu_desc);

static void judges_mtus(struct kunit *test)
{
	const struct mtu_case *c = test->param_value;
	struct hostroute_msg msg = {};
	struct packet p;

	make_valid(&p);
	put16(&p, ICMP + 6, c->mtu);
	put16(&p, INNER + 2, c->quoted_len);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse_split(test, &p, p.len, &msg), c->outcome);
	if (c->outcome == HOSTROUTE_CONTINUE)
		KUNIT_EXPECT_EQ(test, msg.mtu, c->mtu);
}

/* Options of each length: the transport is found behind them. */
static void steps_over_options(struct kunit *test)
{
	struct hostroute_msg msg = {};
	struct packet p;
	unsigned int n;

	for (n = 4; n <= 40; n += 4) {
		make_valid(&p);
		memmove(p.bytes + TRANSPORT + n, p.bytes + TRANSPORT, 8);
		memset(p.bytes + TRANSPORT, IPOPT_NOOP, n);
		p.bytes[INNER] = 0x45 + n / 4;
		p.len += n;
		seal(&p);
		KUNIT_EXPECT_EQ(test, parse_split(test, &p, p.len, &msg),
				HOSTROUTE_CONTINUE);
		KUNIT_EXPECT_EQ(test, msg.seq, 3814299455U);
		KUNIT_EXPECT_EQ(test, msg.quoted_ihl, 20 + n);
		/* The same header length with the bytes not there. */
		p.len -= n;
		seal(&p);
		KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_IGNORED_TRUNCATED);
	}
}

static void judges_options(struct kunit *test)
{
	static const struct {
		u8 options[8];
		enum hostroute_outcome outcome;
	} list[] = {
		{ { IPOPT_LSRR, 7, 4, 1, 2, 3, 4 }, HOSTROUTE_IGNORED_QUOTE },
		{ { IPOPT_SSRR, 7, 4, 1, 2, 3, 4 }, HOSTROUTE_IGNORED_QUOTE },
		{ { IPOPT_NOOP, IPOPT_LSRR, 7, 4, 1, 2, 3, 4 }, HOSTROUTE_IGNORED_QUOTE },
		{ { IPOPT_RR, 7, 4, 1, 2, 3, 4 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_END, IPOPT_LSRR, 7 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_END, 2, IPOPT_LSRR, 3, 4 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_RR, 2, IPOPT_LSRR, 3, 4 }, HOSTROUTE_IGNORED_QUOTE },
		/* Lengths that lead nowhere, or past the end. */
		{ { IPOPT_RR, 0 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_RR, 1 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_RR, 9 }, HOSTROUTE_CONTINUE },
		{ { IPOPT_RR, 255 }, HOSTROUTE_CONTINUE },
		{ { 1, 1, 1, 1, 1, 1, 1, IPOPT_RR }, HOSTROUTE_CONTINUE },
	};
	struct packet p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(list); i++) {
		make_valid(&p);
		memmove(p.bytes + TRANSPORT + 8, p.bytes + TRANSPORT, 8);
		memcpy(p.bytes + TRANSPORT, list[i].options, 8);
		p.bytes[INNER] = 0x47;
		p.len += 8;
		seal(&p);
		KUNIT_EXPECT_EQ_MSG(test, parse(test, &p), list[i].outcome,
				    "option list %zu", i);
	}
}

static void refuses_wrong_checksums(struct kunit *test)
{
	struct packet p;
	unsigned int at;

	/* One bit anywhere in the ICMP message, its checksum not made anew. */
	for (at = ICMP + 2; at < VALID_LEN; at++) {
		make_valid(&p);
		p.bytes[at] ^= 0x10;
		/* The quoted version and length are needed first. */
		KUNIT_EXPECT_EQ_MSG(test, parse(test, &p), at == INNER ?
				    HOSTROUTE_IGNORED_QUOTE :
				    HOSTROUTE_IGNORED_CHECKSUM, "byte %u", at);
	}
	make_valid(&p);
	put16(&p, ICMP + 2, 0);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_IGNORED_CHECKSUM);
	/* Bytes after the quote are covered too. */
	make_valid(&p);
	p.len += 10;
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
	p.bytes[VALID_LEN + 5] = 1;
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_IGNORED_CHECKSUM);
}

/* The quoted header's own is told, and not judged: see check_quote(). */
static void tells_a_wrong_quoted_checksum(struct kunit *test)
{
	struct hostroute_msg msg;
	struct packet p;

	make_valid(&p);
	put16(&p, INNER + 10, 0);
	*(__sum16 *)&p.bytes[INNER + 10] = ip_fast_csum(p.bytes + INNER, 5);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse_split(test, &p, p.len, &msg), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_FALSE(test, msg.bad_sum);
	p.bytes[INNER + 8]--;
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse_split(test, &p, p.len, &msg), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_TRUE(test, msg.bad_sum);
}

/* A valid quote of a UDP datagram, an Echo or something else, as long as the
 * valid TCP segment: 373 bytes.
 */
static void make_valid_of(struct packet *p, u8 protocol)
{
	make_valid(p);
	p->bytes[INNER + 9] = protocol;
	if (protocol == IPPROTO_UDP)
		put32(p, TRANSPORT + 4, (373 - 20) << 16 | 0xbeef);
	else if (protocol == IPPROTO_ICMP)
		put16(p, TRANSPORT, ICMP_ECHO << 8);
	seal(p);
}

struct change {
	const char *name;
	u8 protocol;
	unsigned int at;
	u16 value;
	enum hostroute_outcome outcome;
};

#define TCP	IPPROTO_TCP
#define UDP	IPPROTO_UDP
#define ECHO	IPPROTO_ICMP
#define SCTP	IPPROTO_SCTP

static const struct change change_params[] = {
	{ "version_0", TCP, INNER, 0x0540, HOSTROUTE_IGNORED_QUOTE },
	{ "version_5", TCP, INNER, 0x5540, HOSTROUTE_IGNORED_QUOTE },
	{ "version_6", TCP, INNER, 0x6540, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_0", TCP, INNER, 0x4040, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_4", TCP, INNER, 0x4440, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_6_not_there", TCP, INNER, 0x4640, HOSTROUTE_IGNORED_TRUNCATED },
	{ "ihl_15_not_there", TCP, INNER, 0x4f40, HOSTROUTE_IGNORED_TRUNCATED },
	{ "total_length_0", TCP, INNER + 2, 0, HOSTROUTE_IGNORED_QUOTE },
	{ "total_length_27", TCP, INNER + 2, 27, HOSTROUTE_IGNORED_QUOTE },
	{ "total_length_28", TCP, INNER + 2, 28, HOSTROUTE_IGNORED_FITS },
	{ "df_clear", TCP, INNER + 6, 0, HOSTROUTE_IGNORED_DF },
	{ "df_clear_rest_set", TCP, INNER + 6, (u16)~IP_DF & ~IP_OFFSET, HOSTROUTE_IGNORED_DF },
	{ "more_fragments", TCP, INNER + 6, IP_DF | IP_MF, HOSTROUTE_CONTINUE },
	{ "offset_1", TCP, INNER + 6, IP_DF | 1, HOSTROUTE_IGNORED_FRAGMENT },
	{ "offset_8191", TCP, INNER + 6, IP_DF | 8191, HOSTROUTE_IGNORED_FRAGMENT },
	{ "tos_and_id", TCP, INNER + 4, 0xffff, HOSTROUTE_CONTINUE },
	{ "outer_more_fragments", TCP, OUTER + 6, IP_MF, HOSTROUTE_IGNORED_OUTER },
	{ "outer_offset", TCP, OUTER + 6, 1, HOSTROUTE_IGNORED_OUTER },
	{ "outer_df", TCP, OUTER + 6, IP_DF, HOSTROUTE_CONTINUE },
	{ "not_from_us", TCP, INNER + 14, 0x0102, HOSTROUTE_IGNORED_OUTER },
	/* RFC 4884: length 32 words, none, and lengths that make no sense. */
	{ "rfc4884", TCP, ICMP + 4, 32, HOSTROUTE_CONTINUE },
	{ "rfc4884_31", TCP, ICMP + 4, 31, HOSTROUTE_CONTINUE },
	{ "rfc4884_255", TCP, ICMP + 4, 255, HOSTROUTE_CONTINUE },
	{ "unused_set", TCP, ICMP + 4, 0xff00, HOSTROUTE_CONTINUE },
	{ "quoted_checksum", TCP, INNER + 10, 0x1234, HOSTROUTE_CONTINUE },
	{ "udp", UDP, INNER + 4, 1, HOSTROUTE_CONTINUE },
	{ "udp_port_0", UDP, TRANSPORT + 2, 0, HOSTROUTE_IGNORED_QUOTE },
	{ "udp_port_1", UDP, TRANSPORT + 2, 1, HOSTROUTE_CONTINUE },
	{ "udp_from_port_0", UDP, TRANSPORT, 0, HOSTROUTE_CONTINUE },
	{ "udp_length_0", UDP, TRANSPORT + 4, 0, HOSTROUTE_IGNORED_QUOTE },
	{ "udp_length_7", UDP, TRANSPORT + 4, 7, HOSTROUTE_IGNORED_QUOTE },
	{ "udp_length_8", UDP, TRANSPORT + 4, 8, HOSTROUTE_CONTINUE },
	{ "udp_length_353", UDP, TRANSPORT + 4, 353, HOSTROUTE_CONTINUE },
	{ "udp_length_354", UDP, TRANSPORT + 4, 354, HOSTROUTE_IGNORED_QUOTE },
	{ "udp_df_clear", UDP, INNER + 6, 0, HOSTROUTE_IGNORED_DF },
	{ "echo", ECHO, INNER + 4, 1, HOSTROUTE_CONTINUE },
	{ "echo_reply", ECHO, TRANSPORT, ICMP_ECHOREPLY << 8, HOSTROUTE_IGNORED_ICMP },
	{ "unreachable", ECHO, TRANSPORT, ICMP_DEST_UNREACH << 8, HOSTROUTE_IGNORED_ICMP },
	{ "sctp", SCTP, INNER + 4, 1, HOSTROUTE_CONTINUE },
	{ "sctp_df_clear", SCTP, INNER + 6, 0, HOSTROUTE_IGNORED_DF },
	{ "sctp_offset_1", SCTP, INNER + 6, IP_DF | 1, HOSTROUTE_IGNORED_FRAGMENT },
	{ "sctp_mtu_67", SCTP, ICMP + 6, 67, HOSTROUTE_IGNORED_MTU },
	{ "sctp_fits", SCTP, ICMP + 6, 373, HOSTROUTE_IGNORED_FITS },
	{ "sctp_not_from_us", SCTP, INNER + 14, 0x0102, HOSTROUTE_IGNORED_OUTER },
};

static void change_desc(const struct change *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(change, change_params, change_desc);

static void judges_the_quote(struct kunit *test)
{
	const struct change *c = test->param_value;
	struct packet p;

	make_valid_of(&p, c->protocol);
	KUNIT_ASSERT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
	put16(&p, c->at, c->value);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), c->outcome);
}

/* A fragment's UDP length is that of the whole datagram. */
static void judges_the_first_fragment_of_a_datagram(struct kunit *test)
{
	struct packet p;

	make_valid_of(&p, IPPROTO_UDP);
	put16(&p, INNER + 6, IP_DF | IP_MF);
	put16(&p, TRANSPORT + 4, 2008);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
	put16(&p, TRANSPORT + 4, 7);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_IGNORED_QUOTE);
}

/* Of ICMP, only what this host begins. */
static void knows_an_echo(struct kunit *test)
{
	struct hostroute_msg msg;
	struct packet p;
	int type;

	make_valid_of(&p, IPPROTO_ICMP);
	for (type = 0; type < 256; type++) {
		p.bytes[TRANSPORT] = type;
		seal(&p);
		KUNIT_EXPECT_EQ_MSG(test, parse(test, &p), type == ICMP_ECHO ?
				    HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_ICMP,
				    "type %d", type);
	}
	p.bytes[TRANSPORT] = ICMP_ECHO;
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse_split(test, &p, p.len, &msg), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, msg.protocol, IPPROTO_ICMP);
}

/* Which of the addresses of a message are on which list. */
struct address {
	u32 address;
	bool unicast;
};

static const struct address address_params[] = {
	{ 0x00000000, false }, { 0x00000001, false }, { 0x00ffffff, false },
	{ 0x01000000, true }, { 0x0a662d0c, true }, { 0x7effffff, true },
	{ 0x7f000000, false }, { 0x7f000001, false }, { 0x7fffffff, false },
	{ 0x80000000, true }, { 0xa9fe0001, true }, { 0xc0000201, true },
	{ 0xdfffffff, true }, { 0xe0000000, false }, { 0xe0000001, false },
	{ 0xef010203, false }, { 0xefffffff, false }, { 0xf0000000, false },
	{ 0xf0000001, false }, { 0xfffffffe, false }, { 0xffffffff, false },
};

static void address_desc(const struct address *a, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%08x", a->address);
}

KUNIT_ARRAY_PARAM(address, address_params, address_desc);

static void judges_addresses(struct kunit *test)
{
	static const u8 protocols[] = { TCP, UDP, ECHO, SCTP };
	const struct address *a = test->param_value;
	enum hostroute_outcome wanted;
	struct packet p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(protocols); i++) {
		make_valid_of(&p, protocols[i]);
		put32(&p, INNER + 16, a->address);
		seal(&p);
		wanted = a->unicast ? HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_DESTINATION;
		KUNIT_EXPECT_EQ(test, parse(test, &p), wanted);

		make_valid_of(&p, protocols[i]);
		put32(&p, OUTER + 16, a->address);
		put32(&p, INNER + 12, a->address);
		seal(&p);
		wanted = a->unicast ? HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_SOURCE;
		KUNIT_EXPECT_EQ(test, parse(test, &p), wanted);

		make_valid_of(&p, protocols[i]);
		put32(&p, OUTER + 12, a->address);
		seal(&p);
		wanted = a->unicast ? HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_ROUTER;
		KUNIT_EXPECT_EQ(test, parse(test, &p), wanted);
	}
	/* The destination of one's own message is a router like any other. */
	make_valid(&p);
	put32(&p, OUTER + 12, CLIENT);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
}

/* On lo this host talks to itself, and BIG TCP's segments have no length. */
static void lets_lo_differ(struct kunit *test)
{
	struct net_device *devs = kunit_kzalloc(test, 2 * sizeof(*devs), GFP_KERNEL);
	struct hostroute_msg msg;
	struct sk_buff *skb;
	struct packet p;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, devs);
	devs[0].flags = IFF_UP;
	devs[1].flags = IFF_UP | IFF_LOOPBACK;
	for (i = 0; i < 2; i++) {
		make_valid(&p);
		put32(&p, OUTER + 12, 0x7f000001);
		seal(&p);
		skb = make_skb(test, &p, p.len);
		skb->dev = &devs[i];
		KUNIT_EXPECT_EQ(test, hostroute_icmp_parse(skb, &msg),
				i ? HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_ROUTER);
		skb->dev = NULL;
		kfree_skb(skb);

		make_valid_of(&p, IPPROTO_UDP);
		put16(&p, INNER + 2, 0);
		put16(&p, TRANSPORT + 4, 1);
		seal(&p);
		skb = make_skb(test, &p, p.len);
		skb->dev = &devs[i];
		KUNIT_EXPECT_EQ(test, hostroute_icmp_parse(skb, &msg),
				i ? HOSTROUTE_CONTINUE : HOSTROUTE_IGNORED_QUOTE);
		skb->dev = NULL;
		kfree_skb(skb);
	}
}

static void refuses_what_was_not_sent_to_us(struct kunit *test)
{
	static const u8 types[] = {
		PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST,
	};
	struct hostroute_msg msg;
	struct sk_buff *skb;
	struct packet p;
	size_t i;

	make_valid(&p);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		skb = make_skb(test, &p, p.len);
		skb->pkt_type = types[i];
		KUNIT_EXPECT_EQ(test, hostroute_icmp_parse(skb, &msg),
				HOSTROUTE_IGNORED_OUTER);
		kfree_skb(skb);
	}
}

/* RFC 1191 5 and 7.1 */
struct plateau_case {
	u16 quoted_len;
	u32 estimate;
	u32 mtu;
};

static const struct plateau_case plateau_params[] = {
	{ 1500, 4352, 1492 },
	{ 1500, 1500, 1006 },
	{ 1492, 1500, 1006 },
	{ 576, 1500, 508 },
	{ 296, 1500, 68 },
	{ 68, 1500, 68 },
	{ 28, 1500, 68 },
	{ 65535, 65535, 32000 },
	{ 0, 1500, 1492 },
};

static void plateau_desc(const struct plateau_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u_at_%u", c->quoted_len, c->estimate);
}

KUNIT_ARRAY_PARAM(plateau, plateau_params, plateau_desc);

static void guesses_plateaus(struct kunit *test)
{
	const struct plateau_case *c = test->param_value;
	struct hostroute_msg msg = {
		.quoted_len = c->quoted_len,
		.quoted_ihl = 20,
	};

	KUNIT_EXPECT_EQ(test, hostroute_claim_plateau(&msg, c->estimate), c->mtu);
}

/* ---- the rules once more, and messages nobody thought of ------------------------- */

/*
 * An independent, naive reading of the rules, on bytes in a row: nothing of it
 * is the parser's. A message and how it came in:
 */
#define FUZZ_LEN	160U

struct sample {
	u8 bytes[FUZZ_LEN];
	unsigned int len;
	u8 pkt_type;
	bool on_lo;
};

static u32 number(const u8 *at, int bytes)
{
	u32 value = 0;

	while (bytes--)
		value = value << 8 | *at++;
	return value;
}

static bool sums_up(const u8 *at, unsigned int len)
{
	u32 sum = 0;
	unsigned int i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? at[i] : at[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static bool nobody(const u8 *address)
{
	return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

/* Option by option; 131 is LSRR, 137 SSRR. */
static bool routed_by_source(const u8 *options, int len)
{
	int i = 0;

	while (i < len && options[i] != 0) {
		if (options[i] == 131 || options[i] == 137)
			return true;
		if (options[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len || options[i + 1] < 2)
			return false;
		i += options[i + 1];
		if (i > len)
			return false;
	}
	return false;
}

static enum hostroute_outcome naive(const struct sample *s)
{
	const u8 *outer = s->bytes, *icmp = outer + (outer[0] % 16) * 4;
	const u8 *quote = icmp + 8, *transport;
	unsigned int have = s->len - (icmp - outer);
	unsigned int header, total, mtu, udp_len;

	if (have < 8 + 20 + 8)
		return HOSTROUTE_IGNORED_TRUNCATED;
	header = (quote[0] % 16) * 4;
	if (quote[0] / 16 != 4 || header < 20)
		return HOSTROUTE_IGNORED_QUOTE;
	if (have < 8 + header + 8)
		return HOSTROUTE_IGNORED_TRUNCATED;
	transport = quote + header;
	total = number(quote + 2, 2);
	mtu = number(icmp + 6, 2);

	if (s->pkt_type != PACKET_HOST || number(outer + 6, 2) & 0x3fff)
		return HOSTROUTE_IGNORED_OUTER;
	if (!s->on_lo && nobody(outer + 12))
		return HOSTROUTE_IGNORED_ROUTER;
	if (!sums_up(icmp, have))
		return HOSTROUTE_IGNORED_CHECKSUM;
	if (number(quote + 12, 4) != number(outer + 16, 4))
		return HOSTROUTE_IGNORED_OUTER;
	if (nobody(quote + 12))
		return HOSTROUTE_IGNORED_SOURCE;
	if (nobody(quote + 16))
		return HOSTROUTE_IGNORED_DESTINATION;
	if (total == 0 ? !s->on_lo : total < header + 8)
		return HOSTROUTE_IGNORED_QUOTE;
	if (number(quote + 6, 2) & 0x1fff)
		return HOSTROUTE_IGNORED_FRAGMENT;
	if (!(quote[6] & 0x40))
		return HOSTROUTE_IGNORED_DF;
	if (routed_by_source(quote + 20, header - 20))
		return HOSTROUTE_IGNORED_QUOTE;
	if (mtu >= 1 && mtu <= 67)
		return HOSTROUTE_IGNORED_MTU;
	if (mtu >= 1 && total >= 1 && total <= mtu)
		return HOSTROUTE_IGNORED_FITS;
	if (quote[9] == 1 && transport[0] != 8)
		return HOSTROUTE_IGNORED_ICMP;
	if (quote[9] == 17) {
		udp_len = number(transport + 4, 2);
		if (number(transport + 2, 2) == 0)
			return HOSTROUTE_IGNORED_QUOTE;
		if (total && udp_len < 8)
			return HOSTROUTE_IGNORED_QUOTE;
		if (total && !(quote[6] & 0x20) && udp_len > total - header)
			return HOSTROUTE_IGNORED_QUOTE;
	}
	return HOSTROUTE_CONTINUE;
}

static bool same_message(const struct sample *s, const struct hostroute_msg *msg)
{
	const u8 *outer = s->bytes, *icmp = outer + (outer[0] % 16) * 4;
	const u8 *quote = icmp + 8, *transport = quote + (quote[0] % 16) * 4;

	return be32_to_cpu(msg->router.v4) == number(outer + 12, 4) &&
	       be32_to_cpu(msg->saddr.v4) == number(quote + 12, 4) &&
	       be32_to_cpu(msg->daddr.v4) == number(quote + 16, 4) &&
	       be16_to_cpu(msg->sport) == number(transport, 2) &&
	       be16_to_cpu(msg->dport) == number(transport + 2, 2) &&
	       msg->seq == number(transport + 4, 4) &&
	       msg->mtu == number(icmp + 6, 2) &&
	       msg->quoted_len == number(quote + 2, 2) &&
	       msg->quoted_ihl == transport - quote &&
	       msg->tos == quote[1] && msg->ttl == quote[8] &&
	       msg->protocol == quote[9] &&
	       msg->bad_sum == !sums_up(quote, transport - quote);
}

/*
 * Packets that end where their memory ends, for KASAN to see a read past it,
 * and that cost no allocation each: a buffer of each length, an skb without a
 * head of its own to put before them, and an skb with a head of each length.
 */
#define SPLITS	61U		/* after the outer header */

struct bench {
	u8 *buffers[FUZZ_LEN + 1];
	struct sk_buff linear;
	struct sk_buff *paged[SPLITS];
	struct net_device devs[2];
	u64 random;
};

static void free_paged(void *data)
{
	struct bench *b = data;
	size_t i;

	for (i = 0; i < SPLITS; i++)
		kfree_skb(b->paged[i]);
}

static struct bench *make_bench(struct kunit *test, u64 seed)
{
	struct bench *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	size_t i;

	KUNIT_ASSERT_NOT_NULL(test, b);
	for (i = 1; i <= FUZZ_LEN; i++) {
		b->buffers[i] = kunit_kmalloc(test, i, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, b->buffers[i]);
	}
	refcount_set(&b->linear.users, 1);
	b->devs[0].flags = IFF_UP;
	b->devs[1].flags = IFF_UP | IFF_LOOPBACK;
	b->random = seed * 0x9e3779b97f4a7c15ULL | 1;
	return b;
}

static struct bench *make_paged_bench(struct kunit *test, u64 seed)
{
	struct bench *b = make_bench(test, seed);
	size_t i;

	for (i = 0; i < SPLITS; i++) {
		b->paged[i] = alloc_skb(ICMP + i, GFP_KERNEL);
		if (!b->paged[i])
			break;
		skb_put(b->paged[i], ICMP + i);
		skb_reset_network_header(b->paged[i]);
	}
	if (i < SPLITS)
		free_paged(b);
	KUNIT_ASSERT_EQ(test, i, SPLITS);
	return b;
}

static void prepare(struct bench *b, struct sk_buff *skb, const struct sample *s)
{
	skb->ip_summed = CHECKSUM_NONE;
	skb->csum_complete_sw = 0;
	skb->csum_valid = 0;
	skb->pkt_type = s->pkt_type;
	skb->dev = &b->devs[s->on_lo];
}

static noinline_for_stack enum hostroute_outcome
look(struct sk_buff *skb, struct hostroute_msg *msg)
{
	memset(msg, 0xa5, sizeof(*msg));
	if (!hostroute_icmp_is_frag_needed(skb))
		return HOSTROUTE_OUTCOME_COUNT + 1;
	return hostroute_icmp_parse(skb, msg);
}

static enum hostroute_outcome parse_linear(struct bench *b, const struct sample *s,
					   struct hostroute_msg *msg)
{
	struct sk_buff *skb = &b->linear;

	memcpy(b->buffers[s->len], s->bytes, s->len);
	skb->head = b->buffers[s->len];
	skb->data = skb->head;
	skb_reset_tail_pointer(skb);
	skb_reset_network_header(skb);
	skb->tail += s->len;
	skb->end = skb->tail;
	skb->len = s->len;
	prepare(b, skb, s);
	return look(skb, msg);
}

/* @split bytes after an outer header of 20 are in the head. */
static enum hostroute_outcome parse_paged(struct bench *b, const struct sample *s,
					  unsigned int split,
					  struct hostroute_msg *msg)
{
	unsigned int linear = ICMP + split, rest = s->len - linear;
	struct sk_buff *skb = b->paged[split];
	enum hostroute_outcome outcome;

	memcpy(skb->data, s->bytes, linear);
	memcpy(b->buffers[rest], s->bytes + linear, rest);
	skb_fill_page_desc(skb, 0, virt_to_page(b->buffers[rest]),
			   offset_in_page(b->buffers[rest]), rest);
	skb->len = s->len;
	skb->data_len = rest;
	prepare(b, skb, s);
	outcome = look(skb, msg);
	/* The memory is not the skb's to free. */
	skb_shinfo(skb)->nr_frags = 0;
	skb->len = linear;
	skb->data_len = 0;
	return outcome;
}

/* @skb, made of @s, stays while its clone is looked at. */
static noinline_for_stack enum hostroute_outcome
parse_clone(struct kunit *test, struct bench *b, struct sk_buff *skb,
	    const struct sample *s, struct hostroute_msg *msg)
{
	struct sk_buff *clone = skb_clone(skb, GFP_KERNEL);
	enum hostroute_outcome outcome;

	KUNIT_ASSERT_NOT_NULL(test, clone);
	KUNIT_EXPECT_TRUE(test, skb_cloned(clone));
	prepare(b, clone, s);
	outcome = look(clone, msg);
	kfree_skb(clone);
	kfree_skb(skb);
	return outcome;
}

static u32 draw(struct bench *b, u32 below)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (u32)(b->random >> 32) % below;
}

static void write_number(u8 *at, int bytes, u32 value)
{
	while (bytes--) {
		at[bytes] = value;
		value >>= 8;
	}
}

static void seal_sample(struct sample *s)
{
	unsigned int ihl = (s->bytes[0] & 15) * 4;
	u8 *icmp = s->bytes + ihl;

	write_number(s->bytes + 2, 2, s->len);
	write_number(s->bytes + 10, 2, 0);
	*(__sum16 *)(s->bytes + 10) = ip_fast_csum(s->bytes, ihl / 4);
	if (s->len < ihl + 4)
		return;
	write_number(icmp + 2, 2, 0);
	*(__sum16 *)(icmp + 2) = ip_compute_csum(icmp, s->len - ihl);
}

/* Valid messages of each kind to begin from. */
static const u8 fuzz_protocols[] = {
	TCP, UDP, ECHO, TCP, UDP, ECHO, SCTP, IPPROTO_ESP, IPPROTO_GRE, 255,
};

#define SEEDS	(ARRAY_SIZE(fuzz_protocols) * 3)

/* Kind 1 has options in both headers, kind 2 what RFC 4884 appends. */
static void make_seed(struct sample *s, unsigned int number)
{
	unsigned int kind = number / ARRAY_SIZE(fuzz_protocols);
	u8 protocol = fuzz_protocols[number % ARRAY_SIZE(fuzz_protocols)];
	unsigned int outer = 0;
	struct packet p;

	make_valid_of(&p, protocol);
	memset(s, 0, sizeof(*s));
	if (kind == 1) {
		outer = 4;
		memcpy(s->bytes, p.bytes, ICMP);
		memset(s->bytes + ICMP, IPOPT_NOOP, outer);
		memcpy(s->bytes + ICMP + outer, p.bytes + ICMP, TRANSPORT - ICMP);
		memcpy(s->bytes + TRANSPORT + outer, "\x07\x07\x04\x00\x00\x00\x00", 8);
		memcpy(s->bytes + TRANSPORT + outer + 8, p.bytes + TRANSPORT, 8);
		s->bytes[OUTER]++;
		s->bytes[INNER + outer] += 2;
		if (protocol == UDP)
			write_number(s->bytes + TRANSPORT + outer + 12, 2, 345);
		s->len = VALID_LEN + outer + 8;
	} else {
		memcpy(s->bytes, p.bytes, p.len);
		s->len = p.len;
	}
	if (kind == 2) {
		s->bytes[ICMP + 5] = 128 / 4;
		s->len = INNER + 128 + 4;
		s->bytes[INNER + 128] = 0x20;
	}
	s->pkt_type = PACKET_HOST;
	*(__sum16 *)(s->bytes + INNER + outer + 10) =
		ip_fast_csum(s->bytes + INNER + outer, kind == 1 ? 7 : 5);
	seal_sample(s);
}

enum base { AT_OUTER, AT_ICMP, AT_INNER, AT_TRANSPORT };

static const struct field {
	enum base base;
	u8 offset, bytes;
	u32 values[8];
} fields[] = {
	{ AT_OUTER, 6, 2, { 0x4000, 0x2000, 1, 0x8000, 0x1fff } },
	{ AT_OUTER, 12, 4, { 0x7f000001, 0xe0000005, ~0U, SERVER, CLIENT, 1, 0xf0000001 } },
	{ AT_OUTER, 16, 4, { 0x7f000001, 0xe0000005, ~0U, CLIENT, 1, SERVER + 1 } },
	{ AT_ICMP, 0, 1, { 3, 4, 11, 8 } },
	{ AT_ICMP, 1, 1, { 4, 0x14, 3, 5 } },
	{ AT_ICMP, 5, 1, { 32, 31, 33, 255, 1 } },
	{ AT_ICMP, 6, 2, { 1, 67, 68, 69, 372, 373, 374, 65535 } },
	{ AT_ICMP, 6, 2, { 1, 66, 67, 2, 30, 60 } },
	{ AT_INNER, 0, 1, { 0x45, 0x44, 0x46, 0x4f, 0x65, 0x05, 0x40, 0x4e } },
	{ AT_INNER, 1, 1, { 1, 0xff } },
	{ AT_INNER, 2, 2, { 27, 28, 29, 36, 320, 321, 319, 65535 } },
	{ AT_INNER, 2, 2, { 0, 20, 8 } },
	{ AT_INNER, 6, 2, { 0x4000, 0x6000, 0x2000, 0x4001, 0x5fff, 0xc000, 0x8000 } },
	{ AT_INNER, 8, 1, { 1, 255 } },
	{ AT_INNER, 9, 1, { 1, 17, 6, 47, 50, 51, 132, 255 } },
	{ AT_INNER, 10, 2, { 1, 0xffff } },
	{ AT_INNER, 12, 4, { 0x7f000001, 0xe0000005, ~0U, CLIENT, 1, SERVER + 1 } },
	{ AT_INNER, 16, 4, { 0x7f000001, 0xe0000005, ~0U, SERVER, 1, 0xf0000001, 0x00ffffff } },
	{ AT_INNER, 20, 1, { 131, 137, 7, 1, 68, 255, 0, 0 } },
	{ AT_INNER, 21, 1, { 1, 2, 2, 7, 8, 9, 255 } },
	{ AT_INNER, 22, 1, { 131, 137 } },
	{ AT_TRANSPORT, 0, 1, { 8, 3, 11, 255 } },
	{ AT_TRANSPORT, 2, 2, { 0, 1, 65535 } },
	{ AT_TRANSPORT, 4, 2, { 7, 8, 9, 344, 345, 353, 354, 65535 } },
	{ AT_TRANSPORT, 4, 4, { 1, ~0U } },
};

static u8 *base_of(struct sample *s, enum base base)
{
	u8 *icmp = s->bytes + (s->bytes[0] & 15) * 4;

	switch (base) {
	case AT_OUTER:
		return s->bytes;
	case AT_ICMP:
		return icmp;
	case AT_INNER:
		return icmp + 8;
	default:
		return icmp + 8 + (icmp[8] & 15) * 4;
	}
}

static void mutate_field(struct bench *b, struct sample *s)
{
	const struct field *f = &fields[draw(b, ARRAY_SIZE(fields))];
	u8 *at = base_of(s, f->base) + f->offset;
	u32 value = number(at, f->bytes);

	switch (draw(b, 4)) {
	case 0:
		value = draw(b, U32_MAX);
		break;
	case 1:
		value += draw(b, 2) ? 1 : -1;
		break;
	default:
		value = f->values[draw(b, ARRAY_SIZE(f->values))];
	}
	write_number(at, f->bytes, value);
	/* Both addresses that must be one, else nothing beyond is reached. */
	if (f->base == AT_INNER && f->offset == 12 && draw(b, 4))
		write_number(s->bytes + 16, 4, value);
}

static void mutate(struct bench *b, struct sample *s)
{
	unsigned int outer = (s->bytes[0] & 15) * 4, len;

	switch (draw(b, 16)) {
	case 0:
		s->len = outer + draw(b, s->len - outer + 1);
		break;
	case 1:
		len = s->len + draw(b, FUZZ_LEN - s->len + 1);
		while (s->len < len)
			s->bytes[s->len++] = draw(b, 256);
		break;
	case 2:
		s->pkt_type = draw(b, 8);
		break;
	case 3:
		s->on_lo = !s->on_lo;
		break;
	default:
		mutate_field(b, s);
	}
}

static void make_random(struct bench *b, struct sample *s)
{
	unsigned int i;

	make_seed(s, 0);
	s->len = ICMP + 8 + draw(b, FUZZ_LEN - ICMP - 8 + 1);
	for (i = ICMP + 4; i < s->len; i++)
		s->bytes[i] = draw(b, 256);
	if (draw(b, 2)) {
		s->bytes[INNER] = 0x40 | draw(b, 16);
		memcpy(s->bytes + INNER + 12, s->bytes + 16, 4);
	}
	seal_sample(s);
}

static void make_sample(struct bench *b, const struct sample *seeds, struct sample *s)
{
	unsigned int changes = 1 + draw(b, 3);

	if (!draw(b, 8)) {
		make_random(b, s);
		return;
	}
	*s = seeds[draw(b, SEEDS)];
	while (changes--)
		mutate(b, s);
	seal_sample(s);
	if (!draw(b, 16))
		s->bytes[(s->bytes[0] & 15) * 4 + draw(b, 8)] ^= 1 << draw(b, 8);
}

static enum hostroute_outcome wanted_of(const struct sample *s)
{
	const u8 *icmp = s->bytes + (s->bytes[0] & 15) * 4;

	if (icmp + 2 > s->bytes + s->len || icmp[0] != 3 || icmp[1] != 4)
		return HOSTROUTE_OUTCOME_COUNT + 1;
	return naive(s);
}

static bool agrees(const struct sample *s, enum hostroute_outcome outcome,
		   const struct hostroute_msg *msg)
{
	if (outcome != wanted_of(s))
		return false;
	if (outcome == HOSTROUTE_CONTINUE)
		return same_message(s, msg);
	/* What the packet alone is refused for, nobody else is to see. */
	return outcome > HOSTROUTE_OUTCOME_COUNT ||
	       hostroute_stats_verdict(outcome) == NF_DROP;
}

static void disagree(struct kunit *test, const struct sample *s,
		     enum hostroute_outcome outcome, const char *how)
{
	KUNIT_FAIL(test, "%s: outcome %d, wanted %d; type %u, lo %d: %*ph", how, outcome,
		   wanted_of(s), s->pkt_type, s->on_lo, min(s->len, 64U), s->bytes);
}

/* Every one of these has to come up, or the messages are not worth their name. */
static const enum hostroute_outcome reasons[] = {
	HOSTROUTE_CONTINUE, HOSTROUTE_IGNORED_TRUNCATED,
	HOSTROUTE_IGNORED_CHECKSUM, HOSTROUTE_IGNORED_OUTER,
	HOSTROUTE_IGNORED_ROUTER, HOSTROUTE_IGNORED_QUOTE,
	HOSTROUTE_IGNORED_SOURCE, HOSTROUTE_IGNORED_DESTINATION,
	HOSTROUTE_IGNORED_ICMP, HOSTROUTE_IGNORED_FRAGMENT,
	HOSTROUTE_IGNORED_DF, HOSTROUTE_IGNORED_FITS, HOSTROUTE_IGNORED_MTU,
};

#define FUZZ_TOTAL	1000000U
#define FUZZ_CHUNKS	20U

static const unsigned int chunk_params[FUZZ_CHUNKS] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
};

static void chunk_desc(const unsigned int *chunk, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "seed_%u", *chunk);
}

KUNIT_ARRAY_PARAM(chunk, chunk_params, chunk_desc);

static void agrees_with_the_rules_about_anything(struct kunit *test)
{
	struct bench *b = make_bench(test, *(const unsigned int *)test->param_value);
	struct sample *seeds = kunit_kcalloc(test, SEEDS, sizeof(*seeds), GFP_KERNEL);
	u32 *seen = kunit_kcalloc(test, HOSTROUTE_OUTCOME_COUNT + 2, sizeof(*seen), GFP_KERNEL);
	enum hostroute_outcome outcome;
	struct hostroute_msg msg;
	struct sample *s;
	unsigned int i;

	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, seeds && seen && s);
	for (i = 0; i < SEEDS; i++)
		make_seed(&seeds[i], i);
	for (i = 0; i < FUZZ_TOTAL / FUZZ_CHUNKS; i++) {
		make_sample(b, seeds, s);
		outcome = parse_linear(b, s, &msg);
		seen[outcome]++;
		if (!agrees(s, outcome, &msg)) {
			disagree(test, s, outcome, "linear");
			return;
		}
		if (i % 256 == 0)
			cond_resched();
	}
	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		KUNIT_EXPECT_GE_MSG(test, seen[reasons[i]], 100U, "outcome %d", reasons[i]);
}

/* The same in pages: at every split, and a clone of each. */
static void is_the_same_in_pages(struct kunit *test)
{
	struct bench *b = make_paged_bench(test, 4711);
	enum hostroute_outcome outcome;
	struct hostroute_msg msg;
	struct sample *s, *seeds;
	unsigned int i, split;
	struct packet p;
	u32 paged = 0;

	seeds = kunit_kcalloc(test, SEEDS, sizeof(*seeds), GFP_KERNEL);
	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	if (!seeds || !s) {
		free_paged(b);
		KUNIT_FAIL(test, "no memory");
		return;
	}
	for (i = 0; i < SEEDS; i++)
		make_seed(&seeds[i], i);
	for (i = 0; i < 3000; i++) {
		if (i < SEEDS)
			*s = seeds[i];
		else
			make_sample(b, seeds, s);
		for (split = 0; split < SPLITS; split++) {
			/* ip_rcv() has made the outer header linear. */
			if (ICMP + split < (s->bytes[0] & 15U) * 4 || ICMP + split >= s->len)
				continue;
			paged++;
			outcome = parse_paged(b, s, split, &msg);
			if (!agrees(s, outcome, &msg)) {
				disagree(test, s, outcome, "paged");
				goto out;
			}
			if (i % 32)
				continue;
			memcpy(p.bytes, s->bytes, s->len);
			p.len = s->len;
			outcome = parse_clone(test, b, make_skb(test, &p, ICMP + split), s, &msg);
			if (!agrees(s, outcome, &msg)) {
				disagree(test, s, outcome, "cloned");
				goto out;
			}
		}
		cond_resched();
	}
	KUNIT_EXPECT_GE(test, paged, 100000U);
out:
	free_paged(b);
}

/* Case 66: every protocol number, with anything behind it. */
static void judges_every_protocol(struct kunit *test)
{
	struct bench *b = make_bench(test, 66);
	enum hostroute_outcome outcome;
	struct hostroute_msg msg;
	unsigned int accepted;
	int protocol, i, n;
	struct sample s;

	for (protocol = 0; protocol < 256; protocol++) {
		accepted = 0;
		for (n = 0; n < 40; n++) {
			make_seed(&s, 0);
			s.bytes[INNER + 9] = protocol;
			for (i = 0; i < 8; i++)
				s.bytes[TRANSPORT + i] = draw(b, 256);
			seal_sample(&s);
			outcome = parse_linear(b, &s, &msg);
			if (!agrees(&s, outcome, &msg)) {
				disagree(test, &s, outcome, "protocol");
				return;
			}
			accepted += outcome == HOSTROUTE_CONTINUE;
		}
		if (protocol != IPPROTO_UDP && protocol != IPPROTO_ICMP)
			KUNIT_EXPECT_EQ(test, accepted, 40U);
		else
			KUNIT_EXPECT_LT(test, accepted, 40U);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(accepts_a_valid_message),
	KUNIT_CASE(is_frag_needed_only),
	KUNIT_CASE(refuses_every_truncation),
	KUNIT_CASE(is_the_same_at_every_split),
	KUNIT_CASE_PARAM(judges_mtus, mtu_gen_params),
	KUNIT_CASE(steps_over_options),
	KUNIT_CASE(judges_options),
	KUNIT_CASE(refuses_wrong_checksums),
	KUNIT_CASE(tells_a_wrong_quoted_checksum),
	KUNIT_CASE_PARAM(judges_the_quote, change_gen_params),
	KUNIT_CASE(judges_the_first_fragment_of_a_datagram),
	KUNIT_CASE(knows_an_echo),
	KUNIT_CASE_PARAM(judges_addresses, address_gen_params),
	KUNIT_CASE(lets_lo_differ),
	KUNIT_CASE(refuses_what_was_not_sent_to_us),
	KUNIT_CASE_PARAM(guesses_plateaus, plateau_gen_params),
	KUNIT_CASE(judges_every_protocol),
	KUNIT_CASE(is_the_same_in_pages),
	KUNIT_CASE_PARAM(agrees_with_the_rules_about_anything, chunk_gen_params),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_icmp",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pmtu_hostroute's parser");
MODULE_LICENSE("GPL");
