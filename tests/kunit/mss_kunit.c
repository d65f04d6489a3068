// SPDX-License-Identifier: GPL-2.0
/*
 * The MSS option: the parser on lists of options good and bad, a million of them
 * at random; and the whole of it on packets that are paged, split and cloned.
 */
#include "../../src/mss.c"

#include <linux/prandom.h>
#include <linux/slab.h>

#define PACKET_SIZE	128
#include "packet_fixture.h"

#define LISTS		1000000
#define MTU		1000
#define MAX_MSS		(MTU - 40)

/* ---- the parser --------------------------------------------------------------- */

struct list_case {
	const char *name;
	u8 bytes[HOSTROUTE_MSS_LIST_MAX];
	u8 len;
	u8 at[3];
	u8 count;
	bool malformed;
	bool is_signed;
};

static const struct list_case list_params[] = {
	{ "empty", {}, 0 },
	{ "end", { 0, 2, 4, 5, 180 }, 5 },
	{ "as_linux_sends_it", { 2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7 },
	  20, { 2 }, 1 },
	{ "at_an_odd_place", { 1, 2, 4, 5, 180, 0 }, 6, { 3 }, 1 },
	{ "last_bytes", { 1, 1, 2, 4, 5, 180 }, 6, { 4 }, 1 },
	{ "twice", { 2, 4, 5, 180, 2, 4, 255, 255 }, 8, { 2, 6 }, 2 },
	{ "thrice_with_padding", { 1, 2, 4, 5, 180, 1, 2, 4, 0, 1, 2, 4, 255, 255, 0 }, 15,
	  { 3, 8, 12 }, 3 },
	{ "length_0", { 2, 0, 5, 180 }, 4, {}, 0, true },
	{ "length_1", { 2, 1, 5, 180 }, 4, {}, 0, true },
	{ "length_2", { 2, 2, 2, 4, 5, 180 }, 6, { 4 }, 1 },
	{ "length_3", { 2, 3, 5, 2, 4, 5, 180 }, 7, { 5 }, 1 },
	{ "length_5", { 2, 5, 5, 180, 0, 2, 4, 5, 180 }, 9, { 7 }, 1 },
	{ "past_the_end", { 2, 4, 5 }, 3, {}, 0, true },
	{ "kind_alone", { 1, 1, 2 }, 3, {}, 0, true },
	{ "other_past_the_end", { 2, 4, 5, 180, 8, 10, 0 }, 7, { 2 }, 1, true },
	{ "after_a_broken_one", { 8, 1, 2, 4, 5, 180 }, 6, {}, 0, true },
	{ "length_255", { 3, 255, 2, 4, 5, 180 }, 6, {}, 0, true },
	{ "tcp_ao", { 2, 4, 5, 180, 29, 4, 1, 1 }, 8, { 2 }, 1, false, true },
	{ "md5", { 19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 5, 180 }, 22,
	  { 20 }, 1 },
	{ "full_of_them", { 2, 4, 9, 9, 2, 4, 9, 9, 2, 4, 9, 9, 2, 3, 9 }, 15, { 2, 6, 10 }, 3 },
};

static void list_desc(const struct list_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(list, list_params, list_desc);

static void finds_options(struct kunit *test)
{
	const struct list_case *c = test->param_value;
	u8 *list = kunit_kmalloc(test, c->len ?: 1, GFP_KERNEL);
	struct hostroute_mss_options found;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, list);
	memcpy(list, c->bytes, c->len);
	hostroute_mss_parse(list, c->len, &found);
	KUNIT_EXPECT_EQ(test, found.count, c->count);
	for (i = 0; i < c->count; i++)
		KUNIT_EXPECT_EQ(test, found.at[i], c->at[i]);
	KUNIT_EXPECT_EQ(test, found.malformed, c->malformed);
	KUNIT_EXPECT_EQ(test, found.is_signed, c->is_signed);
}

