// SPDX-License-Identifier: GPL-2.0
/*
 * The MSS option of a SYN: the largest segment that the sender of the SYN accepts. If
 * it is lowered, the other end does not send segments that are too big for the path
 * back.
 *
 * hostroute_mss_parse() is pure: it takes bytes and returns offsets. It parses a list
 * as the receiver's TCP does (RFC 9293 3.1, and as Linux does where a list is
 * malformed). So it finds each option that the receiver may obey: options before a
 * malformed one count, options after it do not, and of several MSS options the last is
 * obeyed.
 */
#include "mss.h"
#include "../pmtu_hostroute.h"

#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/tcp.h>

#define HEADERS		(sizeof(struct iphdr) + sizeof(struct tcphdr))

/* RFC 5925. TCP-AO signs the options as well, TCP-MD5 (RFC 2385) does not. */
#define OPTION_TCP_AO	29

/**
 * hostroute_mss_parse - find the MSS options in a list of TCP options
 * @list:	the list
 * @len:	length of the list, bytes, at most HOSTROUTE_MSS_LIST_MAX
 * @found:	filled
 *
 * Context: any.
 */
void hostroute_mss_parse(const u8 *list, unsigned int len,
			 struct hostroute_mss_options *found)
{
	unsigned int at = 0, size;

	*found = (struct hostroute_mss_options) {};
	while (at < len && list[at] != TCPOPT_EOL) {
		if (list[at] == TCPOPT_NOP) {
			at++;
			continue;
		}
		size = at + 1 < len ? list[at + 1] : 0;
		if (size < 2 || size > len - at) {
			found->malformed = true;
			return;
		}
		if (list[at] == TCPOPT_MSS && size == TCPOLEN_MSS)
			found->at[found->count++] = at + 2;
		else if (list[at] == OPTION_TCP_AO)
			found->is_signed = true;
		at += size;
	}
}

static u16 value_at(const u8 *list, unsigned int at)
{
	return list[at] << 8 | list[at + 1];
}

static bool any_above(const u8 *list, const struct hostroute_mss_options *found,
		      u16 max)
{
	unsigned int i;

	for (i = 0; i < found->count; i++)
		if (value_at(list, found->at[i]) > max)
			return true;
	return false;
}

/* The checksum is a sum of 16-bit words. A value at an odd offset lies across two of
 * them, so its bytes count as if they were swapped.
 */
static __be16 summand(u16 value, unsigned int at)
{
	return cpu_to_be16(at % 2 ? swab16(value) : value);
}

static void lower_all(struct sk_buff *skb, struct tcphdr *th,
		      const struct hostroute_mss_options *found, u16 max)
{
	u8 *list = (u8 *)(th + 1);
	unsigned int i, at;
	u16 old;

	for (i = 0; i < found->count; i++) {
		at = found->at[i];
		old = value_at(list, at);
		if (old <= max)
			continue;
		list[at] = max >> 8;
		list[at + 1] = max;
		/* Does not change the field if the device is to compute the checksum. */
		inet_proto_csum_replace2(&th->check, skb, summand(old, at),
					 summand(max, at), false);
	}
}

/**
 * hostroute_mss_lower - lower the MSS option of a SYN to what fits an MTU
 * @skb:	a TCP packet with SYN, data at the IP header; may be paged, cloned,
 *		GSO, or the first fragment of one
 * @mtu:	bytes; MTU of the path that answers take
 * @dry_run:	change nothing, only return the result
 * @change:	filled when the return value is 1
 *
 * The option is never raised and never inserted. The checksum is updated by the
 * difference: if it was wrong, it stays wrong.
 *
 * Context: any. Pointers to the packet's headers may be invalid afterwards.
 * Return: 1 if the option was lowered; 0 if it is small enough, or @mtu is below
 * HOSTROUTE_MTU_MIN; -ENOENT if there is no MSS option; -EINVAL if there is none before
 * the list or the header becomes malformed; -EKEYREJECTED if the options are signed;
 * -ENOMEM.
 */
int hostroute_mss_lower(struct sk_buff *skb, u32 mtu, bool dry_run,
			struct hostroute_mss_change *change)
{
	unsigned int offset = skb_network_offset(skb) + ip_hdrlen(skb);
	u16 max = min_t(u32, mtu, HOSTROUTE_MTU_MAX) - HEADERS;
	struct hostroute_mss_options found;
	const struct tcphdr *th;
	unsigned int len;
	const u8 *list;
	u8 buf[60];

	if (mtu < HOSTROUTE_MTU_MIN)
		return 0;
	th = skb_header_pointer(skb, offset, sizeof(*th), buf);
	if (!th || th->doff * 4 < sizeof(*th))
		return -EINVAL;
	len = th->doff * 4;
	th = skb_header_pointer(skb, offset, len, buf);
	if (!th)
		return -EINVAL;
	list = (const u8 *)(th + 1);
	hostroute_mss_parse(list, len - sizeof(*th), &found);
	if (!found.count)
		return found.malformed ? -EINVAL : -ENOENT;
	if (!any_above(list, &found, max))
		return 0;
	if (found.is_signed)
		return -EKEYREJECTED;
	*change = (struct hostroute_mss_change) {
		.sport = th->source,
		.dport = th->dest,
		.previous_mss = value_at(list, found.at[found.count - 1]),
	};
	change->mss = min(change->previous_mss, max);
	if (dry_run)
		return 1;
	if (skb_ensure_writable(skb, offset + len))
		return -ENOMEM;
	lower_all(skb, (struct tcphdr *)(skb->data + offset), &found, max);
	return 1;
}
