/* SPDX-License-Identifier: GPL-2.0 */
/* What an ICMP message contains, and what it claims about a path. */
#ifndef HOSTROUTE_CLAIM_H
#define HOSTROUTE_CLAIM_H

#include "addr.h"
#include "hostroute.h"

#include <linux/types.h>

/**
 * struct hostroute_msg - an ICMP "fragmentation needed" that passed the parser
 * @router:	source of the message (outer IP header)
 * @saddr:	source of the quoted packet: this host, or at FORWARD another host
 * @daddr:	destination of the quoted packet: the path in question
 * @sport:	quoted source port, network order, if TCP or UDP
 * @dport:	quoted destination port, network order, if TCP or UDP
 * @seq:	quoted sequence number, host order, if TCP
 * @mtu:	next-hop MTU as the message has it, bytes, host order; 0 from routers
 *		older than RFC 1191
 * @quoted_len:	total length of the quoted packet, bytes, host order; 0: a BIG TCP
 *		packet of this host
 * @quoted_ihl:	length of the quoted IP header, bytes; 0: it was not parsed
 * @tos:	TOS of the quoted packet
 * @ttl:	TTL of the quoted packet
 * @protocol:	protocol of the quoted packet; IPPROTO_ICMP means an Echo Request
 * @bad_sum:	the checksum of the quoted IP header is wrong
 * @observe:	only find out what would become of the message (mode=observe)
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
 * struct hostroute_path - public facts about the path that a quoted packet took
 * @estimate:	bytes; MTU of the path without what was learned about it
 * @l3mdev:	ifindex of the VRF master, 0 for none
 *
 * Not used for TCP at LOCAL_IN: there the socket has its own route.
 */
struct hostroute_path {
	u32 estimate;
	int l3mdev;
};

/**
 * struct hostroute_claim - the claim of a message or local report that was believed
 * @key:	destination and VRF
 * @now:	boot time, ns
 * @mtu:	bytes, not below HOSTROUTE_MTU_MIN
 * @estimate:	bytes; MTU of the path without a host route
 * @router:	source of the message; 0: this host
 * @ifindex:	interface that the message came in by
 * @known:	a hint that saves the look-up: the host route that the socket is under,
 *		which may be dead or another destination's; valid under RCU; may be NULL
 * @class:	the evidence for it; not HOSTROUTE_CLASS_PINNED
 * @dry_run:	change nothing, only return the outcome
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