static void finds_ten(struct kunit *test)
{
	u8 list[HOSTROUTE_MSS_LIST_MAX];
	struct hostroute_mss_options found;
	int i;

	for (i = 0; i < HOSTROUTE_MSS_LIST_MAX; i += 4) {
		list[i] = TCPOPT_MSS;
		list[i + 1] = TCPOLEN_MSS;
	}
	hostroute_mss_parse(list, sizeof(list), &found);
	KUNIT_EXPECT_EQ(test, found.count, HOSTROUTE_MSS_MAX);
	KUNIT_EXPECT_EQ(test, found.at[9], 38);
}

/*
 * The same said another way, after RFC 9293 3.1: where does the option that
 * covers each byte begin? Places are judged, not walked.
 */
static void naive_parse(const u8 *list, int len, struct hostroute_mss_options *found)
{
	bool begins[HOSTROUTE_MSS_LIST_MAX + 1] = { true };
	int i;

	*found = (struct hostroute_mss_options) {};
	for (i = 0; i < len; i++) {
		int size = i + 1 < len ? list[i + 1] : -1;

		if (!begins[i])
			continue;
		if (list[i] == 0)
			return;
		if (list[i] == 1) {
			begins[i + 1] = true;
			continue;
		}
		if (size < 2 || i + size > len) {
			found->malformed = true;
			return;
		}
		begins[i + size] = true;
		if (list[i] == 2 && size == 4)
			found->at[found->count++] = i + 2;
		if (list[i] == 29)
			found->is_signed = true;
	}
}

static u32 pick(struct rnd_state *rnd, u32 n)
{
	return prandom_u32_state(rnd) % n;
}

/* Options of the right size, one after the other. */
static void make_good_list(struct rnd_state *rnd, u8 *list, unsigned int len)
{
	static const u8 options[][2] = {
		{ 2, 4 }, { 2, 4 }, { 3, 3 }, { 4, 2 }, { 8, 10 }, { 19, 18 }, { 29, 16 },
		{ 34, 6 }, { 254, 4 },
	};
	unsigned int at, which;

	for (at = 0; at < len;) {
		which = pick(rnd, 3 * ARRAY_SIZE(options));
		if (which >= ARRAY_SIZE(options) || at + options[which][1] > len) {
			list[at++] = 1;
			continue;
		}
		list[at] = options[which][0];
		list[at + 1] = options[which][1];
		at += options[which][1];
	}
}

/* A third of them plain noise, a third of kinds and sizes that mean something,
 * and a third good, or with one byte that is not.
 */
static void make_list(struct rnd_state *rnd, u8 *list, unsigned int len)
{
	static const u8 kinds[] = { 0, 1, 1, 2, 2, 2, 3, 4, 5, 8, 19, 29, 254 };
	static const u8 sizes[] = { 0, 1, 2, 3, 4, 4, 4, 4, 5, 10, 18, 40, 255 };
	unsigned int i, way = pick(rnd, 3);

	for (i = 0; i < len; i++)
		list[i] = prandom_u32_state(rnd);
	if (way == 1) {
		for (i = 0; i + 1 < len; i += 1 + pick(rnd, 5)) {
			list[i] = kinds[pick(rnd, ARRAY_SIZE(kinds))];
			list[i + 1] = sizes[pick(rnd, ARRAY_SIZE(sizes))];
		}
	} else if (way == 2) {
		make_good_list(rnd, list, len);
		if (len && pick(rnd, 2))
			list[pick(rnd, len)] = sizes[pick(rnd, ARRAY_SIZE(sizes))];
	}
}

