/* SPDX-License-Identifier: GPL-2.0 */
/* Reports for the tracepoints in src/events.h. */
#ifndef HOSTROUTE_TRACE_H
#define HOSTROUTE_TRACE_H

#include "claim.h"
#include "hostroute.h"
#include "mss.h"
#include "stats.h"

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <linux/tracepoint-defs.h>

DECLARE_TRACEPOINT(ignored);
DECLARE_TRACEPOINT(deferred);

void hostroute_trace_message_watched(unsigned int netns, const struct sk_buff *skb,
				     const struct hostroute_msg *msg,
				     enum hostroute_outcome outcome);

/* Every message comes here. It costs a call only while a tracepoint is enabled. */
static inline void hostroute_trace_message(unsigned int netns,
					   const struct sk_buff *skb,
					   const struct hostroute_msg *msg,
					   enum hostroute_outcome outcome)
{
	if (tracepoint_enabled(ignored) || tracepoint_enabled(deferred))
		hostroute_trace_message_watched(netns, skb, msg, outcome);
}

bool hostroute_trace_learning(void);
void hostroute_trace_route(unsigned int netns, const struct hostroute *route,
			   enum hostroute_outcome what, bool observed);
void hostroute_trace_socket(unsigned int netns, const struct sock *sk,
			    enum hostroute_outcome what, u32 mtu);
void hostroute_trace_mss(unsigned int netns, const struct nf_hook_state *state,
			 const struct sk_buff *skb,
			 const struct hostroute_mss_change *change, bool observed);

#endif
