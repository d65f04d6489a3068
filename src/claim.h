/* SPDX-License-Identifier: GPL-2.0 */
/* What a message says, and what it claims of a path. */
#ifndef HOSTROUTE_CLAIM_H
#define HOSTROUTE_CLAIM_H

#include "addr.h"
#include "hostroute.h"

#include <linux/types.h>

/**
 * struct hostroute_msg - an ICMP "fragmentation needed" that passed the parser
 * @router:	who sent it (outer source)
 * @saddr:	source of the quoted packet: an address of ours
 * @daddr:	destination of the quoted packet: the path in question
 * @sport:	quoted source port, if TCP or UDP
 * @dport:	quoted destination port, if TCP or UDP
 * @seq:	quoted sequence number, host order, if TCP
 * @mtu:	next-hop MTU in bytes as carried; 0 from routers older than RFC 1191
 * @quoted_len:	total length of the quoted packet, bytes; 0: local BIG TCP
 * @quoted_ihl:	length of the quoted IP header, bytes; 0: it was not parsed
 * @tos:	TOS of the quoted packet
 * @ttl:	TTL of the quoted packet
 * @protocol:	of the quoted packet; if IPPROTO_ICMP, it is an Echo Request
 * @bad_sum:	the quoted header's checksum is wrong
 * @observe:	only find out what would become of it (mode=observe)
 */
struct hostroute_msg {
	struct hostroute_addr router;
	struct hostroute_addr saddr;
	struct hostroute_addr daddr;
	__be16 sport;
	__be16 dport;
	u32 seq;
	u16 mtu;
	u16 quoted_len;
	u8 quoted_ihl;
	u8 tos;
	u8 ttl;
	u8 protocol;
	bool bad_sum;
	bool observe;
};

/**
 * struct hostroute_path - what is public of the path that a quoted packet took; not
 *	of TCP, whose socket knows
 * @estimate:	bytes, what it carries by itself, without what was learned
 * @l3mdev:	ifindex of the VRF master, 0 for none
 */
struct hostroute_path {
	u32 estimate;
	int l3mdev;
};

/**
 * struct hostroute_claim - a message (or a local report) that was believed
 * @key:	destination and VRF
 * @now:	boot time, ns
 * @mtu:	bytes, not below HOSTROUTE_MTU_MIN
 * @estimate:	bytes, what the path's MTU is taken for without a host route
 * @router:	who said so
 * @ifindex:	where it came in
 * @known:	maybe the route in question: what its socket is under, dead or not; while
 *		RCU is held; NULL: it is looked up
 * @class:	who vouches for it; not HOSTROUTE_CLASS_PINNED
 * @dry_run:	only say what would become of it
 */
struct hostroute_claim {
	struct hostroute_key	key;
	u64			now;
	u32			mtu;
	u32			estimate;
	struct hostroute_addr	router;
	int			ifindex;
	struct hostroute	*known;
	enum hostroute_class	class;
	bool			dry_run;
};

u32 hostroute_claim_plateau(const struct hostroute_msg *msg, u32 estimate);

#endif
