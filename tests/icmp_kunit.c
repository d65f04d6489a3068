// SPDX-License-Identifier: GPL-2.0
/*
 * The parser alone, on packets made here. Each case starts from a message that
 * is accepted and changes one thing.
 */
#include "../src/icmp.c"

#include <kunit/test.h>

/* Outer IP header, ICMP header, quoted IP header, 8 bytes of transport. */
#define OUTER		0
#define ICMP		20
#define INNER		28
#define TRANSPORT	48
#define VALID_LEN	56

#define SERVER		0x0a6601f8	/* 10.102.1.248 */
#define CLIENT		0x0a662d0c	/* 10.102.45.12 */
#define ROUTER		0x0a660101

struct packet {
	u8 bytes[512];
	unsigned int len;
};

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

/* The first @linear bytes in the head, the rest in a page. The head's buffer
 * ends where they end, so that KASAN sees a read past it.
 */
static struct sk_buff *make_skb(struct kunit *test, const struct packet *p,
				unsigned int linear)
{
	struct sk_buff *skb = alloc_skb(linear, GFP_KERNEL);
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_data(skb, p->bytes, linear);
	if (linear < p->len) {
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memcpy(page_address(page), p->bytes + linear, p->len - linear);
		skb_add_rx_frag(skb, 0, page, 0, p->len - linear, PAGE_SIZE);
	}
	skb->pkt_type = PACKET_HOST;
	skb_reset_network_header(skb);
	return skb;
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
	KUNIT_EXPECT_EQ(test, msg.router, cpu_to_be32(ROUTER));
	KUNIT_EXPECT_EQ(test, msg.saddr, cpu_to_be32(SERVER));
	KUNIT_EXPECT_EQ(test, msg.daddr, cpu_to_be32(CLIENT));
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
		KUNIT_EXPECT_EQ(test, msg.daddr, whole.daddr);
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

	KUNIT_EXPECT_EQ(test, hostroute_icmp_plateau(&msg, c->estimate), c->mtu);
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
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_icmp",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of pmtu_hostroute's parser");
MODULE_LICENSE("GPL");