/* In buffers that end where the list does, so that KASAN sees a read past it. */
static void a_million_lists(struct kunit *test)
{
	struct hostroute_mss_options found, expected;
	u8 *lists[HOSTROUTE_MSS_LIST_MAX + 1];
	u32 with = 0, broken = 0, i;
	struct rnd_state rnd;
	unsigned int len;

	for (len = 0; len <= HOSTROUTE_MSS_LIST_MAX; len++) {
		lists[len] = kunit_kmalloc(test, len ?: 1, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, lists[len]);
	}
	prandom_seed_state(&rnd, 6);
	for (i = 0; i < LISTS; i++) {
		len = pick(&rnd, HOSTROUTE_MSS_LIST_MAX + 1);
		make_list(&rnd, lists[len], len);
		hostroute_mss_parse(lists[len], len, &found);
		naive_parse(lists[len], len, &expected);
		if (memcmp(&found, &expected, sizeof(found))) {
			KUNIT_FAIL(test, "list %u: %*ph", i, (int)len, lists[len]);
			return;
		}
		with += !!found.count;
		broken += found.malformed;
		if (i % 10000 == 0)
			cond_resched();
	}
	/* It was worth the while. */
	KUNIT_EXPECT_GT(test, with, LISTS / 10);
	KUNIT_EXPECT_GT(test, broken, LISTS / 10);
	KUNIT_EXPECT_LT(test, broken, LISTS - LISTS / 10);
}

/* ---- packets ------------------------------------------------------------------- */

#define TCP_AT		20
#define LIST_AT		40

static __sum16 tcp_sum(const struct packet *p)
{
	unsigned int len = p->len - TCP_AT;

	return csum_tcpudp_magic(*(__be32 *)&p->bytes[12], *(__be32 *)&p->bytes[16],
				 len, IPPROTO_TCP,
				 csum_partial(p->bytes + TCP_AT, len, 0));
}

/* A SYN with these options, padded to a multiple of 4, and some data. */
static void make_syn(struct packet *p, const u8 *list, unsigned int len)
{
	unsigned int padded = ALIGN(len, 4);

	memset(p, 0, sizeof(*p));
	p->len = LIST_AT + padded + 5;
	p->bytes[0] = 0x45;
	p->bytes[3] = p->len;
	p->bytes[8] = 64;
	p->bytes[9] = IPPROTO_TCP;
	memcpy(&p->bytes[12], "\xc0\x00\x02\x01\xc0\x00\x02\x02\x9c\x40\x00\x50", 12);
	p->bytes[TCP_AT + 12] = (5 + padded / 4) << 4;
	p->bytes[TCP_AT + 13] = 2;
	memcpy(&p->bytes[LIST_AT], list, len);
	memcpy(&p->bytes[LIST_AT + padded], "hello", 5);
	*(__sum16 *)&p->bytes[TCP_AT + 16] = tcp_sum(p);
}

static void read_back(struct kunit *test, const struct sk_buff *skb, struct packet *p)
{
	p->len = skb->len;
	KUNIT_ASSERT_EQ(test, 0, skb_copy_bits(skb, 0, p->bytes, skb->len));
}

/* What became of it: only the bytes named differ, and the checksum is right. */
static void expect_lowered(struct kunit *test, const struct packet *before,
			   const struct sk_buff *skb, const u8 *at, unsigned int count)
{
	struct packet expected = *before, after;
	unsigned int i;

	read_back(test, skb, &after);
	for (i = 0; i < count; i++) {
		expected.bytes[LIST_AT + at[i]] = MAX_MSS >> 8;
		expected.bytes[LIST_AT + at[i] + 1] = MAX_MSS & 255;
	}
	memcpy(&expected.bytes[TCP_AT + 16], &after.bytes[TCP_AT + 16], 2);
	KUNIT_EXPECT_EQ(test, after.len, expected.len);
	KUNIT_EXPECT_EQ(test, 0, memcmp(after.bytes, expected.bytes, after.len));
	KUNIT_EXPECT_EQ(test, tcp_sum(&after), (__force __sum16)0);
}

