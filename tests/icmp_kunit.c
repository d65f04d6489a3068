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
	KUNIT_EXPECT_EQ(test, msg.ttl, 127);
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
		enum hostroute_outcome outcome;

		make_valid(&p);
		p.bytes[at] ^= 0x10;
		outcome = parse(test, &p);
		/* The quoted version, length and protocol are needed first. */
		if (at == INNER)
			KUNIT_EXPECT_NE(test, outcome, HOSTROUTE_CONTINUE);
		else if (at == INNER + 9)
			KUNIT_EXPECT_EQ(test, outcome, HOSTROUTE_PASSED_PROTOCOL);
		else
			KUNIT_EXPECT_EQ_MSG(test, outcome, HOSTROUTE_IGNORED_CHECKSUM,
					    "byte %u", at);
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
	/* The quoted header's own is not judged: see check_quote(). */
	make_valid(&p);
	put16(&p, INNER + 10, 0x1234);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), HOSTROUTE_CONTINUE);
}

struct change {
	const char *name;
	unsigned int at;
	u16 value;
	enum hostroute_outcome outcome;
};

static const struct change change_params[] = {
	{ "version_0", INNER, 0x0540, HOSTROUTE_IGNORED_QUOTE },
	{ "version_6", INNER, 0x6540, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_0", INNER, 0x4040, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_4", INNER, 0x4440, HOSTROUTE_IGNORED_QUOTE },
	{ "ihl_15_not_there", INNER, 0x4f40, HOSTROUTE_IGNORED_TRUNCATED },
	{ "total_length_0", INNER + 2, 0, HOSTROUTE_IGNORED_QUOTE },
	{ "total_length_27", INNER + 2, 27, HOSTROUTE_IGNORED_QUOTE },
	{ "total_length_28", INNER + 2, 28, HOSTROUTE_IGNORED_FITS },
	{ "df_clear", INNER + 6, 0, HOSTROUTE_IGNORED_DF },
	{ "more_fragments", INNER + 6, IP_DF | IP_MF, HOSTROUTE_CONTINUE },
	{ "offset_1", INNER + 6, IP_DF | 1, HOSTROUTE_IGNORED_FRAGMENT },
	{ "udp", INNER + 8, 0x7f00 | IPPROTO_UDP, HOSTROUTE_CONTINUE },
	{ "icmp", INNER + 8, 0x7f00 | IPPROTO_ICMP, HOSTROUTE_PASSED_PROTOCOL },
	{ "sctp", INNER + 8, 0x7f00 | IPPROTO_SCTP, HOSTROUTE_PASSED_PROTOCOL },
	{ "not_from_us", INNER + 14, 0x0102, HOSTROUTE_IGNORED_OUTER },
	{ "outer_fragment", OUTER + 6, IP_MF, HOSTROUTE_IGNORED_OUTER },
};

/* Of ICMP, only what this host begins; answers and errors are left alone. */
static void knows_an_echo(struct kunit *test)
{
	struct hostroute_msg msg;
	struct sk_buff *skb;
	struct packet p;
	int type;

	make_valid(&p);
	p.bytes[INNER + 9] = IPPROTO_ICMP;
	for (type = 0; type < 256; type++) {
		p.bytes[TRANSPORT] = type;
		seal(&p);
		KUNIT_EXPECT_EQ(test, parse(test, &p), type == ICMP_ECHO ?
				HOSTROUTE_CONTINUE : HOSTROUTE_PASSED_PROTOCOL);
	}
	p.bytes[TRANSPORT] = ICMP_ECHO;
	seal(&p);
	skb = make_skb(test, &p, p.len);
	KUNIT_EXPECT_EQ(test, hostroute_icmp_parse(skb, &msg), HOSTROUTE_CONTINUE);
	KUNIT_EXPECT_EQ(test, msg.protocol, IPPROTO_ICMP);
	kfree_skb(skb);
}

static void change_desc(const struct change *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(change, change_params, change_desc);

static void judges_the_quote(struct kunit *test)
{
	const struct change *c = test->param_value;
	struct packet p;

	make_valid(&p);
	put16(&p, c->at, c->value);
	seal(&p);
	KUNIT_EXPECT_EQ(test, parse(test, &p), c->outcome);
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
	KUNIT_CASE(knows_an_echo),
	KUNIT_CASE_PARAM(judges_the_quote, change_gen_params),
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
