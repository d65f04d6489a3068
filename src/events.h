/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, /sys/kernel/tracing/events/pmtu_hostroute/. Their names, and the reasons
 * that they give, are the names of counters in the file stats. Fields are numbers in
 * host order, or text. Addresses are text as well: of an array of 4 bytes "perf trace"
 * shows only the pointer, and tracefs cannot filter by it. ("perf trace" also takes a
 * field for a pointer if its name contains "addr".)
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pmtu_hostroute

#if !defined(HOSTROUTE_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define HOSTROUTE_EVENTS_H

#include "claim.h"
#include "hostroute.h"
#include "mss.h"
#include "stats.h"

#include <linux/if.h>
#include <linux/ip.h>
#include <linux/kernel.h>
#include <linux/netfilter.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <net/inet_connection_sock.h>
#include <net/inet_sock.h>

/* ---- a message ---------------------------------------------------------------- */

/* A field is 0 if the message is too short to contain it, or of a kind that has no such
 * field.
 */
DECLARE_EVENT_CLASS(hostroute_message,
		    TP_PROTO(unsigned int netns, const struct sk_buff *skb,
			     const struct hostroute_msg *msg, enum hostroute_outcome reason),
		    TP_ARGS(netns, skb, msg, reason),
		    TP_STRUCT__entry(__field(unsigned int, netns)
				     __array(char, dev, IFNAMSIZ)
				     __array(char, router, HOSTROUTE_ADDR_SIZE)
				     __array(char, source, HOSTROUTE_ADDR_SIZE)
				     __array(char, destination, HOSTROUTE_ADDR_SIZE)
				     __field(__u8, protocol)
				     __field(__u16, sport)
				     __field(__u16, dport)
				     __field(__u32, seq)
				     __field(__u16, len)
				     __field(__u16, mtu)
				     __field(__u8, observed)
				     __array(char, reason, HOSTROUTE_STATS_NAME_SIZE)),
		    TP_fast_assign(__entry->netns = netns;
				   strscpy(__entry->dev, skb->dev->name, IFNAMSIZ);
				   hostroute_addr_print(__entry->router, msg->router);
				   hostroute_addr_print(__entry->source, msg->saddr);
				   hostroute_addr_print(__entry->destination, msg->daddr);
				   __entry->protocol = msg->protocol;
				   __entry->sport = ntohs(msg->sport);
				   __entry->dport = ntohs(msg->dport);
				   __entry->seq = msg->seq;
				   __entry->len = msg->quoted_len;
				   __entry->mtu = msg->mtu;
				   __entry->observed = msg->observe;
				   strscpy(__entry->reason, hostroute_stats_name(reason),
					   HOSTROUTE_STATS_NAME_SIZE);),
		    TP_printk("netns=%u dev=%s router=%s source=%s destination=%s protocol=%u sport=%u dport=%u seq=%u len=%u mtu=%u observed=%u reason=%s",
			      __entry->netns, __entry->dev, __entry->router, __entry->source,
			      __entry->destination, __entry->protocol, __entry->sport,
			      __entry->dport, __entry->seq, __entry->len, __entry->mtu,
			      __entry->observed, __entry->reason));

#define HOSTROUTE_MESSAGE_EVENT(name)					\
DEFINE_EVENT(hostroute_message, name,					\
	     TP_PROTO(unsigned int netns,				\
		      const struct sk_buff *skb,			\
		      const struct hostroute_msg *msg,			\
		      enum hostroute_outcome reason),			\
	     TP_ARGS(netns, skb, msg, reason))

HOSTROUTE_MESSAGE_EVENT(ignored);
HOSTROUTE_MESSAGE_EVENT(deferred);

/* ---- a host route ---------------------------------------------------------------- */

DECLARE_EVENT_CLASS(hostroute_route,
		    TP_PROTO(unsigned int netns,
			     const struct hostroute *route, bool observed),
		    TP_ARGS(netns, route, observed),
		    TP_STRUCT__entry(__field(unsigned int, netns)
				     __array(char, destination, HOSTROUTE_ADDR_SIZE)
				     __field(int, vrf)
				     __array(char, state, HOSTROUTE_CLASS_NAME_SIZE)
				     __field(__u32, mtu)
				     __field(__u32, previous_mtu)
				     __array(char, router, HOSTROUTE_ADDR_SIZE)
				     __field(int, ifindex)
				     __field(__u8, observed)),
		    TP_fast_assign(__entry->netns = netns;
				   hostroute_addr_print(__entry->destination, route->key.daddr);
				   __entry->vrf = route->key.l3mdev;
				   strscpy(__entry->state, hostroute_class_name(route->class),
					   HOSTROUTE_CLASS_NAME_SIZE);
				   __entry->mtu = route->mtu;
				   __entry->previous_mtu = route->previous_mtu;
				   hostroute_addr_print(__entry->router, route->router);
				   __entry->ifindex = route->ifindex;
				   __entry->observed = observed;),
		    TP_printk("netns=%u destination=%s vrf=%d state=%s mtu=%u previous_mtu=%u router=%s ifindex=%d observed=%u",
			      __entry->netns, __entry->destination, __entry->vrf, __entry->state,
			      __entry->mtu, __entry->previous_mtu, __entry->router,
			      __entry->ifindex, __entry->observed));

#define HOSTROUTE_ROUTE_EVENT(name)					\
DEFINE_EVENT(hostroute_route, name,					\
	     TP_PROTO(unsigned int netns,		\
		      const struct hostroute *route, bool observed),	\
	     TP_ARGS(netns, route, observed))

