/* SPDX-License-Identifier: GPL-2.0 */
/* IPv4 packets as they come from a wire, made by hand. */
#ifndef BENCH_PACKET_H
#define BENCH_PACKET_H

#include <stddef.h>

#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>

/* A packet that was sent, as far as a router quotes it: header and 64 bits. */
struct quote {
	struct iphdr ip;
	union {
		struct {
			__u16 sport;
			__u16 dport;
			__u32 seq;
		} tcp;
		struct udphdr udp;
		struct {
			__u8 type;
			__u8 code;
			__u16 sum;
			__u16 id;
			__u16 sequence;
		} icmp;
	};
};

/* "Fragmentation needed", whole. */
struct message {
	struct iphdr ip;
	struct icmphdr icmp;
	struct quote quote;
};

/* A segment without data; @mss is there if it is a SYN. */
struct segment {
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 mss[4];
};

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char data[64];
};

/* Addresses and ports are in network order everywhere, lengths in host order. */
void ip_header(struct iphdr *ip, __u32 saddr, __u32 daddr, __u8 protocol,
	       size_t len);
void quote_tcp(struct quote *quote, __u32 saddr, __u16 sport, __u32 daddr,
	       __u16 dport, __u32 seq, size_t len);
void quote_udp(struct quote *quote, __u32 saddr, __u16 sport, __u32 daddr,
	       __u16 dport, size_t len);
void quote_echo(struct quote *quote, __u32 saddr, __u32 daddr, __u8 type,
		size_t len);
/* @quote is filled already. */
void frag_needed(struct message *message, __u32 router, __u16 mtu);
/* Once more, after a change. */
void seal(struct message *message);
/* Returns its length. */
size_t tcp_segment(struct segment *segment, __u32 saddr, __u16 sport,
		   __u32 daddr, __u16 dport, __u32 seq, __u32 ack,
		   int syn, __u16 mss);
void udp_datagram(struct datagram *datagram, __u32 saddr, __u16 sport,
		  __u32 daddr, __u16 dport);

#endif
