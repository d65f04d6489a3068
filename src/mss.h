/* SPDX-License-Identifier: GPL-2.0 */
/* The MSS option of a SYN. Pure. */
#ifndef HOSTROUTE_MSS_H
#define HOSTROUTE_MSS_H

#include <linux/skbuff.h>
#include <linux/types.h>

/* A TCP header has room for so many bytes of options, and them for as many MSS. */
#define HOSTROUTE_MSS_LIST_MAX	40
#define HOSTROUTE_MSS_MAX	(HOSTROUTE_MSS_LIST_MAX / 4)

/**
 * struct hostroute_mss_options - the MSS options in a list of TCP options
 * @at:		where their values are in the list, bytes
 * @count:	how many
 * @malformed:	the list makes no sense after them
 * @is_signed:	by an option that covers the options (TCP-AO)
 */
struct hostroute_mss_options {
	u8 at[HOSTROUTE_MSS_MAX];
	u8 count;
	bool malformed;
	bool is_signed;
};

/**
 * struct hostroute_mss_change - what was lowered in a SYN
 * @sport:	source port
 * @dport:	destination port
 * @mss:	what it asks for now
 * @previous_mss: what its receiver would have obeyed: the last option
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