/* Asked first what would become of it, which changes nothing. */
static int lower(struct sk_buff *skb, u32 mtu)
{
	struct hostroute_mss_change would = {}, did = {};
	u8 before[256], after[256];
	int wanted, result;

	if (skb->len > sizeof(before) || skb_copy_bits(skb, 0, before, skb->len))
		return -ENOSPC;
	wanted = hostroute_mss_lower(skb, mtu, true, &would);
	if (skb_copy_bits(skb, 0, after, skb->len) || memcmp(before, after, skb->len))
		return -EBADMSG;
	result = hostroute_mss_lower(skb, mtu, false, &did);
	if (result != wanted || memcmp(&would, &did, sizeof(did)))
		return -EUCLEAN;
	if (result == 1 && (did.mss > did.previous_mss || did.mss > mtu - HEADERS))
		return -EILSEQ;
	return result;
}

static const u8 usual[] = { 2, 4, 5, 180, 4, 2, 1, 1 };
static const u8 odd[] = { 1, 2, 4, 5, 180, 1, 2, 4, 255, 254, 2, 4, 3, 192 };

static void lowers_at_every_split(struct kunit *test)
{
	static const u8 usual_at[] = { 2 }, odd_at[] = { 3, 8 };
	struct sk_buff *skb;
	unsigned int linear;
	struct packet p;

	/* IP has pulled its own header before anybody looks. */
	make_syn(&p, usual, sizeof(usual));
	for (linear = 20; linear <= p.len; linear++) {
		skb = make_skb(test, &p, linear);
		KUNIT_EXPECT_EQ(test, lower(skb, MTU), 1);
		expect_lowered(test, &p, skb, usual_at, 1);
		/* Once is enough. */
		KUNIT_EXPECT_EQ(test, lower(skb, MTU), 0);
		kfree_skb(skb);
	}
	make_syn(&p, odd, sizeof(odd));
	for (linear = 20; linear <= p.len; linear++) {
		skb = make_skb(test, &p, linear);
		KUNIT_EXPECT_EQ(test, lower(skb, MTU), 1);
		expect_lowered(test, &p, skb, odd_at, 2);
		kfree_skb(skb);
	}
}

static void leaves_what_fits(struct kunit *test)
{
	struct packet p, after;
	struct sk_buff *skb;
	u32 mtu;

	make_syn(&p, usual, sizeof(usual));
	for (mtu = 0; mtu < 70000; mtu++) {
		skb = make_skb(test, &p, p.len);
		KUNIT_EXPECT_EQ(test, lower(skb, mtu), mtu >= 68 && mtu < 1500);
		read_back(test, skb, &after);
		if (mtu < 68 || mtu >= 1500)
			KUNIT_EXPECT_EQ(test, 0, memcmp(after.bytes, p.bytes, p.len));
		kfree_skb(skb);
		if (mtu == 1600)
			mtu = 65000;
	}
}

/* Who holds another reference to the bytes sees them as they were. */
static void copies_before_it_writes(struct kunit *test)
{
	static const u8 at[] = { 2 };
	struct sk_buff *skb, *other;
	unsigned int linear;
	struct packet p, seen;

	make_syn(&p, usual, sizeof(usual));
	for (linear = 20; linear <= p.len; linear += 4) {
		skb = make_skb(test, &p, linear);
		other = skb_clone(skb, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, other);
		KUNIT_EXPECT_EQ(test, lower(skb, MTU), 1);
		expect_lowered(test, &p, skb, at, 1);
		read_back(test, other, &seen);
		KUNIT_EXPECT_EQ(test, 0, memcmp(seen.bytes, p.bytes, p.len));
		kfree_skb(other);
		kfree_skb(skb);
	}
}

/* Where the device fills the checksum in, the field has the pseudo header's. */
static void leaves_a_partial_checksum(struct kunit *test)
{
	struct packet p, after;
	struct sk_buff *skb;

	make_syn(&p, usual, sizeof(usual));
	skb = make_skb(test, &p, p.len);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb_shinfo(skb)->gso_size = 500;
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
	KUNIT_EXPECT_EQ(test, lower(skb, MTU), 1);
	read_back(test, skb, &after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(&after.bytes[TCP_AT + 16], &p.bytes[TCP_AT + 16], 2));
	KUNIT_EXPECT_EQ(test, after.bytes[LIST_AT + 2] << 8 | after.bytes[LIST_AT + 3], MAX_MSS);
	KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size, 500);
	kfree_skb(skb);
}

