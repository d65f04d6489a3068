// SPDX-License-Identifier: GPL-2.0
/*
 * The parser: is this ICMP message a well-formed "fragmentation needed" about
 * a packet that this host could have sent? Only the packet itself is looked
 * at: no socket, no route, no table, no clock. What fails here is refused on
 * facts that its sender knows as well, so a refusal tells him nothing.
 *
 * At LOCAL_IN the stock path has checked nothing of the ICMP message yet, not
 * even its checksum. Bytes are read with skb_header_pointer() alone: the
 * packet may be paged, cloned or both.
 */
#include "icmp.h"
#include "../../pmtu_hostroute.h"

#include <linux/icmp.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/udp.h>
#include <net/ip.h>

/* RFC 792: the quote holds the IP header and 64 bits of the transport. */
#define QUOTED_TRANSPORT	8

union quote {
	struct {
		__be16 sport;
		__be16 dport;
		__be32 seq;
	} tcp;
	struct udphdr udp;
	struct {
		u8 type;
	} icmp;
	u8 bytes[QUOTED_TRANSPORT];
};

static_assert(sizeof(union quote) == QUOTED_TRANSPORT);

/* What is parsed of a message, by the IP options in its quote. */
#define SMALLEST	(sizeof(struct icmphdr) + sizeof(struct iphdr) + QUOTED_TRANSPORT)
#define LARGEST		(SMALLEST + MAX_IPOPTLEN)

/**
 * hostroute_icmp_made_here - did this host itself make the message?
 * @skb: packet at LOCAL_IN
 *
 * Return: true if it came by way of lo, or of a VRF's device in the place of
 * lo: then it still has the route that it was sent on.
 */
bool hostroute_icmp_made_here(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	return (skb->dev && skb->dev->flags & IFF_LOOPBACK) ||
	       (rt && rt_is_output_route(rt));
}

