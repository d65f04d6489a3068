/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The differences between the kernels that this module is built for, and nothing else.
 * No other file tests a kernel version.
 */
#ifndef PMTU_HOSTROUTE_COMPAT_H
#define PMTU_HOSTROUTE_COMPAT_H

#include <linux/device.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/netdevice.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <net/dst.h>
#include <net/flow.h>
#include <net/inet_dscp.h>
#include <net/inet_hashtables.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/ping.h>
#include <net/route.h>
#include <net/tcp.h>
#include <net/udp.h>

/* 6.4: dst references became an rcuref. */
static inline unsigned int hostroute_compat_dst_refs(const struct dst_entry *dst)
{
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
	return rcuref_read((rcuref_t *)&dst->__rcuref);
#else
	return atomic_read(&dst->__refcnt);
#endif
}

/* 6.4: class callbacks got a const device. */
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
#define HOSTROUTE_COMPAT_CLASS_DEV	const struct device
#else
#define HOSTROUTE_COMPAT_CLASS_DEV	struct device
#endif

/* By 7.2 the namespace() operation of a class returns a struct ns_common, before that the
 * struct net itself. This picks the function that has the type of the field.
 */
#define HOSTROUTE_COMPAT_CLASS_NAMESPACE(by_net, by_common)		\
	__builtin_choose_expr(						\
		__builtin_types_compatible_p(typeof_member(struct class, namespace), \
					     typeof(by_common) *),	\
		by_common, by_net)

/* 6.18: no hash is passed any more; the function uses that of the namespace. */
static inline struct sock *
hostroute_compat_lookup_established(const struct net *net, __be32 saddr,
				    __be16 sport, __be32 daddr, u16 hnum, int dif)
{
#if KERNEL_VERSION(6, 18, 0) <= LINUX_VERSION_CODE
	return __inet_lookup_established(net, saddr, sport, daddr, hnum, dif, 0);
#else
	return __inet_lookup_established((struct net *)net,
					 net->ipv4.tcp_death_row.hashinfo,
					 saddr, sport, daddr, hnum, dif, 0);
#endif
}

/**
 * hostroute_compat_ao_ignores - whether TCP-AO makes a socket ignore the message
 * @sk: a TCP socket
 *
 * RFC 5925 7.8: a connection that TCP-AO signs ignores "fragmentation needed" unless the
 * application accepts it. The connection must be synchronized.
 *
 * Context: the socket's spinlock, or RCU.
 * Return: whether it ignores it.
 */
static inline bool hostroute_compat_ao_ignores(const struct sock *sk)
{
#ifdef CONFIG_TCP_AO
	const struct tcp_ao_info *ao = rcu_dereference(tcp_sk(sk)->ao_info);

	return ao && !ao->accept_icmps &&
	       !((1 << sk->sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV));
#else
	return false;
#endif
}

/* 6.2: a namespace may have a UDP hash of its own. Newer kernels do not take the hash as
 * an argument (seen in 7.2, tested for from 7.0 on). Context: RCU; no reference is taken.
 */
static inline struct sock *
hostroute_compat_lookup_udp(struct net *net, __be32 saddr, __be16 sport,
			    __be32 daddr, __be16 dport, int dif, int sdif)
{
#if KERNEL_VERSION(7, 0, 0) <= LINUX_VERSION_CODE
	return __udp4_lib_lookup(net, saddr, sport, daddr, dport, dif, sdif, NULL);
#elif KERNEL_VERSION(6, 2, 0) <= LINUX_VERSION_CODE
	return __udp4_lib_lookup(net, saddr, sport, daddr, dport, dif, sdif,
				 net->ipv4.udp_table, NULL);
#else
	return __udp4_lib_lookup(net, saddr, sport, daddr, dport, dif, sdif,
				 &udp_table, NULL);
#endif
}

/* Whether there may be a UDP socket that receives for a tunnel. From 6.13 on a module
 * cannot see whether there is one.
 */
static inline bool hostroute_compat_udp_encap_needed(void)
{
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
	return true;
#else
	return static_branch_unlikely(&udp_encap_needed_key);
#endif
}

/* The list head in each rtable by which the kernel lists those that are in no cache; see
 * the top of clone.c. 6.4 moved it.
 */
#if KERNEL_VERSION(6, 4, 0) <= LINUX_VERSION_CODE
#define hostroute_compat_uncached	dst.rt_uncached
#else
#define hostroute_compat_uncached	rt_uncached
#endif