static void expect_untouched(struct kunit *test, const struct packet *p, int result)
{
	struct sk_buff *skb = make_skb(test, p, p->len);
	struct packet after;

	KUNIT_EXPECT_EQ(test, lower(skb, MTU), result);
	read_back(test, skb, &after);
	KUNIT_EXPECT_EQ(test, 0, memcmp(after.bytes, p->bytes, p->len));
	kfree_skb(skb);
}

static void says_why_not(struct kunit *test)
{
	static const u8 none[] = { 4, 2, 1, 1 };
	static const u8 broken[] = { 8, 0, 2, 4, 5, 180 };
	static const u8 is_signed[] = { 2, 4, 5, 180, 29, 4, 1, 1 };
	struct packet p;
	unsigned int len;

	make_syn(&p, none, sizeof(none));
	expect_untouched(test, &p, -ENOENT);
	make_syn(&p, none, 0);
	expect_untouched(test, &p, -ENOENT);
	make_syn(&p, broken, sizeof(broken));
	expect_untouched(test, &p, -EINVAL);
	make_syn(&p, is_signed, sizeof(is_signed));
	expect_untouched(test, &p, -EKEYREJECTED);
	make_syn(&p, usual, sizeof(usual));
	for (len = 0; len < 5; len++) {
		p.bytes[TCP_AT + 12] = len << 4;
		expect_untouched(test, &p, -EINVAL);
	}
	/* A header that goes on in another fragment, or nowhere. */
	make_syn(&p, usual, sizeof(usual));
	for (p.len = 20; p.len < LIST_AT + sizeof(usual); p.len++)
		expect_untouched(test, &p, -EINVAL);
}

/* Whole packets at random: never wrong by a byte, whatever their options. */
static void random_packets(struct kunit *test)
{
	struct hostroute_mss_options found;
	u8 list[HOSTROUTE_MSS_LIST_MAX], at[HOSTROUTE_MSS_MAX];
	unsigned int len, count, i, n;
	struct rnd_state rnd;
	struct sk_buff *skb;
	struct packet p;
	u32 lowered = 0;

	prandom_seed_state(&rnd, 66);
	for (n = 0; n < 5000; n++) {
		len = 4 * pick(&rnd, 11);
		make_list(&rnd, list, len);
		make_syn(&p, list, len);
		naive_parse(list, len, &found);
		for (i = 0, count = 0; i < found.count; i++)
			if ((list[found.at[i]] << 8 | list[found.at[i] + 1]) > MAX_MSS)
				at[count++] = found.at[i];
		if (found.is_signed)
			count = 0;
		skb = make_skb(test, &p, 20 + pick(&rnd, p.len - 19));
		KUNIT_EXPECT_EQ(test, lower(skb, MTU) == 1, count > 0);
		expect_lowered(test, &p, skb, at, count);
		kfree_skb(skb);
		lowered += !!count;
	}
	KUNIT_EXPECT_GT(test, lowered, 300);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_PARAM(finds_options, list_gen_params),
	KUNIT_CASE(finds_ten),
	KUNIT_CASE(a_million_lists),
	KUNIT_CASE(lowers_at_every_split),
	KUNIT_CASE(leaves_what_fits),
	KUNIT_CASE(copies_before_it_writes),
	KUNIT_CASE(leaves_a_partial_checksum),
	KUNIT_CASE(says_why_not),
	KUNIT_CASE(random_packets),
	{}
};

static struct kunit_suite suite = {
	.name = "pmtu_hostroute_mss",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of what pmtu_hostroute does to the MSS option");
MODULE_LICENSE("GPL");
