// SPDX-License-Identifier: GPL-2.0
/*
 * The parser: is this ICMP message a well-formed "fragmentation needed" about a packet
 * that this host could have sent? It looks at nothing but the packet: it looks up no
 * socket and no route, and reads no table and no clock. What fails here is refused on
 * facts that the sender knows as well, so a refusal tells an attacker nothing.
 *
 * At LOCAL_IN the stock path has not checked the ICMP message yet, not even its
 * checksum. The packet may be paged, cloned or both. What is parsed is read in place
 * if it is linear, else with skb_header_pointer().
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

/* Bytes. RFC 792: the quote holds the IP header and 64 bits of the transport. */
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

/* Bytes that are parsed of a message, without IP options in its quote and with all
 * there can be.
 */
#define SMALLEST	(sizeof(struct icmphdr) + sizeof(struct iphdr) + QUOTED_TRANSPORT)
#define LARGEST		(SMALLEST + MAX_IPOPTLEN)

/**
 * hostroute_icmp_made_here - did this host itself make the message?
 * @skb: packet at LOCAL_IN
 *
 * Context: RCU.
 * Return: true if it came through lo, or through a VRF device that takes the place of
 * lo: then it still has the route that it was sent on.
 */
bool hostroute_icmp_made_here(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	return (skb->dev && skb->dev->flags & IFF_LOOPBACK) ||
	       (rt && rt_is_output_route(rt));
}

/* RFC 1122 3.2.2: a message must not come by broadcast or multicast, nor be about one
 * (see check_addresses()).
 */
static bool outer_acceptable(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	if (skb->pkt_type != PACKET_HOST)
		return false;
	if (rt && rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return false;
	return !ip_is_fragment(ip_hdr(skb));
}

/* RFC 1122 3.2.1.3: no host on a wire has an address in 0/8 (all of it, unlike
 * ipv4_is_zeronet()), 127/8, multicast, or 240/4 with the limited broadcast.
 */
static bool is_nobodys(__be32 addr)
{
	return !(addr & htonl(0xff000000)) || ipv4_is_loopback(addr) ||
	       (addr & htonl(0xe0000000)) == htonl(0xe0000000);
}

/* The destination field of a source-routed datagram names the next hop. */
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

/* RFC 1122 3.2.2, RFC 5927 4.3: a packet that this host sent has an address of this
 * host for a source, and one of some host for a destination. The rest needs routing,
 * and is checked in src/ipv4/facts.c.
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

/* Check the quoted IP header, but not its checksum: some routers lower the quoted TTL
 * and leave the checksum.
 */
static enum hostroute_outcome check_quote(const struct sk_buff *skb,
					  const struct iphdr *inner, u16 mtu)
{
	unsigned int hlen = inner->ihl * 4;
	unsigned int len = ntohs(inner->tot_len);

	/* A quoted length of 0 is BIG TCP, which is on no wire. */
	if (len < hlen + QUOTED_TRANSPORT &&
	    !(len == 0 && hostroute_icmp_made_here(skb)))
		return HOSTROUTE_IGNORED_QUOTE;
	if (inner->frag_off & htons(IP_OFFSET))
		return HOSTROUTE_IGNORED_FRAGMENT;
	if (!(inner->frag_off & htons(IP_DF)))
		return HOSTROUTE_IGNORED_DF;
	if (source_routed((const u8 *)(inner + 1), hlen - sizeof(*inner)))
		return HOSTROUTE_IGNORED_QUOTE;
	/* RFC 1191 4: no router has such an MTU. 0 is from a router that gives
	 * none.
	 */
	if (mtu && mtu < HOSTROUTE_MTU_MIN)
		return HOSTROUTE_IGNORED_MTU;
	if (mtu && len && len <= mtu)
		return HOSTROUTE_IGNORED_FITS;
	return HOSTROUTE_CONTINUE;
}

/* RFC 768: the UDP length counts the header. It may be less than the IP packet has
 * room for (RFC 9868), and more only in the first fragment of a datagram. A quoted
 * total length of 0 is that of a local packet, which does not fit 16 bits.
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
	/* Anybody can make this host send answers of any size (NDSS 2022). Only an
	 * Echo that it began itself counts.
	 */
	if (inner->protocol == IPPROTO_ICMP && quote->icmp.type != ICMP_ECHO)
		return HOSTROUTE_IGNORED_ICMP;
	return HOSTROUTE_CONTINUE;
}

/* @icmph: the part of the message that is parsed, in one piece. */
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
	/* RFC 1812 5.3.7: no router has such an address. */
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

/* Bytes of the message that are parsed. Its first SMALLEST bytes must be there. */
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

/* For a message that is paged, too short, or quotes no valid IPv4 header. */
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
 * @skb:	packet at LOCAL_IN or FORWARD, data at the IP header; its bytes are not
 *		changed, but its checksum state may be
 * @msg:	filled when the return value is HOSTROUTE_CONTINUE
 *
 * RFC 792, RFC 1122 3.2.2, RFC 1191 4. At most 76 bytes are parsed besides the
 * checksum. What RFC 4884 appends is covered by the checksum, and not parsed. Where it
 * begins need not be known: at least 128 bytes of the quote come before it, and at
 * most 68 of these are parsed.
 *
 * Context: any, under RCU.
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