/* 6.6: inet_sock's bit fields became atomic flags. */
#ifdef inet_test_bit
#define hostroute_compat_recverr(sk)	inet_test_bit(RECVERR, sk)
#define hostroute_compat_hdrincl(sk)	inet_test_bit(HDRINCL, sk)
#define hostroute_compat_recverr_rfc4884(sk)	inet_test_bit(RECVERR_RFC4884, sk)
#else
#define hostroute_compat_recverr(sk)	(inet_sk(sk)->recverr)
#define hostroute_compat_hdrincl(sk)	(inet_sk(sk)->hdrincl)
#define hostroute_compat_recverr_rfc4884(sk)	(inet_sk(sk)->recverr_rfc4884)
#endif

/**
 * hostroute_compat_icmp_error - queue "fragmentation needed" on a socket's error queue
 * @sk:		the socket
 * @skb:	the message; its data start at its IP header and are linear up to @payload
 * @port:	reported with the error, network order
 * @info:	reported with the error: MTU, bytes
 * @payload:	offset in @skb where the data of the error start, bytes
 *
 * By 6.12 ip_icmp_error() is exported. By 7.3 the functions that it uses may not be any
 * more.
 *
 * Context: any but hardirq.
 */
static inline void hostroute_compat_icmp_error(struct sock *sk, struct sk_buff *skb,
					       __be16 port, u32 info,
					       unsigned int payload)
{
#if KERNEL_VERSION(6, 12, 0) <= LINUX_VERSION_CODE
	ip_icmp_error(sk, skb, EMSGSIZE, port, info, skb->data + payload);
#else
	struct sk_buff *error = skb_clone(skb, GFP_ATOMIC);
	struct sock_exterr_skb *serr;

	if (!error)
		return;
	serr = SKB_EXT_ERR(error);
	serr->ee = (struct sock_extended_err) {
		.ee_errno = EMSGSIZE,
		.ee_origin = SO_EE_ORIGIN_ICMP,
		.ee_type = ICMP_DEST_UNREACH,
		.ee_code = ICMP_FRAG_NEEDED,
		.ee_info = info,
	};
	serr->addr_offset = ip_hdrlen(error) + sizeof(struct icmphdr) +
			    offsetof(struct iphdr, daddr);
	serr->port = port;
	serr->opt_stats = 0;
	__skb_pull(error, payload);
	if (hostroute_compat_recverr_rfc4884(sk))
		ip_icmp_error_rfc4884(error, &serr->ee.ee_rfc4884,
				      sizeof(struct icmphdr),
				      icmp_hdr(error)->un.reserved[1] * 4);
	skb_reset_transport_header(error);
	if (sock_queue_err_skb(sk, error))
		kfree_skb(error);
#endif
}

/* The struct proto of ping sockets; NULL on kernels that may not export it. */
static inline struct proto *hostroute_compat_ping(void)
{
#if KERNEL_VERSION(6, 13, 0) <= LINUX_VERSION_CODE
	return NULL;
#else
	return &ping_prot;
#endif
}

/* Set the TOS that a route is looked up with. 6.12 does not use the TOS of RFC 1349 any
 * more. By 7.3 a flow has a DSCP instead.
 */
static inline void hostroute_compat_flow_tos(struct flowi4 *fl4, u8 tos)
{
#ifdef flowi4_dscp
	fl4->flowi4_dscp = inet_dsfield_to_dscp(tos);
#elif defined(IPTOS_RT_MASK)
	fl4->flowi4_tos = tos & IPTOS_RT_MASK;
#else
	fl4->flowi4_tos = tos & INET_DSCP_MASK;
#endif
}

/* 6.7: the core allocates the shrinker, before that its user does. Context: process.
 * Return: a registered shrinker, or NULL if memory is short.
 */
static inline struct shrinker *
hostroute_compat_shrinker(const char *name,
			  unsigned long (*count)(struct shrinker *shrinker,
						 struct shrink_control *control),
			  unsigned long (*scan)(struct shrinker *shrinker,
						struct shrink_control *control))
{
	struct shrinker *shrinker;

#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	shrinker = shrinker_alloc(0, "%s", name);
#else
	shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
#endif
	if (!shrinker)
		return NULL;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->seeks = DEFAULT_SEEKS;
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	shrinker_register(shrinker);
#else
	if (register_shrinker(shrinker, "%s", name)) {
		kfree(shrinker);
		return NULL;
	}
#endif
	return shrinker;
}

static inline void hostroute_compat_shrinker_free(struct shrinker *shrinker)
{
#if KERNEL_VERSION(6, 7, 0) <= LINUX_VERSION_CODE
	shrinker_free(shrinker);
#else
	unregister_shrinker(shrinker);
	kfree(shrinker);
#endif
}

#endif
