// SPDX-License-Identifier: GPL-2.0
/*
 * The MSS option of a SYN at LOCAL_OUT or FORWARD: src/mss.c lowers it, and this file
 * counts and traces that. To which MTU is for the hook to say.
 */
#include "syn.h"
#include "mss.h"
#include "trace.h"

/**
 * hostroute_syn_clamp - lower the MSS option of a SYN at a hook
 * @hn:		the namespace
 * @state:	of the hook, for the trace
 * @skb:	a TCP packet with SYN, see hostroute_mss_lower()
 * @mtu:	bytes, of the way that answers come
 * @dry_run:	only say what would become of it
 *
 * Context: any but hardirq.
 * Return: as hostroute_mss_lower().
 */
int hostroute_syn_clamp(struct hostroute_net *hn, const struct nf_hook_state *state,
			struct sk_buff *skb, u32 mtu, bool dry_run)
{
	struct hostroute_mss_change change;
	int result = hostroute_mss_lower(skb, mtu, dry_run, &change);

	if (result == 1) {
		hostroute_stats_inc(hn->stats, HOSTROUTE_CLAMPED_MSS);
		hostroute_trace_mss(hn->table.owner, state, skb, &change, dry_run);
	}
	return result;
}
