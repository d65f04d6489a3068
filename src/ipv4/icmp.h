/* SPDX-License-Identifier: GPL-2.0 */
/* The parser of ICMP "fragmentation needed". It has no state, and asks for no
 * secret.
 */
#ifndef HOSTROUTE_IPV4_ICMP_H
#define HOSTROUTE_IPV4_ICMP_H

#include "../claim.h"
#include "../stats.h"

#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/skbuff.h>
#include <net/ip.h>

bool hostroute_icmp_made_here(const struct sk_buff *skb);

/**
 * hostroute_icmp_is_frag_needed - is this a message that this module looks at?
 * @skb: packet at LOCAL_IN or FORWARD
 *
 * Context: any.
 * Return: true for ICMP type 3 code 4.
 */
static inline bool hostroute_icmp_is_frag_needed(const struct sk_buff *skb)
{
	const struct icmphdr *icmph;
	u8 buf[2];

	if (ip_hdr(skb)->protocol != IPPROTO_ICMP)
		return false;
	icmph = skb_header_pointer(skb, skb_network_offset(skb) + ip_hdrlen(skb),
				   sizeof(buf), buf);
	return icmph && icmph->type == ICMP_DEST_UNREACH &&
	       icmph->code == ICMP_FRAG_NEEDED;
}

enum hostroute_outcome hostroute_icmp_parse(struct sk_buff *skb,
					    struct hostroute_msg *msg);
u32 hostroute_claim_plateau(const struct hostroute_msg *msg, u32 estimate);

#endif
