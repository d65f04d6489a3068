/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A packet as bytes, and a socket buffer of it, for the suites that test what reads
 * packets. PACKET_SIZE is the largest that a suite makes.
 */
#include <kunit/test.h>
#include <linux/skbuff.h>

struct packet {
	u8 bytes[PACKET_SIZE];
	unsigned int len;
};

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
