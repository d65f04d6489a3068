// SPDX-License-Identifier: GPL-2.0
/*
 * The MSS option of a SYN: how large a segment its sender takes. Lowered, it
 * keeps the other end from sending what will not fit on the way back.
 *
 * hostroute_mss_parse() is pure: bytes in, places out. It reads a list as the
 * receiver's TCP does (RFC 9293 3.1, and what Linux makes of nonsense), so that
 * what one of them obeys the other has seen: options before a broken one count,
 * those after it do not, and of several the last is obeyed.
 */
#include "mss.h"
#include "../pmtu_hostroute.h"

#include <linux/ip.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/tcp.h>

#define HEADERS		(sizeof(struct iphdr) + sizeof(struct tcphdr))

/* RFC 5925; it signs the options, too. (RFC 2385 does not sign them.) */
#define OPTION_TCP_AO	29

/**
 * hostroute_mss_parse - find the MSS options in a list of TCP options
 * @list:	the list
 * @len:	its bytes, at most HOSTROUTE_MSS_LIST_MAX
 * @found:	filled
 *
 * Any context.
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

/* A value at an odd place lies across two words of the checksum, each of its
 * bytes where the other would be.
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
		/* Left alone where the device is to fill it in. */
		inet_proto_csum_replace2(&th->check, skb, summand(old, at),
					 summand(max, at), false);
	}
}

/**
 * hostroute_mss_lower - have a SYN ask for no more than fits an MTU
 * @skb:	a TCP packet with SYN, data at the IP header; may be paged, cloned,
 *		GSO, or the first fragment of one
 * @mtu:	bytes, of the way that answers come
 * @dry_run:	only say what would become of it
 * @change:	filled when the return value is 1
 *
 * The option is only ever lowered, and never inserted. The checksum stays as
 * right, or wrong, as it was.
 *
 * Any context; pointers to the packet's headers may no longer hold afterwards.
 * Return: 1 if it was lowered, 0 if it is small enough, -ENOENT if there is
 * none, -EINVAL if there is none before the list makes no sense, -EKEYREJECTED
 * if it is signed, -ENOMEM.
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