/* RFC 1122 3.2.2: never about, nor by way of, a broadcast or multicast. */
static bool outer_acceptable(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	if (skb->pkt_type != PACKET_HOST)
		return false;
	if (rt && rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return false;
	return !ip_is_fragment(ip_hdr(skb));
}

/* RFC 1122 3.2.1.3: 0/8 (all of it: ipv4_is_zeronet() is not), 127/8, multicast,
 * and 240/4 with the limited broadcast are nobody's address on a wire.
 */
static bool is_nobodys(__be32 addr)
{
	return !(addr & htonl(0xff000000)) || ipv4_is_loopback(addr) ||
	       (addr & htonl(0xe0000000)) == htonl(0xe0000000);
}

/* A source-routed datagram's destination field names the next hop. */
static bool source_routed(const u8 *opt, unsigned int len)
{
	while (len) {
		if (opt[0] == IPOPT_END)
			return false;
		if (opt[0] == IPOPT_NOOP) {
			opt++;
			len--;
			continue;
		}
		if (opt[0] == IPOPT_LSRR || opt[0] == IPOPT_SSRR)
			return true;
		if (len < 2 || opt[1] < 2 || opt[1] > len)
			return false;
		len -= opt[1];
		opt += opt[1];
	}
	return false;
}

/* RFC 1122 3.2.2, RFC 5927 4.3: what this host sent came from itself, and went
 * to somebody. (More about both needs routing: src/facts.c.)
 */
static enum hostroute_outcome check_addresses(const struct iphdr *outer,
					      const struct iphdr *inner)
{
	if (inner->saddr != outer->daddr)
		return HOSTROUTE_IGNORED_OUTER;
	if (is_nobodys(inner->saddr))
		return HOSTROUTE_IGNORED_SOURCE;
	if (is_nobodys(inner->daddr))
		return HOSTROUTE_IGNORED_DESTINATION;
	return HOSTROUTE_CONTINUE;
}

/* The quoted header itself; its checksum is not judged: some routers lower the
 * quoted TTL and leave the checksum.
 */
static enum hostroute_outcome check_quote(const struct sk_buff *skb,
					  const struct iphdr *inner, u16 mtu)
{
	unsigned int hlen = inner->ihl * 4;
	unsigned int len = ntohs(inner->tot_len);

	/* A quote of 0 bytes is BIG TCP, which no wire carries. */
	if (len < hlen + QUOTED_TRANSPORT &&
	    !(len == 0 && hostroute_icmp_made_here(skb)))
		return HOSTROUTE_IGNORED_QUOTE;
	if (inner->frag_off & htons(IP_OFFSET))
		return HOSTROUTE_IGNORED_FRAGMENT;
	if (!(inner->frag_off & htons(IP_DF)))
		return HOSTROUTE_IGNORED_DF;
	if (source_routed((const u8 *)(inner + 1), hlen - sizeof(*inner)))
		return HOSTROUTE_IGNORED_QUOTE;
	/* RFC 1191 4: no router has such an MTU; 0 is one that does not say. */
	if (mtu && mtu < HOSTROUTE_MTU_MIN)
		return HOSTROUTE_IGNORED_MTU;
	if (mtu && len && len <= mtu)
		return HOSTROUTE_IGNORED_FITS;
	return HOSTROUTE_CONTINUE;
}

/* RFC 768: the length counts the header. It may be less than the IP header has
 * room for (RFC 9868), and more only in the first fragment of a datagram. A
 * quoted length of 0 is a local one that does not fit 16 bits.
 */
static bool udp_makes_sense(const struct iphdr *inner, const struct udphdr *udp)
{
	unsigned int room = ntohs(inner->tot_len) - inner->ihl * 4;
	unsigned int len = ntohs(udp->len);

	if (!udp->dest)
		return false;
	if (!inner->tot_len)
		return true;
	return len >= sizeof(*udp) &&
	       (len <= room || inner->frag_off & htons(IP_MF));
}

static enum hostroute_outcome check_transport(const struct iphdr *inner,
					      const union quote *quote)
{
	if (inner->protocol == IPPROTO_UDP && !udp_makes_sense(inner, &quote->udp))
		return HOSTROUTE_IGNORED_QUOTE;
	/* Anybody can have this host answer him, as large as he likes (NDSS
	 * 2022); only what it began itself counts.
	 */
	if (inner->protocol == IPPROTO_ICMP && quote->icmp.type != ICMP_ECHO)
		return HOSTROUTE_IGNORED_ICMP;
	return HOSTROUTE_CONTINUE;
}

/* @icmph: as much of the message as is parsed, in one piece. */
static enum hostroute_outcome judge_message(struct sk_buff *skb, unsigned int start,
					    const struct icmphdr *icmph,
					    struct hostroute_msg *msg)
{
	const struct iphdr *inner = (const struct iphdr *)(icmph + 1);
	const union quote *quote = (const union quote *)((const u8 *)inner +
							 inner->ihl * 4);
	const struct iphdr *outer = ip_hdr(skb);
	u16 mtu = ntohs(icmph->un.frag.mtu);
	enum hostroute_outcome outcome;

	if (!outer_acceptable(skb))
		return HOSTROUTE_IGNORED_OUTER;
	/* RFC 1812 5.3.7 */
	if (is_nobodys(outer->saddr) && !hostroute_icmp_made_here(skb))
		return HOSTROUTE_IGNORED_ROUTER;
	if (nf_ip_checksum(skb, NF_INET_LOCAL_IN, start, IPPROTO_ICMP))
		return HOSTROUTE_IGNORED_CHECKSUM;
	outcome = check_addresses(outer, inner);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = check_quote(skb, inner, mtu);
	if (outcome == HOSTROUTE_CONTINUE)
		outcome = check_transport(inner, quote);
	if (outcome != HOSTROUTE_CONTINUE)
		return outcome;

	*msg = (struct hostroute_msg) {
		.router = hostroute_addr_v4(outer->saddr),
		.saddr = hostroute_addr_v4(inner->saddr),
		.daddr = hostroute_addr_v4(inner->daddr),
		.sport = quote->tcp.sport,
		.dport = quote->tcp.dport,
		.seq = ntohl(quote->tcp.seq),
		.mtu = mtu,
		.quoted_len = ntohs(inner->tot_len),
		.quoted_ihl = inner->ihl * 4,
		.tos = inner->tos,
		.ttl = inner->ttl,
		.protocol = inner->protocol,
		.bad_sum = ip_fast_csum(inner, inner->ihl) != 0,
	};
	return HOSTROUTE_CONTINUE;
}

/* Bytes that are parsed of a message that has as much of its quote as begins here. */
static unsigned int parsed_len(const struct icmphdr *icmph)
{
	const struct iphdr *inner = (const struct iphdr *)(icmph + 1);

	return sizeof(*icmph) + inner->ihl * 4 + QUOTED_TRANSPORT;
}

static bool is_ipv4(const struct icmphdr *icmph)
{
	const struct iphdr *inner = (const struct iphdr *)(icmph + 1);

	return inner->version == 4 && inner->ihl >= 5;
}

/* In pieces, or too short. */
static noinline enum hostroute_outcome parse_copy(struct sk_buff *skb,
						  unsigned int start,
						  struct hostroute_msg *msg)
{
	const struct icmphdr *icmph;
	u8 buf[LARGEST] __aligned(4);

	icmph = skb_header_pointer(skb, start, SMALLEST, buf);
	if (!icmph)
		return HOSTROUTE_IGNORED_TRUNCATED;
	if (!is_ipv4(icmph))
		return HOSTROUTE_IGNORED_QUOTE;
	icmph = skb_header_pointer(skb, start, parsed_len(icmph), buf);
	if (!icmph)
		return HOSTROUTE_IGNORED_TRUNCATED;
	return judge_message(skb, start, icmph, msg);
}

/**
 * hostroute_icmp_parse - parse and check an ICMP "fragmentation needed"
 * @skb: packet at LOCAL_IN, data at the IP header; its bytes are not changed,
 *	 its checksum state may be
 * @msg: filled when the return value is HOSTROUTE_CONTINUE
 *
 * RFC 792, RFC 1122 3.2.2, RFC 1191 4. Any context; at most 76 bytes are
 * parsed besides the checksum. What RFC 4884 appends is covered by the checksum
 * and not looked at: where it begins need not be known, for the 68 bytes of the
 * quote that are parsed are less than the 128 that precede it.
 *
 * Return: HOSTROUTE_CONTINUE, or what became of the message.
 */
enum hostroute_outcome hostroute_icmp_parse(struct sk_buff *skb,
					    struct hostroute_msg *msg)
{
	unsigned int start = skb_network_offset(skb) + ip_hdrlen(skb);
	const struct icmphdr *icmph = (const struct icmphdr *)(skb->data + start);

	if (likely(skb_headlen(skb) >= start + SMALLEST && is_ipv4(icmph) &&
		   skb_headlen(skb) >= start + parsed_len(icmph)))
		return judge_message(skb, start, icmph, msg);
	return parse_copy(skb, start, msg);
}
