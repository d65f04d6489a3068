/* SPDX-License-Identifier: GPL-2.0 */
/* The MSS option of a SYN. Pure: no state, no locks. */
#ifndef HOSTROUTE_MSS_H
#define HOSTROUTE_MSS_H

#include <linux/skbuff.h>
#include <linux/types.h>

/* A TCP header has at most 40 bytes of options, and an MSS option takes 4 of them. */
#define HOSTROUTE_MSS_LIST_MAX	40
#define HOSTROUTE_MSS_MAX	(HOSTROUTE_MSS_LIST_MAX / 4)

/**
 * struct hostroute_mss_options - the MSS options in a list of TCP options
 * @at:		offsets of their values in the list, bytes
 * @count:	how many there are
 * @malformed:	the list cannot be parsed after these
 * @is_signed:	a TCP-AO option signs the options, so they must not be changed
 */
struct hostroute_mss_options {
	u8 at[HOSTROUTE_MSS_MAX];
	u8 count;
	bool malformed;
	bool is_signed;
};

/**
 * struct hostroute_mss_change - what was lowered in a SYN
 * @sport:	source port, network order
 * @dport:	destination port, network order
 * @mss:	bytes, host order; the value that the receiver obeys now
 * @previous_mss: bytes, host order; the value that the receiver would have obeyed, which
 *		is that of the last option
 */
struct hostroute_mss_change {
	__be16 sport;
	__be16 dport;
	u16 mss;
	u16 previous_mss;
};

void hostroute_mss_parse(const u8 *list, unsigned int len,
			 struct hostroute_mss_options *found);
int hostroute_mss_lower(struct sk_buff *skb, u32 mtu, bool dry_run,
			struct hostroute_mss_change *change);

#endif