/* A claim was accepted. */
HOSTROUTE_ROUTE_EVENT(learned);
HOSTROUTE_ROUTE_EVENT(recorded);
HOSTROUTE_ROUTE_EVENT(lowered);
HOSTROUTE_ROUTE_EVENT(refreshed);
HOSTROUTE_ROUTE_EVENT(confirmed);
/* The administrator wrote to sysfs. */
HOSTROUTE_ROUTE_EVENT(added);
HOSTROUTE_ROUTE_EVENT(pinned);
HOSTROUTE_ROUTE_EVENT(deleted);
HOSTROUTE_ROUTE_EVENT(flushed);
/* A route expired, a limit was reached, or memory was short. */
HOSTROUTE_ROUTE_EVENT(expired);
HOSTROUTE_ROUTE_EVENT(restored);
HOSTROUTE_ROUTE_EVENT(evicted);
HOSTROUTE_ROUTE_EVENT(reclaimed);

/* ---- a socket ---------------------------------------------------------------------- */

/* @mtu: see hostroute_trace_socket(). */
DECLARE_EVENT_CLASS(hostroute_socket,
		    TP_PROTO(unsigned int netns, const struct sock *sk, u32 mtu),
		    TP_ARGS(netns, sk, mtu),
		    TP_STRUCT__entry(__field(unsigned int, netns)
				     __array(char, source, HOSTROUTE_ADDR_SIZE)
				     __array(char, destination, HOSTROUTE_ADDR_SIZE)
				     __field(__u16, sport)
				     __field(__u16, dport)
				     __field(__u32, mtu)
				     __field(__u32, previous_mtu)),
		    TP_fast_assign(__entry->netns = netns;
				   hostroute_addr_print(__entry->source,
							hostroute_addr_v4(inet_sk(sk)->inet_saddr));
				   hostroute_addr_print(__entry->destination,
							hostroute_addr_v4(inet_sk(sk)->inet_daddr));
				   __entry->sport = ntohs(inet_sk(sk)->inet_sport);
				   __entry->dport = ntohs(inet_sk(sk)->inet_dport);
				   __entry->mtu = mtu;
				   __entry->previous_mtu = inet_csk(sk)->icsk_pmtu_cookie;),
		    TP_printk("netns=%u source=%s destination=%s sport=%u dport=%u mtu=%u previous_mtu=%u",
			      __entry->netns, __entry->source, __entry->destination, __entry->sport,
			      __entry->dport, __entry->mtu, __entry->previous_mtu));

#define HOSTROUTE_SOCKET_EVENT(name)					\
DEFINE_EVENT(hostroute_socket, name,					\
	     TP_PROTO(unsigned int netns, const struct sock *sk, \
		      u32 mtu),						\
	     TP_ARGS(netns, sk, mtu))

HOSTROUTE_SOCKET_EVENT(clamped);
HOSTROUTE_SOCKET_EVENT(clamp_queued);
HOSTROUTE_SOCKET_EVENT(clamp_skipped);
/* What became of a claim that waited (RFC 5927 7.2). */
HOSTROUTE_SOCKET_EVENT(deferred_applied);
HOSTROUTE_SOCKET_EVENT(deferred_cleared);
HOSTROUTE_SOCKET_EVENT(deferred_dropped);

/* ---- a SYN ------------------------------------------------------------------------- */

/* A SYN that this host sends did not come in by any device. */
#define HOSTROUTE_DEVICE_NAME(dev)	((dev) ? (dev)->name : "-")

TRACE_EVENT(clamped_mss,
	    TP_PROTO(unsigned int netns, const struct nf_hook_state *state,
		     const struct sk_buff *skb, const struct hostroute_mss_change *change,
		     bool observed),
	    TP_ARGS(netns, state, skb, change, observed),
	    TP_STRUCT__entry(__field(unsigned int, netns)
			     __array(char, in, IFNAMSIZ)
			     __array(char, out, IFNAMSIZ)
			     __array(char, source, HOSTROUTE_ADDR_SIZE)
			     __array(char, destination, HOSTROUTE_ADDR_SIZE)
			     __field(__u16, sport)
			     __field(__u16, dport)
			     __field(__u16, mss)
			     __field(__u16, previous_mss)
			     __field(__u8, observed)),
	    TP_fast_assign(__entry->netns = netns;
			   strscpy(__entry->in, HOSTROUTE_DEVICE_NAME(state->in), IFNAMSIZ);
			   strscpy(__entry->out, HOSTROUTE_DEVICE_NAME(state->out), IFNAMSIZ);
			   hostroute_addr_print(__entry->source,
						hostroute_addr_v4(ip_hdr(skb)->saddr));
			   hostroute_addr_print(__entry->destination,
						hostroute_addr_v4(ip_hdr(skb)->daddr));
			   __entry->sport = ntohs(change->sport);
			   __entry->dport = ntohs(change->dport);
			   __entry->mss = change->mss;
			   __entry->previous_mss = change->previous_mss;
			   __entry->observed = observed;),
	    TP_printk("netns=%u in=%s out=%s source=%s destination=%s sport=%u dport=%u mss=%u previous_mss=%u observed=%u",
		      __entry->netns, __entry->in, __entry->out, __entry->source,
		      __entry->destination, __entry->sport, __entry->dport, __entry->mss,
		      __entry->previous_mss, __entry->observed));

#endif

/* Kbuild adds the module's directory to the include path of trace.o. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH src
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events
#include <trace/define_trace.h>
