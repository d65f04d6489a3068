// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <string.h>

#include "packet.h"

static __u32 add(__u32 sum, const void *data, size_t len)
{
	const __u8 *byte = data;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? byte[i] : byte[i] << 8;
	return sum;
}

static __u16 fold(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum & 0xffff);
}

static __u16 transport_sum(const struct iphdr *ip, const void *data, size_t len)
{
	return fold(add(add(ip->protocol + len, &ip->saddr, 8), data, len));
}

void ip_header(struct iphdr *ip, __u32 saddr, __u32 daddr, __u8 protocol,
	       size_t len)
{
	*ip = (struct iphdr) {
		.version = 4,
		.ihl = 5,
		.tot_len = htons(len),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = protocol,
		.saddr = saddr,
		.daddr = daddr,
	};
	ip->check = fold(add(0, ip, sizeof(*ip)));
}

void quote_tcp(struct quote *quote, __u32 saddr, __u16 sport, __u32 daddr,
	       __u16 dport, __u32 seq, size_t len)
{
	ip_header(&quote->ip, saddr, daddr, IPPROTO_TCP, len);
	quote->tcp.sport = sport;
	quote->tcp.dport = dport;
	quote->tcp.seq = htonl(seq);
}

void quote_udp(struct quote *quote, __u32 saddr, __u16 sport, __u32 daddr,
	       __u16 dport, size_t len)
{
	ip_header(&quote->ip, saddr, daddr, IPPROTO_UDP, len);
	quote->udp = (struct udphdr) {
		.source = sport,
		.dest = dport,
		.len = htons(len - sizeof(quote->ip)),
	};
}

void quote_echo(struct quote *quote, __u32 saddr, __u32 daddr, __u8 type,
		size_t len)
{
	ip_header(&quote->ip, saddr, daddr, IPPROTO_ICMP, len);
	memset(&quote->icmp, 0, sizeof(quote->icmp));
	quote->icmp.type = type;
}

void seal(struct message *message)
{
	struct iphdr *ip = &message->quote.ip;

	ip->check = 0;
	ip->check = fold(add(0, ip, sizeof(*ip)));
	message->icmp.checksum = 0;
	message->icmp.checksum = fold(add(0, &message->icmp, sizeof(message->icmp) +
					  sizeof(message->quote)));
}

void frag_needed(struct message *message, __u32 router, __u16 mtu)
{
	ip_header(&message->ip, router, message->quote.ip.saddr, IPPROTO_ICMP,
		  sizeof(*message));
	message->icmp = (struct icmphdr) {
		.type = ICMP_DEST_UNREACH,
		.code = ICMP_FRAG_NEEDED,
	};
	message->icmp.un.frag.mtu = htons(mtu);
	seal(message);
}

size_t tcp_segment(struct segment *segment, __u32 saddr, __u16 sport,
		   __u32 daddr, __u16 dport, __u32 seq, __u32 ack,
		   int syn, __u16 mss)
{
	size_t len = sizeof(*segment) - (syn ? 0 : sizeof(segment->mss));

	ip_header(&segment->ip, saddr, daddr, IPPROTO_TCP, len);
	segment->tcp = (struct tcphdr) {
		.source = sport,
		.dest = dport,
		.seq = htonl(seq),
		.ack_seq = htonl(ack),
		.doff = (len - sizeof(segment->ip)) / 4,
		.syn = syn,
		.ack = !syn,
		.window = htons(0xffff),
	};
	segment->mss[0] = TCPOPT_MAXSEG;
	segment->mss[1] = TCPOLEN_MAXSEG;
	segment->mss[2] = mss >> 8;
	segment->mss[3] = mss & 0xff;
	segment->tcp.check = transport_sum(&segment->ip, &segment->tcp,
					   len - sizeof(segment->ip));
	return len;
}

void udp_datagram(struct datagram *datagram, __u32 saddr, __u16 sport,
		  __u32 daddr, __u16 dport)
{
	size_t len = sizeof(*datagram) - sizeof(datagram->ip);

	ip_header(&datagram->ip, saddr, daddr, IPPROTO_UDP, sizeof(*datagram));
	datagram->udp = (struct udphdr) {
		.source = sport,
		.dest = dport,
		.len = htons(len),
	};
	memset(datagram->data, 'x', sizeof(datagram->data));
	datagram->udp.check = transport_sum(&datagram->ip, &datagram->udp, len);
}
